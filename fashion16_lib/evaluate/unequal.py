"""2.1.1: classes of unequal size: each class counted once, whatever its number of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import CONFIDENCE, N_RESAMPLES, Estimate, macro_mean, mean_over_queries


def macro_difference(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, seed: int = 0) -> Estimate:
    """Return the macro mean of ours - theirs over the same queries, with its paired bootstrap interval."""
    return macro_mean(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64), labels, seed)


def macro_f1(true: np.ndarray, said: np.ndarray, seed: int = 0) -> Estimate:
    """Return macro-F1, the mean over the classes of F1 = 2 * right / (images of the class + images given it).

    Only classes that occur among `true` count. The bootstrap draws images again inside each class: for each class
    that is a multinomial over what its images were taken for.

    Parameters
    ----------
    true, said : (n,) class numbers from 0
    """
    true, said = np.asarray(true), np.asarray(said)
    if len(true) != len(said) or not len(true):
        raise ValueError(f"macro-F1 needs a said class for each true one, got {len(said)} for {len(true)}")
    counts = np.zeros((max(true.max(), said.max()) + 1,) * 2, np.int64)
    np.add.at(counts, (true, said), 1)
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.multinomial(row.sum(), row / max(row.sum(), 1), N_RESAMPLES) for row in counts], axis=1)
    low, high = np.quantile(_macro_f1_of(drawn), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(_macro_f1_of(counts[None])[0]), float(low), float(high), len(true))


def _macro_f1_of(counts: np.ndarray) -> np.ndarray:
    """Return macro-F1 of confusion tables (m, classes, classes), true classes in rows, (m,) float64."""
    right, of_class, given = np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
    f1 = 2 * right / np.maximum(of_class + given, 1)
    return (f1 * (of_class > 0)).sum(axis=1) / (of_class > 0).sum(axis=1)


def by_class(values: np.ndarray, labels: np.ndarray, class_names: Sequence[str], kind: str = "") -> pd.DataFrame:
    """Return each class's mean with its bootstrap interval: kind, name, value, low, high, n; largest class first."""
    sizes = np.bincount(labels, minlength=len(class_names))
    order = [label for label in np.argsort(-sizes, kind="stable") if sizes[label]]
    means = {label: mean_over_queries(values[labels == label]) for label in order}
    return pd.DataFrame([{"kind": kind, "name": class_names[label], **asdict(mean)} for label, mean in means.items()])
