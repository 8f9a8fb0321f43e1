"""Engines give one answer: that of a loop that counts bits and sorts by distance, then row."""

from __future__ import annotations

import sys

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fashion16_lib.search.engines import FaissEngine, NumpyEngine, choose_engine
from fashion16_lib.settings import ENGINES, Fashion16Error

KINDS = [choose_engine(name) for name in ENGINES]


def by_loop(queries, codes, k):
    """Return [(distance, place), ...] of each query."""
    return [
        sorted((sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(query, code, strict=True)), place)
               for place, code in enumerate(codes))[:k]
        for query in queries
    ]


def as_pairs(engine, queries, k):
    distances, places = engine.search(queries, k)
    assert distances.dtype == places.dtype == np.int64
    return [list(zip(*each, strict=True)) for each in zip(distances.tolist(), places.tolist(), strict=True)]


def codes_and_queries(width):
    """Codes with many ties: bytes are drawn from few values as often as from all."""
    values = st.one_of(st.sampled_from([0, 1, 255]), st.integers(0, 255))
    return st.tuples(hnp.arrays(np.uint8, st.tuples(st.integers(0, 40), st.just(width)), elements=values),
                     hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(width)), elements=values))


@pytest.mark.parametrize("kind", KINDS)
@given(st.sampled_from([1, 2, 7, 8, 9, 16, 32]).flatmap(codes_and_queries), st.integers(1, 45))
@settings(max_examples=200, deadline=None)
def test_every_engine_equals_a_loop_to_the_last_tie(kind, drawn, k):
    codes, queries = drawn
    assert as_pairs(kind(codes), queries, k) == by_loop(queries, codes, k)


@pytest.mark.parametrize("n", [1, 255, 256, 257, 5_000, 70_000])
@pytest.mark.parametrize("spread", ["random", "few codes", "one code"])
def test_engines_agree_on_many_codes_for_every_kind_of_k(n, spread):
    """FAISS works in blocks; at their borders and among thousands of ties the order must hold."""
    rng = np.random.default_rng(n)
    codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
    codes = {"random": codes, "few codes": codes[rng.integers(0, min(n, 5), n)], "one code": codes[[0] * n]}[spread]
    queries = np.concatenate([codes[:3], rng.integers(0, 256, (3, 8), dtype=np.uint8)])
    ours, theirs = NumpyEngine(codes), FaissEngine(codes)
    for k in sorted({1, 2, 20, min(n, 300), n if n <= 5_000 else 1_000}):
        for one, other in zip(ours.search(queries, k), theirs.search(queries, k), strict=True):
            np.testing.assert_array_equal(one, other)


def test_why_the_id_map_is_not_used():
    """IndexBinaryIDMap returns the numbers it was given, and among equally near codes any of them first."""
    codes = np.zeros((50, 8), np.uint8)
    index = faiss.IndexBinaryIDMap(faiss.IndexBinaryFlat(64))
    index.add_with_ids(codes, np.arange(50)[::-1].copy())
    assert index.search(codes[:1], 5)[1][0].tolist() != [0, 1, 2, 3, 4]
    assert FaissEngine(codes).search(codes[:1], 5)[1][0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_has_one_answer_alone_and_in_a_batch(kind):
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 4, (n, 8), dtype=np.uint8) for n in (3_000, 70))
    engine = kind(codes)
    together = as_pairs(engine, queries, 20)
    assert together == [as_pairs(engine, queries[[row]], 20)[0] for row in range(len(queries))]


@pytest.mark.parametrize("kind", KINDS)
def test_codes_that_are_not_codes_are_refused(kind):
    for bad in (np.zeros(8, np.uint8), np.zeros((3, 8), np.int64), np.zeros((3, 0), np.uint8)):
        with pytest.raises(ValueError, match=r"codes must be \(n, bytes\) uint8"):
            kind(bad)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine must be one of faiss, numpy, got 'annoy'"):
        choose_engine("annoy")
    assert choose_engine() is FaissEngine               # the lock installs it


def test_an_engine_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(Fashion16Error, match=r'pip install faiss-cpu, or use engine="numpy"'):
        choose_engine("faiss")
    assert choose_engine("numpy") is NumpyEngine
