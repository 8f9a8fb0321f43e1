"""Preprocessing: each reading of "remove the mean" by its formula, VGG-16's input by Keras's own function."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.preprocess import (
    check_image,
    mean_to_remove,
    resize,
    small_copy,
    standardise,
    to_colour,
    to_grey,
    to_table1_input,
    to_vgg16_input,
)

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 12, 3), dtype=np.uint8)
GREY = COLOUR[..., 0].copy()


def by_formula(images, reading):
    """(x - mean) / 255 in float64, one pixel at a time where the reading says so."""
    images = images.astype(np.float64)
    if reading == "dataset":
        return (images - images.sum() / images.size) / 255
    if reading == "pixel":
        return np.stack([image - sum(images) / len(images) for image in images]) / 255
    if reading == "image":
        return np.stack([image - image.sum() / image.size for image in images]) / 255
    return images / 255


@pytest.mark.parametrize("reading", ["none", "dataset", "pixel", "image"])
def test_each_reading_equals_its_formula(photos, reading):
    images = photos.train.images
    before = images.copy()
    got = standardise(images, reading, mean_to_remove(images, reading))
    assert got.dtype == np.float32 and got.shape == images.shape
    np.testing.assert_allclose(got, by_formula(images, reading), atol=1e-6)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(("reading", "axes"), [("dataset", None), ("pixel", 0), ("image", (1, 2))])
def test_nothing_is_left_of_the_mean(photos, reading, axes):
    images = photos.train.images
    got = standardise(images, reading, mean_to_remove(images, reading)).astype(np.float64)
    assert np.abs(got.mean(axis=axes)).max() < 1e-6
    assert got.min() < -0.05  # so the samples are not in [0, 1], as the paper has it


def test_without_a_mean_samples_lie_in_0_1(photos):
    got = standardise(photos.train.images, "none")
    assert (got.min(), got.max()) == (0, 1)


def test_unknown_reading_is_refused():
    with pytest.raises(ValueError, match=r"none, dataset, pixel, image, got 'median'"):
        mean_to_remove(np.zeros((1, 2, 2), np.uint8), "median")


@given(st.integers(1, 5), st.integers(2, 4))
def test_shrinking_by_a_whole_factor_averages_areas(side, factor):
    image = np.random.default_rng(side).integers(0, 256, (side * factor, side * factor), dtype=np.uint8)
    areas = image.reshape(side, factor, side, factor).astype(float).mean(axis=(1, 3))
    assert np.abs(resize(image, side).astype(float) - areas).max() <= 0.5 + 1e-6  # one rounding


def test_growing_equals_bilinear_interpolation(photos):
    image = photos.train.images[0]
    got = resize(image, 64).astype(float)
    where = np.clip((np.arange(64) + 0.5) * 28 / 64 - 0.5, 0, 27)  # pixel centres
    low = np.minimum(where.astype(int), 26)
    share = where - low
    across = image[:, low] * (1 - share) + image[:, low + 1] * share
    expected = across[low] * (1 - share)[:, None] + across[low + 1] * share[:, None]
    assert np.abs(got - expected).max() <= 1  # OpenCV rounds its weights to 11 bits


def test_grey_by_luma():
    expected = COLOUR.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(to_grey(COLOUR) - expected).max() <= 1
    np.testing.assert_array_equal(to_grey(COLOUR), np.asarray(cv2.cvtColor(COLOUR[..., ::-1], cv2.COLOR_BGR2GRAY)))
    assert to_grey(GREY) is GREY


@pytest.mark.parametrize("pixels", [32, 64])
def test_vgg16_input_equals_keras_preprocessing(photos, pixels):
    """Keras's own function, in its "caffe" mode, on the image that was resized and made RGB."""
    from keras.applications.vgg16 import preprocess_input

    grey = photos.train.images[:3]
    as_rgb = np.stack([np.repeat(resize(image, pixels)[..., None], 3, axis=2) for image in grey]).astype(np.float32)
    np.testing.assert_allclose(to_vgg16_input(grey, pixels), preprocess_input(as_rgb.copy()), atol=1e-4)
    colour = np.stack([resize(COLOUR, pixels)]).astype(np.float32)
    np.testing.assert_allclose(to_vgg16_input([COLOUR], pixels), preprocess_input(colour.copy()), atol=1e-4)


