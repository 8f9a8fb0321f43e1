"""1.3, Fig 2: VGG-16 with its ImageNet weights, read at a chosen layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from fashion16_lib.data.pictures import part_of
from fashion16_lib.data.preprocess import to_vgg16_input
from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256, ensure_vgg16_weights, read_vgg16_weights
from fashion16_lib.progress import progress
from fashion16_lib.settings import VGG16_LAYERS, Fashion16Error

BATCH_SIZE = 32
MIN_PIXELS = 32  # below, block 5 has nothing left to pool


def build_vgg16(pixels: int) -> keras.Model:
    """Return VGG-16's 13 convolutions and 5 poolings with ImageNet weights, for (pixels, pixels, 3) inputs.

    Raises
    ------
    ValueError : pixels below 32
    Fashion16Error : weights missing or damaged; random ones are never used
    """
    if not isinstance(pixels, (int, np.integer)) or not MIN_PIXELS <= pixels <= 1024:
        raise ValueError(f"pixels must be a whole number from {MIN_PIXELS} to 1024, got {pixels!r}; the paper uses 224")
    weights = read_vgg16_weights(ensure_vgg16_weights())
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(pixels, pixels, 3))
    for name, (kernel, bias) in weights.items():
        network.get_layer(name).set_weights([kernel, bias])
    return network


class Vgg16Extractor:
    """Turn images into the output of one of VGG-16's pooling layers, laid flat.

    The paper's text takes "conv and pool layers", its Fig 2 shows 4,096 and 1,000 (PAPER's open question): `layer`
    makes the choice visible. At 224 pixels block5_pool gives the text's 7 x 7 x 512 = 25,088 numbers.

    Parameters
    ----------
    layer : "block1_pool" to "block5_pool"
    pixels : side of the square input, 32 to 1024
    """

    kind = "vgg16"

    def __init__(self, layer: str = "block4_pool", pixels: int = 64) -> None:
        if layer not in VGG16_LAYERS:
            raise ValueError(f"layer must be one of {', '.join(VGG16_LAYERS)}, got {layer!r}")
        self.layer, self.pixels = layer, int(pixels)
        self.all_layers = build_vgg16(pixels)
        output = self.all_layers.get_layer(layer).output
        self.network = keras.Model(self.all_layers.input, keras.layers.Flatten()(output))
        self.n_features: int = self.network.output_shape[1]
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind,
            "layer": layer,
            "pixels": self.pixels,
            "weights_sha256": WEIGHTS_SHA256,
        }

    @classmethod
    def from_fingerprint(cls, fingerprint: dict[str, Any]) -> Vgg16Extractor:
        """Return the extractor that a library file describes."""
        if fingerprint.get("kind") != cls.kind:
            raise Fashion16Error(
                f"the library's features were made by {fingerprint.get('kind')!r}, which can't be rebuilt "
                "from the file; pass extractor="
            )
        return cls(fingerprint["layer"], fingerprint["pixels"])

    def extract(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the features of images as (n, n_features) float32.

        Parameters
        ----------
        images : n images, (h, w) grey or (h, w, 3) RGB uint8, of any size
        """
        features = np.empty((len(images), self.n_features), np.float32)
        starts = range(0, len(images), BATCH_SIZE)
        for start in progress(starts, "VGG-16", unit="batch") if len(starts) > 1 else starts:
            rows = slice(start, start + BATCH_SIZE)
            features[rows] = self.network.predict_on_batch(to_vgg16_input(part_of(images, rows), self.pixels))
        return features

    def feature_maps(self, image: np.ndarray, layers: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what each filter of some layers answers to one image, layer -> (h, w, filters) float32."""
        outputs = {layer: self.all_layers.get_layer(layer).output for layer in layers}
        answers = keras.Model(self.all_layers.input, outputs).predict_on_batch(to_vgg16_input([image], self.pixels))
        return {layer: answer[0] for layer, answer in answers.items()}
