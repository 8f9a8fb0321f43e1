"""Street to shop: people's photos search the shop's library; photos of one sender aren't independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.statistics import CONFIDENCE, N_RESAMPLES, Estimate


def in_classes_of(shop: Dataset, street: Dataset) -> Dataset:
    """Return the street photos whose class the shop sells, with the shop's class names and numbers."""
    number = {name: label for label, name in enumerate(shop.class_names)}
    sold = {shop.class_names[label] for label in np.unique(shop.labels)}
    kept = street.take([row for row, name in enumerate(street.label_names) if name in sold])
    return replace(kept, labels=np.array([number[name] for name in kept.label_names], np.int64),
                   class_names=shop.class_names)


def drawn_at_random(items: Dataset, most: int, seed: int) -> Dataset:
    """Return at most so many items, each as likely as any other, in the order they stand."""
    rows = np.random.default_rng(seed).permutation(len(items))[:most]
    return items.take(np.sort(rows))


# ---------------------------------------------------------------- intervals

def mean_over_groups(values: np.ndarray, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Return the mean of (q,) numbers with an interval that draws whole groups again, 2,000 times.

    Photos of one sender share rooms, cameras and garments; an interval that draws single photos takes them for
    independent and is too narrow.

    Parameters
    ----------
    groups : of each number, whose it is

    Raises
    ------
    ValueError : lengths that differ, no numbers, or numbers that aren't finite
    """
    values = np.asarray(values, np.float64)
    if len(values) != len(groups) or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"needs finite numbers, each with its group, got {len(values)} numbers and {len(groups)} "
                         "groups")
    return estimate(values.mean(), Draws(groups, seed).means(values), len(values))


def macro_over_groups(values: np.ndarray, labels: np.ndarray, groups: Sequence[str], seed: int = 0) -> Estimate:
    """Return the mean over classes of each class's mean, with an interval that draws whole groups again.

    Parameters
    ----------
    values, labels, groups : (q,) numbers, classes, and whose they are; a draw that leaves a class out is without it
    """
    values, classes = np.asarray(values, np.float64), np.unique(labels)
    draws, of_class = Draws(groups, seed), [np.asarray(labels) == label for label in classes]
    again = [draws.means(values, counted) for counted in of_class]
    value = np.mean([values[counted].mean() for counted in of_class])
    return estimate(value, np.nanmean(again, axis=0), len(values))


def difference_of_means(
    ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str], seed: int = 0, our_groups: Sequence[str] | None = None
) -> Estimate:
    """Return mean(ours) - mean(theirs) of two sets of queries, not paired; each set is drawn again by itself.

    Parameters
    ----------
    ours, our_groups : (q,) numbers, and of each, whose it is; None: they have nothing to do with each other
    theirs, groups : (p,) numbers, and of each, whose it is; whole groups are drawn
    """
    alone = our_groups or [str(row) for row in range(len(ours))]
    again = Draws(alone, seed).means(ours) - Draws(groups, seed + 1).means(theirs)
    return estimate(np.mean(ours) - np.mean(theirs), again, len(ours) + len(theirs))


class Draws:
    """Whole groups drawn again, as many as there are, 2,000 times."""

    def __init__(self, groups: Sequence[str], seed: int) -> None:
        names, self._group = np.unique(groups, return_inverse=True)
        n = len(names)
        self._times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), N_RESAMPLES)     # (2000, groups)

    def means(self, values: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
        """Return each draw's mean of (q,) numbers, or of those that count; NaN where it has none, (2000,)."""
        counted = np.ones(len(self._group)) if counted is None else counted.astype(float)
        sums, counts = np.bincount(self._group, np.asarray(values) * counted), np.bincount(self._group, counted)
        with np.errstate(invalid="ignore"):
            return (self._times @ sums) / (self._times @ counts)


def estimate(value: float, again: np.ndarray, n: int) -> Estimate:
    """Return a number of n observations with the 95 % interval of what the draws gave, again."""
    low, high = np.quantile(again, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(float(value), float(low), float(high), n)


# ---------------------------------------------------------------- deciders

def named_with_others_photos(
    shop: tuple[np.ndarray, np.ndarray],
    street: tuple[np.ndarray, np.ndarray],
    senders: Sequence[str],
    n_folds: int = 5,
) -> np.ndarray:
    """Return each street photo's class from a softmax layer that learned from the shop and from *other* senders.

    Parameters
    ----------
    shop, street : (features (n, d), labels (n,))
    senders : of the street photos; a sender's photos are all in one fold, so none is taught by its own sender

    Returns
    -------
    (q,) classes

    Raises
    ------
    ValueError : fewer senders than folds
    """
    from sklearn.model_selection import GroupKFold

    if len(set(senders)) < n_folds:
        raise ValueError(f"{n_folds} folds need as many senders, got {len(set(senders))}; use more photos")
    named = np.empty(len(senders), np.int64)
    for others, held_out in GroupKFold(n_folds).split(street[0], groups=list(senders)):
        both = np.concatenate([shop[0], street[0][others]]), np.concatenate([shop[1], street[1][others]])
        named[held_out] = named_by(both, street[0][held_out])
    return named


def moved_to(mean: np.ndarray, features: np.ndarray, senders: Sequence[str], n_folds: int = 5) -> np.ndarray:
    """Return features moved so that street photos lie about the shop's mean; nobody's own photos say by how much.

    Parameters
    ----------
    mean : (d,) of the shop's features
    features : (q, d) of street photos; each is moved by mean - (mean of the street photos of the other folds' senders)

    Returns
    -------
    (q, d) float32
    """
    from sklearn.model_selection import GroupKFold

    moved = np.empty(features.shape, np.float32)
    for others, held_out in GroupKFold(n_folds).split(features, groups=list(senders)):
        moved[held_out] = features[held_out] + (mean - features[others].mean(axis=0))
    return moved


def named_by(learned: tuple[np.ndarray, np.ndarray], asked: np.ndarray) -> np.ndarray:
    """Return the classes that a softmax layer fitted on (features, labels) gives to features (q, d), (q,)."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    scale = learned[0][:, 0].std() or 1.0
    with threadpool_limits(1, user_api="blas"):
        return LogisticRegression(max_iter=300).fit(learned[0] / scale, learned[1]).predict(asked / scale)
