"""Search without the network: in class and directly against FAISS, opening, bytes, ten million codes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from measure import Ratio, peak_mib, python, ratio

from fashion16_lib.evaluate.paper import N_IMAGES
from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.hamming import hamming_distances, nearest
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library

CLASS_NAMES = tuple(f"class {number}" for number in range(10))
N_QUERIES, K = 300, 20
TEN_MILLION = 10_000_000
ANSWER = """
import sys
import numpy as np
from fashion16_lib.search.library import Library
library = Library(sys.argv[1])
rows = library.search(np.zeros((1, 8), np.uint8), 20, 3)[0][0]
library.ids(rows), library.labels(rows)
"""
NOTHING = "import fashion16_lib.search.library, numpy"


def synthetic_library(n: int, seed: int = 0) -> bytes:
    """Return a library of n random codes of 64 bits in ten equal classes; they stand for no garment."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(n) % 10
    hasher = RandomHyperplanes(64, seed).fit(rng.standard_normal((10, 512), dtype=np.float32))
    codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
    settings = {"class_names": CLASS_NAMES, "dataset": "random codes"}
    return write_library(settings, hasher, codes, labels, (f"{i:08d}" for i in range(n)), labels, {})


def queries(n: int = N_QUERIES, seed: int = 1) -> list[np.ndarray]:
    """Return random query codes, each (1, 8) uint8."""
    return list(np.random.default_rng(seed).integers(0, 256, (n, 1, 8), dtype=np.uint8))


def run() -> dict[str, Any]:
    """Return the ratios of the search, and the tables of ten million codes and of the readings of "bucket"."""
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.h5", Path(folder) / "large.h5"
        small.write_bytes(synthetic_library(N_IMAGES // 100))
        large.write_bytes(synthetic_library(N_IMAGES))
        ratios = [*_scans(large), *_opening(small, large), _bytes()]
        return {"ratios": ratios, "scale": _scale(Path(folder)), "readings": _readings()}


def _scans(path: Path) -> list[Ratio]:
    library = Library(path)
    codes = library.class_codes(3)[0]
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    asked = queries()
    slower = Library(path, engine="numpy")
    return [
        ratio("in-class search / FAISS binary flat", lambda code: library.search(code, K, 3),
              lambda code: index.search(code, K), asked, "<= 1.2"),
        ratio("direct / in-class search", lambda code: library.search(code, K), lambda code: library.search(code, K, 3),
              asked, ">= 5"),
        ratio("in-class search, NumPy / FAISS engine", lambda code: slower.search(code, K, 3),
              lambda code: library.search(code, K, 3), asked),
    ]


def _opening(small: Path, large: Path) -> list[Ratio]:
    def first_answer(path: Path) -> Any:
        return lambda code: Library(path).search(code, K, 3)

    def with_ids(path: Path) -> Any:
        def answer(code: np.ndarray) -> Any:
            library = Library(path)
            rows = library.search(code, K, 3)[0][0]
            return library.ids(rows), library.labels(rows)

        return answer

    sizes = f"{N_IMAGES:,} / {N_IMAGES // 100:,}"
    return [
        ratio(f"open and first answer, {sizes}", first_answer(large), first_answer(small), queries(60),
              "<= 2", n_warm_up=3),
        ratio(f"the same with ids and labels, {sizes}", with_ids(large), with_ids(small), queries(60), n_warm_up=3),
    ]


def _bytes() -> Ratio:
    """Return the bytes that a further item costs, without its id (8 bytes here)."""
    n = 40 * 4096
    each = (len(synthetic_library(2 * n)) - len(synthetic_library(n))) / n - 8
    return Ratio("bytes of a further item, id aside", each, each, each, 1, "<= 12",
                 f"from {n:,} to {2 * n:,} items")


def _scale(folder: Path) -> list[dict[str, Any]]:
    """Return what libraries of growing size cost: to build, open, search, keep in memory."""
    rows = []
    for n in (3_258, N_IMAGES, TEN_MILLION):
        path = folder / "scale.h5"
        start = time.perf_counter()
        path.write_bytes(synthetic_library(n))
        build_s = time.perf_counter() - start
        start = time.perf_counter()
        library = Library(path)
        open_ms = 1e3 * (time.perf_counter() - start)
        times = {}
        for way, number in (("in class", 3), ("direct", None)):
            for name, code in (("first", queries(1)), ("later", queries(30, seed=2))):
                start = time.perf_counter()
                for each in code:
                    hits = library.search(each, K, number)[0][0]
                    library.ids(hits), library.labels(hits)
                times[f"{way}, {name}_ms"] = 1e3 * (time.perf_counter() - start) / len(code)
        rows.append({"items": n, "file_mib": path.stat().st_size / 2**20, "write_s": build_s, "open_ms": open_ms,
                     **times, "memory_of_an_in_class_answer_mib": peak_mib(python(ANSWER, str(path)))
                     - peak_mib(python(NOTHING))})
        del library
        path.unlink()
    return rows


def _readings() -> list[dict[str, Any]]:
    """Return speed against recall of 1.3's readings (b) and (c), directly among codes that have real neighbours.

    A code and its copies with a few flipped bits are near each other, as garments are; wholly random codes have no
    neighbours, and nothing could be learned from their recall.
    """
    from fashion16_lib.evaluate.timing import with_synthetic_copies

    rows, rng = [], np.random.default_rng(0)
    for n in (N_IMAGES, TEN_MILLION):
        codes = with_synthetic_copies(rng.integers(0, 256, (n // 50, 8), dtype=np.uint8), n)
        asked = with_synthetic_copies(codes[rng.integers(n, size=30)], 60, seed=1)[30:]
        wanted = [nearest(hamming_distances(code[None], codes)[0], K) for code in asked]
        for name, reading in {
            "(b) 12 bits choose": Buckets(1, 12), "(c) 4 tables of 12 bits": Buckets(4, 12),
            "(c) 1 table, 1 bit off": Buckets(1, 12, 1), "(c) 4 tables, 1 bit off": Buckets(4, 12, 1),
            "(c) 3 tables of 20 bits, 1 bit off": Buckets(3, 20, 1),
        }.items():
            tables = BucketTables(codes, reading)
            start, found, looked_at = time.perf_counter(), [], 0
            for code in asked:
                places = tables.candidates(code)
                looked_at += len(places)
                found.append(places[nearest(hamming_distances(code[None], codes[places])[0], K)])
            query_ms = 1e3 * (time.perf_counter() - start) / len(asked)
            again = [len(np.intersect1d(one, other)) / K for one, other in zip(found, wanted, strict=True)]
            rows.append({"items": n, "reading": name, "looked_at": looked_at / len(asked) / n,
                         "query_time_ms": query_ms, "recall_at_20": float(np.mean(again))})
    return rows
