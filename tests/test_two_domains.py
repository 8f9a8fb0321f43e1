"""Do photos lie together: silhouettes of clusters that are there, and of names that mean nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import feature_distances
from fashion16_lib.evaluate.two_domains import category_agreement, cosine_table, shuffled_silhouettes, silhouette

RNG = np.random.default_rng(0)
NAMES = np.repeat(["a", "b"], 30)
POINTS = RNG.normal(0, 0.1, (60, 5)) + np.where(NAMES == "a", 1, -1)[:, None] * np.array([1.0, 1, 0, 0, 0])


def test_the_table_is_one_minus_cosine():
    table = cosine_table(POINTS)
    a, b = POINTS[3], POINTS[40]
    assert table[3, 40] == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert np.allclose(np.diag(table), 0, atol=1e-12) and np.allclose(table, table.T)


def test_clusters_that_are_there_stand_far_above_shuffled_names():
    found, null = silhouette(cosine_table(POINTS), NAMES), shuffled_silhouettes(cosine_table(POINTS), NAMES)
    assert found.value > 0.9 and found.low > np.quantile(null, 0.975) + 0.5
    assert null.shape == (200,) and abs(null.mean()) < 0.1


def test_shuffled_labels_stand_at_what_shuffling_gives():
    table, null = cosine_table(POINTS), shuffled_silhouettes(cosine_table(POINTS), NAMES, seed=1)
    above = [silhouette(table, RNG.permutation(NAMES)).value - np.quantile(null, 0.975) for _ in range(60)]
    assert np.mean(np.array(above) > 0) < 0.15


def test_by_hand_for_four_points():
    table = np.abs(np.subtract.outer([0.0, 1, 5, 6], [0.0, 1, 5, 6]))
    expected = np.mean([(5.5 - 1) / 5.5, (4.5 - 1) / 4.5, (4.5 - 1) / 4.5, (5.5 - 1) / 5.5])
    assert silhouette(table, ["a", "a", "b", "b"]).value == pytest.approx(expected)


def test_agreement_counts_the_category_among_the_nearest():
    labels = (NAMES == "b").astype(int)
    photos = Dataset("x", np.zeros((60, 8, 8, 3), np.uint8), labels, ("a", "b"), [f"{n}" for n in range(60)])
    found = category_agreement(feature_distances("cosine", POINTS, POINTS), photos, photos, k=20)
    assert found.shape == (60,) and (found == 1).all()
    blind = category_agreement(feature_distances("cosine", RNG.normal(size=(60, 5)), POINTS), photos, photos, k=20)
    assert 0.3 < blind.mean() < 0.7
