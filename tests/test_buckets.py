"""The other readings of "bucket": keys and candidates by brute force, and the full probe that equals the scan."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.hamming import hamming_distances, nearest
from fashion16_lib.search.hyperplanes import RandomHyperplanes


def bits_of(code):
    return "".join(f"{byte:08b}" for byte in code.tolist())


def candidates_by_hand(query, codes, n_tables, width, radius):
    """Keep a code if in any table its key differs from the query's in at most `radius` bits."""

    def near(code, table):
        part = slice(table * width, (table + 1) * width)
        return sum(a != b for a, b in zip(bits_of(query)[part], bits_of(code)[part], strict=True)) <= radius

    return [place for place, code in enumerate(codes) if any(near(code, table) for table in range(n_tables))]


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(0, 25), st.just(2)), elements=st.sampled_from([0, 1, 7, 128, 200, 255])),
    hnp.arrays(np.uint8, 2),
    st.integers(1, 5),
    st.integers(1, 5),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_candidates_equal_a_comparison_of_all_keys(codes, query, n_tables, width, data):
    if n_tables * width > 16:
        n_tables = 16 // width
    radius = data.draw(st.integers(0, width))
    found = BucketTables(codes, Buckets(n_tables, width, radius)).candidates(query)
    assert found.tolist() == candidates_by_hand(query, codes, n_tables, width, radius)


@pytest.mark.parametrize(("n_tables", "width", "radius"), product((1, 4), (8, 16), (0, 2)))
def test_candidates_on_real_codes(gallery_features, query_features, n_tables, width, radius):
    hasher = RandomHyperplanes(64).fit(gallery_features)
    codes, queries = hasher.encode(gallery_features), hasher.encode(query_features[:20])
    tables = BucketTables(codes, Buckets(n_tables, width, radius))
    for query in queries:
        assert tables.candidates(query).tolist() == candidates_by_hand(query, codes, n_tables, width, radius)


def test_keys_are_the_codes_next_bits_highest_first():
    assert Buckets(3, 4).keys(np.array([[0b10100110, 0b11110000]], np.uint8)).tolist() == [[0b1010, 0b0110, 0b1111]]


def test_full_radius_finds_what_the_scan_finds(gallery_features, query_features):
    hasher = RandomHyperplanes(64).fit(gallery_features)
    codes, queries = hasher.encode(gallery_features), hasher.encode(query_features)
    tables = BucketTables(codes, Buckets(1, 8, probe_radius=8))
    for query in queries:
        places = tables.candidates(query)
        near = places[nearest(hamming_distances(query[None], codes[places])[0], 20)]
        assert near.tolist() == nearest(hamming_distances(query[None], codes)[0], 20).tolist()


def test_probes_come_once_each_and_nearest_first():
    probes = list(Buckets(1, 6, probe_radius=3).probes(0b101010))
    flips = [bin(probe ^ 0b101010).count("1") for probe in probes]
    assert flips == sorted(flips) and len(set(probes)) == len(probes) == 1 + 6 + 15 + 20


@pytest.mark.parametrize("wrong", [(0, 8, 0), (1, 0, 0), (1, 25, 0), (1, 8, 9), (1, 8, -1)])
def test_impossible_buckets_are_refused(wrong):
    with pytest.raises(ValueError, match=r"n_tables >= 1.*got Buckets"):
        Buckets(*wrong)


def test_more_key_bits_than_code_bits_are_refused():
    with pytest.raises(ValueError, match=r"need codes of 24 bits, got 16; build"):
        BucketTables(np.zeros((1, 2), np.uint8), Buckets(3, 8))
