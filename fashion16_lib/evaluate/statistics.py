"""How sure we are: intervals, paired comparisons, power laws and straight lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

CONFIDENCE = 0.95
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and how many observations are behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def as_table(estimates: Mapping[Any, Estimate]) -> pd.DataFrame:
    """Return estimates under a name, or a name and a kind, as a table: name, kind if there is one, value, low, high, n.
    """
    def words(key: Any) -> dict[str, Any]:
        return dict(zip(("name", "kind"), key, strict=True)) if isinstance(key, tuple) else {"name": key}

    return pd.DataFrame([{**words(key), **asdict(estimate)} for key, estimate in estimates.items()])


# ---------------------------------------------------------------- one sample


def proportion(right: np.ndarray) -> Estimate:
    """Return the share of True in (n,) bool, with Wilson's 95 % interval."""
    from scipy.stats import binomtest

    right = np.asarray(right)
    found, n = int(right.sum()), len(right)
    interval = binomtest(found, n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(found / n, float(interval.low), float(interval.high), n)


def mean_over_queries(values: np.ndarray, seed: int = 0) -> Estimate:
    """Return the mean of (q,) numbers, with the 95 % percentile interval of 2,000 bootstrap samples of queries."""
    return _bootstrap(values, np.mean, seed)


def macro_mean(values: np.ndarray, labels: np.ndarray, seed: int = 0) -> Estimate:
    """Return the mean over classes of each class's mean, with its bootstrap interval: queries drawn within classes.

    values, labels : (q,) numbers and classes of the same queries
    """
    values, rng = np.asarray(values, np.float64), np.random.default_rng(seed)
    by_class = [values[labels == label] for label in np.unique(labels)]
    means = np.mean([of_class[rng.integers(len(of_class), size=(N_RESAMPLES, len(of_class)))].mean(axis=1)
                     for of_class in by_class], axis=0)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(np.mean([of_class.mean() for of_class in by_class])), float(low), float(high), len(values))


def median_over_queries(values: np.ndarray, seed: int = 0) -> Estimate:
    """Return the median of (q,) numbers, with its bootstrap interval: for times, whose tail is long."""
    return _bootstrap(values, np.median, seed)


def _bootstrap(values: np.ndarray, statistic: object, seed: int) -> Estimate:
    from scipy.stats import bootstrap

    values = np.asarray(values, np.float64)
    if not len(values) or not np.isfinite(values).all():        # else NaN would go into the results unsaid
        finite = int(np.isfinite(values).sum())
        raise ValueError(f"an estimate needs finite numbers of at least one query, got {len(values)}, {finite} finite")
    found = float(statistic(values))  # type: ignore[operator]
    if len(values) < 2 or np.ptp(values) == 0:  # nothing to resample: SciPy would answer NaN
        return Estimate(found, found, found, len(values))
    interval = bootstrap(
        (values,),
        statistic,
        n_resamples=N_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
        batch=100,
    ).confidence_interval
    return Estimate(found, float(interval.low), float(interval.high), len(values))


def mean_and_range(values: np.ndarray) -> Estimate:
    """Return the mean of a few runs with their smallest and largest value: too few for an interval."""
    values = np.asarray(values, np.float64)
    return Estimate(float(values.mean()), float(values.min()), float(values.max()), len(values))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """Return an estimate in another unit: value and interval times a factor above 0."""
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor, estimate.n)


# ---------------------------------------------------------------- two methods, the same queries


def paired_difference(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> Estimate:
    """Return the mean of ours - theirs over the same queries, with its paired bootstrap interval.

    Parameters
    ----------
    ours, theirs : (q,) numbers of the same queries in the same order

    Raises
    ------
    ValueError : of different lengths
    """
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"a paired difference needs the same queries, got {len(ours)} and {len(theirs)}")
    return _bootstrap(ours - theirs, np.mean, seed)


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Return the p-value of McNemar's exact test that two classifiers are right equally often.

    Only the queries on which they disagree count; under the null each falls either way with probability 1/2.

    Parameters
    ----------
    right_a, right_b : (q,) bool of the same queries
    """
    from scipy.stats import binomtest

    right_a, right_b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if right_a.shape != right_b.shape:
        raise ValueError(f"McNemar's test needs the same queries, got {len(right_a)} and {len(right_b)}")
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


# ---------------------------------------------------------------- fits


@dataclass(frozen=True)
class Line:
    """A fitted line: y = intercept + slope * x, each with its 95 % t interval, and the share of variance explained."""

    intercept: Estimate
    slope: Estimate
    r2: float


def straight_line(x: np.ndarray, y: np.ndarray) -> Line:
    """Fit y = intercept + slope * x by least squares; needs at least three different x."""
    from scipy.stats import linregress
    from scipy.stats import t as student

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(np.unique(x)) < 3:
        raise ValueError(f"a line with an interval needs at least 3 different x, got {len(np.unique(x))}")
    reach = student.ppf(0.5 + CONFIDENCE / 2, len(x) - 2)

    def estimate(value: float, error: float) -> Estimate:
        return Estimate(float(value), float(value - reach * error), float(value + reach * error), len(x))

    if len(x) == len(y) and np.ptp(y) == 0:                     # no variance to explain: SciPy would answer NaN
        return Line(estimate(y[0], 0), estimate(0, 0), 1.0)
    fit = linregress(x, y)
    return Line(estimate(fit.intercept, fit.intercept_stderr), estimate(fit.slope, fit.stderr), float(fit.rvalue**2))


@dataclass(frozen=True)
class PowerLaw:
    """A fitted power law: y = factor * x ** exponent; exponent with its 95 % interval, r2 of the logarithms."""

    factor: float
    exponent: Estimate
    r2: float

    def at(self, x: np.ndarray | float) -> np.ndarray | float:
        """Return the law's height at x."""
        return self.factor * np.asarray(x, np.float64) ** self.exponent.value


def power_law(x: np.ndarray, y: np.ndarray) -> PowerLaw:
    """Fit y = factor * x ** exponent: a straight line through the logarithms; x and y above 0."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not ((x > 0).all() and (y > 0).all()):                   # NaN isn't above 0 either
        raise ValueError(f"a power law needs x and y above 0, got down to {x.min()} and {y.min()}")
    line = straight_line(np.log(x), np.log(y))
    return PowerLaw(float(np.exp(line.intercept.value)), line.slope, line.r2)
