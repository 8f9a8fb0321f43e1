"""What codes are worth: exact neighbours, recall under ties, buckets and readings, each against brute force."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from fashion16_lib.evaluate.code_quality import (
    bucket_occupancy,
    codes_of,
    exact_neighbors,
    over_seeds,
    precision_over_seeds,
    quality_by_bits,
    quality_of_codes,
    recall_of_rows,
    trade_off,
)
from fashion16_lib.evaluate.metrics import cosine_precision, direct_precision, has_tie_at_k
from fashion16_lib.evaluate.search_quality import precision_by_plane_seed
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes

K = 20


@pytest.fixture(scope="module")
def neighbors(gallery_features, query_features):
    mean = gallery_features.mean(axis=0)
    return exact_neighbors(query_features - mean, gallery_features - mean, K)


@pytest.fixture(scope="module")
def codes(gallery_features, query_features):
    return codes_of(gallery_features, query_features, 64, seed=3)


# ---------------------------------------------------------------- exact search


def test_exact_neighbors_are_scikit_learns(gallery_features, query_features):
    found = exact_neighbors(query_features, gallery_features, K)
    theirs = NearestNeighbors(metric="cosine", algorithm="brute").fit(gallery_features)
    expected = theirs.kneighbors(query_features, K, return_distance=False)
    assert [set(row) for row in found] == [set(row) for row in expected]


def test_precision_of_exact_neighbors_is_cosine_precision(gallery_features, query_features, photos):
    found = exact_neighbors(query_features, gallery_features, K)
    ours = (photos.gallery.labels[found] == photos.queries.labels[:, None]).mean(axis=1)
    theirs = cosine_precision(query_features, photos.queries.labels, gallery_features, photos.gallery.labels, K)
    np.testing.assert_allclose(ours, theirs)


def test_an_item_is_its_own_neighbor_and_k_of_all_is_all(gallery_features):
    assert exact_neighbors(gallery_features[:40], gallery_features, 1)[:, 0].tolist() == list(range(40))
    everything = exact_neighbors(gallery_features[:3], gallery_features[:30], 30)
    assert np.sort(everything, axis=1).tolist() == [list(range(30))] * 3


@pytest.mark.parametrize("k", [0, 301])
def test_impossible_k_is_refused(gallery_features, k):
    with pytest.raises(ValueError, match=f"from 1 to the 300 items of the gallery, got {k}"):
        exact_neighbors(gallery_features[:1], gallery_features, k)


# ---------------------------------------------------------------- codes against exact search


def chance_to_be_found(distances, item, k):
    """Return an item's chance to be among the k nearest when ties fall at random: places left / items tied."""
    below, tied = (distances < distances[item]).sum(), (distances == distances[item]).sum()
    return min(max((k - below) / tied, 0), 1)


@pytest.mark.parametrize("n_bytes", [1, 2, 8])
def test_recall_is_the_mean_chance_of_the_exact_neighbors(codes, photos, neighbors, n_bytes):
    searched, asked = (each[:, :n_bytes] for each in codes)
    found = quality_of_codes(searched, asked, photos.gallery.labels, photos.queries.labels, neighbors)
    distances = hamming_distances(asked, searched)
    expected = [np.mean([chance_to_be_found(row, item, K) for item in near])
                for row, near in zip(distances, neighbors, strict=True)]
    np.testing.assert_allclose(found["recall"], expected)
    precision = direct_precision(asked, photos.queries.labels, searched, photos.gallery.labels, K)
    np.testing.assert_allclose(found["precision"], precision)
    assert found["tie"].tolist() == [has_tie_at_k(row, K) for row in distances]
    assert 0 < found["recall"].mean() < 1


def test_recall_is_one_for_the_codes_own_nearest_and_none_for_the_farthest():
    """Codes with 0, 1, ... 8 ones: the query of all zeros has no ties."""
    codes = np.array([[(1 << n) - 1] for n in range(9)], np.uint8)
    query, labels = np.zeros((1, 1), np.uint8), np.zeros(9, int)
    for near, recall in (((0, 1, 2), 1), ((6, 7, 8), 0), ((2, 3, 4), 1 / 3)):
        found = quality_of_codes(codes, query, labels, labels[:1], np.array([near]))
        assert found["recall"].item() == pytest.approx(recall) and not found["tie"].item()
        assert found["precision"].item() == 1


def test_rows_that_tie_with_the_last_place_are_found_and_missing_ones_are_not():
    distances = np.array([[3, 1, 2, 2, 9, 2]])                  # the three nearest: 1, 2, 2; another 2 is as near
    for rows, share in (([1, 2, 3], 1), ([5, 3, 1], 1), ([1, 2, 0], 2 / 3), ([1, -1, -1], 1 / 3), ([4, 0, -1], 0)):
        np.testing.assert_allclose(recall_of_rows(np.array([rows]), distances), [share])


def test_the_rows_of_exact_search_have_recall_one_and_strangers_none(codes):
    distances = hamming_distances(codes[1], codes[0])
    order = np.argsort(distances, axis=1, kind="stable")
    assert recall_of_rows(order[:, :20], distances).tolist() == [1.0] * len(order)
    assert recall_of_rows(order[:, -20:], distances).tolist() == [0.0] * len(order)


