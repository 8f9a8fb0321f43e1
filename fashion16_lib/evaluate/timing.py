"""2.1.3 and Table 4: how long a query takes, methods side by side in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fashion16_lib.data.pictures import read_image
from fashion16_lib.data.preprocess import to_vgg16_input
from fashion16_lib.progress import progress
from fashion16_lib.search.answer import Stages
from fashion16_lib.search.engines import choose_engine
from fashion16_lib.search.retrieval import DirectSearch
from fashion16_lib.settings import N_HITS

N_WARM_UP = 10


def time_interleaved(
    methods: dict[str, Callable[[Any], Any]], queries: Sequence[Any], n_warm_up: int = N_WARM_UP, pause_ms: float = 0
) -> pd.DataFrame:
    """Time each method on each query, one after the other, so that a slow moment of the machine hits all alike.

    The order of the methods turns by one from query to query.

    Parameters
    ----------
    methods : name -> function of a query
    pause_ms : before each call. Threads that BLAS has used go on spinning for some 20 ms; methods that use several
        would slow down the next one

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
            time.sleep(pause_ms / 1e3)
            start = time.perf_counter()
            methods[name](query)
            rows.append((place, name, 1e3 * (time.perf_counter() - start)))
    return pd.DataFrame(rows, columns=["query", "method", "time_ms"])


def time_stages(model: DirectSearch, pictures: Sequence[Path], pixels: int, n_warm_up: int = N_WARM_UP) -> pd.DataFrame:
    """Time each stage of single queries, from the picture's file to the hits.

    Parameters
    ----------
    model : open, its extractor without a cache
    pictures : files
    pixels : of VGG-16's input; making it is timed on its own, and taken off the extractor's time

    Returns
    -------
    one row a query, columns decode, preprocess, extract, classify, hash, search, read_result, and whole, in ms
    """
    rows = []
    for number, path in enumerate(progress([*pictures[:n_warm_up], *pictures], "timing", unit="query")):
        stages = Stages()
        image = read_image(path)
        stages.done("decode")
        to_vgg16_input([image], pixels)
        stages.done("preprocess")
        time_ms = {**stages.time_ms, **model.answer(image).time_ms}
        time_ms["extract"] = max(time_ms["extract"] - time_ms["preprocess"], 0.0)
        if number >= n_warm_up:
            rows.append({**time_ms, "whole": sum(time_ms.values())})
    return pd.DataFrame(rows)


def scan(codes: np.ndarray, k: int = N_HITS) -> Callable[[np.ndarray], np.ndarray]:
    """Return the search stage alone, in the default engine: a code's (bytes,) k nearest places among the codes."""
    engine = choose_engine()(codes)
    return lambda code: engine.search(code[None], k)[1][0]


def float_scan(features: np.ndarray, k: int = N_HITS) -> Callable[[np.ndarray], np.ndarray]:
    """Return exact cosine search: a function that gives a query feature's (d,) k nearest places.

    features : (n, d) float32 of length 1, so that the largest product is the smallest angle
    """

    def search(query: np.ndarray) -> np.ndarray:
        products = features @ query
        best = np.argpartition(-products, k)[:k]
        return best[np.argsort(-products[best])]

    return search


def times_of(timed: pd.DataFrame, method: str) -> np.ndarray:
    """Return one method's times in milliseconds, by query, (q,) float64."""
    return timed[timed["method"] == method].sort_values("query")["time_ms"].to_numpy()


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
