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
import pandas as pd
import pytest

from fashion16_lib.evaluate.records import compare_with_expected, read_metrics
from fashion16_lib.run import run_notebooks
from fashion16_lib.search.library import Library
from fashion16_lib.settings import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
CHECKED = "NBVAL_CHECK_OUTPUT"


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def prose_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def nbval(*notebooks: Path, out: Path, library: Path = ROOT) -> subprocess.CompletedProcess:
    """Run nbval at the smoke profile in a child, results going to `out`."""
    environment = {**os.environ, "FASHION16_PROFILE": "smoke", "FASHION16_OUT": str(out), "PYTHONPATH": str(library),
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
    """Run every notebook once under nbval; give its outcome and the folder of its results."""
    out = tmp_path_factory.mktemp("smoke")
    return nbval(*NOTEBOOKS, out=out), out


@pytest.mark.xdist_group("smoke")
def test_notebooks_are_true_at_smoke(smoke_run):
    outcome, _ = smoke_run
    assert outcome.returncode == 0, outcome.stdout[-4000:]


@pytest.mark.xdist_group("smoke")
def test_smoke_metrics_are_as_expected(smoke_run):
    rows = compare_with_expected(ROOT / "results/expected/smoke.json", smoke_run[1] / "results/smoke/metrics")
    assert len(rows) >= 12
    assert [row for row in rows if not row["agrees"]] == []


@pytest.mark.xdist_group("altered")
def test_f44_an_altered_output_fails(tmp_path):
    path = tmp_path / "notebooks" / "01-prepare-images.ipynb"
    path.parent.mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / path.name, as_version=4)
    cell = next(cell for cell in notebook.cells if "print(photos.train.images.dtype" in cell.source)
    cell.outputs[0]["text"] = cell.outputs[0]["text"].replace("uint8", "uint7")
    nbformat.write(notebook, path)
    outcome = nbval(path, out=tmp_path)
    assert outcome.returncode == 1 and "uint7" in outcome.stdout


@pytest.mark.xdist_group("altered")
def test_f43_log_lines_of_libraries_do_not_break_nbval(tmp_path):
    noise = nbformat.v4.new_code_cell(
        f"# {CHECKED}\nimport logging, sys\nlogging.warning('noise')\nprint('tick', file=sys.stderr)\nprint('same')",
        outputs=[nbformat.v4.new_output("stream", name="stdout", text="same\n")], execution_count=1)
    path = tmp_path / "noisy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[noise]), path)
    shutil.copy(ROOT / "notebooks/conftest.py", tmp_path)
    assert nbval(path, out=tmp_path).returncode == 0


