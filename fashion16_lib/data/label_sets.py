"""Multi-label text, 1 and 3: photos with a set of labels each: gender, colour and type of garment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from fashion16_lib.data.dataset import Dataset

AND = " / "         # between the labels of a combination
GENDERS = {"Women": "female", "Men": "male"}
TYPES = {"Dresses": "dress", "Tshirts": "shirt", "Tops": "shirt"}       # the text's "T-shirt"; women's are often Tops
COLOURS = {
    **dict.fromkeys(("Black",), "black"),
    **dict.fromkeys(("Blue", "Navy Blue", "Turquoise Blue", "Teal"), "blue"),
    **dict.fromkeys(("Red", "Maroon", "Burgundy", "Rust"), "red"),
}
TEXT_COUNTS = {     # the text's six classes, rightly named, and how many pictures it has of each (3)
    ("female", "blue", "dress"): 415,
    ("female", "blue", "shirt"): 311,
    ("female", "red", "dress"): 259,
    ("male", "black", "shirt"): 257,
    ("male", "blue", "shirt"): 247,
    ("male", "red", "shirt"): 194,
}
FREQUENT = 0.005    # a combination is frequent from this share of the photos on


def _attributes(photos: Dataset) -> pd.DataFrame:
    if photos.attributes is None:
        raise ValueError(f"{photos.name} has no table of attributes; use product-photos")
    return photos.attributes


def combinations(photos: Dataset) -> pd.Series:
    """Return each photo's gender, colour and type as the catalogue has them, joined by " / "."""
    attributes = _attributes(photos)
    return attributes["gender"] + AND + attributes["baseColour"] + AND + attributes["articleType"]


def text_combinations(photos: Dataset) -> pd.Series:
    """Return each photo's gender, colour and type in the text's words; NaN where it has no word for one of them."""
    table = _attributes(photos)
    return (table["gender"].map(GENDERS) + AND + table["baseColour"].map(COLOURS) + AND
            + table["articleType"].map(TYPES))


def labelled_by(photos: Dataset, names: pd.Series, class_names: tuple[str, ...]) -> Dataset:
    """Return the photos whose name is among class_names, with these as their classes.

    Parameters
    ----------
    names : a text or NaN a photo, in the photos' order
    """
    rows = np.flatnonzero(names.isin(class_names))
    number = {name: label for label, name in enumerate(class_names)}
    labels = names.iloc[rows].map(number).to_numpy(np.int64)
    return replace(photos.take(rows), labels=labels, class_names=class_names)


def six_combinations(photos: Dataset, at_most: bool = True) -> Dataset:
    """Return the photos of the text's six combinations, as many of each as there are.

    Parameters
    ----------
    photos : with the catalogue's attributes
    at_most : take no more of a combination than the text has, the first by id

    Raises
    ------
    ValueError : photos of fewer than two of the six
    """
    names = text_combinations(photos)
    wanted = {AND.join(words): count for words, count in TEXT_COUNTS.items()}
    found = tuple(name for name in wanted if (names == name).any())
    if len(found) < 2:
        raise ValueError(f"needs photos of at least two of {', '.join(wanted)}, got {', '.join(found) or 'none'}")
    chosen = labelled_by(photos, names, found)
    turn = pd.Series(chosen.labels).groupby(chosen.labels).cumcount()       # 0, 1, 2, ... in each combination
    most = np.array([wanted[name] for name in found])[chosen.labels]
    return chosen.take(np.flatnonzero(turn < most)) if at_most else chosen


def frequent_combinations(photos: Dataset, share: float = FREQUENT) -> tuple[str, ...]:
    """Return the combinations of gender, colour and type that hold at least a share of the photos, most first."""
    counts = combinations(photos).value_counts()
    return tuple(counts.index[counts >= max(2, share * len(photos))])


def label_sets(photos: Dataset) -> list[tuple[str, ...]]:
    """Return the labels of each photo whose class is a combination."""
    return [tuple(name.split(AND)) for name in photos.label_names]


def several_labels(photos: Dataset, colours: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return one to four labels a photo: for whom (unisex: men and women), its colour if listed, a use but casual."""
    table = _attributes(photos)
    people = {"Unisex": ("Men", "Women")}
    return [
        (*people.get(row["gender"], (row["gender"],)),
         *((row["baseColour"],) if row["baseColour"] in colours else ()),
         *((row["usage"],) if row["usage"] in ("Sports", "Formal", "Ethnic") else ()))
        for row in table[["gender", "baseColour", "usage"]].to_dict("records")
    ]
