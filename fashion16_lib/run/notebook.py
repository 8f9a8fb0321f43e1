"""Read notebooks strictly: which belong to the book, what one holds and declares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from ..settings import check_parameters
from .parameters import parse_parameters

DECLARATIONS = ("requires", "reads", "writes")


@dataclass(frozen=True)
class Notebook:
    """Hold what the runner knows of a notebook before it runs.

    Attributes
    ----------
    parameters : names and default values of the cell tagged `parameters`
    seconds : how long the committed run took, where the notebook says so
    requires : what must be had besides the code, such as photos
    reads, writes : artefacts below the build folder, or below the results folder when they start with "results:"
    """

    path: Path
    n_cells: int
    code: tuple[str, ...]
    parameters: dict[str, Any]
    seconds: float | None
    requires: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the file's name without .ipynb."""
        return self.path.stem


def choose_notebooks(names: list[str] | None, folder: Path) -> list[Path]:
    """Return the files of the named notebooks in the book's order (None: all); raise ValueError for an unknown name."""
    book = {path.stem: path for path in sorted(folder.glob("[0-9][0-9]-*.ipynb"))}
    if not book:
        raise ValueError(f"{folder} must hold notebooks named NN-title.ipynb, got none; is this the project's folder?")
    chosen = set()
    for name in book if names is None else names:
        found = [stem for stem in book if Path(name).name.removesuffix(".ipynb") in (stem, stem[:2])]
        if len(found) != 1:
            raise ValueError(f"notebook must be one of {', '.join(found or book)}, got {name!r}")
        chosen.add(found[0])
    return [book[stem] for stem in book if stem in chosen]


def read_notebook(path: Path) -> Notebook:
    """Read a notebook; refuse one that is damaged, or has no clear parameters or declarations."""
    node = load_node(path)
    cells = tagged(node, "parameters") + tagged(node, "injected-parameters")
    if [cell.cell_type for cell in cells] != ["code"]:
        raise ValueError(
            f'{path.name} must have exactly one code cell tagged "parameters", got {len(cells)} (with those that a '
            "run injected); change the tags in JupyterLab: property inspector, Cell Tags"
        )
    code = tuple(cell.source for cell in node.cells if cell.cell_type == "code")
    parameters = parse_parameters(cells[0].source, path.name)
    check_parameters(parameters)
    seconds = node.metadata.get("papermill", {}).get("duration")
    declared = _declared(path.name, node.metadata.get("fashion16", {}))
    return Notebook(path, len(node.cells), code, parameters, seconds, **declared)


def _declared(name: str, declared: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    if unknown := set(declared) - set(DECLARATIONS):
        raise ValueError(f"{name}: metadata fashion16 may hold {', '.join(DECLARATIONS)}, got {sorted(unknown)}")
    for key, values in declared.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name}: fashion16.{key} must be a list of names, got {values!r}")
        for path in (PurePosixPath(value.removeprefix("results:")) for value in values):
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name}: fashion16.{key} must hold a path below the build folder, got {path}")
    if both := set(declared.get("reads", [])) & set(declared.get("writes", [])):
        raise ValueError(f"{name} must not overwrite what it reads, got {sorted(both)} in both; name a new file")
    return {key: tuple(declared.get(key, ())) for key in DECLARATIONS}


def load_node(path: Path) -> nbformat.NotebookNode:
    """Return the parsed file; refuse what isn't a whole notebook."""
    try:
        node = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(node)
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(
            f"{path.name} must be a whole notebook (JSON, nbformat 4), got {str(error).splitlines()[0]!r}; "
            f"restore it: git checkout {path}"
        ) from error
    return node


def tagged(node: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    """Return the cells that carry a tag."""
    return [cell for cell in node.cells if tag in cell.metadata.get("tags", [])]
