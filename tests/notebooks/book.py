"""The committed notebooks, for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

import nbformat

from fashion16_lib.run.notebook import read_notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))


def data_of(path: Path) -> str:
    """Return the data set that a notebook stands on by default."""
    return read_notebook(path).parameters.get("DATASET", "fashion-mnist")


ON_PHOTOS = [path for path in NOTEBOOKS if data_of(path) != "fashion-mnist"]


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def prose_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
