"""Product search, mining pairs: clusters of photos that may show one garment, the rules that drop them, their worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.item_recall import ratio_of_means
from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.evaluate.street import Draws, estimate, mean_over_groups

LINKAGES = ("average", "complete")         # by the nearest pair clusters grow into chains
RULES = ("count", "mean distance", "variance")      # the text's, in its order
STEPS = ("all clusters", "two or more", "not too many", "mean distance", "variance")      # the count has two sides
N_SHUFFLES = 200


# ---------------------------------------------------------------- clusters


def clusters_within(table: np.ndarray, classes: np.ndarray, linkage: str, reach: float) -> np.ndarray:
    """Cluster the photos of each class by themselves, by scikit-learn's agglomerative clustering.

    Parameters
    ----------
    table : (n, n) distances
    classes : (n,) no cluster holds photos of two
    linkage : one of LINKAGES: two clusters are as far apart as their pairs are on average, or at most
    reach : clusters this far apart, or farther, aren't joined

    Returns
    -------
    (n,) int64 numbers of clusters, from 0 on without a gap
    """
    from sklearn.cluster import AgglomerativeClustering

    if linkage not in LINKAGES or not reach > 0:
        raise ValueError(f"linkage must be one of {', '.join(LINKAGES)} and reach above 0, got {linkage!r}, {reach}")
    model = AgglomerativeClustering(None, metric="precomputed", linkage=linkage, distance_threshold=reach)
    found, n_before = np.zeros(len(table), np.int64), 0
    for name in np.unique(classes):
        rows = np.flatnonzero(classes == name)
        found[rows] = n_before
        if len(rows) > 1:
            found[rows] += model.fit_predict(table[np.ix_(rows, rows)])
        n_before = found[rows].max() + 1
    return found


def members_of(clusters: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each cluster's photos, in the order of its number."""
    return np.split(np.argsort(clusters, kind="stable"), np.cumsum(np.bincount(clusters))[:-1])


def describe_clusters(table: np.ndarray, clusters: np.ndarray) -> pd.DataFrame:
    """Return what the rules ask of each cluster: columns count, mean distance, variance; of pairs inside it.

    A single photo has no pair: 0 and 0. Two photos have one: its distance, and 0.
    """
    def described(rows: np.ndarray) -> tuple[int, float, float]:
        inside = table[np.ix_(rows, rows)][np.triu_indices(len(rows), 1)]
        return (len(rows), float(inside.mean()), float(inside.var())) if len(inside) else (1, 0.0, 0.0)

    return pd.DataFrame([described(rows) for rows in members_of(clusters)], columns=list(RULES))


