"""1.4: the library file: binary codes in HDF5, one index per class.

Layout (schema 2), a sealed HDF5 file (sealed.py), everything chunked with fletcher32, fixed-width strings, hard links:

    attributes             schema_version, settings (canonical JSON: dataset and its digest, the extractor's and the
                           decider's fingerprints, hash, split_by, class_names, changed_since_build)
    /hash/planes           (n_bits, d) float32    the planes' normal vectors
    /hash/mean             (d,) float32           the gallery's mean (zeros where not centred)
    /classes/<i>/codes     (m, n_bits / 8) uint8  the codes stored under class i of class_names
    /classes/<i>/rows      (m,) uint32, deflated  their gallery rows, ascending
    /images/id             (n,) bytes             in gallery order: ascending when built, then as they were added
    /images/label          (n,) int32, deflated   the true class, -1 where unknown
    /images/features       (n, d) float16         for re-ranking; only where asked for
    /decider/<array>       the softmax head's arrays; empty for other deciders

Ascending rows and labels deflate to two bytes and less. Classes go by number because a class name may hold any
character. A library is made whole, then written to a temporary file beside its place and renamed, so a killed build
leaves the old file as it was.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from fashion16_lib.files import add_groups, canonical_json
from fashion16_lib.search.hyperplanes import Hyperplanes
from fashion16_lib.search.sealed import check_seal, sealed_hdf5
from fashion16_lib.settings import Fashion16Error

SCHEMA_VERSION = 2
CHUNK_ROWS = 4096
CHECKSUM, DEFLATE = h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_DEFLATE
FILTERS = {CHECKSUM, h5py.h5z.FILTER_SHUFFLE, DEFLATE}
DEFLATED = ("/rows", "images/label")        # the only ones; what they may hold is known before they are read


def write_library(
    settings: dict[str, Any],
    hasher: Hyperplanes,
    codes: np.ndarray,
    stored_under: np.ndarray,
    ids: Iterable[str],
    labels: np.ndarray,
    decider: dict[str, np.ndarray],
    features: np.ndarray | None = None,
) -> bytes:
    """Return the bytes of a library file.

    Parameters
    ----------
    settings : JSON-able; must hold `class_names`
    hasher : fitted
    codes : (n, n_bits / 8) uint8, in gallery order
    stored_under : (n,) index into class_names: the class library each item goes into
    ids, labels : (n,) text and index of the true class (-1: unknown)
    decider : arrays of the softmax head, or {}
    features : (n, d) float16 for re-ranking, or None
    """
    planes, mean = hasher.planes, hasher.mean
    assert planes is not None and mean is not None
    names = np.array([item.encode("utf-8", "surrogateescape") for item in ids], dtype=np.bytes_)

    def fill(file: h5py.File) -> None:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["settings"] = np.bytes_(canonical_json(settings).encode())
        numbers = range(len(settings["class_names"]))
        add_groups(file, "hash", "classes", *(f"classes/{number}" for number in numbers), "images", "decider")
        _store(file, "hash/planes", planes)
        _store(file, "hash/mean", mean)
        for number in numbers:
            rows = np.flatnonzero(stored_under == number)
            _store(file, f"classes/{number}/codes", codes[rows])
            _store(file, f"classes/{number}/rows", rows.astype(np.uint32), deflated=True)
        _store(file, "images/id", names)
        _store(file, "images/label", np.asarray(labels, np.int32), deflated=True)
        if features is not None:
            _store(file, "images/features", features, rows_a_chunk=1)
        for name, array in sorted(decider.items()):
            _store(file, f"decider/{name}", array)

    return sealed_hdf5(fill, n_chunks=(4 if features is None else 4 + CHUNK_ROWS) * (1 + len(names) // CHUNK_ROWS))


def _store(
    file: h5py.File, name: str, array: np.ndarray, *, rows_a_chunk: int = CHUNK_ROWS, deflated: bool = False
) -> None:
    chunks = (max(1, min(len(array), rows_a_chunk)), *array.shape[1:])
    options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if deflated else {}
    file.create_dataset(name, data=array, chunks=chunks, maxshape=(None, *array.shape[1:]), fletcher32=True, **options)


def open_library(source: str | Path | bytes | BinaryIO) -> h5py.File:
    """Return a library's HDF5 file, its seal checked; a path that is replaced meanwhile is opened anew.

    Raises
    ------
    OSError, ValueError, TypeError : not a whole sealed file
    """
    if isinstance(source, bytes):
        check_seal(io.BytesIO(source))
        return h5py.File.in_memory(source)
    if not isinstance(source, str | Path):
        check_seal(source)
        return h5py.File(source, "r")
    while True:
        with Path(source).open("rb") as file:
            check_seal(file)
            opened = h5py.File(source, "r")
            if os.path.samestat(os.fstat(opened.id.get_vfd_handle()), os.fstat(file.fileno())):
                return opened
            opened.close()


def content_of(file: h5py.File) -> bytes:
    """Return the bytes of a library file that was opened by its path, even if another stands there by now."""
    handle, block = file.id.get_vfd_handle(), 2**30
    return b"".join(os.pread(handle, block, start) for start in range(0, os.fstat(handle).st_size, block))


def check_layout(file: h5py.File, class_names: Sequence[str]) -> None:
    """Compare what a library file holds with the layout above, before any of it is read.

    Raises
    ------
    Fashion16Error : more or less than the layout has, a link to elsewhere, another type, shape, filter or chunk, or
        an array that claims more than the file holds
    """
    numbers = [str(number) for number in range(len(class_names))]
    _check_names(file, {"hash", "classes", "images", "decider"})
    _check_names(file["hash"], {"planes", "mean"})
    _check_names(file["classes"], set(numbers))
    for number in numbers:
        _check_names(file["classes"][number], {"codes", "rows"})
    _check_names(file["images"], {"id", "label"}, {"features"})
    _check_names(file["decider"], set(), file["decider"])
    n_bits, n_features = _check_array(file, "hash/planes", "f4", 2)
    _check_array(file, "hash/mean", "f4", 1, n_features)
    n_items, = _check_array(file, "images/id", "S", 1)
    if n_bits % 8:
        raise Fashion16Error(f"library refused: planes of {n_bits} bits, codes are whole bytes; build it again")
    n_codes = 0
    for number in numbers:
        shape = _check_array(file, f"classes/{number}/codes", "u1", 2)
        if shape[1] != n_bits // 8:
            raise Fashion16Error(f"library refused: codes of shape {shape} but planes of {n_bits} bits; build it again")
        _check_array(file, f"classes/{number}/rows", "u4", 1, shape[0])
        n_codes += shape[0]
    if n_codes != n_items:
        raise Fashion16Error(f"the library is not whole: {n_items} ids, {n_codes} codes; build it again")
    _check_array(file, "images/label", "i4", 1, n_items)
    if "features" in file["images"]:
        _check_array(file, "images/features", "f2", 2, n_items, n_features)
    for name in file["decider"]:
        _check_array(file, f"decider/{name}", "f4", getattr(file["decider"][name], "ndim", 0))


def _check_names(group: h5py.Group, needed: set[str], allowed: Iterable[str] = ()) -> None:
    if not isinstance(group, h5py.Group) or not needed <= set(group) <= needed.union(allowed):
        raise Fashion16Error(f"library refused: {group.name} must hold {', '.join(sorted(needed))}; build it again")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Fashion16Error(f"library refused: {name} is a link to elsewhere; a library holds its own data only")


def _check_array(file: h5py.File, name: str, kind: str, n_axes: int, *shape: int) -> tuple[int, ...]:
    """Return the shape of an array after checking all that can be told without reading it."""
    item = file[name]
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual or item.dtype.kind + (
        "" if kind == "S" else str(item.dtype.itemsize)
    ) != kind:
        raise Fashion16Error(f"library refused: {name} isn't a plain array of type {kind}; build it again")
    if len(item.shape) != n_axes or item.shape[: len(shape)] != shape:
        raise Fashion16Error(f"library refused: {name} has shape {item.shape}, not {shape or n_axes}; build it again")
    if item.chunks is None or item.chunks[0] > CHUNK_ROWS:
        raise Fashion16Error(
            f"library refused: {name} must be stored in chunks of at most {CHUNK_ROWS} rows, got {item.chunks}"
        )
    plan = item.id.get_create_plist()
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    deflated = DEFLATE in filters and name.endswith(DEFLATED) and not name.startswith("decider/")
    if CHECKSUM not in filters or filters - FILTERS or (DEFLATE in filters and not deflated):
        raise Fashion16Error(f"library refused: {name} has filters of its own, or no checksum; build it again")
    if not deflated and item.nbytes > item.id.get_storage_size():
        held = item.id.get_storage_size()
        raise Fashion16Error(f"library refused: {name} claims {item.nbytes} bytes and has {held}; build it again")
    return item.shape
