"""Precision with ties, intervals, and the identity that ties in-class search to its decider."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion16_lib.evaluate.metrics import (
    chance_precision,
    cosine_precision,
    direct_precision,
    expected_precision_at_k,
    has_tie_at_k,
    in_class_precision,
    precision_of_each_query,
)
from fashion16_lib.evaluate.statistics import Estimate, mean_over_queries, proportion
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes

ITEMS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)


def over_all_orders(items, k):
    """Average m / k over every order of the items that respects the distances."""
    found = [
        sum(items[place][1] for place in order[:k]) / k
        for order in permutations(range(len(items)))
        if all(items[a][0] <= items[b][0] for a, b in pairwise(order))
    ]
    return sum(found) / len(found)


@given(ITEMS, st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_expected_precision_is_the_average_over_all_orders_of_ties(items, k):
    distances, relevant = np.array([d for d, _ in items]), np.array([r for _, r in items])
    assert expected_precision_at_k(distances, relevant, k) == pytest.approx(over_all_orders(items, k))


@given(ITEMS, st.integers(1, 8))
def test_tie_at_k_means_that_the_order_of_ties_decides(items, k):
    distances = sorted(distance for distance, _ in items)
    expected = k < len(items) and distances[k - 1] == distances[k]
    assert has_tie_at_k(np.array([distance for distance, _ in items]), k) == expected


def test_limits_perfect_worst_k_of_one_and_missing_places():
    near_is_right = np.array([True] * 5 + [False] * 5)
    assert expected_precision_at_k(np.arange(10), near_is_right, 5) == 1
    assert expected_precision_at_k(np.arange(10), ~near_is_right, 5) == 0
    assert expected_precision_at_k(np.arange(10), near_is_right, 1) == 1
    assert expected_precision_at_k(np.arange(10), near_is_right, 10) == 0.5
    assert expected_precision_at_k(np.arange(10), near_is_right, 20) == 0.25  # 5 of 20: missing ones are wrong
    assert expected_precision_at_k(np.zeros(0), np.zeros(0, bool), 20) == 0
    with pytest.raises(ValueError, match="at least 1, got 0"):
        expected_precision_at_k(np.arange(3), np.ones(3, bool), 0)


def test_direct_precision_equals_a_simulation_that_shuffles_the_gallery(gallery_features, query_features, photos):
    """8 bits, so that ties abound: the order of the gallery must not matter, on average."""
    hasher = RandomHyperplanes(8).fit(gallery_features)
    codes, asked = hasher.encode(gallery_features), hasher.encode(query_features[:5])
    distances = hamming_distances(asked, codes).astype(int)
    ours = direct_precision(asked, photos.queries.labels[:5], codes, photos.gallery.labels, 20)
    rng = np.random.default_rng(0)
    for query, label in enumerate(photos.queries.labels[:5]):
        shuffles = [np.lexsort((rng.random(300), distances[query]))[:20] for _ in range(4000)]
        simulated = (photos.gallery.labels[np.array(shuffles)] == label).mean()
        assert ours[query] == pytest.approx(simulated, abs=0.009)  # 4,000 draws: under 5 deviations of 0.11 / 63


def test_queries_are_handled_in_batches_without_mixing(gallery_features, photos):
    hasher = RandomHyperplanes(64).fit(gallery_features)
    codes, labels = hasher.encode(gallery_features), photos.gallery.labels
    together = direct_precision(codes, labels, codes, labels, 20)  # 300 queries: three batches
    alone = [direct_precision(codes[row : row + 1], labels[row : row + 1], codes, labels, 20)[0] for row in range(300)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("decider", ["head", "table1"])
def test_in_class_precision_is_the_deciders_accuracy_where_items_lie_under_their_true_class(
    decider,
    request,
    photos,
    gallery_features,
    query_features,
):
    """Inside a class library all items are of that class: each query scores 1 or 0. 20 hits, 30 items a class."""
    classifier = request.getfixturevalue(decider)
    decided = classifier.predict_proba(photos.queries.images).argmax(axis=1)
    hasher = RandomHyperplanes(64).fit(gallery_features)
    precision = in_class_precision(
        hasher.encode(query_features),
        photos.queries.labels,
        hasher.encode(gallery_features),
        photos.gallery.labels,
        20,
        decided,
        photos.gallery.labels,
    )
    accuracy = sum(int(a == b) for a, b in zip(decided, photos.queries.labels, strict=True)) / len(decided)
    assert abs(precision.mean() - accuracy) < 1e-9
    assert 0.3 < accuracy < 1  # neither chance nor trivial


def test_in_class_precision_with_mixed_libraries_equals_a_loop(gallery_features, query_features, photos):
    rng = np.random.default_rng(0)
    stored, decided = photos.gallery.labels.copy(), photos.queries.labels.copy()
    stored[rng.random(300) < 0.3], decided[rng.random(100) < 0.3] = 4, 9
    stored[stored == 2] = 3  # nothing lies under class 2
    hasher = RandomHyperplanes(64).fit(gallery_features)
    codes, asked = hasher.encode(gallery_features), hasher.encode(query_features)
    ours = in_class_precision(asked, photos.queries.labels, codes, photos.gallery.labels, 10, decided, stored)
    for query in range(100):
        items = [row for row in range(300) if stored[row] == decided[query]]
        distances = [sum(bin(int(b)).count("1") for b in asked[query] ^ codes[row]) for row in items]
        right = np.array([photos.gallery.labels[row] == photos.queries.labels[query] for row in items], bool)
        assert ours[query] == pytest.approx(expected_precision_at_k(np.array(distances), right, 10))
    assert (ours[decided == 2] == 0).all() and (decided == 2).any()


def test_cosine_precision_equals_scikit_learn(gallery_features, query_features, photos):
    from sklearn.neighbors import NearestNeighbors

    _, places = NearestNeighbors(n_neighbors=20, metric="cosine").fit(gallery_features).kneighbors(query_features)
    theirs = (photos.gallery.labels[places] == photos.queries.labels[:, None]).mean(axis=1)
    ours = cosine_precision(query_features, photos.queries.labels, gallery_features, photos.gallery.labels, 20)
    assert np.abs(ours - theirs).max() <= 0.05 and np.abs(ours - theirs).mean() < 0.001  # float32 may swap the last hit


def test_no_matrix_of_all_distances_is_held():
    asked = []

    def distances(rows):
        asked.append(rows)
        return np.zeros((len(range(*rows.indices(300))), 7))

    precision_of_each_query(distances, np.zeros(300, int), np.zeros(7, int), 3)
    assert [row for rows in asked for row in range(*rows.indices(300))] == list(range(300))
    assert max(rows.stop - rows.start for rows in asked) < 300


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=100, deadline=None)
def test_proportion_has_wilsons_interval(case):
    found, n = case
    z, share = 1.959963984540054, found / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    estimate = proportion(np.array([True] * found + [False] * (n - found)))
    assert (estimate.value, estimate.n) == (share, n)
    assert (estimate.low, estimate.high) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_bootstrap_interval_of_a_mean():
    values = np.random.default_rng(1).random(1000)
    estimate = mean_over_queries(values)
    assert estimate == mean_over_queries(values) and estimate.value == pytest.approx(values.mean())
    normal = 1.96 * values.std() / np.sqrt(1000)  # the central limit theorem's
    assert (estimate.value - estimate.low, estimate.high - estimate.value) == pytest.approx((normal, normal), rel=0.15)
    assert mean_over_queries(values, seed=1).low != estimate.low


def test_estimate_reads_well():
    assert str(Estimate(0.5, 0.25, 0.75, 9)) == "0.5000 [0.2500, 0.7500]"


def test_chance_is_what_random_codes_give():
    rng = np.random.default_rng(0)
    labels, asked = rng.choice(3, 900, p=(0.6, 0.3, 0.1)), rng.choice(3, 300)
    random = [rng.integers(0, 256, (n, 8), np.uint8) for n in (300, 900)]
    found = direct_precision(random[0], asked, random[1], labels, 20)
    chance = chance_precision(asked, labels)
    assert abs(found.mean() - chance.mean()) < 0.02
    assert chance[asked == 0][0] == np.mean(labels == 0) and (chance_precision(np.array([7]), labels) == 0).all()