def count_garments(clusters: np.ndarray, garments: Sequence[str] | np.ndarray) -> pd.DataFrame:
    """Count in each cluster its photos, those of its most frequent garment, its pairs and those of one garment.

    Returns
    -------
    columns photos, most, pairs, right; a row a cluster
    """
    number = np.unique(np.asarray(garments), return_inverse=True)[1]
    cells, times = np.unique(clusters * (number.max() + 1) + number, return_counts=True)
    cluster, n = cells // (number.max() + 1), clusters.max() + 1
    most = np.zeros(n, np.int64)
    np.maximum.at(most, cluster, times)
    photos = np.bincount(clusters, minlength=n)
    right = np.bincount(cluster, times * (times - 1) // 2, n).astype(np.int64)
    return pd.DataFrame({"photos": photos, "most": most, "pairs": photos * (photos - 1) // 2, "right": right})


def pairs_together(clusters: np.ndarray, garments: Sequence[str] | np.ndarray, shown: np.ndarray) -> pd.DataFrame:
    """Count of each garment with two photos or more how many of its pairs lie in one cluster that is shown.

    Parameters
    ----------
    shown : (c,) bool, a cluster each

    Returns
    -------
    columns garment, together, pairs; sorted by garment
    """
    names, number, times = np.unique(np.asarray(garments), return_inverse=True, return_counts=True)
    cells, inside = np.unique(number * (clusters.max() + 1) + clusters, return_counts=True)
    garment, cluster = np.divmod(cells, clusters.max() + 1)
    together = np.bincount(garment, inside * (inside - 1) // 2 * shown[cluster], len(names)).astype(np.int64)
    counted = pd.DataFrame({"garment": names, "together": together, "pairs": times * (times - 1) // 2})
    return counted[counted["pairs"] > 0].reset_index(drop=True)


def right_mates(clusters: np.ndarray, garments: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return of each photo how many of the others in its cluster show its garment, a share, (n,); 0 where it is alone.

    Neither single photos nor one heap of all score, so that features can be compared photo by photo.
    """
    number = np.unique(np.asarray(garments), return_inverse=True)[1]
    _, cell, times = np.unique(clusters * (number.max() + 1) + number, return_inverse=True, return_counts=True)
    return (times[cell] - 1) / np.maximum(np.bincount(clusters)[clusters] - 1, 1)


# ---------------------------------------------------------------- the rules


@dataclass(frozen=True)
class Rules:
    """Hold when a cluster is shown to a person: two photos or more, and at most so much of each of RULES.

    Attributes
    ----------
    most : photos
    mean_distance, variance : of its pairs
    """

    most: float = np.inf
    mean_distance: float = np.inf
    variance: float = np.inf

    def passed(self, described: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return which clusters are left after each of STEPS, all of them first, (c,) bool each.

        Parameters
        ----------
        described : by `describe_clusters`
        """
        left = [np.ones(len(described), bool), described["count"].to_numpy() >= 2]
        for rule, bound in zip(RULES, (self.most, self.mean_distance, self.variance), strict=True):
            left.append(left[-1] & (described[rule].to_numpy() <= bound))
        return dict(zip(STEPS, left, strict=True))


def strictest_bound(values: np.ndarray, right: np.ndarray, share: float) -> float:
    """Return the lowest bound that leaves at least a share of the right pairs, in clusters at or below it.

    Parameters
    ----------
    values, right : (c,) what a rule asks of each cluster, and its pairs of one garment
    share : above 0, at most 1

    Raises
    ------
    ValueError : no right pair
    """
    values, right = np.asarray(values, np.float64), np.asarray(right)
    if not right.sum():
        raise ValueError(f"a bound is chosen by right pairs, got none in {len(values)} clusters; cluster more loosely")
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(right[order]), share * right.sum() - 1e-9)])


def choose_rules(described: pd.DataFrame, right: np.ndarray, share: float) -> Rules:
    """Choose the bounds in turn, each the strictest that leaves a share of the right pairs that came so far.

    Parameters
    ----------
    described, right : by `describe_clusters`, and the pairs of one garment; of the tuning part
    """
    left, bounds = described["count"].to_numpy() >= 2, {}
    for rule in RULES:
        values = described[rule].to_numpy()
        bounds[rule] = strictest_bound(values[left], right[left], share)
        left = left & (values <= bounds[rule])
    return Rules(bounds["count"], bounds["mean distance"], bounds["variance"])


# ---------------------------------------------------------------- how pure


@dataclass(frozen=True)
class Mined:
    """Hold a pool's clusters, what the rules ask of them, and what is counted by names that mining doesn't know.

    Attributes
    ----------
    clusters, classes, garments : (n,) of each photo
    described, counted : by `describe_clusters` and `count_garments`
    """

    clusters: np.ndarray
    classes: np.ndarray
    garments: np.ndarray
    described: pd.DataFrame
    counted: pd.DataFrame

    @classmethod
    def of(
        cls, table: np.ndarray, classes: np.ndarray, garments: Sequence[str] | np.ndarray, linkage: str, reach: float
    ) -> Mined:
        """Cluster a pool; parameters as in `clusters_within`, and the garment of each photo, to judge by."""
        clusters = clusters_within(table, classes, linkage, reach)
        return cls(clusters, np.asarray(classes), np.asarray(garments), describe_clusters(table, clusters),
                   count_garments(clusters, garments))

    @property
    def n_pairs(self) -> int:
        """Return how many pairs of one garment the pool holds."""
        return int(count_garments(np.zeros(len(self.garments), np.int64), self.garments)["right"][0])

    def judged(self, shown: np.ndarray, seed: int = 0) -> dict[str, Estimate]:
        """Return what the clusters that are shown are worth, with intervals that draw clusters, or garments, again.

        Parameters
        ----------
        shown : (c,) bool, of which at least one has two photos

        Returns
        -------
        purity : share of photos of their cluster's most frequent garment
        precision : share of pairs that show one garment
        recall : share of the pool's pairs of one garment
        pool : share of the pool's photos that are shown
        """
        each, clusters = self.counted[shown], list(map(str, np.flatnonzero(shown)))
        if not each["pairs"].sum():
            raise ValueError(f"needs a cluster of two photos to judge, got none in {len(each)}; loosen the rules")
        pairs = pairs_together(self.clusters, self.garments, shown)
        return {"purity": ratio_of_means(each["most"], each["photos"], clusters, seed),
                "precision": ratio_of_means(each["right"], each["pairs"], clusters, seed),
                "recall": ratio_of_means(pairs["together"], pairs["pairs"], pairs["garment"].tolist(), seed),
                "pool": mean_over_groups(shown[self.clusters], self.garments.tolist(), seed)}


def choose_reach(
    table: np.ndarray, classes: np.ndarray, garments: Sequence[str] | np.ndarray, reaches: Sequence[float] | np.ndarray
) -> tuple[str, float]:
    """Return the linkage and the reach that give the largest F1 of pairs; parameters as in `Mined.of`, tuning part."""
    n_pairs = count_garments(np.zeros(len(table), np.int64), garments)["right"][0]
    found = {(linkage, float(reach)): count_garments(clusters_within(table, classes, linkage, reach), garments)
             for linkage in LINKAGES for reach in reaches}
    return max(found, key=lambda way: f1_of_pairs(found[way], n_pairs))


def f1_of_pairs(counted: pd.DataFrame, n_pairs: int) -> float:
    """Return 2 right / (pairs put together + pairs of one garment there are): precision and recall in one number."""
    return float(2 * counted["right"].sum() / (counted["pairs"].sum() + n_pairs))


def change_of_ratio(
    after: tuple[np.ndarray, np.ndarray], before: tuple[np.ndarray, np.ndarray], groups: Sequence[str] | np.ndarray,
    seed: int = 0,
) -> Estimate:
    """Return sum / sum after minus sum / sum before, over the same things, with the interval of drawing groups again.

    Parameters
    ----------
    after, before : numerators and denominators, (c,) each; a cluster that was dropped has 0 and 0
    groups : (c,) of each thing, whose it is
    """
    draws = Draws(list(map(str, groups)), seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        again = np.subtract(*(draws.means(above) / draws.means(below) for above, below in (after, before)))
    value = np.subtract(*(np.sum(above) / np.sum(below) for above, below in (after, before)))
    return estimate(float(value), again[np.isfinite(again)], len(groups))


def by_chance(mined: Mined, left: Mapping[str, np.ndarray], seed: int = 0) -> pd.DataFrame:
    """Return what clusters of the same sizes are worth with the garments' names shuffled inside each class.

    Parameters
    ----------
    left : name of a step -> the clusters that are shown, (c,) bool; at least one of two photos

    Returns
    -------
    columns step, purity, precision; a row for each step and each of 200 shuffles
    """
    rng, rows = np.random.default_rng(seed), []
    numbers = np.unique(mined.garments, return_inverse=True)[1]         # sorted faster than texts
    for _ in range(N_SHUFFLES):
        shuffled = numbers.copy()
        for name in np.unique(mined.classes):
            mask = mined.classes == name
            shuffled[mask] = rng.permutation(shuffled[mask])
        counted = count_garments(mined.clusters, shuffled).to_numpy()
        for step, shown in left.items():
            photos, most, pairs, right = counted[shown].sum(axis=0)
            rows.append((step, most / photos, right / pairs))
    return pd.DataFrame(rows, columns=["step", "purity", "precision"])
