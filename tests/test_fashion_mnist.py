"""Fashion-MNIST: the real files, where they may lie, and what becomes of them."""

import gzip
import hashlib
import shutil
import struct

import numpy as np
import pytest

from fashion16_lib.data.fashion_mnist import (
    CLASS_NAMES,
    DATASET_SHA256,
    FILES,
    ensure_fashion_mnist,
    load_fashion_mnist,
    read_idx,
)


@pytest.fixture(scope="module")
def arrays():
    return load_fashion_mnist()


@pytest.fixture(scope="module")
def real():
    return ensure_fashion_mnist()


@pytest.mark.parametrize(("part", "n"), [("train", 60_000), ("test", 10_000)])
def test_arrays_have_the_published_shapes_and_equal_classes(arrays, part, n):
    images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    assert images.shape == (n, 28, 28) and images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(labels), [n // 10] * 10)
    assert (images.min(), images.max()) == (0, 255)


def test_labels_are_in_the_order_of_the_class_names(arrays):
    assert len(CLASS_NAMES) == 10
    assert [CLASS_NAMES[label] for label in arrays["train_labels"][:3]] == ["Ankle boot", "T-shirt", "T-shirt"]
    means = [arrays["train_images"][arrays["train_labels"] == label].mean() for label in range(10)]
    assert CLASS_NAMES[int(np.argmin(means))] == "Sandal"       # straps: most of the picture is background
    assert 72.9 < arrays["train_images"].mean() < 73.0          # published: 0.2860 of 255


def test_training_and_test_images_are_told_apart(arrays):
    assert not np.array_equal(arrays["train_images"][:10_000], arrays["test_images"])
    assert CLASS_NAMES[arrays["test_labels"][1]] == "Pullover"


def test_reader_agrees_with_a_plain_one(real, arrays):
    data = (real / FILES["test_images"].name).read_bytes()
    magic, n, height, width = struct.unpack(">4I", data[:16])
    assert (magic, n, height, width) == (0x803, 10_000, 28, 28)
    assert arrays["test_images"].tobytes() == data[16:]


def test_dataset_digest_covers_the_four_files(real):
    digests = [hashlib.sha256((real / file.name).read_bytes()).hexdigest() for file in FILES.values()]
    assert hashlib.sha256("".join(digests).encode()).hexdigest() == DATASET_SHA256


def put_plain(real, folder, file):
    shutil.copyfile(real / file.name, folder / file.name)


def put_gz(real, folder, file):
    (folder / f"{file.name}.gz").write_bytes(gzip.compress((real / file.name).read_bytes(), compresslevel=1))


@pytest.mark.parametrize("where", [".", "fashion-mnist"])
def test_files_put_there_by_hand_are_used_without_the_network(real, tmp_path, monkeypatch, where):
    monkeypatch.setenv("PATH", str(tmp_path))                   # no apt-get
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")      # no publisher
    monkeypatch.setenv("FASHION16_DATA", str(tmp_path))
    folder = tmp_path / where
    folder.mkdir(exist_ok=True)
    for file in FILES.values():
        (put_gz if "t10k" in file.name else put_plain)(real, folder, file)
    before = {path: path.stat().st_ino for path in folder.iterdir()}
    assert ensure_fashion_mnist() == tmp_path / "fashion-mnist"
    assert all((tmp_path / "fashion-mnist" / file.name).is_file() for file in FILES.values())
    assert {path: path.stat().st_ino for path in before} == before          # their own files stay as they were
    assert load_fashion_mnist()["test_labels"].shape == (10_000,)


def test_damaged_cache_is_mended_from_the_file_beside_it(real, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("FASHION16_DATA", str(tmp_path))
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for file in FILES.values():
        put_plain(real, folder, file)
    labels = FILES["test_labels"]
    put_gz(real, folder, labels)
    data = bytearray((real / labels.name).read_bytes())
    data[500] ^= 1
    (folder / labels.name).write_bytes(data)
    assert read_idx(ensure_fashion_mnist() / labels.name)[:3].tolist() == [9, 2, 1]
    assert labels.name in caplog.text and "removed" in caplog.text
