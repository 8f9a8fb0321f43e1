"""Product search, DARN: a network for the street and one for the shop, taught by attributes and by garments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from fashion16_lib.models.embedding import Embedding
from fashion16_lib.models.siamese import (
    N_OUTPUTS,
    Seen,
    distance_table,
    embedding_of,
    falling_rate,
    table_loss,
    train_on_pairs,
)

Labels = dict[str, np.ndarray]      # attribute -> (n,) int64, its value's number; -1: unknown
# Chosen on the tuning part at quick: the weight of the attributes' cross-entropy, in nats, beside the triplets' loss;
# and a branch without a hidden layer: with one, and 1,000 garments, it finds fewer of those it has never seen.
ATTRIBUTE_WEIGHT, SHARPNESS = 0.1, 10.0     # a softmax over scores from -1 to 1 would stay flat


def learn_from_labels(
    seen: Seen,
    labels: tuple[Labels, Labels],
    garments: bool = True,
    n_branches: int = 2,
    seed: int = 0,
    n_steps: int = 600,
    weight: float = ATTRIBUTE_WEIGHT,
    n_outputs: int = N_OUTPUTS,
) -> tuple[Embedding, Embedding]:
    """Learn points for street and shop photos from their attributes and from which are of one garment.

        e = z / |z|,   z = W x + b                                                    a branch each for street and shop
        loss = max(0, |e - own| - |e - hardest| + 0.3) - w mean over attributes of log softmax(10 A e + a)[value]

    A and a are the same for both branches: where attributes alone teach, this is what makes them speak one language.

    Parameters
    ----------
    seen : photos of both sides, as twins see them
    labels : of the street's and of the shop's photos; without any attribute garments alone teach
    garments : learn from triplets of garments, too
    n_branches : 2: a network a side, as DARN has; 1: the same for both
    seed : of the first weights, the batches and the dropout
    n_steps : batches of 64 garments; the rate falls to 0 over them
    weight : w
    n_outputs : numbers of a point

    Returns
    -------
    the street's embedding and the shop's; with one branch they are equal

    Raises
    ------
    ValueError : nothing to learn from, another number of branches, or labels that don't fit the photos
    """
    if not (garments or labels[0]) or n_branches not in (1, 2):
        raise ValueError(f"learns from garments or attributes or both in 1 or 2 branches, got garments={garments}, "
                         f"{len(labels[0])} attributes and n_branches {n_branches!r}")
    if any(len(values) != len(side) for side, of in zip(seen.inputs, labels, strict=True) for values in of.values()):
        raise ValueError("each photo needs a label of each attribute, -1 where it is unknown; use Attributes.encode")
    keras.utils.set_random_seed(seed)
    towers = [_branch(seen.axes.shape[1], n_outputs) for _ in range(n_branches)]
    towers[-1].set_weights(towers[0].get_weights())         # both sides start from one network
    n_values = {name: 1 + max(int(of[name].max()) for of in labels) for name in labels[0]}
    network = _network(towers[0], towers[-1], tuple(n_values.values()), garments, weight, falling_rate(n_steps))
    told = [_one_hot(of, n_values) for of in labels] if n_values else []
    train_on_pairs(network, seen, n_steps, seed, "attributes and garments", told, garments)
    return embedding_of(towers[0], seen), embedding_of(towers[-1], seen)


def _branch(n_inputs: int, n_outputs: int) -> keras.Model:
    inputs = keras.Input((n_inputs,))
    return keras.Model(inputs, layers.UnitNormalization()(layers.Dense(n_outputs)(inputs)))


def _one_hot(labels: Labels, n_values: dict[str, int]) -> np.ndarray:
    """Return all attributes side by side, a 1 in the place of a photo's value, (n, values) float32."""
    return np.hstack([np.eye(n + 1, dtype=np.float32)[labels[name], :n] for name, n in n_values.items()])


def _network(
    street_tower: keras.Model, shop_tower: keras.Model, n_values: tuple[int, ...], garments: bool, weight: float,
    optimizer: keras.optimizers.Optimizer,
) -> keras.Model:
    """Return the network that is trained: both sides in; scores of all values for both, and a table of pairs, out."""
    inputs = [keras.Input(street_tower.input_shape[1:]) for _ in range(2)]
    points = [tower(side) for tower, side in zip((street_tower, shop_tower), inputs, strict=True)]
    outputs, losses, weights = [], [], []
    if n_values:
        scores = layers.Dense(sum(n_values))        # one for both sides
        outputs = [scores(SHARPNESS * side) for side in points]
        losses, weights = [of_values(n_values)] * 2, [weight / 2] * 2
    if garments:
        outputs.append(distance_table(*points))
        losses.append(table_loss("triplet", "hardest"))
        weights.append(1.0)
    network = keras.Model(inputs, outputs)
    network.compile(optimizer, losses, loss_weights=weights, jit_compile=False)
    return network


def of_values(n_values: tuple[int, ...]) -> Callable:
    """Return the loss of scores (n, values): the mean cross-entropy of attributes that have so many values each.

    An attribute that isn't known of a photo, a row without a 1 among its values, counts 0.
    """
    ends = np.cumsum(n_values)

    def loss(told: keras.KerasTensor, scores: keras.KerasTensor) -> keras.KerasTensor:
        likelihoods = [ops.log_softmax(scores[:, end - n: end]) for n, end in zip(n_values, ends, strict=True)]
        return -ops.sum(told * ops.concatenate(likelihoods, axis=1), axis=1) / len(n_values)

    return loss


def without(labels: tuple[Labels, Labels], names: Sequence[str]) -> tuple[Labels, Labels]:
    """Return the labels of all but some attributes."""
    street, shop = ({name: of[name] for name in of if name not in names} for of in labels)
    return street, shop