def test_first_bits_of_long_codes_are_the_short_codes(gallery_features, query_features, photos, neighbors):
    gallery, queries = (gallery_features, photos.gallery.labels), (query_features, photos.queries.labels)
    quality = quality_by_bits(gallery, queries, neighbors, (16, 128), (4, 5))
    assert len(quality) == 2 * 2 * 100
    for seed in (4, 5):
        for n_bits in (16, 128):
            hasher = RandomHyperplanes(n_bits, seed).fit(gallery_features)
            alone = quality_of_codes(hasher.encode(gallery_features), hasher.encode(query_features), gallery[1],
                                     queries[1], neighbors)
            part = quality[(quality["seed"] == seed) & (quality["n_bits"] == n_bits)]
            assert part["query"].tolist() == list(range(100))
            np.testing.assert_array_equal(part["recall"], alone["recall"])
    means = over_seeds(quality, "recall")
    assert means[128].value > means[16].value                       # .22 apart, seven times their intervals' half


def test_over_seeds_averages_seeds_before_queries():
    quality = pd.DataFrame({"query": [0, 0, 1, 1], "seed": [0, 1, 0, 1], "n_bits": 8, "precision": [0, 1, 0.5, 0.5]})
    found = over_seeds(quality, "precision")[8]
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 2)      # two queries, both .5


def test_precision_over_seeds_is_the_mean_of_the_seeds(gallery_features, query_features, photos):
    gallery, queries = (gallery_features, photos.gallery.labels), (query_features, photos.queries.labels)
    ours = precision_over_seeds(gallery, queries, 32, (1, 2, 3))
    theirs = precision_by_plane_seed(gallery, queries, 32, (1, 2, 3))["centred"]
    assert ours.shape == (100,) and ours.mean() == pytest.approx(theirs.mean())
    assert theirs.nunique() == 3                                    # the seeds do differ


# ---------------------------------------------------------------- buckets


def keys_by_hand(codes, bits):
    return ["".join(f"{byte:08b}" for byte in code.tolist())[:bits] for code in codes]


def test_occupancy_by_counting_the_first_bits_as_text(codes):
    searched, asked = codes
    found = bucket_occupancy(searched, asked, (1, 4, 11)).set_index("bits")
    for bits, row in found.iterrows():
        counts = Counter(keys_by_hand(searched, bits))
        shares = np.array(list(counts.values())) / len(searched)
        assert row["empty"] == pytest.approx(1 - len(counts) / 2**bits)
        assert row["largest"] == pytest.approx(shares.max())
        assert row["entropy"] == pytest.approx(-(shares * np.log2(shares)).sum())
        assert row["candidates"] == pytest.approx(np.mean([counts[key] for key in keys_by_hand(asked, bits)]))


def test_occupancy_limits_all_even_and_all_in_one():
    every = np.arange(256, dtype=np.uint8)[:, None]
    even = bucket_occupancy(every, every, (8,)).iloc[0]
    assert (even["empty"], even["largest"], even["candidates"]) == (0, 1 / 256, 1) and even["entropy"] == 8
    one = bucket_occupancy(every * 0, every[:1], (8,)).iloc[0]
    assert (one["empty"], one["largest"], one["candidates"], one["entropy"]) == (255 / 256, 1, 256, 0)


# ---------------------------------------------------------------- the readings of "bucket"


def test_trade_off_by_hand(codes, neighbors):
    searched, asked = codes
    found = trade_off(searched, asked, neighbors, [Buckets(2, 6, 1), None])
    first, second = (np.array([[int(b) for b in key[part]] for key in keys_by_hand(searched, 12)])
                     for part in (slice(6), slice(6, 12)))
    looked_at, recalls = [], []
    for number, key in enumerate(keys_by_hand(asked, 12)):
        key = np.array([int(bit) for bit in key])
        among = np.flatnonzero(((first != key[:6]).sum(axis=1) <= 1) | ((second != key[6:]).sum(axis=1) <= 1))
        distances = hamming_distances(asked[number][None], searched[among])[0]
        places = {item: place for place, item in enumerate(among)}
        recalls.append(np.mean([chance_to_be_found(distances, places[item], K) if item in places else 0
                                for item in neighbors[number]]))
        looked_at.append(len(among) / len(searched))
    assert found.loc[0, "looked_at"] == pytest.approx(np.mean(looked_at))
    assert found.loc[0, "recall"] == pytest.approx(np.mean(recalls))
    assert 0.1 < found.loc[0, "looked_at"] < 0.6 and found.loc[0, "recall"] < found.loc[1, "recall"]


def test_scan_and_full_radius_look_at_all_and_find_the_same(codes, photos, neighbors):
    searched, asked = codes
    found = trade_off(searched, asked, neighbors, [None, Buckets(1, 4, 4)])
    whole = quality_of_codes(searched, asked, photos.gallery.labels, photos.queries.labels, neighbors)
    assert found["looked_at"].tolist() == [1, 1]
    np.testing.assert_allclose(found["recall"], whole["recall"].mean())
    assert found["tables"].tolist() == [0, 1] and found["radius"].tolist() == [0, 4]
