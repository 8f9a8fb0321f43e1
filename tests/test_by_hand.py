"""Features by hand: each against what can be counted by hand, and joined as the text joins them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fashion16_lib.features.by_hand import (
    FEATURES,
    N_COLOURS,
    PIXELS,
    colour_coherence,
    colour_histogram,
    corner_pixels,
    describe,
    describe_all,
    fit_palette,
    gradient_histograms,
    harris_corners,
    hue_bins,
    in_large_patches,
    lengths,
    palette_bins,
    pictures,
    together,
)

RNG = np.random.default_rng(0)


def block(colour: tuple[int, int, int] = (200, 30, 40)) -> np.ndarray:
    image = np.full((PIXELS, PIXELS, 3), 255, np.uint8)
    image[16:48, 20:44] = colour
    return image


def photos(n: int = 6) -> np.ndarray:
    return np.stack([block(tuple(map(int, RNG.integers(0, 256, 3)))) for _ in range(n)])


# ---------------------------------------------------------------- colours

def test_hues_are_25_equal_parts_of_the_circle():
    wheel = np.array([[[255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255], [0, 0, 255], [255, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(hue_bins(wheel), [[0, 4, 8, 12, 16, 20]])        # 0, 60, ... 300 degrees of 14.4 each
    assert hue_bins(np.full((2, 2, 3), 128, np.uint8)).max() == 0                   # grey has no hue
    every = hue_bins(RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    assert set(np.unique(every)) == set(range(N_COLOURS))


def test_the_histogram_counts_pixels():
    bins = RNG.integers(0, N_COLOURS, (16, 16))
    found = colour_histogram(bins)
    assert found.dtype == np.float32 and found.shape == (25,)
    np.testing.assert_allclose(found, [(bins == colour).mean() for colour in range(25)], rtol=1e-6)


def brute_force_patches(bins: np.ndarray, least: float) -> np.ndarray:
    """Flood each patch over its eight neighbours, one pixel at a time."""
    left, large = {tuple(place) for place in np.argwhere(bins >= 0)}, np.zeros(bins.shape, bool)
    while left:
        start = left.pop()
        patch, edge = {start}, [start]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            near = {place for place in near if bins[place] == bins[start]}
            left -= near
            patch |= near
            edge += near
        if len(patch) >= least:
            large[tuple(np.array(sorted(patch)).T)] = True
    return large


def test_coherence_is_what_flooding_finds():
    bins = RNG.integers(0, 4, (24, 24))
    bins[4:14, 5:12] = 9
    np.testing.assert_array_equal(in_large_patches(bins), brute_force_patches(bins, 0.01 * bins.size))


def test_both_halves_of_coherence_are_the_histogram():
    bins = RNG.integers(0, 25, (32, 32))
    bins[:20] = 3
    found = colour_coherence(bins)
    np.testing.assert_allclose(found[:25] + found[25:], colour_histogram(bins), atol=1e-6)
    assert found[3] > 0.5 and colour_coherence(np.full((8, 8), 7))[7] == 1
    chequered = np.indices((64, 64)).sum(axis=0) % 2 * 5 + np.arange(64) % 3            # no two neighbours alike
    assert colour_coherence(chequered)[:25].sum() < 0.05


def palette_colour(rgb: np.ndarray) -> np.ndarray:
    """Return one colour in OpenCV's Lab, 0 to 255 each."""
    from skimage.color import rgb2lab

    lightness, a, b = rgb2lab(rgb[None, None] / 255)[0, 0]
    return np.rint([lightness * 255 / 100, a + 128, b + 128])


def test_a_palette_has_the_colours_that_are_there():
    images = RNG.integers(0, 256, (20, 40, 40, 3), dtype=np.uint8)
    images[0] = block()[:40, :40]
    palette = fit_palette(images, seed=1)
    assert palette.shape == (25, 3) and palette.dtype == np.float32
    np.testing.assert_array_equal(palette, fit_palette(images, seed=1))
    bins = palette_bins(images[0], palette)
    assert bins.shape == (PIXELS, PIXELS) and bins[0, 0] != bins[50, 50]
    lab = palette[bins[50, 50]] - palette_colour(block()[20, 30])
    assert np.linalg.norm(lab) == min(np.linalg.norm(palette - palette_colour(block()[20, 30]), axis=1))


# ---------------------------------------------------------------- gradients and corners

def test_gradients_tell_directions_and_not_light():
    grey = block().mean(axis=2).astype(np.uint8)
    found = gradient_histograms(grey)
    assert found.shape == (7 * 7 * 4 * 9,) and found.dtype == np.float32
    darker = gradient_histograms((grey // 2).astype(np.uint8))
    assert np.corrcoef(found, darker)[0, 1] > 0.99
    assert not gradient_histograms(np.full((64, 64), 90, np.uint8)).any()
    turned = gradient_histograms(np.ascontiguousarray(np.rot90(np.tril(np.full((64, 64), 255, np.uint8)))))
    assert np.abs(turned - gradient_histograms(np.tril(np.full((64, 64), 255, np.uint8)))).max() > 0.1


def test_harris_finds_the_corners_of_a_block():
    grey = block().mean(axis=2).astype(np.uint8)
    where = np.argwhere(corner_pixels(grey))
    corners = np.array([[16, 20], [16, 44], [48, 20], [48, 44]])
    apart = np.abs(where[:, None] - corners[None]).max(axis=2)
    assert (apart.min(axis=1) <= 3).all() and (apart.min(axis=0) <= 3).all()
    cells = harris_corners(grey).reshape(8, 8)
    assert cells.sum() == pytest.approx(corner_pixels(grey).sum() / 64) and (cells > 0).sum() <= 16
    assert not harris_corners(np.full((64, 64), 10, np.uint8)).any()


# ---------------------------------------------------------------- all of them

def test_describe_gives_four_and_all_photos_in_order():
    images = photos()
    one = describe(images[2])
    assert tuple(one) == FEATURES and [len(values) for values in one.values()] == [1764, 25, 50, 64]
    every = describe_all(images)
    for name in FEATURES:
        assert every[name].dtype == np.float32 and len(every[name]) == len(images)
        np.testing.assert_array_equal(every[name][2], one[name])
    assert describe(images[0][:, :, 0])["HOG"].shape == (1764,)             # a grey photo too
    with pytest.raises(ValueError, match="an image must be"):
        describe(images[0].astype(float))


def test_joined_as_they_are_or_each_at_its_length():
    blocks = describe_all(photos())
    raw, by = together(blocks), lengths(blocks)
    assert raw.shape == (6, 1764 + 25 + 50 + 64)
    np.testing.assert_array_equal(raw[:, 1764:1789], blocks["colour histogram"])
    scaled = together(blocks, by)
    places = np.cumsum([0, *(rows.shape[1] for rows in blocks.values())])
    for start, end in pairwise(places):
        assert np.linalg.norm(scaled[:, start:end], axis=1).mean() == pytest.approx(1, abs=1e-4)
    assert lengths({"nothing": np.zeros((3, 4))}) == {"nothing": 1.0}


def test_pictures_show_what_was_counted():
    seen = pictures(block())
    assert tuple(seen) == ("photo", *FEATURES) and all(each.dtype == np.uint8 for each in seen.values())
    assert (seen["Harris corners"] > 0).sum() == corner_pixels(np.asarray(
        block() @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)).sum()
    assert len(np.unique(seen["colour histogram"].reshape(-1, 3), axis=0)) == len(np.unique(hue_bins(block())))
