"""Garments from both sides: no garment in two parts, twins together, categories as in the text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.street_to_shop import (
    CATEGORIES,
    OTHER_COLOUR,
    PRODUCT_TYPES,
    SAME_COLOUR,
    SIZES,
    STREET_TYPES,
    Sizes,
    first_of_each,
    in_categories,
    load_street_to_shop,
    simulated_pairs,
)
from fashion16_lib.settings import get_profile


def shop(n_each: int = 30, seed: int = 0) -> Dataset:
    """Random blocks on white, as many of each category; every tenth is an earlier one of its category again."""
    rng, images = np.random.default_rng(seed), []
    for number in range(4 * n_each):
        image = np.full((40, 30, 3), 255, np.uint8)
        image[8:32, 6:24] = rng.integers(0, 200, (24, 18, 3))
        images.append(images[-4] if number % 10 == 9 else image)
    labels = np.arange(4 * n_each) % 4
    return Dataset("product-photos", np.stack(images), labels, CATEGORIES, [f"{n:04d}" for n in range(4 * n_each)])


@pytest.fixture(scope="module")
def pairs():
    return simulated_pairs(shop(), Sizes(20, 2), seed=1)


PARTS = ("train", "tuning", "test")


def garments(part) -> set[str]:
    return {*part.shop.groups, *(item for photos in part.street.values() for item in photos.groups)}


def test_no_garment_is_in_two_parts(pairs):
    of = {name: garments(getattr(pairs, name)) for name in PARTS}
    assert all(of[name] for name in PARTS)
    assert not of["train"] & of["test"] and not of["train"] & of["tuning"] and not of["tuning"] & of["test"]


def test_photos_with_equal_pixels_are_one_garment(pairs):
    whole = {}
    for name in PARTS:
        photos = getattr(pairs, name).shop
        for image, item in zip(photos.images, photos.groups, strict=True):
            whole.setdefault(image.tobytes(), set()).add((item, name))
    twins = [places for places in whole.values() if len(places) > 1]
    assert not twins                                                # one name, one part
    n_photos = sum(len(getattr(pairs, name).shop) for name in PARTS)
    assert len(whole) < n_photos


def test_every_garment_of_the_shop_is_asked_for_in_both_colours(pairs):
    for name, views in (("train", 2), ("tuning", 1), ("test", 1)):
        part = getattr(pairs, name)
        assert list(part.street) == [SAME_COLOUR, OTHER_COLOUR]
        for photos in part.street.values():
            assert len(photos) == views * len(part.shop) and set(photos.groups) == set(part.shop.groups)
            assert photos.images.shape == (len(photos), 40, 30, 3) and photos.images.dtype == np.uint8
            kinds = dict(zip(part.shop.groups, part.shop.labels, strict=True))
            np.testing.assert_array_equal(photos.labels, [kinds[item] for item in photos.groups])
    assert "simulated" in pairs.name


def test_half_is_searched_a_tenth_is_to_choose():
    shares = [len(part.shop) for pairs in [simulated_pairs(shop(100), Sizes(None, 0), seed) for seed in (0, 1)]
              for part in (pairs.test, pairs.tuning)]
    assert abs(shares[0] - 200) < 40 and abs(shares[1] - 40) < 20
    assert len(simulated_pairs(shop(), Sizes(None, 0)).train.street[SAME_COLOUR]) == 0


def test_where_a_garment_goes_depends_on_no_other():
    photos = shop(60)
    some = photos.take(np.flatnonzero(np.arange(len(photos)) % 3 != 1))
    whole, part = (simulated_pairs(each, Sizes(None, 0), seed=5) for each in (photos, some))
    common = set(some.ids) & set(whole.test.shop.ids)
    lone = {item for item in common if int(item) % 10 not in (5, 9)}           # a twin may have lost its first
    assert lone <= set(part.test.shop.ids)


def test_at_most_so_many_of_each_and_the_same_whatever_else_there_is():
    categories, items = ["a"] * 50 + ["b"] * 3, [f"{n}" for n in range(53)]
    kept = first_of_each(categories, items, 10)
    assert len(kept) == 13 and {"50", "51", "52"} <= set(kept)
    assert set(first_of_each(categories[:40], items[:40], 10)) >= set(kept) & set(items[:40])
    assert sorted(first_of_each(categories, items, None)) == sorted(items)


def test_types_go_to_the_texts_four_categories():
    for types in (PRODUCT_TYPES, STREET_TYPES):
        assert tuple(types) == CATEGORIES
        assert len({kind for kinds in types.values() for kind in kinds}) == sum(map(len, types.values()))
    table = pd.DataFrame({"articleType": ["Skirts", "Watches", "Jeans", "Dresses", "Tshirts"]})
    photos = Dataset("product-photos", np.zeros((5, 8, 8, 3), np.uint8), np.zeros(5, int), ("x",), list("abcde"),
                     attributes=table)
    found = in_categories(photos, "articleType", PRODUCT_TYPES)
    assert (found.ids, found.label_names) == (["a", "c", "d", "e"], ["skirts", "bottoms", "dresses", "tops"])
    with pytest.raises(ValueError, match="has no table of types"):
        in_categories(shop(), "articleType", PRODUCT_TYPES)


def test_on_the_real_photos(photo_folder, monkeypatch):
    monkeypatch.setenv("FASHION16_PHOTOS", str(photo_folder))
    pairs = load_street_to_shop(get_profile("smoke"), to_learn=False)
    assert set(pairs.test.shop.label_names) == set(CATEGORIES)
    assert np.bincount(pairs.test.shop.labels).max() <= SIZES["smoke"].n_items
    assert not garments(pairs.train) & garments(pairs.test) and not len(pairs.train.street[SAME_COLOUR])
