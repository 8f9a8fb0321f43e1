"""Tell which photos a notebook stands on, whether they are there, and what tells them from others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.catalogue import find_photos
from ..data.dataset import CATALOGUES
from ..settings import FASHION_MNIST, Fashion16Error
from .notebook import Notebook


def why_not_here(notebook: Notebook, dataset: str) -> str | None:
    """Return why a notebook has no place in a run on a data set, None if it has."""
    own = notebook.parameters.get("DATASET")
    if own is None:
        return None if dataset == FASHION_MNIST else "has no DATASET parameter: on Fashion-MNIST only"
    return None if own in (FASHION_MNIST, dataset) else f"stands on {own}: run it with --dataset {own}"


def missing(dataset: str, path: str) -> str | None:
    """Return why a data set's photos can't be had, None if they are there."""
    try:
        photos_stamp([dataset], path)
    except (Fashion16Error, ValueError) as error:
        return str(error)
    return None


def sets_of(notebook: Notebook, values: dict[str, Any]) -> list[str]:
    """Return the sets of photos that a notebook reads: that of its DATASET, and those it requires."""
    chosen = [values["DATASET"]] if values.get("DATASET", FASHION_MNIST) != FASHION_MNIST else []
    return chosen + [name for name in notebook.requires if name in CATALOGUES and name not in chosen]


def photos_stamp(datasets: list[str], path: str) -> str:
    """Return sizes and times of the archives (the path is the first one's); raise where one isn't there."""
    stats = [_place(name, "" if number else path).stat() for number, name in enumerate(datasets)]
    return ", ".join(f"{stat.st_size} bytes of {stat.st_mtime_ns}" for stat in stats)


def _place(dataset: str, path: str) -> Path:
    if dataset in CATALOGUES:
        return find_photos(CATALOGUES[dataset], path)
    if not path or not Path(path).exists():
        raise Fashion16Error(f"{dataset} needs a zip or folder, got {path!r}; give its path (DATA_PATH, --data-path)")
    return Path(path)
