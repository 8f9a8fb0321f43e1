"""Beyond one machine: a gallery's library in parts, searched with one merge, or joined into the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.settings import Fashion16Error

SHARD = "shard"         # in a shard's settings: [its number, how many there are]; the whole library's haven't it


@dataclass(frozen=True)
class ShardInfo:
    """Hold what must fit where shards are put together.

    Attributes
    ----------
    name : of the file
    settings : the library's, with the shard's number
    planes_sha256 : of the planes and the mean
    n_items, first_id, last_id : of the shard
    keeps_features : for re-ranking
    """

    name: str
    settings: dict[str, Any]
    planes_sha256: str
    n_items: int
    first_id: str
    last_id: str
    keeps_features: bool

    @classmethod
    def of(cls, shard: Library) -> ShardInfo:
        """Read what a shard tells of itself."""
        planes, mean = shard.hasher.planes, shard.hasher.mean
        assert planes is not None and mean is not None
        digest = hashlib.sha256(planes.tobytes() + mean.tobytes()).hexdigest()
        first, last = shard.ids(np.array([0, shard.n_items - 1]))
        return cls(shard.name, shard.settings, digest, shard.n_items, first, last, shard.keeps_features)


def starts_of(shards: Sequence[ShardInfo]) -> np.ndarray:
    """Return the gallery row at which each shard begins, and the number of all, (shards + 1,) int64.

    Raises
    ------
    Fashion16Error : none, one missing or twice or out of order, or shards of different settings, planes or galleries
    """
    if not shards:
        raise Fashion16Error("shards to be joined must be at least one, got none")
    numbers = [shard.settings.get(SHARD, [0, 1]) for shard in shards]
    if numbers != [[number, len(shards)] for number in range(len(shards))]:
        said = ", ".join(f"{number + 1} of {of}" for number, of in numbers)
        raise Fashion16Error(f"shards must be all of one library, each once, in the gallery's order, got {said}")
    for ours, theirs in pairwise(shards):
        _refuse_others(ours, theirs)
        if theirs.first_id <= ours.last_id:
            raise Fashion16Error(f"shards must follow each other by id, got {theirs.first_id!r} in {theirs.name} after "
                                 f"{ours.last_id!r}; build them anew")
    return np.cumsum([0, *(shard.n_items for shard in shards)])


def _refuse_others(ours: ShardInfo, theirs: ShardInfo) -> None:
    """Raise where two shards aren't of one gallery, hashed by the same planes."""
    keys = (ours.settings.keys() | theirs.settings.keys()) - {SHARD}
    differing = [key for key in sorted(keys) if ours.settings.get(key) != theirs.settings.get(key)]
    if differing:
        words = "; ".join(f"{key}: {ours.settings.get(key)!r} and {theirs.settings.get(key)!r}" for key in differing)
        raise Fashion16Error(f"{theirs.name} isn't a shard of the same library as {ours.name} ({words}); build the "
                             "shards of one gallery with the same settings")
    if ours.planes_sha256 != theirs.planes_sha256:
        raise Fashion16Error(f"{theirs.name} was hashed by other planes, or around another mean, than {ours.name}; "
                             "they are fitted once, to the whole gallery")
    if ours.keeps_features != theirs.keeps_features:
        raise Fashion16Error(f"one of {ours.name} and {theirs.name} keeps features and the other doesn't")


class Shards:
    """Search several libraries as one: each tells its k nearest, and one merge keeps the k nearest of all.

    A shard is a library like any other, of neighbouring items of one gallery, hashed by the gallery's planes. Rows are
    those of the whole gallery: the first shard's, then the second's.

    Parameters
    ----------
    shards : open libraries, all of them, in the gallery's order

    Raises
    ------
    Fashion16Error : as for `starts_of`
    """

    def __init__(self, shards: Sequence[Library]) -> None:
        self.starts = starts_of([ShardInfo.of(shard) for shard in shards])
        self.shards, self.n_items = list(shards), int(self.starts[-1])

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
            {key: value for key, value in first.settings.items() if key != SHARD},
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
