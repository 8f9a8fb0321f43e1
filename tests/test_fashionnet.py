"""Features pooled at points: against SciPy's interpolation, at cells' centres, outside the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from fashion16_lib.models.embedding import of_length_1
from fashion16_lib.models.fashionnet import global_and_local, pooled_at

RNG = np.random.default_rng(0)


def maps_and_points(shape: tuple[int, ...], k: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Return maps of some photos, and for each of them points of which some lie outside the picture."""
    return RNG.normal(size=shape).astype(np.float32), RNG.uniform(-0.3, 1.3, (shape[0], k, 2)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 7, 4, 3), (3, 2, 2, 6), (4, 1, 5, 2), (4, 5, 1, 2), (2, 1, 1, 3)])
def test_it_is_bilinear_interpolation_of_the_cells_centres(shape):
    maps, points = maps_and_points(shape)
    n, height, width, n_filters = shape
    expected = np.empty((n, 9, n_filters))
    for photo in range(n):
        x, y = points[photo].astype(float).T
        for one in range(n_filters):
            expected[photo, :, one] = map_coordinates(
                maps[photo, :, :, one].astype(float), [y * height - 0.5, x * width - 0.5], order=1, mode="nearest")
    found = pooled_at(maps, points)
    assert found.shape == (n, 9 * n_filters) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected.reshape(n, -1), atol=1e-5)


def test_at_the_centre_of_a_cell_that_cell_alone_answers():
    maps, _ = maps_and_points((2, 3, 4, 5))
    places = [(column, row) for row in range(3) for column in range(4)]
    points = np.array([[((column + 0.5) / 4, (row + 0.5) / 3) for column, row in places]] * 2)
    found = pooled_at(maps, points).reshape(2, len(places), 5)
    for number, (column, row) in enumerate(places):
        np.testing.assert_allclose(found[:, number], maps[:, row, column], atol=1e-6)


def test_between_two_cells_their_mean_answers():
    maps, _ = maps_and_points((1, 2, 2, 4))
    corner = np.array([[[0.5, 0.5], [0.5, 0.25]]])
    middle, edge = pooled_at(maps, corner).reshape(2, 4)
    np.testing.assert_allclose(middle, maps[0].mean(axis=(0, 1)), atol=1e-6)
    np.testing.assert_allclose(edge, maps[0, 0].mean(axis=0), atol=1e-6)


def test_outside_the_picture_the_border_answers():
    maps, _ = maps_and_points((1, 3, 4, 2))
    for point, cell in (((-9, -9), (0, 0)), ((9, -9), (0, 3)), ((-9, 9), (2, 0)), ((9, 9), (2, 3)), ((1, 1), (2, 3)),
                        ((0, 0), (0, 0))):
        np.testing.assert_array_equal(pooled_at(maps, np.array([[point]], float))[0], maps[0][cell])


def test_a_map_of_one_cell_answers_the_same_everywhere():
    maps, points = maps_and_points((3, 1, 1, 4))
    np.testing.assert_allclose(pooled_at(maps, points).reshape(3, 9, 4), np.repeat(maps.reshape(3, 1, 4), 9, axis=1),
                               atol=1e-6)


def test_each_photo_is_pooled_at_its_own_points():
    maps, points = maps_and_points((6, 4, 4, 3))
    whole = pooled_at(maps, points)
    for photo in range(6):
        np.testing.assert_array_equal(whole[photo], pooled_at(maps[photo: photo + 1], points[photo: photo + 1])[0])


def test_global_and_local_weigh_the_same():
    maps, points = maps_and_points((5, 4, 3, 6), k=8)
    flat = maps.reshape(5, -1)
    found = global_and_local(flat, (4, 3, 6), points)
    assert found.shape == (5, 72 + 8 * 6) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[:, :72], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[:, 72:], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[:, :72], of_length_1(flat), atol=1e-6)
    np.testing.assert_allclose(found[:, 72:], of_length_1(pooled_at(maps, points)), atol=1e-6)
    np.testing.assert_allclose(global_and_local(3 * flat, (4, 3, 6), points), found, atol=1e-6)
