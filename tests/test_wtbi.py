"""Same goods or not: its scores from the weights, pair by pair; what it learns, and from which garments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_siamese import top_1, two_sides

from fashion16_lib.models import siamese
from fashion16_lib.models.siamese import RATE, Seen, seen_from_both_sides
from fashion16_lib.models.wtbi import JOINS, SameGoods, _pair_network, fine_tune, learn_same_goods

NEW = two_sides(range(1000, 1080), seed=5)          # garments that nothing was learned from


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """Learn from tables of 16 x 16 pairs: a sixteenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(siamese, "N_ITEMS", 16)
        yield


@pytest.fixture(scope="module")
def seen() -> Seen:
    return seen_from_both_sides(*two_sides(range(200)))


@pytest.fixture(scope="module")
def barely(seen) -> SameGoods:
    return learn_same_goods(seen, n_steps=2)


def with_random_weights(seen: Seen, join: str) -> SameGoods:
    """Return a model none of whose weights is 0: what starts at 0 would hide a slip."""
    rng = np.random.default_rng(1)
    shapes = [each.shape for each in _pair_network(seen.axes.shape[1], join).get_weights()]
    return SameGoods(seen, join, tuple(rng.normal(scale=0.1, size=shape).astype(np.float32) for shape in shapes))


def beaten_by_own(model: SameGoods, street, shop) -> np.ndarray:
    """Return for each street photo the share of the other shop photos that score lower than its own."""
    scores, row_of = model.scores(street[0], shop[0]), {item: row for row, item in enumerate(shop[1])}
    own = scores[np.arange(len(scores)), [row_of[item] for item in street[1]]]
    return (scores < own[:, None]).sum(axis=1) / (len(shop[1]) - 1)


# ---------------------------------------------------------------- scores


def by_hand(model: SameGoods, street: np.ndarray, shop: np.ndarray) -> np.ndarray:
    weights, found = [each.astype(float) for each in model.weights], np.zeros((len(street), len(shop)))
    for row, one in enumerate(model.seen.inputs_of(street).astype(float)):
        for column, other in enumerate(model.seen.inputs_of(shop).astype(float)):
            if model.join == "difference":
                u, w, c = weights
                found[row, column] = (u.T @ one - u.T @ other) ** 2 @ w[:, 0] + c[0]
            else:
                u, b, v, big_w, a, w, c = weights
                joined = np.maximum(u.T @ one + v.T @ other + b, 0)
                found[row, column] = np.maximum(big_w.T @ joined + a, 0) @ w[:, 0] + c[0]
    return found


