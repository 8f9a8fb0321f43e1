"""Beyond one machine: what a gallery of any size would cost, from rates that were measured on a small one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

GIB = 2**30


@dataclass(frozen=True)
class Rates:
    """Hold what was measured on one worker with one thread, for each item.

    Attributes
    ----------
    build_ms : extracting, hashing and storing it in a shard
    join_ms : copying it from its shard into one library, which a single process does
    library_bytes : on disk, its id and label among them
    feature_bytes : of its features, held by the workers until their shard is written
    scan_ns : comparing its code with a query's
    """

    build_ms: float
    join_ms: float
    library_bytes: float
    feature_bytes: float
    scan_ns: float


def costs(rates: Rates, n_items: int, n_workers: int) -> dict[str, float]:
    """Return the cost of a gallery, if every part grows in step with its items and all workers are alike.

    Returns
    -------
    items, workers, build_hours (divided among the workers), join_hours (not divided), library_gib,
    features_gib (of each worker), scan_ms (of a query in the largest shard, one a worker)
    """
    hours, of_worker = 1 / 3.6e6, n_items / n_workers
    return {
        "items": n_items,
        "workers": n_workers,
        "build_hours": rates.build_ms * of_worker * hours,
        "join_hours": rates.join_ms * n_items * hours,
        "library_gib": rates.library_bytes * n_items / GIB,
        "features_gib": rates.feature_bytes * of_worker / GIB,
        "scan_ms": rates.scan_ns * of_worker / 1e6,
    }


def cost_table(rates: Rates, sizes: Sequence[int], workers: Sequence[int]) -> pd.DataFrame:
    """Return the costs of each size with each number of workers, a row each."""
    return pd.DataFrame([costs(rates, n_items, n_workers) for n_items in sizes for n_workers in workers])
