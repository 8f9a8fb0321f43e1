"""Intervals that hold what they promise, paired comparisons, average precision, lines and power laws."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion16_lib.evaluate.statistics import (
    Estimate,
    as_table,
    macro_mean,
    mcnemar,
    mean_and_range,
    mean_over_queries,
    median_over_queries,
    paired_difference,
    power_law,
    proportion,
    straight_line,
)


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


# ---------------------------------------------------------------- one sample


@pytest.mark.parametrize(
    ("found", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # these four: Newcombe, Statistics in Medicine 17 (1998), Table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (18_542, 20_000, 0.9234, 0.9306),  # 2.1.1: 92.71 % of 20,000
    ],
)
def test_wilsons_interval_as_published(found, n, low, high):
    estimate = proportion(np.arange(n) < found)
    assert (estimate.value, estimate.n) == (found / n, n)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5.1e-5)


def test_wilsons_interval_at_its_limits():
    """All right: the upper end is 1 and the lower n / (n + z^2); all wrong is its mirror."""
    z2 = 1.959963984540054**2
    every, none = proportion(np.ones(50, bool)), proportion(np.zeros(50, bool))
    assert (every.value, every.low, every.high) == pytest.approx((1, 50 / (50 + z2), 1))
    assert (none.low, none.high) == pytest.approx((1 - every.high, 1 - every.low))
    with pytest.raises(ValueError):
        proportion(np.zeros(0, bool))


def shares_of_20(rng: np.random.Generator) -> np.ndarray:
    """Return precisions of 100 queries: multiples of 1/20, mean 0.7, spread as real ones are."""
    return rng.binomial(20, rng.beta(2.1, 0.9, size=100)) / 20


SAMPLES: dict[str, tuple[Callable, Callable, float]] = {  # estimate, a sample, the truth
    "mean of normal numbers": (mean_over_queries, lambda rng: rng.normal(3, 2, size=100), 3),
    "mean of precisions": (mean_over_queries, shares_of_20, 0.7),
    "median of long-tailed times": (median_over_queries, lambda rng: rng.exponential(size=101), np.log(2)),
    "share of right answers": (lambda right, _: proportion(right), lambda rng: rng.random(100) < 0.9, 0.9),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_an_interval_covers_the_truth_in_about_95_samples_of_100(case):
    """Of 200 samples 190 are expected, with a standard deviation of 3; a 90 % interval would give 180."""
    estimate, sample, truth = SAMPLES[case]
    rng = np.random.default_rng(16)
    covered = sum(covers(estimate(sample(rng), number), truth) for number in range(200))
    assert 182 <= covered <= 198


def test_the_bootstraps_seed_is_the_only_chance_in_it():
    values = np.random.default_rng(0).exponential(size=50)
    before = values.copy()
    for estimate in (mean_over_queries, median_over_queries):
        assert estimate(values, 3) == estimate(values, 3) != estimate(values, 4)
    assert mean_over_queries(values).value == pytest.approx(values.sum() / 50)
    assert median_over_queries(values).value == sorted(values)[24:26] @ np.array([0.5, 0.5])
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("estimate", [mean_over_queries, median_over_queries, mean_and_range])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_constant_data_has_an_interval_of_no_width(estimate, n):
    assert estimate(np.full(n, 2.5)) == Estimate(2.5, 2.5, 2.5, n)


@pytest.mark.parametrize(
    ("values", "got"), [([], "0, 0 finite"), ([0.5, np.nan, 0.7], "3, 2 finite"), ([0.5, np.inf], "2, 1 finite")]
)
def test_an_estimate_refuses_what_would_come_out_as_nan(values, got):
    for estimate in (mean_over_queries, median_over_queries):
        with pytest.raises(ValueError, match=f"needs finite numbers of at least one query, got {got}"):
            estimate(np.array(values))


def test_mean_and_range_of_a_few_runs():
    assert mean_and_range([0.5, 0.25, 0.75, 0.5]) == Estimate(0.5, 0.25, 0.75, 4)


def test_estimates_as_a_table():
    table = as_table({"ours": Estimate(0.5, 0.4, 0.6, 10), "theirs": Estimate(0.2, 0.1, 0.3, 20)})
    assert list(table.columns) == ["name", "value", "low", "high", "n"]
    assert table.to_numpy().tolist() == [["ours", 0.5, 0.4, 0.6, 10], ["theirs", 0.2, 0.1, 0.3, 20]]


# ---------------------------------------------------------------- two methods, the same queries


def correlated(rng: np.random.Generator, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return two methods' scores of the same queries: hard queries are hard for both; the truth differs by 0.05."""
    difficulty = rng.normal(size=n)
    return 0.55 + difficulty + 0.1 * rng.normal(size=n), 0.5 + difficulty + 0.1 * rng.normal(size=n)


