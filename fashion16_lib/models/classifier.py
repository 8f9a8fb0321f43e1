"""1.2, Table 1: the small network that names the garment's class: decider (a)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.preprocess import mean_to_remove, standardise, to_table1_input
from fashion16_lib.files import digest_of
from fashion16_lib.models.network_file import load_network, save_network
from fashion16_lib.models.training_bar import training_bar
from fashion16_lib.settings import TRAINING_BATCH_SIZE, Fashion16Error

FIRST_RATE = 0.001  # Adam's rate at the first batch: Keras's default
BATCH_SIZE = 256  # for predicting
PIXELS = 28  # Table 1's input: 28x28x1


def build_table1(n_classes: int = 10, dropout: bool = True, pixels: int = PIXELS, colour: bool = False) -> keras.Model:
    """Return the untrained network of Table 1: 1,705,610 parameters for ten classes.

    The table places one dropout after the second pooling and one after the first dense layer; the text wants both
    before flattening. We follow the table. `dropout=False` leaves both out. `pixels` and `colour` widen the input
    beyond the table's 28x28x1: the layers stay, the first dense one gains weights.
    """
    shape = (pixels, pixels, 3 if colour else 1)
    return keras.Sequential(
        [
            keras.Input(shape, name="input_layer"),             # unnamed, it would be numbered anew with each network
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2d_1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2d_2"),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2d_3"),
            layers.Conv2D(128, 3, padding="same", activation="relu", name="conv2d_4"),
            layers.MaxPooling2D(2, name="max_pooling2d_2"),
            *([layers.Dropout(0.25, name="dropout_1")] if dropout else []),
            layers.Flatten(name="flatten_1"),
            layers.Dense(256, activation="relu", name="dense_1"),
            *([layers.Dropout(0.5, name="dropout_2")] if dropout else []),
            layers.Dense(n_classes, activation="softmax", name="dense_2"),
        ],
        name="table_1",
    )


class Table1Classifier:
    """Name a garment's class with a trained Table 1 network.

    Parameters
    ----------
    network : trained
    class_names : in the order of its outputs
    mean_reading, mean : the preprocessing it was trained with (`standardise`)
    history : per epoch: loss, accuracy, val_loss, val_accuracy, seconds
    """

    kind = "table-1"

    def __init__(
        self,
        network: keras.Model,
        class_names: Sequence[str],
        mean_reading: str,
        mean: np.ndarray | float,
        history: dict[str, list[float]],
    ) -> None:
        self.network, self.class_names, self.history = network, tuple(class_names), history
        self.mean_reading, self.mean = mean_reading, np.asarray(mean, np.float32)
        self.pixels, self.colour = network.input_shape[1], network.input_shape[3] == 3
        digest = hashlib.sha256(self.mean_reading.encode() + self.mean.tobytes())
        for array in network.get_weights():
            digest.update(np.ascontiguousarray(array, "<f4").tobytes())
        self.fingerprint: dict[str, Any] = {"kind": self.kind, "sha256": digest.hexdigest()}

    @classmethod
    def train(
        cls,
        train: Dataset,
        tuning: Dataset,
        *,
        epochs: int,
        mean_reading: str = "dataset",
        dropout: bool = True,
        seed: int = 0,
        pixels: int = PIXELS,
        colour: bool = False,
        start: Table1Classifier | None = None,
    ) -> Table1Classifier:
        """Train the network of Table 1 with Adam on categorical cross-entropy (1.2).

        The paper names neither optimiser nor rate nor batch: Adam with batches of 32 and its rate falling to 0 along a
        cosine, so that a few epochs end settled; batch and first rate are Keras's defaults.
        `tuning` is only watched (`val_accuracy`); nothing is chosen by it here.

        Parameters
        ----------
        pixels, colour : of the input; Table 1 has 28x28 grey
        start : go on from this network's weights instead of random ones ("pre-train", 1.2), all of them free to
            change, with its preprocessing; in the last layer each class that it knows by name keeps its output
        """
        keras.utils.set_random_seed(seed)
        arrays = [to_table1_input(part.images, pixels, colour) for part in (train, tuning)]
        mean = mean_to_remove(arrays[0], mean_reading)
        network = build_table1(len(train.class_names), dropout, pixels, colour)
        if start is not None:
            mean_reading, mean = start.mean_reading, start.mean
            _copy_weights(start, network, train.class_names)
        inputs = [_as_input(array, mean_reading, mean) for array in arrays]
        n_batches = epochs * -(-len(train) // TRAINING_BATCH_SIZE)
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(FIRST_RATE, n_batches))
        # jit_compile=True was five times slower on a CPU
        network.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        clock = _EpochSeconds()
        fitted = network.fit(
            inputs[0],
            train.labels,
            validation_data=(inputs[1], tuning.labels),
            batch_size=TRAINING_BATCH_SIZE,
            epochs=epochs,
            verbose=0,
            callbacks=[clock, training_bar("training", n_batches)],
        )
        history = {name: [float(value) for value in values] for name, values in fitted.history.items()}
        trained = build_table1(len(train.class_names), dropout, pixels, colour)  # without Adam's two numbers a weight
        trained.set_weights(network.get_weights())
        return cls(trained, train.class_names, mean_reading, mean, {**history, "seconds": clock.seconds})

    @classmethod
    def train_or_load(cls, folder: str | Path, train: Dataset, tuning: Dataset, **options: Any) -> Table1Classifier:
        """Train, or load what was trained before from the same images with the same options.

        The file's name in `folder` is the digest of the images, the network and the options, so that rerunning a
        figure never retrains and a change always does.
        """
        shape = {name: options[name] for name in ("dropout", "pixels", "colour") if name in options}
        network = build_table1(len(train.class_names), **shape)
        start = options.get("start")
        recipe = {
            "train": train.sha256,
            "tuning": tuning.sha256,
            "network": [repr(layer.get_config()) for layer in network.layers],
            "optimiser": ["adam", "cosine", FIRST_RATE, TRAINING_BATCH_SIZE],
            **options,
            **({"start": start.fingerprint} if start else {}),
        }
        path = Path(folder) / f"table-1-{digest_of(recipe)[:16]}.keras"
        if path.is_file():
            return cls.load(path)
        trained = cls.train(train, tuning, **options)
        trained.save(path)
        return trained

    def predict_proba(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return class probabilities, (n, classes) float32; images of any size are made the network's: 28 x 28 grey."""
        inputs = _as_input(to_table1_input(images, self.pixels, self.colour), self.mean_reading, self.mean)
        batches = [
            self.network.predict_on_batch(inputs[start : start + BATCH_SIZE])
            for start in range(0, len(inputs), BATCH_SIZE)
        ]
        return np.concatenate(batches) if batches else np.empty((0, len(self.class_names)), np.float32)

    def save(self, path: str | Path) -> None:
        """Write network, preprocessing and class names to one .keras file, whole or not at all."""
        save_network(path, self.network, {
            "class_names": self.class_names,
            "mean_reading": self.mean_reading,
            "mean": self.mean.tolist(),
            "history": self.history,
        })

    @classmethod
    def load(cls, path: str | Path) -> Table1Classifier:
        """Read a file that `save` wrote; code inside it is never run.

        Raises
        ------
        Fashion16Error : missing, another kind of file, or layers that need code of their own
        """
        network, notes = load_network(path, "a Table 1 classifier", "make one with notebook 02")
        takes, gives = network.input_shape, (None, len(notes["class_names"]))
        if network.output_shape != gives or not (takes == (None, PIXELS, PIXELS, 1) or _is_widened_table1(network)):
            raise Fashion16Error(
                f"{path} takes {takes} and gives {network.output_shape}; a Table 1 "
                f"classifier takes (None, 28, 28, 1), or with Table 1's layers another square, and gives {gives}"
            )
        return cls(network, notes["class_names"], notes["mean_reading"], np.asarray(notes["mean"]), notes["history"])


