"""Keywords: combinations that occur, an engine against its formula, ties by every order of the tied."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from fashion16_lib.evaluate.keywords import (
    as_words,
    chance_in_first,
    combinations_of,
    count_hits,
    text_similarities,
)

SHOP = pd.DataFrame({"colour": ["Black", "Black", "Navy Blue", "", "Blue", "NA"],
                     "type": ["Shirts", "Shirts", "Casual Shoes", "Jeans", "Casual Shoes", "Shirts"]})


def test_combinations_are_those_that_occur():
    found = combinations_of(SHOP, ["colour", "type"])
    assert as_words(found) == ["Black Shirts", "Blue Casual Shoes", "Navy Blue Casual Shoes"]


def test_similarities_are_cosines_of_tf_idf_by_hand():
    texts, asked = ["a b", "a c c", "d"], ["a c", "z"]
    weight = {word: np.log((1 + 3) / (1 + sum(word in text.split() for text in texts))) + 1 for word in "abcd"}

    def vector(text):
        counts = np.array([text.split().count(word) * weight[word] for word in "abcd"])
        return counts / (np.linalg.norm(counts) or 1)

    expected = [[vector(question) @ vector(text) for text in texts] for question in asked]
    np.testing.assert_allclose(text_similarities(asked, texts), expected, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_ties_share_the_places_by_all_orders(k):
    seen = np.array([[3, 1, 1, 2, 1], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]]) / 7
    found = chance_in_first(seen, k)
    for row, chances in zip(seen, found, strict=True):
        orders = [sorted(order, key=lambda place: -row[place])[:k] for order in permutations(range(5))]
        np.testing.assert_allclose(chances, [np.mean([place in order for order in orders]) for place in range(5)])


def test_none_of_the_first_is_refused():
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        chance_in_first(np.ones((1, 3)), 0)


def test_hits_are_counted_before_and_after():
    found = np.array([[1, 1, 0.5, 0.5], [1, 1, 1, 0]])
    right, kept = np.array([[True, False, True, False]] * 2), np.array([[True, True, False, True], [False] * 4])
    counted = count_hits(found, right, kept)
    assert counted.to_dict("list") == {"returned": [3, 3], "right": [1.5, 2], "kept": [2.5, 0], "kept right": [1, 0]}
