"""Matching outfits: wardrobes that are whole, halves that share nobody, a library that recommends what its owners have.
"""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import feature_distances
from fashion16_lib.evaluate.outfits import NEAREST_TOPS, blindly, found_in_wardrobe, halves, through_library, wardrobes

RNG = np.random.default_rng(0)
NAMES = ("bottoms", "dresses", "tops")


def photos(kinds: list[str], owners: list[str]) -> Dataset:
    n = len(kinds)
    return Dataset("x", np.zeros((n, 8, 8, 3), np.uint8), np.array([NAMES.index(kind) for kind in kinds]), NAMES,
                   [f"{row}" for row in range(n)], groups=tuple(owners))


def many(n_owners: int = 9, n_each: int = 3) -> Dataset:
    kinds = [kind for _ in range(n_owners) for kind in ("tops", "bottoms") for _ in range(n_each)]
    return photos(kinds, [f"o{owner}" for owner in range(n_owners) for _ in range(2 * n_each)])


# ---------------------------------------------------------------- wardrobes

def test_a_wardrobe_has_a_top_and_a_bottom():
    owners = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f"]
    kinds = ["tops", "bottoms"] * 4 + ["tops", "tops", "dresses"]
    worn = wardrobes(photos(kinds, owners))
    assert worn.ids == [f"{row}" for row in range(8)] and set(worn.groups) == {"a", "b", "c", "d"}


def test_dresses_stay_out():
    whole = photos(["tops", "bottoms", "dresses"] * 4, [owner for owner in "abcd" for _ in range(3)])
    assert set(wardrobes(whole).label_names) == {"tops", "bottoms"}


@pytest.mark.parametrize("most", [1, 2, 5, None])
def test_no_owner_has_more_of_a_kind_than_allowed(most):
    worn = wardrobes(many(n_each=3), most)
    counts = {(owner, kind): 0 for owner in worn.groups for kind in ("tops", "bottoms")}
    for key in zip(worn.groups, worn.label_names, strict=True):
        counts[key] += 1
    assert set(counts.values()) == {min(most or 3, 3)}
    assert [int(item) for item in worn.ids] == sorted(int(item) for item in worn.ids)


def test_the_seed_draws_who_stays():
    assert wardrobes(many(), 1, 0).ids == wardrobes(many(), 1, 0).ids != wardrobes(many(), 1, 1).ids


def test_what_holds_no_wardrobes_is_refused():
    with pytest.raises(ValueError, match="at least 4 senders of tops and bottoms, got 3"):
        wardrobes(many(3))
    nameless = Dataset("x", np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, int), NAMES, ["0"])
    with pytest.raises(ValueError, match="need senders in groups"):
        wardrobes(nameless)


# ---------------------------------------------------------------- halves

def test_every_top_asks_once_and_no_owner_is_on_both_sides():
    worn = many(9)
    first, second = halves(worn)
    owners, kinds = np.array(worn.groups), np.array(worn.label_names)
    assert sorted([*first.tops, *second.tops]) == np.flatnonzero(kinds == "tops").tolist()
    for half in (first, second):
        asked, library = (set(owners[np.concatenate(rows)]) for rows in
                          ((half.tops, half.bottoms), (half.library_tops, half.library_bottoms)))
        assert not asked & library and asked | library == set(owners) and abs(len(asked) - len(library)) == 1
        assert (kinds[half.tops] == "tops").all() and (kinds[half.library_bottoms] == "bottoms").all()
    assert (halves(worn, 1)[0].tops != first.tops[: len(halves(worn, 1)[0].tops)]).any()


def test_found_in_wardrobe_against_sorted_lists():
    worn = many(8)
    asked, features = halves(worn), RNG.normal(size=(len(worn), 6))
    owners = np.array(worn.groups)

    distances = [feature_distances("L2", features[half.tops], features[half.bottoms]) for half in asked]
    for k in (1, 4, 12):
        expected = [owners[top] in owners[half.bottoms[np.argsort(((features[half.bottoms] - features[top])**2)
                                                                  .sum(axis=1))[:k]]]
                    for half in asked for top in half.tops]
        np.testing.assert_allclose(found_in_wardrobe(worn, asked, distances, k), expected)


def test_limits_perfect_and_blind():
    worn = many(8)
    number = np.unique(worn.groups, return_inverse=True)[1]
    own = np.eye(8)[number]
    asked = halves(worn)
    perfect = [feature_distances("L2", own[half.tops], own[half.bottoms]) for half in asked]
    assert (found_in_wardrobe(worn, asked, perfect, 1) == 1).all()
    blind = found_in_wardrobe(worn, asked, [blindly(half) for half in asked], 1)
    np.testing.assert_allclose(blind, 1 / 4)                        # three of the half's twelve bottoms
    worst = [lambda rows, half=half: own[half.tops[rows]] @ own[half.bottoms].T for half in asked]
    assert (found_in_wardrobe(worn, asked, worst, 9) == 0).all()
    assert (found_in_wardrobe(worn, asked, worst, 10) == 1).all()   # nine others, then the own


# ---------------------------------------------------------------- the library

def by_brute_force(asked, tops, bottoms, searched, n_tops):
    def apart(a, b):
        return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    rows = []
    for top in asked:
        usable = [place for place, owner in enumerate(tops[1]) if owner in bottoms[1]]
        near = sorted(usable, key=lambda place: apart(top, tops[0][place]))[:n_tops]
        styles = [bottoms[0][place] for place, owner in enumerate(bottoms[1]) if owner in {tops[1][n] for n in near}]
        rows.append([min(apart(style, bottom) for style in styles) for bottom in searched])
    return np.array(rows)


@pytest.mark.parametrize("n_tops", [1, 3, 100])
def test_through_the_library_by_brute_force(n_tops):
    asked, searched = RNG.normal(size=(7, 4)), RNG.normal(size=(9, 4))
    tops = RNG.normal(size=(10, 4)), list("aabbccddee")
    bottoms = RNG.normal(size=(6, 4)), list("abbcdz")               # e has tops alone, z bottoms alone
    found = through_library(asked, tops, bottoms, searched, n_tops)
    np.testing.assert_allclose(found(slice(0, 7)), by_brute_force(asked, tops, bottoms, searched, n_tops), atol=1e-6)
    np.testing.assert_allclose(found(slice(2, 4)), found(slice(0, 7))[2:4])


def test_the_nearest_owners_bottom_is_the_style():
    tops = np.eye(3), ["a", "b", "c"]
    bottoms = np.eye(3)[[2, 0, 1]], ["a", "b", "c"]                 # who wears the first top wears the third bottom
    found = through_library(np.eye(3), tops, bottoms, np.eye(3), n_tops=1)(slice(0, 3))
    assert found.argmin(axis=1).tolist() == [2, 0, 1] and np.allclose(found.min(axis=1), 0)
    everyone = through_library(np.eye(3), tops, bottoms, np.eye(3), n_tops=3)(slice(0, 3))
    assert np.allclose(everyone, 0) and NEAREST_TOPS > 1            # the whole library recommends everything


def test_a_library_without_a_pair_is_refused():
    with pytest.raises(ValueError, match="owners of its tops, got none who has both"):
        through_library(np.eye(2), (np.eye(2), ["a", "b"]), (np.eye(2), ["c", "d"]), np.eye(2))
