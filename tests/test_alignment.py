"""Boxes and axes of objects: against pixels counted one by one, and bars drawn at known angles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fashion16_lib.data.alignment import (
    ALIGNMENTS,
    LEAST_SIDE,
    LONG,
    aligned,
    box_of,
    boxes_of,
    cut_to,
    masks_of,
    overlap,
    tilt_of,
)

RNG = np.random.default_rng(0)
COLOUR = (180, 40, 60)


def bar(degrees: float, long: float = 70.5, wide: float = 14.5, side: int = 121) -> np.ndarray:
    """Return a bar around the middle, turned counter-clockwise from level as one sees it, (side, side) bool."""
    down, right = np.indices((side, side)) - side // 2
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (np.abs(right * cos - down * sin) <= long / 2) & (np.abs(right * sin + down * cos) <= wide / 2)


def painted(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], np.uint8(COLOUR), np.uint8(255))


# ---------------------------------------------------------------- boxes


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1, 1.0])
def test_the_box_is_that_of_a_search_of_all_pixels(share):
    mask = RNG.random((30, 20)) < share
    mask[17, 4] = True
    x, y = zip(*[(x, y) for y in range(30) for x in range(20) if mask[y, x]], strict=True)
    expected = [min(x), min(y), max(x), max(y)]
    assert box_of(mask).tolist() == expected and box_of(mask).dtype == np.int64


def test_nothing_has_no_box():
    with pytest.raises(ValueError, match="at least one pixel of an object, got an empty mask; use the whole picture"):
        box_of(np.zeros((5, 5), bool))


def filled(box: np.ndarray) -> np.ndarray:
    canvas = np.zeros((12, 12), bool)
    for y in range(box[1], box[3] + 1):
        canvas[y, box[0]: box[2] + 1] = True
    return canvas


def test_overlap_is_what_counting_pixels_gives():
    ends = np.sort(RNG.integers(0, 12, (200, 2, 2, 2)), axis=3)             # of two boxes, x and y, low and high
    found = []
    for pair in ends:
        first, second = (box.T.ravel() for box in pair)
        both, either = filled(first) & filled(second), filled(first) | filled(second)
        found.append(overlap(first, second))
        assert found[-1] == pytest.approx(both.sum() / either.sum()) == overlap(second, first)
    assert min(found) == 0 and max(found) > 0.5


def test_overlap_of_equal_of_side_by_side_and_of_boxes_inside():
    box = np.array([2, 2, 5, 5])
    assert overlap(box, box) == 1 and overlap(box, np.array([6, 2, 9, 5])) == 0
    assert overlap(box, np.array([3, 3, 3, 3])) == 1 / 16


def test_shares_become_pixels_and_what_is_outside_comes_to_the_border():
    image = np.zeros((81, 61, 3), np.uint8)
    corners = np.array([[[0.25, 0.5], [0.75, 0.9]], [[-0.3, -1.0], [1.2, 2.0]], [[0.5, 0.1], [0.9, 0.2]]])
    found = boxes_of(corners, [image] * 3)
    assert [box.tolist() for box in found] == [[15, 40, 45, 72], [0, 0, 60, 80], [30, 8, 54, 16]]


def test_a_box_of_every_picture_is_in_its_own_pixels():
    images = [np.zeros((40, 30, 3), np.uint8), np.zeros((80, 120, 3), np.uint8)]
    masks = [np.zeros(image.shape[:2], bool) for image in images]
    masks[0][5:30, 4:20], masks[1][20:71, 11:111] = True, True
    shares = [box_of(mask).reshape(2, 2) / (np.array(mask.shape[::-1]) - 1) for mask in masks]
    for box, mask in zip(boxes_of(np.stack(shares), images), masks, strict=True):
        np.testing.assert_array_equal(box, box_of(mask))


@pytest.mark.parametrize("where", [0.5, 0.1, 0.93, 0.0, 1.0, -2.0, 3.0])
@pytest.mark.parametrize("size", [0.0, 0.02, -0.2])
def test_a_box_keeps_a_least_side_as_far_as_the_picture_goes(where, size):
    image, corners = np.zeros((81, 61, 3), np.uint8), np.array([[where, where], [where + size, where + size]])
    box = boxes_of(corners[None], [image])[0]
    middle = np.clip(corners, 0, 1).mean(axis=0) * (60, 80)
    for axis, last in ((0, 60), (1, 80)):
        least = LEAST_SIDE if LEAST_SIDE / 2 <= middle[axis] <= last - LEAST_SIDE / 2 else LEAST_SIDE // 2 + 1
        assert box[axis + 2] - box[axis] + 1 >= least, box
        assert 0 <= box[axis] <= middle[axis] + 1 and middle[axis] - 1 <= box[axis + 2] <= last


def test_cut_to_takes_the_box_and_a_margin():
    image = RNG.integers(0, 255, (100, 60, 3), np.uint8)
    np.testing.assert_array_equal(cut_to(image, np.array([20, 30, 39, 69])), image[25:75, 17:43])
    np.testing.assert_array_equal(cut_to(image, np.array([0, 0, 59, 99])), image)


# ---------------------------------------------------------------- the axis


@pytest.mark.parametrize("degrees", range(-40, 50, 10))
@pytest.mark.parametrize("upright", [0, 90, 180, 270])
def test_a_bar_leans_by_the_angle_it_was_drawn_at(degrees, upright):
    assert tilt_of(bar(degrees + upright)) == pytest.approx(degrees, abs=0.7)


def test_at_45_degrees_either_side_is_as_near():
    assert abs(tilt_of(bar(45))) == pytest.approx(45, abs=0.7) == abs(tilt_of(bar(-45)))


def ellipse(long: float, degrees: float) -> np.ndarray:
    canvas = np.zeros((121, 121), np.uint8)         # OpenCV turns it clockwise
    return cv2.ellipse(canvas, (60, 60), (round(30 * long), 30), -degrees, 0, 360, 1, -1) > 0


def test_what_is_as_long_as_wide_has_no_axis():
    for shape in (ellipse(1.0, 0), bar(20, 40.5, 40.5), ellipse(LONG - 0.06, 20), np.zeros((9, 9), bool), bar(0, 0, 0)):
        assert tilt_of(shape) == 0
    assert tilt_of(ellipse(LONG + 0.06, 20)) == pytest.approx(20, abs=2)


@pytest.mark.parametrize("degrees", [-35, -10, 15, 40, 70, 100])
def test_a_leaning_bar_is_turned_upright_or_level(degrees):
    mask = bar(degrees)
    found = aligned(painted(mask), mask, "box, turned")
    of_bar = found[..., 1] < 150
    assert abs(tilt_of(of_bar)) < 1
    box = box_of(of_bar)
    sides = sorted(box[2:] - box[:2] + 1)
    assert abs(sides[0] - 15) <= 2 >= abs(sides[1] - 71)
    assert (box[3] - box[1] > box[2] - box[0]) == (abs(degrees) > 45)


def test_an_upright_bar_stays_as_it_is():
    mask = bar(90)
    np.testing.assert_array_equal(aligned(painted(mask), mask, "box, turned"), aligned(painted(mask), mask, "box"))


# ---------------------------------------------------------------- all ways


def test_each_way_gives_what_it_says():
    image, mask = RNG.integers(0, 200, (100, 60, 3), np.uint8), np.zeros((100, 60), bool)
    mask[30:70, 20:40] = True
    assert aligned(image, mask, "whole") is image
    np.testing.assert_array_equal(aligned(image, mask, "box"), image[25:75, 17:43])
    np.testing.assert_array_equal(aligned(image, mask, "box"), cut_to(image, box_of(mask)))


@pytest.mark.parametrize("how", ALIGNMENTS)
def test_where_no_object_is_the_picture_stays_whole(how):
    image = RNG.integers(0, 255, (20, 15, 3), np.uint8)
    assert aligned(image, np.zeros((20, 15), bool), how) is image


def test_an_object_in_a_corner_may_leave_the_picture_when_it_turns():
    mask = np.zeros((80, 60), bool)
    mask[np.arange(8), 7 - np.arange(8)] = True
    found = aligned(painted(mask), mask, "box, turned")
    assert found.ndim == 3 and found.size > 0


def test_another_way_is_refused():
    with pytest.raises(ValueError, match=r"how must be one of whole, box, .*got 'round'"):
        aligned(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool), "round")


def test_grabcut_finds_a_block_on_a_wall():
    mask = np.zeros((80, 60), bool)
    mask[20:60, 15:45] = True
    noise = RNG.integers(-8, 9, (80, 60, 3))
    image = np.clip(np.where(mask[..., None], (160, 30, 40), (90, 140, 190)) + noise, 0, 255).astype(np.uint8)
    found, whole = masks_of(np.stack([image, np.full_like(image, 90)]))
    assert overlap(box_of(found), box_of(mask)) > 0.85
    assert whole.all()                                                      # nothing to tell apart
