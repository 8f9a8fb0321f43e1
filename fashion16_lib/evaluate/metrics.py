"""2.1.1: precision = m / k for each query; the same item found again; what was taken for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import proportion
from fashion16_lib.search.hamming import hamming_distances

QUERIES_AT_ONCE = 128


def slices_of_queries(n: int) -> Iterator[slice]:
    """Yield slices that cover n queries, few at a time, so that no q x n matrix is ever held."""
    return (slice(start, start + QUERIES_AT_ONCE) for start in range(0, n, QUERIES_AT_ONCE))


def expected_precision_at_k(distances: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Return m / k for one query, in expectation over the order of tied items.

    With short codes many items share the k-th distance. Instead of letting the gallery's order decide which of them
    count, each tied item counts by its chance to be among the k:
    m = relevant below the cut + (places left at the cut) * (relevant at the cut) / (items at the cut).

    Parameters
    ----------
    distances : (n,) numbers
    relevant : (n,) bool
    k : at least 1; where n < k the missing places count as wrong
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if len(distances) <= k:
        return float(relevant.sum()) / k
    cut = np.partition(distances, k - 1)[k - 1]
    below, at_cut = distances < cut, distances == cut
    places_left = k - below.sum()
    return float(relevant[below].sum() + places_left * relevant[at_cut].sum() / at_cut.sum()) / k


def has_tie_at_k(distances: np.ndarray, k: int) -> bool:
    """Tell whether the k-th and the next item are equally far."""
    if len(distances) <= k:
        return False
    nearest = np.partition(distances, (k - 1, k))
    return bool(nearest[k - 1] == nearest[k])


def precision_of_each_query(
    distances: Callable[[slice], np.ndarray],
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
    k: int,
) -> np.ndarray:
    """Return the expected precision at k of each query, (q,) float64.

    Parameters
    ----------
    distances : gives the (rows, n) distances of a slice of the queries
    query_labels, gallery_labels : (q,) and (n,) classes; relevant means same class
    """
    precision = np.empty(len(query_labels))
    for rows in slices_of_queries(len(query_labels)):
        for query, row in enumerate(distances(rows), rows.start):
            precision[query] = expected_precision_at_k(row, gallery_labels == query_labels[query], k)
    return precision


def direct_precision(
    query_codes: np.ndarray,
    query_labels: np.ndarray,
    gallery_codes: np.ndarray,
    gallery_labels: np.ndarray,
    k: int,
) -> np.ndarray:
    """Return each query's precision at k when its code is compared with the whole gallery, (q,) float64."""
    return precision_of_each_query(
        lambda rows: hamming_distances(query_codes[rows], gallery_codes), query_labels, gallery_labels, k
    )


def chance_precision(query_labels: np.ndarray, gallery_labels: np.ndarray) -> np.ndarray:
    """Return each query's expected precision if the hits were drawn at random: its class's share of the gallery, (q,).
    """
    return np.array([(gallery_labels == label).mean() for label in query_labels])


def in_class_precision(
    query_codes: np.ndarray,
    query_labels: np.ndarray,
    gallery_codes: np.ndarray,
    gallery_labels: np.ndarray,
    k: int,
    query_classes: np.ndarray,
    stored_under: np.ndarray,
) -> np.ndarray:
    """Return each query's precision at k when it is compared inside one class library only, (q,) float64.

    Parameters
    ----------
    query_classes : (q,) the class the decider gives each query
    stored_under : (n,) the class library each gallery item lies in: its true or its predicted class
    """
    precision = np.zeros(len(query_labels))
    for decided in np.unique(query_classes):
        queries, items = np.flatnonzero(query_classes == decided), np.flatnonzero(stored_under == decided)
        precision[queries] = direct_precision(
            query_codes[queries], query_labels[queries], gallery_codes[items], gallery_labels[items], k
        )
    return precision


def cosine_precision(
    query_features: np.ndarray,
    query_labels: np.ndarray,
    gallery_features: np.ndarray,
    gallery_labels: np.ndarray,
    k: int,
) -> np.ndarray:
    """Return each query's precision at k by exact cosine distance between features: the ceiling for codes."""
    from sklearn.preprocessing import normalize

    gallery = normalize(gallery_features)
    return precision_of_each_query(
        lambda rows: -(normalize(query_features[rows]) @ gallery.T), query_labels, gallery_labels, k
    )


def hits_among_candidates(
    query_codes: np.ndarray,
    gallery_codes: np.ndarray,
    relevant: Callable[[int], np.ndarray],
    candidates: Callable[[int], np.ndarray],
    k: int,
) -> np.ndarray:
    """Return the expected number of relevant items among each query's k nearest candidates, (q,) float64.

    With one relevant item, the query's own, the mean is the instance recall at k.

    Parameters
    ----------
    relevant : gives, for a query's number, which items are relevant, (n,) bool
    candidates : gives which items are searched, as (n,) bool or as places
    """
    hits = np.empty(len(query_codes))
    for number, code in enumerate(query_codes):
        among = candidates(number)
        distances = hamming_distances(code[None], gallery_codes[among])[0]
        hits[number] = k * expected_precision_at_k(distances, relevant(number)[among], k)
    return hits


def confusion(true: np.ndarray, said: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Count how often each true class (rows) was given each class (columns)."""
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (true, said), 1)
    return pd.DataFrame(counts, index=pd.Index(class_names, name="true class"), columns=class_names)


def per_class(true: np.ndarray, said: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Return each class's recall and precision with their intervals: name, kind, value, low, high, n."""
    rows = []
    for label, name in enumerate(class_names):
        for kind, among in (("recall", true == label), ("precision", said == label)):
            if among.any():
                rows.append({"name": name, "kind": kind, **asdict(proportion((true == said)[among]))})
    return pd.DataFrame(rows)


def calibration(probabilities: np.ndarray, right: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare how sure a classifier is with how often it is right, in bins of equal numbers of images.

    Parameters
    ----------
    probabilities : (n,) of the class that was named
    right : (n,) bool

    Returns
    -------
    columns: said (mean probability), was (share right), n; said - was, weighted by n, is the calibration error
    """
    order = np.array_split(np.argsort(probabilities, kind="stable"), n_bins)
    rows = [(probabilities[part].mean(), right[part].mean(), len(part)) for part in order if len(part)]
    return pd.DataFrame(rows, columns=["said", "was", "n"])


def calibration_error(table: pd.DataFrame) -> float:
    """Return the mean absolute difference between said and was, weighted by the images of each bin."""
    return float(np.average((table["said"] - table["was"]).abs(), weights=table["n"]))
