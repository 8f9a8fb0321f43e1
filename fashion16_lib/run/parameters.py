"""Read a parameters cell, and refuse what nobody may set."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from ..settings import check_parameters


def parse_parameters(source: str, name: str = "notebook") -> dict[str, Any]:
    """Return the values of a cell that holds nothing but UPPER_SNAKE = literal."""
    try:
        return dict(_assigned(statement) for statement in ast.parse(source).body)
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{name}: the parameters cell must hold lines like N_BITS = 64 only (a name in capitals, a literal), "
            f"got {error}; move the rest to the next cell"
        ) from None


def _assigned(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
            if name.isupper():
                return name, ast.literal_eval(value)
    raise ValueError(repr(ast.unparse(statement)))


def check_given(given: dict[str, Any], profile: str, defaults: dict[str, dict[str, Any]]) -> None:
    """Refuse a parameter that none of the notebooks (name: defaults) has, or an illegal value."""
    legal = sorted({name for parameters in defaults.values() for name in parameters})
    for name in given:
        if name not in legal:
            where = next(iter(defaults)) if len(defaults) == 1 else "the chosen notebooks"
            advice = "".join(f"; did you mean {close}?" for close in difflib.get_close_matches(name, legal, n=1))
            raise ValueError(f"unknown parameter {name}; {where} can take {', '.join(legal)}{advice}")
    if given.get("PROFILE", profile) != profile:
        raise ValueError(f"PROFILE must be the run's profile {profile!r}, got {given['PROFILE']!r}; set the profile")
    check_parameters(given)


def parameters_in_force(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook's defaults with the given values put in."""
    return {name: given.get(name, default) for name, default in defaults.items()}
