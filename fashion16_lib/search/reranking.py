"""2.1.1: the nearest codes put in the order of their stored features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fashion16_lib.search.library import Library


class Found(NamedTuple):
    """What a query found: gallery rows, Hamming distances and similarities, (k,) each, in the order of the answer."""

    rows: np.ndarray
    distances: np.ndarray
    similarities: np.ndarray


def rerank(library: Library, first: Found, query: np.ndarray, k: int) -> Found:
    """Return the k of some hits most similar to a query's features (d,) by cosine; equal ones stay in their order.

    library : keeps features
    """
    from sklearn.metrics.pairwise import cosine_similarity

    if not len(first.rows):
        return first
    cosine = cosine_similarity(query[None], library.features(first.rows))[0]
    order = np.argsort(-cosine, kind="stable")[:k]
    return Found(first.rows[order], first.distances[order], cosine[order])
