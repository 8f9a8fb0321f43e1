"""Multi-label text, 5: how right sets of labels are, each label for itself and the whole set; where to cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import CONFIDENCE, N_RESAMPLES, Estimate, proportion

THRESHOLDS = np.arange(1, 100) / 100


def f1_scores(true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return each label's F1 = 2 hits / (said + true), (labels,) float64; 0 where a label is never there nor said.

    true, said : (n, labels) bool
    """
    hits, both = (true & said).sum(axis=0), true.sum(axis=0) + said.sum(axis=0)
    return 2 * hits / np.maximum(both, 1)


def macro_f1(true: np.ndarray, said: np.ndarray) -> float:
    """Return the mean F1 of the labels that some photo has; a label that none has can't be found or missed."""
    return _mean_of_present(true, f1_scores(true, said))


def macro_precision(true: np.ndarray, said: np.ndarray) -> float:
    """Return the mean precision of the labels that some photo has; 0 for one that is never said."""
    return _mean_of_present(true, (true & said).sum(axis=0) / np.maximum(said.sum(axis=0), 1))


def macro_recall(true: np.ndarray, said: np.ndarray) -> float:
    """Return the mean recall of the labels that some photo has."""
    return _mean_of_present(true, (true & said).sum(axis=0) / np.maximum(true.sum(axis=0), 1))


def _mean_of_present(true: np.ndarray, scores: np.ndarray) -> float:
    return float(scores[true.any(axis=0)].mean())


def majority_guess(train: np.ndarray, n: int) -> np.ndarray:
    """Return the most frequent set of labels of (m, labels) bool, n times: what can be said without looking."""
    sets, counts = np.unique(train, axis=0, return_counts=True)
    return np.repeat(sets[[counts.argmax()]], n, axis=0)


def whole_set_right(true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return whether all labels of a photo are right, (n,) bool; their share is the subset accuracy."""
    return (true == said).all(axis=1)


def label_scores(true: np.ndarray, said: np.ndarray, names: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Return each label's precision, recall and F1 with 95 % intervals: name, kind, value, low, high, n.

    Precision and recall are shares (Wilson), n of those said or there; F1's interval is a bootstrap over the photos.
    A label that no photo has, or a precision of what was never said, has no row.
    """
    rows = []
    for label, name in enumerate(names):
        there, given = true[:, label], said[:, label]
        if not there.any():
            continue
        rows.append({"name": name, "kind": "recall", **asdict(proportion(given[there]))})
        if given.any():
            rows.append({"name": name, "kind": "precision", **asdict(proportion(there[given]))})
        rows.append({"name": name, "kind": "F1", **asdict(_bootstrap_f1(there, given, seed))})
    return pd.DataFrame(rows)


def _bootstrap_f1(there: np.ndarray, given: np.ndarray, seed: int) -> Estimate:
    """Return a label's F1 with its percentile interval; resampling photos is drawing the counts of the four cases."""
    hits, missed, wrong = (there & given).sum(), (there & ~given).sum(), (~there & given).sum()
    n = len(there)
    cases = np.array([hits, missed, wrong, n - hits - missed - wrong])
    drawn = np.random.default_rng(seed).multinomial(n, cases / n, N_RESAMPLES)
    scores = 2 * drawn[:, 0] / np.maximum(2 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2], 1)
    low, high = np.quantile(scores, (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2))
    return Estimate(float(2 * hits / max(2 * hits + missed + wrong, 1)), float(low), float(high), n)


def mean_average_precision(true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over labels of average precision: how well a label's probability sorts the photos."""
    from sklearn.metrics import average_precision_score

    present = true.any(axis=0)
    return float(np.mean([average_precision_score(true[:, label], probabilities[:, label])
                          for label in np.flatnonzero(present)]))


def best_threshold(true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the one threshold of .01 to .99 at which most photos have their whole set right; the middle of equals.

    true, probabilities : (n, labels), of the tuning part
    """
    right = [whole_set_right(true, probabilities > at).mean() for at in THRESHOLDS]
    return _middle_of_best(np.array(right))


def best_thresholds(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return each label's threshold of the highest F1, (labels,) float64; the middle of equals."""
    scores = np.stack([f1_scores(true, probabilities > at) for at in THRESHOLDS])       # (99, labels)
    return np.array([_middle_of_best(column) for column in scores.T])


def _middle_of_best(scores: np.ndarray) -> float:
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(THRESHOLDS[best[len(best) // 2]])


# ---------------------------------------------------------------- curves of loss


def total_rise(losses: Sequence[float]) -> float:
    """Return the sum of all moves upward from epoch to epoch, in nats: 0 for a curve that only falls."""
    return float(np.maximum(np.diff(losses), 0).sum())


def rise_over_fall(losses: Sequence[float]) -> float:
    """Return the moves upward as a share of the moves downward: 0 falls smoothly, 1 gets nowhere."""
    moves = np.diff(losses)
    return float(np.maximum(moves, 0).sum() / np.maximum(-moves, 0).sum())


def past_minus_before(losses: Sequence[float], epochs: int = 20, window: int = 5) -> float:
    """Return the mean loss of the last epochs minus that of the last ones up to a given epoch: above 0 it got worse.

    Both windows have the same length, as many as there are past `epochs` but at most `window`, so that one jumpy epoch
    doesn't decide.

    Raises
    ------
    ValueError : no epoch past `epochs`
    """
    past = len(losses) - epochs
    if past < 1:
        raise ValueError(f"needs more than {epochs} epochs, got {len(losses)}; train longer")
    size = min(window, past)
    return float(np.mean(losses[-size:]) - np.mean(losses[epochs - size: epochs]))
