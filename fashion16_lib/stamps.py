"""Read notebooks strictly, and say by content whether one has to run again."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import platform
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from .settings import build_folder, check_parameters, results_folder

LIBRARY = Path(__file__).resolve().parent
ROOT = "fashion16_lib"
WHOLE_LIBRARY = f"{ROOT}.*"
PACKAGES = (
    "keras", "tensorflow", "tensorflow-cpu", "numpy", "h5py", "opencv-python-headless", "scikit-learn", "matplotlib",
)
DECLARATIONS = ("requires", "reads", "writes")


# ---------------------------------------------------------------- one notebook

@dataclass(frozen=True)
class Notebook:
    """Hold what the runner knows of a notebook before it runs.

    Attributes
    ----------
    parameters : names and default values of the cell tagged `parameters`
    requires : what must be had besides the code, such as photos
    reads, writes : artefacts below the build folder, or below the results folder when they start with "results:"
    seconds : how long the committed run took, where the notebook says so
    """

    path: Path
    code: tuple[str, ...]
    parameters: dict[str, Any]
    requires: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    seconds: float | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Return the file's name without .ipynb."""
        return self.path.stem


def read_notebook(path: Path) -> Notebook:
    """Read a notebook; refuse one that is damaged, or has no clear parameters or declarations."""
    node = load_node(path)
    declared = node.metadata.get("fashion16", {})
    _check_declarations(path.name, declared)
    return Notebook(
        path, tuple(cell.source for cell in node.cells if cell.cell_type == "code"), _read_parameters(path.name, node),
        **{key: tuple(declared.get(key, ())) for key in DECLARATIONS},
        seconds=node.metadata.get("papermill", {}).get("duration"),
    )


def load_node(path: Path) -> nbformat.NotebookNode:
    """Return the parsed file with an id for every cell; refuse what isn't a whole notebook."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _add_cell_ids(content)
        node = nbformat.reads(json.dumps(content), as_version=4)
        nbformat.validate(node)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path.name} must be a whole notebook (JSON, nbformat 4), got {first_line!r}; "
            f"restore it: git checkout {path}"
        ) from error
    return node


def tagged(node: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    """Return the cells that carry a tag."""
    return [cell for cell in node.cells if tag in cell.metadata.get("tags", [])]


def _add_cell_ids(node: dict[str, Any]) -> None:
    if (node["nbformat"], node["nbformat_minor"]) >= (4, 5) or node["nbformat"] != 4:
        return
    for index, cell in enumerate(node["cells"]):            # nbformat would invent new ones at every reading
        cell["id"] = f"cell-{index:02d}"
    node["nbformat_minor"] = 5


def _read_parameters(name: str, node: nbformat.NotebookNode) -> dict[str, Any]:
    cells = tagged(node, "parameters")
    if len(cells) != 1 or cells[0].cell_type != "code":
        raise ValueError(
            f'{name} must have exactly one code cell tagged "parameters", got {len(cells)} tagged; '
            'tag it in JupyterLab: property inspector, Cell Tags'
        )
    if tagged(node, "injected-parameters"):
        raise ValueError(f'{name} must hold no cell tagged "injected-parameters", got one, left by a run; delete it')
    values = parse_parameters(cells[0].source, name)
    check_parameters(values)
    return values


def parse_parameters(source: str, name: str = "notebook") -> dict[str, Any]:
    """Return the values of a cell that holds nothing but UPPER_SNAKE = literal."""
    values: dict[str, Any] = {}
    try:
        for statement in ast.parse(source).body:
            target, value = _assignment(statement)
            values[target] = ast.literal_eval(value)
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{name}: the parameters cell must hold lines like N_BITS = 64 only (a name in capitals, a literal), "
            f"got {error}; move the rest to the next cell"
        ) from None
    return values


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        raise ValueError(repr(ast.unparse(statement)))
    if not isinstance(target, ast.Name) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", target.id) or statement.value is None:
        raise ValueError(repr(ast.unparse(statement)))
    return target.id, statement.value


def _check_declarations(name: str, declared: dict[str, Any]) -> None:
    if unknown := set(declared) - set(DECLARATIONS):
        raise ValueError(f"{name}: metadata fashion16 may hold {', '.join(DECLARATIONS)}, got {sorted(unknown)}")
    for key, values in declared.items():
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            raise ValueError(f"{name}: fashion16.{key} must be a list of names, got {values!r}")
    for artefact in [*declared.get("reads", []), *declared.get("writes", [])]:
        path = PurePosixPath(artefact.removeprefix("results:"))
        if path.is_absolute() or ".." in path.parts or "\\" in artefact:
            raise ValueError(f"{name}: an artefact must be a path below the build folder, got {artefact!r}")
    if both := set(declared.get("reads", [])) & set(declared.get("writes", [])):
        raise ValueError(f"{name} must not overwrite what it reads, got {sorted(both)} in both; name a new file")


# ---------------------------------------------------------------- which notebooks, which parameters

def choose_notebooks(names: list[str] | None, folder: Path) -> list[Path]:
    """Return the files of the named notebooks in the book's order (None: all); raise ValueError for an unknown name."""
    book = sorted(path for path in folder.glob("*.ipynb") if re.match(r"\d\d-", path.name))
    if not book:
        raise ValueError(f"{folder} must hold notebooks named NN-title.ipynb, got none; is this the project's folder?")
    if names is None:
        return book
    chosen = {_find_notebook(name, book) for name in names}
    return [path for path in book if path in chosen]


