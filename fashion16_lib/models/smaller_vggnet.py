"""Multi-label text, 4: SmallerVGGNet, which says for each label on its own whether a photo has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from fashion16_lib.data.preprocess import check_image, resize
from fashion16_lib.files import digest_of
from fashion16_lib.models.network_file import load_network, save_network, weights_digest
from fashion16_lib.models.training_bar import training_bar
from fashion16_lib.settings import TRAINING_BATCH_SIZE, Fashion16Error

RATE = 0.001            # Adam's, Keras's default, held constant: the text names none
BATCH_SIZE = 256        # for predicting


def build_smaller_vggnet(
    width: int, height: int, depth: int, classes: int, final_activation: str = "softmax"
) -> keras.Model:
    """Return the untrained network of the text, its arguments in the text's order, with its default ending.

    Three blocks of convolutions of 32, 64 and 64, 128 and 128 filters, each with ReLU and batch normalisation, pooled
    by 3, 2 and 2, dropout .25; then 1,024 numbers with dropout .5. For several labels the ending must be "sigmoid".
    """

    def convolution(filters: int) -> list[layers.Layer]:
        return [layers.Conv2D(filters, 3, padding="same"), layers.Activation("relu"), layers.BatchNormalization()]

    return keras.Sequential(
        [
            keras.Input((height, width, depth), name="input_layer"),
            *convolution(32),
            layers.MaxPooling2D(3),
            layers.Dropout(0.25),
            *convolution(64),
            *convolution(64),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            *convolution(128),
            *convolution(128),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1024),
            layers.Activation("relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(classes),
            layers.Activation(final_activation),
        ],
        name="smaller_vggnet",
    )


def to_squares(images: Sequence[np.ndarray] | np.ndarray, pixels: int) -> np.ndarray:
    """Return images of any size as (n, pixels, pixels, 3) uint8; sides are scaled apart."""
    squares = np.empty((len(images), pixels, pixels, 3), np.uint8)
    for place, image in zip(squares, images, strict=True):
        small = resize(check_image(image), pixels)
        place[:] = small[..., None] if small.ndim == 2 else small
    return squares


def label_weights(targets: np.ndarray, largest: float = 10.0) -> np.ndarray:
    """Return how much more a label counts where it is present: (photos without it) / (photos with it), at most 10.

    targets : (n, labels) of 0 and 1
    """
    present = np.asarray(targets).sum(axis=0)
    return np.clip((len(targets) - present) / np.maximum(present, 1), 1, largest).astype(np.float32)


def weighted_loss(weights: np.ndarray) -> Any:
    """Return binary cross-entropy in which label j, where present, counts weights[j] times.

    loss = mean over labels of -(weights * y * log(p) + (1 - y) * log(1 - p)); all weights 1: Keras's own
    """

    def loss(true: Any, said: Any) -> Any:
        said = keras.ops.clip(said, keras.backend.epsilon(), 1 - keras.backend.epsilon())
        true = keras.ops.cast(true, said.dtype)
        present, absent = true * keras.ops.log(said), (1 - true) * keras.ops.log(1 - said)
        return -keras.ops.mean(keras.ops.convert_to_tensor(weights) * present + absent, axis=-1)

    return loss


class SmallerVggNet:
    """Give the probability of each label of a photo with a trained SmallerVGGNet ending in sigmoids.

    Parameters
    ----------
    network : trained
    label_names : in the order of its outputs
    history : per epoch loss and val_loss, with dropout in the first only
    """

    kind = "smaller-vggnet"

    def __init__(self, network: keras.Model, label_names: Sequence[str], history: dict[str, list[float]]) -> None:
        self.network, self.label_names, self.history = network, tuple(label_names), history
        self.pixels: int = network.input_shape[1]
        self.fingerprint: dict[str, Any] = {"kind": self.kind, "sha256": weights_digest(network)}

    @classmethod
    def train(
        cls,
        train: tuple[np.ndarray, np.ndarray],
        tuning: tuple[np.ndarray, np.ndarray],
        label_names: Sequence[str],
        *,
        epochs: int,
        weighted: bool = False,
        batch_size: int = TRAINING_BATCH_SIZE,
        seed: int = 0,
    ) -> SmallerVggNet:
        """Train with Adam on binary cross-entropy; keep the epoch whose loss on the tuning part is lowest.

        Parameters
        ----------
        train, tuning : squares (n, pixels, pixels, 3) uint8 and targets (n, labels) of 0 and 1
        weighted : let rare labels count more (`label_weights`); the loss on the tuning part is never weighted
        """
        keras.utils.set_random_seed(seed)
        (squares, targets), (held_out, held_targets) = train, tuning
        network = build_smaller_vggnet(squares.shape[2], squares.shape[1], 3, len(label_names), "sigmoid")
        weights = label_weights(targets) if weighted else np.ones(len(label_names), np.float32)
        plain = keras.metrics.BinaryCrossentropy(name="cross_entropy")
        # jit_compile=True is slower on a CPU
        network.compile(keras.optimizers.Adam(RATE), weighted_loss(weights), metrics=[plain], jit_compile=False)
        n_batches = epochs * -(-len(squares) // batch_size)
        fitted = network.fit(
            squares / np.float32(255),
            targets.astype(np.float32),
            validation_data=(held_out / np.float32(255), held_targets.astype(np.float32)),
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping("val_cross_entropy", mode="min", patience=epochs,
                                              restore_best_weights=True),
                training_bar(f"training, seed {seed}", n_batches),
            ],
        )
        history = {name: [float(value) for value in fitted.history[of]]
                   for name, of in (("loss", "cross_entropy"), ("val_loss", "val_cross_entropy"))}
        trained = build_smaller_vggnet(squares.shape[2], squares.shape[1], 3, len(label_names), "sigmoid")
        trained.set_weights(network.get_weights())              # without Adam's two numbers a parameter
        return cls(trained, label_names, history)

    @classmethod
    def train_or_load(
        cls, folder: str | Path, train: tuple[np.ndarray, np.ndarray], tuning: tuple[np.ndarray, np.ndarray],
        label_names: Sequence[str], *, batch_size: int = TRAINING_BATCH_SIZE, **options: Any,
    ) -> SmallerVggNet:
        """Train, or load what was trained before from the same photos with the same options.

        The file's name in `folder` is the digest of both. So a rerun never trains what is there, and one after an
        interruption goes on with the first network that was not finished.
        """
        shape = train[0].shape[1:]
        network = build_smaller_vggnet(shape[1], shape[0], 3, len(label_names), "sigmoid")
        names = {layer.name: f"{place}" for place, layer in enumerate(network.layers)}      # names are numbered anew
        recipe = {
            "photos": [hashlib.sha256(part.tobytes()).hexdigest() for part in (*train, *tuning)],
            "labels": list(label_names),
            "network": [repr({**layer.get_config(), "name": names[layer.name]}) for layer in network.layers],
            "optimiser": ["adam", RATE, batch_size],
            **options,
        }
        path = Path(folder) / f"{cls.kind}-{digest_of(recipe)[:16]}.keras"
        if path.is_file():
            return cls.load(path)
        trained = cls.train(train, tuning, label_names, batch_size=batch_size, **options)
        trained.save(path)
        return trained

    @property
    def best_epoch(self) -> int:
        """Return the epoch, from 1, whose weights were kept."""
        return 1 + int(np.argmin(self.history["val_loss"]))

    def predict_proba(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return each label's probability for images of any size, (n, labels) float32."""
        batches = [
            self.network.predict_on_batch(to_squares(images[start: start + BATCH_SIZE], self.pixels) / np.float32(255))
            for start in range(0, len(images), BATCH_SIZE)
        ]
        return np.concatenate(batches) if batches else np.empty((0, len(self.label_names)), np.float32)

    def save(self, path: str | Path) -> None:
        """Write network, label names and history to one .keras file, whole or not at all."""
        save_network(path, self.network, {"label_names": self.label_names, "history": self.history})

    @classmethod
    def load(cls, path: str | Path) -> SmallerVggNet:
        """Read a file that `save` wrote; code inside it is never run.

        Raises
        ------
        Fashion16Error : missing, another kind of file, or a network of other shapes
        """
        network, notes = load_network(path, "a SmallerVGGNet")
        if "label_names" not in notes or network.output_shape != (None, len(notes["label_names"])):
            raise Fashion16Error(f"{path} gives {network.output_shape}, expected an output for each of its labels; "
                                 "train it again")
        return cls(network, notes["label_names"], notes["history"])
