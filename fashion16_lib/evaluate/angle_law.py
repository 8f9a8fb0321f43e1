"""1.3: the law of random planes, P(bits differ) = angle / pi, on real features, and what bits tell of a class.

Pairs of items are cut by the same planes, so pairs aren't independent of each other; planes are. Intervals of what
is measured against the law are therefore over planes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.statistics import Estimate, mean_over_queries, straight_line
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes

PAIRS_AT_ONCE = 4096


# ---------------------------------------------------------------- the law


def draw_pairs(n_items: int, n_pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of random pairs, (n_pairs,) each; no item is paired with itself."""
    rng = np.random.default_rng(seed)
    left = rng.integers(n_items, size=n_pairs)
    return left, (left + rng.integers(1, n_items, size=n_pairs)) % n_items


def angles_and_differing_bits(
    features: np.ndarray, hasher: RandomHyperplanes, n_pairs: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles of random pairs as shares of pi, as the planes see them, and their codes, XORed (p, bytes).

    features : (n, d); pairs are drawn with the seed;   hasher : fitted, its mean is removed first
    """
    from sklearn.preprocessing import normalize

    assert hasher.mean is not None
    left, right = draw_pairs(len(features), n_pairs, seed)
    unit, codes = normalize(features - hasher.mean), hasher.encode(features)
    cosine = np.einsum("ij,ij->i", unit[left], unit[right])
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi, codes[left] ^ codes[right]


def all_angles(features: np.ndarray) -> np.ndarray:
    """Return the angles between all rows of (n, d) as shares of pi, (n, n) float32; n * n numbers are held."""
    from sklearn.preprocessing import normalize

    unit = normalize(features)
    return np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.float32(np.pi)


def law_by_angle(angles: np.ndarray, differing: np.ndarray, n_bins: int = 12) -> pd.DataFrame:
    """Compare the share of differing bits with the angle, in bins of equally many pairs.

    The interval of a bin is over planes: each gives the share of the bin's pairs that it parts, whose expectation is
    the bin's mean angle / pi.

    Parameters
    ----------
    angles : (p,) as shares of pi
    differing : (p, bytes) uint8: the pair's codes, XORed

    Returns
    -------
    columns: angle, differing, low, high (means of the bin), inside (bool: angle within low and high), spread (root
    mean square of differing - angle over pairs) and expected_spread (sqrt of the mean angle (1 - angle) / bits)
    """
    n_bits = 8 * differing.shape[1]
    rows = []
    for part in np.array_split(np.argsort(angles, kind="stable"), n_bins):
        angle = angles[part].astype(np.float64)
        parted = sum(bits.sum(axis=0) for _, bits in _bits_of(differing[part])) / len(part)         # (n_bits,)
        found = mean_over_queries(parted)
        error = share_of_bits(differing[part]) - angle
        rows.append((angle.mean(), found.value, found.low, found.high, found.low <= angle.mean() <= found.high,
                     np.sqrt((error**2).mean()), np.sqrt((angle * (1 - angle)).mean() / n_bits)))
    columns = ["angle", "differing", "low", "high", "inside", "spread", "expected_spread"]
    return pd.DataFrame(rows, columns=columns)


def slope_over_planes(angles: np.ndarray, differing: np.ndarray) -> Estimate:
    """Return the least-squares slope of the share of differing bits on angle / pi, with an interval over planes.

    The slope is linear in the bits, so it is the mean of one slope a plane. `statistics.straight_line` gives the same
    slope, but takes the pairs for independent.
    """
    moved = (angles - angles.mean(dtype=np.float64)).astype(np.float64)
    slopes = sum(moved[rows] @ bits for rows, bits in _bits_of(differing)) / (moved @ moved)
    return mean_over_queries(slopes)


def slopes_of_shuffled_codes(
    angles: np.ndarray, codes: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], n_shuffles: int, seed: int
) -> np.ndarray:
    """Return the slope after the codes were dealt to the items anew, (n_shuffles,): the null of the law."""
    rng = np.random.default_rng(seed)
    slopes = []
    for _ in range(n_shuffles):
        dealt = codes[rng.permutation(len(codes))]
        slopes.append(straight_line(angles, share_of_bits(dealt[pairs[0]] ^ dealt[pairs[1]])).slope.value)
    return np.array(slopes)


def _bits_of(differing: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield slices of the pairs with their bits, (rows, n_bits) float32: a million pairs never lie unpacked at once."""
    for start in range(0, len(differing), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        yield rows, np.unpackbits(differing[rows], axis=1).astype(np.float32)


def share_of_bits(differing: np.ndarray) -> np.ndarray:
    """Return the share of ones in XORed codes (p, bytes) uint8, (p,): of the bits that differ."""
    return np.bitwise_count(differing).sum(axis=1) / (8 * differing.shape[1])


# ---------------------------------------------------------------- what the bits tell


def bit_entropy(codes: np.ndarray) -> np.ndarray:
    """Return the entropy of each bit over the codes (n, bytes), in bits, (8 * bytes,): 1 where half are ones."""
    from scipy.stats import entropy

    ones = np.unpackbits(codes, axis=1).mean(axis=0)
    return entropy([ones, 1 - ones], base=2)


def same_class_auc(distances: np.ndarray, labels: np.ndarray) -> float:
    """Return how often a pair of one class is nearer than a pair of two: the area under the ROC curve, ties half.

    distances : (n, n) symmetric;   labels : (n,)
    """
    from sklearn.metrics import roc_auc_score

    above = np.triu_indices(len(labels), 1)
    same = (labels[:, None] == labels)[above]
    return float(roc_auc_score(same, -distances[above].astype(np.float64)))


def auc_by_bits(codes: np.ndarray, labels: np.ndarray, bits: Iterable[int], n_blocks: int = 10) -> pd.DataFrame:
    """Return `same_class_auc` of codes, for parts of the items and of the bits that have nothing in common.

    Each block of items is judged by other bits of the codes, in turn where there are too few; so the spread over
    blocks holds both that of garments and that of planes.

    Parameters
    ----------
    codes : (n, bytes) uint8 of items in no order;   bits : multiples of 8, at most 8 * bytes

    Returns
    -------
    columns: n_bits, block, auc
    """
    rows = []
    for n_bits in bits:
        n_bytes = n_bits // 8
        for block, items in enumerate(np.array_split(np.arange(len(codes)), n_blocks)):
            first = block % (codes.shape[1] // n_bytes) * n_bytes
            part = codes[items, first : first + n_bytes]
            rows.append((n_bits, block, same_class_auc(hamming_distances(part, part), labels[items])))
    return pd.DataFrame(rows, columns=["n_bits", "block", "auc"])


def auc_of_angles(angles: np.ndarray, labels: np.ndarray, n_blocks: int = 10) -> np.ndarray:
    """Return `same_class_auc` of the angles (n, n) within the same blocks of items, (n_blocks,): endless bits."""
    blocks = np.array_split(np.arange(len(labels)), n_blocks)
    return np.array([same_class_auc(angles[np.ix_(items, items)], labels[items]) for items in blocks])
