"""Street to shop: is the garment itself among the first k? Top-k accuracy, exact where items tie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.metrics import slices_of_queries
from fashion16_lib.evaluate.relevance import Distances, cosine_distances
from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.evaluate.street import Draws, estimate, mean_over_groups
from fashion16_lib.files import replace_file
from fashion16_lib.settings import Fashion16Error

METRICS = ("L1", "L2", "cosine")


@dataclass(frozen=True)
class Places:
    """Hold where each query's own garment stands among the gallery.

    Attributes
    ----------
    nearer : (q,) wrong photos that are nearer than the nearest right one; the number searched where there is none
    tied_wrong, tied_right : (q,) photos that are just as far as that one, itself included
    """

    nearer: np.ndarray
    tied_wrong: np.ndarray
    tied_right: np.ndarray

    def save(self, path: Path, asked: Dataset, how: str) -> None:
        """Write the three numbers of each query with its id, and how they came about in words, to a CSV file."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self)}
        table = pd.DataFrame({"query": asked.ids, **numbers, "how": how})
        replace_file(path, table.to_csv(index=False).encode())

    @classmethod
    def read(cls, path: Path, asked: Dataset) -> tuple[Places, str]:
        """Return what `save` wrote of these very queries, and how it came about.

        Raises
        ------
        Fashion16Error : it was written of others
        """
        table = pd.read_csv(path, dtype={"query": str})
        if table["query"].tolist() != asked.ids:
            raise Fashion16Error(f"{path} tells of other photos than those asked for here; run its notebook with the "
                                 "same SEED, photos and profile")
        return cls(*(table[field.name].to_numpy(np.int64) for field in fields(cls))), str(table["how"].iloc[0])

    def found_within(self, k: int | np.ndarray) -> np.ndarray:
        """Return each query's chance that a right photo is among the first k, over the order of tied ones, (q,).

        k is one number for all, or each query's own, (q,). Of the tied, j come within k. All of them are wrong with
        the chance C(wrong, j) / C(wrong + right, j).
        """
        from scipy.special import gammaln

        wrong, right = self.tied_wrong, self.tied_right
        drawn = np.clip(k - self.nearer, 0, wrong + right)
        can_miss = drawn <= wrong
        j = np.where(can_miss, drawn, 0)
        missed = np.exp(gammaln(wrong + 1) - gammaln(wrong - j + 1)
                        + gammaln(wrong + right - j + 1) - gammaln(wrong + right + 1))
        return np.where(can_miss, 1 - missed, 1.0)

    def inverse_place(self) -> np.ndarray:
        """Return one over the place of each query's first right photo, expected over the order of tied ones, (q,).

        It is the average precision where one photo is right; 0 where none is.
        """
        first = self.nearer + 1
        found = np.zeros(len(first))
        for behind in range(int(self.tied_wrong.max(initial=0)) + 1):
            chance = self.found_within(first + behind) - self.found_within(first + behind - 1)
            found += chance / (first + behind)
        return np.where(self.tied_right > 0, found, 0.0)


def places(
    distances: Distances, asked: Dataset, searched: Dataset, candidates: Callable[[int], np.ndarray] | None = None
) -> Places:
    """Return where the garment of each asked photo stands among the searched ones.

    Parameters
    ----------
    distances : gives the (rows, n) distances of a slice of the queries
    asked, searched : their groups name the garments
    candidates : which of the n are searched for a query, (n,) bool; None: all

    Raises
    ------
    ValueError : photos that don't say which garment they show
    """
    if asked.groups is None or searched.groups is None:
        raise ValueError(f"top-k accuracy needs photos that name their garment in groups, got {asked.name} and "
                         f"{searched.name}; use load_street_to_shop")
    garments, right_ones = np.array(searched.groups), np.array(asked.groups)
    found = np.zeros((3, len(asked)), np.int64)
    for rows in slices_of_queries(len(asked)):
        for query, row in enumerate(distances(rows), rows.start):
            among = np.ones(len(garments), bool) if candidates is None else candidates(query)
            right = (garments == right_ones[query]) & among
            if not right.any():
                found[:, query] = among.sum(), 0, 0
                continue
            nearest = row[right].min()
            found[:, query] = ((row < nearest) & among).sum(), ((row == nearest) & among & ~right).sum(), \
                ((row == nearest) & right).sum()
    return Places(*found)


def chance_within(k: int, asked: Dataset, searched: Dataset) -> float:
    """Return the top-k accuracy of a search that tells no two photos apart."""
    n = len(searched)
    return float(places(lambda rows: np.zeros((len(range(*rows.indices(len(asked)))), n)), asked, searched)
                 .found_within(k).mean())


def feature_distances(metric: str, queries: np.ndarray, gallery: np.ndarray) -> Distances:
    """Return the distances between features (q, d) and (n, d) by one of METRICS, a slice of the queries at a time."""
    from scipy.spatial.distance import cdist

    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if metric == "cosine":
        return cosine_distances(queries, gallery)
    name = {"L1": "cityblock", "L2": "euclidean"}[metric]
    return lambda rows: cdist(queries[rows], gallery, name)


# ---------------------------------------------------------------- by category


def mean_by_category(values: np.ndarray, asked: Dataset, seed: int = 0) -> dict[str, Estimate]:
    """Return the mean of (q,) numbers, of all queries and by category, with intervals that draw garments again."""
    assert asked.groups is not None
    whose = np.array(asked.groups)
    return {name: mean_over_groups(values[mask], whose[mask].tolist(), seed) for name, mask in _masks(asked).items()}


def _masks(asked: Dataset) -> dict[str, np.ndarray]:
    each = {asked.class_names[label]: asked.labels == label for label in np.unique(asked.labels)}
    return {"all": np.ones(len(asked), bool)} | each


def ratio_of_means(ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Return mean(ours) / mean(theirs) over the same queries, with an interval that draws garments again."""
    draws = Draws(groups, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        again = draws.means(ours) / draws.means(theirs)
        return estimate(float(np.mean(ours) / np.mean(theirs)), again[np.isfinite(again)], len(ours))


def curves(found: Mapping[str, Sequence[Places]], asked: Dataset, ks: Sequence[int]) -> pd.DataFrame:
    """Return top-k accuracy for each k, of each kind and category: columns kind, category, x, y.

    Parameters
    ----------
    found : kind -> places of the same queries, one for each training; their mean is taken
    """
    masks = _masks(asked)
    rows = [{"kind": kind, "category": name, "x": k, "y": values[mask].mean()}
            for kind, trainings in found.items() for k in ks
            for values in [np.mean([where.found_within(k) for where in trainings], axis=0)]
            for name, mask in masks.items()]
    return pd.DataFrame(rows)
