"""Each class counted once: against scikit-learn, and intervals against how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from fashion16_lib.evaluate.statistics import mean_over_queries, proportion
from fashion16_lib.evaluate.unequal import by_class, macro_difference, macro_f1

SHARES = np.array([0.6, 0.3, 0.08, 0.02])


def draw(n, seed):
    """Return true classes of unequal size and what a decider says that is right in 8 of 10 cases."""
    rng = np.random.default_rng(seed)
    true = rng.choice(4, n, p=SHARES)
    return true, np.where(rng.random(n) < 0.8, true, rng.choice(4, n))


def test_macro_f1_is_scikit_learns():
    true, said = draw(600, 0)
    estimate = macro_f1(true, said)
    assert estimate.value == pytest.approx(f1_score(true, said, average="macro"))
    assert estimate.low < estimate.value < estimate.high and estimate.n == 600
    said = np.where(true == 3, 5, said)         # a class that no image has, named: a miss, and no class of its own
    expected = f1_score(true, said, labels=[0, 1, 2, 3], average="macro", zero_division=0)
    assert macro_f1(true, said).value == pytest.approx(expected)


def test_macro_f1s_interval_is_that_of_images_drawn_again():
    """Draw images inside each class with scikit-learn's F1, a few hundred times."""
    true, said = draw(400, 1)
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(400):
        rows = np.concatenate([rng.choice(np.flatnonzero(true == label), (true == label).sum()) for label in range(4)])
        drawn.append(f1_score(true[rows], said[rows], average="macro"))
    estimate = macro_f1(true, said)
    np.testing.assert_allclose((estimate.low, estimate.high), np.quantile(drawn, (0.025, 0.975)), atol=0.02)


def test_macro_f1s_limits():
    true = np.array([0, 0, 0, 1, 2])
    perfect = macro_f1(true, true)
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    assert macro_f1(true, np.array([1, 1, 2, 0, 0])).value == 0
    with pytest.raises(ValueError, match="got 3 for 5"):
        macro_f1(true, true[:3])
    with pytest.raises(ValueError, match="got 0 for 0"):
        macro_f1(true[:0], true[:0])


def test_macro_difference_is_paired():
    true, said = draw(500, 4)
    ours = (true == said) + 0.1 * np.arange(4)[true]
    theirs = (true == said).astype(float)
    estimate = macro_difference(ours, theirs, true)
    assert estimate.value == pytest.approx(0.15) and estimate.high - estimate.low < 1e-9
    again = macro_difference(theirs, ours, true)
    assert again.value == pytest.approx(-0.15)


def test_by_class_gives_each_class_its_own_mean_the_largest_first():
    true, said = draw(300, 5)
    right = (true == said).astype(float)
    table = by_class(right, true, ("d", "c", "b", "a", "never"), "a kind")
    assert table["name"].tolist() == ["d", "c", "b", "a"] and set(table["kind"]) == {"a kind"}
    for label, row in enumerate(table.to_dict("records")):
        expected = mean_over_queries(right[true == label])
        assert (row["value"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)
        assert row["n"] == proportion(right[true == label]).n
