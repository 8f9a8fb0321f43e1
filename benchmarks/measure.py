"""What the benchmarks share: ratios taken side by side, the machine they were taken on, peak memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fashion16_lib.evaluate.timing import time_interleaved, times_of

STARTER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


@dataclass(frozen=True)
class Ratio:
    """A ratio's median and quartiles over interleaved rounds, with the bar it is held to ("<= 1.15"; "" for none)."""

    name: str
    median: float
    low: float
    high: float
    n: int
    bar: str = ""
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        """Tell whether the median keeps to the bar; None without one."""
        if not self.bar:
            return None
        sign, limit = self.bar.split()
        return self.median <= float(limit) if sign == "<=" else self.median >= float(limit)

    def as_record(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        return {**asdict(self), "holds": self.holds}


def ratio(
    name: str, above: Callable[[Any], Any], below: Callable[[Any], Any], queries: Sequence[Any], bar: str = "",
    n_warm_up: int = 10, pause_ms: float = 0,
) -> Ratio:
    """Time two ways on the same queries, one after the other; return above / below."""
    timed = time_interleaved({"above": above, "below": below}, queries, n_warm_up, pause_ms)
    return of_times(name, times_of(timed, "above"), times_of(timed, "below"), bar)


def of_times(name: str, ours: np.ndarray, theirs: np.ndarray, bar: str = "", note: str = "") -> Ratio:
    """Return the ratio of two ways' times of the same rounds."""
    low, median, high = np.quantile(ours / theirs, (0.25, 0.5, 0.75))
    detail = f"{np.median(ours):.4g} ms / {np.median(theirs):.4g} ms{note}"
    return Ratio(name, float(median), float(low), float(high), len(ours), bar, detail)


def machine() -> dict[str, Any]:
    """Describe the machine: what a ratio may depend on."""
    import psutil

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_at_start": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def peak_mib(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Run a command to its end; return its peak resident memory in MiB.

    A small process starts it: Linux counts to a process what the one had that started it.
    """
    started = subprocess.run([*python(STARTER), *command], env=environment, stdout=subprocess.PIPE, text=True)
    if started.returncode:
        raise SystemExit(f"{command[:4]} ended with status {started.returncode}")
    return int(started.stdout.splitlines()[-1]) / 1024


def python(code: str, *arguments: str) -> list[str]:
    """Return the command that runs a piece of code in a process of its own."""
    return [sys.executable, "-c", code, *arguments]