def test_a_paired_difference_covers_the_truth_in_about_95_samples_of_100():
    rng = np.random.default_rng(16)
    covered = sum(covers(paired_difference(*correlated(rng), number), 0.05) for number in range(200))
    assert 182 <= covered <= 198


def test_a_paired_interval_is_narrower_where_hard_queries_are_hard_for_both():
    ours, theirs = correlated(np.random.default_rng(0))
    paired = paired_difference(ours, theirs)
    unpaired = np.hypot(width(mean_over_queries(ours)), width(mean_over_queries(theirs)))
    assert width(paired) < unpaired / 5  # noise 0.14 against spread 1.4
    assert paired.value == pytest.approx(ours.mean() - theirs.mean()) and paired.n == 100
    other = paired_difference(theirs, ours)
    assert (other.value, other.low, other.high) == pytest.approx((-paired.value, -paired.high, -paired.low), abs=0.005)


def test_equal_arms_differ_by_exactly_nothing():
    values = np.random.default_rng(0).random(100)
    assert paired_difference(values, values.copy()) == Estimate(0.0, 0.0, 0.0, 100)
    everywhere = paired_difference(values > 2, values < 2)  # bool, right and wrong
    assert everywhere == Estimate(-1.0, -1.0, -1.0, 100)


@pytest.mark.parametrize("compare", [paired_difference, mcnemar])
def test_comparisons_refuse_other_queries(compare):
    with pytest.raises(ValueError, match="needs the same queries, got 3 and 2"):
        compare(np.ones(3, bool), np.ones(2, bool))


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("table", "published"),
    [
        ((1, 1, 7, 12), 0.0703),  # Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13:91 (2013), Table 1
        ((59, 6, 16, 80), 0.0525),
        ((794, 150, 86, 570), 3.7e-5),  # approval ratings in Agresti's Categorical Data Analysis
    ],
)
def test_mcnemars_exact_p_value_of_published_tables(table, published):
    _, only_a, only_b, _ = table
    n = only_a + only_b
    tail = sum(comb(n, few) for few in range(min(only_a, only_b) + 1))
    assert mcnemar(*answers(*table)) == pytest.approx(float(Fraction(2 * tail, 2**n)), rel=1e-9)
    assert mcnemar(*answers(*table)) == pytest.approx(published, rel=0.01)


@given(*[st.integers(0, 12)] * 4)
@settings(max_examples=60, deadline=None)
def test_mcnemar_sums_the_binomial_by_hand_and_looks_at_disagreements_only(both, only_a, only_b, neither):
    n = only_a + only_b
    likely = [comb(n, k) for k in range(n + 1)]  # out of 2^n
    by_hand = sum(chance for chance in likely if chance <= likely[only_a]) / 2**n
    a, b = answers(both, only_a, only_b, neither)
    assert mcnemar(a, b) == pytest.approx(by_hand) == mcnemar(b, a) == mcnemar(*answers(0, only_a, only_b, 0))


def test_mcnemar_without_disagreement_or_with_nothing_else():
    assert mcnemar(*answers(7, 0, 0, 3)) == 1.0
    assert mcnemar(*answers(0, 20, 0, 0)) == pytest.approx(2 / 2**20)
    assert mcnemar(*answers(0, 5, 5, 0)) == 1.0


# ---------------------------------------------------------------- fits


def test_a_straight_line_is_numpys_with_the_textbooks_interval():
    """Slope's standard error: sqrt(residual variance / sum of squares of x); Student's t of 3 degrees: 3.18245."""
    x, y = np.array([1.0, 2, 3, 5, 8]), np.array([2.0, 3, 7, 8, 12])
    line = straight_line(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert (line.slope.value, line.intercept.value) == pytest.approx((slope, intercept))
    left = y - intercept - slope * x
    around = x - x.mean()
    error = np.sqrt(left @ left / 3 / (around @ around))
    reach = 3.18245 * error
    assert (line.slope.low, line.slope.high) == pytest.approx((slope - reach, slope + reach), rel=1e-5)
    reach *= np.sqrt(x @ x / 5)
    assert (line.intercept.low, line.intercept.high) == pytest.approx((intercept - reach, intercept + reach), rel=1e-5)
    assert line.r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2) == pytest.approx(1 - left.var() / y.var())
    assert line.slope.n == line.intercept.n == 5


