"""The law of random planes: angles, bins, slopes and intervals against brute force and against data made to obey it."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from fashion16_lib.evaluate.angle_law import (
    PAIRS_AT_ONCE,
    all_angles,
    auc_by_bits,
    auc_of_angles,
    bit_entropy,
    draw_pairs,
    law_by_angle,
    same_class_auc,
    slope_over_planes,
    slopes_of_shuffled_codes,
)
from fashion16_lib.evaluate.statistics import straight_line
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes


@pytest.fixture(scope="module")
def blob():
    """Return 60 vectors around a point off the origin, so that their angles differ; obeys the law by theorem."""
    return np.random.default_rng(0).standard_normal((60, 12)).astype(np.float32) + 0.6


def pairs_of(features, n_bits, seed=0, n_pairs=800):
    """Return angles and XORed codes of random pairs, and what they come from."""
    pair = draw_pairs(len(features), n_pairs, 1)
    codes = RandomHyperplanes(n_bits, seed, centred=False).fit(features).encode(features)
    return all_angles(features)[pair], codes[pair[0]] ^ codes[pair[1]], codes, pair


# ---------------------------------------------------------------- pairs and angles


def test_pairs_are_in_range_never_of_one_item_and_even():
    left, right = draw_pairs(5, 20_000, seed=0)
    assert (left != right).all() and {*left, *right} == set(range(5))
    counts = np.bincount(5 * left + right, minlength=25).reshape(5, 5)
    off_diagonal = counts[~np.eye(5, dtype=bool)]
    assert abs(off_diagonal - 1000).max() < 5 * np.sqrt(1000)       # 20 kinds of pair, each 1,000 times
    again, other = draw_pairs(5, 20_000, seed=0), draw_pairs(5, 20_000, seed=1)
    assert (again[1] == right).all() and (other[1] != right).any()


def test_angles_are_arccos_of_cosine(gallery_features):
    some = gallery_features[:50]
    theirs = np.arccos(np.clip(1 - pairwise_distances(some.astype(np.float64), metric="cosine"), -1, 1)) / np.pi
    off = ~np.eye(50, dtype=bool)
    np.testing.assert_allclose(all_angles(some)[off], theirs[off], atol=1e-5)


def test_angle_limits():
    features = np.array([[1, 0], [5, 0], [0, 2], [-3, 0]], np.float32)
    np.testing.assert_allclose(all_angles(features)[0], [0, 0, 0.5, 1], atol=1e-6)


# ---------------------------------------------------------------- the law


def test_bins_by_hand(blob):
    angles, differing, _, _ = pairs_of(blob, 64)
    law = law_by_angle(angles, differing, n_bins=4)
    bits = np.unpackbits(differing, axis=1)
    order = np.argsort(angles)
    for number, row in law.iterrows():
        part = order[200 * number : 200 * (number + 1)]
        assert row["angle"] == pytest.approx(angles[part].mean())
        assert row["differing"] == pytest.approx(bits[part].mean())
        assert row["inside"] == (row["low"] <= row["angle"] <= row["high"])
        error = bits[part].mean(axis=1) - angles[part]
        assert row["spread"] == pytest.approx(np.sqrt((error**2).mean()))
        p = angles[part]
        assert row["expected_spread"] == pytest.approx(np.sqrt((p * (1 - p) / 64).mean()))
    assert law["angle"].is_monotonic_increasing


def test_intervals_over_planes_hold_the_law_as_often_as_they_say(blob):
    """60 sets of 256 planes: 95 % intervals of bins and slope hold the theorem; pairs taken as independent don't."""
    inside, slopes, naive, spreads = [], [], [], []
    for seed in range(60):
        angles, differing, _, _ = pairs_of(blob, 256, seed, n_pairs=4000)
        law = law_by_angle(angles, differing, n_bins=4)
        slope = slope_over_planes(angles, differing)
        line = straight_line(angles, np.unpackbits(differing, axis=1).mean(axis=1)).slope
        assert slope.value == pytest.approx(line.value)
        inside += law["inside"].tolist()
        slopes.append(slope.low <= 1 <= slope.high)
        naive.append(line.low <= 1 <= line.high)
        spreads.append(law["spread"] / law["expected_spread"])
    assert np.mean(inside) > 0.87 and np.mean(slopes) > 0.85        # .95 less 3.6 deviations of 60 independent sets
    assert np.mean(naive) < 0.6                                     # far too narrow
    assert np.mean(spreads) == pytest.approx(1, abs=0.05)


def test_bits_that_know_nothing_of_the_angle_are_found_out(blob):
    angles, differing, _, _ = pairs_of(blob, 512)
    coins = np.random.default_rng(2).integers(256, size=differing.shape, dtype=np.uint8)
    slope = slope_over_planes(angles, coins)
    assert abs(slope.value) < 0.1 and slope.high < 0.9
    assert law_by_angle(angles, coins, 6)["inside"].sum() <= 2


