"""How much memory building a library takes, beyond what VGG-16 takes by itself on one batch.

In `make bench` for Fashion-MNIST's quick gallery. For a data set of one's own, without the cached features:

    python benchmarks/build_memory.py DATA [options of build]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import peak_mib, python

from fashion16_lib.models.vgg16 import choose_runtime
from fashion16_lib.settings import RUNTIMES, data_folder, photos_folder

ALONE = """
import sys
import numpy as np
from fashion16_lib.models.vgg16 import BATCH_SIZE, Vgg16Extractor
Vgg16Extractor("block4_pool", 64, sys.argv[1]).extract(np.zeros((BATCH_SIZE, 64, 64, 3), np.uint8))
"""


def peaks(arguments: list[str]) -> dict[str, float]:
    """Return the peaks in MiB: of each runtime on one batch, of a build, and of the build beyond its runtime."""
    found = {f"VGG-16 in {runtime}, one batch": peak_mib(python(ALONE, runtime)) for runtime in RUNTIMES}
    with tempfile.TemporaryDirectory() as folder:
        for each in ("weights", "fashion-mnist"):               # all but the cache
            (Path(folder) / each).symlink_to(data_folder() / each)
        out = str(Path(folder) / "library.h5")
        command = [sys.executable, "-m", "fashion16_lib", "build", "--out", out, "--data", *arguments]
        elsewhere = {"FASHION16_PHOTOS": str(photos_folder()), "FASHION16_DATA": folder}
        found["build"] = peak_mib(command, {**os.environ, **elsewhere})
    found["build, beyond the runtime"] = found["build"] - found[f"VGG-16 in {choose_runtime()}, one batch"]
    return found


def run() -> dict[str, Any]:
    """Return the peaks for 6,000 garments of Fashion-MNIST."""
    found = peaks(["fashion-mnist", "--profile", "quick"])
    return {"peaks": [{"what": name, "mib": round(mib)} for name, mib in found.items()]}


if __name__ == "__main__":
    for name, mib in peaks(sys.argv[1:]).items():
        print(f"{name}: {mib:,.0f} MiB")
