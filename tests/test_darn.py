"""Attributes and garments: the loss by hand, what each teaches alone, one branch or two."""

from __future__ import annotations

import numpy as np
import pytest
from test_siamese import top_1, two_sides

from fashion16_lib.models.darn import learn_from_labels, of_values, without
from fashion16_lib.models.embedding import of_length_1
from fashion16_lib.models.siamese import N_OUTPUTS, Seen, seen_from_both_sides

NEW = two_sides(range(1000, 1080), seed=5)
NO_LABELS: tuple[dict, dict] = ({}, {})


def quadrants(sides) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return an attribute of four values of each photo: the signs of the first two numbers that tell its garment."""
    def of(item: str) -> int:
        first, second, *_ = np.random.default_rng([7, int(item)]).normal(size=10)
        return int(first > 0) + 2 * int(second > 0)

    street, shop = ({"quadrant": np.array([of(item) for item in items])} for _, items in sides)
    return street, shop


@pytest.fixture(scope="module")
def seen() -> Seen:
    return seen_from_both_sides(*two_sides(range(200)))


@pytest.fixture(scope="module")
def labels():
    return quadrants(two_sides(range(200)))


# ---------------------------------------------------------------- the loss


def cross_entropy_by_hand(told: np.ndarray, scores: np.ndarray, n_values: tuple[int, ...]) -> np.ndarray:
    losses = np.zeros(len(scores))
    for row in range(len(scores)):
        start = 0
        for n in n_values:
            powers = np.exp(scores[row, start: start + n].astype(float))
            for value in range(n):
                if told[row, start + value]:
                    losses[row] -= np.log(powers[value] / powers.sum())
            start += n
    return losses / len(n_values)


@pytest.mark.parametrize("n_values", [(4,), (2, 3, 4), (1, 5)])
def test_the_loss_is_the_mean_cross_entropy_of_what_is_known(n_values):
    rng, ends = np.random.default_rng(0), np.cumsum(n_values)
    scores = rng.normal(scale=3, size=(40, sum(n_values))).astype(np.float32)
    told = np.zeros_like(scores)
    for n, end in zip(n_values, ends, strict=True):
        for row in range(40):
            value = rng.integers(-1, n)                                     # -1: unknown
            if value >= 0:
                told[row, end - n + value] = 1
    told[3] = 0                                                             # nothing is known of this one
    found = np.asarray(of_values(n_values)(told, scores))
    assert found.shape == (40,) and found[3] == 0
    np.testing.assert_allclose(found, cross_entropy_by_hand(told, scores, n_values), rtol=1e-4, atol=1e-5)


def test_even_scores_cost_the_logarithm_of_the_number_of_values():
    told = np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    assert np.asarray(of_values((4, 2))(told, np.zeros((1, 6), np.float32)))[0] == pytest.approx(np.log(8) / 2)
    sure = np.where(told == 1, 50, 0).astype(np.float32)
    assert np.asarray(of_values((4, 2))(told, sure))[0] == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- what teaches what


def agreement(street: np.ndarray, shop: np.ndarray) -> float:
    """Return how often the five nearest shop photos of other garments have the street photo's quadrant."""
    apart = np.linalg.norm(street[:, None] - shop[None], axis=2)
    apart[np.array(NEW[0][1])[:, None] == np.array(NEW[1][1])] = 9
    ours, theirs = (side["quadrant"] for side in quadrants(NEW))
    return (theirs[np.argsort(apart, axis=1)[:, :5]] == ours[:, None]).mean()


def test_attributes_alone_make_neighbours_of_both_sides_agree_on_garments_never_seen(labels):
    sides, asked = ([(features[:, :16], items) for features, items in of] for of in (two_sides(range(200)), NEW))
    street, shop = learn_from_labels(seen_from_both_sides(*sides), labels, garments=False, n_steps=250)
    before = agreement(*(of_length_1(features) for features, _ in asked))
    assert agreement(street.embed(asked[0][0]), shop.embed(asked[1][0])) > before + 0.07 > 0.3


