"""Landmarks: of drawn shapes, in the simulated camera where marked pixels land, and as DeepFashion writes them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from archives import as_folder, as_zip
from test_consumer_to_shop import benchmark

from fashion16_lib.data.alignment import box_of, boxes_of, overlap
from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.landmarks import (
    HEIGHTS,
    LANDMARKS,
    NAMES,
    Points,
    landmarks_of,
    read_landmarks,
    shop_landmarks,
    silhouette_points,
    street_landmarks,
    true_boxes,
)
from fashion16_lib.data.simulated_street import STEPS, street_garment, street_points, street_stages
from fashion16_lib.data.street_to_shop import Sizes, load_street_to_shop, simulated_pairs
from fashion16_lib.settings import get_profile

RNG = np.random.default_rng(0)
EDGE = 1                # a silhouette ends a pixel inside of the cloth: its edge is half ground


def block(top: int = 20, bottom: int = 59, left: int = 15, right: int = 44, size: tuple[int, int] = (80, 60)):
    image = np.full((*size, 3), 255, np.uint8)
    image[top: bottom + 1, left: right + 1] = (180, 40, 60)
    return image


# ---------------------------------------------------------------- silhouettes


def test_a_block_begins_and_ends_at_its_sides():
    points = silhouette_points(block())
    assert points.shape == (8, 2) == (len(NAMES), 2) and points.dtype == np.float64
    assert points[::2, 0].tolist() == [15 + EDGE] * 4 and points[1::2, 0].tolist() == [44 - EDGE] * 4
    top, bottom = 20 + EDGE, 59 - EDGE
    for (left, right), height in zip(points[:, 1].reshape(4, 2), HEIGHTS, strict=True):
        assert left == right and abs(left - (top + height * (bottom - top))) <= 0.5


def test_sloping_sides_are_followed():
    image = np.full((100, 80, 3), 255, np.uint8)
    for row in range(10, 90):
        image[row, 40 - row // 4: 41 + row // 4] = 90              # a dress: wider and wider
    for (left, row), (right, same) in silhouette_points(image).reshape(4, 2, 2):
        assert row == same and abs(left - (40 - row // 4)) <= EDGE + 1 and abs(right - (40 + row // 4)) <= EDGE + 1


def test_where_nothing_is_at_a_height_the_nearest_row_counts():
    image = block(10, 69)
    image[20: 60] = 255                                             # two pieces: rows 10 to 19 and 60 to 69
    rows = silhouette_points(image)[::2, 1]
    assert rows[1] == 19 - EDGE and rows[2] == 60 + EDGE
    assert 10 < rows[0] < 20 and 60 < rows[3] < 69


def test_where_no_garment_can_be_told_the_border_counts():
    points = silhouette_points(np.full((81, 61, 3), 250, np.uint8))
    np.testing.assert_array_equal(points[:, 0], [0, 60] * 4)
    np.testing.assert_allclose(points[::2, 1], [80 * height for height in HEIGHTS], atol=0.5)


def test_points_of_product_photos_are_shares_of_the_picture():
    image = block()
    shop = Dataset("x", np.stack([image, np.full_like(image, 255)]), np.zeros(2, int), ("tops",), ["1", "2"])
    found = shop_landmarks(shop)
    assert found.points.shape == (2, 8, 2) and found.points.dtype == np.float32 and found.visible.all()
    np.testing.assert_allclose(found.points[0] * (59, 79), silhouette_points(image), atol=1e-4)
    assert found.points[1, :, 0].tolist() == [0, 1] * 4
    one = found.take([1])
    assert one.points.tolist() == found.points[1:].tolist() and one.visible.shape == (1, 8)


# ---------------------------------------------------------------- the simulated street


@pytest.mark.parametrize(("item", "view", "seed"), [("17", 0, 0), ("17", 1, 0), ("18", 0, 5), ("a b", 3, 2)])
def test_points_land_where_marked_pixels_of_the_photo_land(item, view, seed):
    plain = np.full((160, 120, 3), 255, np.uint8)
    plain[40:120, 30:90] = 120
    dots = np.array([[40.0, 50.0], [75.0, 70.0], [55.0, 105.0]])                # x and y
    marked = plain.copy()
    for channel, (x, y) in enumerate(dots.astype(int)):
        marked[y - 1: y + 2, x - 1: x + 2, channel] = 250
    before, after = (street_stages(image, item, view, seed=seed)["camera"].astype(float) for image in (plain, marked))
    landed, changed = street_points(dots, (160, 120), item, view, seed), np.abs(after - before)
    for channel, point in enumerate(landed):
        weight = changed[..., channel]
        assert weight.sum() > 200
        down, right = np.indices(weight.shape)
        middle = np.array([(right * weight).sum(), (down * weight).sum()]) / weight.sum()
        assert np.linalg.norm(middle - point) < 0.5
    assert np.linalg.norm(landed - dots, axis=1).max() > 3                      # the camera did move


def test_the_garment_of_a_street_photo_is_what_no_room_was_put_behind():
    for item in ("1", "2", "3"):
        image = block()
        image[20:60, 15:45] = RNG.integers(0, 200, (40, 30, 3))
        stages, garment = street_stages(image, item, 1, seed=4), street_garment(image, item, 1, seed=4)
        assert garment.shape == (80, 60) and garment.dtype == bool and list(stages)[-1] == list(STEPS)[-1]
        same = (stages["background"] == stages["camera"]).all(axis=2)
        assert same[garment].all() and same[~garment].mean() < 0.05
        assert 0.05 < garment.mean() < 0.5                          # 0.23 before the zoom


@pytest.fixture(scope="module")
def part():
    """Return garments of two rows of views: random blocks on white, and one that can't be told from the ground."""
    rng, images = np.random.default_rng(3), np.full((30, 80, 60, 3), 255, np.uint8)
    for image in images[1:]:
        top, left, height, width = rng.integers((8, 6, 30, 20), (25, 16, 45, 36))
        image[top: top + height, left: left + width] = rng.integers(0, 200, (height, width, 3))
    shop = Dataset("x", images, np.zeros(30, int), ("tops",), [f"{row:02d}" for row in range(30)])
    return simulated_pairs(shop, Sizes(None, 2), seed=6).train


