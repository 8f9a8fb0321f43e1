"""Ways to find the 20 nearest of a query's features: ours, FAISS's, and what public demos do; time and bytes."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import h5py
import numpy as np
from measure import of_times
from sklearn.preprocessing import normalize

from fashion16_lib.data.dataset import load_dataset
from fashion16_lib.evaluate.timing import float_scan, time_interleaved, times_of
from fashion16_lib.models.feature_cache import CachedExtractor
from fashion16_lib.models.vgg16 import Vgg16Extractor
from fashion16_lib.search.engines import choose_engine
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.threads import one_thread
from fashion16_lib.settings import get_profile

N_BITS, K, N_QUERIES = 64, 20, 60
OURS = "64 random bits, ours"
Way = Callable[[np.ndarray], Any]


def run() -> dict[str, Any]:
    """Return each way's time a query, from features to places, and the bytes it keeps an item.

    Each is timed on all cores and on one, and the faster counts: where a product and a scan follow each other, threads
    that wait spinning for the one can hold up the other.
    """
    photos = load_dataset("fashion-mnist", get_profile("quick"))
    extractor = CachedExtractor(Vgg16Extractor("block4_pool", 64))
    gallery, queries = extractor.extract(photos.gallery.images), extractor.extract(photos.queries.images[:N_QUERIES])
    with tempfile.TemporaryDirectory() as folder:
        ways, kept = _ways(gallery, Path(folder) / "features.h5")
        both = ways | {f"{name}, one thread": in_one_thread(way) for name, way in ways.items()}
        timed = time_interleaved(both, list(queries), n_warm_up=5, pause_ms=30)
    times = {name: times_of(timed, name) for name in both}
    faster = {name: min((name, f"{name}, one thread"), key=lambda each: np.median(times[each])) for name in ways}
    rows = []
    for name, which in faster.items():
        over = of_times(name, times[which], times[faster[OURS]])
        rows.append({"way": name, "threads": 1 if which.endswith("one thread") else os.cpu_count(),
                     "query_time_ms_p50": float(np.median(times[which])), "over_ours": over.median,
                     "low": over.low, "high": over.high, "bytes_an_item": kept[name]})
    return {"ways": rows, "items": len(gallery), "numbers_an_item": gallery.shape[1]}


def in_one_thread(way: Way) -> Way:
    """Return a way that keeps to one thread."""
    def search(query: np.ndarray) -> Any:
        with one_thread:
            return way(query)

    return search


def _ways(gallery: np.ndarray, path: Path) -> tuple[dict[str, Way], dict[str, float]]:
    """Return each way as a function of a query's features (d,), and the bytes it keeps of an item."""
    hasher = RandomHyperplanes(N_BITS).fit(gallery)
    codes = hasher.encode(gallery)
    d, engine = gallery.shape[1], choose_engine()(codes)
    binary, lsh = faiss.IndexBinaryFlat(N_BITS), faiss.IndexLSH(d, N_BITS)
    binary.add(codes)
    lsh.add(gallery)
    with h5py.File(path, "w") as file:
        file["features"] = normalize(gallery)

    def from_hdf5(query: np.ndarray) -> np.ndarray:
        with h5py.File(path) as file:
            scores = file["features"][:] @ (query / np.linalg.norm(query))
        return np.argsort(scores)[::-1][:K]

    ways = {
        OURS: lambda query: engine.search(hasher.encode(query[None]), K),
        "the same codes, FAISS binary flat": lambda query: binary.search(hasher.encode(query[None]), K),
        "IndexLSH, 64 bits": lambda query: lsh.search(query[None], K),
        "Keras example, 8 tables of 8 bits": _keras_example(gallery),
        "exact cosine in memory": float_scan(normalize(gallery), K),
        "features in HDF5, read and multiplied each time": from_hdf5,
    }
    return ways, dict(zip(ways, (8, 8, 8, 8 * 8, 4 * d, 4 * d), strict=True))


def _keras_example(gallery: np.ndarray) -> Way:
    """Return the lookup of the Keras near-duplicate example: items that share most buckets with the query."""
    hasher = RandomHyperplanes(N_BITS, centred=False).fit(gallery)
    tables: list[dict[int, list[int]]] = [defaultdict(list) for _ in range(8)]
    for place, code in enumerate(hasher.encode(gallery).tolist()):
        for table, key in zip(tables, code, strict=True):
            table[key].append(place)

    def search(query: np.ndarray) -> list[tuple[int, int]]:
        shared: Counter[int] = Counter()
        for table, key in zip(tables, hasher.encode(query[None])[0].tolist(), strict=True):
            shared.update(table[key])
        return shared.most_common(K)

    return search