@pytest.mark.parametrize("join", JOINS)
def test_scores_are_the_formula_and_those_of_the_network_that_was_trained(seen, join):
    model, street, shop = with_random_weights(seen, join), NEW[0][0][:7], NEW[1][0][:5]
    found = model.scores(street, shop)
    assert found.shape == (7, 5) and found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(model, street, shop), rtol=1e-3, atol=1e-3)
    network = _pair_network(seen.axes.shape[1], join)
    network.set_weights(model.weights)
    np.testing.assert_allclose(found, network([seen.inputs_of(street), seen.inputs_of(shop)]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("join", JOINS)
def test_a_score_depends_on_its_pair_alone(seen, join):
    model = with_random_weights(seen, join)
    whole = model.scores(NEW[0][0][:9], NEW[1][0][:6])
    np.testing.assert_allclose(model.scores(NEW[0][0][3:4], NEW[1][0][2:3]), whole[3:4, 2:3], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("join", JOINS)
def test_a_search_prepared_once_gives_the_same_scores(seen, join):
    model = with_random_weights(seen, join)
    search = model.searching(NEW[1][0])
    whole = model.scores(NEW[0][0][:4], NEW[1][0])
    for row in range(4):
        found = search(NEW[0][0][row: row + 1])
        assert found.shape == (1, len(NEW[1][0])) and found.dtype == np.float32
        np.testing.assert_allclose(found[0], whole[row], rtol=1e-4, atol=1e-4)


def test_a_photo_is_nearest_to_itself_before_any_lesson(barely):
    shop = NEW[1][0]
    scores = barely.scores(shop, shop)
    assert (scores.argmax(axis=1) == np.arange(len(shop))).all()


# ---------------------------------------------------------------- learning


def test_told_how_far_apart_it_sees_through_the_street_on_garments_never_seen(seen):
    learned = learn_same_goods(seen, "difference", seed=0, n_steps=300)
    assert (beaten_by_own(learned, *NEW) == 1).mean() > top_1(*NEW) + 0.08 > 0.5


def test_side_by_side_it_learns_to_compare_too():
    sides, asked = ([(features[:, :16], items) for features, items in of] for of in (two_sides(range(200)), NEW))
    learned = learn_same_goods(seen_from_both_sides(*sides), "side by side", "all", n_steps=120)
    assert beaten_by_own(learned, *asked).mean() > 0.75                     # 0.5 by chance


def test_shuffled_garments_teach_nothing():
    street, shop = two_sides(range(200))
    shuffled = street[0], list(np.random.default_rng(0).permutation(street[1]))
    learned = learn_same_goods(seen_from_both_sides(shuffled, shop), n_steps=150)
    assert (beaten_by_own(learned, *NEW) == 1).mean() < top_1(*NEW) + 0.05


def test_the_seed_decides(seen, barely):
    again, other = (learn_same_goods(seen, seed=seed, n_steps=2).weights for seed in (0, 1))
    assert all((a == b).all() for a, b in zip(barely.weights, again, strict=True))
    assert (barely.weights[0] != other[0]).any()


def test_wrong_settings_are_named(seen):
    with pytest.raises(ValueError, match=r"join must be one of side by side, difference, got 'sum'"):
        learn_same_goods(seen, "sum")
    with pytest.raises(ValueError, match=r"negatives.*one of all, hardest.*'some'"):
        learn_same_goods(seen, "difference", "some", n_steps=1)


# ---------------------------------------------------------------- fine-tuning


SOME = [f"{item}" for item in range(100)]           # say, those of one category


def log_loss(model: SameGoods, items: list[str]) -> float:
    """Return the mean loss of a street photo and its own garment, plus that of the hardest wrong one."""
    seen = model.seen
    street = seen.inputs[0][[seen.rows[0][item][0] for item in items]]
    shop = seen.inputs[1][[seen.rows[1][item][0] for item in items]]
    network = _pair_network(seen.axes.shape[1], model.join)
    network.set_weights(model.weights)
    scores = np.asarray(network([street, shop]), float)
    wrong = np.where(np.eye(len(items), dtype=bool), -np.inf, scores).max(axis=1)
    return float(np.mean(np.logaddexp(0, -np.diag(scores)) + np.logaddexp(0, wrong)))


def test_it_goes_on_from_where_it_was_at_a_tenth_of_the_rate(barely):
    tuned = fine_tune(barely, SOME, n_steps=1)
    moved = [np.abs(a - b).max() for a, b in zip(tuned.weights, barely.weights, strict=True)]
    assert max(moved) > 0 and max(moved) <= 1.01 * RATE / 10               # Adam's first step
    assert tuned.seen is barely.seen and tuned.join == barely.join


def test_it_learns_from_its_own_garments_alone(barely):
    seen, spoilt = barely.seen, [of.copy() for of in barely.seen.inputs]
    for side, rows in zip(spoilt, seen.rows, strict=True):
        side[[row for item, of in rows.items() if item not in SOME for row in of]] = np.nan
    other = replace(barely, seen=replace(seen, inputs=tuple(spoilt)))
    first, second = fine_tune(barely, SOME, n_steps=3), fine_tune(other, set(SOME), n_steps=3)
    for ours, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (fine_tune(barely, SOME, seed=1, n_steps=3).weights[0] != first.weights[0]).any()    # other batches


def test_it_gets_surer_of_its_own_garments(barely):
    tuned = fine_tune(barely, SOME, n_steps=60)
    assert log_loss(tuned, SOME) < log_loss(barely, SOME) - 0.05


def test_what_cannot_be_tuned_on_is_refused(barely):
    for items in ([], ["3"], ["3", "nobody's"]):
        with pytest.raises(ValueError, match=rf"at least two garments seen from both sides, got {min(len(items), 1)}"):
            fine_tune(barely, items)
    with pytest.raises(ValueError, match=r"negatives.*one of all, hardest.*'some'"):
        fine_tune(barely, SOME, "some", n_steps=1)
