"""The changes of 2.2.1: limits that leave the image alone, pixels whose place is known, shapes, no altered inputs."""

import numpy as np
import pytest

from fashion16_lib.data.changes import SEEN_AGAIN, brighten, crop, flip, ground, rotate, scale, seen_again, shift

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (28, 28), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (40, 30, 3), dtype=np.uint8)
CHANGES = {
    "rotate": lambda image: rotate(image, 20),
    "scale": lambda image: scale(image, 0.8),
    "brighten": lambda image: brighten(image, 1.5),
    "shift": lambda image: shift(image, -3, 4),
    "flip": flip,
    "crop": lambda image: crop(image, 0.7),
    **SEEN_AGAIN,
}


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_limits_leave_the_image_alone(image):
    for same in (rotate(image, 0), rotate(image, 360), scale(image, 1), brighten(image, 1), shift(image, 0, 0),
                 crop(image, 1), flip(flip(image))):
        np.testing.assert_array_equal(same, image)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_shape_and_dtype_stay_and_the_input_is_not_altered(name, image):
    before = image.copy()
    changed = CHANGES[name](image)
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert not np.shares_memory(changed, image) and (changed != image).any()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("image", [GREY, COLOUR[:30]], ids=["grey", "colour"])
def test_quarter_turns_agree_with_numpy(image):
    np.testing.assert_array_equal(rotate(image, 90), np.rot90(image))            # both counter-clockwise
    np.testing.assert_array_equal(rotate(image, 180), np.rot90(image, 2))


def test_corners_turned_in_are_background():
    white = np.full((28, 28), 255, np.uint8)
    turned = rotate(white, 45)
    assert turned[0, 0] == turned[0, -1] == turned[-1, 0] == turned[-1, -1] == 0
    assert turned[14, 14] == 255


def test_scale_keeps_the_centre_and_the_size_of_what_it_shows():
    square = np.zeros((29, 29), np.uint8)
    square[10:19, 10:19] = 200                                                   # 9 wide about the centre pixel 14
    assert scale(square, 0.5)[14, 14] == 200 == scale(square, 2)[14, 14]
    assert abs(np.sqrt((scale(square, 2) > 100).sum()) - 18) <= 1
    assert abs(np.sqrt((scale(square, 0.5) > 100).sum()) - 4.5) <= 1


@pytest.mark.parametrize(("right", "down"), [(2, 1), (-2, 1), (2, -3), (-5, -5), (0, 4), (28, 0), (0, -40)])
def test_shift_moves_each_pixel_and_fills_with_background(right, down):
    expected = np.zeros_like(GREY)
    for y in range(28):
        for x in range(28):
            if 0 <= y - down < 28 and 0 <= x - right < 28:
                expected[y, x] = GREY[y - down, x - right]
    np.testing.assert_array_equal(shift(GREY, right, down), expected)


def test_brightness_multiplies_and_is_cut_at_255():
    image = np.array([[0, 3, 100], [150, 200, 255]], np.uint8)
    np.testing.assert_array_equal(brighten(image, 1.5), [[0, 4, 150], [225, 255, 255]])      # 4.5 rounds to even
    np.testing.assert_array_equal(brighten(image, 0.5), [[0, 2, 50], [75, 100, 128]])
    assert not brighten(image, 0).any()


def test_flip_exchanges_left_and_right():
    np.testing.assert_array_equal(flip(np.array([[1, 2, 3]], np.uint8)), [[3, 2, 1]])


def test_crop_shows_the_middle_only():
    image = np.zeros((28, 28), np.uint8)
    image[:, :2] = image[:, -2:] = 255                                           # the margin
    image[14, 14] = 90
    assert not (crop(image, 24 / 28) == 255).any()
    assert crop(np.full((28, 28), 7, np.uint8), 0.5).min() == 7


def test_settings_that_make_no_sense_are_refused():
    for bad in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="factor must be above 0"):
            scale(GREY, bad)
    with pytest.raises(ValueError, match="factor must be at least 0"):
        brighten(GREY, -0.1)
    for bad in (0, 1.01):
        with pytest.raises(ValueError, match="share must be above 0 and at most 1"):
            crop(GREY, bad)


@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 80, 60, 3)])
def test_seen_again_gives_every_image_under_every_change(shape):
    images = RNG.integers(0, 256, shape, dtype=np.uint8)
    changed = seen_again(images)
    assert [name for name, _ in changed] == ["crop", "flip", "shift", "brightness"]
    for name, results in changed:
        assert results.shape == shape and results.dtype == np.uint8
        for image, result in zip(images, results, strict=True):
            np.testing.assert_array_equal(result, SEEN_AGAIN[name](image))


def test_pictures_of_different_sizes_stay_as_they_are():
    pictures = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in ((80, 60, 3), (70, 53, 3), (28, 28))]
    for name, results in seen_again(iter(pictures)):
        assert [result.shape for result in results] == [picture.shape for picture in pictures], name


def test_what_comes_in_is_the_ground_a_garment_stands_on():
    photo = np.full((40, 30, 3), (250, 240, 230), np.uint8)
    photo[10:30, 5:25] = 20                                             # the garment, inside
    photo[0, 0] = 0                                                     # one odd pixel changes nothing
    for changed in (rotate(photo, 45), scale(photo, 0.5), shift(photo, 3, 3)):
        assert tuple(changed[0, -1]) == tuple(changed[-1, 0]) == ground(photo) == (250, 240, 230)
    assert ground(photo[..., 0]) == 0 and shift(photo[..., 0], 2, 0)[5, 0] == 0         # grey: as Fashion-MNIST


def test_shift_of_seen_again_is_a_fourteenth_of_the_side():
    image = np.zeros((70, 28), np.uint8)
    image[10, 10] = 255
    assert SEEN_AGAIN["shift"](image)[15, 12] == 255


def test_each_change_alters_nine_tenths_of_the_pixels_of_garments(photos):
    garments = photos.gallery.images
    for name, changed in seen_again(garments):
        assert (changed != garments)[garments > 0].mean() > 0.9, name
