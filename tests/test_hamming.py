"""Hamming distances and the order of the nearest: against loops, FAISS and sorting."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fashion16_lib.search.hamming import hamming_distances, nearest, similarity
from fashion16_lib.search.hyperplanes import RandomHyperplanes

PAIRS = st.integers(1, 20).flatmap(
    lambda width: st.tuples(
        hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(width))),
        hnp.arrays(np.uint8, st.tuples(st.integers(0, 12), st.just(width))),
    )
)


def by_counting(left, right):
    return sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(left, right, strict=True))


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_distances_equal_a_loop_that_counts_bits(pair):
    queries, codes = pair
    got = hamming_distances(queries, codes)
    assert got.shape == (len(queries), len(codes)) and got.dtype == np.uint16
    assert got.tolist() == [[by_counting(query, code) for code in codes] for query in queries]


@pytest.mark.parametrize("n_bits", [8, 16, 56, 64, 72, 128, 256, 1024])
def test_distances_equal_faiss_on_real_codes(gallery_features, query_features, n_bits):
    hasher = RandomHyperplanes(n_bits).fit(gallery_features)
    codes, queries = hasher.encode(gallery_features), hasher.encode(query_features)
    index = faiss.IndexBinaryFlat(n_bits)
    index.add(codes)
    theirs, places = index.search(queries, len(codes))  # all of them, sorted by distance
    ours = hamming_distances(queries, codes)
    np.testing.assert_array_equal(np.take_along_axis(ours, places, axis=1), theirs)


def test_limits_nothing_differs_and_everything_differs():
    zeros, ones = np.zeros((1, 512), np.uint8), np.full((1, 512), 255, np.uint8)
    assert hamming_distances(zeros, np.vstack([zeros, ones])).tolist() == [[0, 4096]]  # the most bits we allow


@pytest.mark.parametrize("width", [8, 9])
def test_layout_in_memory_does_not_matter_and_inputs_stay(width):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (30, 2 * width), dtype=np.uint8)
    strided, fortran = wide[::2, ::2], np.asfortranarray(wide[::2, ::2])
    plain = np.ascontiguousarray(strided)
    before = wide.copy()
    wide.flags.writeable = False
    expected = hamming_distances(plain, plain)
    np.testing.assert_array_equal(hamming_distances(strided, fortran), expected)
    np.testing.assert_array_equal(wide, before)


@pytest.mark.parametrize(
    "codes",
    [np.zeros((2, 8), np.int64), np.zeros(8, np.uint8), np.zeros((2, 0), np.uint8)],
    ids=["int64", "1-D", "no bytes"],
)
def test_what_are_no_codes_is_refused(codes):
    with pytest.raises(ValueError, match=r"codes must be \(n, bytes\) uint8, got"):
        hamming_distances(codes, np.zeros((1, 8), np.uint8))


def test_codes_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"64 bits and gallery codes 128; encode both"):
        hamming_distances(np.zeros((1, 8), np.uint8), np.zeros((1, 16), np.uint8))


@given(hnp.arrays(np.uint16, st.integers(0, 60), elements=st.integers(0, 6)), st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_nearest_equals_sorting_by_distance_then_place(distances, k):
    assert (
        nearest(distances, k).tolist()
        == [place for _, place in sorted((int(distance), place) for place, distance in enumerate(distances))][:k]
    )


def test_nearest_of_equal_distances_keeps_their_order():
    assert nearest(np.full(1000, 7, np.uint16), 5).tolist() == [0, 1, 2, 3, 4]


@given(st.integers(0, 64))
def test_similarity_is_the_share_of_equal_bits(distance):
    left, right = np.zeros(64, int), np.array([1] * distance + [0] * (64 - distance))
    assert similarity(np.array([distance]), 64)[0] == pytest.approx(np.mean(left == right))
