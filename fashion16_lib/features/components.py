"""Principal components of features, the same on any number of cores: three methods start from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.decomposition import PCA


def principal_components(features: np.ndarray, most: int, seed: int) -> PCA:
    """Fit scikit-learn's PCA to features (n, d): at most `most` components, fewer where there are none further.

    The search for the axes is randomised, by the seed; one BLAS thread keeps its sums in one order.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    n_components = min(most, len(features) - 1, features.shape[1])
    with threadpool_limits(1, user_api="blas"):
        return PCA(n_components, svd_solver="randomized", random_state=seed).fit(features)
