"""Timing: methods take turns, warm-up is left out, times are times; synthetic codes; hits among candidates."""

from __future__ import annotations

import time
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion16_lib.evaluate.metrics import direct_precision, hits_among_candidates
from fashion16_lib.evaluate.routing import likeliest
from fashion16_lib.evaluate.timing import time_interleaved, times_of, with_synthetic_copies

# ---------------------------------------------------------------- time_interleaved


@pytest.fixture
def calls():
    return []


def recorders(calls, *names):
    return {name: lambda query, name=name: calls.append((name, query)) for name in names}


def test_the_methods_take_turns_and_the_first_turn_goes_round(calls):
    timed = time_interleaved(recorders(calls, "a", "b", "c"), ["v", "w", "x", "y"], n_warm_up=0)
    order = ["abc", "bca", "cab", "abc"]
    assert calls == [(name, query) for query, names in zip("vwxy", order, strict=True) for name in names]
    assert list(timed.columns) == ["query", "method", "time_ms"]
    assert list(timed["method"]) == list("".join(order))
    assert timed["query"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_warm_up_runs_every_method_and_is_not_in_the_table(calls):
    timed = time_interleaved(recorders(calls, "a", "b"), np.arange(5), n_warm_up=3)
    assert calls[:6] == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert len(calls) == 6 + 10 and len(timed) == 10
    assert timed.groupby("method")["query"].apply(list).to_dict() == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4]}


def test_what_a_first_call_loads_is_not_timed():
    asked = []

    def loads_first(query):
        time.sleep(0 if query in asked else 0.3)
        asked.append(query)

    assert time_interleaved({"it": loads_first}, [1, 2], n_warm_up=2)["time_ms"].max() < 150
    assert time_interleaved({"it": loads_first}, [3], n_warm_up=0)["time_ms"].min() >= 300


@pytest.mark.parametrize("n_warm_up", [0, 2, 9])
def test_more_warm_up_than_queries_and_no_queries(calls, n_warm_up):
    methods = recorders(calls, "a")
    assert len(time_interleaved(methods, [1, 2, 3], n_warm_up)) == 3
    assert len(calls) == 3 + min(n_warm_up, 3)
    assert len(time_interleaved(methods, [], n_warm_up)) == 0


def test_times_are_milliseconds():
    timed = time_interleaved({"5 ms": lambda _: time.sleep(0.005), "50 ms": lambda _: time.sleep(0.05)}, range(5), 1)
    short, long = times_of(timed, "5 ms"), times_of(timed, "50 ms")
    assert short.min() >= 5 and long.min() >= 50
    assert np.median(short) < 40 and np.median(long) < 200


def test_a_hundred_times_the_work_takes_about_a_hundred_times_as_long():
    little, much = np.arange(1_000.0), np.arange(100_000.0)
    work = {"little": lambda _: [sum(little) for _ in range(5)], "much": lambda _: [sum(much) for _ in range(5)]}
    timed = time_interleaved(work, range(9), n_warm_up=1)
    ratio = np.median(times_of(timed, "much")) / np.median(times_of(timed, "little"))
    assert 25 < ratio < 400


def test_times_come_by_query_and_method():
    timed = time_interleaved({"a": lambda _: None, "b": lambda _: time.sleep(0.002)}, range(6), n_warm_up=0)
    shuffled = timed.sample(frac=1, random_state=0)
    assert times_of(shuffled, "b").tolist() == [
        row.time_ms for row in timed.itertuples() if row.method == "b"
    ] and times_of(timed, "a").shape == (6,)


# ---------------------------------------------------------------- synthetic codes


def n_differing(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.unpackbits(a ^ b).sum())


@pytest.fixture
def codes():
    return np.random.default_rng(1).integers(0, 256, size=(40, 8), dtype=np.uint8)


def test_the_real_codes_come_first_and_stay_as_they_are(codes):
    before = codes.copy()
    more = with_synthetic_copies(codes, 500)
    assert more.shape == (500, 8) and more.dtype == np.uint8
    np.testing.assert_array_equal(more[:40], before)
    np.testing.assert_array_equal(codes, before)


@pytest.mark.parametrize("n_flipped", [0, 1, 3, 8])
def test_each_copy_lies_within_the_flipped_bits_of_a_real_code(codes, n_flipped):
    copies = with_synthetic_copies(codes, 400, n_flipped)[40:]
    nearest = [min(n_differing(copy, real) for real in codes) for copy in copies]
    assert max(nearest) <= n_flipped
    assert all((n_flipped - near) % 2 == 0 for near in nearest)  # the same bit twice is flipped back
    assert np.mean(nearest) > 0.8 * n_flipped - 0.1  # 8 of 64 bits: 7.1 stay flipped on average


