"""Street to shop: cut-outs on drawn pictures, intervals against the plain bootstrap, and deciders by sender."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.cutout import border_level, cropped_to, garment_mask, on_white
from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.statistics import macro_mean, mean_over_queries
from fashion16_lib.evaluate.street import (
    difference_of_means,
    drawn_at_random,
    in_classes_of,
    macro_over_groups,
    mean_over_groups,
    moved_to,
    named_by,
    named_with_others_photos,
)


def a_photo(background: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a red garment on a grey floor, both with noise, and where it lies."""
    rng = np.random.default_rng(seed)
    image = np.full((160, 120, 3), background, np.uint8)
    where = np.zeros((160, 120), bool)
    where[50:120, 35:90] = True
    image[where] = (190, 30, 40)
    return np.clip(image + rng.integers(-12, 13, image.shape), 0, 255).astype(np.uint8), where


def test_the_garment_is_found_where_it_lies():
    image, where = a_photo()
    before = image.copy()
    mask = garment_mask(image)
    assert (mask & where).sum() / (mask | where).sum() > 0.9
    assert (image == before).all() and (garment_mask(image) == mask).all()
    cut = cropped_to(image, mask)
    assert cut.shape[0] == pytest.approx(70 + 16, abs=6) and cut.shape[1] == pytest.approx(55 + 12, abs=6)
    white = on_white(image, mask)
    assert white.dtype == np.uint8 and (white[~mask] == 255).all() and (white[mask] == image[mask]).all()


def test_a_photo_without_a_garment_stays_whole():
    flat = np.full((50, 40, 3), 128, np.uint8)
    assert garment_mask(flat).all() and (on_white(flat, garment_mask(flat)) == flat).all()
    assert cropped_to(flat, np.ones((50, 40), bool)).shape == flat.shape


def test_a_crop_is_the_box_of_the_mask():
    image = np.arange(100 * 80 * 3).reshape(100, 80, 3).astype(np.uint8)
    mask = np.zeros((100, 80), bool)
    mask[30, 20], mask[49, 39] = True, True
    assert (cropped_to(image, mask, 0) == image[30:50, 20:40]).all()
    assert (cropped_to(image, mask, 0.1) == image[20:60, 12:48]).all()
    assert (cropped_to(image, mask, 1) == image).all()


def test_the_border_is_three_sides():
    image = np.full((10, 8, 3), 255, np.uint8)
    image[4:, 2:6] = 0                                  # a garment that leaves at the bottom
    assert border_level(image) == 255 and border_level(a_photo(90)[0]) == pytest.approx(90, abs=2)


# ---------------------------------------------------------------- items

def items(names: list[str], class_names: tuple[str, ...]) -> Dataset:
    labels = np.array([class_names.index(name) for name in names], np.int64)
    return Dataset("made here", np.zeros((len(names), 8, 8), np.uint8), labels, class_names,
                   [f"{row:03d}" for row in range(len(names))])


def test_street_photos_get_the_shops_numbers():
    shop = items(["Bag", "Coat", "Bag"], ("Bag", "Dress", "Coat"))          # sells no dresses
    street = items(["Coat", "Dress", "Hat", "Bag"], ("Hat", "Coat", "Bag", "Dress"))
    kept = in_classes_of(shop, street)
    assert kept.ids == ["000", "003"] and kept.labels.tolist() == [2, 0] and kept.label_names == ["Coat", "Bag"]


def test_a_draw_takes_all_or_some_in_order():
    photos = items(["Bag"] * 30, ("Bag",))
    assert drawn_at_random(photos, 99, 0).ids == photos.ids
    some = drawn_at_random(photos, 10, 0)
    assert len(set(some.ids)) == 10 and some.ids == sorted(some.ids)
    assert some.ids != drawn_at_random(photos, 10, 1).ids


# ---------------------------------------------------------------- intervals

