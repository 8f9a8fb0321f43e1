"""Unpack what was downloaded, without trusting it: no links, no way out of the folder, no more than announced."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

MIB = 2**20


def gunzip(path: Path, target: Path, max_bytes: int) -> Path:
    """Write the plain bytes of a file, gzipped or not, to the target; raise ValueError if broken or too large."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open(path) if packed else path.open("rb")) as stream, target.open("wb") as out:
            _copy_at_most(stream, out, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path.name} is truncated or damaged ({error})") from error
    return target


def _copy_at_most(stream: Any, out: Any, max_bytes: int) -> int:
    copied = 0
    while block := stream.read(MIB):
        copied += len(block)
        if copied > max_bytes:
            raise ValueError(f"unpacks to more than {max_bytes} bytes, which it should not")
        out.write(block)
    return copied


def extract_archive(archive: Path, folder: Path, max_bytes: int, only: Sequence[str] | None = None) -> list[Path]:
    """Extract the files of a zip or tar (all, or only those named) and return their paths.

    Raises
    ------
    ValueError : before anything is written, if a member is absolute, climbs with .., is a link or a device, or if
        the members exceed max_bytes in all; later, if the archive is damaged or lies about its sizes
    """
    try:
        opener = zipfile.ZipFile if zipfile.is_zipfile(archive) else tarfile.open
        with opener(archive) as box:
            members = [_checked_member(member) for member in _members(box)]
            chosen = [(m, name) for m, name, size in members if size is not None and (only is None or name in only)]
            missing = set(only or ()) - {name for _, name in chosen}
            if missing:
                raise ValueError(f"{archive.name} lacks {', '.join(sorted(missing))}")
            total = sum(size or 0 for _, name, size in members if only is None or name in only)
            if total > max_bytes:
                raise ValueError(f"{archive.name} unpacks to {total} bytes, more than the {max_bytes} allowed")
            return _extract(box, chosen, folder, max_bytes)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{archive.name} is no zip or tar, or is damaged ({error}); get it again") from error


def _members(box: Any) -> list[Any]:
    return box.infolist() if isinstance(box, zipfile.ZipFile) else box.getmembers()


def _checked_member(member: Any) -> tuple[Any, str, int | None]:
    """Return the member, its name, and its size (None for a folder); raise ValueError if it is unsafe."""
    if isinstance(member, zipfile.ZipInfo):
        kind = stat.S_IFMT(member.external_attr >> 16)
        name, is_folder, size = member.filename, member.is_dir(), member.file_size
        plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    else:
        name, is_folder, size = member.name, member.isdir(), member.size
        plain = member.isreg() or is_folder
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or "\0" in name or parts.is_absolute() or PureWindowsPath(name).drive or ".." in parts.parts:
        raise ValueError(f"member {name!r} would leave the folder; the archive is not to be trusted")
    if not plain:
        raise ValueError(f"member {name!r} is a link or a device; the archive is not to be trusted")
    return member, name, None if is_folder else size


def _extract(box: Any, chosen: Sequence[tuple[Any, str]], folder: Path, max_bytes: int) -> list[Path]:
    paths, left = [], max_bytes
    for member, name in chosen:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = box.open(member) if isinstance(box, zipfile.ZipFile) else box.extractfile(member)
        with stream, path.open("wb") as out:
            left -= _copy_at_most(stream, out, left)
        paths.append(path)
    return paths
