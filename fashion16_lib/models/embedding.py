"""Street to shop: what networks have learned, as a few arrays: features in, points on a sphere out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fashion16_lib.files import hdf5_bytes, replace_file
from fashion16_lib.settings import Fashion16Error

ARRAYS = ("first", "first_bias", "second", "second_bias")       # the last two where there is a hidden layer
CHUNK_ROWS = 1024       # features are embedded this many rows at a time


def of_length_1(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, d) divided by their lengths; 0 stays 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class Embedding:
    """Map features to points whose distance says how alike two garments are.

        e(x) = z / |z|,   z = W2 relu(W1 x / |x| + b1) + b2,   or without a hidden layer   z = W1 x / |x| + b1

    Parameters
    ----------
    arrays : "first" W1 (d, hidden), "first_bias" b1, "second" W2 (hidden, outputs), "second_bias" b2, float32; without
        a hidden layer the first two, (d, outputs)

    Raises
    ------
    Fashion16Error : arrays missing, or shapes that don't fit together
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        shapes = [np.shape(arrays[name]) for name in ARRAYS if name in arrays]
        layers = list(zip(shapes[::2], shapes[1::2], strict=False))
        fits = set(arrays) in ({*ARRAYS}, {*ARRAYS[:2]}) \
            and all(len(weights) == 2 and bias == weights[1:] for weights, bias in layers) \
            and (len(layers) == 1 or layers[1][0][:1] == layers[0][1])
        if not fits:
            said = {name: np.shape(array) for name, array in arrays.items()}
            raise Fashion16Error(f"an embedding needs {', '.join(ARRAYS)}, two layers that fit together, or the first "
                                 f"alone, got {said}; train it again")
        self.arrays = {name: np.ascontiguousarray(arrays[name], np.float32) for name in ARRAYS if name in arrays}
        self.n_features = shapes[-1][0]

    @cached_property
    def _exact(self) -> list[np.ndarray]:
        return [each.astype(np.float64) for each in self.arrays.values()]

    @property
    def sha256(self) -> str:
        """Return the digest of the arrays: two embeddings with one digest are the same."""
        return hashlib.sha256(b"".join(each.astype("<f4").tobytes() for each in self.arrays.values())).hexdigest()

    def embed(self, features: np.ndarray) -> np.ndarray:
        """Return e of features (n, d), (n, outputs) float32 of length 1; nearer means more alike."""
        n_inputs = len(self.arrays["first"])
        if features.ndim != 2 or features.shape[1] != n_inputs or not np.isfinite(features).all():
            raise ValueError(f"features must be (n, {n_inputs}) finite numbers, got shape {features.shape}; use the "
                             "extractor that the embedding was learned on")
        found = np.empty((len(features), self.n_features), np.float32)
        first, first_bias, *second = self._exact
        for start in range(0, len(features), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)             # float64: the same point alone and in a batch
            numbers = of_length_1(features[rows].astype(np.float64)) @ first + first_bias
            if second:
                numbers = np.maximum(numbers, 0) @ second[0] + second[1]
            found[rows] = of_length_1(numbers)
        return found

    def save(self, path: Path, learned_from: str) -> None:
        """Write the arrays to an HDF5 file, whole or not at all, with the digest of the photos they were learned from.
        """
        def fill(file: h5py.File) -> None:
            file.attrs["learned_from"] = learned_from
            for name, array in self.arrays.items():
                file.create_dataset(name, data=array, chunks=array.shape, fletcher32=True)

        replace_file(path, hdf5_bytes(fill))

    @classmethod
    def open(cls, path: Path, learned_from: str) -> Embedding:
        """Read what `save` wrote.

        Parameters
        ----------
        learned_from : digest of the photos it must have been learned from, so that it isn't judged on these very ones

        Raises
        ------
        Fashion16Error : not there, damaged, or learned from other photos
        """
        try:
            with h5py.File(io.BytesIO(path.read_bytes())) as file:
                found, arrays = file.attrs["learned_from"], {name: file[name][:] for name in file}
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise Fashion16Error(f"{path}: got no embedding that can be read ({error}); run its notebook again") \
                from error
        if found != learned_from:
            raise Fashion16Error(f"{path} was learned from other photos ({str(found)[:12]}..., here "
                                 f"{learned_from[:12]}...) and may know those that are asked for; run its notebook "
                                 "with the same SEED, photos and profile")
        return cls(arrays)


class EmbeddingExtractor:
    """Turn images into points of an embedding: an extractor like Vgg16Extractor, in whose place it can stand.

    Parameters
    ----------
    source : the extractor whose features the embedding was learned on
    """

    kind = "embedding"

    def __init__(self, source: Any, embedding: Embedding) -> None:
        self.source, self.embedding, self.n_features = source, embedding, embedding.n_features
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind, "sha256": embedding.sha256, "source": source.fingerprint,
        }

    def extract(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the points of images, (n, n_features) float32."""
        return self.embedding.embed(self.source.extract(images))
