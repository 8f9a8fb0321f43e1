"""Files that are whole or not there, HDF5 as bytes, and JSON with one spelling."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, so that equal values have equal digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def replace_file(path: Path, content: bytes) -> None:
    """Write content to a temporary file beside path, then rename it: path holds the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hdf5_bytes(fill: Callable[[h5py.File], None]) -> bytes:
    """Return the bytes of an HDF5 file that `fill` writes into: with checksums in its metadata, and without times.

    Written through a temporary file. Given a Python file object instead, HDF5 calls back into Python; garbage
    collection may then free another HDF5 object in the middle of a write, and the file comes out damaged.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.h5"
        created = h5py.h5f.create(os.fsencode(path), fcpl=_without_times(h5py.h5p.FILE_CREATE), fapl=access)
        with h5py.File(created) as file:
            fill(file)
        return path.read_bytes()


def add_groups(file: h5py.File, *names: str) -> None:
    """Create groups without times, so that the same content has the same bytes."""
    for name in names:
        h5py.h5g.create(file.id, name.encode(), gcpl=_without_times(h5py.h5p.GROUP_CREATE))


def _without_times(kind: Any) -> Any:
    plan = h5py.h5p.create(kind)
    plan.set_obj_track_times(False)
    return plan
