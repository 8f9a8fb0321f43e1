"""1.3, Fig 2: VGG-16 with its ImageNet weights, read at a chosen layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion16_lib.data.pictures import part_of
from fashion16_lib.data.preprocess import to_vgg16_input
from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256, ensure_vgg16_weights, read_vgg16_weights
from fashion16_lib.progress import progress
from fashion16_lib.settings import RUNTIMES, VGG16_LAYERS, Fashion16Error

if TYPE_CHECKING:
    import keras  # loaded where it is used: a search in ONNX Runtime doesn't wait for it

BATCH_SIZE = 32
MIN_PIXELS = 32  # below, block 5 has nothing left to pool


def check_pixels(pixels: int) -> int:
    """Return the side of VGG-16's input, or raise ValueError where it isn't one."""
    if not isinstance(pixels, (int, np.integer)) or not MIN_PIXELS <= pixels <= 1024:
        raise ValueError(f"pixels must be a whole number from {MIN_PIXELS} to 1024, got {pixels!r}; the paper uses 224")
    return int(pixels)


def map_shape(layer: str, pixels: int) -> tuple[int, int, int]:
    """Return (h, w, filters) of a pooling layer: each block halves the side, filters double from 64 up to 512."""
    block = 1 + VGG16_LAYERS.index(layer)
    return pixels // 2**block, pixels // 2**block, min(64 * 2 ** (block - 1), 512)


def choose_runtime(name: str | None = None) -> str:
    """Return the runtime of VGG-16's pass: the one named, else by FASHION16_RUNTIME, else the fastest installed.

    ONNX Runtime is the faster on processors (results/bench). Keras is the reference, and the one that uses a GPU.

    Raises
    ------
    ValueError : another name
    Fashion16Error : ONNX Runtime is asked for and isn't installed
    """
    installed = find_spec("onnxruntime") is not None and find_spec("onnx") is not None
    name = name or os.environ.get("FASHION16_RUNTIME") or ("onnxruntime" if installed else "keras")
    if name not in RUNTIMES:
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, got {name!r}")
    if name == "onnxruntime" and not installed:
        raise Fashion16Error("ONNX Runtime isn't installed; pip install onnx onnxruntime, or use runtime=\"keras\"")
    return name


def build_vgg16(pixels: int) -> keras.Model:
    """Return VGG-16's 13 convolutions and 5 poolings with ImageNet weights, for (pixels, pixels, 3) inputs.

    Raises
    ------
    ValueError : pixels below 32
    Fashion16Error : weights missing or damaged; random ones are never used
    """
    import keras

    weights, side = read_vgg16_weights(ensure_vgg16_weights()), check_pixels(pixels)
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(side, side, 3))
    for name, (kernel, bias) in weights.items():
        network.get_layer(name).set_weights([kernel, bias])
    return network


class SeveralLayers:
    """Turn images into the outputs of some of VGG-16's pooling layers, each laid flat, one after the other.

    One pass through the network serves all layers, and behind a `CachedExtractor` all later runs.

    Parameters
    ----------
    layers : of "block1_pool" to "block5_pool", each once
    pixels : side of the square input, 32 to 1024
    runtime : "onnxruntime" or "keras", whose features differ by less than a hundred thousandth of the largest; None:
        see choose_runtime
    n_threads : of ONNX Runtime; 0: one a core. Keras's are its backend's
    """

    kind = "vgg16-layers"

    def __init__(
        self, layers: Sequence[str], pixels: int = 64, runtime: str | None = None, n_threads: int = 0
    ) -> None:
        if not layers or len(set(layers)) < len(layers) or set(layers) - set(VGG16_LAYERS):
            raise ValueError(f"layers must be some of {', '.join(VGG16_LAYERS)}, each once, got {layers!r}")
        self.layers, self.pixels, self.runtime = tuple(layers), check_pixels(pixels), choose_runtime(runtime)
        self.n_features = sum(int(np.prod(map_shape(layer, self.pixels))) for layer in layers)
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind, "layers": list(layers), "pixels": self.pixels, "weights_sha256": WEIGHTS_SHA256,
        }
        if self.runtime == "keras":
            if n_threads:
                raise ValueError(f"n_threads is ONNX Runtime's, got {n_threads} with Keras; leave it, or use runtime="
                                 "\"onnxruntime\"")
            self.forward = self.network.predict_on_batch        # one pass, without the loop of Keras's predict
        else:
            from fashion16_lib.models.onnx_vgg16 import OnnxPass

            self.forward = OnnxPass(read_vgg16_weights(ensure_vgg16_weights()), layers, self.pixels, n_threads)

    @cached_property
    def all_layers(self) -> keras.Model:
        """Return the whole network in Keras."""
        return build_vgg16(self.pixels)

    @cached_property
    def network(self) -> keras.Model:
        """Return the network up to the layers in Keras: images prepared for it in, features out."""
        import keras

        flat = [keras.layers.Flatten()(self.all_layers.get_layer(layer).output) for layer in self.layers]
        return keras.Model(self.all_layers.input, keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0])

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
            features[rows] = self.forward(to_vgg16_input(part_of(images, rows), self.pixels))
        return features

    def feature_maps(self, image: np.ndarray, layers: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what each filter of some layers answers to one image, layer -> (h, w, filters) float32."""
        import keras

        outputs = {layer: self.all_layers.get_layer(layer).output for layer in layers}
        answers = keras.Model(self.all_layers.input, outputs).predict_on_batch(to_vgg16_input([image], self.pixels))
        return {layer: answer[0] for layer, answer in answers.items()}


class Vgg16Extractor(SeveralLayers):
    """Turn images into the output of one of VGG-16's pooling layers, laid flat.

    The paper's text takes "conv and pool layers", its Fig 2 shows 4,096 and 1,000 (PAPER's open question): `layer`
    makes the choice visible. At 224 pixels block5_pool gives the text's 7 x 7 x 512 = 25,088 numbers.

    Parameters
    ----------
    layer : "block1_pool" to "block5_pool"
    pixels, runtime, n_threads : as for SeveralLayers
    """

    kind = "vgg16"

    def __init__(
        self, layer: str = "block4_pool", pixels: int = 64, runtime: str | None = None, n_threads: int = 0
    ) -> None:
        if layer not in VGG16_LAYERS:
            raise ValueError(f"layer must be one of {', '.join(VGG16_LAYERS)}, got {layer!r}")
        super().__init__([layer], pixels, runtime, n_threads)
        self.layer, self.n_threads = layer, n_threads
        self.fingerprint = {
            "kind": self.kind, "layer": layer, "pixels": self.pixels, "weights_sha256": WEIGHTS_SHA256,
        }

    def __reduce__(self) -> tuple:
        """Travel to another process as settings; there it is built once."""
        return _built_once, (self.layer, self.pixels, self.runtime, self.n_threads)

    @classmethod
    def from_fingerprint(cls, fingerprint: dict[str, Any]) -> Vgg16Extractor:
        """Return the extractor that a library file describes; whichever runtime made it, any may go on."""
        if fingerprint.get("kind") != cls.kind:
            raise Fashion16Error(
                f"the library's features were made by {fingerprint.get('kind')!r}, which can't be rebuilt "
                "from the file; pass extractor="
            )
        return cls(fingerprint["layer"], fingerprint["pixels"])


@lru_cache(maxsize=4)
def _built_once(*settings: Any) -> Vgg16Extractor:
    return Vgg16Extractor(*settings)
