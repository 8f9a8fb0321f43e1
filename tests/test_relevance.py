"""Harder relevance: against loops over pairs, and against the searches that exist for codes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_distances as sklearn_cosine_distances

from fashion16_lib.evaluate.metrics import cosine_precision, direct_precision, hits_among_candidates
from fashion16_lib.evaluate.relevance import (
    code_distances,
    cosine_distances,
    count_relevant,
    expected_hits,
    reranked_hits,
    same_values,
    share_of_possible,
)
from fashion16_lib.evaluate.routing import inside, same_class
from fashion16_lib.search.hamming import hamming_distances

COLUMNS = ["articleType", "baseColour"]


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)

    def table(n):
        return pd.DataFrame({"articleType": rng.choice(["Tops", "Jeans", ""], n, p=(0.5, 0.4, 0.1)),
                             "baseColour": rng.choice(["Red", "Blue", ""], n, p=(0.5, 0.4, 0.1)),
                             "year": rng.choice(["2011", "2012"], n)})

    return table(30), table(200)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(1)
    return rng.random((150, 12), np.float32), rng.random((260, 12), np.float32)       # more than one slice of queries


def test_same_values_is_equality_in_every_column_and_empty_cells_equal_nothing(tables):
    asked, searched = tables
    relevant = same_values(asked, searched, COLUMNS)
    for query in range(len(asked)):
        wanted = asked.loc[query, COLUMNS]
        expected = [all(row[name] == wanted[name] != "" for name in COLUMNS) for _, row in searched.iterrows()]
        assert relevant(query).tolist() == expected
    counts = count_relevant(relevant, len(asked))
    assert counts.tolist() == [relevant(query).sum() for query in range(len(asked))]
    empty = (asked[COLUMNS] == "").any(axis=1).to_numpy()
    assert empty.any() and (counts[empty] == 0).all() and (counts[~empty] > 0).all()


def test_same_values_of_one_column_is_the_same_class(tables):
    asked, searched = tables
    by_year, same = same_values(asked, searched, ["year"]), same_class(asked["year"], searched["year"].to_numpy())
    assert all((by_year(query) == same(query)).all() for query in range(len(asked)))


def test_same_values_ignores_the_tables_own_row_numbers(tables):
    asked, searched = tables
    shuffled = searched.sample(frac=1, random_state=0)
    plain = same_values(asked, shuffled.reset_index(drop=True), COLUMNS)
    assert (same_values(asked, shuffled, COLUMNS)(3) == plain(3)).all()


def test_cosine_distances_are_scikit_learns(vectors):
    queries, gallery = vectors
    found = cosine_distances(queries, gallery)(slice(100, 120))
    np.testing.assert_allclose(found, sklearn_cosine_distances(queries[100:120], gallery), atol=1e-5)


@pytest.fixture(scope="module")
def coded():
    rng = np.random.default_rng(2)
    codes = [rng.integers(0, 256, (n, 1), np.uint8) for n in (150, 260)]               # 8 bits: many ties
    return codes, [rng.integers(0, 4, len(each)) for each in codes]


def test_expected_hits_are_those_of_the_search_by_codes(coded, vectors):
    (query_codes, codes), (asked, searched) = coded
    relevant = same_class(asked, searched)
    hits = expected_hits(code_distances(query_codes, codes), 150, relevant, 20)
    np.testing.assert_allclose(hits / 20, direct_precision(query_codes, asked, codes, searched, 20))
    some = inside(asked[:, None] // 2, searched // 2)
    hits = expected_hits(code_distances(query_codes, codes), 150, relevant, 5, some)
    np.testing.assert_allclose(hits, hits_among_candidates(query_codes, codes, relevant, some, 5))
    hits = expected_hits(cosine_distances(*vectors), 150, relevant, 20)
    np.testing.assert_allclose(hits / 20, cosine_precision(vectors[0], asked, vectors[1], searched, 20))


def test_reranking_everything_is_exact_search_and_a_short_list_is_sorted_by_hand(coded, vectors):
    (query_codes, codes), (asked, searched) = coded
    relevant, short, exact = same_class(asked, searched), code_distances(query_codes, codes), cosine_distances(*vectors)
    everything = reranked_hits(short, exact, 150, relevant, k=20, n_first=len(codes))
    np.testing.assert_allclose(everything, expected_hits(exact, 150, relevant, 20))
    found = reranked_hits(short, exact, 150, relevant, k=5, n_first=30)
    for query in range(150):
        code_distance = hamming_distances(query_codes[[query]], codes)[0]
        first = sorted(range(len(codes)), key=lambda row, d=code_distance: (d[row], row))[:30]
        cosine = exact(slice(query, query + 1))[0]
        best = sorted(first, key=lambda row, d=cosine: d[row])[:5]
        assert found[query] == pytest.approx(sum(searched[best] == asked[query]))
    with pytest.raises(ValueError, match="n_first must be at least k, 20, got 19"):
        reranked_hits(short, exact, 150, relevant, k=20, n_first=19)


def test_share_of_possible_is_precision_recall_and_one():
    n_relevant = np.array([50, 20, 4, 1])
    np.testing.assert_allclose(share_of_possible(np.array([10, 10, 3, 0]), n_relevant, 20), [0.5, 0.5, 0.75, 0])
    np.testing.assert_array_equal(share_of_possible(np.minimum(n_relevant, 20), n_relevant, 20), 1)
    with pytest.raises(ValueError, match="1 have none"):
        share_of_possible(np.zeros(2), np.array([3, 0]), 20)
