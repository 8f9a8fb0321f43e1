"""1.3: a hash layer that is learned: VGG-16's features to bits, trained with the gallery's labels."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from fashion16_lib.features.components import principal_components
from fashion16_lib.progress import progress

# Chosen on the tuning part at quick, by mAP at 12 and 48 bits: .92 and .92 as it is; .81 and .82 without the hidden
# layer, .89 and .90 with 128 components, .90 and .90 at a rate of 0.002, .93 and .93 with twice the epochs, for twice
# the time. No pull or three times as much, a dropout of 0.5, and twice the width change it by less than .01.
N_COMPONENTS = 256          # principal components of the features that the network sees
N_HIDDEN = 256              # numbers between them and the bits
DROPOUT = 0.3               # share of the hidden numbers left out at each step of training
PULL = 0.3                  # weight of (|h| - 1)^2 beside the cross-entropy
EPOCHS, BATCH_SIZE, FIRST_RATE = 15, 256, 0.005
CHUNK_ROWS = 1024           # projected at a time: 64 MiB of float64 at 8,192 numbers a vector


class HashLayer:
    """Learn planes that tell the classes apart: a tanh layer between the features and a softmax over the classes.

        u = W2 relu(W1 x + b1) + b2         the numbers whose signs are the bits, (n_bits,)
        h = tanh(u)                         bits that a gradient can follow, -1 to 1
        p = softmax(V h + c)                the class, which must be told from the bits alone
        loss = -log p[class] + PULL * mean((|h| - 1)^2)

    A binary layer below the softmax is Lin et al.'s (2015); the pull towards -1 and 1, so that rounding changes
    little, is Liu et al.'s (2016) with a square. VGG-16 stays as it is. After training the softmax is thrown away.

    Parameters
    ----------
    n_bits : bits of a code, at least 1; codes are filled up to whole bytes with zeros
    seed : of the first weights, the order of the images and the dropout
    """

    def __init__(self, n_bits: int = 48, seed: int = 0) -> None:
        if not isinstance(n_bits, (int, np.integer)) or isinstance(n_bits, bool) or n_bits < 1:
            raise ValueError(f"n_bits must be a whole number from 1, got {n_bits!r}; use 48, say")
        self.n_bits, self.seed = int(n_bits), int(seed)
        self._layers: list[tuple[np.ndarray, np.ndarray]] | None = None     # (kernel, bias) of u's two layers

    def fit(self, features: np.ndarray, labels: np.ndarray) -> HashLayer:
        """Train on a gallery's features (n, d) and labels (n,); queries must not be among them.

        Raises
        ------
        ValueError : another number of labels, or a single class
        """
        features, labels = np.asarray(features), np.asarray(labels)
        classes, targets = np.unique(labels, return_inverse=True)
        if len(features) != len(labels) or len(classes) < 2:
            raise ValueError(
                f"a hash layer learns from one label a vector and at least two classes, got {len(features)} vectors, "
                f"{len(labels)} labels, {len(classes)} classes; pass the whole gallery"
            )
        mean, axes = _scaled_axes(features, self.seed)
        self._layers = [(axes, -mean @ axes)]                       # the components alone, until W1 is known
        components = self._forward(features).astype(np.float32)
        (first, first_bias), (second, second_bias) = _train(components, targets, self.n_bits, self.seed)
        self._layers = [(axes @ first, first_bias - mean @ axes @ first), (second, second_bias)]
        return self

    def project(self, features: np.ndarray) -> np.ndarray:
        """Return u of features (n, d), (n, n_bits) float64: a code's bits are its signs."""
        if self._layers is None:
            raise ValueError("the hash layer is not trained yet; call fit(gallery_features, gallery_labels) first")
        features = np.asarray(features)
        n_features = len(self._layers[0][0])
        if features.ndim != 2 or features.shape[1] != n_features or not np.isfinite(features).all():
            raise ValueError(
                f"features must be (n, {n_features}) finite numbers, got shape {features.shape}; use the extractor "
                "that the hash layer was trained with"
            )
        return self._forward(features)

    def _forward(self, features: np.ndarray) -> np.ndarray:
        """Return the last layer's numbers in float64, so that a vector has the same code alone and in a batch."""
        assert self._layers is not None
        found = np.empty((len(features), len(self._layers[-1][1])))
        for start in range(0, len(features), CHUNK_ROWS):
            numbers = features[start : start + CHUNK_ROWS].astype(np.float64)
            for place, (kernel, bias) in enumerate(self._layers):
                numbers = (np.maximum(numbers, 0) if place else numbers) @ kernel + bias
            found[start : start + CHUNK_ROWS] = numbers
        return found

    def encode(self, features: np.ndarray) -> np.ndarray:
        """Return the codes of features (n, d) as (n, bytes) uint8, first bit highest; the last byte ends in zeros."""
        return np.packbits(self.project(features) >= 0, axis=1)


def _scaled_axes(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (d,) and axes (d, k): principal axes over the root of their deviation, the first deviation made 1.

    The root lies between leaving the spread as it is and making all components equally wide: on the tuning part it was
    better than either.
    """
    found = principal_components(features, N_COMPONENTS, seed)
    deviations = np.sqrt(found.explained_variance_.astype(np.float64))
    widest = deviations[0] or 1.0                                   # 0 where all vectors are equal
    scales = np.sqrt(np.maximum(deviations, 1e-6 * widest) * widest)
    return found.mean_.astype(np.float64), found.components_.T / scales


def _train(components: np.ndarray, targets: np.ndarray, n_bits: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias of the hidden and of the hash layer, trained on (n, k) float32 and (n,) class numbers."""
    keras.utils.set_random_seed(seed)
    size = min(BATCH_SIZE, len(components))
    n_batches = len(components) // size
    network = _network(components.shape[1], n_bits, int(targets.max()) + 1, EPOCHS * n_batches)
    rng, nothing = np.random.default_rng(seed), np.zeros((size, n_bits), np.float32)
    for _ in progress(range(EPOCHS), f"hash layer, {n_bits} bits", unit="epoch"):
        for rows in rng.permutation(len(components))[: n_batches * size].reshape(n_batches, size):
            network.train_on_batch(components[rows], [targets[rows], nothing])
    trained = [network.get_layer(name).get_weights() for name in ("hidden", "hash")]
    return [(kernel.astype(np.float64), bias.astype(np.float64)) for kernel, bias in trained]


def _network(n_inputs: int, n_bits: int, n_classes: int, n_steps: int) -> keras.Model:
    inputs = keras.Input((n_inputs,))
    hidden = layers.Dense(N_HIDDEN, activation="relu", name="hidden")(inputs)
    relaxed = layers.Dense(n_bits, activation="tanh", name="hash")(layers.Dropout(DROPOUT)(hidden))
    network = keras.Model(inputs, [layers.Dense(n_classes)(relaxed), relaxed])
    network.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(FIRST_RATE, n_steps)),
        [keras.losses.SparseCategoricalCrossentropy(from_logits=True), _distance_from_bits],
        loss_weights=[1.0, PULL],
        jit_compile=False,                                          # slower on a CPU
    )
    return network


def _distance_from_bits(_: object, relaxed: keras.KerasTensor) -> keras.KerasTensor:
    """Return how far relaxed bits are from -1 or 1, the mean square for each image."""
    return keras.ops.mean(keras.ops.square(keras.ops.abs(relaxed) - 1), axis=-1)
