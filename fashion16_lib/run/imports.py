"""Find the library files that a notebook's code imports, directly or through another; nothing is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import resolve_name
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent
ROOT = "fashion16_lib"


def library_files(sources: Iterable[str]) -> dict[str, str]:
    """Return path and text of every library file that the cells import; all files where we can't tell."""
    texts: dict[str, str] = {}
    lazy = _lazy_names()
    names = {name for source in sources for name in _imports(_parse(source), ROOT)}
    while names:
        name = names.pop()
        files = _files(lazy.get(name, name))
        for path in files if len(files) > 1 else LIBRARY.rglob("*.py"):
            key = path.relative_to(LIBRARY).as_posix()
            if key not in texts:
                texts[key] = path.read_text(encoding="utf-8")
                tree = _parse(texts[key])
                if key == "__init__.py":                # without its table: a new name in it concerns nobody
                    tree.body = [node for node in tree.body if not _table(node)]
                    texts[key] = ast.unparse(tree)
                names |= set(_imports(tree, ".".join([ROOT, *path.parent.relative_to(LIBRARY).parts])))
    return texts


def _parse(source: str) -> ast.Module:
    """Return the syntax tree, if need be without IPython's magics; what isn't Python may import everything."""
    for text in (source, re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", source)):
        with suppress(SyntaxError):
            return ast.parse(text)
    return ast.parse(f"import {ROOT}")


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the dotted names from our root on that the code imports or holds in a string."""
    for node in _executed(tree):
        match node:
            case ast.Import(aliases):
                yield from (alias.name for alias in aliases if alias.name.split(".")[0] == ROOT)
            case ast.ImportFrom(module, aliases, level):
                with suppress(ImportError):             # too many dots: the notebook itself will say so
                    base = resolve_name("." * level + (module or ""), package)
                    yield from (f"{base}.{alias.name}" for alias in aliases if base.split(".")[0] == ROOT)
            case ast.Constant(str() as text) if re.fullmatch(rf"{ROOT}(\.\w+)+", text) and len(_files(text)) > 1:
                yield text


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree, leaving out what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")):
            yield node
            yield from _executed(node)


def _files(name: str) -> list[Path]:
    """Return the files that importing a name executes: its packages' and its own, if it is a module."""
    parts = name.split(".")[1:]
    places = [LIBRARY.joinpath(*parts[:end]) for end in range(len(parts) + 1)]
    return [file for place in places for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]


def _lazy_names() -> dict[str, str]:
    """Return the table in the package's __init__ that says which module a name comes from."""
    tree = ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8"))
    tables = [ast.literal_eval(table) for node in tree.body if (table := _table(node))]
    return {f"{ROOT}.{name}": module for table in tables for name, module in table.items()}


def _table(node: ast.stmt) -> ast.expr | None:
    return node.value if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_LAZY" else None
