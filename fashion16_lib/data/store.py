"""Read the files of a folder or of a zip by name, in place, without trusting either."""

from __future__ import annotations

import os
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_BYTES = 200 * 2**20         # of one file: a zip can promise anything


class Folder:
    """Read files below a folder, by their path with forward slashes; links never lead out of it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        return str(self.root)

    def names(self, skipped: dict[str, str]) -> list[str]:
        """Return all files, sorted; `skipped` gains folders that aren't looked into, with the reason."""
        found = []

        def unreadable(error: OSError) -> None:
            skipped[self._name(error.filename)] = f"folder cannot be opened ({error.strerror})"

        for here, folders, files in os.walk(self.root, onerror=unreadable):     # follows no links to folders
            for folder in list(folders):
                path = Path(here, folder)
                if path.is_symlink() or folder.startswith("."):
                    skipped[self._name(path)] = "link to a folder" if path.is_symlink() else "hidden folder"
                    folders.remove(folder)
            found += [self._name(Path(here, file)) for file in files]
        return sorted(found)

    def _name(self, path: str | Path) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raise ValueError if that isn't a file of this folder."""
        path = self.root / name
        if path.is_symlink() and not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError("link that leads outside the folder")
        try:
            if not path.is_file():
                raise FileNotFoundError("no such file")
            if path.stat().st_size > MAX_BYTES:
                raise ValueError(f"got {path.stat().st_size} bytes, expected at most {MAX_BYTES}; save it smaller")
            return path.read_bytes()
        except OSError as error:
            raise ValueError(
                f"cannot be opened ({error.strerror or error}); check the path and its permissions"
            ) from error

    def stamp(self, name: str) -> list[Any]:
        """Return what tells that a file has changed: size and time."""
        with suppress(OSError):
            about = (self.root / name).stat()
            return [about.st_size, about.st_mtime_ns]
        return []


class Zip:
    """Read the members of a zip in place; nothing is unpacked to the disk."""

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ValueError(f"{path}: got no whole zip ({error}), expected one; get it again") from error
        self._members = {member.filename: member for member in self._archive.infolist() if not member.is_dir()}

    def __reduce__(self) -> tuple:
        """Travel to another process as a path; it is opened there."""
        return Zip, (self.root,)

    def __str__(self) -> str:
        return str(self.root)

    def names(self, skipped: dict[str, str]) -> list[str]:
        """Return all members that are files, sorted; `skipped` gains hidden folders."""
        hidden = {name for name in self._members if any(part.startswith((".", "__")) for part in name.split("/")[:-1])}
        skipped.update({name.rpartition("/")[0]: "hidden folder" for name in sorted(hidden)})
        return sorted(self._members.keys() - hidden)

    def read(self, name: str) -> bytes:
        """Return a member's bytes; raise ValueError if it is damaged or too large."""
        try:
            member = self._members[name]
            if member.file_size > MAX_BYTES:
                raise ValueError(f"got {member.file_size} bytes, expected at most {MAX_BYTES}; save it smaller")
            return self._archive.read(member)       # never more than the member's size; checks its CRC
        except KeyError:
            raise ValueError("no such member of the zip") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"got a damaged member of the zip ({error}); get the archive again") from error

    def stamp(self, name: str) -> list[Any]:
        """Return what tells that a member has changed: size and CRC."""
        member = self._members[name]
        return [member.file_size, member.CRC]


Store = Folder | Zip


def open_store(path: str | Path) -> Store:
    """Return a folder or zip; raise ValueError if it is neither."""
    if Path(path).is_dir():
        return Folder(path)
    if Path(path).is_file():
        return Zip(path)
    raise ValueError(f"{path}: got no folder, nor a zip, expected one with pictures; check the path")
