"""Files that are whole or not there, HDF5 as bytes, and JSON with one spelling."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import h5py
from filelock import FileLock, Timeout

from fashion16_lib.settings import Fashion16Error


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


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Keep other writers of a file out as long as this lasts, and clear away what killed ones left beside it.

    Others are those of the same user on the same machine. The lock is an empty file in the system's folder for
    temporary files, which is freed when its holder dies; nothing is left beside the file. Who holds it already may take
    it again.

    Raises
    ------
    Fashion16Error : somebody else writes the file
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"fashion16-{os.getuid()}-{digest_of(str(path.resolve()))[:16]}.lock"
    try:
        lock = FileLock(Path(tempfile.gettempdir()) / name, timeout=0, is_singleton=True).acquire()
    except Timeout:
        raise Fashion16Error(f"{path} is being written elsewhere; wait until that has ended") from None
    with lock:
        for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
            left.unlink(missing_ok=True)
        yield


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hdf5_bytes(fill: Callable[[h5py.File], None], seal_bytes: int = 0, head_bytes: int = 2048) -> bytes:
    """Return the bytes of an HDF5 file that `fill` writes into: with checksums in its metadata, and without times.

    Written through a temporary file that loses its name as soon as HDF5 has it open, so that a killed process leaves
    none. Given a Python file object instead, HDF5 calls back into Python; garbage collection may then free another
    HDF5 object in the middle of a write, and the file comes out damaged.

    seal_bytes : in front of it, left empty;   head_bytes : its metadata are written in blocks of at least so many
    """
    access, plan = h5py.h5p.create(h5py.h5p.FILE_ACCESS), _without_times(h5py.h5p.FILE_CREATE)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    access.set_meta_block_size(head_bytes)
    plan.set_userblock(seal_bytes)
    handle, name = tempfile.mkstemp(prefix="fashion16-", suffix=".h5")
    with os.fdopen(handle, "rb") as content:
        try:
            opened = h5py.h5f.create(os.fsencode(name), fcpl=plan, fapl=access)
        finally:
            Path(name).unlink()
        with h5py.File(opened) as file:
            fill(file)
        return content.read()


def add_groups(file: h5py.File, *names: str) -> None:
    """Create groups without times, so that the same content has the same bytes."""
    for name in names:
        h5py.h5g.create(file.id, name.encode(), gcpl=_without_times(h5py.h5p.GROUP_CREATE))


def _without_times(kind: Any) -> Any:
    plan = h5py.h5p.create(kind)
    plan.set_obj_track_times(False)
    return plan
