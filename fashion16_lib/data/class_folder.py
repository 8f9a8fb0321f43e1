"""Read people's own data: a folder, or a zip, whose sub-folders are the classes."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np

from fashion16_lib.data.pictures import SUFFIXES, Pictures, unreadable
from fashion16_lib.data.store import Folder, open_store


def scan_class_folder(path: str | Path) -> tuple[Pictures, np.ndarray, tuple[str, ...], dict[str, str]]:
    """List the pictures of a folder or zip whose sub-folders are classes, without those that can't be decoded.

    A zip may hold that folder inside another.

    Returns
    -------
    pictures : sorted by name, the path with forward slashes, as text
    labels : (n,) int64, indices into class_names
    class_names : the sub-folders that hold pictures, sorted as text
    skipped : name -> why it was left out

    Raises
    ------
    ValueError : no such folder, no class folders, or fewer than two classes with pictures
    """
    if not Path(path).exists():
        raise ValueError(f"{path}: got no folder, expected one with a sub-folder for each class; check the path")
    store = open_store(path)
    skipped: dict[str, str] = {}
    names = store.names(skipped)
    depth = 0 if isinstance(store, Folder) else _folders_around(names)
    good = []
    for name in names:
        if reason := _reason_by_name(name, depth):
            skipped[os.fsencode(name).decode("utf-8", "replace")] = reason
        else:
            good.append(name)
    damaged = unreadable(store, good)
    names, skipped = [name for name in good if name not in damaged], dict(sorted((skipped | damaged).items()))
    folders = [name.split("/")[depth] for name in names]
    class_names = tuple(sorted(set(folders)))
    if len(class_names) < 2:
        raise ValueError(_too_few(path, class_names, skipped))
    number = {name: label for label, name in enumerate(class_names)}
    return Pictures(store, names), np.array([number[name] for name in folders], np.int64), class_names, skipped


def _folders_around(names: list[str]) -> int:
    """Return how many folders all pictures of a zip lie in before they part."""
    parents = [PurePosixPath(name).parts[:-1] for name in names if name.lower().endswith(SUFFIXES)]
    depth = 0
    while parents and all(len(parts) > depth + 1 for parts in parents) and len({parts[depth] for parts in parents}) < 2:
        depth += 1
    return depth


def _reason_by_name(name: str, depth: int) -> str:
    path = PurePosixPath(name)
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        return "the name holds line breaks or bytes that are no text; rename it"
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return f"not a {', '.join(SUFFIXES)} file"
    return "" if len(path.parts) > depth + 1 else "not in a class folder"


def _too_few(root: str | Path, class_names: tuple[str, ...], skipped: dict[str, str]) -> str:
    named = f" ({', '.join(class_names)})" if class_names else ""
    left_out = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
    more = f"; left out {len(skipped)} in all{left_out}" if skipped else ""
    return (f"{root}: got {len(class_names)} classes with pictures{named}, expected at least 2; "
            f"put the {', '.join(SUFFIXES)} files of each class into a sub-folder of its own{more}")
