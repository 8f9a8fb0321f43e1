"""1.1: images with labels, class names and ids, and how they are split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from fashion16_lib.data.catalogue import Catalogue, load_photos
from fashion16_lib.data.class_folder import scan_class_folder
from fashion16_lib.data.fashion_mnist import CLASS_NAMES, load_fashion_mnist
from fashion16_lib.data.pictures import Pictures
from fashion16_lib.data.product_photos import PRODUCT_PHOTOS
from fashion16_lib.data.street_photos import STREET_PHOTOS
from fashion16_lib.settings import DATASETS, FASHION_MNIST, Profile, get_profile

CATALOGUES = {catalogue.name: catalogue for catalogue in (PRODUCT_PHOTOS, STREET_PHOTOS)}
TEST_SHARE, TUNING_SHARE = 0.2, 0.1         # of photos, which come without a split of their own


@dataclass(frozen=True)
class Dataset:
    """Hold images with what is known about them.

    Attributes
    ----------
    name : where the images come from
    images : (n, h, w) uint8 array, or a lazy sequence of files of any size
    labels : (n,) int64 indices into class_names
    class_names : in the order of the labels
    ids : n texts, unique
    skipped : file name -> why it isn't in
    left_out : how many others aren't in, and why, in words
    attributes : what a catalogue's table says of each item, a row an item; None where there is no table
    groups : n texts; items that share one (a sender's photos) stay on one side of every split; None: each its own
    """

    name: str
    images: np.ndarray | Pictures
    labels: np.ndarray
    class_names: tuple[str, ...]
    ids: list[str]
    skipped: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    attributes: pd.DataFrame | None = None
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def label_names(self) -> list[str]:
        """Return the class name of each item."""
        return [self.class_names[label] for label in self.labels]

    def take(self, rows: Sequence[int] | np.ndarray) -> Dataset:
        """Return the items at the given rows, in that order."""
        rows = np.asarray(rows, np.int64)
        return replace(
            self,
            images=self.images.take(rows) if isinstance(self.images, Pictures) else self.images[rows],
            labels=self.labels[rows],
            ids=[self.ids[row] for row in rows],
            attributes=None if self.attributes is None else self.attributes.iloc[rows].reset_index(drop=True),
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows),
        )

    def sorted_by_id(self) -> Dataset:
        """Return the same items in the order of their ids as text."""
        return self.take(sorted(range(len(self)), key=self.ids.__getitem__))

    @cached_property
    def sha256(self) -> str:
        """Digest ids, labels and images: two sets with one digest hold the same items."""
        digest = hashlib.sha256("\n".join([*self.class_names, *self.ids]).encode("utf-8", "surrogateescape"))
        digest.update(np.ascontiguousarray(self.labels, np.int64).tobytes())
        if isinstance(self.images, Pictures):
            for content in self.images.contents():
                digest.update(hashlib.sha256(content).digest())
        else:
            digest.update(np.ascontiguousarray(self.images).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Collection:
    """Hold a data set's parts. No image is in two of train, tuning and test.

    Attributes
    ----------
    train : what a classifier learns from
    tuning : held out of train, for every choice (the paper tunes on its test samples, 1.4; we don't)
    test : what a classifier is judged on
    gallery : the part of train that is searched
    queries : the part of test that searches
    """

    name: str
    train: Dataset
    tuning: Dataset
    test: Dataset
    gallery: Dataset
    queries: Dataset

    @property
    def left_out(self) -> list[tuple[str, int]]:
        """Return reason and number of what isn't in; unreadable pictures count as one reason."""
        unreadable = len(self.train.skipped)
        return [*self.train.left_out, *([("pictures that can't be read", unreadable)] if unreadable else [])]


def load_dataset(
    name: str = FASHION_MNIST, profile: str | Profile = "quick", seed: int = 0, path: str | Path = ""
) -> Collection:
    """Load a data set by name, in the sizes of a profile; Fashion-MNIST is fetched and verified when needed.

    Fashion-MNIST's parts are drawn at random with equal numbers from each class, as it itself has. Photos are split
    by the digest of their id (or group), so that any part of an archive is split as the whole is; their classes are
    as unequal as they come.

    Parameters
    ----------
    path : of the zip or folder of photos; "" looks in the photos folder

    Raises
    ------
    ValueError : unknown data set or profile, or a path that holds something else
    Fashion16Error : the data can't be had; the message says where to put it by hand
    """
    if name not in DATASETS:
        raise ValueError(f"data set must be one of {', '.join(DATASETS)}, got {name!r}")
    sizes = get_profile(profile) if isinstance(profile, str) else profile
    return _fashion_mnist(sizes, seed) if name == FASHION_MNIST else split(load_items(name, path), sizes, seed)


def _fashion_mnist(sizes: Profile, seed: int) -> Collection:
    known, unseen = _known_and_unseen()
    order = _shuffled_by_class(known.labels, np.random.default_rng(seed))
    tuning, rest = order[: sizes.n_tuning], order[sizes.n_tuning :]
    test_order = _shuffled_by_class(unseen.labels, np.random.default_rng(seed + 1))
    return _collection(known, unseen, rest, tuning, test_order, sizes)


def _known_and_unseen() -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST's training and test images."""
    arrays = load_fashion_mnist()
    return (_named("train", arrays["train_images"], arrays["train_labels"]),
            _named("test", arrays["test_images"], arrays["test_labels"]))


def _collection(
    known: Dataset, unseen: Dataset, rest: np.ndarray, tuning: np.ndarray, test: np.ndarray, sizes: Profile
) -> Collection:
    """Return the parts: the first so many of `rest` and `tuning`, rows of `known`, and of `test`, rows of `unseen`."""
    return Collection(
        known.name,
        train=known.take(np.sort(rest[: sizes.n_train])),
        tuning=known.take(np.sort(tuning[: sizes.n_tuning])),
        test=unseen.take(np.sort(test[: sizes.n_test])),
        gallery=known.take(np.sort(rest[: sizes.n_gallery])),
        queries=unseen.take(np.sort(test[: sizes.n_queries])),
    )


def split(items: Dataset, sizes: Profile, seed: int = 0) -> Collection:
    """Split items by the digest of their group, or id: where one lies doesn't depend on which others there are.

    A fifth is test, a tenth tuning, the rest is learned from and searched; a profile's sizes are upper bounds.

    Raises
    ------
    ValueError : too few items for one in each part
    """
    place = by_digest(items.groups or items.ids, seed)
    order = np.argsort(by_digest(items.ids, seed + 1), kind="stable")
    is_test, is_tuning = place < TEST_SHARE, (place >= TEST_SHARE) & (place < TEST_SHARE + TUNING_SHARE)
    rest, tuning, test = (order[mask[order]] for mask in (~is_test & ~is_tuning, is_tuning, is_test))
    if min(len(rest), len(tuning), len(test)) == 0:
        raise ValueError(f"{items.name}: {len(items)} items are too few to split into gallery, tuning part and test; "
                         "use more (of more senders)")
    return _collection(items, items, rest, tuning, test, sizes)


def by_digest(texts: Sequence[str], seed: int) -> np.ndarray:
    """Return a number in [0, 1) for each text, the same wherever the text comes."""
    digests = (hashlib.sha256(f"{seed}/{text}".encode("utf-8", "surrogateescape")).digest() for text in texts)
    return np.array([int.from_bytes(digest[:6], "big") for digest in digests]) / 2**48


def load_items(name: str, path: str | Path = "", label_by: str = "") -> Dataset:
    """Return all images of a data set, unsplit; Fashion-MNIST's training images come first.

    Parameters
    ----------
    name : "fashion-mnist", "product-photos", "street-photos" or "class-folder"
    label_by : a column of the catalogue's table to take the classes from; "": the paper's ten

    Raises
    ------
    ValueError, Fashion16Error : as in `load_dataset`
    """
    if name == FASHION_MNIST and not (path or label_by):
        known, unseen = _known_and_unseen()
        return Dataset(name, np.concatenate([known.images, unseen.images]),
                       np.concatenate([known.labels, unseen.labels]), CLASS_NAMES, known.ids + unseen.ids)
    if name in CATALOGUES:
        return _from_catalogue(CATALOGUES[name], path, label_by)
    if label_by or not path:
        raise ValueError(f"{name} needs a path, and takes its classes from the folders; got path {str(path)!r}"
                         + f" and classes from {label_by!r}" * bool(label_by))
    return load_class_folder(path)


def _from_catalogue(catalogue: Catalogue, path: str | Path, label_by: str) -> Dataset:
    photos = load_photos(catalogue, path, label_by)
    found = photos.attributes["class"].unique().tolist()
    class_names = tuple(sorted(found) if label_by else [each for each in CLASS_NAMES if each in found])
    number = {each: label for label, each in enumerate(class_names)}
    ids, group = photos.attributes[catalogue.id_column].tolist(), catalogue.group_column
    return Dataset(
        catalogue.name,
        photos.pictures,
        photos.attributes["class"].map(number).to_numpy(np.int64),
        class_names,
        ids,
        tuple(photos.skipped.items()),
        tuple(photos.left_out.items()),
        photos.attributes,
        tuple(photos.attributes[group]) if group else None,
    )


def _named(part: str, images: np.ndarray, labels: np.ndarray) -> Dataset:
    ids = [f"{part}/{row:05d}" for row in range(len(images))]
    return Dataset(FASHION_MNIST, images, labels.astype(np.int64), CLASS_NAMES, ids)


def _shuffled_by_class(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return all rows at random, but so that each run of ten holds one of each class while they last."""
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        turn[rows] = rng.permutation(len(rows))
    return np.lexsort((labels, turn))


def load_class_folder(path: str | Path) -> Dataset:
    """Load a folder or zip whose sub-folders are the classes; see class_folder for what is read and refused."""
    pictures, labels, class_names, skipped = scan_class_folder(path)
    return Dataset(Path(path).name.removesuffix(".zip"), pictures, labels, class_names, list(pictures.names), tuple(skipped.items()))
