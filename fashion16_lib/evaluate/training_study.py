"""1.2 and Table 2: the Table 1 network trained on more and more images, with and without dropout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fashion16_lib.data.changes import flip, shift
from fashion16_lib.data.dataset import Collection, Dataset, load_dataset
from fashion16_lib.data.preprocess import to_table1_input
from fashion16_lib.evaluate.statistics import PowerLaw, power_law
from fashion16_lib.settings import FASHION_MNIST, TRAINING_BATCH_SIZE, Profile


def epochs_for(n_images: int, profile: Profile) -> int:
    """Return how often a training set is gone through: the profile's epochs, more where they'd be too few updates."""
    batches = -(-n_images // TRAINING_BATCH_SIZE)
    return max(profile.epochs, -(-profile.min_updates // batches))


def nested_part(profile: Profile, n_images: int, dataset: str = FASHION_MNIST, path: str = "") -> Collection:
    """Return a data set with n training images, in a fixed random order: smaller parts lie in larger ones.

    Where there are fewer than n, changed copies fill up: see `augmented`.
    """
    photos = load_dataset(dataset, replace(profile, n_train=n_images), path=path)
    return replace(photos, train=augmented(photos.train, n_images))


def augmented(photos: Dataset, n_images: int, seed: int = 0) -> Dataset:
    """Return the images followed by changed copies up to n: moved by up to 2 pixels, half of them flipped.

    Copies are no new garments; their ids hold a "+", and whatever is measured with them says so. Photos are made as
    small as the Table 1 network takes them first.
    """
    n_more = n_images - len(photos)
    if n_more <= 0:
        return photos
    images = to_table1_input(photos.images)
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(len(photos)) for _ in range(-(-n_more // len(photos)))])[:n_more]
    moves = rng.integers(-2, 3, size=(n_more, 2))
    copies = [shift(images[row], *move) for row, move in zip(rows, moves.tolist(), strict=True)]
    copies = [flip(copy) if turn else copy for copy, turn in zip(copies, rng.random(n_more) < 0.5, strict=True)]
    ids = [f"{photos.ids[row]}+{number}" for number, row in enumerate(rows)]
    return Dataset(
        photos.name,
        np.concatenate([images, np.stack(copies)]),
        np.concatenate([photos.labels, photos.labels[rows]]),
        photos.class_names,
        [*photos.ids, *ids],
    )


def train_parts(
    folder: Path, profile: Profile, sizes: Iterable[int], seeds: Iterable[int], *, dataset: str = FASHION_MNIST,
    path: str = "", **options: Any,
) -> dict[tuple[int, int], Any]:
    """Train (or load) the Table 1 network on nested parts of the training images; return it by (size, seed).

    dataset, path : of load_dataset
    options : of Table1Classifier.train, dropout say
    """
    from fashion16_lib.models.classifier import Table1Classifier

    trained = {}
    for size in sizes:
        part = nested_part(profile, size, dataset, path)
        for seed in seeds:
            trained[size, seed] = Table1Classifier.train_or_load(
                folder,
                part.train,
                part.tuning,
                epochs=epochs_for(size, profile),
                **{"mean_reading": "dataset", "dropout": True, "seed": seed, **options},
            )
    return trained


def early_and_late_fall(tuning_losses: Iterable[float], n_classes: int = 10) -> tuple[float, float]:
    """Return by how many nats the tuning loss falls in the first and in the second half of training (Fig 4).

    Before training every class has the same probability: the loss is log(n_classes).
    """
    losses = np.array([np.log(n_classes), *tuning_losses])
    middle = len(losses) // 2
    return float(losses[0] - losses[middle]), float(losses[middle] - losses[-1])


def loss_at_rest(classifier: Any, part: Any) -> float:
    """Return the mean cross-entropy (nats) on a part's images, dropout off: Keras's own is taken with it at work."""
    chosen = classifier.predict_proba(part.images)[np.arange(len(part)), part.labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def overfitting(classifier: Any, train: Any, tuning: Any) -> float:
    """Return accuracy on training images minus accuracy on tuning images, both without dropout at work."""
    right = [classifier.predict_proba(part.images).argmax(axis=1) == part.labels for part in (train, tuning)]
    return float(right[0].mean() - right[1].mean())


def law_of_error(table: pd.DataFrame, share: str) -> PowerLaw:
    """Fit error = factor * N ** exponent to a table with the columns n_train and a share of right answers."""
    return power_law(table["n_train"].to_numpy(), 1 - table[share].to_numpy())
