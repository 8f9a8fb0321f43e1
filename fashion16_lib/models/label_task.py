"""Multi-label text, 3 to 5: photos and their sets of labels, encoded, and SmallerVGGNet trained on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion16_lib.data.dataset import Collection, Dataset, split
from fashion16_lib.data.label_sets import combinations, frequent_combinations, label_sets, labelled_by, six_combinations
from fashion16_lib.models.smaller_vggnet import SmallerVggNet, to_squares
from fashion16_lib.settings import TRAINING_BATCH_SIZE, Profile


@dataclass(frozen=True)
class Plan:
    """Hold the sizes of the trainings at one profile.

    Attributes
    ----------
    pixels : side of the input. A multiple of 12 loses no row to the poolings (3 x 2 x 2); 96 is a usual choice, but a
        product photo has 60 x 80 pixels, and time grows with the square
    epochs : on the six combinations, more than the text's 20
    n_frequent, frequent_epochs : photos of the frequent combinations to learn from (None: all), and epochs on them
    n_six : photos of the six combinations to learn from (None: all)
    most_seeds : trainings of each kind, at most
    batch_size, frequent_batch_size : small where photos are few, because the running means of batch normalisation,
        which photos are asked with, need some hundred updates to arrive
    """

    pixels: int
    epochs: int
    n_frequent: int | None
    frequent_epochs: int
    n_six: int | None = None
    most_seeds: int = 10
    batch_size: int = TRAINING_BATCH_SIZE
    frequent_batch_size: int = TRAINING_BATCH_SIZE


PLANS = {
    "smoke": Plan(24, 22, 200, 6, n_six=200, most_seeds=2, batch_size=8, frequent_batch_size=8),
    "quick": Plan(36, 26, 1_000, 10, frequent_batch_size=8),
    "full": Plan(96, 60, None, 30),
}


def plan_of(profile: Profile) -> Plan:
    """Return the sizes of the trainings at a profile."""
    return PLANS[profile.name]


@dataclass(frozen=True)
class LabelTask:
    """Hold photos with a set of labels each, as a network takes them.

    Attributes
    ----------
    parts : "train", "tuning", "test" -> photos whose class is a combination of labels
    label_names : of the training part, sorted, as MultiLabelBinarizer sorts them
    squares : part -> (n, pixels, pixels, 3) uint8
    targets : part -> (n, labels) bool; a label that no training photo has is left out
    """

    parts: dict[str, Dataset]
    label_names: tuple[str, ...]
    squares: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]

    @classmethod
    def of(cls, photos: Collection, pixels: int, n_train: int | None = None) -> LabelTask:
        """Encode a collection whose classes are combinations; learn from the first of its gallery."""
        from sklearn.preprocessing import MultiLabelBinarizer

        learned = photos.gallery.take(range(min(len(photos.gallery), n_train or len(photos.gallery))))
        parts = {"train": learned, "tuning": photos.tuning, "test": photos.test}
        binarizer = MultiLabelBinarizer().fit(label_sets(learned))
        known = set(binarizer.classes_)
        said = {name: [known & set(labels) for labels in label_sets(part)] for name, part in parts.items()}
        return cls(
            parts,
            tuple(map(str, binarizer.classes_)),
            {name: to_squares(part.images, pixels) for name, part in parts.items()},
            {name: binarizer.transform(labels).astype(bool) for name, labels in said.items()},
        )

    @classmethod
    def six(cls, photos: Dataset, profile: Profile, pixels: int = 0) -> LabelTask:
        """Return the text's six combinations among the photos, at most as many of each as the text has."""
        plan = plan_of(profile)
        chosen = split(six_combinations(photos, profile.name != "full"), profile)
        return cls.of(chosen, pixels or plan.pixels, plan.n_six)

    @classmethod
    def frequent(cls, photos: Collection, profile: Profile, pixels: int = 0) -> LabelTask:
        """Return the combinations that are frequent in the gallery, among all parts of the photos."""
        plan, names = plan_of(profile), frequent_combinations(photos.gallery)
        gallery, tuning, test = (labelled_by(part, combinations(part), names)
                                 for part in (photos.gallery, photos.tuning, photos.queries))
        chosen = replace(photos, gallery=gallery, tuning=tuning, test=test)
        return cls.of(chosen, pixels or plan.pixels, plan.n_frequent)

    def networks(self, folder: Path, seeds: range, *, epochs: int, **options: Any) -> list[SmallerVggNet]:
        """Train SmallerVGGNet once a seed, or load what was trained before; options as in `SmallerVggNet.train`."""
        train, tuning = ((self.squares[part], self.targets[part]) for part in ("train", "tuning"))
        return [SmallerVggNet.train_or_load(folder, train, tuning, self.label_names, epochs=epochs,
                                            seed=seed % 2**32, **{"weighted": False, **options}) for seed in seeds]
