"""Street to shop, method 3: twin networks on features learn how far a street photo is from a shop photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from fashion16_lib.data.street_to_shop import Part
from fashion16_lib.features.components import principal_components
from fashion16_lib.models.embedding import Embedding, of_length_1
from fashion16_lib.progress import progress

LOSSES = ("log", "contrastive", "triplet")
NEGATIVES = ("all", "hardest")
# Chosen on the tuning part at quick, by the top-5 accuracy of the contrastive loss with the hardest negatives, in the
# same and in another colour (exact cosine has .71, .43): .73, .66 as it is; .72, .64 with a dropout of 0.2; .67, .59
# with that and half the hidden and output numbers, on features of any length too; .64, .59 with 1,024 components.
N_COMPONENTS, N_HIDDEN, N_OUTPUTS, DROPOUT = 512, 512, 256, 0.4
MARGINS = {"contrastive": 1.0, "triplet": 0.3}      # of distances between points on a sphere, 0 to 2
N_ITEMS, RATE = 64, 0.001                           # a batch: 64 garments, a table of 64 x 64 pairs
Features = tuple[np.ndarray, Sequence[str]]         # (n, d), and the garment of each


@dataclass(frozen=True)
class Seen:
    """Hold what the twins see: features of length 1 as principal components, of garments that both sides have.

    Attributes
    ----------
    inputs : of the street and of the shop, (n, components) float32 each
    rows : garment -> rows of inputs, of either side
    axes, mean : (d, components) and (d,): inputs = (features - mean) @ axes
    """

    inputs: tuple[np.ndarray, np.ndarray]
    rows: tuple[dict[str, list[int]], dict[str, list[int]]]
    axes: np.ndarray
    mean: np.ndarray

    @property
    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the garment of each row of inputs, "" where one side alone has it, (n,) texts of either side."""
        sides = []
        for inputs, rows in zip(self.inputs, self.rows, strict=True):
            names = np.full(len(inputs), "", object)
            for item, places in rows.items():
                names[places] = item
            sides.append(names)
        return sides[0], sides[1]

    def inputs_of(self, features: np.ndarray) -> np.ndarray:
        """Return features (n, d) as the inputs of other photos, (n, components) float32."""
        return ((of_length_1(np.asarray(features)) - self.mean) @ self.axes).astype(np.float32)


def seen_from_both_sides(street: Features, shop: Features, seed: int = 0) -> Seen:
    """Return the features (n, d) of street and shop photos, each with its garment, as twins see them.

    Raises
    ------
    ValueError : fewer than two garments that both sides have
    """
    rows = _rows_by_item(street[1]), _rows_by_item(shop[1])
    both = rows[0].keys() & rows[1].keys()
    if len(both) < 2:
        raise ValueError(f"a distance is learned from at least two garments seen from both sides, got {len(both)}")
    sides = of_length_1(np.asarray(street[0])), of_length_1(np.asarray(shop[0]))
    found = principal_components(np.concatenate(sides), N_COMPONENTS, seed)
    axes = found.components_.T.astype(np.float64) / (found.transform(sides[1])[:, 0].std() or 1.0)
    inputs = tuple(((side - found.mean_) @ axes).astype(np.float32) for side in sides)
    kept = tuple({item: of[item] for item in sorted(both)} for of in rows)
    return Seen((inputs[0], inputs[1]), (kept[0], kept[1]), axes, found.mean_.astype(np.float64))


def seen_of(part: Part, features: tuple[np.ndarray, np.ndarray], seed: int = 0) -> Seen:
    """Return a part's features of street and shop photos as twins see them; see `seen_from_both_sides`."""
    return seen_from_both_sides((features[0], part.own.groups or ()), (features[1], part.shop.groups or ()), seed)


def learn_distance(
    seen: Seen, loss: str = "log", negatives: str = "all", seed: int = 0, n_steps: int = 1_200
) -> Embedding:
    """Learn a distance from photos of the same garments, from the street and from the shop.

        d(a, b) = |e(a) - e(b)|, e the twins' output, brought to length 1; t is 1 for one garment, else 0
        log:          p = sigmoid(c - s d),  loss = -t log p - (1 - t) log(1 - p),  c and s learned
        contrastive:  loss = t d^2 + (1 - t) max(0, 1 - d)^2                            (Hadsell, Chopra & LeCun, 2006)
        triplet:      loss = max(0, d(a, own) - d(a, other) + 0.3)                      (Schroff et al., 2015)

    A batch is a table: 64 street photos, 64 shop photos, each garment once on either side; so the right pairs are the
    diagonal, all others are wrong. The right pairs and the wrong ones together weigh the same; the text doesn't say how
    many of each it had.

    Parameters
    ----------
    loss : one of LOSSES; the text's is "log"
    negatives : "all" wrong pairs of a batch, or of each street photo the "hardest" alone: the nearest wrong one
    seed : of the first weights, the batches and the dropout
    n_steps : batches; the rate falls to 0 over them

    Raises
    ------
    ValueError : an unknown loss or choice of negatives
    """
    measured = table_loss(loss, negatives)
    keras.utils.set_random_seed(seed)
    twin = build_tower(seen.axes.shape[1])
    network = _pair_table(twin, loss)
    network.compile(falling_rate(n_steps), measured, jit_compile=False)
    train_on_pairs(network, seen, n_steps, seed, f"Siamese, {loss}, {negatives} negatives")
    return embedding_of(twin, seen)


