"""Beyond one machine: many workers extract and hash a gallery, a shard each, into the library one machine would build.

    a shard's images -> features, which stay on their worker -> sum over all rows, in order -> mean and planes
                                                             -> codes, by class -> the shard's file

What a lost worker held is computed again by another. On equal machines, with one thread each, every step gives the same
bytes wherever it runs.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.files import only_writer, replace_file
from fashion16_lib.progress import progress
from fashion16_lib.search.answer import Decider, Extractor
from fashion16_lib.search.building import hash_and_sort, library_settings
from fashion16_lib.search.hyperplanes import Hyperplanes, RandomHyperplanes, add_rows
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.search.shards import SHARD, ShardInfo, merge_nearest, starts_of
from fashion16_lib.settings import Fashion16Error

if TYPE_CHECKING:
    from distributed import Client, Future

ROWS_A_SHARD = 512


@contextmanager
def workers(n_workers: int = 2, address: str = "") -> Iterator[Client]:
    """Start workers on this machine, one thread each, or join a running cluster; closed at the end.

    Parameters
    ----------
    n_workers : processes, where no address is given; they listen on 127.0.0.1, behind keys made for this run alone
    address : of a Dask scheduler, "tls://host:port", with the keys that Dask's configuration names
        (distributed.comm.tls). Its workers run whatever they are sent, as Dask's do, and need this library and, for
        lazy pictures, the same folders: join only machines that you trust

    Raises
    ------
    Fashion16Error : an address on another machine without TLS
    """
    from distributed import Client, LocalCluster

    if address:
        parts = urlsplit(address)
        if parts.scheme != "tls" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise Fashion16Error(f"workers on other machines run what they are sent, so their address must begin with "
                                 f"tls://, got {address!r}; set up keys (distributed.comm.tls in Dask's configuration)")
        with Client(address) as client:
            yield client
        return
    with LocalCluster(n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                      security=True, silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:
        yield client                                            # a lost worker is no news: its work is done again


def lose_a_worker(client: Client) -> Thread:
    """Kill a worker as soon as it holds a shard's features; return the thread that does so, already started."""
    address = next(iter(client.scheduler_info()["workers"]))

    def kill() -> None:
        while not any(key.startswith("extract") for key in client.has_what().get(address, ())):
            time.sleep(0.01)
        with suppress(OSError):                                 # it can't answer any more
            client.run(lambda: os.kill(os.getpid(), signal.SIGKILL), workers=[address])

    killer = Thread(target=kill, daemon=True)
    killer.start()
    return killer


def build_shards(
    client: Client,
    gallery: Dataset,
    classifier: Decider,
    extractor: Extractor,
    folder: Path,
    *,
    n_bits: int = 64,
    seed: int = 0,
    centred: bool = True,
    split_by: str = "label",
    rows_a_shard: int = ROWS_A_SHARD,
) -> list[Path]:
    """Extract, hash and store a gallery by a cluster's workers; shards that the folder has already are kept.

    Parameters
    ----------
    client : of `workers`
    gallery, classifier, n_bits, seed, centred, split_by : as for `Fashion16.build`, with random planes
    extractor : is sent to the workers; on equal machines n_threads=1 makes equal features, and so equal bytes
    folder : of the shards, one file each, and of nothing else
    rows_a_shard : images a shard holds

    Returns
    -------
    the shards' files, in the gallery's order, for `Shards`

    Raises
    ------
    ValueError, Fashion16Error : as for `Fashion16.build`; or a classifier that looks at images, not features, and is
        asked to sort; or somebody else writes to the folder
    """
    hasher, gallery = RandomHyperplanes(n_bits, seed, centred), gallery.sorted_by_id()
    settings = library_settings(gallery, classifier, extractor, hasher, split_by)
    if split_by == "predicted" and not hasattr(classifier, "predict_proba_of_features"):
        raise Fashion16Error("workers classify by features; use a softmax head, or split_by=\"label\"")
    if rows_a_shard < 1:
        raise ValueError(f"rows_a_shard must be a whole number from 1, got {rows_a_shard!r}; use {ROWS_A_SHARD}")
    starts = range(0, len(gallery), rows_a_shard)
    parts = {folder / f"{number:05d}-of-{len(starts):05d}.h5":
             (gallery.take(range(start, min(start + rows_a_shard, len(gallery)))),
              {**settings, SHARD: [number, len(starts)]}) for number, start in enumerate(starts)}
    with only_writer(folder / "shards"):
        for left in (*folder.glob(".*.partial"), *(set(folder.glob("*-of-*.h5")) - parts.keys())):
            left.unlink()                                       # of a killed run, or of another cut
        planes = _keep_what_fits(parts)
        missing = {path: part for path, part in parts.items() if not path.exists()}
        _compute(client, missing, classifier, extractor, planes or hasher)
    return list(parts)


