"""Product search, WTBI: a network says of two photos whether they show the same goods; then one for each category."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers, ops

from fashion16_lib.models.siamese import DROPOUT, RATE, Seen, falling_rate, table_loss, train_on_pairs

JOINS = ("side by side", "difference")
N_JOINED, N_HIDDEN = 256, 256
FIRST_WEIGHT, FIRST_SUM = -0.05, 3.0        # of the difference: the nearer, the likelier the same, before any lesson


@dataclass(frozen=True)
class SameGoods:
    """Score how surely a street photo and a shop photo show the same goods; higher is surer.

        side by side:   s = w . relu(W relu(U x + V y + b) + a) + c      a network that takes both photos' numbers
        difference:     s = w . (U x - U y)^2 + c                        one that is told how far they are apart

    p(same) = 1 / (1 + exp(-s)), which is a softmax over "same" and "not the same".

    Attributes
    ----------
    seen : gives the inputs x and y of features
    join : one of JOINS
    weights : of the network, in Keras's order
    """

    seen: Seen
    join: str
    weights: tuple[np.ndarray, ...]

    def scores(self, street: np.ndarray, shop: np.ndarray) -> np.ndarray:
        """Return s of every pair of features (q, d) and (n, d), (q, n) float32."""
        return self.searching(shop)(street)

    def searching(self, shop: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return the search among shop features (n, d), whose own part is done once: street (q, d) to s, (q, n)."""
        if self.join == "side by side":
            return self._side_by_side(self.seen.inputs_of(shop))
        first, last, last_bias = self.weights
        theirs = self.seen.inputs_of(shop) @ first
        weighed = theirs * last[:, 0]
        alone = (theirs * weighed).sum(axis=1) + last_bias

        def search(street: np.ndarray) -> np.ndarray:
            ours = self.seen.inputs_of(street) @ first
            return ours**2 @ last - 2 * ours @ weighed.T + alone                # w . (a - b)^2

        return search

    def _side_by_side(self, searched: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        first, bias, second, hidden, hidden_bias, last, last_bias = self.weights
        theirs = searched @ second

        def search(street: np.ndarray) -> np.ndarray:
            ours = self.seen.inputs_of(street) @ first + bias
            rows = [np.maximum(np.maximum(each + theirs, 0) @ hidden + hidden_bias, 0) @ last for each in ours]
            return np.stack(rows)[:, :, 0] + last_bias

        return search


def learn_same_goods(
    seen: Seen, join: str = "difference", negatives: str = "hardest", seed: int = 0, n_steps: int = 600
) -> SameGoods:
    """Learn by cross-entropy on pairs whether photos from the street and the shop show the same goods.

    A batch is a table of pairs as in `siamese.learn_distance`; its loss is the log loss there.

    Parameters
    ----------
    seen : photos of both sides
    join : one of JOINS
    negatives : as in `learn_distance`
    seed : of the first weights, the batches and the dropout
    n_steps : batches; the rate falls to 0 over them

    Raises
    ------
    ValueError : an unknown join or choice of negatives
    """
    if join not in JOINS:
        raise ValueError(f"join must be one of {', '.join(JOINS)}, got {join!r}")
    keras.utils.set_random_seed(seed)
    return _trained(_pair_network(seen.axes.shape[1], join), seen, join, negatives, seed, n_steps, RATE)


def fine_tune(
    model: SameGoods, items: Collection[str], negatives: str = "hardest", seed: int = 0, n_steps: int = 150
) -> SameGoods:
    """Go on learning from the pairs of some garments alone, say of one category, at a tenth of the rate.

    Raises
    ------
    ValueError : fewer than two garments seen from both sides, or an unknown choice of negatives
    """
    street, shop = ({item: rows for item, rows in of.items() if item in items} for of in model.seen.rows)
    if len(street) < 2:
        raise ValueError(f"pairs need at least two garments seen from both sides, got {len(street)}")
    keras.utils.set_random_seed(seed)
    network = _pair_network(model.seen.axes.shape[1], model.join)
    network.set_weights(model.weights)
    few = replace(model.seen, rows=(street, shop))
    tuned = _trained(network, few, model.join, negatives, seed, n_steps, RATE / 10)
    return replace(tuned, seen=model.seen)


def _trained(
    network: keras.Model, seen: Seen, join: str, negatives: str, seed: int, n_steps: int, rate: float
) -> SameGoods:
    network.compile(falling_rate(n_steps, rate), table_loss("log", negatives), jit_compile=False)
    train_on_pairs(network, seen, n_steps, seed, "same goods or not")
    return SameGoods(seen, join, tuple(network.get_weights()))


def _pair_network(n_inputs: int, join: str) -> keras.Model:
    """Return the network that is trained: (street, shop) to a (batch, batch) table of scores."""
    street, shop = (keras.Input((n_inputs,)) for _ in range(2))
    if join == "difference":
        both = layers.Dense(N_JOINED, use_bias=False)
        apart = ops.square(both(street)[:, None, :] - both(shop)[None, :, :])
        start = {"kernel_initializer": keras.initializers.Constant(FIRST_WEIGHT),
                 "bias_initializer": keras.initializers.Constant(FIRST_SUM)}
        return keras.Model([street, shop], layers.Dense(1, **start)(apart)[:, :, 0])
    ours, theirs = layers.Dense(N_JOINED), layers.Dense(N_JOINED, use_bias=False)
    joined = layers.Dropout(DROPOUT)(ops.relu(ours(street)[:, None, :] + theirs(shop)[None, :, :]))
    hidden = layers.Dense(N_HIDDEN, activation="relu")(joined)
    return keras.Model([street, shop], layers.Dense(1)(layers.Dropout(DROPOUT)(hidden))[:, :, 0])