def test_shuffled_codes_lose_the_law(blob):
    angles, differing, codes, pair = pairs_of(blob, 512)
    shuffled = slopes_of_shuffled_codes(angles, codes, pair, 20, seed=0)
    assert shuffled.shape == (20,) and len(set(shuffled)) == 20
    assert abs(shuffled).max() < 0.3 < slope_over_planes(angles, differing).low
    one = slopes_of_shuffled_codes(angles, np.repeat(codes[:1], 60, axis=0), pair, 3, seed=0)
    np.testing.assert_allclose(one, 0, atol=1e-12)                  # equal codes: nothing differs, at any angle


def test_more_pairs_than_are_unpacked_at_once_change_nothing(blob):
    angles, differing, _, _ = pairs_of(blob, 64, n_pairs=2 * PAIRS_AT_ONCE + 7)
    bits = np.unpackbits(differing, axis=1).astype(float)
    slopes = np.polyfit(angles.astype(np.float64), bits, 1)[0]
    assert slope_over_planes(angles, differing).value == pytest.approx(slopes.mean())
    assert law_by_angle(angles, differing, 1)["differing"].item() == pytest.approx(bits.mean())


def test_the_law_holds_on_vgg16s_features_about_both_points(gallery_features):
    for centred in (True, False):
        planes = RandomHyperplanes(512, 0, centred).fit(gallery_features)
        codes, pair = planes.encode(gallery_features), draw_pairs(300, 5000, 0)
        angles = all_angles(gallery_features - planes.mean)[pair]
        law = law_by_angle(angles, codes[pair[0]] ^ codes[pair[1]])
        assert abs(law["differing"] - law["angle"]).max() < 0.04    # chance level would be off by .1 and more


# ---------------------------------------------------------------- what the bits tell


def test_bit_entropy_of_constant_even_and_quarter_bits():
    bits = np.array([[1, 0, 1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0, 0, 0],
                     [1, 0, 0, 0, 0, 0, 0, 0]], np.uint8)
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    np.testing.assert_allclose(bit_entropy(np.packbits(bits, axis=1)), [0, 0, 1, quarter, 0, 0, 0, 0], atol=1e-12)


def auc_by_hand(distances, labels):
    pairs = [(distances[i, j], labels[i] == labels[j]) for i in range(len(labels)) for j in range(i)]
    same, other = [d for d, s in pairs if s], [d for d, s in pairs if not s]
    return np.mean([1.0 if a < b else 0.5 if a == b else 0.0 for a in same for b in other])


def test_auc_counts_pairs_of_pairs(codes_and_labels):
    codes, labels = codes_and_labels
    distances = hamming_distances(codes[:24, :1], codes[:24, :1])   # 8 bits: ties abound
    assert same_class_auc(distances, labels[:24]) == pytest.approx(auc_by_hand(distances, labels[:24]))


def test_auc_limits():
    labels = np.array([0, 0, 1, 1])
    apart = (labels[:, None] != labels).astype(float)
    assert same_class_auc(apart, labels) == 1 and same_class_auc(-apart, labels) == 0
    assert same_class_auc(np.zeros((4, 4)), labels) == 0.5


@pytest.fixture(scope="module")
def codes_and_labels(gallery_features, photos):
    return RandomHyperplanes(64).fit(gallery_features).encode(gallery_features), photos.gallery.labels


def test_each_block_has_items_and_bits_of_its_own(codes_and_labels):
    codes, labels = codes_and_labels
    found = auc_by_bits(codes, labels, (24, 64), n_blocks=3)
    assert found["n_bits"].tolist() == [24] * 3 + [64] * 3 and found["block"].tolist() == [0, 1, 2] * 2
    # 64 bits hold two sets of 24, so the third block takes the first set again
    for row, (first, last) in zip(range(3), ((0, 3), (3, 6), (0, 3)), strict=True):
        items = slice(100 * row, 100 * (row + 1))
        part = codes[items, first:last]
        assert found["auc"][row] == pytest.approx(same_class_auc(hamming_distances(part, part), labels[items]))
    assert found.groupby("n_bits")["auc"].mean().is_monotonic_increasing


def test_angles_are_judged_in_the_same_blocks(gallery_features, photos):
    angles = all_angles(gallery_features)
    found = auc_of_angles(angles, photos.gallery.labels, n_blocks=3)
    expected = [same_class_auc(angles[rows, rows], photos.gallery.labels[rows])
                for rows in (slice(100), slice(100, 200), slice(200, 300))]
    np.testing.assert_allclose(found, expected)
    assert (found > 0.75).all()                                     # chance is .5
