"""Product search, framework 3: many numbers brought down to few, without labels or by those of products."""

from __future__ import annotations

import numpy as np

from fashion16_lib.models.darn import learn_from_labels
from fashion16_lib.models.embedding import Embedding
from fashion16_lib.models.siamese import Seen, linear_embedding

REDUCTIONS = ("PCA", "LDA", "classification", "metric learning")


def reduction(seen: Seen, way: str, n_numbers: int, seed: int = 0, n_steps: int = 600) -> Embedding:
    """Return a linear map of features to few numbers of length 1.

    PCA: the first principal components. LDA: linear discriminants of the products, with a covariance shrunk as Ledoit
    and Wolf (2004) do, since each product has few photos. Classification: a softmax over the products learns from the
    numbers. Metric learning: triplets of photos do; both as in `learn_from_labels`, with one branch.

    Parameters
    ----------
    seen : photos of both sides
    way : one of REDUCTIONS
    n_numbers : of a point; at most the components of `seen`
    seed, n_steps : of classification and metric learning

    Raises
    ------
    ValueError : an unknown way, or more numbers than there are components (or, for LDA, products less one)
    """
    n_products = len(seen.rows[0])
    most = min(seen.axes.shape[1], n_products - 1) if way == "LDA" else seen.axes.shape[1]
    if way not in REDUCTIONS or not 1 <= n_numbers <= most:
        raise ValueError(f"way must be one of {', '.join(REDUCTIONS)}, n_numbers from 1 to {most}, got {way!r} and "
                         f"{n_numbers}")
    if way == "PCA":
        return linear_embedding(seen, np.eye(seen.axes.shape[1])[:, :n_numbers])
    if way == "LDA":
        return linear_embedding(seen, _discriminants(seen)[:, :n_numbers])
    told = _products(seen) if way == "classification" else ({}, {})
    return learn_from_labels(seen, told, way == "metric learning", 1, seed, n_steps, n_outputs=n_numbers)[0]


def _products(seen: Seen) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the number of each photo's product, of either side; -1 where one side alone has it."""
    number = {item: place for place, item in enumerate(seen.rows[0])}
    street, shop = ({"product": np.array([number.get(item, -1) for item in side], np.int64)} for side in seen.items)
    return street, shop


def _discriminants(seen: Seen) -> np.ndarray:
    """Return the linear discriminants of the products, (components, n) float64, the best first."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    numbers = np.concatenate([of["product"] for of in _products(seen)])
    known = numbers >= 0
    found = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    return found.fit(np.concatenate(seen.inputs)[known], numbers[known]).scalings_


def sign_codes(points: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Return a bit for each number of points (n, d): 1 from the gallery's mean on; (n, d / 8) uint8.

    Raises
    ------
    ValueError : numbers that don't fill whole bytes
    """
    if points.shape[1] % 8:
        raise ValueError(f"codes are whole bytes, got points of {points.shape[1]} numbers; use a multiple of 8")
    return np.packbits(points >= gallery.mean(axis=0), axis=1)
