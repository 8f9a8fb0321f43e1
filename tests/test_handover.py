"""Engines against brute force: what they find at their greatest effort, what they keep in a file, what they refuse."""

import faiss
import numpy as np
import pytest

from fashion16_lib.models.embedding import of_length_1
from fashion16_lib.search import handover
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.threads import one_thread

K = 20


@pytest.fixture(scope="module")
def numbers(gallery_features, query_features):
    planes = RandomHyperplanes(64, 0).fit(gallery_features)
    return {"codes": (planes.encode(gallery_features), planes.encode(query_features)),
            "features": (of_length_1(gallery_features), of_length_1(query_features))}


def exact(numbers, kind):
    gallery, queries = numbers[kind]
    if kind == "codes":
        return hamming_distances(queries, gallery)
    return 1 - queries @ gallery.T


WAYS = [(handover.faiss_graph_of_codes, "codes"), (handover.usearch_graph_of_codes, "codes"),
        (handover.faiss_lists_of_features, "features"), (handover.usearch_graph_of_features, "features")]


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_an_engine_finds_most_of_the_nearest_and_more_with_more_effort(way, kind, numbers):
    gallery, queries = numbers[kind]
    engine, distances = way(gallery), exact(numbers, kind)
    assert engine.numbers == kind and kind in engine.name
    last = np.partition(distances, K - 1, axis=1)[:, K - 1: K]
    recall = []
    for effort in (engine.efforts[0], engine.efforts[-1]):
        rows = engine.search(queries, K, effort)
        assert rows.shape == (len(queries), K) and rows.dtype == np.int64
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in rows)      # no row twice
        found = np.take_along_axis(distances, np.maximum(rows, 0), axis=1)
        recall.append(((found <= last + 1e-3) & (rows >= 0)).mean())
        ordered = np.where(rows >= 0, found, np.inf)
        assert (ordered[:, 1:] >= ordered[:, :-1] - 2e-3).all()                      # the nearest first
    assert recall[1] > 0.95 and recall[1] >= recall[0] - 0.01


def test_looking_into_all_lists_is_exact_search(numbers):
    engine = handover.faiss_lists_of_features(numbers["features"][0])
    expected = np.argsort(exact(numbers, "features"), axis=1, kind="stable")[:, :K]
    rows = engine.search(numbers["features"][1], K, max(engine.efforts))
    assert (rows == expected).mean() > 0.99                     # but for rounding at ties


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_in_one_thread_the_same_gallery_makes_the_same_index(way, kind, numbers):
    gallery, queries = numbers[kind]
    with one_thread:
        first, second = (way(gallery).search(queries, K, 16) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_engines_open_what_was_saved_without_this_library(way, kind, numbers, tmp_path):
    from usearch.index import Index

    gallery, queries = numbers[kind]
    engine, path = way(gallery), tmp_path / "index"
    engine.save(path)
    effort = engine.efforts[-1]
    if "USearch" in engine.name:
        again = Index.restore(str(path))
        again.expansion_search = effort
        rows = again.search(queries, K, threads=1).keys
    elif kind == "codes":
        again = faiss.read_index_binary(str(path))
        again.hnsw.efSearch = effort
        rows = again.search(queries, K)[1]
    else:
        again = faiss.read_index(str(path))
        again.nprobe = effort
        rows = again.search(queries, K)[1]
    np.testing.assert_array_equal(rows, engine.search(queries, K, effort))


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_where_there_are_fewer_than_k_the_rest_is_minus_one(way, kind, numbers):
    gallery, queries = numbers[kind]
    engine = way(gallery[:5])
    rows = engine.search(queries[:3], 9, engine.efforts[-1])
    assert rows.shape == (3, 9) and (np.sort(rows, axis=1)[:, 4:] == np.arange(5)).all() and (rows[:, 5:] == -1).all()


@pytest.mark.parametrize(("way", "kind"), WAYS)
def test_other_numbers_are_refused(way, kind, numbers):
    wrong = numbers["features" if kind == "codes" else "codes"][0].astype(np.float32) * np.nan
    with pytest.raises(ValueError):
        way(wrong)