def _keep_what_fits(parts: dict[Path, tuple[Dataset, dict[str, Any]]]) -> Hyperplanes | None:
    """Remove shards that are damaged, of other items or of other settings; return the planes of those that stay."""
    kept: list[Library] = []
    for path, (part, settings) in parts.items():
        with suppress(Fashion16Error, OSError):
            shard = Library(path)
            shard.content()                                     # all of it, against its checksums
            if shard.settings == settings and shard.ids() == part.ids and (
                    not kept or ShardInfo.of(shard).planes_sha256 == ShardInfo.of(kept[0]).planes_sha256):
                kept.append(shard)
                continue
        path.unlink(missing_ok=True)
    return kept[0].hasher if kept else None


def _compute(
    client: Client, missing: dict[Path, tuple[Dataset, dict[str, Any]]], classifier: Decider, extractor: Extractor,
    hasher: Hyperplanes,
) -> None:
    """Write the missing shards; planes that aren't fitted yet are fitted to all of them."""
    held: list[Future] = []

    def submit(task: Callable, *given: Any) -> Future:
        held.append(client.submit(task, *given, pure=False))
        return held[-1]

    try:
        features = [submit(extractor.extract, part.images) for part, _ in missing.values()]
        planes, decider = submit(_same, hasher), submit(_same, _with(extractor, classifier))     # once, not by shard
        if isinstance(hasher, RandomHyperplanes) and features:  # no shard there yet
            total = submit(_zeros, features[0])
            for of_shard in features:
                total = submit(add_rows, total, of_shard)
            planes = submit(hasher.fit_sum, total, sum(len(part) for part, _ in missing.values()))
        shards = {submit(_shard, of_shard, replace(part, images=part.images[:0]), planes, decider, settings): path
                  for of_shard, (path, (part, settings)) in zip(features, missing.items(), strict=True)}
        for done in _as_done(features, "extracting"):
            held.remove(done)
            features.remove(done)                               # its shard still holds on to it
        for done in _as_done(list(shards), "hashing"):
            replace_file(shards.pop(done), done.result())
            held.remove(done)
    finally:
        client.cancel(held)                                     # after Ctrl-C the workers stop, too


def _with(extractor: Extractor, classifier: Decider) -> Decider:
    """Return a decider that travels with the gallery's extractor: else each worker would build a second VGG-16."""
    if hasattr(classifier, "extractor"):
        classifier = copy(classifier)
        classifier.extractor = extractor
    return classifier


def _as_done(futures: Sequence[Future], task: str) -> Iterator[Future]:
    """Yield futures as they are done, with a bar; what went wrong on a worker is raised here."""
    from distributed import as_completed

    for future in progress(as_completed(list(futures)), task, len(futures), "shard"):
        if future.status != "finished":
            future.result()
        yield future


# ---------------------------------------------------------------- what runs on a worker


def _same(value: Any) -> Any:
    return value


def _zeros(features: np.ndarray) -> np.ndarray:
    return np.zeros(features.shape[1])


def _shard(
    features: np.ndarray, part: Dataset, hasher: Hyperplanes, classifier: Decider, settings: dict[str, Any]
) -> bytes:
    """Return the bytes of a shard."""
    codes, stored_under, _ = hash_and_sort([(slice(0, len(part)), features)], hasher, part, part.labels,
                                           settings["split_by"], False, classifier, settings["class_names"])
    return write_library(settings, hasher, codes, stored_under, part.ids, part.labels,
                         getattr(classifier, "arrays", {}))


def _search(path: str, codes: np.ndarray, k: int, number: int | None) -> tuple[np.ndarray, np.ndarray, ShardInfo]:
    """Return what a shard finds, and what it tells of itself."""
    shard = _opened(path, Path(path).stat().st_mtime_ns)
    return *shard.search(codes, k, number), ShardInfo.of(shard)


@lru_cache(maxsize=64)
def _opened(path: str, _written: int) -> Library:
    return Library(path)


# ---------------------------------------------------------------- search


def search_shards(
    client: Client, paths: Sequence[Path], codes: np.ndarray, k: int, number: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of each query code among shards that the workers read, with one merge here.

    Parameters
    ----------
    paths : of `build_shards`, in folders that the workers see; a worker keeps open what it has searched
    codes, k, number : as for `Library.search`

    Returns
    -------
    gallery rows and distances, as `Library.search` of the whole returns them

    Raises
    ------
    Fashion16Error : as for `Shards`
    """
    found = client.gather([client.submit(_search, str(path), codes, k, number, pure=False) for path in paths])
    starts = starts_of([info for _, _, info in found])
    return merge_nearest([(rows, distances) for rows, distances, _ in found], starts, k)
