"""The ledger of the review of product search: judged by code; equal arms make each comparison fall."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.evaluate.claims_product_search import CLAIMS_PRODUCT_SEARCH
from fashion16_lib.evaluate.records import metric
from fashion16_lib.evaluate.statistics import paired_difference
from fashion16_lib.evaluate.street import mean_over_groups
from fashion16_lib.evaluate.verdict import CONTRADICTED, NOT_TESTABLE, TREND, Claim, judge, shown

RNG = np.random.default_rng(0)
COMPARISONS = [claim for claim in CLAIMS_PRODUCT_SEARCH if claim.null == "equal arms"]


def verdict(claim: Claim, value) -> str:
    return judge(claim, {claim.metric: metric(claim.metric, value)}).verdict


@pytest.mark.parametrize("claim", COMPARISONS, ids=lambda claim: claim.id)
def test_null_equal_arms(claim):
    assert claim.kind == "ordering"
    same = RNG.random(60)
    assert verdict(claim, paired_difference(same, same)) == NOT_TESTABLE
    assert verdict(claim, paired_difference(same + 0.3, same)) == TREND
    assert verdict(claim, paired_difference(same, same + 0.3)) == CONTRADICTED


def test_two_draws_of_one_method_seldom_differ():
    garments, hits = [f"{row}" for row in range(200)], (RNG.random((2, 40, 200)) < 0.5).astype(float)
    draws = [mean_over_groups(ours - theirs, garments) for ours, theirs in zip(*hits, strict=True)]
    for claim in COMPARISONS:
        assert [verdict(claim, each) for each in draws].count(NOT_TESTABLE) >= 33, claim.id


def test_there_is_a_comparison_of_each_method():
    assert len(COMPARISONS) >= 10
    assert {claim.source[:2] for claim in COMPARISONS} >= {"50", "51", "52", "53", "54"}


def test_each_number_is_judged_by_the_notebook_that_gives_it():
    named = [(claim.source, claim.metric) for claim in CLAIMS_PRODUCT_SEARCH if claim.metric]
    assert len(set(named)) == len(named)
    assert all(source[:1] == "5" and source[2:3] == "-" for source, _ in named)


def test_what_is_only_shown_has_no_verdict():
    only_shown = [claim for claim in CLAIMS_PRODUCT_SEARCH if claim.rule is shown]
    assert only_shown
    for claim in only_shown:
        assert claim.kind in ("definition", "point") and not claim.null, claim.id
        assert not claim.metric or verdict(claim, 0.9) == NOT_TESTABLE, claim.id


@pytest.mark.parametrize("claim", CLAIMS_PRODUCT_SEARCH, ids=lambda claim: claim.id)
def test_where_nothing_was_run_nothing_is_judged(claim):
    found = judge(claim, {})
    assert found.verdict == NOT_TESTABLE and found.ours is None
    assert ("not run at this profile" in found.reason) == bool(claim.source)