def _as_input(images: np.ndarray, mean_reading: str, mean: np.ndarray | float) -> np.ndarray:
    """Return (n, h, w) or (n, h, w, 3) uint8 as the network's (n, h, w, channels) float32."""
    inputs = standardise(images, mean_reading, mean)
    return inputs if inputs.ndim == 4 else inputs[..., None]


def _is_widened_table1(network: keras.Model) -> bool:
    """Tell whether a network is Table 1's with another square input, grey or in colour."""
    takes, found = network.input_shape, [array.shape for array in network.get_weights()]
    if len(takes) != 4 or takes[1] != takes[2] or takes[3] not in (1, 3):
        return False
    expected = build_table1(network.output_shape[-1], pixels=takes[1], colour=takes[3] == 3).get_weights()
    return found == [array.shape for array in expected]


def _copy_weights(start: Table1Classifier, network: keras.Model, class_names: Sequence[str]) -> None:
    """Give a network another's weights; the last layer's for the classes that both know."""
    kept, fresh = start.network.get_weights(), network.get_weights()
    if [array.shape for array in kept[:-2]] != [array.shape for array in fresh[:-2]]:
        raise ValueError(
            f"start takes {start.network.input_shape[1:]}, the new network {network.input_shape[1:]}; give both the "
            "same pixels and colour"
        )
    known = [(place, start.class_names.index(name)) for place, name in enumerate(class_names)
             if name in start.class_names]
    for array, old in zip(fresh[-2:], kept[-2:], strict=True):      # kernel (256, classes) and bias (classes,)
        for place, before in known:
            array[..., place] = old[..., before]
    network.set_weights([*kept[:-2], *fresh[-2:]])


class _EpochSeconds(keras.callbacks.Callback):
    """Note how long each epoch took."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)
