"""1.4: the softmax layer attached to VGG-16, its base frozen: decider (b)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.features.batches import FeatureBatches
from fashion16_lib.features.components import principal_components
from fashion16_lib.settings import Fashion16Error

N_COMPONENTS = 256  # the features are reduced before fitting; folded into one (classes, d) layer afterwards
STRENGTH = 1.0  # scikit-learn's C after scaling, its default: chosen by nobody, tuned on nothing


class SoftmaxHead:
    """Give class probabilities from VGG-16's features: softmax(W x + b).

    Parameters
    ----------
    arrays : "weights" (classes, d) float32 and "bias" (classes,) float32
    class_names : in the order of the rows of the weights
    extractor : for images that come without features
    """

    kind = "softmax-head"

    def __init__(self, arrays: dict[str, np.ndarray], class_names: Sequence[str], extractor: Any) -> None:
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != {"weights": (len(class_names), extractor.n_features), "bias": (len(class_names),)}:
            raise Fashion16Error(
                f"a softmax head needs weights ({len(class_names)}, {extractor.n_features}) and bias "
                f"({len(class_names)},), got {shapes}; build the library again"
            )
        self.arrays, self.class_names, self.extractor = arrays, tuple(class_names), extractor
        content = b"".join(np.ascontiguousarray(arrays[name], "<f4").tobytes() for name in ("weights", "bias"))
        self.fingerprint: dict[str, Any] = {"kind": self.kind, "sha256": hashlib.sha256(content).hexdigest()}

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        labels: np.ndarray,
        class_names: Sequence[str],
        extractor: Any,
        seed: int = 0,
    ) -> SoftmaxHead:
        """Fit by principal components, then multinomial logistic regression.

        Parameters
        ----------
        features : (n, d) float32, of the training part only
        labels : (n,) indices into class_names; at least two classes
        """
        return cls._fit([features], features, labels, class_names, extractor, seed)

    @classmethod
    def fit_images(cls, gallery: Dataset, extractor: Any, seed: int = 0) -> SoftmaxHead:
        """Extract a gallery's features and fit; where they don't fit into memory, a batch at a time.

        The components then come from as many images as one batch holds, the regression from all of them.
        """
        batches = FeatureBatches(extractor, gallery.images)
        features = (features for _, features in batches)
        return cls._fit(features, batches.sample(seed), gallery.labels, gallery.class_names, extractor, seed)

    @classmethod
    def _fit(
        cls,
        batches: Iterable[np.ndarray],
        sample: np.ndarray,
        labels: np.ndarray,
        class_names: Sequence[str],
        extractor: Any,
        seed: int,
    ) -> SoftmaxHead:
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        present = np.unique(labels)
        if len(present) < 2:
            raise ValueError(
                f"a classifier needs images of at least two classes, got {len(present)}; add another class"
            )
        reducer = principal_components(sample, N_COMPONENTS, seed)
        with threadpool_limits(1, user_api="blas"):  # the same head on any number of cores
            reduced = np.concatenate([reducer.transform(features) for features in batches])
            scale = reduced[:, 0].std() or 1.0
            model = LogisticRegression(C=STRENGTH, max_iter=300).fit(reduced / scale, labels)
        # one layer from the three steps: (x - mean) @ components.T / scale @ coef.T + intercept
        weights, bias = model.coef_, model.intercept_
        if len(present) == 2:  # scikit-learn gives one row for two classes
            weights, bias = np.vstack([-weights, weights]) / 2, np.hstack([-bias, bias]) / 2
        folded = weights @ reducer.components_ / scale
        full = np.zeros((len(class_names), sample.shape[1]), np.float32)
        full_bias = np.full(len(class_names), -np.inf, np.float32)  # a class without images is never chosen
        full[present], full_bias[present] = folded, bias - folded @ reducer.mean_
        return cls({"weights": full, "bias": full_bias}, class_names, extractor)

    def predict_proba(self, images: Any) -> np.ndarray:
        """Return class probabilities of images, (n, classes) float64."""
        return self.predict_proba_of_features(self.extractor.extract(images))

    def predict_proba_of_features(self, features: np.ndarray) -> np.ndarray:
        """Return class probabilities of features (n, d), (n, classes) float64; rows sum to 1."""
        scores = features.astype(np.float64) @ self.arrays["weights"].T + self.arrays["bias"]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)