def _find_notebook(name: str, book: list[Path]) -> Path:
    wanted = Path(name).name.removesuffix(".ipynb")
    found = [path for path in book if wanted in (path.stem, path.stem[:2])]
    if len(found) == 1:
        return found[0]
    legal = [path.stem for path in found or book]
    raise ValueError(f"notebook must be one of {', '.join(legal)}, got {name!r}{_suggest(wanted, legal)}")


def _suggest(word: str, legal: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(legal), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def check_given(notebooks: list[Notebook], profile: str, given: dict[str, Any]) -> None:
    """Refuse a parameter that none of the notebooks has, or an illegal value."""
    legal = sorted({name for notebook in notebooks for name in notebook.parameters})
    for name in given:
        if name not in legal:
            where = notebooks[0].name if len(notebooks) == 1 else "the chosen notebooks"
            raise ValueError(f"unknown parameter {name}; {where} can take {', '.join(legal)}{_suggest(name, legal)}")
    if given.get("PROFILE", profile) != profile:
        raise ValueError(f"PROFILE must be the run's profile {profile!r}, got {given['PROFILE']!r}; set the profile")
    check_parameters({**given, "PROFILE": profile})


def parameters_in_force(notebook: Notebook, profile: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook's defaults with the profile and the given values put in."""
    asked = {**given, "PROFILE": profile}
    return {name: asked.get(name, default) for name, default in notebook.parameters.items()}


# ---------------------------------------------------------------- the library files that code imports

def library_files(sources: Iterable[str]) -> dict[str, str]:
    """Return path and text of every library file that the code imports, directly or through another."""
    texts: dict[str, str] = {}
    names = {name for source in sources for name in _imports(_parse(source), package=None)}
    while names:
        name = names.pop()
        files = sorted(LIBRARY.rglob("*.py")) if name == WHOLE_LIBRARY else [*_module_chain(name)]
        for path in files:
            key = path.relative_to(LIBRARY).as_posix()
            if key not in texts:
                tree = _library_tree(path)
                texts[key] = ast.unparse(tree) if tree and key == "__init__.py" else path.read_text(encoding="utf-8")
                names |= set(_imports(tree, package=_package_of(path)))
    return texts


def _parse(source: str) -> ast.Module | None:
    """Return the cell's syntax tree, without IPython's magics; None if it isn't Python."""
    for text in (source, re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", source)):
        try:
            return ast.parse(text)
        except SyntaxError:
            continue
    return None


def _library_tree(path: Path) -> ast.Module | None:
    """Return a module's tree; the package's own without its table of names, so that a new name concerns nobody."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:                                     # the notebook that imports it will say so better
        return None
    if path == LIBRARY / "__init__.py":
        tree.body = [node for node in tree.body if not (_assigns(node, "_LAZY", "__all__") or _type_checking(node))]
    return tree


def _imports(tree: ast.Module | None, package: str | None) -> Iterator[str]:
    """Yield the library's modules that the code imports or names in a string."""
    if tree is None:
        yield WHOLE_LIBRARY
        return
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.split(".")[0] == ROOT]
            yield from (WHOLE_LIBRARY if name == ROOT else name for name in ours)
        elif isinstance(node, ast.ImportFrom):
            yield from _from_import(node, package)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _module_file(node.value):
            yield node.value


def _from_import(node: ast.ImportFrom, package: str | None) -> Iterator[str]:
    base = node.module or ""
    if node.level and package:
        parents = package.split(".")
        base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
    if base.split(".")[0] != ROOT:
        return
    for alias in node.names:
        name = f"{base}.{alias.name}"
        if base == ROOT:
            lazy = _lazy_names().get(alias.name, name)
            yield lazy if _is_module(lazy) else WHOLE_LIBRARY
        else:
            yield name if _is_module(name) else base


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree, leaving out what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if not _type_checking(node):
            yield node
            yield from _executed(node)


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def _assigns(node: ast.stmt, *names: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in names for target in targets)


def _lazy_names() -> dict[str, str]:
    """Return the table in the package's __init__ that says which module a name comes from."""
    init = LIBRARY / "__init__.py"
    tree = ast.parse(init.read_text(encoding="utf-8") if init.is_file() else "")
    tables = [node.value for node in tree.body
              if isinstance(node, ast.Assign | ast.AnnAssign) and _assigns(node, "_LAZY") and node.value]
    return ast.literal_eval(tables[0]) if tables else {}


def _is_module(name: str) -> bool:
    return _module_file(name) is not None or LIBRARY.joinpath(*name.split(".")[1:]).is_dir()


def _module_file(name: str) -> Path | None:
    root, *parts = name.split(".")
    if root != ROOT or not all(part.isidentifier() for part in parts):
        return None
    base = LIBRARY.joinpath(*parts)
    candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in candidates[: 2 if parts else 1] if path.is_file()), None)


