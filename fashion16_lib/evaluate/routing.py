"""2.2.2: ways to search a gallery (directly, in one class, in the likeliest few), and what counts as found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fashion16_lib.evaluate.metrics import hits_among_candidates

Mask = Callable[[int], np.ndarray]  # a query's number -> (n,) bool over the gallery


def likeliest(probabilities: np.ndarray, n_classes: int) -> np.ndarray:
    """Return each query's n likeliest classes, likeliest first, (q, n_classes) int64."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :n_classes]


def inside(classes: np.ndarray, stored_under: np.ndarray) -> Mask:
    """Return which items each query sees when only its classes' libraries are searched.

    classes : (q, c) the classes each query is searched in;   stored_under : (n,) the library each item lies in
    """
    return lambda query: np.isin(stored_under, classes[query])


def ways_to_search(
    probabilities: np.ndarray, true: np.ndarray, predicted: np.ndarray, n_classes: int
) -> dict[str, Mask]:
    """Return the paper's two ways, and those it leaves open, by name.

    Parameters
    ----------
    probabilities : (q, classes) of the queries
    true, predicted : (n,) the class of each gallery item, and the class that the decider gives it
    n_classes : searched in the last way
    """
    best, some = likeliest(probabilities, 1), likeliest(probabilities, n_classes)
    return {
        "direct": lambda query: np.ones(len(true), bool),
        "in class, by true class": inside(best, true),
        "in class, by predicted class": inside(best, predicted),
        f"{n_classes} likeliest, by predicted class": inside(some, predicted),
    }


def same_class(query_labels: np.ndarray, gallery_labels: np.ndarray) -> Mask:
    """Return the relevance of the paper: an item is right if it has the query's class."""
    return lambda query: gallery_labels == query_labels[query]


def itself(rows: np.ndarray, n_items: int) -> Mask:
    """Return the relevance of instance recall: the one item, at rows[query], that the query is a change of."""
    return lambda query: np.arange(n_items) == rows[query]


def hits_by_way(
    query_codes: np.ndarray, gallery_codes: np.ndarray, relevant: Mask, ways: dict[str, Mask], k: int
) -> dict[str, np.ndarray]:
    """Return the expected number of relevant items among each query's k nearest, (q,) float64 by way to search."""
    return {name: hits_among_candidates(query_codes, gallery_codes, relevant, way, k) for name, way in ways.items()}


def share_seen(way: Mask, queries: np.ndarray) -> np.ndarray:
    """Return the share of the gallery that each query is compared with, (len(queries),) float64."""
    return np.array([way(query).mean() for query in queries])
