"""1.4: in-class search reads one class only: count it."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fashion16_lib.search.library import Library


class CountingFile(io.FileIO):
    """A file opened for reading that counts the bytes read from it."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "r")
        self.n_bytes = 0

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and count."""
        n_read = super().readinto(buffer) or 0
        self.n_bytes += n_read
        return n_read


def count_bytes_read(path: str | Path, read: Callable[[Library], Any]) -> int:
    """Return how many bytes of a library file a reading takes, opening aside.

    HDF5 calls the counting file from inside its own work; garbage collection waits, for it could free another HDF5
    object just then.
    """
    file = CountingFile(path)
    gc.disable()
    try:
        library = Library(file)
        opened = file.n_bytes
        read(library)
        return file.n_bytes - opened
    finally:
        gc.enable()
