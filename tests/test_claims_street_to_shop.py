"""The street-to-shop text's ledger: whole, judged by code; equal arms and shuffled labels make verdicts fall."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.evaluate.claims_street_to_shop import CLAIMS_STREET_TO_SHOP
from fashion16_lib.evaluate.item_recall import ratio_of_means
from fashion16_lib.evaluate.records import metric
from fashion16_lib.evaluate.statistics import paired_difference
from fashion16_lib.evaluate.street import mean_over_groups
from fashion16_lib.evaluate.two_domains import cosine_table, shuffled_silhouettes, silhouette
from fashion16_lib.evaluate.verdict import CONTRADICTED, NOT_TESTABLE, TREND, judge

BY_ID = {claim.id: claim for claim in CLAIMS_STREET_TO_SHOP}
RNG = np.random.default_rng(0)


def verdict(claim_id: str, value) -> str:
    claim = BY_ID[claim_id]
    return judge(claim, {claim.metric: metric(claim.metric, value)}).verdict


def test_lone_numbers_on_other_data_are_shown_and_not_judged():
    for claim_id, number in (("shop-before", 0.1775), ("shop-after", 0.26)):
        assert BY_ID[claim_id].number == number and verdict(claim_id, number) == NOT_TESTABLE
    assert BY_ID["shop-ratio"].number == pytest.approx(1.46, abs=0.005)


def test_null_equal_arms():
    same = RNG.random(50)
    none, one = paired_difference(same, same), ratio_of_means(same, same, [f"{n}" for n in range(50)])
    wanted = [claim for claim in CLAIMS_STREET_TO_SHOP if claim.null == "equal arms"]
    assert len(wanted) >= 6
    for claim in wanted:
        is_ratio = "_over_network" in claim.metric
        assert verdict(claim.id, one if is_ratio else none) == NOT_TESTABLE, claim.id
        more = paired_difference(same + 0.3, same) if not is_ratio else ratio_of_means(2 * same, same, ["a"] * 50)
        less = paired_difference(same, same + 0.3) if not is_ratio else ratio_of_means(same / 2, same, ["a"] * 50)
        up, down = (CONTRADICTED, TREND) if claim.id == "shop-dresses" else (TREND, CONTRADICTED)
        assert (verdict(claim.id, more), verdict(claim.id, less)) == (up, down), claim.id


def test_null_shuffled_labels():
    names = np.repeat(["a", "b"], 40)
    points = RNG.normal(0, 0.2, (80, 4)) + np.where(names == "a", 1, -1)[:, None]
    table = cosine_table(points)
    null = shuffled_silhouettes(table, names)
    wanted = [claim.id for claim in CLAIMS_STREET_TO_SHOP if claim.null == "shuffled labels"]
    assert wanted == ["shop-categories", "shop-alike"]
    for claim_id in wanted[:1]:
        assert verdict(claim_id, silhouette(table, names).value - np.quantile(null, 0.975)) == TREND
        fell = [verdict(claim_id, silhouette(table, RNG.permutation(names)).value - np.quantile(null, 0.975))
                for _ in range(40)]
        assert fell.count(TREND) <= 5
    same_type = RNG.random((300, 20)) < 0.3
    groups = [f"{n}" for n in range(300)]
    fell = [verdict("shop-alike", mean_over_groups((RNG.random((300, 20)) < 0.3).mean(axis=1) - 0.3, groups))
            for _ in range(20)]
    assert fell.count(TREND) <= 3
    assert verdict("shop-alike", mean_over_groups(same_type.mean(axis=1) - 0.1, groups)) == TREND