PLANES, CODES, SEARCH = (f"search/{name}.py" for name in ("hyperplanes", "hamming", "retrieval"))
FAULTS = {      # file, the right text, the wrong one, the notebook that must notice
    "sign of the planes' side": (PLANES, "self.project(features) >= 0", "self.project(features) < 0", "00"),
    "wrong axis": (PLANES, ">= 0, axis=1)", ">= 0, axis=0)", "00"),
    "no mean": (PLANES, "astype(np.float64) - self.mean)", "astype(np.float64))", "03"),
    "wrong class": (SEARCH, "int(np.argmax(probabilities[0]))", "int(np.argmin(probabilities[0]))", "00"),
    "order reversed": (CODES, "np.sort(order) % max(n, 1)", "np.sort(order)[::-1] % max(n, 1)", "00"),
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


# ---------------------------------------------------------------- "On your own"

EXERCISES = (
    ("00-start-here", {"N_BITS": 16, "QUERY": 12, "N_GARMENTS": 400}),
    ("01-prepare-images", {"MEAN": "none"}),
    ("01-prepare-images", {"MEAN": "image"}),
    ("02-train-classifier", {"DROPOUT": False, "MEAN": "none"}),
    ("03-hash-with-vgg16", {"CENTRED": False}),
    ("03-hash-with-vgg16", {"N_BITS": 16}),
    ("04-build-library", {"N_BITS": 256, "CENTRED": False}),
    ("05-search-by-image", {"QUERY": 23, "DECIDER": "table-1", "N_HITS": 5}),
)


def outputs_of(out: Path, name: str) -> str:
    path = out / "build/smoke/notebooks" / f"{name}.ipynb"
    return "\n".join(json.dumps(cell.outputs) for cell in code_cells(path))


def results_of(out: Path, name: str) -> dict[str, float]:
    return {key: record["value"] for key, record in read_metrics(out / f"results/smoke/metrics/{name}.json").items()}


@pytest.fixture(scope="session")
def exercise_run(tmp_path_factory):
    """Run every exercise in the order of the book; give what each left behind."""
    out, left = tmp_path_factory.mktemp("exercises"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_OUT", str(out))
        for name, parameters in EXERCISES:
            assert run_notebooks([name], "smoke", parameters) == 0, (name, parameters)
            metrics = results_of(out, name) if name != "00-start-here" else {}
            left[name, *parameters.values()] = outputs_of(out, name), metrics
    return out, left


def test_every_exercise_of_the_book_is_run():
    for path in NOTEBOOKS:
        section = prose_of(path).split("## On your own")[1].split("## In practice")[0]
        told = set(re.findall(r"`([A-Z_]+ = [^`]+)`", section))
        run = {f"{key} = {json.dumps(value) if isinstance(value, str) else value}"
               for name, parameters in EXERCISES if name == path.stem for key, value in parameters.items()}
        assert told == run, path.stem


@pytest.mark.xdist_group("smoke")
def test_exercises_of_00(exercise_run):
    hits = pd.read_csv(exercise_run[0] / "results/smoke/figures/00-query-and-hits.csv")
    assert (hits["similarity"] * 16 % 1 == 0).all() and hits["distance"].duplicated().any()
    assert "(400, (28, 28)" in exercise_run[1]["00-start-here", 16, 12, 400][0]


@pytest.mark.xdist_group("smoke")
def test_exercises_of_01(exercise_run):
    _, left = exercise_run
    assert "each picture's own mean is 0: True" in left["01-prepare-images", "image"][0]
    assert "no value below 0: True" in left["01-prepare-images", "none"][0]
    assert "no value below 0: False" in left["01-prepare-images", "image"][0]


@pytest.mark.xdist_group("smoke")
def test_exercises_of_02(exercise_run, smoke_run):
    folders = smoke_run[1], exercise_run[0]
    base, changed = (pd.read_csv(out / "results/smoke/tables/02-history.csv") for out in folders)
    assert changed["accuracy"].iloc[-1] > base["accuracy"].iloc[-1]
    accuracy = [results_of(out, "02-train-classifier")["test_accuracy"] for out in folders]
    assert abs(accuracy[0] - accuracy[1]) < 0.1


@pytest.mark.xdist_group("smoke")
def test_exercises_of_03(exercise_run, smoke_run):
    few_bits, uncentred = (exercise_run[1]["03-hash-with-vgg16", value][1] for value in (16, False))
    base = results_of(smoke_run[1], "03-hash-with-vgg16")
    assert few_bits["ties_at_20"] > 0.9 and few_bits["ties_at_20"] > base["ties_at_20"]
    assert uncentred["ties_at_20"] > base["ties_at_20"]


@pytest.mark.xdist_group("smoke")
def test_exercises_of_04(exercise_run):
    library = Library(exercise_run[0] / "build/smoke/library.h5")
    assert library.n_bits == 256 and library.class_codes(0)[0].shape[1] == 32
    assert (library.hasher.mean == 0).all()


@pytest.mark.xdist_group("smoke")
def test_exercises_of_05(exercise_run, smoke_run):
    out = exercise_run[0]
    assert len(pd.read_csv(out / "results/smoke/figures/05-query-and-hits.csv")) == 5
    changed, base = (results_of(folder, "05-search-by-image") for folder in (out, smoke_run[1]))
    in_class = changed["in_class_precision_at_20_true_class_library"]
    assert in_class == pytest.approx(changed["decider_accuracy"], abs=1e-9)
    assert changed["decider_accuracy"] != base["decider_accuracy"]