def train_on_pairs(
    network: keras.Model, seen: Seen, n_steps: int, seed: int, task: str,
    told: Sequence[np.ndarray] = (), table: bool = True,
) -> None:
    """Train a compiled network of two sides on so many batches.

    Parameters
    ----------
    seed : of the batches
    task : as the progress bar calls it
    told : of the rows of street and of shop photos, what its first two outputs should say; none: it has no such outputs
    table : its last output is a table of pairs, whose diagonal is right
    """
    for rows in progress(batches(seen, n_steps, seed), task, n_steps, "batch"):
        batch = [side[of_side] for side, of_side in zip(seen.inputs, rows, strict=True)]
        wanted = [side[of_side] for side, of_side in zip(told, rows, strict=False)]
        network.train_on_batch(batch, wanted + [np.eye(len(rows[0]), dtype=np.float32)] * table)


def batches(seen: Seen, n_steps: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each step the rows of street and of shop photos, (64,) each: a garment once on either side."""
    rng, items = np.random.default_rng(seed), list(seen.rows[0])
    for _ in range(n_steps):
        chosen = [items[place] for place in rng.permutation(len(items))[:N_ITEMS]]
        street, shop = (np.array([rng.choice(of[item]) for item in chosen]) for of in seen.rows)
        yield street, shop


def embedding_of(tower: keras.Model, seen: Seen) -> Embedding:
    """Return a trained tower as it takes features: components and first layer are one layer."""
    first, first_bias, *rest = tower.get_weights()
    return linear_embedding(seen, first, first_bias, dict(zip(("second", "second_bias"), rest, strict=False)))


def linear_embedding(
    seen: Seen, matrix: np.ndarray, bias: np.ndarray | float = 0.0, rest: dict[str, np.ndarray] | None = None
) -> Embedding:
    """Return the embedding of features that are inputs @ matrix + bias, with what follows, if anything does."""
    return Embedding({"first": seen.axes @ matrix, "first_bias": bias - seen.mean @ seen.axes @ matrix, **(rest or {})})


def _rows_by_item(items: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, item in enumerate(items):
        rows.setdefault(item, []).append(row)
    return rows


# ---------------------------------------------------------------- the network: two sides in, a table of pairs out


def falling_rate(n_steps: int, rate: float = RATE) -> keras.optimizers.Optimizer:
    """Return Adam with a rate that falls to 0 over so many batches, as half a cosine."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, n_steps))


def build_tower(n_inputs: int) -> keras.Model:
    """Return one side's network: inputs, hidden numbers, outputs of length 1."""
    inputs = keras.Input((n_inputs,))
    hidden = layers.Dropout(DROPOUT)(layers.Dense(N_HIDDEN, activation="relu")(inputs))
    return keras.Model(inputs, layers.UnitNormalization()(layers.Dense(N_OUTPUTS)(hidden)))


def distance_table(street: keras.KerasTensor, shop: keras.KerasTensor) -> keras.KerasTensor:
    """Return the distances between all outputs, of length 1, of two sides: |a - b|^2 = 2 - 2 a.b; (batch, batch)."""
    apart = 2 - 2 * ops.matmul(street, ops.transpose(shop))
    return ops.sqrt(ops.relu(apart) + 1e-9)                             # the root's slope at 0 is infinite


class _Logit(layers.Layer):
    """Turn distances d into c - s d, the logit of "the same garment"."""

    def build(self, shape: object) -> None:
        start = keras.initializers.Constant(5.0)
        self.c, self.s = (self.add_weight(shape=(), initializer=start, name=name) for name in ("c", "s"))

    def call(self, distances: keras.KerasTensor) -> keras.KerasTensor:
        return self.c - self.s * distances


def _pair_table(twin: keras.Model, loss: str) -> keras.Model:
    """Return the network that is trained: (street, shop) to (batch, batch) distances, or logits for the log loss."""
    street, shop = (keras.Input(twin.input_shape[1:]) for _ in range(2))
    distances = distance_table(twin(street), twin(shop))
    return keras.Model([street, shop], _Logit()(distances) if loss == "log" else distances)


def table_loss(loss: str, negatives: str) -> Callable:
    """Return the loss of a table of pairs; `right` has ones on its diagonal.

    Raises
    ------
    ValueError : an unknown loss or choice of negatives
    """
    if loss not in LOSSES or negatives not in NEGATIVES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, negatives one of {', '.join(NEGATIVES)}, got "
                         f"{loss!r} and {negatives!r}")

    def parts(own: keras.KerasTensor, table: keras.KerasTensor) -> tuple:
        """Return the loss of each street photo's own garment, of each pair if it is wrong, and how near it seems."""
        if loss == "log":
            return ops.softplus(-own), ops.softplus(table), table
        if loss == "contrastive":
            return ops.square(own), ops.square(ops.relu(MARGINS[loss] - table)), -table
        return 0.0 * own, ops.relu(own[:, None] - table + MARGINS[loss]), -table

    def of(right: keras.KerasTensor, table: keras.KerasTensor) -> keras.KerasTensor:
        of_right, of_wrong, nearness = parts(ops.sum(right * table, axis=1), table)
        if negatives == "all":
            return of_right + ops.sum((1 - right) * of_wrong, axis=1) / ops.sum(1 - right, axis=1)
        hardest = ops.argmax(nearness - 1e9 * right, axis=1)
        return of_right + ops.take_along_axis(of_wrong, hardest[:, None], axis=1)[:, 0]

    return of
