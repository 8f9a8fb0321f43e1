"""1.3: three ways to turn a layer's maps into a feature, and what a layer costs.

The paper says neither which layer its features come from nor whether the maps are averaged first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256
from fashion16_lib.models.vgg16 import map_shape

POOLINGS = ("flat", "average", "max")


def pool(maps: np.ndarray, pooling: str) -> np.ndarray:
    """Return maps (n, h, w, filters) as features: laid flat, or one number a filter: its mean or its maximum.

    Returns
    -------
    (n, h * w * filters) for "flat", (n, filters) for "average" and "max"; the type stays

    Raises
    ------
    ValueError : another pooling
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
    if pooling == "flat":
        return maps.reshape(len(maps), -1)
    return maps.mean(axis=(1, 2)) if pooling == "average" else maps.max(axis=(1, 2))


def multiply_adds(network: keras.Model, layer: str) -> int:
    """Return how many multiplications and additions, in pairs, one image costs up to a layer of VGG-16.

    Each number of a convolution's output takes one for each number in its kernel: 3 x 3 x filters before it.
    """
    names = [each.name for each in network.layers]
    before = (network.get_layer(name) for name in names[: 1 + names.index(layer)])
    convolutions = [each for each in before if isinstance(each, keras.layers.Conv2D)]
    return sum(int(np.prod(each.output.shape[1:3])) * int(np.prod(each.kernel.shape)) for each in convolutions)


class PooledLayer:
    """Turn images into one layer's output, pooled: an extractor like any other.

    Parameters
    ----------
    source : `SeveralLayers`, or a `CachedExtractor` of one
    layer : one that the source reads
    pooling : "flat", "average" or "max"
    """

    kind = "vgg16-pooled"

    def __init__(self, source: Any, layer: str, pooling: str) -> None:
        layers, pixels = source.fingerprint["layers"], source.fingerprint["pixels"]
        if layer not in layers:
            raise ValueError(f"layer must be one that the source reads ({', '.join(layers)}), got {layer!r}")
        sizes = [int(np.prod(map_shape(name, pixels))) for name in layers]
        start = sum(sizes[: layers.index(layer)])
        self.source, self.layer, self.pooling, self.shape = source, layer, pooling, map_shape(layer, pixels)
        self._columns = slice(start, start + sizes[layers.index(layer)])
        self.n_features = pool(np.zeros((1, *self.shape), np.float32), pooling).shape[1]
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind, "layer": layer, "pooling": pooling, "pixels": pixels, "weights_sha256": WEIGHTS_SHA256,
        }

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return (n, n_features) from what the source's `extract` gave; for "flat" a view of it."""
        return pool(features[:, self._columns].reshape(len(features), *self.shape), self.pooling)

    def extract(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the features of images, (n, n_features) float32."""
        return self.of(self.source.extract(images))
