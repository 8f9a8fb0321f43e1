"""Top-k accuracy: against every order of tied items, against brute force, and with nothing to find."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import (
    METRICS,
    Places,
    chance_within,
    curves,
    feature_distances,
    mean_by_category,
    places,
    ratio_of_means,
)
from fashion16_lib.settings import Fashion16Error

RNG = np.random.default_rng(0)


def photos(items: list[str], labels: list[int] | None = None) -> Dataset:
    labels = labels or [0] * len(items)
    return Dataset("x", np.zeros((len(items), 8, 8, 3), np.uint8), np.array(labels), ("tops", "skirts"),
                   [f"{n}" for n in range(len(items))], groups=tuple(items))


@pytest.mark.parametrize("row", [[1, 1, 1, 2, 0], [2, 1, 1, 1, 1], [0, 0, 3, 3, 3], [5, 5, 5, 5, 5], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("items", ["aabbc", "abbbb", "bbaba"])
def test_ties_count_by_all_orders(row, items):
    found = places(lambda rows: np.array([row])[rows], photos(["a"]), photos(list(items)))
    orders = [sorted(order, key=lambda place: row[place]) for order in permutations(range(5))]
    for k in range(1, 6):
        among = np.mean([any(items[place] == "a" for place in order[:k]) for order in orders])
        assert found.found_within(k)[0] == pytest.approx(among), k


def test_against_a_sorted_list_without_ties():
    distances = RNG.random((40, 25))
    asked, searched = photos([f"{n % 8}" for n in range(40)]), photos([f"{n % 8}" for n in range(25)])
    found = places(lambda rows: distances[rows], asked, searched)
    for k in (1, 3, 25):
        right = [any(searched.groups[place] == asked.groups[query] for place in np.argsort(distances[query])[:k])
                 for query in range(40)]
        np.testing.assert_allclose(found.found_within(k), right)


def test_candidates_are_all_that_is_searched():
    distances = RNG.random((6, 10))
    asked, searched = photos(["0", "1", "2", "3", "4", "5"]), photos([f"{n}" for n in range(10)])
    among = RNG.random((6, 10)) < 0.6
    among[0, 0], among[1, 1] = False, True
    found = places(lambda rows: distances[rows], asked, searched, lambda query: among[query])
    assert found.found_within(10)[0] == 0 and found.found_within(100)[0] == 0       # not in the library: never found
    assert found.found_within(10)[1] == 1
    assert found.nearer[1] == (distances[1][among[1]] < distances[1, 1]).sum()


def test_photos_must_name_their_garment():
    nameless = Dataset("x", np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, int), ("tops",), ["0"])
    with pytest.raises(ValueError, match="name their garment in groups"):
        places(lambda rows: np.zeros((1, 1)), nameless, photos(["a"]))


def test_chance_is_what_blind_choice_finds():
    asked, searched = photos(["a", "b"]), photos(["a", "b", "b", "c"])
    assert chance_within(2, asked, searched) == pytest.approx((2 / 4 + 1 - 1 / 6) / 2)      # of b, 1 pair in 6 has none
    assert chance_within(4, asked, searched) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_the_formulas(metric):
    queries, gallery = RNG.random((130, 7)), RNG.random((5, 7))                     # more than one slice of queries
    apart = queries[:, None] - gallery[None]
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(gallery, axis=1)
    expected = {"L1": np.abs(apart).sum(axis=2), "L2": np.sqrt((apart**2).sum(axis=2)),
                "cosine": 1 - queries @ gallery.T / lengths}[metric]
    found = feature_distances(metric, queries, gallery)
    np.testing.assert_allclose(np.concatenate([found(slice(0, 100)), found(slice(100, 130))]), expected, atol=1e-6)
    with pytest.raises(ValueError, match="metric must be one of L1, L2, cosine"):
        feature_distances("L3", queries, gallery)


def test_places_are_written_and_read(tmp_path):
    found, asked = Places(np.array([0, 5]), np.array([2, 0]), np.array([1, 1])), photos(["a", "b"])
    found.save(tmp_path / "a" / "places.csv", asked, "by eye")
    again, how = Places.read(tmp_path / "a" / "places.csv", asked)
    assert how == "by eye"
    np.testing.assert_array_equal(again.found_within(2), found.found_within(2))
    with pytest.raises(Fashion16Error, match=r"places\.csv tells of other photos.*run its notebook with the same SEED"):
        Places.read(tmp_path / "a" / "places.csv", photos(["a", "b", "c"]))


def test_by_category_and_curves():
    asked = photos(["a", "b", "c", "d"], [0, 0, 1, 1])
    found = Places(np.array([0, 3, 9, 0]), np.zeros(4, int), np.ones(4, int))
    by = mean_by_category(found.found_within(4), asked)
    assert {name: each.value for name, each in by.items()} == {"all": 0.75, "tops": 1.0, "skirts": 0.5}
    drawn = curves({"ours": [found]}, asked, [1, 4, 10])
    nothing = Places(np.full(4, 99), np.zeros(4, int), np.zeros(4, int))
    both = curves({"ours": [found, nothing]}, asked, [1, 4, 10])
    np.testing.assert_allclose(both["y"], drawn["y"] / 2)
    assert list(drawn) == ["kind", "category", "x", "y"] and set(drawn["category"]) == {"all", "tops", "skirts"}
    assert drawn.groupby("category")["y"].is_monotonic_increasing.all() and drawn["y"].max() == 1


def test_intervals_draw_garments_not_photos():
    values, groups = np.repeat([0.0, 1.0] * 10, 30), [f"{n // 30}" for n in range(600)]
    asked = photos(groups)
    by_garment = mean_by_category(values, asked)["all"]
    alone = mean_by_category(values, photos([f"{n}" for n in range(600)]))["all"]
    assert by_garment.high - by_garment.low > 3 * (alone.high - alone.low)


def test_a_ratio_of_equal_arms_is_one_and_of_twice_is_two():
    values = RNG.random(200)
    groups = [f"{n}" for n in range(200)]
    same, twice = ratio_of_means(values, values, groups), ratio_of_means(2 * values, values, groups)
    assert (same.low, same.value, same.high) == (1, 1, 1) and twice.value == pytest.approx(2)
    other = ratio_of_means(RNG.random(200), values, groups)
    assert other.low < other.value < other.high
