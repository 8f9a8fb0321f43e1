"""Beyond one machine: a gallery's library in parts, searched with one merge, or joined into the whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.settings import Fashion16Error


class Shards:
    """Search several libraries as one: each tells its k nearest, and one merge keeps the k nearest of all.

    A shard is a library like any other, of neighbouring items of one gallery, hashed by the gallery's planes. Rows are
    those of the whole gallery: the first shard's, then the second's.

    Parameters
    ----------
    shards : open libraries, in the gallery's order

    Raises
    ------
    Fashion16Error : none, shards of different settings or planes, or ids out of order: one twice, or another gallery's
    """

    def __init__(self, shards: Sequence[Library]) -> None:
        if not shards:
            raise Fashion16Error("shards to be joined must be at least one, got none")
        for other in shards[1:]:
            _refuse_others(shards[0], other)
        bounds = [(ids[0], ids[-1]) for ids in (shard.ids(np.array([0, shard.n_items - 1])) for shard in shards)]
        for (_, last), (first, _) in pairwise(bounds):
            if first <= last:
                raise Fashion16Error(f"shards must follow each other by id, got {first!r} after {last!r}; "
                                     "give each once, in the gallery's order")
        self.shards = list(shards)
        self.starts = np.cumsum([0, *(shard.n_items for shard in shards)])
        self.n_items = int(self.starts[-1])

    def search(self, codes: np.ndarray, k: int, number: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest of each query code in a class, or among all items; as `Library.search` does.

        Parameters
        ----------
        codes : (q, bytes) uint8
        number : of the class; None: all classes

        Returns
        -------
        gallery rows and distances, (q, min(k, m)) int64 each, by distance, then by row
        """
        return merge_nearest([shard.search(codes, k, number) for shard in self.shards], self.starts, k)

    def ids(self, rows: np.ndarray) -> list[str]:
        """Return the ids of gallery rows."""
        rows = np.asarray(rows, np.int64)
        of_shard = np.searchsorted(self.starts, rows, side="right") - 1
        return [self.shards[shard].ids(np.array([row]))[0]
                for shard, row in zip(of_shard, rows - self.starts[of_shard], strict=True)]

    def joined(self) -> bytes:
        """Return the bytes of the library that the gallery has on one machine."""
        first, shards = self.shards[0], self.shards
        features = [shard.features(np.arange(shard.n_items)).astype(np.float16) for shard in shards] \
            if first.keeps_features else None
        return write_library(
            first.settings,
            first.hasher,
            np.concatenate([shard.all_codes() for shard in shards]),
            np.concatenate([shard.stored_under() for shard in shards]),
            [item for shard in shards for item in shard.ids()],
            np.concatenate([shard.labels() for shard in shards]),
            first.decider_arrays(),
            None if features is None else np.concatenate(features),
        )


def merge_nearest(
    found: Sequence[tuple[np.ndarray, np.ndarray]], starts: Sequence[int] | np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest of all shards from each shard's k nearest; (q, k) rows and distances, by distance, then row.

    Parameters
    ----------
    found : of each shard, rows in it and distances, (q, up to k) int64 each
    starts : the gallery row at which each shard begins
    """
    rows = np.hstack([of_shard + start for (of_shard, _), start in zip(found, starts, strict=False)])
    distances = np.hstack([of_shard for _, of_shard in found])
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


def _refuse_others(first: Library, other: Library) -> None:
    """Raise where two shards aren't of one gallery, hashed by the same planes."""
    differing = {key: (first.settings.get(key), other.settings.get(key))
                 for key in sorted(first.settings.keys() | other.settings.keys())
                 if first.settings.get(key) != other.settings.get(key)}
    if differing:
        words = "; ".join(f"{key}: {ours!r} and {theirs!r}" for key, (ours, theirs) in differing.items())
        raise Fashion16Error(f"{other.name} isn't a shard of the same library as {first.name} ({words}); build the "
                             "shards of one gallery with the same settings")
    pairs: list[tuple[str, Any, Any]] = [("planes", first.hasher.planes, other.hasher.planes),
                                         ("mean", first.hasher.mean, other.hasher.mean)]
    for what, ours, theirs in pairs:
        if not np.array_equal(ours, theirs):
            raise Fashion16Error(f"{other.name} was hashed by another {what} than {first.name}; planes and mean are "
                                 "fitted once, on the whole gallery")
    if first.keeps_features != other.keeps_features:
        raise Fashion16Error(f"one of {first.name} and {other.name} keeps features and the other doesn't")
