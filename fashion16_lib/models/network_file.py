"""A trained network and what goes with it in one .keras file, written whole and read without running code from it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fashion16_lib.files import replace_file
from fashion16_lib.settings import Fashion16Error

NOTES = "fashion16.json"    # a member of the .keras archive


def save_network(path: str | Path, network: keras.Model, notes: dict[str, Any]) -> None:
    """Write a network and JSON-able notes to one .keras file, whole or not at all."""
    path = Path(path)
    part = path.with_name(f".{path.stem}.partial.keras")
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(part)
    content = io.BytesIO(part.read_bytes())
    part.unlink()
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(NOTES, json.dumps(notes))
    replace_file(path, content.getvalue())


def load_network(path: str | Path, kind: str, remedy: str = "train it again") -> tuple[keras.Model, dict[str, Any]]:
    """Read what `save_network` wrote: network and notes.

    Parameters
    ----------
    kind, remedy : what the file should be and what to do if it isn't, for the message

    Raises
    ------
    Fashion16Error : missing, another kind of file, or layers that need code of their own
    """
    try:
        with zipfile.ZipFile(path) as archive:
            notes = json.loads(archive.read(NOTES))
        return keras.models.load_model(path, compile=False, safe_mode=True), notes
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise Fashion16Error(f"{path} can't be used as {kind}; {remedy}. Detail: {reason}") from error


def weights_digest(network: keras.Model) -> str:
    """Return the SHA-256 of a network's weights, float32 in their order."""
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return digest.hexdigest()
