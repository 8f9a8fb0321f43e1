"""The multi-label text's ledger: whole, judged by code; equal arms and the text's own wording make verdicts fall."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fashion16_lib.evaluate import paper
from fashion16_lib.evaluate.claims_multi_label import CLAIMS_MULTI_LABEL
from fashion16_lib.evaluate.errata import softmax
from fashion16_lib.evaluate.multi_label import past_minus_before, rise_over_fall, total_rise
from fashion16_lib.evaluate.multi_label_text import (
    CLASSES,
    COLUMNS,
    EXAMPLE_CODE,
    SNIPPET,
    labels_of_code,
    recomputed,
    sigmoid,
    undefined_names,
)
from fashion16_lib.evaluate.records import metric
from fashion16_lib.evaluate.statistics import mean_and_range, paired_difference
from fashion16_lib.evaluate.verdict import (
    CONTRADICTED,
    NOT_TESTABLE,
    REPRODUCED,
    TREND,
    VERDICTS,
    judge,
)
from fashion16_lib.report.verdicts import write_ledger

BY_ID = {claim.id: claim for claim in CLAIMS_MULTI_LABEL}


def verdict(claim_id: str, value) -> str:
    claim = BY_ID[claim_id]
    return judge(claim, {claim.metric: metric(claim.metric, value)}).verdict


# ---------------------------------------------------------------- arithmetic

def test_the_errata_are_judged_from_the_text_itself():
    found = {claim.id: judge(claim, {name: metric(name, value) for name, value in recomputed().items()}).verdict
             for claim in CLAIMS_MULTI_LABEL if claim.metric in recomputed()}
    assert found == {
        "multi-example": CONTRADICTED, "multi-columns": CONTRADICTED, "multi-softmax-digits": REPRODUCED,
        "multi-softmax-halves": REPRODUCED, "multi-sigmoid-both": REPRODUCED, "multi-snippet": CONTRADICTED,
        "multi-six": CONTRADICTED, "multi-spelling": CONTRADICTED,
    }


def test_the_demo_to_its_last_digit():
    scores, printed = map(np.array, paper.SOFTMAX_DEMO)
    assert (np.round(softmax(scores), 8) == printed).all() and softmax(scores).sum() == pytest.approx(1)
    by_hand = np.exp(scores) / np.exp(scores).sum()
    assert np.allclose(softmax(scores), by_hand) and sigmoid(np.array([0.0])) == 0.5
    assert np.allclose(sigmoid(scores), [1 - sigmoid(-score) for score in scores])


def test_what_the_code_says_and_what_the_snippet_lacks():
    assert labels_of_code(COLUMNS, EXAMPLE_CODE) == ("blue", "dress", "female")
    assert undefined_names(SNIPPET) == {"model"}
    assert undefined_names(SNIPPET.replace("model.compile", "model = Model(inputs, output)\nmodel.compile")) == set()
    assert undefined_names("import keras as k\na = k.x\nb = a + c") == {"c"}
    assert sum(count for _, count in CLASSES) == 1683


# ---------------------------------------------------------------- nulls

def test_null_equal_arms():
    same, range_of_none = paired_difference(np.eye(4)[0], np.eye(4)[0]), mean_and_range([0.0, 0.0, 0.0])
    wanted = [claim.id for claim in CLAIMS_MULTI_LABEL if claim.null == "equal arms"]
    assert len(wanted) >= 5
    for claim_id in wanted:
        for null in (same, range_of_none):
            assert verdict(claim_id, null) == NOT_TESTABLE, claim_id
        assert verdict(claim_id, mean_and_range([0.2, 0.3])) == TREND
        assert verdict(claim_id, mean_and_range([-0.2, -0.3])) == CONTRADICTED


def test_null_permuted_sizes():
    smooth, rng = np.linspace(2, 1, 20), np.random.default_rng(0)
    assert [claim.id for claim in CLAIMS_MULTI_LABEL if claim.null == "permuted sizes"] == ["multi-falls-smoothly"]
    assert verdict("multi-falls-smoothly", mean_and_range([rise_over_fall(smooth)] * 3)) == TREND
    permuted = [rise_over_fall(rng.permutation(smooth)) for _ in range(3)]
    assert verdict("multi-falls-smoothly", mean_and_range(permuted)) == CONTRADICTED


def test_curves_decide_the_claims_about_them():
    smooth, rough = np.linspace(2, 1, 30), 1 + 0.1 * (np.arange(30) % 2)
    assert verdict("multi-falls-smoothly", mean_and_range([rise_over_fall(smooth)])) == TREND
    assert verdict("multi-falls-smoothly", mean_and_range([rise_over_fall(rough)])) == CONTRADICTED
    assert verdict("multi-fluctuates", mean_and_range([total_rise(rough) - total_rise(smooth)])) == TREND
    assert verdict("multi-over-fits", mean_and_range([past_minus_before(smooth)])) == CONTRADICTED
    assert verdict("multi-over-fits", mean_and_range([past_minus_before(smooth[::-1])])) == TREND
    assert verdict("multi-over-fits", mean_and_range([-0.1, 0.2])) == NOT_TESTABLE


def test_the_ledger_is_written_under_its_own_name(tmp_path):
    (tmp_path / "metrics").mkdir()
    records = [metric(name, value) for name, value in recomputed().items()]
    (tmp_path / "metrics/30-see-why-sigmoid.json").write_text(json.dumps({"metrics": records}), encoding="utf-8")
    findings = write_ledger(tmp_path, CLAIMS_MULTI_LABEL, "claims-multi-label.json")
    written = json.loads((tmp_path / "claims-multi-label.json").read_text(encoding="utf-8"))
    assert [one["verdict"] for one in written] == [finding.verdict for finding in findings]
    assert not (tmp_path / "claims.json").exists() and {one["verdict"] for one in written} <= set(VERDICTS)
    assert next(one for one in written if one["id"] == "multi-over-fits")["verdict"] == NOT_TESTABLE      # not run