def _module_chain(name: str) -> Iterator[Path]:
    """Yield the files that importing a module executes: its packages' and its own."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if path := _module_file(".".join(parts[:end])):
            yield path


def _package_of(path: Path) -> str:
    return ".".join([ROOT, *path.parent.relative_to(LIBRARY).parts])


# ---------------------------------------------------------------- artefacts and stamps

def artefact_path(artefact: str, profile: str) -> Path:
    """Return where a declared artefact lies."""
    if artefact.startswith("results:"):
        return results_folder(profile) / artefact.removeprefix("results:")
    return build_folder(profile) / artefact


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file or folder, None if there is none; a .keras archive counts without its dates."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _sha(json.dumps([[file.relative_to(path).as_posix(), digest(file)] for file in files]))
    if not path.is_file():
        return None
    if path.suffix == ".keras" and (content := _archive_digest(path)):
        return content
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _archive_digest(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(set(archive.namelist()) - {"metadata.json"})     # holds the date of saving
            return _sha(json.dumps([[name, hashlib.sha256(archive.read(name)).hexdigest()] for name in names]))
    except (zipfile.BadZipFile, OSError, EOFError, ValueError):
        return None


def content_parts(notebook: Notebook, profile: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return all that a notebook's result depends on, by content."""
    return {
        "code cells": _sha(json.dumps(notebook.code)),
        "declarations": [notebook.requires, notebook.reads, notebook.writes],
        "library": {name: _sha(text) for name, text in library_files(notebook.code).items()},
        "parameters": parameters,
        "versions": _versions(),
        "inputs": {artefact: digest(artefact_path(artefact, profile)) for artefact in notebook.reads},
    }


def content_key(parts: dict[str, Any]) -> str:
    """Return the SHA-256 over the parts."""
    return _sha(json.dumps(parts, sort_keys=True))


def _versions() -> dict[str, str]:
    installed = {"python": ".".join(platform.python_version_tuple()[:2])}
    installed["backend"] = os.environ.get("KERAS_BACKEND", "tensorflow")
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "absent"
    return installed


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def executed_path(name: str, profile: str) -> Path:
    """Return where a notebook's good executed copy lies."""
    return build_folder(profile) / "notebooks" / f"{name}.ipynb"


def stamp_path(name: str, profile: str) -> Path:
    """Return where a notebook's stamp lies."""
    return build_folder(profile) / "stamps" / f"{name}.json"


def read_stamp(name: str, profile: str) -> dict[str, Any]:
    """Return a notebook's stamp, empty if there is none or it is damaged."""
    try:
        stamp = json.loads(stamp_path(name, profile).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and {"key", "parts", "results", "seconds"} <= set(stamp) else {}


def write_stamp(notebook: Notebook, profile: str, parts: dict[str, Any], seconds: float) -> None:
    """Record what a good run depended on and what it left."""
    results = _results(notebook, profile)
    stamp = {"key": content_key(parts), "parts": parts, "results": results, "seconds": round(seconds, 1)}
    path = stamp_path(notebook.name, profile)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)


def _results(notebook: Notebook, profile: str) -> dict[str, str | None]:
    results = {"executed notebook": digest(executed_path(notebook.name, profile))}
    return results | {artefact: digest(artefact_path(artefact, profile)) for artefact in notebook.writes}


def why_stale(notebook: Notebook, profile: str, parts: dict[str, Any]) -> str | None:
    """Return in words why the notebook has to run, None if its stamp is good."""
    stamp = read_stamp(notebook.name, profile)
    if not stamp:
        return "first run"
    if stamp["key"] != content_key(parts):
        return _what_changed(stamp["parts"], json.loads(json.dumps(parts)))
    results = _results(notebook, profile)
    lost = [name for name, value in results.items() if value is None or value != stamp["results"].get(name)]
    return f"missing or altered: {', '.join(lost)}" if lost else None


def _what_changed(old: dict[str, Any], new: dict[str, Any]) -> str:
    for part, value in new.items():
        before = old.get(part)
        if value != before and isinstance(value, dict) and isinstance(before, dict):
            names = sorted(name for name in value.keys() | before.keys() if value.get(name) != before.get(name))
            return f"{part} changed: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
        if value != before:
            return f"{part} changed"
    return "stamp of another version"
