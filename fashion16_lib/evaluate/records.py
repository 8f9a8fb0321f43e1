"""Result files: every number with its unit, interval, seed, digests, versions and seconds."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.files import replace_file
from fashion16_lib.settings import Fashion16Error

PACKAGES = ("keras", "numpy", "h5py", "scikit-learn", "opencv-python-headless")
Value = Estimate | float | int
UNITS = {       # part of a metric's name -> its unit; the first that fits
    "_over_": "1",
    "_ms": "ms",
    "microseconds": "us",
    "seconds_": "s",
    "parameters": "count",
    "_n_": "count",
}


def unit_of(name: str) -> str:
    """Return the unit that a metric's name tells; "1" for a share."""
    return next((unit for part, unit in UNITS.items() if part in f"_{name}"), "1")


def metric(name: str, value: Value) -> dict[str, Any]:
    """Return one metric record; low, high and n are null where an interval has no meaning."""
    unit = unit_of(name)
    if isinstance(value, Estimate):
        return {"name": name, "value": value.value, "unit": unit, "low": value.low, "high": value.high, "n": value.n}
    number = value.item() if isinstance(value, np.generic) else value
    return {"name": name, "value": number, "unit": unit, "low": None, "high": None, "n": None}


def provenance(
    profile: str, dataset: str, dataset_sha256: str, weights_sha256: str | None, seed: int, seconds: float
) -> dict[str, Any]:
    """Return what a number depends on."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {
        "profile": profile,
        "dataset": dataset,
        "dataset_sha256": dataset_sha256,
        "weights_sha256": weights_sha256,
        "seed": seed,
        "versions": versions,
        "backend": f"{backend} {_backend_version(backend)}",
        "device": _device(),
        "seconds": round(seconds, 1),
    }


def _backend_version(backend: str) -> str:
    names = {"tensorflow": ("tensorflow-cpu", "tensorflow")}.get(backend, (backend,))
    for name in names:
        try:
            return version(name)
        except ImportError:
            continue
    return "unknown"


def _device() -> str:
    return f"CPU, {os.cpu_count()} cores, {platform.machine()}"


def write_metrics(path: Path, about: dict[str, Any], metrics: list[dict[str, Any]]) -> None:
    """Write a metrics file: provenance, then the records."""
    text = json.dumps({"provenance": about, "metrics": metrics}, indent=1, ensure_ascii=False)
    replace_file(path, (text + "\n").encode())


def read_metrics(path: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a metrics file by name."""
    return {record["name"]: record for record in json.loads(path.read_text(encoding="utf-8"))["metrics"]}


def compare_with_expected(expected_path: Path, metrics_folder: Path) -> list[dict[str, Any]]:
    """Compare a run's metrics with the expected ones.

    Returns
    -------
    one row a metric: notebook, name, expected, tolerance, found (None: missing), agrees

    Raises
    ------
    Fashion16Error : no expected values for this run
    """
    if not expected_path.is_file():
        raise Fashion16Error(f"no expected values at {expected_path}; commit them from a run you trust")
    rows = []
    for notebook, wanted in json.loads(expected_path.read_text(encoding="utf-8")).items():
        path = metrics_folder / f"{notebook}.json"
        found = read_metrics(path) if path.is_file() else {}
        for name, target in wanted.items():
            value = found.get(name, {}).get("value")
            agrees = value is not None and abs(value - target["value"]) <= target["tolerance"]
            rows.append(
                {
                    "notebook": notebook,
                    "name": name,
                    "expected": target["value"],
                    "tolerance": target["tolerance"],
                    "found": value,
                    "agrees": agrees,
                }
            )
    return rows