def test_groups_of_one_give_the_plain_interval():
    values = np.random.default_rng(0).random(300)
    alone, plain = mean_over_groups(values, [str(row) for row in range(300)]), mean_over_queries(values)
    assert alone.value == pytest.approx(plain.value) and alone.n == 300
    assert alone.high - alone.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_alike_values_in_a_group_widen_the_interval_by_the_root_of_its_size():
    each = np.random.default_rng(0).random(60)
    values, groups = np.repeat(each, 16), [str(row) for row in np.repeat(np.arange(60), 16)]
    wide, plain = mean_over_groups(values, groups), mean_over_queries(values)
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(4, rel=0.2)
    one = mean_over_groups(values, ["only"] * len(values))
    assert one.low == pytest.approx(one.value) and one.high == pytest.approx(one.value)
    for bad in ([], [np.nan] * 3):
        with pytest.raises(ValueError, match="finite numbers"):
            mean_over_groups(np.array(bad), ["a"] * len(bad))


def test_each_class_counts_once_and_senders_are_drawn():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], (900, 100))
    values, senders = rng.random(1000) + labels, [str(row) for row in range(1000)]
    found, plain = macro_over_groups(values, labels, senders), macro_mean(values, labels)
    assert found.value == pytest.approx(plain.value) and found.n == 1000
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.15)
    each = rng.random(100)
    shared = macro_over_groups(np.repeat(each, 10), np.zeros(1000), [str(row) for row in np.repeat(np.arange(100), 10)])
    alone = macro_over_groups(each, np.zeros(100), [str(row) for row in range(100)])
    assert shared.high - shared.low == pytest.approx(alone.high - alone.low)
    lone = macro_over_groups(np.array([0.0, 0.0, 1.0]), np.array([0, 0, 1]), ["a", "b", "c"])
    assert lone.value == 0.5 and 0 <= lone.low <= lone.high <= 1                  # a draw may miss the class of one


def test_the_interval_of_a_difference_is_the_normal_one():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1, 2, 400), rng.normal(0, 1, 900)
    found = difference_of_means(ours, theirs, [str(row) for row in range(900)])
    half = 1.96 * np.sqrt(ours.var() / 400 + theirs.var() / 900)
    assert found.value == pytest.approx(ours.mean() - theirs.mean()) and found.n == 1300
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    grouped = difference_of_means(ours, np.repeat(theirs, 9), [str(row) for row in np.repeat(np.arange(900), 9)])
    assert grouped.high - grouped.low == pytest.approx(found.high - found.low, rel=0.1)      # nine alike tell no more


# ---------------------------------------------------------------- deciders

def test_a_sender_is_never_taught_by_his_own_photos():
    """Each sender's class shows only in his own corner of space: others can't teach it, his own photos would."""
    rng = np.random.default_rng(0)
    sender = np.repeat(np.arange(10), 8)
    corner = np.eye(10)[sender] * 20
    street = corner + rng.normal(size=(80, 10)), rng.integers(0, 2, 10)[sender]
    shop = rng.normal(size=(60, 10)), rng.integers(0, 2, 60)
    assert (named_by(street, street[0]) == street[1]).all()
    named = named_with_others_photos(shop, street, [str(each) for each in sender])
    assert 0.1 < (named == street[1]).mean() < 0.9
    with pytest.raises(ValueError, match="5 folds need as many senders, got 2"):
        named_with_others_photos(shop, (street[0][:16], street[1][:16]), ["a", "b"] * 8)


def test_other_senders_teach_what_the_shop_does_not_show():
    """The shop's classes differ in one direction, the street's in another, the same for all senders."""
    rng = np.random.default_rng(0)
    labels, asked = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
    shop, street = (rng.normal(size=(100, 10)) for _ in range(2))
    shop[:, 0] += 8 * labels
    street[:, 1] += 8 * asked
    named = named_with_others_photos((shop, labels), (street, asked), [str(row % 20) for row in range(100)])
    assert (named == asked).mean() > 0.9 > 0.7 > (named_by((shop, labels), street) == asked).mean()


def test_a_shift_that_all_senders_share_is_taken_back():
    rng = np.random.default_rng(0)
    base, senders = rng.normal(size=(400, 6)), [str(row % 40) for row in range(400)]
    mean = np.arange(6.0)
    moved = moved_to(mean, base + 50, senders)
    assert moved == pytest.approx(base + mean, abs=0.5)
    alone = base.copy()
    alone[np.array(senders) == "7"] += 1000             # his photos may not say where they are moved to
    own = np.array(senders) == "7"
    assert (moved_to(mean, alone, senders)[own] > 900).all()
