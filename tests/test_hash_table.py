"""The table of hash methods: scikit-learn and loops are the oracles of its average precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fashion16_lib.evaluate import hash_table as table
from fashion16_lib.evaluate.metrics import QUERIES_AT_ONCE, cosine_precision, direct_precision
from fashion16_lib.report.charts import lines
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes


def random_case(seed, n_queries, n_gallery, n_bytes, n_classes=3):
    """Return codes and labels with many ties; each class is in the gallery."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 256, (n, n_bytes), np.uint8) & 0b01010101 for n in (n_queries, n_gallery)]
    return codes[0], rng.integers(0, n_classes, n_queries), codes[1], np.arange(n_gallery) % n_classes


# ---------------------------------------------------------------- average precision


@given(st.integers(0, 1000), st.integers(1, 2 * QUERIES_AT_ONCE), st.integers(3, 60), st.sampled_from([1, 2, 3, 8]))
@settings(max_examples=25, deadline=None)
def test_equals_scikit_learns_for_each_query(seed, n_queries, n_gallery, n_bytes):
    case = random_case(seed, n_queries, n_gallery, n_bytes)
    ours = table.average_precision_of_each_query(*case)
    distances = hamming_distances(case[0], case[2]).astype(float)
    theirs = [average_precision_score(case[3] == label, -row) for label, row in zip(case[1], distances, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_limits_perfect_worst_and_all_tied():
    query, label = np.zeros((1, 1), np.uint8), np.array([1])
    near_first = np.array([[0], [0], [1], [3]], np.uint8)           # distances 0 0 1 2

    def of(gallery_labels):
        return table.average_precision_of_each_query(query, label, near_first, np.array(gallery_labels))[0]

    assert of([1, 1, 0, 0]) == 1
    assert of([0, 0, 0, 1]) == 0.25                                 # the last of four
    assert of([1, 0, 0, 1]) == pytest.approx((1 / 2 + 2 / 4) / 2)   # the first shares its distance with a wrong one
    tied = table.average_precision_of_each_query(query, label, np.zeros((5, 1), np.uint8), np.array([1, 0, 0, 1, 0]))
    assert tied[0] == pytest.approx(2 / 5)


def test_a_query_of_an_unknown_class_is_refused():
    codes = np.zeros((3, 1), np.uint8)
    with pytest.raises(ValueError, match=r"got none of class \[7\]"):
        table.average_precision_of_each_query(codes, np.array([0, 7, 1]), codes, np.array([0, 1, 1]))


def test_exact_cosine_equals_a_loop_over_the_ranking(photos, gallery_features, query_features):
    labels = photos.queries.labels, photos.gallery.labels
    found = table.exact_search(query_features, gallery_features, labels)
    assert found.average_precision.shape == found.precision.shape == (1, len(query_features))
    assert found.precision_at_20.value == pytest.approx(
        cosine_precision(query_features, labels[0], gallery_features, labels[1], 20).mean(), abs=1e-6)
    for query in range(0, 100, 9):
        vector = query_features[query].astype(np.float64)
        cosine = [vector @ item / np.linalg.norm(vector) / np.linalg.norm(item) for item in gallery_features]
        right = labels[1][np.argsort(-np.array(cosine))] == labels[0][query]
        by_hand = [right[: place + 1].mean() for place in np.flatnonzero(right)]
        assert found.average_precision[0, query] == pytest.approx(np.mean(by_hand), abs=1e-3)


# ---------------------------------------------------------------- the measurement


@pytest.fixture(scope="module")
def labels(photos):
    return photos.queries.labels, photos.gallery.labels


@pytest.fixture(scope="module")
def sides(gallery_features, query_features):
    """Return what 64 random planes say, for three seeds."""
    fitted = [RandomHyperplanes(64, seed).fit(gallery_features) for seed in range(3)]
    return [(planes.project(query_features), planes.project(gallery_features)) for planes in fitted]


@pytest.fixture(scope="module")
def found(sides, labels, gallery_features, query_features):
    return {
        ("cosine", table.NO_CODE): table.exact_search(query_features, gallery_features, labels),
        ("random", 12): table.measure(sides, labels, 12),
        ("random", 64): table.measure(sides, labels, 64),
        ("itq", 12): table.measure(sides[:1], labels, 12),      # any codes do: only the names are ITQ's
        ("itq", 64): table.measure(sides[1:2], labels, 64),
        ("learned", 12): table.measure(sides[2:], labels, 12),
        ("learned", 64): table.measure(sides[2:], labels, 64),
    }


def test_measures_the_first_bits_of_each_seed(found, sides, labels, gallery_features, query_features):
    quality = found["random", 12]
    assert quality.average_precision.shape == quality.precision.shape == (3, len(query_features))
    planes = RandomHyperplanes(16, 1).fit(gallery_features)         # more bits with the same seed only add planes
    mask = np.array([0b11111111, 0b11110000], np.uint8)
    codes = planes.encode(query_features) & mask, labels[0], planes.encode(gallery_features) & mask, labels[1]
    np.testing.assert_array_equal(quality.average_precision[1], table.average_precision_of_each_query(*codes))
    np.testing.assert_array_equal(quality.precision[1], direct_precision(*codes, 20))


def test_more_bits_are_better_and_shuffled_labels_are_chance(found, sides, labels):
    values = {key: quality.mean_average_precision.value for key, quality in found.items()}
    assert values["random", 64] > values["random", 12] > 0.15
    shuffled = labels[0], np.random.default_rng(0).permutation(labels[1])
    null = table.measure(sides, shuffled, 64)
    assert null.mean_average_precision.value < 0.15 and null.precision_at_20.value < 0.15    # ten classes: 0.1


def test_estimates_average_the_seeds_first(found):
    quality = found["random", 12]
    assert quality.mean_average_precision.value == pytest.approx(quality.average_precision.mean())
    assert quality.mean_average_precision.n == quality.average_precision.shape[1]
    assert quality.precision_at_20.low < quality.precision.mean() < quality.precision_at_20.high
    by_seed = [row.mean() for row in quality.average_precision]
    over = quality.map_over_seeds
    assert (over.low, over.high, over.n) == (min(by_seed), max(by_seed), 3) and over.low < over.value < over.high


# ---------------------------------------------------------------- what people see


def test_the_table_has_a_row_a_method_and_length(found):
    rows = table.hash_table(found)
    names = ["random planes", "random planes", "ITQ", "ITQ", "exact cosine", "learned layer", "learned layer"]
    assert rows["method"].tolist() == names
    assert rows["bits"].tolist() == [12, 64, 12, 64, 0, 12, 64] and rows["seeds"].tolist() == [3, 3, 1, 1, 1, 1, 1]
    assert (rows["mAP low"] < rows["mAP"]).all() and (rows["mAP"] < rows["mAP high"]).all()
    assert (rows["P@20 low"] < rows["P@20"]).all() and (rows["P@20"] < rows["P@20 high"]).all()
    assert rows["worst seed's mAP"][0] < rows["mAP"][0] < rows["best seed's mAP"][0]
    assert rows["worst seed's mAP"][2] == rows["mAP"][2] == rows["best seed's mAP"][2]


def test_lines_hold_the_tables_numbers_and_the_published_ones(found):
    rows = table.hash_table(found)
    drawn = table.lines_of(rows, "mAP", table.QSMIH_MAP)
    kinds = ["random planes", "ITQ", "exact cosine", "learned layer", "paper on QSMIH, 2021 (other protocol)"]
    assert drawn["kind"].unique().tolist() == kinds
    ours, level = (drawn[drawn["kind"] == kind] for kind in ("random planes", "exact cosine"))
    assert ours["x"].tolist() == [12, 64] and ours["y"].tolist() == rows["mAP"][:2].tolist()
    assert level["x"].tolist() == [12, 64] and level["y"].tolist() == [rows["mAP"][4]] * 2      # no code: a level line
    theirs = drawn[drawn["kind"].str.startswith("paper")]
    assert dict(zip(theirs["x"], theirs["y"], strict=True)) == {12: 0.842, 24: 0.873, 36: 0.863, 48: 0.86}
    assert theirs[["low", "high"]].isna().all(axis=None)
    assert set(table.lines_of(rows, "P@20")["y"]) == set(rows["P@20"])
    assert lines(drawn, "title", "bits", "mAP").axes[0].get_legend() is not None


def test_metrics_have_the_names_that_readers_look_for(found):
    named = table.metrics_of(found)
    wanted = {"cosine_map", "cosine_precision_at_20", "random_12_bits_map", "learned_64_bits_precision_at_20"}
    assert wanted <= set(named)
    assert len(named) == 2 * len(found)
    assert named["random_64_bits_map"] == found["random", 64].mean_average_precision
    assert named["random_64_bits_precision_at_20"] == found["random", 64].precision_at_20
    assert named["cosine_map"] == found["cosine", 0].mean_average_precision


def test_differences_are_paired_on_the_queries(found):
    named = table.differences_of(found)
    assert sorted(named) == [f"{pair}_map_{bits}_bits" for pair in ("itq_minus_random", "learned_minus_cosine")
                             for bits in (12, 64)]
    itq, random = found["itq", 64], found["random", 64]
    difference = named["itq_minus_random_map_64_bits"]
    assert difference.value == pytest.approx(itq.average_precision.mean() - random.average_precision.mean())
    unpaired = itq.mean_average_precision.high - itq.mean_average_precision.low
    assert difference.high - difference.low < unpaired          # the same queries are hard for both
    assert named["learned_minus_cosine_map_12_bits"].high < 0   # planes stand in for it here: codes of 12 bits lose


def test_a_method_against_itself_differs_by_nothing(found):
    nothing = table.map_difference(found["itq", 12], found["itq", 12])
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
