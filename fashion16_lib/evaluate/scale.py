"""Beyond one machine: what a gallery of any size would cost, from rates that were measured on a small one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

GIB = 2**30


@dataclass(frozen=True)
class Rates:
    """Hold what was measured with one thread, for each item.

    Attributes
    ----------
    worker_ms : of what the workers share: extracting, hashing and storing in a shard
    alone_ms : of what one process does after the other: adding to the mean, copying into one library
    library_bytes : on disk, its id and label among them
    feature_bytes : of its features, held by the workers until their shard is written
    scan_ns : comparing its code with a query's
    """

    worker_ms: float
    alone_ms: float
    library_bytes: float
    feature_bytes: float
    scan_ns: float


def costs(rates: Rates, n_items: int, n_workers: int) -> dict[str, float]:
    """Return the cost of a gallery in one shard a worker, if all grows in step with the items and workers are alike.

    Returns
    -------
    items, workers, worker_hours (of each), alone_hours (not divided), library_gib, features_gib (of each worker),
    scan_ms (of a query in a shard)
    """
    hours, of_worker = 1 / 3.6e6, n_items / n_workers
    return {
        "items": n_items,
        "workers": n_workers,
        "worker_hours": rates.worker_ms * of_worker * hours,
        "alone_hours": rates.alone_ms * n_items * hours,
        "library_gib": rates.library_bytes * n_items / GIB,
        "features_gib": rates.feature_bytes * of_worker / GIB,
        "scan_ms": rates.scan_ns * of_worker / 1e6,
    }


def cost_table(rates: Rates, sizes: Sequence[int], workers: Sequence[int]) -> pd.DataFrame:
    """Return the costs of each size with each number of workers, a row each."""
    return pd.DataFrame([costs(rates, n_items, n_workers) for n_items in sizes for n_workers in workers])
