"""2.1.3 and Table 4: how long a query takes, methods side by side in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import Estimate, median_over_queries
from fashion16_lib.progress import progress

N_WARM_UP = 10


def time_interleaved(
    methods: dict[str, Callable[[Any], Any]], queries: Sequence[Any], n_warm_up: int = N_WARM_UP
) -> pd.DataFrame:
    """Time each method on each query, one after the other, so that a slow moment of the machine hits all alike.

    The order of the methods turns by one from query to query.

    Returns
    -------
    columns: query (its place), method, time_ms; warm-up queries aren't in
    """
    names = list(methods)
    for query in list(queries)[:n_warm_up]:
        for name in names:
            methods[name](query)
    rows = []
    for place, query in enumerate(progress(queries, "timing", unit="query")):
        for turn in range(len(names)):
            name = names[(place + turn) % len(names)]
            start = time.perf_counter()
            methods[name](query)
            rows.append((place, name, 1e3 * (time.perf_counter() - start)))
    return pd.DataFrame(rows, columns=["query", "method", "time_ms"])


def times_of(timed: pd.DataFrame, method: str) -> np.ndarray:
    """Return one method's times in milliseconds, by query, (q,) float64."""
    return timed[timed["method"] == method].sort_values("query")["time_ms"].to_numpy()


def summarise(times_ms: np.ndarray) -> dict[str, Estimate | float]:
    """Return p50 (with its bootstrap interval), p95 and mean of times in milliseconds."""
    return {
        "p50": median_over_queries(times_ms), "p95": float(np.percentile(times_ms, 95)), "mean": float(times_ms.mean()),
    }


def with_synthetic_copies(codes: np.ndarray, n_items: int, n_flipped: int = 8, seed: int = 0) -> np.ndarray:
    """Return n_items codes: the real ones first, then copies of them with some bits flipped, for timing only.

    The time of a scan depends on how many codes there are, not on where they came from. Never use these for
    precision: they stand for no garment.

    Parameters
    ----------
    codes : (n, bytes) uint8, real
    n_flipped : bits flipped in each copy, drawn with the seed (the same bit twice is flipped back)
    """
    if n_items <= len(codes):
        return codes[:n_items]
    rng = np.random.default_rng(seed)
    copies = codes[rng.integers(len(codes), size=n_items - len(codes))].copy()
    rows = np.arange(len(copies))
    for _ in range(n_flipped):
        bits = rng.integers(8 * codes.shape[1], size=len(copies))
        copies[rows, bits // 8] ^= (128 >> (bits % 8)).astype(np.uint8)
    return np.concatenate([codes, copies])
