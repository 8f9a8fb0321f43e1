"""Result files: every number with its unit, interval, seed, digests, versions and seconds."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.files import replace_file
from fashion16_lib.models.vgg16 import choose_runtime
from fashion16_lib.settings import FASHION_MNIST, Fashion16Error, installed_versions

PACKAGES = ("keras", "numpy", "h5py", "scikit-learn", "opencv-python-headless", "onnxruntime", "faiss-cpu")
PHOTOS = "photos"           # in expected values: notebook -> digest of the photos
Value = Estimate | float | int
UNITS = {       # part of a metric's name -> its unit; the first that fits
    "_over_": "1",
    "_ms": "ms",
    "microseconds": "us",
    "seconds": "s",
    "_loss": "nats",
    "_hours": "h",
    "_bytes_an_": "bytes",
    "parameters": "count",
    "_n_": "count",
}


def unit_of(name: str) -> str:
    """Return the unit that a metric's name tells; "1" for a share."""
    if name.endswith("_percent"):               # not "looked_at_for_95_percent_of_scan"
        return "%"
    return next((unit for part, unit in UNITS.items() if part in f"_{name}"), "1")


def in_words(number: float | None) -> str:
    """Return a number as tables print it: whole ones whole, large ones without decimals; "" for none."""
    if number is None or number != number:
        return ""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


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
    versions = {"python": platform.python_version(), **installed_versions(PACKAGES)}
    return {
        "profile": profile,
        "dataset": dataset,
        "dataset_sha256": dataset_sha256,
        "weights_sha256": weights_sha256,
        "seed": seed,
        "versions": versions,
        "backend": f"{backend} {_backend_version(backend)}",
        "runtime": choose_runtime(),
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


# ---------------------------------------------------------------- reruns

# How far a number of a rerun, perhaps on another machine, may be from the one we trust; the first rule whose words are
# part of the name. Shares move with the last bits of features and gradients; at smoke a query counts 1/200 and the
# network has seen 2,000 images. No tolerance lets a result of chance pass (tests/test_records.py holds them to that).
TOLERANCES = {              # part of the name: at smoke, at quick and full
    "accuracy_lost": (0.04, 0.02),
    "best_epoch": (1, 1),               # neighbours are nearly as good
    "exponent": (0.05, 0.05),           # a slope through a few networks, each trained anew
    "loss": (0.15, 0.05),               # of such networks, in nats
    "_images": (0.08, 0.02),            # accuracy of networks trained on so many images
    "siamese_minus": (0.08, 0.02),
    "siamese": (0.1, 0.04),               # a distance learned anew, from few garments
    "mining": (0.12, 0.05),             # clusters of such points: one that tips over moves all its photos
    **dict.fromkeys(("wtbi", "darn", "fashionnet", "general", "specific", "framework", "reduced", "joint",
                     "classification_", "metric_learning", "attributes_alone", "one_branch"), (0.1, 0.04)),  # networks
    "identity": (1e-6, 1e-6),           # an equality, up to rounding
    "overfitting": (0.08, 0.02),
    "bits_minus_exact": (0.02, 0.02),
    "bits_minus": (0.005, 0.005),       # the angle's error is itself below 0.02
    "minus": (0.02, 0.02),              # a difference on the same queries moves less than its parts
    "error": (0.02, 0.02),
    "bytes": (0.02, 0.02),
    "elsewhere": (0.06, 0.06),          # a class that the network mistakes moves many items at once
    "test_accuracy": (0.08, 0.01),      # of a network trained anew; 10,000 images at quick
    "table_1_accuracy": (0.08, 0.02),   # the same network, asked with 1,000 queries at quick
    "table_1_macro_f1": (0.08, 0.03),   # of such a network, in which each rare class counts as much as a common one
    "": (0.04, 0.02),
}
ARITHMETIC, ROUNDING = ("paper_", "table_2_", "table_3_", "table_4_"), 1e-4   # on printed numbers: the same everywhere
NEAR_TIE = "for_equal_precision"     # where two numbers of bits do almost equally well, the last digits choose
OF_THE_MACHINE = {          # words of names whose numbers are times, or are made of times
    "time", "times", "ms", "seconds", "latency", "faster", "slower", "saved", "speedup", "linearity", "crossover",
    "weights",              # of networks: which can be had
    "threads",              # whether several sum as one does
}
# At smoke a network that 200 photos train for 22 epochs is still on the steep part of its curve: another processor's
# rounding moves these numbers further than chance is away. Its notebooks' own checks hold there too.
STEEP_AT_SMOKE = (
    "macro_f1", "f1_", "frequent_", "best_epoch", "subset_accuracy", "one_half_macro", "one_for_all_macro",
    "one_a_label_macro",
)


def tolerance_of(record: dict[str, Any], profile: str) -> float | None:
    """Return how far a rerun's number may be from this one; None for a time or a near tie: the machine decides.

    Counts are exact. A share's tolerance is absolute; that of a number above 1 is relative, that of a percentage a
    hundred times a share's. A ratio of times must say so in its name, by one of the words of OF_THE_MACHINE.
    """
    name, unit, value = record["name"], record["unit"], record["value"]
    if name.startswith(ARITHMETIC):
        return ROUNDING
    if NEAR_TIE in name or unit in ("ms", "us", "s") or OF_THE_MACHINE & set(name.split("_")):
        return None
    if unit == "count":
        return 0
    if profile == "smoke" and name.startswith(STEEP_AT_SMOKE) and not name.endswith("of_majority_guess"):
        return None
    at_smoke, above = next(rule for part, rule in TOLERANCES.items() if part in name)
    absolute = isinstance(value, int) or "epoch" in name        # also the mean of a few runs' best epochs
    scale = 100 if unit == "%" else 1 if absolute else max(1, abs(value))
    return round((at_smoke if profile == "smoke" else above) * scale, 6)


def expectations(metrics_folder: Path, profile: str) -> dict[str, dict[str, Any]]:
    """Return what reruns of a run are held to: notebook -> metric -> value (4 decimals) and tolerance.

    Raises
    ------
    Fashion16Error : no metrics there, or one that isn't a number
    """
    paths = sorted(metrics_folder.glob("[0-9]*.json"))
    if not paths:
        raise Fashion16Error(f"no metrics in {metrics_folder}; run: python -m fashion16_lib run --profile {profile}")
    return {path.stem: _expectations_of(path, profile) for path in paths}


def _expectations_of(path: Path, profile: str) -> dict[str, Any]:
    wanted = {}
    for name, record in read_metrics(path).items():
        if (tolerance := tolerance_of(record, profile)) is None:
            continue
        if not np.isfinite(record["value"]):
            raise Fashion16Error(f"{path}: {name} must be a finite number, got {record['value']}; mend its notebook")
        wanted[name] = {"value": round(record["value"], 4), "tolerance": tolerance}
    return wanted


def write_expected(path: Path, metrics_folder: Path, profile: str) -> None:
    """Write the expected values of a run; a notebook without any isn't named.

    People's archives of photos differ: a run on photos is held to them only where it has the same ones, by digest.
    """
    found = expectations(metrics_folder, profile).items()
    wanted: dict[str, Any] = {name: metrics for name, metrics in found if metrics}
    photos = {name: digest for name in wanted if (digest := _photos_of(metrics_folder / f"{name}.json"))}
    if photos:
        wanted[PHOTOS] = photos
    replace_file(path, (json.dumps(wanted, indent=1, ensure_ascii=False) + "\n").encode())


def _photos_of(path: Path) -> str:
    """Return the digest of the photos that a metrics file's numbers come from; "" for Fashion-MNIST."""
    about = json.loads(path.read_text(encoding="utf-8"))["provenance"] if path.is_file() else {}
    return about.get("dataset_sha256", "") if about.get("dataset", FASHION_MNIST) != FASHION_MNIST else ""


def compare_with_expected(expected_path: Path, metrics_folder: Path) -> list[dict[str, Any]]:
    """Compare a run's metrics with the expected ones.

    Returns
    -------
    one row a metric: notebook, name, expected, tolerance, found (None: missing), agrees

    Raises
    ------
    Fashion16Error : no expected values for this run, or they come from other photos
    """
    if not expected_path.is_file():
        raise Fashion16Error(
            f"no expected values at {expected_path}; write them from a run you trust: python -m fashion16_lib expect"
        )
    rows, expected = [], json.loads(expected_path.read_text(encoding="utf-8"))
    for notebook, digest in expected.pop(PHOTOS, {}).items():
        if (found := _photos_of(metrics_folder / f"{notebook}.json")) not in ("", digest):
            raise Fashion16Error(f"{expected_path.name} comes from other photos ({notebook}: {digest[:12]}..., here "
                                 f"{found[:12]}...): its numbers say nothing about yours")
    for notebook, wanted in expected.items():
        path = metrics_folder / f"{notebook}.json"
        records = read_metrics(path) if path.is_file() else {}
        for name, target in wanted.items():
            value = records.get(name, {}).get("value")
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


def comparison_table(rows: list[dict[str, Any]]) -> str:
    """Return compare_with_expected's rows as a table for people, differences first, and how many agree."""
    shown = [
        {
            "notebook": row["notebook"],
            "metric": row["name"],
            "expected": _number(row["expected"]),
            "tolerance": f"{row['tolerance']:g}",
            "found": "missing" if row["found"] is None else _number(row["found"]),
            "agrees": "yes" if row["agrees"] else "NO",
        }
        for row in sorted(rows, key=lambda row: row["agrees"])
    ]
    align = ("left", "left", "right", "right", "right", "left")
    table = pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True, colalign=align)
    n_agree = sum(row["agrees"] for row in rows)
    return f"{table}\n{n_agree} agree, {len(rows) - n_agree} differ"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
