"""Methods compared: they come back as they were, of the same queries alone; their numbers are those of the places."""

from __future__ import annotations

import json
import time
from dataclasses import fields, replace
from itertools import permutations

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import Places
from fashion16_lib.evaluate.methods import (
    AP,
    Method,
    gain_of_each_training,
    mean_over_trainings,
    read_method,
    save_method,
    search_over_cosine,
    timed,
)
from fashion16_lib.settings import Fashion16Error

RNG = np.random.default_rng(0)


def queries(n: int = 4, first: int = 0) -> Dataset:
    return Dataset("x", np.zeros((n, 8, 8, 3), np.uint8), np.zeros(n, int), ("tops",),
                   [f"{row}, street" for row in range(first, first + n)])


def places(*nearer: int) -> Places:
    return Places(np.array(nearer), np.zeros(len(nearer), np.int64), np.ones(len(nearer), np.int64))


METHOD = Method("WTBI", 51, "pairs", "256 float32", 1, 12.5, 3.25, (places(0, 1, 4, 99), places(1, 0, 9, 99)))


# ---------------------------------------------------------------- written and read


def test_a_method_comes_back_as_it_was(tmp_path):
    save_method(tmp_path / "a", "wtbi", METHOD, queries())
    again = read_method(tmp_path / "a", "wtbi", queries())
    assert replace(again, found=()) == replace(METHOD, found=())
    assert isinstance(again.found, tuple) and len(again.found) == 2
    for ours, theirs in zip(METHOD.found, again.found, strict=True):
        for each in fields(Places):
            np.testing.assert_array_equal(getattr(theirs, each.name), getattr(ours, each.name))
            assert getattr(theirs, each.name).dtype == np.int64


def test_a_later_run_takes_the_place_of_an_earlier_one(tmp_path):
    save_method(tmp_path, "wtbi", METHOD, queries())
    save_method(tmp_path, "wtbi", replace(METHOD, name="other"), queries(4, 7))
    assert read_method(tmp_path, "wtbi", queries(4, 7)).name == "other"


@pytest.mark.parametrize("asked", [queries(4, 1), queries(3)])
def test_a_method_of_other_queries_is_refused(tmp_path, asked):
    save_method(tmp_path, "wtbi", METHOD, queries())
    with pytest.raises(Fashion16Error, match=r"wtbi\.json tells of other queries.*run its notebook with the same SEED"):
        read_method(tmp_path, "wtbi", asked)


WRITTEN = {each.name: getattr(METHOD, each.name) for each in fields(Method)} | {"queries": queries().ids, "found": []}
DAMAGED = {
    "another field": json.dumps(WRITTEN | {"colour": 1}),
    "a field missing": json.dumps({name: value for name, value in WRITTEN.items() if name != "passes"}),
    "no queries": json.dumps({name: value for name, value in WRITTEN.items() if name != "queries"}),
    "numbers for places": json.dumps(WRITTEN | {"found": [1, 2]}),
    "half": json.dumps(WRITTEN)[:90], "text": "hello", "a list": "[1, 2]", "nothing": "null", "empty": "",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "wtbi.json").write_text(text)
    with pytest.raises(Fashion16Error, match=r"wtbi\.json: got no method that can be read.*run its notebook again"):
        read_method(tmp_path, "wtbi", queries())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(Fashion16Error, match=r"wtbi\.json: got no method that can be read.*run its notebook again"):
        read_method(tmp_path, "wtbi", queries())


# ---------------------------------------------------------------- numbers


