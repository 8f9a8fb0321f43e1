"""Bring data and weights in before step 1: sources in order, each file checked before it is used."""

from __future__ import annotations

import errno
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from fashion16_lib.settings import Fashion16Error

log = logging.getLogger("fashion16")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MIB = 2**20


class NotThereError(ValueError):
    """Say that a place has nothing to offer: no file was put there, or the website is known to be out of reach."""


class Source(Protocol):
    """Name one place a file can come from, say where people find it, and fetch it into a folder."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    def fetch(self, folder: Path) -> Path: ...


@dataclass(frozen=True)
class Wanted:
    """Describe one file: where it goes, its check (raises ValueError, or a SHA-256) and its sources in order."""

    target: Path
    verify: Callable[[Path], None] | str
    sources: Sequence[Source]
    by_hand: str = ""               # the name under which people put the file into the folder; default: the target's

    def check(self, path: Path) -> None:
        """Raise ValueError or Fashion16Error if the file is not the wanted one."""
        if isinstance(self.verify, str):
            check_sha256(path, self.verify)
        else:
            self.verify(path)


# ---------------------------------------------------------------- the chain

def fetch_verified(target: Path, verify: Callable[[Path], None] | str, sources: Sequence[Source],
                   needs_bytes: int = 0) -> Path:
    """Return the target once it is there and verified; see `fetch_all`."""
    return fetch_all([Wanted(target, verify, sources)], needs_bytes)[0]


def fetch_all(wanted: Sequence[Wanted], needs_bytes: int = 0) -> list[Path]:
    """Return the targets, all in one folder, once each is there and verified.

    One process fetches while others wait. A file appears under its name only after its check; one that fails the
    check is removed, named and refused, and the next source is tried.

    Raises
    ------
    Fashion16Error : no source gave the right file, the disk is full, or the folder can't be written
    """
    folder = wanted[0].target.parent
    with _explained(folder, needs_bytes):
        if any(_fault(item) for item in wanted):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder), _emptied(folder / "partial") as partial:
                _fetch_missing(wanted, partial, needs_bytes)
    return [item.target for item in wanted]


def _fetch_missing(wanted: Sequence[Wanted], partial: Path, needs_bytes: int) -> None:
    for item in wanted:
        fault = _fault(item)        # again, under the lock: another process may have brought it meanwhile
        if item.target.is_file() and fault:
            item.target.unlink()
            log.warning("%s: removed, %s", item.target, fault)
    missing = [item for item in wanted if not item.target.is_file()]
    if missing and shutil.disk_usage(partial).free < needs_bytes:
        raise OSError(errno.ENOSPC, "too little room to begin")
    for item in missing:
        reasons = _try_sources(item, partial)
        if not item.target.is_file():
            raise Fashion16Error(_out_of_reach(item, reasons, missing))


def _try_sources(item: Wanted, partial: Path) -> list[str]:
    reasons = []
    for source in item.sources:
        try:
            arrived = source.fetch(partial)
            item.check(arrived)
        except NotThereError as error:          # expected: not worth a warning while others remain
            reasons.append(f"{source.name} ({source.address}): {error}")
        except (ValueError, Fashion16Error, OSError) as error:
            if getattr(error, "errno", None) in NO_ROOM:
                raise
            reasons.append(f"{source.name} ({source.address}): {error}")
            log.warning("%s: not from %s", item.target.name, reasons[-1])
        else:
            arrived.replace(item.target)
            break
    return reasons


def _out_of_reach(item: Wanted, reasons: list[str], missing: list[Wanted]) -> str:
    names = ", ".join(each.by_hand or each.target.name for each in missing)
    return "\n  ".join([
        f"{item.target.name}: no source gave the right file", *reasons,
        f"By hand: download {names} from one of these addresses into {item.target.parent} and run again",
    ])


def _fault(item: Wanted) -> str:
    if not item.target.is_file():
        return "missing"
    try:
        item.check(item.target)
    except (ValueError, Fashion16Error) as error:
        return str(error)
    return ""


@contextmanager
def _explained(folder: Path, needs_bytes: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            need = f"; about {needs_bytes / MIB:.0f} MiB are needed" if needs_bytes else ""
            text = f"no room left on the disk of {folder}{need}: free some, or set FASHION16_DATA to a larger disk"
        else:
            text = f"cannot write to {folder} ({error}): set FASHION16_DATA to a folder that you can write to"
        raise Fashion16Error(text) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        log.warning("another process is downloading to %s; waiting for it", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _emptied(partial: Path) -> Iterator[Path]:
    if partial.exists():            # left by a process that was killed
        shutil.rmtree(partial)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_sha256(path: Path, expected: str) -> None:
    """Raise ValueError if the file's SHA-256 is another."""
    with path.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if got != expected:
        raise ValueError(f"SHA-256 is {got[:16]}..., expected {expected[:16]}...: damaged or another file")
