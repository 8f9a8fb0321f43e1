"""Product search's goods: one split for every method, one right photo a query, attributes that aren't rare."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from archives import as_folder
from PIL import Image
from test_consumer_to_shop import benchmark

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.product_search import (
    ATTRIBUTES,
    GOODS,
    LEAST_SHARE,
    RIGID,
    SIZES,
    Attributes,
    features_by_part,
    load_product_search,
    n_trainings,
)
from fashion16_lib.data.street_to_shop import (
    CATEGORIES,
    OTHER_COLOUR,
    SAME_COLOUR,
    Part,
    Sizes,
    simulated_pairs,
)
from fashion16_lib.settings import get_profile

PARTS = ("train", "tuning", "test")
TYPES = ("Dresses", "Skirts", "Jeans", "Tshirts", "Handbags", "Heels")
N_EACH = 20             # photos of a type, of which every tenth shows the product before it again
RNG = np.random.default_rng(0)


def photo() -> bytes:
    image, out = np.full((40, 30, 3), 255, np.uint8), io.BytesIO()
    image[8:32, 6:24] = RNG.integers(0, 200, (24, 18, 3))
    Image.fromarray(image).save(out, "JPEG")
    return out.getvalue()


def catalogue() -> dict[str, bytes]:
    """Return the files of a shop that sells each category, and watches, which are in none."""
    rows, files = [], {}
    for number, kind in enumerate(kind for kind in (*TYPES, "Watches") for _ in range(N_EACH)):
        item = f"{1000 + number}"
        files[f"images/{item}.jpg"] = files[f"images/{int(item) - 1}.jpg"] if number % 10 == 9 else photo()
        rows.append((item, "Men", kind, ("Blue", "Red")[number % 2], "Summer", "Casual"))
    out = io.StringIO()
    csv.writer(out).writerows([("id", "gender", "articleType", "baseColour", "season", "usage"), *rows])
    return {"styles.csv": out.getvalue().encode(), **files}


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_DATA", str(tmp_path_factory.mktemp("data")))
        yield as_folder(tmp_path_factory.mktemp("shop"), catalogue())


@pytest.fixture(scope="module")
def pairs(shop_folder):
    return load_product_search(get_profile("smoke"), shop_folder, seed=3)


# ---------------------------------------------------------------- the split


def test_every_method_gets_the_same_split_and_the_same_queries(pairs, shop_folder):
    again = load_product_search(get_profile("smoke"), shop_folder, seed=3)
    lean = load_product_search(get_profile("smoke"), shop_folder, seed=3, to_learn=False)
    for name in PARTS:
        ours, theirs, few = (getattr(each, name) for each in (pairs, again, lean))
        assert ours.shop.sha256 == theirs.shop.sha256 == few.shop.sha256
        assert ours.own.sha256 == theirs.own.sha256
        assert len(few.own) == (0 if name == "train" else len(ours.own))
    assert lean.test.own.sha256 == pairs.test.own.sha256
    other = load_product_search(get_profile("smoke"), shop_folder, seed=4)
    assert set(other.test.shop.ids) != set(pairs.test.shop.ids)


def test_each_query_has_one_right_photo(pairs):
    pixels = [image.tobytes() for name in PARTS for image in getattr(pairs, name).shop.images]
    assert len(set(pixels)) == len(pixels) == len(TYPES) * N_EACH * 9 // 10             # twins dropped, watches out
    for name in PARTS:
        part = getattr(pairs, name)
        assert list(part.shop.groups) == part.shop.ids and len({*part.shop.ids}) == len(part.shop)
    assert list(pairs.test.own.groups) == list(pairs.test.shop.groups)
    assert len(pairs.train.own) == SIZES["smoke"].n_views * len(pairs.train.shop)


def test_no_product_is_in_two_parts(pairs):
    of = {name: {*getattr(pairs, name).shop.groups, *getattr(pairs, name).own.groups} for name in PARTS}
    assert all(of.values())
    assert not of["train"] & of["test"] and not of["train"] & of["tuning"] and not of["tuning"] & of["test"]


def test_six_categories_in_their_own_colour(pairs):
    assert pairs.test.shop.class_names == tuple(GOODS) == (*CATEGORIES, *RIGID)
    kinds = {kind for kinds in GOODS.values() for kind in kinds}
    assert len(kinds) == sum(map(len, GOODS.values()))                      # a type is in one category
    sold = pairs.test.shop
    assert all(kind in GOODS[name] for kind, name in zip(sold.attributes["articleType"], sold.label_names, strict=True))
    for name in PARTS:
        assert list(getattr(pairs, name).street) == [SAME_COLOUR]
    assert "simulated" in pairs.name


def test_street_photos_know_what_the_shop_knows(pairs):
    part = pairs.train
    row_of = {item: row for row, item in enumerate(part.shop.ids)}
    rows = [row_of[item] for item in part.own.groups]
    np.testing.assert_array_equal(part.own.labels, part.shop.labels[rows])
    assert part.own.attributes["baseColour"].tolist() == part.shop.attributes["baseColour"].iloc[rows].tolist()


def test_trainings_are_repeated_but_at_smoke():
    assert [n_trainings(get_profile(name)) for name in ("smoke", "quick", "full")] == [1, 3, 3]


# ---------------------------------------------------------------- simulated_pairs


def photos(n: int = 40) -> Dataset:
    """Random blocks on white, every fifth as the one before it."""
    images = np.full((n, 24, 18, 3), 255, np.uint8)
    images[:, 4:20, 3:15] = np.random.default_rng(1).integers(0, 200, (n, 16, 12, 3))
    images[4::5] = images[3::5]
    items = [f"{row:03d}" for row in range(n)]
    return Dataset("product-photos", images, np.arange(n) // 5 % 2, ("tops", "skirts"), items)


def test_colours_choose_what_is_asked_and_not_how_it_looks():
    both = simulated_pairs(photos(), Sizes(None, 1), seed=2)
    one = simulated_pairs(photos(), Sizes(None, 1), seed=2, colours=(OTHER_COLOUR,))
    assert list(one.test.street) == [OTHER_COLOUR]
    assert one.test.own.sha256 == both.test.street[OTHER_COLOUR].sha256
    assert one.test.shop.sha256 == both.test.shop.sha256


def test_without_twins_the_first_photo_of_each_product_stays_where_it_was():
    both, one = (simulated_pairs(photos(), Sizes(None, 1), seed=2, twins=twins) for twins in (True, False))
    n_left = 0
    for name in PARTS:
        whole, first = getattr(both, name), getattr(one, name)
        kept = [row for row, item in enumerate(whole.shop.ids) if int(item) % 5 != 4]
        assert first.shop.sha256 == whole.shop.take(kept).sha256
        assert set(first.shop.groups) == set(whole.shop.groups)
        assert first.own.ids == [f"{item}, street 0" for item in first.shop.ids]
        n_left += len(first.shop)
    assert n_left == 32


def test_own_is_the_first_kind_of_street_photos():
    part = simulated_pairs(photos(), Sizes(None, 1)).test
    assert part.own is part.street[SAME_COLOUR]
    turned = Part(part.shop, dict(reversed(part.street.items())))
    assert turned.own is part.street[OTHER_COLOUR]


# ---------------------------------------------------------------- attributes


def described(**columns: list[str]) -> Dataset:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({**{name: ["x"] * n for name in ATTRIBUTES}, **columns})
    items = [f"{row}" for row in range(n)]
    return Dataset("x", np.zeros((n, 8, 8, 3), np.uint8), np.arange(n) % 2, ("tops", "bags"), items, attributes=table,
                   groups=tuple(items))


COLOURS = ["Blue"] * 150 + ["Red"] * 45 + ["Teal"] * 2 + ["Rust"] + ["NA"] + [""]


def test_values_too_rare_to_learn_and_unknown_ones_are_left_out():
    assert LEAST_SHARE == 0.01
    found = Attributes.of(described(baseColour=COLOURS, gender=["Men", "Women"] * 100))
    assert found.values == {"category": ("tops", "bags"), "gender": ("Men", "Women"),
                            "baseColour": ("Blue", "Red", "Teal")}


def test_an_attribute_of_one_value_teaches_nothing():
    assert Attributes.of(described(season=["Summer"] * 99 + ["NA"])).values == {"category": ("tops", "bags")}


def test_each_photo_has_the_place_of_its_value_or_minus_one():
    shop = described(baseColour=COLOURS, gender=["Men", "Women"] * 100)
    known, other = Attributes.of(shop), described(baseColour=["Rust", "Teal", "Pink", "", "Blue"], gender=["Women"] * 5)
    for asked in (shop, other):
        told = known.encode(asked)
        assert list(told) == list(known.values)
        for name, numbers in told.items():
            column = asked.label_names if name == "category" else asked.attributes[name].tolist()
            assert numbers.dtype == np.int64
            expected = []
            for value in column:
                expected.append(-1)
                for place, each in enumerate(known.values[name]):
                    if value == each:
                        expected[-1] = place
            assert numbers.tolist() == expected
    assert known.encode(other)["baseColour"].tolist() == [-1, 2, -1, -1, 0]


def test_attributes_of_this_shop(pairs):
    found = Attributes.of(pairs.train.shop)
    assert found.values["category"] == tuple(GOODS)
    assert set(found.values["articleType"]) == set(TYPES) and found.values["baseColour"] == ("Blue", "Red")
    assert "gender" not in found.values
    street, shop = (found.encode(side) for side in (pairs.test.own, pairs.test.shop))
    assert all((street[name] == shop[name]).all() and (shop[name] >= 0).all() for name in found.values)


def test_photos_without_a_table_have_unknown_attributes():
    known = Attributes.of(described(baseColour=COLOURS))
    told = known.encode(replace(described(baseColour=COLOURS[:5]), attributes=None))
    assert told["category"].tolist() == [0, 1, 0, 1, 0] and told["baseColour"].tolist() == [-1] * 5


def test_deepfashion_has_four_categories_and_no_attributes(tmp_path):
    root = as_folder(tmp_path, benchmark(8))
    pairs = load_product_search(get_profile("smoke"), pairs_path=root)
    assert pairs.name.startswith("DeepFashion")
    found = Attributes.of(pairs.train.shop)
    assert found.values == {"category": CATEGORIES}
    told = found.encode(pairs.test.own)
    assert list(told) == ["category"] and told["category"].tolist() == pairs.test.own.labels.tolist()


# ---------------------------------------------------------------- features


class MeanColour:
    """The plainest of extractors."""

    def extract(self, images):
        return np.array([image.mean(axis=(0, 1)) for image in images], np.float32).reshape(-1, 3)


def test_features_of_each_part_and_side(pairs):
    assert list(features_by_part(pairs, MeanColour())) == ["train", "test"]
    found = features_by_part(pairs, MeanColour(), PARTS)
    assert list(found) == list(PARTS)
    for name, (street, shop) in found.items():
        part = getattr(pairs, name)
        assert len(street) == len(part.own) and len(shop) == len(part.shop)
        np.testing.assert_allclose(street[-1], part.own.images[-1].mean(axis=(0, 1)), rtol=1e-5)
        np.testing.assert_allclose(shop[0], part.shop.images[0].mean(axis=(0, 1)), rtol=1e-5)
