"""Product search, matching outfits: tops and bottoms that one person owns, and whether a search joins them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion16_lib.data.dataset import Dataset, by_digest
from fashion16_lib.evaluate.item_recall import places
from fashion16_lib.evaluate.relevance import Distances, cosine_distances

KINDS = ("tops", "bottoms")


@dataclass(frozen=True)
class Sizes:
    """Hold the sizes at one profile.

    Attributes
    ----------
    n_owned : tops of an owner, and bottoms, at most
    n_made : photos that the filter learns from, and as many that it is judged on, at most; each in six ways
    n_steps : batches that a distance is learned in from wardrobes
    """

    n_owned: int
    n_made: int
    n_steps: int


NEAREST_TOPS = 5        # so many of the library's tops are asked what goes with them; FOLLOW doesn't say how many
SIZES = {"smoke": Sizes(2, 40, 60), "quick": Sizes(4, 120, 120), "full": Sizes(20, 300, 400)}
Owned = tuple[np.ndarray, Sequence[str]]        # features (n, d), and the owner of each


# ---------------------------------------------------------------- wardrobes


def wardrobes(photos: Dataset, most: int | None = None, seed: int = 0) -> Dataset:
    """Return the tops and bottoms of senders who sent both, in the photos' order.

    Of one wardrobe means: sent by one person. Nothing says that two garments were worn together.

    Parameters
    ----------
    photos : their groups name the sender, their class names hold "tops" and "bottoms"
    most : of each sender and kind, at most so many, those with the lowest digests; None: all
    seed : of the digests

    Raises
    ------
    ValueError : photos without senders or kinds, or fewer than four wardrobes
    """
    if photos.groups is None or not set(KINDS) <= set(photos.class_names):
        raise ValueError(f"wardrobes need senders in groups and the classes tops and bottoms, got {photos.name} with "
                         f"{', '.join(photos.class_names)}; use street_categories")
    table = pd.DataFrame({"owner": photos.groups, "kind": photos.label_names, "place": by_digest(photos.ids, seed)})
    table = table[table["kind"].isin(KINDS)]
    table = table[table.groupby("owner")["kind"].transform("nunique") == len(KINDS)]
    if table["owner"].nunique() < 4:
        raise ValueError(f"two halves need at least 4 senders of tops and bottoms, got {table['owner'].nunique()}; use "
                         "more photos")
    first = table.sort_values("place", kind="stable").groupby(["owner", "kind"]).head(most or len(table))
    return photos.take(np.sort(first.index.to_numpy()))


@dataclass(frozen=True)
class Half:
    """Hold the tops that ask and the bottoms that are searched, of one half of the owners; the others' are the library.

    Attributes
    ----------
    tops, bottoms : rows of the owners who ask, int64
    library_tops, library_bottoms : rows of the other half, to learn from or to recommend by
    """

    tops: np.ndarray
    bottoms: np.ndarray
    library_tops: np.ndarray
    library_bottoms: np.ndarray


def halves(worn: Dataset, seed: int = 0) -> tuple[Half, Half]:
    """Return two ways to ask: each half of the owners once, with the other half's wardrobes as the library.

    Parameters
    ----------
    worn : what `wardrobes` returns; an owner's photos are all in one half
    seed : of the halves
    """
    assert worn.groups is not None
    owners, kinds = np.array(worn.groups), np.array(worn.label_names)
    names = np.unique(owners)
    names = names[np.argsort(by_digest(names.tolist(), seed), kind="stable")]
    first = np.isin(owners, names[: len(names) // 2])
    tops, bottoms = ([np.flatnonzero(side & (kinds == kind)) for side in (first, ~first)] for kind in KINDS)
    return Half(tops[0], bottoms[0], tops[1], bottoms[1]), Half(tops[1], bottoms[1], tops[0], bottoms[0])


def found_in_wardrobe(worn: Dataset, asked: Sequence[Half], distances: Sequence[Distances], k: int) -> np.ndarray:
    """Return each top's chance that a bottom of its wardrobe is among the first k, (q,): the tops of half after half.

    Parameters
    ----------
    distances : of each half, from its tops to its bottoms
    """
    return np.concatenate([places(apart, worn.take(half.tops), worn.take(half.bottoms)).found_within(k)
                           for half, apart in zip(asked, distances, strict=True)])


def blindly(half: Half) -> Distances:
    """Return distances that tell no two bottoms apart: what chance finds."""
    return lambda rows: np.zeros((len(half.tops[rows]), len(half.bottoms)))


# ---------------------------------------------------------------- recommending by a library


def through_library(asked: np.ndarray, tops: Owned, bottoms: Owned, searched: np.ndarray,
                    n_tops: int = NEAREST_TOPS) -> Distances:
    """Return how far each searched bottom is from the nearest style that the library recommends for a top.

        styles(x) = bottoms of the owners of the n library tops nearest to x
        d(x, b)   = min over s in styles(x) of 1 - cos(s, b)

    Parameters
    ----------
    asked : features (q, d) of the tops that ask
    tops, bottoms : the library's; tops of owners without a bottom in it recommend nothing and are left out
    searched : features (n, d) of the bottoms that are ranked
    n_tops : library tops that are asked; fewer where the library has fewer

    Raises
    ------
    ValueError : no owner has a top and a bottom in the library
    """
    top_owners, bottom_owners = np.array(tops[1]), np.array(bottoms[1])
    kept = np.isin(top_owners, bottom_owners)
    if not kept.any():
        raise ValueError("a library recommends bottoms of owners of its tops, got none who has both; use more photos")
    alike, owners = cosine_distances(asked, np.asarray(tops[0])[kept]), top_owners[kept]
    from_styles = cosine_distances(np.asarray(bottoms[0]), searched)(slice(None))            # (bottoms, n)

    def distances(rows: slice) -> np.ndarray:
        nearest = np.argsort(alike(rows), axis=1, kind="stable")[:, :n_tops]
        return np.array([from_styles[np.isin(bottom_owners, owners[row])].min(axis=0) for row in nearest])

    return distances
