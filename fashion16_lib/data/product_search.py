"""Product search: the one data set of the 50s, goods seen by the shop and in the street, with the shop's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.street_to_shop import (
    PRODUCT_TYPES,
    SAME_COLOUR,
    Sizes,
    StreetToShop,
    load_street_to_shop,
    product_categories,
    simulated_pairs,
)
from fashion16_lib.settings import Profile

GOODS = {
    **PRODUCT_TYPES,
    "shoes": ("Casual Shoes", "Sports Shoes", "Formal Shoes", "Heels", "Flats", "Sandals", "Flip Flops"),
    "bags": ("Handbags", "Backpacks", "Clutches", "Duffel Bag", "Laptop Bag", "Messenger Bag", "Trolley Bag"),
}
RIGID = ("shoes", "bags")
ATTRIBUTES = ("gender", "baseColour", "articleType", "season", "usage")     # columns of the catalogue
NOT_IN_THE_CATALOGUE = ("sleeve", "collar", "buttons")      # which the review names
LEAST_SHARE = 0.01      # a value is learned from this share of the photos on
SIZES = {
    "smoke": Sizes(60, 2, n_steps=80), "quick": Sizes(450, 2, n_steps=400), "full": Sizes(None, 3, n_steps=2_400),
}


def load_product_search(
    profile: Profile, path: str | Path = "", pairs_path: str | Path = "", seed: int = 0, to_learn: bool = True
) -> StreetToShop:
    """Return goods from both sides: the same split and the same queries for every method of the 50s.

    Product photos of six categories, one photo a garment, with a simulated street in their own colour; or DeepFashion's
    pairs, which have no shoes, no bags and no attributes of the catalogue.

    Parameters
    ----------
    path, pairs_path, seed, to_learn : as in `load_street_to_shop`

    Raises
    ------
    ValueError, Fashion16Error : as in `load_street_to_shop`
    """
    if pairs_path:
        return load_street_to_shop(profile, path, pairs_path, seed, to_learn)
    sizes = SIZES[profile.name]
    return simulated_pairs(product_categories(path, GOODS), sizes if to_learn else replace(sizes, n_views=0), seed,
                           colours=(SAME_COLOUR,), twins=False)


def n_trainings(profile: Profile) -> int:
    """Return how often a method of which a part is left out is trained: three times, once at smoke."""
    return 1 if profile.name == "smoke" else 3


@dataclass(frozen=True)
class Attributes:
    """Hold which values of which attributes are learned.

    Attributes
    ----------
    values : attribute -> its values, sorted; "category" is one of them
    """

    values: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, shop: Dataset) -> Attributes:
        """Return the category, and the catalogue's attributes where there are any, with the values that aren't rare."""
        values = {"category": shop.class_names}
        if shop.attributes is not None:
            for name in ATTRIBUTES:
                share = shop.attributes[name].value_counts(normalize=True).drop(["", "NA"], errors="ignore")
                values[name] = tuple(sorted(share.index[share >= LEAST_SHARE]))
        return cls({name: known for name, known in values.items() if len(known) > 1})

    def encode(self, photos: Dataset) -> dict[str, np.ndarray]:
        """Return each photo's place among an attribute's values, attribute -> (n,) int64; -1: another, or unknown."""
        known = {"category": photos.label_names}
        if photos.attributes is not None:
            known |= {name: photos.attributes[name].tolist() for name in self.values if name in photos.attributes}
        unknown = [""] * len(photos)
        return {name: np.array([values.index(value) if value in values else -1 for value in known.get(name, unknown)],
                               np.int64) for name, values in self.values.items()}


def features_by_part(
    pairs: StreetToShop, extractor: Any, names: Sequence[str] = ("train", "test")
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return what an extractor makes of the street and shop photos of some parts, name -> two (n, d)."""
    parts = {name: getattr(pairs, name) for name in names}
    return {name: (extractor.extract(part.own.images), extractor.extract(part.shop.images))
            for name, part in parts.items()}
