"""Multi-label text, 2: a small network on features, ending in sigmoids (labels alone) or a softmax (together)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from fashion16_lib.features.components import principal_components
from fashion16_lib.models.training_bar import training_bar

ENDINGS = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}     # ending -> its loss
N_COMPONENTS = 256      # principal components of the features that the network sees
N_HIDDEN = 256
DROPOUT = 0.3           # of the hidden numbers
# Chosen on the tuning part at quick, by the share of photos whose likeliest type and colour are both right: .55;
# .41 with half the epochs and batches of 128, .52 with half the epochs.
EPOCHS, BATCH_SIZE, RATE = 40, 32, 0.001


def label_network(
    n_inputs: int, n_hidden: int, n_labels: int, ending: str = "sigmoid", dropout: float = 0.0
) -> keras.Model:
    """Return the text's network of section 2, compiled with Adam: inputs, hidden with ReLU, one output a label.

    The text's own has 10, 10 and 5 of them, and leaves out `model = Model(inputs, output)`.

    Parameters
    ----------
    ending : "sigmoid" with binary cross-entropy, or "softmax" with categorical cross-entropy
    """
    if ending not in ENDINGS:
        raise ValueError(f"ending must be one of {', '.join(ENDINGS)}, got {ending!r}")
    inputs = keras.Input((n_inputs,))
    hidden = layers.Dense(n_hidden, activation="relu")(inputs)
    if dropout:
        hidden = layers.Dropout(dropout)(hidden)
    output = layers.Dense(n_labels, activation=ending)(hidden)
    model = keras.Model(inputs, output)
    model.compile(keras.optimizers.Adam(RATE), ENDINGS[ending], jit_compile=False)
    return model


class LabelHead:
    """Give each label's probability from VGG-16's features: principal components, then the text's network.

    Parameters
    ----------
    label_names : in the order of the outputs
    ending : "sigmoid" or "softmax"
    seed : of the components, the first weights, the order of the photos and the dropout
    """

    def __init__(self, label_names: Sequence[str], ending: str = "sigmoid", seed: int = 0) -> None:
        if ending not in ENDINGS:
            raise ValueError(f"ending must be one of {', '.join(ENDINGS)}, got {ending!r}")
        self.label_names, self.ending, self.seed = tuple(label_names), ending, int(seed)
        self._network: keras.Model | None = None

    def fit(self, features: np.ndarray, targets: np.ndarray) -> LabelHead:
        """Train on features (n, d) and targets (n, labels) of 0 and 1.

        A softmax gives one unit of probability in all; so its target is shared out evenly among a photo's labels.

        Raises
        ------
        ValueError : targets of another shape; for a softmax, a photo without labels
        """
        targets = np.asarray(targets, np.float32)
        if targets.shape != (len(features), len(self.label_names)):
            raise ValueError(f"targets must be ({len(features)}, {len(self.label_names)}), got {targets.shape}")
        if self.ending == "softmax":
            if not targets.any(axis=1).all():
                raise ValueError("a softmax needs at least one label a photo; leave out those without")
            targets = targets / targets.sum(axis=1, keepdims=True)
        self._components = principal_components(features, N_COMPONENTS, self.seed)
        self._scale = self._components.transform(features)[:, 0].std() or 1.0
        keras.utils.set_random_seed(self.seed)
        self._network = label_network(self._components.n_components_, N_HIDDEN, targets.shape[1], self.ending, DROPOUT)
        n_batches = EPOCHS * -(-len(features) // BATCH_SIZE)
        show = training_bar(f"{self.ending} on features", n_batches)
        self._network.fit(self._inputs(features), targets, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0,
                          callbacks=[show])
        return self

    def predict_proba_of_features(self, features: np.ndarray) -> np.ndarray:
        """Return probabilities (n, labels) float32; a softmax's rows sum to 1, a sigmoid's to anything."""
        if self._network is None:
            raise ValueError("the head is not trained yet; call fit(features, targets) first")
        return np.asarray(self._network.predict_on_batch(self._inputs(features)))

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        return (self._components.transform(features) / self._scale).astype(np.float32)
