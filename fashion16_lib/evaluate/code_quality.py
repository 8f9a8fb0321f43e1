"""1.3: what codes are worth: against exact search for each number of bits, and as buckets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.metrics import (
    direct_precision,
    expected_precision_at_k,
    has_tie_at_k,
    hits_among_candidates,
    slices_of_queries,
)
from fashion16_lib.evaluate.statistics import Estimate, mean_over_queries
from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.settings import N_HITS

Labelled = tuple[np.ndarray, np.ndarray]        # features (n, d) and labels (n,)


# ---------------------------------------------------------------- against exact search


def exact_neighbors(queries: np.ndarray, gallery: np.ndarray, k: int = N_HITS) -> np.ndarray:
    """Return the places of each query's k nearest by cosine, (q, k) int64, in no order.

    Parameters
    ----------
    queries, gallery : (q, d) and (n, d) float; subtract the gallery's mean from both to see them as centred planes do
    k : 1 to n

    Raises
    ------
    ValueError : k below 1 or above n
    """
    from sklearn.preprocessing import normalize

    if not 1 <= k <= len(gallery):
        raise ValueError(f"k must be from 1 to the {len(gallery)} items of the gallery, got {k}")
    searched = normalize(gallery).T
    found = np.empty((len(queries), k), np.int64)
    for rows in slices_of_queries(len(queries)):
        found[rows] = np.argpartition(-(normalize(queries[rows]) @ searched), k - 1, axis=1)[:, :k]
    return found


def recall_of_rows(rows: np.ndarray, distances: np.ndarray, rounding: float = 1e-6) -> np.ndarray:
    """Return the share of each query's k nearest that an approximate engine found, (q,) float64.

    Many codes tie at the last place, and any of them is as near as another: a row counts as found if it is no farther
    than the k-th nearest.

    Parameters
    ----------
    rows : (q, k) gallery rows, none twice; -1 where the engine found no more
    distances : (q, n) exact, to all of the gallery
    rounding : by which an equal distance may exceed the last one
    """
    k = rows.shape[1]
    last = np.partition(distances, k - 1, axis=1)[:, k - 1: k]
    of_rows = np.take_along_axis(distances, np.maximum(rows, 0), axis=1)
    return ((of_rows <= last + rounding) & (rows >= 0)).mean(axis=1)


def codes_of(
    gallery: np.ndarray, queries: np.ndarray, n_bits: int, seed: int, centred: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of gallery and queries, (n, bytes) and (q, bytes): planes through the gallery's mean, or not."""
    hasher = RandomHyperplanes(n_bits, seed, centred).fit(gallery)
    return hasher.encode(gallery), hasher.encode(queries)


def quality_of_codes(
    codes: np.ndarray,
    query_codes: np.ndarray,
    labels: np.ndarray,
    query_labels: np.ndarray,
    neighbors: np.ndarray,
) -> pd.DataFrame:
    """Compare each query's code with all codes; return one row a query.

    Parameters
    ----------
    codes, query_codes : (n, bytes) and (q, bytes) uint8
    labels, query_labels : (n,) and (q,) classes
    neighbors : (q, k) places of the k items that exact search finds

    Returns
    -------
    columns: precision (share of the k nearest codes with the query's class), recall (share of the exact neighbours
    among them), both in expectation over ties; tie (bool: the k-th and the next code are equally far)
    """
    k = neighbors.shape[1]
    rows = []
    for code, label, near in zip(query_codes, query_labels, neighbors, strict=True):
        distances = hamming_distances(code[None], codes)[0]
        is_near = np.zeros(len(codes), bool)
        is_near[near] = True
        precision = expected_precision_at_k(distances, labels == label, k)
        rows.append((precision, expected_precision_at_k(distances, is_near, k), has_tie_at_k(distances, k)))
    return pd.DataFrame(rows, columns=["precision", "recall", "tie"])


