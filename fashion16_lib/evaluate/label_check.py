"""1.1: labels that a classifier doubts, though it never saw them: a suspicion, not a proof."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fashion16_lib.features.components import principal_components

N_COMPONENTS = 256
N_FOLDS = 5
DOUBTED_BELOW = 0.01        # a given label with a lower probability is suspected to be wrong


def judgeable(labels: np.ndarray) -> np.ndarray:
    """Return the rows whose class has enough items to be dealt into the folds, (m,) int64."""
    return np.flatnonzero(np.isin(labels, np.flatnonzero(np.bincount(labels) >= N_FOLDS)))


def out_of_fold_probabilities(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the class probabilities of each item from a softmax layer that didn't learn from it, (n, classes).

    The items are dealt into five folds, each class evenly; each fold is judged by the layer fitted on the other
    four. The principal components before it (the softmax head's: 256) come from all items, but know no label.

    Parameters
    ----------
    features : (n, d) float32
    labels : (n,) classes 0, 1, ...; each with at least five items

    Raises
    ------
    ValueError : a class with fewer items than folds
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    smallest = np.unique(labels, return_counts=True)[1].min()
    if smallest < N_FOLDS:
        raise ValueError(f"each class must have at least {N_FOLDS} items, got one with {smallest}; leave "
                         "it out (see judgeable)")
    reducer = principal_components(features, N_COMPONENTS, seed)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1, user_api="blas"):
        reduced = reducer.transform(features)
        layer = LogisticRegression(max_iter=300)
        return cross_val_predict(layer, reduced / (reduced[:, 0].std() or 1), labels, cv=folds, method="predict_proba")


def doubts(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return how likely each given label is, and which class is likeliest instead; most doubtful first.

    Returns
    -------
    columns: item (its row), given, suspected (classes), probability (of the given), instead (of the suspected)
    """
    classes = np.unique(labels)                         # the columns of the probabilities
    rows = np.arange(len(labels))
    given = probabilities[rows, np.searchsorted(classes, labels)]
    best = probabilities.argmax(axis=1)
    table = pd.DataFrame({"item": rows, "given": labels, "suspected": classes[best], "probability": given,
                          "instead": probabilities[rows, best]})
    return table.sort_values("probability", kind="stable", ignore_index=True)


def with_wrong_labels(labels: np.ndarray, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which a share was changed to another class at random, and which rows those are, (n,) bool.

    Parameters
    ----------
    share : 0 to 1, of all items; rounded to a whole number of them
    """
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    changed = np.zeros(len(labels), bool)
    changed[rng.permutation(len(labels))[: round(share * len(labels))]] = True
    step = rng.integers(1, len(classes), len(labels))
    other = classes[(np.searchsorted(classes, labels) + step) % len(classes)]
    return np.where(changed, other, labels), changed
