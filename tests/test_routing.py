"""Ways to search and the switchboard: against what the searches themselves return."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.evaluate.metrics import direct_precision, in_class_precision
from fashion16_lib.evaluate.routing import (
    hits_by_way,
    inside,
    itself,
    likeliest,
    same_class,
    share_seen,
    ways_to_search,
)
from fashion16_lib.evaluate.switchboard import Choices, precision_with, switch
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.retrieval import DirectSearch


@pytest.fixture(scope="module")
def sides(photos, gallery_features, query_features):
    return (gallery_features, photos.gallery.labels), (query_features, photos.queries.labels)


@pytest.fixture(scope="module")
def ways(photos, head, gallery_features, query_features):
    probabilities = head.predict_proba_of_features(query_features)
    predicted = head.predict_proba_of_features(gallery_features).argmax(axis=1)
    return probabilities, predicted, ways_to_search(probabilities, photos.gallery.labels, predicted, 2)


def test_each_way_gives_the_precision_that_the_metrics_give(photos, sides, ways):
    (gallery, labels), (queries, asked) = sides
    probabilities, predicted, by_name = ways
    hasher = RandomHyperplanes(64, 0).fit(gallery)
    codes, query_codes = hasher.encode(gallery), hasher.encode(queries)
    found = {name: hits / 20 for name, hits in
             hits_by_way(query_codes, codes, same_class(asked, labels), by_name, 20).items()}
    said = probabilities.argmax(axis=1)
    codes_and_labels = query_codes, asked, codes, labels, 20
    in_class = [in_class_precision(*codes_and_labels, said, under) for under in (labels, predicted)]
    oracle = [direct_precision(*codes_and_labels), *in_class]
    for mine, theirs in zip(list(found.values())[:3], oracle, strict=True):
        assert mine == pytest.approx(theirs)


def test_all_classes_are_direct_search_and_one_is_in_class(ways, photos):
    probabilities, predicted, by_name = ways
    labels = photos.gallery.labels
    everything = list(ways_to_search(probabilities, labels, predicted, 10).values())[3]
    one = list(ways_to_search(probabilities, labels, predicted, 1).values())[3]
    for query in range(20):
        assert everything(query).all()
        assert (one(query) == (predicted == probabilities[query].argmax())).all()
    assert share_seen(by_name["direct"], range(5)) == pytest.approx(1)
    assert share_seen(by_name["in class, by true class"], range(100)) == pytest.approx(0.1)


def test_likeliest_and_inside_by_hand():
    probabilities = np.array([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4]])
    assert likeliest(probabilities, 2).tolist() == [[1, 2], [0, 2]]
    assert inside(np.array([[1, 2]]), np.array([0, 1, 2, 1]))(0).tolist() == [False, True, True, True]


def test_the_same_item_is_found_at_once_and_never_in_another_library(photos, sides, ways):
    """A gallery item as its own query: recall 1 directly and in its own library, 0 where it can't be seen."""
    gallery, labels = sides[0]
    codes = RandomHyperplanes(256, 0).fit(gallery).encode(gallery)
    rows = np.arange(40)
    own, other = (inside((labels[rows] + move)[:, None] % 10, labels) for move in (0, 1))
    found = hits_by_way(codes[rows], codes, itself(rows, len(codes)), {"own": own, "other": other}, 20)
    assert (found["own"] == 1).all() and (found["other"] == 0).all()


# ---------------------------------------------------------------- the switchboard

def test_the_default_is_the_direct_search_of_the_book(sides):
    (gallery, labels), (queries, asked) = sides
    hasher = RandomHyperplanes(64, 0).fit(gallery)
    expected = direct_precision(hasher.encode(queries), asked, hasher.encode(gallery), labels, 20)
    assert precision_with(Choices(), *sides) == pytest.approx(expected)


def test_gallery_order_is_what_search_returns(model, photos, sides, cached_vgg):
    found = precision_with(Choices(ties_by_chance=False), *sides)
    search = DirectSearch(model.library, cached_vgg)
    for query in range(10):
        hits = search.search(photos.queries.images[query], 20)
        right = sum(hit.label == photos.queries.label_names[query] for hit in hits) / 20
        assert found[query] == pytest.approx(right)


def test_buckets_that_hold_all_change_nothing_and_narrow_ones_lose(sides):
    base = precision_with(Choices(), *sides)
    assert precision_with(Choices(buckets=Buckets(1, 8, probe_radius=8)), *sides) == pytest.approx(base)
    assert precision_with(Choices(buckets=Buckets(1, 16)), *sides).mean() < base.mean()


def test_switching_nothing_changes_nothing(sides):
    switches = [("none", "the same", {}), ("bits", "8", {"n_bits": 8})]
    same, fewer = switch(switches, lambda c: precision_with(c, *sides), Choices()).to_dict("records")
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)
    assert fewer["high"] < 0 and fewer["n"] == len(sides[1][1])
