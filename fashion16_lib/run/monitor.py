"""Show how far a run is: one line on a terminal, else a line for each start and end."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from statistics import median
from typing import Any

from tqdm import tqdm

from ..settings import build_folder
from .notebook import Notebook
from .stamps import read_stamp


class Monitor:
    """Follow a run cell by cell; progress() in a kernel reports from inside a long cell through `state_file`."""

    def __init__(self, notebooks: list[Notebook], run: str) -> None:
        self.state_file = (build_folder(run) / ".progress.json").resolve()
        self.expected = {one.name: read_stamp(one.name, run).get("seconds") or one.seconds for one in notebooks}
        self.taken: dict[str, float | None] = {}
        self.name, self.n_cells, self.cell_number, self.source = "", 0, 0, ""
        self.run_start = self.notebook_start = time.monotonic()
        self.stopped = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Monitor:
        self.watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        self.watcher.join()
        self.state_file.unlink(missing_ok=True)

    def begin(self, name: str, n_cells: int) -> None:
        """Note that a notebook starts."""
        self.name, self.n_cells, self.cell_number, self.source = name, n_cells, 0, ""
        self.notebook_start = time.monotonic()
        self._log(name, f"starts; {self._left()}")

    def cell(self, cell: Any, cell_index: int) -> None:
        """Note that a cell starts; papermill's own isn't counted."""
        self.state_file.unlink(missing_ok=True)
        self.cell_number += "injected-parameters" not in cell.metadata.get("tags", [])
        self.source = cell.source

    def end(self, name: str, status: str) -> float | None:
        """Note that a notebook is done with; return the seconds it took, None where it didn't run."""
        seconds = self.seconds() if self.name else None
        self.taken, self.name = {**self.taken, name: seconds}, ""        # never changed under the watcher's eyes
        self._log(name, f"{status}; {clock(seconds)}")
        return seconds

    def seconds(self) -> float:
        """Return the seconds since the notebook started."""
        return time.monotonic() - self.notebook_start

    def line(self) -> str:
        """Return where the run is, with the state that a long cell reports."""
        name, inside = self.name, ""
        where = f"{self._position(name)}, cell {self.cell_number} of {self.n_cells}" if name else "checking"
        with suppress(OSError, ValueError):             # none there, or caught in the middle of writing
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
            inside = f" | {state['task']} {state['done']}" + (f" of {state['total']}" if state["total"] else "")
        return f"{where} | {clock(time.monotonic() - self.run_start)} so far, {self._left()}{inside}"

    def _position(self, name: str) -> str:
        return f"notebook {list(self.expected).index(name) + 1} of {len(self.expected)} {name}"

    def _left(self) -> str:
        left = seconds_left(self.expected, self.taken, self.name, self.seconds())
        return "time left unknown" if left is None else f"about {clock(left)} left"

    def _log(self, name: str, what: str) -> None:
        if not sys.stderr.isatty():
            print(f"{self._position(name)} {what}", flush=True)

    def _watch(self) -> None:
        size = shutil.get_terminal_size()               # where a terminal says 0 by 0, tqdm alone shows nothing
        with tqdm(bar_format="{desc}", leave=False, disable=None, ncols=size.columns, nrows=size.lines) as bar:
            while not self.stopped.wait(1.0):
                bar.set_description_str(self.line()[: shutil.get_terminal_size().columns - 1])


def seconds_left(
    expected: dict[str, float | None], taken: dict[str, float | None], current: str = "", in_current: float = 0.0
) -> float | None:
    """Estimate the seconds still to go, scaled by the speed seen; None if no notebook's time is known.

    `expected` is what each took before, `taken` what those done with took now: None where unknown or not run. The
    speed is the median over notebooks, since one may have found its network trained, or not.
    """
    known = [seconds for seconds in expected.values() if seconds]
    if not known:
        return None
    typical = sum(known) / len(known)
    seen = [(took, before) for name, took in taken.items() if took and (before := expected[name])]
    speed = median(took / before for took, before in seen) if seen else 1.0
    left = {name: (seconds or typical) * speed for name, seconds in expected.items() if name not in taken}
    return sum(max(seconds - in_current, 0) if name == current else seconds for name, seconds in left.items())


def clock(seconds: float | None) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    return "-" if seconds is None else str(timedelta(seconds=round(seconds))).removeprefix("0:").removeprefix("0")
