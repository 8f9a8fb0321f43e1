"""Street to shop: photos of the same garments from both sides, a garment on one side of every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion16_lib.data.consumer_to_shop import PARTS, ConsumerToShop, load_consumer_to_shop
from fashion16_lib.data.dataset import Dataset, by_digest, load_items
from fashion16_lib.data.label_sets import labelled_by
from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.pictures import image_digest
from fashion16_lib.data.simulated_street import street_photo
from fashion16_lib.settings import DEEPFASHION, Profile

CATEGORIES = ("dresses", "skirts", "tops", "bottoms")           # the text's four
PRODUCT_TYPES = {
    "dresses": ("Dresses",),
    "skirts": ("Skirts",),
    "tops": ("Tshirts", "Shirts", "Tops", "Sweatshirts", "Sweaters", "Jackets", "Blazers", "Kurtas", "Kurtis", "Tunics"),
    "bottoms": ("Jeans", "Trousers", "Shorts", "Track Pants", "Capris", "Leggings", "Jeggings"),
}
STREET_TYPES = {
    "dresses": ("Dress",),
    "skirts": ("Skirt",),
    "tops": ("T-Shirt", "Longsleeve", "Shirt", "Polo", "Top", "Blouse", "Hoodie", "Undershirt", "Blazer"),
    "bottoms": ("Pants", "Shorts"),
}
TEST_SHARE, TUNING_SHARE = 0.5, 0.1     # half to search in: 95 skirts must leave a gallery
SAME_COLOUR, OTHER_COLOUR, AS_IT_COMES = "same colour", "other colour", "colour as it comes"
COLOURS = (SAME_COLOUR, OTHER_COLOUR)


@dataclass(frozen=True)
class Part:
    """Hold one part of the garments from both sides.

    Attributes
    ----------
    shop : the shop's photos; their groups name the garment, their labels are numbers of CATEGORIES
    street : photos that ask, by what is known of their colour; groups and labels likewise
    """

    shop: Dataset
    street: dict[str, Dataset]

    @property
    def own(self) -> Dataset:
        """Return the street photos in the garment's own colour, or as it comes."""
        return next(iter(self.street.values()))


@dataclass(frozen=True)
class StreetToShop:
    """Hold garments seen from both sides. No garment is in two of train, tuning and test.

    Attributes
    ----------
    name : as captions call it; says "simulated" where it is
    left_out : how many photos couldn't be used, and why
    """

    name: str
    train: Part
    tuning: Part
    test: Part
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Sizes:
    """Hold the sizes at one profile.

    Attributes
    ----------
    n_items : garments of a category, at most (None: all)
    n_views : street photos of each garment and colour to learn from
    n_steps : batches that a distance is learned in
    """

    n_items: int | None
    n_views: int
    n_steps: int = 1_200


SIZES = {"smoke": Sizes(60, 2, n_steps=150), "quick": Sizes(1_000, 2), "full": Sizes(None, 3)}


def load_street_to_shop(
    profile: Profile, path: str | Path = "", pairs_path: str | Path = "", seed: int = 0, to_learn: bool = True
) -> StreetToShop:
    """Return DeepFashion's pairs from a copy of one's own, or product photos with a simulated street.

    Parameters
    ----------
    path : of the product photos; "": the photos folder
    pairs_path : of the folder or zip of DeepFashion's consumer-to-shop benchmark; "": simulate
    seed : of the split of the product photos, and of the simulation
    to_learn : also simulate the training part's street photos; else it has none, which is quicker

    Raises
    ------
    ValueError, Fashion16Error : as in `load_items` and `load_consumer_to_shop`
    """
    sizes = SIZES[profile.name]
    if not pairs_path:
        return simulated_pairs(product_categories(path), sizes if to_learn else replace(sizes, n_views=0), seed)
    benchmark = load_consumer_to_shop(pairs_path)
    train, tuning, test = (_part_of(benchmark, part, sizes) for part in PARTS)
    return StreetToShop("DeepFashion consumer-to-shop", train, tuning, test, benchmark.left_out)


# ---------------------------------------------------------------- DeepFashion's


def _part_of(benchmark: ConsumerToShop, name: str, sizes: Sizes) -> Part:
    table = benchmark.table[benchmark.table["part"] == name]
    kept = table["item"].isin(first_of_each(table["category"], table["item"], sizes.n_items))
    number = {category: label for label, category in enumerate(CATEGORIES)}

    def side(source: str) -> Dataset:
        rows = table[kept & (table["source"] == source)]
        return Dataset(DEEPFASHION, benchmark.pictures.take(rows.index.to_numpy()),
                       rows["category"].map(number).to_numpy(np.int64), CATEGORIES, rows["photo"].tolist(),
                       groups=tuple(rows["item"]))

    return Part(side("shop"), {AS_IT_COMES: side("street")})


