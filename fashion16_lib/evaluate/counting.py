"""1.4: in-class search reads one class only: count it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


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
