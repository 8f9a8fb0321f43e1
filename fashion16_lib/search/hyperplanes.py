"""1.3: hyperplanes turn a feature vector into a binary code; random ones, as the paper has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

CHUNK_ROWS = 1024  # features are projected this many rows at a time: 64 MiB of float64 at 8,192 dimensions


def check_features(features: np.ndarray, n_features: int | None = None) -> np.ndarray:
    """Return features as a float32 matrix of finite numbers, or refuse.

    Parameters
    ----------
    features : (n, d) array of numbers; never changed
    n_features : the d that is expected, if any

    Raises
    ------
    ValueError : not a matrix, another d, NaN or infinity
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise ValueError(f"features must be an (n, d) array of numbers, got {features.dtype} of shape {features.shape}")
    if n_features is not None and features.shape[1] != n_features:
        raise ValueError(
            f"features must have {n_features} columns, got {features.shape[1]}; use the extractor that "
            "the planes were fitted with"
        )
    features = np.ascontiguousarray(features, dtype=np.float32)
    if not np.isfinite(features).all():
        bad_row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise ValueError(f"features must be finite, got NaN or infinity in row {bad_row}; check that image")
    return features


def add_rows(total: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return a sum (d,) float64 with the rows of features (n, d) added one after the other.

    So the sum of a gallery has the same bytes however it is cut into batches or shards.
    """
    total = total.copy()
    for row in features:
        total += row
    return total


class Hyperplanes:
    """Cut feature space by planes through one point; each plane gives one bit.

        bit_j(x) = 1  if  w_j . (x - mean) >= 0  else 0

    The kinds of planes below differ in how they are chosen, `fit`.

    Parameters
    ----------
    n_bits : bits of a code, at least 1; codes are filled up to whole bytes with zeros
    seed : of whatever is drawn

    Attributes
    ----------
    mean : (d,) float32;   planes : (n_bits, d) float32; None before they are fitted
    """

    kind, centred = "restored", True                # of restored planes a library's settings tell

    def __init__(self, n_bits: int = 64, seed: int = 0) -> None:
        if not isinstance(n_bits, (int, np.integer)) or isinstance(n_bits, bool) or n_bits < 1:
            raise ValueError(f"n_bits must be a whole number from 1, got {n_bits!r}; use 64, say")
        self.n_bits, self.seed = int(n_bits), int(seed)
        self.planes: np.ndarray | None = None
        self.mean: np.ndarray | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Return what a library file tells of its planes."""
        return {"kind": self.kind, "n_bits": self.n_bits, "seed": self.seed, "centred": self.centred}

    @staticmethod
    def restore(planes: np.ndarray, mean: np.ndarray) -> Hyperplanes:
        """Return the hash that was saved as planes (n_bits, d) and mean (d,)."""
        return Hyperplanes(len(planes))._set(planes, mean)

    def _set(self, planes: np.ndarray, mean: np.ndarray) -> Self:
        self.planes, self.mean = planes.astype(np.float32, copy=False), mean.astype(np.float32, copy=False)
        # float64, so that a vector has the same code alone and in a batch, whatever order the BLAS sums in
        self._normals = self.planes.T.astype(np.float64)  # (d, n_bits)
        return self

    def project(self, features: np.ndarray) -> np.ndarray:
        """Return the signed distances (times the normal's length) to each plane, (n, n_bits) float64."""
        if self.planes is None or self.mean is None:
            raise ValueError("the planes are not fitted yet; call fit(gallery_features) first")
        features = check_features(features, self.planes.shape[1])
        sides = np.empty((len(features), self.n_bits))
        for start in range(0, len(features), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            sides[rows] = (features[rows].astype(np.float64) - self.mean) @ self._normals
        return sides

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Return the codes of features (n, d) as (n, bytes) uint8, first bit highest; the last byte ends in zeros."""
        return np.packbits(self.project(features) >= 0, axis=1)


class RandomHyperplanes(Hyperplanes):
    """Draw the planes (Charikar, 2002): w_j ~ N(0, I). Vectors at angle theta share a bit with chance 1 - theta / pi.

    Parameters
    ----------
    n_bits : bits of a code, a positive multiple of 8
    seed : of the planes' normal vectors; more bits with the same seed only add planes
    centred : subtract the mean of the vectors given to `fit`. The paper doesn't say; VGG-16's features are never
        negative, so planes through the origin leave most garments on one side
    """

    kind = "random"

    def __init__(self, n_bits: int = 64, seed: int = 0, centred: bool = True) -> None:
        if not isinstance(n_bits, (int, np.integer)) or n_bits < 8 or n_bits % 8:
            raise ValueError(f"n_bits must be a positive multiple of 8, got {n_bits!r}; use 64, say")
        super().__init__(n_bits, seed)
        self.centred = bool(centred)

    def fit(self, features: np.ndarray) -> Self:
        """Draw the planes and take the mean of the gallery's features, (n, d)."""
        return self.fit_batches([features])

    def fit_batches(self, batches: Iterable[np.ndarray]) -> Self:
        """Do the same for features that come in batches, each (rows, d)."""
        n_items, total = 0, np.zeros(0)
        for features in map(check_features, batches):
            total = add_rows(total if n_items else np.zeros(features.shape[1]), features)
            n_items += len(features)
        return self.fit_sum(total, n_items)

    def fit_sum(self, total: np.ndarray, n_items: int) -> Self:
        """Do the same for the sum of so many features, (d,) float64, as `add_rows` gives it."""
        if n_items == 0:
            raise ValueError("features must hold at least one row, got none; the gallery is empty")
        mean = total / n_items if self.centred else np.zeros(len(total))
        normals = np.random.default_rng(self.seed).standard_normal((self.n_bits, len(total)), dtype=np.float32)
        return self._set(normals, mean)
