"""Say what set-up lacks, before anything long is downloaded. Runs on any Python, so nothing newer than 2.7 is used."""

import os
import shutil
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED_GIB = 5          # packages 2.5, data and weights 0.3, feature cache and builds 1; the rest is air


def problems(folder):
    """Return one line for each thing that is missing, with its remedy."""
    found = []
    version = "%d.%d" % sys.version_info[:2]
    if not OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        found.append("Python 3.11, 3.12 or 3.13 is needed, got %s; install one, then: make PYTHON=python3.13" % version)
        return found
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        found.append("Python's venv module is missing; on Debian or Ubuntu: apt-get install python%s-venv" % version)
    free = shutil.disk_usage(folder).free / 2.0**30
    if free < NEEDED_GIB:
        found.append("%d GiB of free disk space are needed in %s, got %.1f; make room or clone elsewhere"
                     % (NEEDED_GIB, folder, free))
    return found


if __name__ == "__main__":
    missing = problems(os.getcwd())
    for line in missing:
        sys.stderr.write("set-up: " + line + "\n")
    sys.exit(1 if missing else 0)
