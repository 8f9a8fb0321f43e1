"""Progress with time left: a bar for people, a small file for the notebook runner."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], task: str, total: int | None = None, unit: str = "step") -> Iterator[Item]:
    """Yield the items while showing how far we are and how long it still takes.

    On a terminal, or in a notebook that somebody watches, this is a tqdm bar that disappears when done.
    Under the runner (FASHION16_PROGRESS names a file) the state goes to that file, so that the bar of the whole run
    can show it and no bar is left in the notebook's outputs.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    report_to = os.environ.get("FASHION16_PROGRESS")
    if report_to:
        yield from _reported(items, task, total, Path(report_to))
    else:
        quiet = not (sys.stderr.isatty() or "ipykernel" in sys.modules)
        yield from tqdm(items, desc=task, total=total, unit=unit, leave=False, delay=1, disable=quiet)


def _reported(items: Iterable[Item], task: str, total: int | None, path: Path) -> Iterator[Item]:
    last = 0.0
    for done, item in enumerate(items):
        if time.monotonic() - last > 0.5:
            path.write_text(json.dumps({"task": task, "done": done, "total": total}), encoding="utf-8")
            last = time.monotonic()
        yield item
