"""Street to shop: do photos lie together by category, or by who took them? And what finds its category across?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.metrics import precision_of_each_query
from fashion16_lib.evaluate.relevance import Distances
from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.evaluate.street import mean_over_groups

N_SHUFFLES = 200


def cosine_table(features: np.ndarray) -> np.ndarray:
    """Return 1 - cosine between all pairs of features (n, d), (n, n) float64 with zeros on the diagonal."""
    from sklearn.metrics import pairwise_distances

    return pairwise_distances(features.astype(np.float64), metric="cosine")


def silhouette(
    table: np.ndarray, groups: Sequence[str] | np.ndarray, seed: int = 0, whose: Sequence[str] | None = None
) -> Estimate:
    """Return how much nearer points are to their own group than to the nearest other (Rousseeuw, 1987).

    (b - a) / max(a, b) of each point, a its mean distance to its own group, b that to the nearest other: 1 far apart,
    0 mixed, below 0 nearer to the other.

    Parameters
    ----------
    table : (n, n) distances
    groups : (n,) names; at least two different ones
    whose : (n,) senders of the photos; None: each its own

    Returns
    -------
    the mean over the points, with the interval of drawing senders again
    """
    from sklearn.metrics import silhouette_samples

    values = silhouette_samples(table, np.asarray(groups), metric="precomputed")
    return mean_over_groups(values, list(whose) if whose is not None else list(map(str, range(len(values)))), seed)


def shuffled_silhouettes(table: np.ndarray, groups: Sequence[str] | np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the silhouette of 200 random ways to give the points the same names, (200,): what chance would show."""
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(seed)
    return np.array([silhouette_score(table, rng.permutation(np.asarray(groups)), metric="precomputed")
                     for _ in range(N_SHUFFLES)])


def category_agreement(distances: Distances, asked: Dataset, searched: Dataset, k: int = 20) -> np.ndarray:
    """Return the share of each photo's k nearest that are of its category, (q,) float64."""
    return precision_of_each_query(distances, asked.labels, searched.labels, k)
