"""Small archives of photos for tests: the same files as a folder and as a zip."""

from __future__ import annotations

import zipfile
from pathlib import Path


def as_zip(path: Path, files: dict[str, bytes], inside: str = "") -> Path:
    """Write files, name -> content, into a zip, below a folder of it if one is named."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{inside}{name}", content)
    return path


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write files, name -> content, below a folder."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
