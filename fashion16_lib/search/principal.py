"""1.3: codes from planes that are fitted to the gallery instead of drawn: PCA-sign and ITQ."""

from __future__ import annotations

from typing import Self

import numpy as np

from fashion16_lib.features.components import principal_components
from fashion16_lib.search.hyperplanes import Hyperplanes, check_features


class PcaSign(Hyperplanes):
    """Cut feature space across its principal components; each component gives one bit.

        bit_j(x) = 1  if  a_j . (x - mean) >= 0  else 0,      a_j the j-th principal axis of the gallery

    The simplest hash that looks at the data. Its first bits are the best; each later one splits a direction in which
    the garments differ less, and counts the same.

    Parameters
    ----------
    n_bits : bits of a code, from 1 to the numbers of a feature vector
    seed : of the randomised search for the axes; they hardly depend on it
    """

    kind = "pca-sign"

    def fit(self, features: np.ndarray) -> Self:
        """Find the mean and the principal axes of the gallery's features, (n, d).

        Raises
        ------
        ValueError : more bits than numbers in a vector, or not more vectors than bits
        """
        features = check_features(features)
        most = min(len(features) - 1, features.shape[1])
        if self.n_bits > most:
            raise ValueError(
                f"{len(features)} vectors of {features.shape[1]} numbers have {max(most, 0)} principal axes, got "
                f"n_bits {self.n_bits}; use fewer bits or more vectors"
            )
        found = principal_components(features, self.n_bits, self.seed)
        return self._set(found.components_, found.mean_)


class Itq(PcaSign):
    """Rotate the principal components so that rounding them to bits loses least (Gong & Lazebnik, 2011).

    V = (X - mean) A' holds the gallery's principal components, (n, n_bits). Iterative quantisation looks for the
    rotation R that makes |B - V R|^2 small for bits B of -1 and 1, from a random rotation on, in turns:

        B = sign(V R)                                   the best bits for this rotation
        R = S T',  where S, _, T' = svd(V' B)           the best rotation for these bits (Procrustes)

    Neither turn can raise the error. The rotation spreads the spread evenly over the bits.

    Parameters
    ----------
    n_bits, seed : as for PcaSign; the seed also draws the first rotation
    n_iterations : turns; 0 leaves the random rotation
    """

    kind = "itq"

    def __init__(self, n_bits: int = 64, seed: int = 0, n_iterations: int = 50) -> None:
        super().__init__(n_bits, seed)
        if not isinstance(n_iterations, (int, np.integer)) or n_iterations < 0:
            raise ValueError(f"n_iterations must be a whole number from 0, got {n_iterations!r}; 50 is usual")
        self.n_iterations = int(n_iterations)

    def fit(self, features: np.ndarray) -> Self:
        """Find the principal axes of the gallery's features, (n, d), and rotate them."""
        super().fit(features)
        assert self.planes is not None and self.mean is not None
        start = random_rotation(self.n_bits, np.random.default_rng(self.seed))
        return self._set(iterate(self.project(features), start, self.n_iterations).T @ self.planes, self.mean)


def random_rotation(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random orthogonal matrix, (n, n) float64: the Q of a matrix of standard normal numbers."""
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def iterate(components: np.ndarray, rotation: np.ndarray, n_iterations: int) -> np.ndarray:
    """Return the rotation after the turns of iterative quantisation, (n_bits, n_bits) float64.

    Parameters
    ----------
    components : (n, n_bits) principal components of the gallery
    rotation : (n_bits, n_bits) orthogonal, where to begin
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        for _ in range(n_iterations):
            bits = np.where(components @ rotation >= 0, 1.0, -1.0)
            left, _, right = np.linalg.svd(components.T @ bits)
            rotation = left @ right
    return rotation