def quality_by_bits(
    gallery: Labelled, queries: Labelled, neighbors: np.ndarray, bits: Sequence[int], seeds: Iterable[int]
) -> pd.DataFrame:
    """Judge the first bits of long codes, for planes of several seeds.

    Returns
    -------
    one row a seed, code length and query; columns: query, seed, n_bits, then those of `quality_of_codes`
    """
    parts = []
    for seed in seeds:
        codes, query_codes = codes_of(gallery[0], queries[0], max(bits), seed)
        for n_bits in bits:
            first = slice(n_bits // 8)
            part = quality_of_codes(codes[:, first], query_codes[:, first], gallery[1], queries[1], neighbors)
            parts.append(part.assign(query=range(len(part)), seed=seed, n_bits=n_bits))
    return pd.concat(parts, ignore_index=True)


def over_seeds(quality: pd.DataFrame, column: str) -> dict[int, Estimate]:
    """Return a column's mean for each code length: seeds are averaged first, the interval is over queries."""
    return {
        int(n_bits): mean_over_queries(part.groupby("query")[column].mean().to_numpy(np.float64))
        for n_bits, part in quality.groupby("n_bits")
    }


def precision_over_seeds(gallery: Labelled, queries: Labelled, n_bits: int, seeds: Sequence[int]) -> np.ndarray:
    """Return each query's direct precision at 20 by codes, averaged over the seeds of the planes, (q,) float64."""
    found = []
    for seed in seeds:
        codes, query_codes = codes_of(gallery[0], queries[0], n_bits, seed)
        found.append(direct_precision(query_codes, queries[1], codes, gallery[1], N_HITS))
    return np.mean(found, axis=0)


# ---------------------------------------------------------------- as buckets


def bucket_occupancy(codes: np.ndarray, query_codes: np.ndarray, bits: Iterable[int]) -> pd.DataFrame:
    """Tell how codes fill the buckets of their first bits.

    Parameters
    ----------
    codes, query_codes : (n, bytes) and (q, bytes) uint8
    bits : how many choose the bucket, 1 to 24 each

    Returns
    -------
    columns: bits, empty (share of the 2 ** bits buckets), largest (share of the codes), entropy (bits: -sum of
    p log2 p over the buckets' shares p), candidates (codes in a query's bucket, mean)
    """
    from scipy.stats import entropy

    rows = []
    for n_bits in bits:
        keys, asked = (Buckets(1, n_bits).keys(each)[:, 0] for each in (codes, query_codes))
        filled = np.bincount(keys, minlength=2**n_bits)
        rows.append((n_bits, np.mean(filled == 0), filled.max() / len(codes), entropy(filled, base=2),
                     filled[asked].mean()))
    return pd.DataFrame(rows, columns=["bits", "empty", "largest", "entropy", "candidates"])


def trade_off(
    codes: np.ndarray, query_codes: np.ndarray, neighbors: np.ndarray, readings: Iterable[Buckets | None]
) -> pd.DataFrame:
    """Search by several readings of "bucket"; return what each looks at and what it finds.

    Parameters
    ----------
    codes, query_codes : (n, bytes) and (q, bytes) uint8
    neighbors : (q, k) places of the k items that exact search finds
    readings : Buckets, or None for the full scan

    Returns
    -------
    one row a reading; columns: tables, radius (0 tables: the scan), looked_at (share of the codes compared), recall
    (share of the exact neighbours among the k nearest codes looked at; missing ones count as wrong), low, high
    """

    def is_near(query: int) -> np.ndarray:
        return np.isin(np.arange(len(codes)), neighbors[query])

    rows = []
    for reading in readings:
        places = candidates_by(reading, codes, query_codes)
        found = hits_among_candidates(query_codes, codes, is_near, places.__getitem__, neighbors.shape[1])
        recall = mean_over_queries(found / neighbors.shape[1])
        rows.append({
            "tables": reading.n_tables if reading else 0, "radius": reading.probe_radius if reading else 0,
            "looked_at": np.mean([len(each) for each in places]) / len(codes),
            "recall": recall.value, "low": recall.low, "high": recall.high,
        })
    return pd.DataFrame(rows)


def candidates_by(reading: Buckets | None, codes: np.ndarray, query_codes: np.ndarray) -> list[np.ndarray]:
    """Return the places of the codes that each query code is compared with, ascending; None is the full scan."""
    if reading is None:
        return [np.arange(len(codes))] * len(query_codes)
    tables = BucketTables(codes, reading)
    return [tables.candidates(code) for code in query_codes]