def test_copies_come_from_all_real_codes_and_flips_reach_all_bits(codes):
    copies = with_synthetic_copies(codes, 4_000, n_flipped=1)[40:]
    distances = np.bitwise_count(copies[:, None] ^ codes[None]).sum(axis=2)
    assert set(distances.argmin(axis=1)) == set(range(40))
    flipped = np.unpackbits(copies ^ codes[distances.argmin(axis=1)], axis=1)
    assert flipped.sum(axis=0).min() > 20  # 3,960 flips over 64 bits: about 62 each


def test_the_seed_decides_the_copies(codes):
    np.testing.assert_array_equal(with_synthetic_copies(codes, 90, seed=5), with_synthetic_copies(codes, 90, seed=5))
    assert (with_synthetic_copies(codes, 90, seed=5) != with_synthetic_copies(codes, 90, seed=6)).any()


@pytest.mark.parametrize("n_items", [1, 39, 40])
def test_no_flips_where_the_real_codes_are_enough(codes, n_items):
    np.testing.assert_array_equal(with_synthetic_copies(codes, n_items), codes[:n_items])


# ---------------------------------------------------------------- hits among candidates, likeliest classes

ITEMS = st.lists(st.tuples(st.integers(0, 255), st.booleans(), st.booleans()), min_size=1, max_size=6)


def over_all_orders(items: list[tuple[int, bool]], k: int) -> float:
    """Average the relevant among the first k over every order of the items that respects the distances."""
    hits = [
        sum(items[place][1] for place in order[:k])
        for order in permutations(range(len(items)))
        if all(items[a][0] <= items[b][0] for a, b in pairwise(order))
    ]
    return sum(hits) / len(hits)


@given(ITEMS, st.lists(st.integers(0, 255), min_size=1, max_size=2), st.integers(1, 7))
@settings(max_examples=120, deadline=None)
def test_hits_among_candidates_are_the_average_over_all_orders_of_ties(items, asked, k):
    """Eight bits: items are (code, relevant, candidate); the second query turns relevant round."""
    code, relevant, candidate = (np.array(column) for column in zip(*items, strict=True))
    hits = hits_among_candidates(
        np.array(asked, np.uint8)[:, None],
        code.astype(np.uint8)[:, None],
        relevant=lambda query: relevant if query == 0 else ~relevant,
        candidates=lambda _: candidate,
        k=k,
    )
    for query, found in enumerate(hits):
        among = [((query_code ^ c).bit_count(), bool(r) != bool(query)) for c, r, inside in items if inside
                 for query_code in [asked[query]]]
        assert found == pytest.approx(over_all_orders(among, k))
    assert hits.shape == (len(asked),) and hits.dtype == np.float64


def test_with_all_as_candidates_hits_are_direct_precision_times_k():
    rng = np.random.default_rng(0)
    codes, asked = (rng.integers(0, 256, size=(n, 2), dtype=np.uint8) for n in (200, 30))
    labels, wanted = rng.integers(0, 4, size=200), rng.integers(0, 4, size=30)
    everything = np.ones(200, bool)
    for k in (1, 20, 200):
        hits = hits_among_candidates(asked, codes, lambda query: labels == wanted[query], lambda _: everything, k)
        np.testing.assert_allclose(hits, k * direct_precision(asked, wanted, codes, labels, k))
    np.testing.assert_allclose(hits, [(labels == want).sum() for want in wanted])  # k = n: every relevant item


def test_instance_recall_is_1_where_the_item_itself_is_a_candidate_and_0_where_not():
    codes = np.arange(32, dtype=np.uint8)[:, None]

    def itself(query):
        return np.arange(32) == query

    assert (hits_among_candidates(codes, codes, itself, itself, 1) == 1).all()
    assert (hits_among_candidates(codes, codes, itself, lambda _: np.ones(32, bool), 1) == 1).all()
    assert (hits_among_candidates(codes, codes, itself, lambda query: ~itself(query), 5) == 0).all()
    assert (hits_among_candidates(codes, codes, itself, lambda _: np.zeros(32, bool), 5) == 0).all()


@given(st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=1, max_size=4), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_the_likeliest_classes_are_those_that_sorting_puts_first(rows, n):
    """Ties go to the class with the lower number."""
    probabilities = np.array(rows) / 4
    found = likeliest(probabilities, n)
    for row, classes in zip(rows, found, strict=True):
        assert classes.tolist() == sorted(range(5), key=lambda label, row=row: (-row[label], label))[:n]
    assert found.shape == (len(rows), n) and found.dtype == np.int64
    np.testing.assert_array_equal(found[:, 0], probabilities.argmax(axis=1))
