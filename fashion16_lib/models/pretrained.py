"""Street to shop, method 2: the text's four networks with ImageNet's weights, read at every one of their stages."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from fashion16_lib.data.download import Source, fetch_verified, log
from fashion16_lib.data.pictures import part_of
from fashion16_lib.data.preprocess import IMAGENET_MEAN_BGR, to_vgg16_input
from fashion16_lib.data.sources import LocalFile, WebFile, Website
from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256
from fashion16_lib.models.vgg16 import BATCH_SIZE, build_vgg16
from fashion16_lib.progress import progress
from fashion16_lib.settings import VGG16_LAYERS, Fashion16Error, data_folder

UNAVAILABLE = "weights unavailable"
SITE, CONNECT_SECONDS = "https://storage.googleapis.com/tensorflow/keras-applications/", 10


@dataclass(frozen=True)
class Network:
    """Describe one of the text's networks as Keras has it.

    Attributes
    ----------
    build : of keras.applications
    layers : whose outputs are read: the end of each of its stages
    file, md5 : of the weights without the classifier, below SITE; "" for VGG-16, whose weights come by another way
    scaled : wants pixels from -1 to 1 in RGB; else as VGG-16, in BGR less ImageNet's mean
    min_pixels : side of the smallest image it takes
    """

    build: str
    layers: tuple[str, ...]
    file: str = ""
    md5: str = ""
    scaled: bool = False
    min_pixels: int = 32


KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
NETWORKS = {
    "VGG-16": Network("VGG16", VGG16_LAYERS),
    "VGG-19": Network("VGG19", VGG16_LAYERS, f"vgg19/vgg19_{KERNELS}", "253f8cb515780f3b799900260a226db6"),
    "Inception v3": Network("InceptionV3", tuple(f"mixed{n}" for n in range(11)),
                            f"inception_v3/inception_v3_{KERNELS}", "bcbd6486424b2319ff4ef7d526e38f63", scaled=True,
                            min_pixels=75),
    "ResNet-50": Network("ResNet50", ("pool1_pool", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out",
                                      "conv5_block3_out"),
                         f"resnet/resnet50_{KERNELS}", "4d473c1dd8becc155b73f8504c6f6626"),
}


def sizes_of_networks() -> pd.DataFrame:
    """Return each network's layers with weights and its parameters, whole and without its classifier.

    Counted in the networks themselves; their weights play no part.
    """
    rows = []
    for name, network in NETWORKS.items():
        build = getattr(keras.applications, network.build)
        base = build(weights=None, include_top=False)
        whole = build(weights=None)
        counted = [layer for layer in whole.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
        rows.append({"network": name, "layers with weights": len(counted), "Keras layers": len(whole.layers),
                     "parameters": whole.count_params(), "without classifier": base.count_params()})
        del base, whole
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- weights


def weights_folder() -> Path:
    """Return where the three networks' weights lie, or are to be put by hand."""
    return data_folder() / "weights"


def ensure_weights(name: str, fetch: bool = True) -> Path:
    """Return the verified file of a network's ImageNet weights, downloading it unless told not to.

    Parameters
    ----------
    name : of NETWORKS, but VGG-16
    fetch : ask Keras's site; else only this machine is looked at

    Raises
    ------
    Fashion16Error : no source gave the right file; random weights are never used
    """
    network = NETWORKS[name]
    target = weights_folder() / Path(network.file).name
    homes = dict.fromkeys([Path(os.environ.get("KERAS_HOME") or "~/.keras"), Path("~/.keras")])
    sources: list[Source] = [LocalFile(home.expanduser() / "models" / target.name, name="Keras's own copy")
                             for home in homes]
    if fetch:
        folder, _, file = network.file.rpartition("/")
        sources.append(WebFile(Website(f"{SITE}{folder}/", CONNECT_SECONDS), file, name="Keras"))
    return fetch_verified(target, partial(_check_md5, network.md5), sources)


def _check_md5(expected: str, path: Path) -> None:
    with path.open("rb") as stream:
        got = hashlib.file_digest(stream, "md5").hexdigest()
    if got != expected:
        raise ValueError(f"MD5 is {got}, expected {expected}: damaged or another file")


# ---------------------------------------------------------------- features


class AveragedStages:
    """Turn images into the mean of each filter of a network's stages, one stage after the other.

    Parameters
    ----------
    name : of NETWORKS
    pixels : side of the square input; a network that needs more takes its least
    fetch : download weights that aren't here

    Raises
    ------
    ValueError : an unknown network
    Fashion16Error : its weights can't be had
    """

    kind = "averaged-stages"

    def __init__(self, name: str, pixels: int = 64, fetch: bool = True) -> None:
        if name not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {name!r}")
        self.name, self.about = name, NETWORKS[name]
        self.pixels = max(pixels, self.about.min_pixels)
        whole = _with_weights(name, self.pixels, fetch)
        outputs = [whole.get_layer(layer).output for layer in self.about.layers]
        self.widths = [int(output.shape[-1]) for output in outputs]
        self.n_features = sum(self.widths)
        means = [keras.layers.GlobalAveragePooling2D()(output) for output in outputs]
        self.network = keras.Model(whole.input, keras.layers.Concatenate()(means))
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind, "network": name, "layers": list(self.about.layers), "pixels": self.pixels,
            "weights": self.about.md5 or WEIGHTS_SHA256,
        }

    def extract(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the features of images as (n, n_features) float32."""
        features = np.empty((len(images), self.n_features), np.float32)
        for start in progress(range(0, len(images), BATCH_SIZE), self.name, unit="batch"):
            rows = slice(start, start + BATCH_SIZE)
            inputs = to_vgg16_input(part_of(images, rows), self.pixels)
            if self.about.scaled:
                inputs = (inputs + IMAGENET_MEAN_BGR)[..., ::-1] / 127.5 - 1
            features[rows] = self.network.predict_on_batch(inputs)
        return features

    def stages(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Return the features (n, n_features) apart: layer -> (n, its filters)."""
        parts = np.split(features, np.cumsum(self.widths)[:-1], axis=1)
        return dict(zip(self.about.layers, parts, strict=True))


def _with_weights(name: str, pixels: int, fetch: bool) -> keras.Model:
    if name == "VGG-16":
        return build_vgg16(pixels)
    build = getattr(keras.applications, NETWORKS[name].build)
    return build(weights=str(ensure_weights(name, fetch)), include_top=False, input_shape=(pixels, pixels, 3))


def available_networks(pixels: int, fetch: bool = True) -> tuple[dict[str, AveragedStages], dict[str, str]]:
    """Return the networks whose weights can be had, and of the others why not: the whole message."""
    there: dict[str, AveragedStages] = {}
    missing: dict[str, str] = {}
    with _silent(log):                                          # what it would warn of is in the message
        for name in NETWORKS:
            try:
                there[name] = AveragedStages(name, pixels, fetch)
            except Fashion16Error as error:
                if name == "VGG-16":
                    raise
                missing[name] = str(error)
    return there, missing


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
