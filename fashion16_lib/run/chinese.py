"""The Chinese edition: a notebook's code and outputs as they are, its prose from notebooks/zh."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import nbformat

from ..settings import Fashion16Error, home

MARK = re.compile(r"^<!-- ([0-9a-f]{12}) -->\n", re.MULTILINE)


def digest_of_prose(source: str) -> str:
    """Return the mark of a prose cell: a translation belongs to these very words."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def read_translation(path: Path) -> dict[str, str]:
    """Return the prose of a file of translations, mark of the English cell -> Chinese, in the file's order.

    Raises
    ------
    Fashion16Error : text before the first mark, or a mark twice
    """
    head, *parts = MARK.split(path.read_text(encoding="utf-8"))
    marks, texts = parts[::2], parts[1::2]
    if head.strip() or len(set(marks)) < len(marks):
        raise Fashion16Error(f"{path} must hold each cell once, after its mark <!-- 12 hex digits -->, got text before "
                             "the first mark, or a mark twice")
    return {mark: text.strip() for mark, text in zip(marks, texts, strict=True)}


def translated(node: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    """Return a notebook with its prose cells in Chinese; all else stays.

    Raises
    ------
    Fashion16Error : a prose cell without a translation (also one whose English has changed since), or too many
    """
    prose, node = read_translation(path), nbformat.from_dict(node)
    for number, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            mark = digest_of_prose(cell.source)
            if mark not in prose:
                raise Fashion16Error(f"{path.name} has no translation of cell {number} ({cell.source[:60]!r}); "
                                     f"translate it after the mark <!-- {mark} -->")
            cell.source = prose.pop(mark)
    if prose:
        raise Fashion16Error(f"{path.name} translates cells that the notebook no longer has: {', '.join(prose)}")
    return node


def translations() -> dict[str, Path]:
    """Return the notebooks that have a Chinese edition, name -> file of its prose."""
    return {path.stem: path for path in sorted((home() / "notebooks" / "zh").glob("*.md"))}


def write_chinese(folder: Path) -> list[Path]:
    """Write the Chinese edition's notebooks, for JupyterLab, into a folder two levels below the project's."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, prose in translations().items():
        node = translated(nbformat.read(home() / "notebooks" / f"{name}.ipynb", as_version=4), prose)
        for cell in node.cells:
            cell.source = cell.source.replace("](../", "](../../")
        written.append(folder / f"{name}.ipynb")
        nbformat.write(node, written[-1])
    return written