# ---------------------------------------------------------------- simulated


def in_categories(photos: Dataset, column: str, types: Mapping[str, Sequence[str]]) -> Dataset:
    """Return the photos whose type belongs to one of the categories, with these as their classes.

    Parameters
    ----------
    column : of the catalogue's table
    types : category -> the types that belong to it
    """
    if photos.attributes is None:
        raise ValueError(f"{photos.name} has no table of types; use product-photos or street-photos")
    category = {kind: name for name, kinds in types.items() for kind in kinds}
    return labelled_by(photos, photos.attributes[column].map(category), tuple(types))


def product_categories(path: str | Path = "", types: Mapping[str, Sequence[str]] = PRODUCT_TYPES) -> Dataset:
    """Return the product photos of the text's four categories, or of others."""
    return in_categories(load_items("product-photos", path, label_by="articleType"), "articleType", types)


def street_categories() -> Dataset:
    """Return people's own photos of the four categories."""
    return in_categories(load_items("street-photos", label_by="label"), "label", STREET_TYPES)


def simulated_pairs(
    photos: Dataset, sizes: Sizes, seed: int = 0, colours: Sequence[str] = COLOURS, twins: bool = True
) -> StreetToShop:
    """Return product photos, each garment seen again in a simulated street, in its own and in another colour.

    Photos with the same pixels are one garment, the first of them by id; so no twin is on the other side of the split.

    Parameters
    ----------
    photos : in their categories
    sizes : at most so many garments of a category, chosen by the digest of their id
    seed : of the split and the street
    colours : which of COLOURS the street shows
    twins : keep all photos of a garment; else only the first, so that each query has one right photo
    """
    kept = first_of_each(photos.label_names, photos.ids, sizes.n_items)
    chosen = photos.take(np.flatnonzero(np.isin(photos.ids, kept)))
    images = list(chosen.images)
    first: dict[bytes, str] = {}
    items = [first.setdefault(image_digest(image), item) for image, item in zip(images, chosen.ids, strict=True)]
    shop = replace(chosen, images=_of_one_size(images), groups=tuple(items))
    if not twins:
        shop = shop.take(np.flatnonzero(np.array(items) == np.array(shop.ids)))
    place = by_digest(list(shop.groups or ()), seed)
    rows = {"test": place < TEST_SHARE, "tuning": (place >= TEST_SHARE) & (place < TEST_SHARE + TUNING_SHARE),
            "train": place >= TEST_SHARE + TUNING_SHARE}
    parts = {}
    for name, mask in rows.items():
        of_shop = shop.take(np.flatnonzero(mask))
        views = sizes.n_views if name == "train" else 1
        parts[name] = Part(of_shop, {
            colour: _in_the_street(of_shop, views, colour == OTHER_COLOUR, seed) for colour in colours
        })
    return StreetToShop("simulated street, product photos", parts["train"], parts["tuning"], parts["test"])


def _of_one_size(images: list[np.ndarray]) -> np.ndarray:
    """Return images as one array; those of a rarer shape are brought to the commonest."""
    shape = pd.Series([image.shape for image in images]).mode()[0]
    side = shape[1], shape[0]
    return np.stack([image if image.shape == shape else cv2.resize(image, side, interpolation=cv2.INTER_AREA)
                     for image in images])


def _in_the_street(shop: Dataset, n_views: int, recoloured: bool, seed: int) -> Dataset:
    """Return so many street photos of each garment, one view after the other."""
    rows = np.tile(np.arange(len(shop)), n_views)
    views = np.repeat(np.arange(n_views), len(shop))
    images = [street_photo(shop.images[row], shop.ids[row], int(view), recoloured, seed)
              for row, view in zip(rows, views, strict=True)]
    seen = shop.take(rows)
    mark = "other colour" if recoloured else "street"
    return replace(seen, name="simulated-street", images=np.stack(images) if images else seen.images,
                   ids=[f"{item}, {mark} {view}" for item, view in zip(seen.ids, views, strict=True)])


def first_of_each(categories: Sequence[str], items: Sequence[str], most: int | None) -> list[str]:
    """Return the items of which each category keeps at most so many: those with the lowest digests."""
    table = pd.DataFrame({"category": categories, "item": items}).drop_duplicates("item")
    table["place"] = by_digest(table["item"].tolist(), -1)          # not the split's digest: that would fill one part
    ordered = table.sort_values("place", kind="stable")
    return ordered.groupby("category")["item"].head(most if most is not None else len(ordered)).tolist()
