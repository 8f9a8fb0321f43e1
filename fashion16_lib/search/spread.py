"""Beyond one machine: many workers extract and hash a gallery, a shard each, into the library one machine would build.

    a shard's images -> features, which stay on their worker -> sum over all rows, in order -> mean and planes
                                                             -> codes, by class -> the shard's file

What a lost worker held is computed again by another: every step gives the same bytes wherever it runs.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.files import only_writer, replace_file
from fashion16_lib.progress import progress
from fashion16_lib.search.answer import Decider, Extractor
from fashion16_lib.search.building import hash_and_sort, library_settings
from fashion16_lib.search.hyperplanes import Hyperplanes, RandomHyperplanes, add_rows
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.search.shards import merge_nearest
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
    address : of a Dask scheduler, "tls://host:port". Its workers run whatever they are sent, as Dask's do, and need
        this library and, for lazy pictures, the same folders: join only machines that you trust
    """
    from distributed import Client, LocalCluster

    if address:
        with Client(address) as client:
            yield client
        return
    with LocalCluster(n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                      security=True, silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:
        yield client                                            # a lost worker is no news: its work is done again


def lose_a_worker(client: Client) -> Thread:
    """Kill a worker of this machine as soon as it holds a result; the thread that does so, already started."""
    address, process = next(iter(client.run(os.getpid).items()))

    def kill() -> None:
        while not client.has_what()[address]:
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)

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
    extractor : is sent to the workers; with n_threads=1 a worker takes one core, and any number gives the same bytes
    folder : of the shards, one file each
    rows_a_shard : images a shard holds

    Returns
    -------
    the shards' files, in the gallery's order, for `Shards`

    Raises
    ------
    ValueError, Fashion16Error : as for `Fashion16.build`; or a classifier that looks at images, not features, and is
        asked to sort; or somebody else writes to the folder
    """
    hasher = RandomHyperplanes(n_bits, seed, centred)
    settings = library_settings(gallery, classifier, extractor, hasher, split_by)
    if split_by == "predicted" and not hasattr(classifier, "predict_proba_of_features"):
        raise Fashion16Error("workers classify by features; use a softmax head, or split_by=\"label\"")
    if rows_a_shard < 1:
        raise ValueError(f"rows_a_shard must be a whole number from 1, got {rows_a_shard!r}; use {ROWS_A_SHARD}")
    gallery = gallery.sorted_by_id()
    starts = range(0, len(gallery), rows_a_shard)
    parts = [gallery.take(range(start, min(start + rows_a_shard, len(gallery)))) for start in starts]
    paths = [folder / f"{number:05d}-of-{len(parts):05d}.h5" for number in range(len(parts))]
    with only_writer(folder / "shards"):
        kept = {path: shard for path, part in zip(paths, parts, strict=True)
                if (shard := _shard_there(path, settings, part)) is not None}
        planes = next(iter(kept.values())).hasher if kept else None
        missing = {path: part for path, part in zip(paths, parts, strict=True) if path not in kept}
        _compute(client, missing, classifier, extractor, planes or hasher, settings)
    return paths


def _compute(
    client: Client, missing: dict[Path, Dataset], classifier: Decider, extractor: Extractor, hasher: Hyperplanes,
    settings: dict[str, Any],
) -> None:
    """Write the missing shards; planes that aren't fitted yet are fitted to all of them."""
    features = [client.submit(extractor.extract, part.images, pure=False) for part in missing.values()]
    planes: Any = hasher
    if isinstance(hasher, RandomHyperplanes):                   # no shard there yet
        total = client.submit(np.zeros, extractor.n_features, pure=False)      # type: ignore[attr-defined]
        for of_shard in features:
            total = client.submit(add_rows, total, of_shard, pure=False)
        planes = client.submit(hasher.fit_sum, total, sum(map(len, missing.values())), pure=False)
    shards = {client.submit(_shard, of_shard, replace(part, images=part.images[:0]), planes, classifier, settings,
                            pure=False): path
              for of_shard, (path, part) in zip(features, missing.items(), strict=True)}
    try:
        for done in _as_done(features, "extracting"):
            features.remove(done)                               # its shard still holds on to it
        for done in _as_done(list(shards), "hashing"):
            replace_file(shards.pop(done), done.result())
    finally:
        client.cancel([*features, *shards])                     # after Ctrl-C the workers stop, too


def _as_done(futures: Sequence[Future], task: str) -> Iterator[Future]:
    """Yield futures as they are done, with a bar; what went wrong on a worker is raised here."""
    from distributed import as_completed

    for future in progress(as_completed(futures), task, len(futures), "shard"):
        if future.status != "finished":
            future.result()
        yield future


def _shard(
    features: np.ndarray, part: Dataset, hasher: Hyperplanes, classifier: Decider, settings: dict[str, Any]
) -> bytes:
    """Return the bytes of a shard, on a worker."""
    codes, stored_under, _ = hash_and_sort([(slice(0, len(part)), features)], hasher, part, part.labels,
                                           settings["split_by"], False, classifier, settings["class_names"])
    return write_library(settings, hasher, codes, stored_under, part.ids, part.labels,
                         getattr(classifier, "arrays", {}))


def _shard_there(path: Path, settings: dict[str, Any], part: Dataset) -> Library | None:
    """Return the shard that a former run wrote of this very part; None where there is none, or a damaged one."""
    try:
        shard = Library(path)
        return shard if shard.settings == settings and shard.ids() == part.ids else None
    except Fashion16Error:
        return None


def search_shards(
    client: Client, paths: Sequence[Path], codes: np.ndarray, k: int, number: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of each query code among shards that the workers read, with one merge here.

    Parameters
    ----------
    paths : of `build_shards`, in folders that the workers see; a worker keeps open what it has searched once
    codes, k, number : as for `Library.search`

    Returns
    -------
    gallery rows and distances, as `Library.search` of the whole returns them
    """
    found = client.gather([client.submit(_search, str(path), codes, k, number, pure=False) for path in paths])
    starts = np.cumsum([0, *(n_items for _, _, n_items in found)])
    return merge_nearest([(rows, distances) for rows, distances, _ in found], starts, k)


def _search(path: str, codes: np.ndarray, k: int, number: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what a shard finds, and how many items it has, on a worker."""
    shard = _opened(path, Path(path).stat().st_mtime_ns)
    return *shard.search(codes, k, number), shard.n_items


@cache
def _opened(path: str, _written: int) -> Library:
    return Library(path)
