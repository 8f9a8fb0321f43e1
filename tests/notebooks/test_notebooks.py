"""The committed notebooks: executed, readable, true at the smoke profile, and able to fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from book import NOTEBOOKS, ON_PHOTOS, ROOT, code_cells, prose_of

from fashion16_lib.evaluate.records import compare_with_expected
from fashion16_lib.settings import PARAMETERS, Fashion16Error

CHECKED = "NBVAL_CHECK_OUTPUT"


def nbval(*notebooks: Path, out: Path, library: Path = ROOT, photos: Path | str = "") -> subprocess.CompletedProcess:
    """Run nbval at the smoke profile in a child, results going to `out`."""
    environment = {**os.environ, "FASHION16_PROFILE": "smoke", "FASHION16_OUT": str(out), "PYTHONPATH": str(library),
                   "FASHION16_PHOTOS": str(photos),
                   "FASHION16_DATA": os.environ.get("FASHION16_DATA") or str(ROOT / "data")}
    options = ["-q", "-x", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", f"--rootdir={library}"]
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *options, *plugins, *map(str, notebooks)]
    return subprocess.run(command, env=environment, cwd=library, capture_output=True, text=True)


# ---------------------------------------------------------------- as committed

@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_f39_executed_top_to_bottom_and_clean(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs and not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not re.search(r"/(home|root|work|tmp|Users)/", json.dumps(outputs))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_parameters_cell_whose_comments_tell_the_legal_values(path):
    tagged = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        name, comment = re.fullmatch(r"([A-Z0-9_]+) = .*?#\s*(.*)", line).groups()
        legal = PARAMETERS[name].legal
        words = [word.strip("'\"") for word in re.findall(r"'[^']+'|\d+|True|False|multiple", legal)]
        assert [word for word in words if word not in comment] == [], (name, comment, legal)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_story_and_cell_lengths(path):
    for part in ("**What you will do.**", "**What you will learn.**", "**What you need.**", "## Paper and ours",
                 "## On your own", "## In practice"):
        assert part in prose_of(path)
    lengths = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert statistics.median(lengths) <= 6 and max(lengths) <= 30
    assert sum(cell.source.startswith(f"# {CHECKED}") for cell in code_cells(path)) >= 3


# ---------------------------------------------------------------- run at smoke

@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Run every notebook that stands on Fashion-MNIST once under nbval; give its outcome and where its results are."""
    out = tmp_path_factory.mktemp("smoke")
    return nbval(*[path for path in NOTEBOOKS if path not in ON_PHOTOS], out=out), out


@pytest.fixture(scope="session")
def smoke_run_on_photos(tmp_path_factory, photo_folder):
    """Do the same with those that stand on photos; skip where there are none."""
    out = tmp_path_factory.mktemp("smoke-on-photos")
    return nbval(*ON_PHOTOS, out=out, photos=photo_folder), out


def test_notebooks_are_true_at_smoke(smoke_run):
    outcome, _ = smoke_run
    assert outcome.returncode == 0, outcome.stdout[-4000:]


def test_notebooks_on_photos_are_true_at_smoke(smoke_run_on_photos):
    outcome, _ = smoke_run_on_photos
    assert outcome.returncode == 0, outcome.stdout[-4000:]


def differences(out: Path, run: str) -> list:
    try:
        rows = compare_with_expected(ROOT / f"results/expected/{run}.json", out / f"results/{run}/metrics")
    except Fashion16Error as error:
        pytest.skip(str(error))
    assert len(rows) >= 12
    return [row for row in rows if not row["agrees"]]


def test_smoke_metrics_are_as_expected(smoke_run):
    assert differences(smoke_run[1], "smoke") == []


def test_smoke_metrics_on_photos_are_as_expected(smoke_run_on_photos):
    assert differences(smoke_run_on_photos[1], "smoke-product-photos") == []


def test_f44_an_altered_output_fails(tmp_path):
    path = tmp_path / "notebooks" / "01-prepare-images.ipynb"
    path.parent.mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / path.name, as_version=4)
    cell = next(cell for cell in notebook.cells if "first.dtype, first.shape" in cell.source)
    cell.outputs[0]["text"] = cell.outputs[0]["text"].replace("uint8", "uint7")
    nbformat.write(notebook, path)
    outcome = nbval(path, out=tmp_path)
    assert outcome.returncode == 1 and "uint7" in outcome.stdout


def test_f43_log_lines_of_libraries_do_not_break_nbval(tmp_path):
    noise = nbformat.v4.new_code_cell(
        f"# {CHECKED}\nimport logging, sys\nlogging.warning('noise')\nprint('tick', file=sys.stderr)\nprint('same')",
        outputs=[nbformat.v4.new_output("stream", name="stdout", text="same\n")], execution_count=1)
    path = tmp_path / "noisy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[noise]), path)
    shutil.copy(ROOT / "notebooks/conftest.py", tmp_path)
    assert nbval(path, out=tmp_path).returncode == 0


PLANES, ENGINE, SEARCH = (f"search/{name}.py" for name in ("hyperplanes", "engines", "retrieval"))
FAULTS = {      # file, the right text, the wrong one, the notebook that must notice
    "sign of the planes' side": (PLANES, "self.project(features) >= 0", "self.project(features) < 0", "00"),
    "wrong axis": (PLANES, ">= 0, axis=1)", ">= 0, axis=0)", "00"),
    "no mean": (PLANES, "astype(np.float64) - self.mean)", "astype(np.float64))", "03"),
    "wrong class": (SEARCH, "probabilities.argmax(axis=1)", "probabilities.argmin(axis=1)", "00"),
    "order reversed": (ENGINE, "distances.astype(np.int64), places\n",
                       "distances.astype(np.int64)[:, ::-1], places[:, ::-1]\n", "00"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_makes_a_notebook_fail(fault, tmp_path):
    file, right, wrong, number = FAULTS[fault]
    shutil.copytree(ROOT / "fashion16_lib", tmp_path / "fashion16_lib", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "fashion16_lib" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(right) == 1, "the line to break has moved; point the fault at its new place"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    notebook = next(path for path in NOTEBOOKS if path.stem.startswith(number))
    outcome = nbval(notebook, out=tmp_path, library=tmp_path)
    assert outcome.returncode == 1, outcome.stdout[-3000:]