def test_values_are_means_over_trainings():
    np.testing.assert_allclose(METHOD.values(AP), [(1 + 1 / 2) / 2, (1 / 2 + 1) / 2, (1 / 5 + 1 / 10) / 2, 1 / 100])
    np.testing.assert_allclose(METHOD.values("top-1"), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(METHOD.values("top-5"), [1, 1, 0.5, 0])
    np.testing.assert_allclose(METHOD.values("top-100"), 1)
    for k in (1, 5, 100):
        np.testing.assert_array_equal(METHOD.values(f"top-{k}"), mean_over_trainings(METHOD.found, k))


def test_the_gain_is_that_of_each_training_over_the_one_of_the_same_seed():
    ours = places(0, 0, 9), places(0, 9, 9), places(0, 0, 0)
    theirs = places(0, 9, 9), places(9, 9, 9), places(0, 0, 0)
    gain = gain_of_each_training(ours, theirs, 5)
    np.testing.assert_allclose((gain.value, gain.low, gain.high, gain.n), ((1 / 3 + 1 / 3 + 0) / 3, 0, 1 / 3, 3))
    alone = gain_of_each_training(ours, theirs[1:2], 5)
    np.testing.assert_allclose((alone.value, alone.low, alone.high), ((2 / 3 + 1 / 3 + 1) / 3, 1 / 3, 1))
    same = gain_of_each_training(ours, ours, 5)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="zip"):
        gain_of_each_training(ours, theirs[:2], 5)


# ---------------------------------------------------------------- time


def test_a_search_that_does_it_often_takes_longer_than_one_that_does_it_once():
    street, shop = RNG.normal(size=(12, 64)).astype(np.float32), RNG.normal(size=(4000, 64)).astype(np.float32)
    often = search_over_cosine(lambda query: [shop @ query[0] for _ in range(20)], (street, shop))
    once = search_over_cosine(lambda query: shop @ query[0], (street, shop))
    assert often > 3 > once > 1 / 3


def test_a_search_gets_one_querys_features_and_at_most_so_many_queries():
    street, shop, asked = np.arange(60, dtype=np.float32).reshape(20, 3), np.ones((5, 3), np.float32), []

    def search(query: np.ndarray) -> None:
        asked.append(query)

    assert search_over_cosine(search, (street, shop), n_timed=4) > 0
    assert {query.shape for query in asked} == {(1, 3)}
    assert {query[0, 0] for query in asked} == {0, 3, 6, 9}
    assert search_over_cosine(search, (street, np.zeros((5, 3), np.float32)), n_timed=2) > 0        # no light at all


def test_what_a_task_gives_and_its_seconds():
    done, seconds = timed(lambda: time.sleep(0.05) or "done")
    assert done == "done" and 0.04 < seconds < 5


# ---------------------------------------------------------------- Places: one over the place, a k for each query


def all_orders(places: Places, query: int) -> list[int]:
    """Return the place of the first right photo, from 1 on, in each order of the photos that tie."""
    tied = [False] * places.tied_wrong[query] + [True] * places.tied_right[query]
    return [places.nearer[query] + 1 + order.index(True) for order in permutations(tied)]


TIED = Places(np.array([0, 0, 3, 7, 2, 0, 5]), np.array([0, 3, 2, 4, 0, 5, 1]), np.array([1, 1, 2, 3, 4, 2, 1]))


def test_inverse_place_is_the_mean_over_all_orders_of_the_tied():
    expected = [np.mean([1 / place for place in all_orders(TIED, query)]) for query in range(7)]
    np.testing.assert_allclose(TIED.inverse_place(), expected)
    assert TIED.inverse_place().shape == (7,)


def test_inverse_place_without_a_right_photo_is_0_and_of_no_queries_is_none():
    nothing = Places(np.array([10, 0]), np.array([0, 4]), np.array([0, 1]))
    np.testing.assert_allclose(nothing.inverse_place(), [0, (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5])
    assert Places(*np.zeros((3, 0), np.int64)).inverse_place().shape == (0,)


def test_each_query_may_have_a_k_of_its_own():
    for k in (np.array([1, 2, 4, 9, 1, 3, 7]), np.array([0, 1, 5, 8, 3, 6, 6]), np.arange(7)):
        found = TIED.found_within(k)
        for query in range(7):
            assert found[query] == pytest.approx(np.mean([place <= k[query] for place in all_orders(TIED, query)]))
            assert found[query] == TIED.found_within(int(k[query]))[query]