def test_the_lines_intervals_cover_the_truth_in_about_95_fits_of_100():
    """Of 400 fits 380 are expected, with a standard deviation of 4.4."""
    rng, x = np.random.default_rng(16), np.arange(8.0)
    lines = [straight_line(x, 2 - 0.5 * x + rng.normal(size=8)) for _ in range(400)]
    assert 367 <= sum(covers(line.slope, -0.5) for line in lines) <= 393
    assert 367 <= sum(covers(line.intercept, 2) for line in lines) <= 393


def test_lines_without_scatter():
    exact = straight_line([0, 1, 2, 3], [1, 3, 5, 7])
    assert (exact.intercept.value, exact.slope.value, exact.r2) == pytest.approx((1, 2, 1))
    assert (width(exact.slope), width(exact.intercept)) == pytest.approx((0, 0), abs=1e-9)
    level = straight_line([1, 2, 4], [5, 5, 5])
    assert (level.intercept, level.slope) == (Estimate(5, 5, 5, 3), Estimate(0, 0, 0, 3))
    assert level.r2 == 1


def test_a_line_needs_three_different_places_and_as_many_heights():
    with pytest.raises(ValueError, match="at least 3 different x, got 2"):
        straight_line([1, 1, 2, 2], [1, 2, 3, 4])
    for heights in ([1, 2], [5, 5]):
        with pytest.raises(ValueError):
            straight_line([1, 2, 3], heights)


@pytest.mark.parametrize("exponent", [-0.366, 0.5, 1.0, 2.5])
def test_a_power_law_finds_exact_data_exactly(exponent):
    x = np.array([1e3, 5e3, 2e4, 1e5, 325_820])
    law = power_law(x, 6.19 * x**exponent)
    assert (law.factor, law.exponent.value, law.r2) == pytest.approx((6.19, exponent, 1))
    assert width(law.exponent) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(law.at(x), 6.19 * x**exponent)
    assert law.at(7_000.0) == pytest.approx(6.19 * 7_000**exponent)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_power_law_refuses_what_has_no_logarithm(bad):
    for x, y in (([1, 2, bad], [1, 2, 3]), ([1, 2, 3], [1, bad, 3])):
        with pytest.raises(ValueError, match="needs x and y above 0"):
            power_law(np.array(x), np.array(y))


def test_the_papers_table_2_is_a_power_law_and_its_20_000_is_200_000():
    """PAPER row 18: error = 6.19 N^-0.366 fits all six within about 3 %."""
    n = np.array([50_000, 100_000, 150_000, 200_000, 250_000, 300_000])
    error = 1 - np.array([0.8841, 0.9060, 0.9222, 0.9297, 0.9355, 0.9387])
    law = power_law(n, error)
    assert round(law.factor, 2) == 6.19 and round(law.exponent.value, 3) in (-0.366, -0.367)
    assert np.abs(law.at(n) / error - 1).max() < 0.035 and law.r2 > 0.99
    others = n != 200_000
    without = power_law(n[others], error[others])
    assert 1 - without.at(200_000) == pytest.approx(0.9297, abs=0.002)
    assert 1 - without.at(20_000) == pytest.approx(0.84, abs=0.005)


# ---------------------------------------------------------------- classes counted once


def test_the_macro_mean_counts_each_class_once():
    values, labels = np.array([1.0] * 90 + [0.0] * 10), np.array([0] * 90 + [1] * 10)
    found = macro_mean(values, labels)
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 100)        # no spread within the classes
    assert mean_over_queries(values).value == 0.9
    alone = macro_mean(values, np.zeros(100, int))
    assert alone.value == pytest.approx(0.9) and alone.low < 0.9 < alone.high


def test_the_macro_means_interval_covers_the_truth():
    rng, truth, covered = np.random.default_rng(0), (0.9, 0.4, 0.7), 0
    labels = np.repeat([0, 1, 2], [200, 50, 20])
    for seed in range(60):
        values = rng.random(len(labels)) < np.array(truth)[labels]
        covered += covers(macro_mean(values, labels, seed), np.mean(truth))
    assert 49 <= covered <= 60          # 95 % of 60 is 57; small classes make the bootstrap a little narrow


def test_as_table_takes_a_name_or_a_name_and_a_kind():
    one = Estimate(0.5, 0.4, 0.6, 7)
    assert as_table({"a": one}).to_dict("records") == [{"name": "a", "value": 0.5, "low": 0.4, "high": 0.6, "n": 7}]
    assert as_table({64: one})["name"].tolist() == [64]         # bits, say
    assert list(as_table({("a", "b"): one}).iloc[0][["name", "kind", "value"]]) == ["a", "b", 0.5]
    with pytest.raises(ValueError):
        as_table({("a", "b", "c"): one})
