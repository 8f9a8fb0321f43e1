"""Result files: what is written comes back, every number knows where it is from, comparison finds differences."""

import json
import platform
from importlib.metadata import version

import numpy as np
import pytest

from fashion16_lib.evaluate.records import compare_with_expected, metric, provenance, read_metrics, write_metrics
from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.settings import Fashion16Error


def test_metrics_come_back_as_written(tmp_path):
    about = provenance("smoke", "fashion-mnist", "ab" * 32, None, 7, 12.34)
    records = [
        metric("precision", Estimate(0.7, 0.65, 0.75, 100)),
        metric("parameters", np.int64(64)),
        metric("Größe", np.float32(0.5)),
    ]
    path = tmp_path / "metrics/04.json"
    write_metrics(path, about, records)
    assert read_metrics(path) == {
        "precision": {"name": "precision", "value": 0.7, "unit": "1", "low": 0.65, "high": 0.75, "n": 100},
        "parameters": {"name": "parameters", "value": 64, "unit": "count", "low": None, "high": None, "n": None},
        "Größe": {"name": "Größe", "value": 0.5, "unit": "1", "low": None, "high": None, "n": None},
    }
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["provenance"] == about and path.read_text(encoding="utf-8").endswith("}\n")
    write_metrics(path, about, records)
    assert [each.name for each in path.parent.iterdir()] == ["04.json"]  # nothing temporary stays


@pytest.mark.parametrize(
    ("name", "unit"),
    [("precision_in_class", "1"), ("scan_ms", "ms"), ("seconds_per_epoch", "s"), ("parameters", "count")],
)
def test_the_name_tells_the_unit(name, unit):
    assert metric(name, 1)["unit"] == unit


def test_provenance_tells_what_a_number_depends_on():
    about = provenance("quick", "fashion-mnist", "ab" * 32, "cd" * 32, 7, 12.34)
    given = {
        "profile": "quick",
        "dataset": "fashion-mnist",
        "dataset_sha256": "ab" * 32,
        "weights_sha256": "cd" * 32,
        "seed": 7,
        "seconds": 12.3,
    }
    assert given.items() <= about.items()
    assert about["versions"]["python"] == platform.python_version()
    assert about["versions"]["numpy"] == np.__version__ and about["versions"]["keras"] == version("keras")
    assert about["backend"].startswith("tensorflow 2.") and "cores" in about["device"]


@pytest.fixture
def run(tmp_path):
    about = provenance("smoke", "fashion-mnist", "ab" * 32, None, 0, 1)
    write_metrics(tmp_path / "metrics/04.json", about, [metric("precision", 0.70), metric("none", float("nan"))])

    def compare(**wanted):
        (tmp_path / "expected.json").write_text(json.dumps({"04": wanted}))
        return {
            row["name"]: row["agrees"]
            for row in compare_with_expected(tmp_path / "expected.json", tmp_path / "metrics")
        }

    return compare


@pytest.mark.parametrize(
    ("value", "tolerance", "agrees"),
    [(0.70, 0, True), (0.75, 0.0625, True), (0.64, 0.0625, True), (0.77, 0.0625, False), (0.63, 0.0625, False)],
)
def test_comparison_allows_the_tolerance_and_no_more(run, value, tolerance, agrees):
    assert run(precision={"value": value, "tolerance": tolerance}) == {"precision": agrees}


def test_a_missing_or_undefined_metric_differs(run):
    wide = {"value": 0.7, "tolerance": 100}
    assert run(recall=wide, none=wide, precision=wide) == {"recall": False, "none": False, "precision": True}


def test_a_notebook_without_results_differs_in_all_its_metrics(tmp_path):
    (tmp_path / "expected.json").write_text(json.dumps({"05": {"a": {"value": 1, "tolerance": 1}}}))
    (row,) = compare_with_expected(tmp_path / "expected.json", tmp_path / "nowhere")
    assert row == {"notebook": "05", "name": "a", "expected": 1, "tolerance": 1, "found": None, "agrees": False}


def test_without_expected_values_nothing_is_compared(tmp_path):
    with pytest.raises(Fashion16Error, match=r"no expected values at .*commit them"):
        compare_with_expected(tmp_path / "expected.json", tmp_path)
