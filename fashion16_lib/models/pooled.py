"""1.3: several of VGG-16's layers read in one pass, and three ways to turn a layer's maps into a feature.

The paper says neither which layer its features come from nor whether the maps are averaged first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256
from fashion16_lib.models.vgg16 import Vgg16Extractor, build_vgg16
from fashion16_lib.settings import VGG16_LAYERS

POOLINGS = ("flat", "average", "max")


def map_shape(layer: str, pixels: int) -> tuple[int, int, int]:
    """Return (h, w, filters) of a pooling layer: each block halves the side, filters double from 64 up to 512."""
    block = 1 + VGG16_LAYERS.index(layer)
    return pixels // 2**block, pixels // 2**block, min(64 * 2 ** (block - 1), 512)


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


class SeveralLayers(Vgg16Extractor):
    """Turn images into the outputs of several pooling layers, each laid flat, one after the other.

    One pass through the network serves all layers, and behind a `CachedExtractor` all later runs.

    Parameters
    ----------
    layers : of "block1_pool" to "block5_pool", each once
    pixels : side of the square input, 32 to 1024
    """

    kind = "vgg16-layers"

    def __init__(self, layers: Sequence[str], pixels: int = 64) -> None:
        if not layers or len(set(layers)) < len(layers) or set(layers) - set(VGG16_LAYERS):
            raise ValueError(f"layers must be some of {', '.join(VGG16_LAYERS)}, each once, got {layers!r}")
        self.all_layers = build_vgg16(pixels)
        self.layers, self.pixels = tuple(layers), int(pixels)
        outputs = [keras.layers.Flatten()(self.all_layers.get_layer(layer).output) for layer in layers]
        joined = keras.layers.Concatenate()(outputs) if len(outputs) > 1 else outputs[0]
        self.network = keras.Model(self.all_layers.input, joined)
        self.n_features = self.network.output_shape[1]
        self.fingerprint = {
            "kind": self.kind, "layers": list(layers), "pixels": self.pixels, "weights_sha256": WEIGHTS_SHA256,
        }


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