def test_street_landmarks_lie_at_the_garments_side(part):
    street, shop = landmarks_of(part, seed=6)
    assert len(street.points) == len(part.own) == 2 * len(part.shop) and len(shop.points) == len(part.shop)
    again = street_landmarks(part.shop, part.own, 6)
    np.testing.assert_array_equal(street.points, again.points)
    apart = []
    for number in range(len(part.own)):
        view, row = divmod(number, len(part.shop))
        garment = street_garment(part.shop.images[row], part.shop.ids[row], view, 6)
        if not garment.any():
            continue
        padded = np.pad(garment.astype(np.uint8), 1)
        rim = padded[1:-1, 1:-1].astype(bool) & ~cv2.erode(padded, np.ones((3, 3), np.uint8))[1:-1, 1:-1].astype(bool)
        y, x = np.nonzero(rim)
        for point, seen in zip(street.points[number] * (59, 79), street.visible[number], strict=True):
            if seen:
                apart.append(np.hypot(x - point[0], y - point[1]).min())
    assert len(apart) > 100 and max(apart) < 1.6


def test_points_outside_the_picture_are_not_visible(part):
    street, shop = landmarks_of(part, seed=6)
    inside = ((street.points >= 0) & (street.points <= 1)).all(axis=2)
    np.testing.assert_array_equal(street.visible, inside)
    assert shop.visible.all() and 0.5 < street.visible.mean() < 1


def test_another_seed_is_another_camera(part):
    assert not np.allclose(landmarks_of(part, seed=6)[0].points, landmarks_of(part, seed=7)[0].points, atol=0.01)


def test_true_boxes_hold_the_garment_and_nothing_else(part):
    street, shop = true_boxes(part, 6)
    assert street.points.shape == (len(part.own), 2, 2) and street.visible.all() and shop.visible.all()
    for number, box in enumerate(boxes_of(street.points, part.own.images)):
        view, row = divmod(number, len(part.shop))
        garment = street_garment(part.shop.images[row], part.shop.ids[row], view, 6)
        np.testing.assert_array_equal(box, box_of(garment if garment.any() else np.ones((80, 60), bool)))
    for row, box in enumerate(boxes_of(shop.points, part.shop.images)):
        drawn = (part.shop.images[row] != 255).any(axis=2)
        assert overlap(box, box_of(drawn if drawn.any() else np.ones((80, 60), bool))) > 0.8


# ---------------------------------------------------------------- DeepFashion's file


HEAD = "{n}\nimage_name clothes_type variation_type landmark_visibility_1 landmark_location_x_1 landmark_location_y_1\n"
SHOWN, HIDDEN, CUT_OFF = 0, 1, 2
UPPER, LOWER, WHOLE = 1, 2, 3
CORNERS = {     # of each kind, in the order of the file, and which of the eight each is
    UPPER: {"left collar": 0, "right collar": 1, "left sleeve": 2, "right sleeve": 3, "left hem": 6, "right hem": 7},
    LOWER: {"left waist": 4, "right waist": 5, "left hem": 6, "right hem": 7},
    WHOLE: {"left collar": 0, "right collar": 1, "left sleeve": 2, "right sleeve": 3, "left waist": 4, "right waist": 5,
            "left hem": 6, "right hem": 7},
}
Told = tuple[int, list[tuple[int, int, int]]]       # kind, and of each point whether it is shown, x and y


def annotations(told: dict[str, Told]) -> bytes:
    lines = [f"{photo} {kind} 2 " + "  ".join(f"{shown} {x:03d} {y:03d}" for shown, x, y in points)
             for photo, (kind, points) in told.items()]
    return (HEAD.format(n=len(lines)) + "\n".join(lines) + "\n").encode()


