"""1.3: comparing codes bit by bit, and the nearest ones in a fixed order."""

from __future__ import annotations

import numpy as np


def check_codes(codes: np.ndarray) -> np.ndarray:
    """Return codes as contiguous (n, bytes) uint8, or raise ValueError."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.dtype != np.uint8 or codes.shape[1] == 0:
        raise ValueError(
            f"codes must be (n, bytes) uint8, got {codes.dtype} of shape {codes.shape}; pack bits with "
            "RandomHyperplanes.encode"
        )
    return np.ascontiguousarray(codes)


def _words(codes: np.ndarray) -> np.ndarray:
    """View codes as 64-bit words where their length allows: eight bytes are compared at once."""
    return codes.view(np.uint64) if codes.shape[1] % 8 == 0 else codes


def hamming_distances(queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Count the differing bits between each query code and each gallery code.

    Parameters
    ----------
    queries : (q, bytes) uint8
    codes : (n, bytes) uint8

    Returns
    -------
    (q, n) uint16 : distances, 0 to 8 * bytes

    Raises
    ------
    ValueError : codes of another type or of different lengths
    """
    queries, codes = check_codes(queries), check_codes(codes)
    if queries.shape[1] != codes.shape[1]:
        raise ValueError(
            f"query codes have {8 * queries.shape[1]} bits and gallery codes {8 * codes.shape[1]}; "
            "encode both with the same planes"
        )
    distances = np.empty((len(queries), len(codes)), np.uint16)
    words = _words(codes)
    for query, row in zip(_words(queries), distances, strict=True):
        np.sum(np.bitwise_count(words ^ query), axis=1, dtype=np.uint16, out=row)
    return distances


def nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k smallest distances, ties in the order they stand.

    Parameters
    ----------
    distances : (n,) whole numbers
    k : how many; all n where k is larger

    Returns
    -------
    (min(k, n),) int64 : by distance, then by place
    """
    n = len(distances)
    order = distances.astype(np.int64) * n + np.arange(n)  # one number holds distance, then place
    if k < n:
        order = np.partition(order, k - 1)[:k]
    return np.sort(order) % max(n, 1)


def similarity(distances: np.ndarray, n_bits: int) -> np.ndarray:
    """Return the share of equal bits, 0 to 1.

    The paper returns "similarities" without a formula (1.3). This one estimates 1 - angle / pi between the centred
    features (Charikar, 2002).
    """
    return 1.0 - np.asarray(distances, np.float64) / n_bits
