"""1.3, 2.1.3: engines that find the nearest codes: one answer to the last tie, at different speed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

import numpy as np

from fashion16_lib.search.hamming import check_codes, hamming_distances, nearest
from fashion16_lib.settings import ENGINES, Fashion16Error


class Engine(Protocol):
    """Hold gallery codes (n, bytes) uint8 and find the nearest."""

    def __init__(self, codes: np.ndarray) -> None: ...

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and places, (q, min(k, n)) int64 each, by distance, then by place.

        queries : (q, bytes) uint8, contiguous
        """


class NumpyEngine:
    """Compare with every code, in NumPy: readable, what the others are held to."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes = check_codes(codes)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and places of the k nearest."""
        k = min(k, len(self.codes))
        distances, places = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.int64)
        for row, query in enumerate(queries):
            all_distances = hamming_distances(query[None], self.codes)[0]
            places[row] = nearest(all_distances, k)
            distances[row] = all_distances[places[row]]
        return distances, places


class FaissEngine:
    """Compare with every code, in FAISS's C++.

    IndexBinaryFlat keeps the first of equally near codes and returns them in order; IndexBinaryIDMap and the inverted
    lists don't, so they aren't used. tests/test_engines.py holds the order.
    """

    def __init__(self, codes: np.ndarray) -> None:
        import faiss

        codes = check_codes(codes)
        self.index = faiss.IndexBinaryFlat(8 * codes.shape[1])
        self.index.add(codes)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and places of the k nearest."""
        k = min(k, self.index.ntotal)
        if k == 0:
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.int64)
        distances, places = self.index.search(queries, k)
        return distances.astype(np.int64), places


def choose_engine(name: str | None = None) -> type[Engine]:
    """Return an engine by its name; None is faiss where it is installed, else numpy.

    Raises
    ------
    ValueError : another name
    Fashion16Error : faiss is asked for and isn't installed
    """
    name = name or ("faiss" if find_spec("faiss") else "numpy")
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    if name == "numpy":
        return NumpyEngine
    try:
        import faiss  # noqa: F401   before the first query, so that one_thread finds its threads
    except ImportError as error:
        raise Fashion16Error("FAISS isn't installed; pip install faiss-cpu, or use engine=\"numpy\"") from error
    return FaissEngine