def drawn_points(kind: int, seed: int) -> Told:
    rng = np.random.default_rng(seed)
    return kind, [(int(rng.integers(3)), *map(int, rng.integers((0, 0), (45, 60)))) for _ in CORNERS[kind]]


TOLD = {"img/a/shop_01.jpg": drawn_points(UPPER, 1), "img/b/shop_01.jpg": drawn_points(LOWER, 2),
        "img/c/comsumer_01.jpg": drawn_points(WHOLE, 3)}


@pytest.mark.parametrize("as_what", ["folder", "zip"])
def test_six_four_or_eight_points_are_read_in_the_order_asked_for(tmp_path, as_what):
    files = {f"Anno/{LANDMARKS}": annotations(TOLD), "README.txt": b"hello"}
    path = as_folder(tmp_path, files) if as_what == "folder" else as_zip(tmp_path / "a.zip", files, "Benchmark/")
    photos = list(TOLD)[::-1]
    points, shown = read_landmarks(path, photos)
    assert points.shape == (3, 8, 2) and shown.shape == (3, 8)
    for row, photo in enumerate(photos):
        kind, told = TOLD[photo]
        where = list(CORNERS[kind].values())
        for place, (is_shown, x, y) in zip(where, told, strict=True):
            assert points[row, place].tolist() == [x, y] and shown[row, place] == (is_shown == SHOWN)
        others = [place for place in range(8) if place not in where]
        assert np.isnan(points[row, others]).all() and not shown[row, others].any()


def test_a_missing_file_or_photo_is_named(tmp_path):
    as_folder(tmp_path, {"Eval/list_eval_partition.txt": b""})
    with pytest.raises(ValueError, match=rf"got no {LANDMARKS}, expected it in Anno/"):
        read_landmarks(tmp_path, ["img/a/shop_01.jpg"])
    as_folder(tmp_path, {f"Anno/{LANDMARKS}": annotations(TOLD)})
    with pytest.raises(ValueError, match=r"has 0 numbers for img/d/shop_01\.jpg of kind none"):
        read_landmarks(tmp_path, ["img/a/shop_01.jpg", "img/d/shop_01.jpg"])


@pytest.mark.parametrize(("kind", "n_numbers"), [
    (1, 17), (1, 12), (1, 24), (2, 18), (3, 27), (3, 23), (4, 24), (0, 18),
])
def test_another_kind_or_number_of_numbers_is_refused(tmp_path, kind, n_numbers):
    line = " ".join(["img/a/shop_01.jpg", f"{kind}", "2", *["0"] * n_numbers])
    as_folder(tmp_path, {f"Anno/{LANDMARKS}": (HEAD.format(n=1) + line + "\n").encode()})
    with pytest.raises(ValueError, match=rf"{n_numbers} numbers for img/a/shop_01\.jpg of kind {kind}, expected 18"):
        read_landmarks(tmp_path, ["img/a/shop_01.jpg"])


def test_a_line_without_numbers_is_refused(tmp_path):
    as_folder(tmp_path, {f"Anno/{LANDMARKS}": (HEAD.format(n=1) + "img/a/shop_01.jpg 1 2\n").encode()})
    with pytest.raises(ValueError, match=r"has 0 numbers for img/a/shop_01\.jpg"):
        read_landmarks(tmp_path, ["img/a/shop_01.jpg"])


def test_landmarks_of_deepfashions_pairs(tmp_path):
    root = as_folder(tmp_path, benchmark(4))
    part = load_street_to_shop(get_profile("smoke"), pairs_path=root).test
    photos = part.own.ids + part.shop.ids
    told = {photo: drawn_points((UPPER, LOWER, WHOLE)[number % 3], number) for number, photo in enumerate(photos)}
    told[part.own.ids[0]] = LOWER, [(SHOWN, 44, 59), (SHOWN, 45, 30), (HIDDEN, 20, 20), (CUT_OFF, 10, 10)]
    as_folder(root, {f"Anno/{LANDMARKS}": annotations(told)})
    street, shop = landmarks_of(part, root)
    for found, photos in ((street, part.own), (shop, part.shop)):
        assert found.points.shape == (len(photos), 8, 2) and found.points.dtype == np.float32
        for row, photo in enumerate(photos.ids):
            kind, points = told[photo]
            for place, (shown, x, y) in zip(CORNERS[kind].values(), points, strict=True):
                np.testing.assert_allclose(found.points[row, place], (x / 44, y / 59), rtol=1e-6)
                assert found.visible[row, place] == (shown == SHOWN and x <= 44)
            assert found.visible[row].sum() <= len(points)
    assert street.visible[0].tolist() == [False] * 4 + [True] + [False] * 3         # 45: beyond the last column
    assert isinstance(shop, Points) and shop.visible.any()
