"""What is expensive and read-only, made once for all tests: real images, real weights, one small training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion16_lib.data.dataset import Collection, load_dataset
from fashion16_lib.data.fashion_mnist import CLASS_NAMES, ensure_fashion_mnist
from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights
from fashion16_lib.settings import get_profile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

N_GALLERY, N_QUERIES, PIXELS, LAYER = 300, 100, 32, "block4_pool"
CLOSET_CLASSES = ("Ankle boot", "Bag", "Trouser")
CLOSET_SIZE = 30  # pictures in each class folder


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Keep OpenBLAS from waiting for itself: its threads spin, which costs tenfold where cores are shared."""
    import scipy.linalg  # noqa: F401   loads SciPy's own OpenBLAS beside NumPy's
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def photos() -> Collection:
    """Return Fashion-MNIST in small parts: 600 to train on, a gallery of 300, 100 queries."""
    smoke = get_profile("smoke")
    return load_dataset(
        "fashion-mnist", dataclasses.replace(smoke, n_train=600, n_test=300, n_gallery=N_GALLERY, n_queries=N_QUERIES)
    )


@pytest.fixture(scope="session")
def vgg():
    """Return VGG-16 with its ImageNet weights at 32 pixels, block4_pool."""
    from fashion16_lib.models.vgg16 import Vgg16Extractor

    return Vgg16Extractor(LAYER, PIXELS)


@pytest.fixture(scope="session")
def cached_vgg(vgg, tmp_path_factory):
    """Return the same VGG-16 behind a cache of its own."""
    from fashion16_lib.models.feature_cache import CachedExtractor

    return CachedExtractor(vgg, tmp_path_factory.mktemp("feature-cache"))


@pytest.fixture(scope="session")
def gallery_features(photos, cached_vgg) -> np.ndarray:
    """Return VGG-16's features of the gallery, read-only."""
    return _frozen(cached_vgg.extract(photos.gallery.images))


@pytest.fixture(scope="session")
def query_features(photos, cached_vgg) -> np.ndarray:
    """Return VGG-16's features of the queries, read-only."""
    return _frozen(cached_vgg.extract(photos.queries.images))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@pytest.fixture(scope="session")
def head(photos, gallery_features, cached_vgg):
    """Return decider (b): the softmax head on the gallery's features."""
    from fashion16_lib.models.softmax_head import SoftmaxHead

    return SoftmaxHead.fit(gallery_features, photos.gallery.labels, photos.gallery.class_names, cached_vgg)


@pytest.fixture(scope="session")
def table1(photos):
    """Return decider (a): Table 1 trained on 600 images for one epoch."""
    from fashion16_lib.models.classifier import Table1Classifier

    return Table1Classifier.train(photos.train, photos.tuning, epochs=1, seed=0)


@pytest.fixture(scope="session")
def model(photos, head, cached_vgg):
    """Return Fashion16 built on the gallery: 64 bits, items under their true class."""
    from fashion16_lib.search.retrieval import Fashion16

    return Fashion16.build(photos.gallery, head, cached_vgg, n_bits=64, seed=0)


@pytest.fixture(scope="session")
def library_path(model, tmp_path_factory) -> Path:
    """Return the model's library file; copy it before harming it."""
    path = tmp_path_factory.mktemp("library") / "library.h5"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def closet(photos, tmp_path_factory) -> Path:
    """Return a folder of 3 classes with 30 pictures each: PNG and JPEG, grey and colour, of mixed sizes."""
    root = tmp_path_factory.mktemp("closet")
    write_closet(root, photos)
    return root


def write_closet(root: Path, photos: Collection, n_each: int = CLOSET_SIZE) -> None:
    """Write Fashion-MNIST images as people's own pictures would lie there."""
    for name in CLOSET_CLASSES:
        (root / name).mkdir(parents=True)
        rows = np.flatnonzero(photos.train.labels == CLASS_NAMES.index(name))[:n_each]
        for number, image in enumerate(photos.train.images[rows]):
            picture = Image.fromarray(image).resize((28 + 5 * (number % 7), 28 + 3 * (number % 5)))
            if number % 3 == 0:
                picture = picture.convert("RGB")
            picture.save(root / name / f"{number}.{'jpg' if number % 2 else 'png'}")


PHOTOS = Path(os.environ.get("FASHION16_PHOTOS") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def photo_folder() -> Path:
    """Return the folder of the real photo archives; skip the test where there is none."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no photos: {PHOTOS} isn't there; set FASHION16_PHOTOS to a folder that holds the archives")
    return PHOTOS


@pytest.fixture(scope="session")
def private_data(tmp_path_factory) -> Path:
    """Return a data folder with the real downloads and a cache of its own."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "weights").symlink_to(ensure_vgg16_weights().parent.resolve())
    (folder / "fashion-mnist").symlink_to(ensure_fashion_mnist().resolve())
    return folder
