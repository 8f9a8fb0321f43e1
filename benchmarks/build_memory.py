"""Measure how much memory building a library takes: python benchmarks/build_memory.py DATA [options of build].

Each step runs in a process of its own; printed is the peak of its resident memory. What VGG-16 takes by itself, on one
batch, is shown beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ALONE = """
import numpy as np
from fashion16_lib.models.vgg16 import BATCH_SIZE, Vgg16Extractor
Vgg16Extractor("block4_pool", 64).extract(np.zeros((BATCH_SIZE, 64, 64, 3), np.uint8))
"""


def peak_mib(command: list[str]) -> float:
    """Run a command to its end; return its peak resident memory in MiB."""
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[:4]} ended with status {status}")
    return usage.ru_maxrss / 1024


def main(arguments: list[str]) -> None:
    """Print the two peaks and their difference."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "library.h5"
        alone = peak_mib([sys.executable, "-c", ALONE])
        build = peak_mib([sys.executable, "-m", "fashion16_lib", "build", "--data", *arguments, "--out", str(out)])
    print(f"VGG-16 on one batch: {alone:,.0f} MiB; building: {build:,.0f} MiB; beyond it: {build - alone:,.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
