"""Points told from features: a straight line is found, what isn't visible teaches nothing, errors are distances."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.landmarks import Points
from fashion16_lib.models.points import RIDGE, PointBranch, errors
from fashion16_lib.models.siamese import Seen

RULE = np.random.default_rng(7).normal(scale=0.05, size=(6, 3, 2))


def photos(n: int, seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, Points]:
    """Return inputs (n, 6) and three points that depend on them by RULE, about two in three visible."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 6)).astype(np.float32)
    points = 0.5 + np.einsum("ni,ikx->nkx", inputs, RULE) + noise * rng.normal(size=(n, 3, 2))
    return inputs, Points(points.astype(np.float32), rng.random((n, 3)) < 0.7)


def test_a_straight_line_is_found_on_photos_never_seen():
    inputs, truth = photos(2000, noise=0.01)
    new, expected = photos(200, seed=1)
    found = PointBranch().fit(inputs, truth).predict(new)
    assert found.shape == (200, 3, 2) and found.dtype == np.float32
    assert np.abs(found - expected.points).max() < 0.01
    assert np.abs(found - 0.5).max() > 0.1                          # there was something to find


def ridge(inputs: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and height of the line that minimises |y - x w - b|^2 + RIDGE |w|^2, by its normal equations."""
    inputs, mean, middle = inputs.astype(float), inputs.mean(axis=0, dtype=float), points.mean(axis=0, dtype=float)
    centred = inputs - mean
    slope = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(6), centred.T @ (points - middle))
    return slope, middle - mean @ slope


def test_it_is_ridge_regression_on_the_photos_in_which_a_point_is_visible():
    inputs, truth = photos(60, noise=0.1)
    found = PointBranch().fit(inputs, truth)
    for point in range(3):
        seen = truth.visible[:, point]
        slope, height = ridge(inputs[seen], truth.points[seen, point])
        np.testing.assert_allclose(found.predict(inputs)[:, point], inputs @ slope + height, atol=1e-4)


def test_where_a_hidden_point_is_said_to_be_does_not_matter():
    inputs, truth = photos(80, noise=0.1)
    blank = np.where(truth.visible[:, :, None], truth.points, np.nan)
    wild = np.where(truth.visible[:, :, None], truth.points, 1e6)
    first, second, third = (PointBranch().fit(inputs, Points(points, truth.visible))
                            for points in (truth.points, blank, wild))
    for other in (second, third):
        np.testing.assert_array_equal(other.predict(inputs), first.predict(inputs))
        np.testing.assert_array_equal(other.usual, first.usual)


def test_usual_is_the_mean_of_what_is_visible():
    inputs, truth = photos(50)
    found = PointBranch().fit(inputs, truth).usual
    assert found.shape == (3, 2)
    for point in range(3):
        rows = [row for row in range(50) if truth.visible[row, point]]
        np.testing.assert_allclose(found[point], sum(truth.points[row, point] for row in rows) / len(rows), rtol=1e-5)


def test_without_anything_in_the_inputs_the_usual_place_is_told():
    inputs, truth = photos(50)
    found = PointBranch().fit(np.zeros_like(inputs), truth)
    np.testing.assert_allclose(found.predict(np.zeros((2, 6), np.float32)), np.stack([found.usual] * 2), atol=1e-6)


def test_street_and_shop_photos_teach_together():
    inputs, truth = photos(90, noise=0.1)
    rows = slice(0, 60), slice(60, 90)
    seen = Seen((inputs[rows[0]], inputs[rows[1]]), ({}, {}), np.eye(6), np.zeros(6))
    sides = tuple(Points(truth.points[of], truth.visible[of]) for of in rows)
    both, whole = PointBranch().fit_both(seen, sides), PointBranch().fit(inputs, truth)
    np.testing.assert_allclose(both.predict(inputs), whole.predict(inputs), atol=1e-6)


def two_photos_of_each(n: int = 30) -> tuple[Seen, tuple[Points, Points]]:
    """Return garments seen from both sides, and three photos of the street that the shop doesn't sell."""
    inputs, truth = photos(2 * n + 3, noise=0.1)
    of = slice(0, n + 3), slice(n + 3, None)
    rows = tuple({f"{item:02d}": [item] for item in range(n)} for _ in of)
    seen = Seen((inputs[of[0]], inputs[of[1]]), rows, np.eye(6), np.zeros(6))
    street, shop = (Points(truth.points[each], truth.visible[each]) for each in of)
    return seen, (street, shop)


def test_a_photo_to_learn_from_is_told_its_points_by_other_garments():
    seen, truth = two_photos_of_each()
    before = PointBranch.unseen_of(seen, truth)
    assert [side.shape for side in before] == [(33, 3, 2), (30, 3, 2)] and before[0].dtype == np.float32
    wild = [Points(side.points.copy(), side.visible) for side in truth]
    for side in wild:
        side.points[seen.rows[0]["07"]] += 5                                # of garment 07, on both sides
    after = PointBranch.unseen_of(seen, (wild[0], wild[1]))
    for ours, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(ours[7], theirs[7])
        assert np.abs(ours - theirs).max() > 0.1                            # those of others heard of it


def test_points_of_photos_to_learn_from_are_as_good_as_those_of_new_ones():
    seen, truth = two_photos_of_each(300)
    found = PointBranch.unseen_of(seen, truth)
    fitted = PointBranch().fit_both(seen, truth)
    new, expected = photos(300, seed=9, noise=0.1)
    of_new = np.nanmean(errors(fitted.predict(new), expected))
    for side, points in zip(truth, found, strict=True):
        assert np.nanmean(errors(points, side)) == pytest.approx(of_new, rel=0.15)


def test_what_it_cannot_learn_from_is_refused():
    inputs, truth = photos(20)
    with pytest.raises(ValueError, match=r"each point needs photos in which it is visible, got 19 photos, 20 with"):
        PointBranch().fit(inputs[1:], truth)
    nowhere = truth.visible.copy()
    nowhere[:, 1] = False
    with pytest.raises(ValueError, match=r"visible in \[\d+, 0, \d+\]"):
        PointBranch().fit(inputs, Points(truth.points, nowhere))


# ---------------------------------------------------------------- errors


def test_errors_are_the_mean_distance_from_visible_points():
    rng = np.random.default_rng(2)
    truth = Points(rng.random((30, 5, 2)).astype(np.float32), rng.random((30, 5)) < 0.4)
    found = rng.random((30, 5, 2)).astype(np.float32)
    told = errors(found, truth)
    assert told.shape == (30,) and np.isnan(told).any() and np.isfinite(told).any()
    for row in range(30):
        shown = [point for point in range(5) if truth.visible[row, point]]
        apart = [np.hypot(*(found[row, point] - truth.points[row, point])) for point in shown]
        assert np.isnan(told[row]) if not apart else told[row] == pytest.approx(np.mean(apart), rel=1e-5)


def test_the_right_place_has_no_error_and_hidden_points_count_nothing():
    _, truth = photos(10)
    all_seen = Points(truth.points, np.ones((10, 3), bool))
    np.testing.assert_array_equal(errors(truth.points, all_seen), 0)
    moved = np.where(truth.visible[:, :, None], truth.points, 99)
    assert np.nanmax(errors(moved, truth)) == 0
    unknown = Points(np.where(truth.visible[:, :, None], truth.points, np.nan), truth.visible)
    np.testing.assert_array_equal(errors(truth.points + 0.3, unknown), errors(truth.points + 0.3, truth))
