"""The committed notebooks: executed, readable, true at the smoke profile, and able to fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
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
    ("02-train-classifier", {}),
    ("02-train-classifier", {"DROPOUT": False, "MEAN": "none"}),
    ("03-hash-with-vgg16", {"CENTRED": False}),
    ("03-hash-with-vgg16", {"N_BITS": 16}),
    ("04-build-library", {"N_BITS": 256, "CENTRED": False}),
    ("05-search-by-image", {"QUERY": 23, "DECIDER": "table-1", "N_HITS": 5}),
    ("10-classify-precisely", {"N_RUNS": 3, "MEAN": "none"}),
    ("11-grow-the-data", {"N_AUGMENTED": 3000}),
    ("11-grow-the-data", {"SEED": 1}),
    ("12-time-a-query", {"N_TIMED": 50, "SEED": 1}),
    ("13-compare-sift-and-cnn", {"KEYPOINTS": "detected"}),
    ("13-compare-sift-and-cnn", {"N_WORDS": 20}),
    ("14-compare-direct-and-in-class", {"N_CLASSES": 10, "DECIDER": "table-1"}),
    ("19-judge-every-claim", {"MEAN": "none", "SEED": 1}),
    ("20-choose-bits-tables-and-probes", {"BITS_PER_TABLE": 4}),
    ("20-choose-bits-tables-and-probes", {"BITS_PER_TABLE": 16, "N_SEEDS": 1}),
    ("21-test-the-theory", {"N_BITS": 64}),
    ("21-test-the-theory", {"N_PAIRS": 1000, "SEED": 1}),
    ("22-choose-layer-and-pixels", {"POOLING": "average"}),
    ("22-choose-layer-and-pixels", {"N_BITS": 256}),
    ("23-learn-the-hash", {"N_ROTATIONS": 1}),
    ("23-learn-the-hash", {"SEED": 3}),
    ("24-rank-the-gaps", {"N_BITS": 256, "SEED": 4}),
)
BASE = json.loads((ROOT / "results/expected/smoke.json").read_text(encoding="utf-8"))      # without any exercise


@dataclass(frozen=True)
class Left:
    """What an exercise left behind: the text of its outputs, its metrics' values, and its results folder's tables."""

    outputs: str
    metrics: dict[str, dict]
    tables: dict[str, pd.DataFrame]

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]["value"]


def outputs_of(out: Path, name: str) -> str:
    path = out / "build/smoke/notebooks" / f"{name}.ipynb"
    return "\n".join(json.dumps(cell.outputs) for cell in code_cells(path))


def what_is_left(out: Path, name: str) -> Left:
    results = out / "results/smoke"
    metrics = results / f"metrics/{name}.json"
    files = [*results.glob(f"figures/{name[:2]}-*.csv"), *results.glob(f"tables/{name[:2]}-*.csv")]
    return Left(outputs_of(out, name), read_metrics(metrics) if metrics.is_file() else {},
                {path.stem: pd.read_csv(path) for path in files})


def expected(name: str) -> dict[str, float]:
    return {key: target["value"] for key, target in BASE[name].items()}


@pytest.fixture(scope="session")
def exercises(tmp_path_factory):
    """Run every exercise in the order of the book; give what each left behind, by number and changed values."""
    out, left = tmp_path_factory.mktemp("exercises"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_OUT", str(out))
        for name, parameters in EXERCISES:
            assert run_notebooks([name], "smoke", parameters) == 0, (name, parameters)
            left[name[:2], *parameters.values()] = what_is_left(out, name)
            if name.startswith("04"):
                left["library"] = Library((out / "build/smoke/library.h5").read_bytes())
            if name.startswith("19"):
                left["claims"] = json.loads((out / "results/smoke/claims.json").read_text(encoding="utf-8"))
    return left


def test_every_exercise_of_the_book_is_run():
    for path in NOTEBOOKS:
        section = prose_of(path).split("## On your own")[1].split("## In practice")[0]
        told = set(re.findall(r"`([A-Z_]+ = [^`]+)`", section))
        run = {f"{key} = {json.dumps(value) if isinstance(value, str) else value}"
               for name, parameters in EXERCISES if name == path.stem for key, value in parameters.items()}
        assert told == run, path.stem


@pytest.mark.xdist_group("exercises")
def test_exercises_of_00(exercises):
    left = exercises["00", 16, 12, 400]
    hits = left.tables["00-query-and-hits"]
    assert (hits["similarity"] * 16 % 1 == 0).all() and hits["distance"].duplicated().any()
    assert "(400, (28, 28)" in left.outputs


@pytest.mark.xdist_group("exercises")
def test_exercises_of_01(exercises):
    assert "each picture's own mean is 0: True" in exercises["01", "image"].outputs
    assert "no value below 0: True" in exercises["01", "none"].outputs
    assert "no value below 0: False" in exercises["01", "image"].outputs


@pytest.mark.xdist_group("exercises")
def test_exercises_of_02(exercises):
    base, changed = exercises["02",], exercises["02", False, "none"]
    last = [left.tables["02-history"]["accuracy"].iloc[-1] for left in (base, changed)]
    assert last[1] > last[0]
    assert abs(base["test_accuracy"] - changed["test_accuracy"]) < 0.1


@pytest.mark.xdist_group("exercises")
def test_exercises_of_03(exercises):
    few_bits, uncentred, base = exercises["03", 16], exercises["03", False], expected("03-hash-with-vgg16")
    assert few_bits["ties_at_20"] > 0.9 and few_bits["ties_at_20"] > base["ties_at_20"]
    assert uncentred["ties_at_20"] > base["ties_at_20"]


@pytest.mark.xdist_group("exercises")
def test_exercises_of_04(exercises):
    library = exercises["library"]
    assert library.n_bits == 256 and library.class_codes(0)[0].shape[1] == 32
    assert (library.hasher.mean == 0).all()


@pytest.mark.xdist_group("exercises")
def test_exercises_of_05(exercises):
    left = exercises["05", 23, "table-1", 5]
    assert len(left.tables["05-query-and-hits"]) == 5
    assert left["in_class_precision_at_20_true_class_library"] == pytest.approx(left["decider_accuracy"], abs=1e-9)
    assert left["decider_accuracy"] != pytest.approx(expected("05-search-by-image")["decider_accuracy"], abs=1e-4)


@pytest.mark.xdist_group("exercises")
def test_exercises_of_10(exercises):
    left = exercises["10", 3, "none"]
    slower = left.metrics["training_loss_with_minus_without_dropout"]
    assert slower["n"] == 3 and slower["low"] < slower["value"] < slower["high"]
    assert slower["value"] > 0


@pytest.mark.xdist_group("exercises")
def test_exercises_of_11(exercises):
    augmented, base = exercises["11", 3000], expected("11-grow-the-data")
    assert list(augmented.tables["11-growth"]["n_train"])[-2:] == [2000, 3000]
    assert augmented["power_law_exponent"] == pytest.approx(base["power_law_exponent"], abs=0.05)
    other = exercises["11", 1].metrics["power_law_exponent"]
    assert other["high"] < 0 and other["value"] != augmented["power_law_exponent"]


@pytest.mark.xdist_group("exercises")
def test_exercises_of_12(exercises):
    left = exercises["12", 50, 1]
    assert left.metrics["query_time_ms_p50"]["n"] == 50
    assert left["extract_time_ms_p50"] > 0.5 * left["query_time_ms_p50"]
    steps = left["n_bits_for_equal_precision"] / expected("12-time-a-query")["n_bits_for_equal_precision"]
    assert 0.5 <= steps <= 2


@pytest.mark.xdist_group("exercises")
def test_exercises_of_13(exercises):
    detected, few_words, base = exercises["13", "detected"], exercises["13", 20], expected("13-compare-sift-and-cnn")
    assert detected["sift_accuracy"] < base["sift_accuracy"] - 0.1
    assert detected["sift_direct_precision_at_20"] < base["sift_direct_precision_at_20"]
    assert detected["sift_accuracy"] < few_words["sift_accuracy"] < base["sift_accuracy"] + 0.02
    assert few_words["n_words"] == 20


@pytest.mark.xdist_group("exercises")
def test_exercises_of_14(exercises):
    left, base = exercises["14", 10, "table-1"], expected("14-compare-direct-and-in-class")
    for kind in ("precision_at_20", "instance_recall_at_20"):
        assert left[f"likeliest_classes_{kind}"] == pytest.approx(left[f"direct_{kind}"], abs=1e-9)
    assert left["identity_largest_gap"] < 1e-9
    assert left["hits_of_the_query_class"] != pytest.approx(base["hits_of_the_query_class"], abs=1e-4)


@pytest.mark.xdist_group("exercises")
def test_exercises_of_19(exercises):
    verdicts = {claim["id"]: claim["verdict"] for claim in exercises["claims"]}
    assert verdicts["input-range"] == "reproduced"
    assert "growth stands by chance in fewer than 1 of 6 permutations: True" in exercises["19", "none", 1].outputs
    assert "shuffled codes follow no angle: True" in exercises["19", "none", 1].outputs


@pytest.mark.xdist_group("exercises")
def test_exercises_of_20(exercises):
    wide, narrow, base = exercises["20", 4], exercises["20", 16, 1], expected("20-choose-bits-tables-and-probes")
    for name in ("looked_at_one_table", "recall_of_one_table"):
        assert wide[name] > 2 * base[name] and narrow[name] < base[name] / 2
    seeds = next(table for name, table in narrow.tables.items() if {"lowest seed", "highest seed"} <= set(table))
    assert (seeds["lowest seed"] == seeds["highest seed"]).all()


@pytest.mark.xdist_group("exercises")
def test_exercises_of_21(exercises):
    def width(left, name="slope_centred"):
        return left.metrics[name]["high"] - left.metrics[name]["low"]

    few_planes, few_pairs = exercises["21", 64], exercises["21", 1000, 1]
    assert 3 * width(few_pairs) < width(few_planes) < 12 * width(few_pairs)
    assert few_pairs["slope_centred"] != pytest.approx(expected("21-test-the-theory")["slope_centred"], abs=1e-5)
    assert few_pairs.metrics["slope_centred"]["low"] < 1 < few_pairs.metrics["slope_centred"]["high"]


@pytest.mark.xdist_group("exercises")
def test_exercises_of_22(exercises):
    pooled, longer = exercises["22", "average"], exercises["22", 256]
    base = expected("22-choose-layer-and-pixels")
    for name in [name for name in base if name.startswith("precision_at_20_")]:
        assert longer[name] > base[name] + 0.02
    drawn = pooled.tables["22-precision-and-cost"].set_index("kind")["y"]
    assert drawn["block3_pool"] < base["precision_at_20_block3_pool_32_px_flat"]


@pytest.mark.xdist_group("exercises")
def test_exercises_of_23(exercises):
    one_turn, other_seed, base = exercises["23", 1], exercises["23", 3], expected("23-learn-the-hash")
    assert base["random_64_bits_map"] < one_turn["itq_64_bits_map"] < base["itq_64_bits_map"]
    moved = {name: abs(other_seed[f"{name}_48_bits_map"] - base[f"{name}_48_bits_map"])
             for name in ("pca_sign", "random", "itq", "learned")}
    assert moved["pca_sign"] < 0.002 < min(moved["random"], moved["itq"], moved["learned"])


@pytest.mark.xdist_group("exercises")
def test_exercises_of_24(exercises):
    left, base = exercises["24", 256, 4], expected("24-rank-the-gaps")
    assert left["largest_change_bits"] < base["largest_change_bits"]
    assert left["largest_change_plane_seed"] != pytest.approx(base["largest_change_plane_seed"], abs=1e-6)
