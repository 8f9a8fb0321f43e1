"""1.1: near duplicates across the split: which pictures come on both sides, and what that does to the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.duplicates import Prints, grey_levels_apart
from fashion16_lib.data.pictures import Pictures
from fashion16_lib.evaluate.code_quality import codes_of
from fashion16_lib.evaluate.metrics import hits_among_candidates, slices_of_queries
from fashion16_lib.evaluate.routing import Mask
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.settings import N_HITS

MAX_BITS = 6            # of the hash: what is farther isn't looked at
MAX_LEVELS = 15.0       # grey levels: what is farther is another garment


def near_pairs(asked: Prints, known: Prints, max_bits: int = MAX_BITS, max_levels: float = MAX_LEVELS) -> pd.DataFrame:
    """Find pairs of like pictures: the hash proposes, the pixels decide.

    Parameters
    ----------
    asked, known : two sets of pictures
    max_bits : pairs whose hashes differ in more bits aren't compared
    max_levels : pairs that are farther apart than this are left out

    Returns
    -------
    a row a pair, by asked, then nearest first; columns: asked, known (places), bits, levels (see grey_levels_apart),
    same (bool: the very same pixels)
    """
    rows = []
    light, asked_light = (prints.small.mean(axis=1) for prints in (known, asked))
    for place in range(len(asked)):
        bits = hamming_distances(asked.hashes[place: place + 1], known.hashes)[0] if len(known) else np.zeros(0)
        like = (bits <= max_bits) & (abs(light - asked_light[place]) <= max_levels)     # a mean can't be farther apart
        proposed = np.flatnonzero(like)
        levels = grey_levels_apart(asked.small[place], known.small[proposed])
        for at in np.argsort(levels, kind="stable"):
            if levels[at] > max_levels:
                break
            item = proposed[at]
            same = asked.digests[place] == known.digests[item]
            rows.append((place, int(item), int(bits[item]), float(levels[at]), same))
    kinds = {"asked": np.int64, "known": np.int64, "bits": np.int64, "levels": np.float64, "same": bool}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)        # also where there is none


def nearest_by_hash(asked: Prints, known: Prints) -> pd.DataFrame:
    """Return each asked picture's nearest by the hash alone; columns as in `near_pairs` without same."""
    rows = []
    for place in range(len(asked)):
        bits = hamming_distances(asked.hashes[place: place + 1], known.hashes)[0]
        item = int(bits.argmin())
        levels = grey_levels_apart(asked.small[place], known.small[[item]])[0]
        rows.append((place, item, int(bits[item]), float(levels)))
    return pd.DataFrame(rows, columns=["asked", "known", "bits", "levels"])


def nearest_by_pixels(asked: Prints, known: Prints, max_levels: float) -> np.ndarray:
    """Tell which asked pictures have a known one within max_levels by comparing all pixels of all, (n,) bool.

    The oracle of `near_pairs`: slow, and blind to nothing.
    """
    searched = known.small.astype(np.float32)
    length = (searched * searched).sum(axis=1)
    found = np.zeros(len(asked), bool)
    for rows in slices_of_queries(len(asked)):
        some = asked.small[rows].astype(np.float32)
        squares = length + (some * some).sum(axis=1)[:, None] - 2 * (some @ searched.T)
        for place, near in enumerate(squares <= (max_levels + 0.5) ** 2 * some.shape[1], rows.start):
            found[place] = (grey_levels_apart(asked.small[place], known.small[near]) <= max_levels).any()
    return found


def share_within(pairs: pd.DataFrame, n_asked: int, levels: Sequence[float]) -> pd.DataFrame:
    """Return how many asked pictures have a known one within so many grey levels; columns x (levels), y (share)."""
    nearest = pairs.groupby("asked")["levels"].min()
    return pd.DataFrame({"x": levels, "y": [(nearest <= most).sum() / n_asked for most in levels]})


def examples_at(
    pairs: pd.DataFrame, column: str, steps: Sequence[tuple[float, float]], most: int
) -> list[pd.DataFrame]:
    """Return up to `most` pairs for each step [low, high) of a column, of as many different asked pictures, spread."""
    first = pairs.sort_values(column, kind="stable").drop_duplicates("asked")
    chosen = []
    for low, high in steps:
        part = first[(first[column] >= low) & (first[column] < high)]
        chosen.append(part.iloc[np.linspace(0, len(part) - 1, min(most, len(part))).astype(int)])
    return chosen


def one_after_the_other(first: Dataset, second: Dataset, places: Sequence[int]) -> Dataset:
    """Return the items at places counted through two parts, those of the first part first."""
    rows = np.asarray(places, np.int64)
    parts = first.take(rows[rows < len(first)]), second.take(rows[rows >= len(first)] - len(first))
    images = parts[0].images
    if isinstance(images, Pictures):
        images = Pictures(images.store, [*images.names, *parts[1].images.names], images.colour)  # type: ignore[union-attr]
    else:
        images = np.concatenate([part.images for part in parts])
    return Dataset(first.name, images, np.concatenate([part.labels for part in parts]), first.class_names,
                   [item for part in parts for item in part.ids])


def twins_of(pairs: pd.DataFrame, asked_ids: Sequence[str], known_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return near duplicates by id: asked picture -> the known ones."""
    twins: dict[str, set[str]] = {}
    for asked, known in zip(pairs["asked"], pairs["known"], strict=True):
        twins.setdefault(asked_ids[asked], set()).add(known_ids[known])
    return twins


def without(query_ids: Sequence[str], gallery_ids: Sequence[str], left_out: dict[str, set[str]]) -> Mask:
    """Return which gallery items each query sees when those it is paired with are left out."""
    place = {item: row for row, item in enumerate(gallery_ids)}

    def seen(query: int) -> np.ndarray:
        mask = np.ones(len(place), bool)
        mask[[place[item] for item in left_out.get(query_ids[query], ()) if item in place]] = False
        return mask

    return seen


def catalogue_neighbors(queries: Dataset, gallery: Dataset, type_column: str, reach: int) -> dict[str, set[str]]:
    """Return the gallery items of each query's own type whose id, a number, is at most `reach` away."""
    if queries.attributes is None or gallery.attributes is None:
        raise ValueError(f"{queries.name} has no table; neighbours in a catalogue need one")
    number = np.array([int(item) for item in gallery.ids])
    kinds = gallery.attributes[type_column].to_numpy()
    found = {}
    for query, kind in zip(queries.ids, queries.attributes[type_column], strict=True):
        near = np.flatnonzero((abs(number - int(query)) <= reach) & (kinds == kind))
        found[query] = {gallery.ids[row] for row in near}
    return found


def precision_seeing(
    gallery: tuple[np.ndarray, np.ndarray],
    queries: tuple[np.ndarray, np.ndarray],
    views: dict[str, Mask],
    seeds: Sequence[int],
    n_bits: int = 64,
    k: int = N_HITS,
) -> dict[str, np.ndarray]:
    """Return each query's direct precision at k by what it may see, averaged over the planes' seeds, (q,) float64.

    Parameters
    ----------
    gallery, queries : (features (n, d), labels (n,))
    views : name -> the gallery items each query is compared with; the planes and codes stay the same
    """
    total = {name: np.zeros(len(queries[1])) for name in views}
    for seed in seeds:
        codes, query_codes = codes_of(gallery[0], queries[0], n_bits, seed)
        for name, view in views.items():
            total[name] += hits_among_candidates(
                query_codes, codes, lambda query: gallery[1] == queries[1][query], view, k
            )
    return {name: hits / (len(seeds) * k) for name, hits in total.items()}
