"""1.1: images with labels, class names and ids, and how they are split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fashion16_lib.data.class_folder import ImageFiles, scan_class_folder
from fashion16_lib.data.fashion_mnist import CLASS_NAMES, load_fashion_mnist
from fashion16_lib.settings import Profile, get_profile

DATASETS = ("fashion-mnist",)


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
    """

    name: str
    images: np.ndarray | ImageFiles
    labels: np.ndarray
    class_names: tuple[str, ...]
    ids: list[str]
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def label_names(self) -> list[str]:
        """Return the class name of each item."""
        return [self.class_names[label] for label in self.labels]

    def take(self, rows: Sequence[int] | np.ndarray) -> Dataset:
        """Return the items at the given rows, in that order."""
        rows = np.asarray(rows, np.int64)
        images = self.images.take(rows) if isinstance(self.images, ImageFiles) else self.images[rows]
        return Dataset(self.name, images, self.labels[rows], self.class_names, [self.ids[row] for row in rows])

    def sorted_by_id(self) -> Dataset:
        """Return the same items in the order of their ids as text."""
        return self.take(sorted(range(len(self)), key=self.ids.__getitem__))

    @cached_property
    def sha256(self) -> str:
        """Digest ids, labels and images: two sets with one digest hold the same items."""
        digest = hashlib.sha256("\n".join([*self.class_names, *self.ids]).encode("utf-8", "surrogateescape"))
        digest.update(np.ascontiguousarray(self.labels, np.int64).tobytes())
        if isinstance(self.images, ImageFiles):
            for path in self.images.paths:
                digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
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


def load_dataset(name: str = "fashion-mnist", profile: str | Profile = "quick", seed: int = 0) -> Collection:
    """Load a data set by name, fetched and verified when needed, in the sizes of a profile.

    Parts are drawn at random with equal numbers from each class, as Fashion-MNIST itself has.

    Raises
    ------
    ValueError : unknown data set or profile
    Fashion16Error : the data can't be had; the message says where to put it by hand
    """
    if name not in DATASETS:
        raise ValueError(f"data set must be one of {', '.join(DATASETS)}, got {name!r}")
    sizes = get_profile(profile) if isinstance(profile, str) else profile
    arrays = load_fashion_mnist()
    known = _named("train", arrays["train_images"], arrays["train_labels"])
    unseen = _named("test", arrays["test_images"], arrays["test_labels"])
    order = _shuffled_by_class(known.labels, np.random.default_rng(seed))
    tuning, rest = order[: sizes.n_tuning], order[sizes.n_tuning :]
    test_order = _shuffled_by_class(unseen.labels, np.random.default_rng(seed + 1))
    return Collection(
        name,
        train=known.take(np.sort(rest[: sizes.n_train])),
        tuning=known.take(np.sort(tuning)),
        test=unseen.take(np.sort(test_order[: sizes.n_test])),
        gallery=known.take(np.sort(rest[: sizes.n_gallery])),
        queries=unseen.take(np.sort(test_order[: sizes.n_queries])),
    )


def _named(part: str, images: np.ndarray, labels: np.ndarray) -> Dataset:
    ids = [f"{part}/{row:05d}" for row in range(len(images))]
    return Dataset("fashion-mnist", images, labels.astype(np.int64), CLASS_NAMES, ids)


def _shuffled_by_class(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return all rows at random, but so that each run of ten holds one of each class while they last."""
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        turn[rows] = rng.permutation(len(rows))
    return np.lexsort((labels, turn))


def load_class_folder(folder: str | Path) -> Dataset:
    """Load a folder whose sub-folders are the classes; see class_folder for what is read and refused."""
    paths, labels, class_names, skipped = scan_class_folder(folder)
    ids = [Path(path).relative_to(folder).as_posix() for path in paths]
    return Dataset(
        Path(folder).name,
        ImageFiles(paths),
        np.asarray(labels, np.int64),
        tuple(class_names),
        ids,
        tuple(skipped.items() if isinstance(skipped, dict) else skipped),
    )
