"""Beyond one machine: codes and features handed over to vector engines that find most of the nearest, not all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion16_lib.search.hamming import check_codes
from fashion16_lib.search.hyperplanes import check_features

N_LINKS, BUILD_EFFORT = 16, 80      # of a graph: links an item, and candidates looked at for each new item
EFFORTS = (20, 40, 80, 160, 320)    # candidates that a search of a graph keeps


@dataclass(frozen=True)
class HandedOver:
    """Hold a gallery in another engine.

    Attributes
    ----------
    name : the engine, and its kind of index
    numbers : what it holds, "codes" or "features"
    efforts : how far it may look, from hasty to thorough: candidates kept in a graph, or lists looked into
    search : queries like the gallery's vectors, k and an effort -> gallery rows, (q, k) int64, the nearest first; -1
        where no more were found
    save : writes the index to a file that the engine opens without this library
    """

    name: str
    numbers: str
    efforts: tuple[int, ...]
    search: Callable[[np.ndarray, int, int], np.ndarray]
    save: Callable[[Path], object]


def faiss_graph_of_codes(codes: np.ndarray) -> HandedOver:
    """Return codes (n, bytes) uint8 in FAISS's graph for Hamming distances, HNSW (Malkov & Yashunin, 2018)."""
    import faiss

    index = faiss.IndexBinaryHNSW(8 * check_codes(codes).shape[1], N_LINKS)
    index.hnsw.efConstruction = BUILD_EFFORT
    index.add(codes)

    def search(queries: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.hnsw.efSearch = effort
        return index.search(queries, k)[1]

    return HandedOver("FAISS, graph of codes", "codes", EFFORTS, search,
                      lambda path: faiss.write_index_binary(index, str(path)))


def faiss_lists_of_features(features: np.ndarray, n_lists: int = 0, seed: int = 0) -> HandedOver:
    """Return features (n, d) of length 1 in FAISS's lists around k-means' centres, IVF; by cosine.

    n_lists : 0 takes four times the root of n, FAISS's advice, as far as a list has 39 items to learn its centre from
    """
    import faiss

    features = check_features(features)
    n_lists = n_lists or max(1, min(len(features) // 39, round(4 * len(features) ** 0.5)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(features.shape[1]), features.shape[1], n_lists,
                               faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.train(features)
    index.add(features)

    def search(queries: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.nprobe = effort
        return index.search(queries, k)[1]

    efforts = sorted({min(n_lists, effort) for effort in (1, 4, 16, 64, n_lists)})
    return HandedOver("FAISS, lists of features", "features", tuple(efforts), search,
                      lambda path: faiss.write_index(index, str(path)))


def usearch_graph_of_codes(codes: np.ndarray) -> HandedOver:
    """Return codes (n, bytes) uint8 in USearch's graph for Hamming distances."""
    return _usearch(check_codes(codes), 8 * codes.shape[1], "hamming", "b1", "codes")


def usearch_graph_of_features(features: np.ndarray) -> HandedOver:
    """Return features (n, d) of length 1 in USearch's graph for cosine, kept as float16."""
    return _usearch(check_features(features), features.shape[1], "cos", "f16", "features")


def _usearch(vectors: np.ndarray, n_axes: int, metric: str, kept_as: str, numbers: str) -> HandedOver:
    from usearch.index import Index

    index = Index(ndim=n_axes, metric=metric, dtype=kept_as, connectivity=N_LINKS, expansion_add=BUILD_EFFORT)
    index.add(np.arange(len(vectors)), vectors, threads=1)      # one after the other: the same graph each time

    def search(queries: np.ndarray, k: int, effort: int) -> np.ndarray:
        index.expansion_search = effort                         # type: ignore[misc]     # its setter stands apart
        rows = np.full((len(queries), k), -1, np.int64)
        for row, query in zip(rows, queries, strict=True):
            found = index.search(query, k, threads=1).keys      # as many as there are
            row[: len(found)] = found
        return rows

    return HandedOver(f"USearch, graph of {numbers}", numbers, EFFORTS, search, lambda path: index.save(str(path)))