def test_table1_input_takes_pictures_of_any_size(photos):
    same = to_table1_input(photos.train.images)
    np.testing.assert_array_equal(same, photos.train.images)
    mixed = to_table1_input([COLOUR, GREY, photos.train.images[0], GREY[..., None]])
    assert mixed.shape == (4, 28, 28) and mixed.dtype == np.uint8
    np.testing.assert_array_equal(mixed[2], photos.train.images[0])
    theirs = np.asarray(Image.fromarray(GREY).resize((28, 28), Image.Resampling.BILINEAR), int)
    assert np.abs(mixed[1].astype(int) - theirs).max() <= 2 and (mixed[1] == mixed[3]).all()


def test_table1_input_of_nothing_and_of_floats(photos):
    assert to_table1_input([]).shape == (0, 28, 28)
    with pytest.raises(ValueError, match="uint8, got float64"):
        to_table1_input(photos.train.images[:2] / 255)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4)))
@settings(max_examples=60)
def test_pictures_are_grey_or_rgb(image):
    legal = image.ndim == 2 or image.shape[2] in (1, 3)
    if legal:
        got = check_image(image)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, image[:, :, 0] if image.shape[2:] == (1,) else image)
    else:
        with pytest.raises(ValueError, match=r"an image must be \(h, w\) grey .*read files with"):
            check_image(image)


@pytest.mark.parametrize(
    "image",
    [GREY.astype(float), GREY.astype(np.uint16), GREY[None, None], GREY[:0], GREY[0], np.array("text")],
    ids=["float", "16 bits", "4-D", "no rows", "1-D", "text"],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"an image must be .*got"):
        check_image(image)


def test_table1_input_in_colour_is_each_channel_shrunk():
    found = to_table1_input([COLOUR, GREY], 8, colour=True)
    assert found.shape == (2, 8, 8, 3) and found.dtype == np.uint8
    for channel in range(3):
        expected = cv2.resize(COLOUR[..., channel].copy(), (8, 8), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(found[0, ..., channel], expected)
        np.testing.assert_array_equal(found[1, ..., channel], to_table1_input([GREY], 8)[0])
    assert to_table1_input(found, 8, colour=True) is found              # what is made already stays as it is
    assert to_table1_input([], 8, colour=True).shape == (0, 8, 8, 3)
    np.testing.assert_array_equal(to_colour(GREY)[..., 2], GREY)
    assert to_colour(COLOUR) is COLOUR


def test_a_small_copy_has_the_same_items_and_may_be_turned_over():
    photos = Dataset("own", [COLOUR, GREY], np.array([1, 0]), ("a", "b"), ["x", "y"])
    plain, turned = small_copy(photos, 8), small_copy(photos, 8, inverted=True)
    np.testing.assert_array_equal(plain.images, to_table1_input([COLOUR, GREY], 8))
    np.testing.assert_array_equal(turned.images.astype(int) + plain.images, 255)
    assert turned.images.dtype == np.uint8 and turned.ids == ["x", "y"] and turned.labels.tolist() == [1, 0]
    assert len({photos_of.sha256 for photos_of in (plain, turned, small_copy(photos, 8, colour=True))}) == 3
    np.testing.assert_array_equal(photos.images[1], GREY)


@pytest.mark.parametrize("reading", ["none", "dataset", "pixel", "image"])
def test_images_in_colour_have_their_mean_removed_by_the_same_formula(reading):
    images = RNG.integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    each = images.astype(np.float64)
    mean = {"none": 0, "dataset": each.mean(), "pixel": each.mean(axis=0),
            "image": each.reshape(5, -1).mean(axis=1).reshape(5, 1, 1, 1)}[reading]
    found = standardise(images, reading, mean_to_remove(images, reading))
    np.testing.assert_allclose(found, (each - mean) / 255, atol=1e-6)