@pytest.mark.parametrize("n_branches", [1, 2])
def test_triplets_alone_see_through_the_street_on_garments_never_seen(seen, n_branches):
    street, shop = learn_from_labels(seen, NO_LABELS, n_branches=n_branches, n_steps=200)
    apart = np.linalg.norm(street.embed(NEW[0][0])[:, None] - shop.embed(NEW[1][0])[None], axis=2)
    right = np.array(NEW[1][1])[apart.argmin(axis=1)] == np.array(NEW[0][1])
    assert right.mean() > top_1(*NEW) + 0.08 > 0.5
    assert street.n_features == shop.n_features == N_OUTPUTS


def some_unknown(labels):
    street, shop = ({"quadrant": np.where(np.arange(len(of["quadrant"])) % 3, of["quadrant"], -1)} for of in labels)
    return street, shop


@pytest.fixture(scope="module")
def both_ways(seen, labels):
    """Return what two batches taught from garments and an attribute that isn't known of each, in two branches."""
    return learn_from_labels(seen, some_unknown(labels), seed=1, n_steps=2, n_outputs=12)


@pytest.fixture(scope="module")
def garments_alone(seen):
    return learn_from_labels(seen, NO_LABELS, seed=1, n_steps=2, n_outputs=12)


def test_attributes_of_no_weight_change_nothing(seen, labels, both_ways, garments_alone):
    weightless = learn_from_labels(seen, some_unknown(labels), seed=1, n_steps=2, weight=0.0, n_outputs=12)
    for side in range(2):
        for name, array in garments_alone[side].arrays.items():
            np.testing.assert_allclose(weightless[side].arrays[name], array, atol=1e-7)
        assert both_ways[side].sha256 != garments_alone[side].sha256
        assert np.isfinite(both_ways[side].arrays["first"]).all()


# ---------------------------------------------------------------- branches, shapes and seeds


def test_one_branch_is_one_embedding_two_are_two(seen, labels, both_ways):
    one = learn_from_labels(seen, labels, n_branches=1, n_steps=1)
    assert one[0].sha256 == one[1].sha256 and both_ways[0].sha256 != both_ways[1].sha256


def test_two_branches_start_as_one(garments_alone):
    features = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    street, shop = (side.embed(features) for side in garments_alone)
    assert np.abs(street - shop).max() < 0.1                              # a number of a point: 0.3


def test_a_branch_is_one_layer_of_features(garments_alone):
    for side in garments_alone:
        assert {name: array.shape for name, array in side.arrays.items()} == {"first": (40, 12), "first_bias": (12,)}
        np.testing.assert_allclose(np.linalg.norm(side.embed(NEW[0][0]), axis=1), 1, atol=1e-5)


def test_the_seed_decides(seen, labels, both_ways):
    again, other = (learn_from_labels(seen, some_unknown(labels), seed=seed, n_steps=2, n_outputs=12)
                    for seed in (1, 2))
    assert [each.sha256 for each in again] == [each.sha256 for each in both_ways]
    assert other[0].sha256 != both_ways[0].sha256


def test_what_it_cannot_learn_from_is_refused(seen, labels):
    with pytest.raises(ValueError, match=r"garments or attributes or both.*garments=False, 0 attributes.*n_branches 2"):
        learn_from_labels(seen, NO_LABELS, garments=False)
    with pytest.raises(ValueError, match="n_branches 3"):
        learn_from_labels(seen, labels, n_branches=3)
    short = labels[0], {"quadrant": labels[1]["quadrant"][1:]}
    with pytest.raises(ValueError, match=r"each photo needs a label of each attribute, -1 where it is unknown"):
        learn_from_labels(seen, short)


def test_without_leaves_out_the_named():
    one = np.arange(3)
    street, shop = without(({"a": one, "b": one + 1, "c": one}, {"a": one, "b": one + 2, "c": one}), ["a", "c", "z"])
    assert list(street) == list(shop) == ["b"]
    assert street["b"].tolist() == [1, 2, 3] and shop["b"].tolist() == [2, 3, 4]
    assert without(NO_LABELS, ["a"]) == NO_LABELS
