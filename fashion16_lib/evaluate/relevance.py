"""2.2.2: a harder relevance than the class: the same values in a catalogue's table, measured against the possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.metrics import expected_precision_at_k, slices_of_queries
from fashion16_lib.evaluate.routing import Mask
from fashion16_lib.search.hamming import hamming_distances

Distances = Callable[[slice], np.ndarray]       # a slice of the queries -> (rows, n) distances to all items


def same_values(asked: pd.DataFrame, searched: pd.DataFrame, columns: Sequence[str]) -> Mask:
    """Return the relevance "equal in all these columns"; an empty cell equals nothing.

    Parameters
    ----------
    asked, searched : what is known of queries and items, a row each (Dataset.attributes)
    columns : of both tables, with texts, say articleType and baseColour
    """
    both = pd.concat([asked[list(columns)], searched[list(columns)]], ignore_index=True)
    groups = both.groupby(list(columns)).ngroup().to_numpy()
    theirs, ours = np.split(np.where((both == "").any(axis=1), -1, groups), [len(asked)])
    return lambda query: (ours == theirs[query]) & (ours >= 0)


def count_relevant(relevant: Mask, n_queries: int) -> np.ndarray:
    """Return how many items are relevant to each query, (q,) int64."""
    return np.array([int(relevant(query).sum()) for query in range(n_queries)], np.int64)


def code_distances(query_codes: np.ndarray, codes: np.ndarray) -> Distances:
    """Return the Hamming distances between codes (q, bytes) and (n, bytes), a slice of the queries at a time."""
    return lambda rows: hamming_distances(query_codes[rows], codes)


def cosine_distances(queries: np.ndarray, gallery: np.ndarray) -> Distances:
    """Return 1 - cosine between features (q, d) and (n, d), a slice of the queries at a time."""
    from sklearn.preprocessing import normalize

    searched = normalize(gallery).T
    return lambda rows: 1 - normalize(queries[rows]) @ searched


def expected_hits(
    distances: Distances, n_queries: int, relevant: Mask, k: int, candidates: Mask | None = None
) -> np.ndarray:
    """Return the expected number of relevant items among each query's k nearest candidates, (q,) float64.

    Like `metrics.hits_among_candidates`, for distances of any kind.

    Parameters
    ----------
    candidates : which items are searched; None: all
    """
    hits = np.empty(n_queries)
    for rows in slices_of_queries(n_queries):
        for query, row in enumerate(distances(rows), rows.start):
            among = slice(None) if candidates is None else candidates(query)
            hits[query] = k * expected_precision_at_k(row[among], relevant(query)[among], k)
    return hits


def reranked_hits(
    short: Distances, exact: Distances, n_queries: int, relevant: Mask, k: int, n_first: int
) -> np.ndarray:
    """Return the number of relevant items among the k that are exactly nearest of the n_first nearest by codes.

    Of items with equally distant codes those with the lower row come first, as in a search.

    Returns
    -------
    (q,) float64

    Raises
    ------
    ValueError : n_first below k
    """
    if n_first < k:
        raise ValueError(f"n_first must be at least k, {k}, got {n_first}; take a longer list")
    hits = np.empty(n_queries)
    for rows in slices_of_queries(n_queries):
        for query, (codes, row) in enumerate(zip(short(rows), exact(rows), strict=True), rows.start):
            first = np.argsort(codes, kind="stable")[:n_first]
            hits[query] = k * expected_precision_at_k(row[first], relevant(query)[first], k)
    return hits


def share_of_possible(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Return each query's hits as a share of the most that k places could hold: hits / min(k, relevant items).

    It is the precision where there are k relevant items or more, the recall where there are fewer; 1 is perfect for
    every query.

    Raises
    ------
    ValueError : a query without any relevant item: nothing is possible; leave it out and say so
    """
    if (n_relevant < 1).any():
        raise ValueError(f"each query needs a relevant item, {int((n_relevant < 1).sum())} have none; leave them out")
    return hits / np.minimum(k, n_relevant)
