"""`make bench`: a ratio knows its limit, and the published ones keep to theirs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "results/bench").glob("*.json")}


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import measure

    return measure


@pytest.mark.parametrize(("bar", "holds"), [("<= 2", True), ("<= 1.9", False), (">= 2", True), (">= 2.1", False)])
def test_a_ratio_is_the_median_over_rounds_and_knows_whether_it_holds(measure, bar, holds):
    above, below = np.array([2.0, 4.0, 6.0, 80.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = measure.of_times("x", above, below, bar)
    assert (found.median, found.low, found.high, found.n) == (2.0, 2.0, 2.0, 5)
    assert found.holds is holds and found.as_record()["holds"] is holds
    assert measure.of_times("x", above, below).holds is None


def test_two_ways_take_turns(measure):
    seen = []
    measure.ratio("x", lambda query: seen.append(f"a{query}"), lambda query: seen.append(f"b{query}"), [0, 1, 2],
                  n_warm_up=0)
    assert seen == ["a0", "b0", "b1", "a1", "a2", "b2"]


def test_the_peak_is_a_childs_own(measure):
    ballast = b"x" * (400 << 20)                    # what the starting process has doesn't count
    small, large = (measure.peak_mib(measure.python(f"x = b'x' * ({mib} << 20)")) for mib in (1, 300))
    assert small < 100 and 290 < large - small < 320 and len(ballast) > small
    with pytest.raises(SystemExit, match="ended with status"):
        measure.peak_mib([sys.executable, "-c", "raise SystemExit(3)"])


def test_what_is_published_keeps_to_its_limits():
    assert set(PARTS) == {"search_speed", "other_ways", "query_speed", "page_speed", "build_memory", "hash_quality"}
    held = [each for part in PARTS.values() for each in (*part["ratios"], *part.get("differences", [])) if each["bar"]]
    assert len(held) > 20
    assert [each for each in held if not each["holds"]] == []
    assert all(part["machine"]["cores"] and part["versions"]["numpy"] for part in PARTS.values())


def test_the_runtimes_agree_and_the_default_is_among_them():
    runtimes = PARTS["query_speed"]["runtimes"]
    assert {each["runtime"] for each in runtimes} > {"ONNX Runtime (default)", "Keras on TensorFlow (reference)"}
    assert all(each["features_differ_by"] < 1e-5 for each in runtimes)
