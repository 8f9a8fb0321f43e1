"""Say by content whether a notebook has to run again: a stamp holds what its last good run depended on and left."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import replace_file
from ..settings import build_folder, installed_versions, results_folder
from .imports import library_files
from .notebook import Notebook

PACKAGES = (
    "keras", "tensorflow", "tensorflow-cpu", "numpy", "h5py", "opencv-python-headless", "scikit-learn", "matplotlib",
    "onnxruntime", "faiss-cpu",
)


def executed_path(name: str, run: str) -> Path:
    """Return where a notebook's good executed copy lies."""
    return build_folder(run) / "notebooks" / f"{name}.ipynb"


def stamp_path(name: str, run: str) -> Path:
    """Return where a notebook's stamp lies."""
    return build_folder(run) / "stamps" / f"{name}.json"


def artefact_path(artefact: str, run: str) -> Path:
    """Return where a declared artefact lies."""
    folder = results_folder(run) if artefact.startswith("results:") else build_folder(run)
    return folder / artefact.removeprefix("results:")


def content_parts(notebook: Notebook, run: str, parameters: dict[str, Any], data: str = "") -> dict[str, Any]:
    """Return all that a notebook's result depends on, by content.

    data : what tells the photos it reads from others; "" where it reads none
    """
    return {
        "code cells": _sha(json.dumps(notebook.code)),
        "declarations": [notebook.requires, notebook.reads, notebook.writes],
        "library": {name: _sha(text) for name, text in library_files(notebook.code).items()},
        "parameters": {name: value for name, value in parameters.items() if name != "DATA_PATH"},   # see "photos"
        "versions": _versions(),
        "inputs": {artefact: digest(artefact_path(artefact, run)) for artefact in notebook.reads},
        "photos": data,
    }


def why_stale(notebook: Notebook, run: str, parts: dict[str, Any]) -> str | None:
    """Return in words why the notebook has to run, None if its stamp is good."""
    stamp = read_stamp(notebook.name, run)
    if not stamp:
        return "first run"
    for part, now in json.loads(json.dumps(parts)).items():
        before = stamp["parts"].get(part)
        if now != before:
            names = _differing(now, before) if isinstance(now, dict) and isinstance(before, dict) else []
            return f"{part} changed{': ' * bool(names)}{', '.join(names[:3])}{' ...' * (len(names) > 3)}"
    now = _results(notebook, run)
    lost = [name for name in now if now[name] is None] or _differing(now, stamp["results"])
    return f"missing or altered: {', '.join(lost)}" if lost else None


def _differing(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    return sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))


def read_stamp(name: str, run: str) -> dict[str, Any]:
    """Return a notebook's stamp, empty if there is none or it is damaged."""
    try:
        stamp = json.loads(stamp_path(name, run).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and {"parts", "results", "seconds"} <= set(stamp) else {}


def write_stamp(notebook: Notebook, run: str, parts: dict[str, Any], seconds: float) -> None:
    """Record what a good run depended on and what it left."""
    stamp = {"parts": parts, "results": _results(notebook, run), "seconds": round(seconds, 1)}
    replace_file(stamp_path(notebook.name, run), json.dumps(stamp, indent=1, sort_keys=True).encode())


def _results(notebook: Notebook, run: str) -> dict[str, str | None]:
    written = {artefact: digest(artefact_path(artefact, run)) for artefact in notebook.writes}
    return {"executed notebook": digest(executed_path(notebook.name, run)), **written}


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file or folder, None if there is none; a .keras archive counts without its dates."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _sha(json.dumps([[file.relative_to(path).as_posix(), digest(file)] for file in files]))
    if not path.is_file():
        return None
    if path.suffix == ".keras":
        with suppress(Exception), zipfile.ZipFile(path) as archive:             # however damaged: counts byte by byte
            names = sorted(set(archive.namelist()) - {"metadata.json"})         # holds the date of saving
            return _sha(json.dumps([[name, hashlib.sha256(archive.read(name)).hexdigest()] for name in names]))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    installed = {"python": ".".join(platform.python_version_tuple()[:2])}
    installed["backend"] = os.environ.get("KERAS_BACKEND", "tensorflow")
    installed["runtime"] = os.environ.get("FASHION16_RUNTIME", "")
    return installed | dict.fromkeys(PACKAGES, "absent") | installed_versions(PACKAGES)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
