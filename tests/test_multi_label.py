"""Sets of labels: how they are made, scored, cut, routed; against scikit-learn, brute force and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.label_sets import (
    AND,
    TEXT_COUNTS,
    combinations,
    frequent_combinations,
    label_sets,
    labelled_by,
    several_labels,
    six_combinations,
)
from fashion16_lib.evaluate.attribute_routing import (
    attribute_labels,
    libraries,
    library_probabilities,
    own_library,
)
from fashion16_lib.evaluate.multi_label import (
    THRESHOLDS,
    best_threshold,
    best_thresholds,
    f1_scores,
    label_scores,
    macro_f1,
    macro_precision,
    macro_recall,
    majority_guess,
    mean_average_precision,
    past_minus_before,
    rise_over_fall,
    total_rise,
    whole_set_right,
)
from fashion16_lib.evaluate.relevance import same_values

RNG = np.random.default_rng(1)
TRUE = RNG.random((200, 5)) < [0.5, 0.2, 0.05, 0.9, 0.3]
PROBABILITIES = np.clip(0.5 * TRUE + RNG.random(TRUE.shape) * 0.7, 0, 1)
SAID = PROBABILITIES > 0.5


def shop(rows: list[tuple[str, str, str, str]]) -> Dataset:
    """Return photos (empty ones) with gender, colour, type and use."""
    table = pd.DataFrame(rows, columns=["gender", "baseColour", "articleType", "usage"])
    n = len(rows)
    return Dataset("product-photos", np.zeros((n, 8, 8), np.uint8), np.zeros(n, np.int64), ("all",),
                   [f"{row:05d}" for row in range(n)], attributes=table)


# ---------------------------------------------------------------- sets of labels

def test_the_six_combinations_are_the_texts_and_capped():
    rows = [("Women", "Navy Blue", "Dresses", ""), ("Women", "Blue", "Tops", ""), ("Women", "Maroon", "Dresses", ""),
            ("Men", "Black", "Tshirts", ""), ("Men", "Teal", "Tshirts", ""), ("Boys", "Blue", "Tshirts", ""),
            ("Men", "Black", "Dresses", ""), ("Women", "Green", "Dresses", "")] + [("Men", "Red", "Tshirts", "")] * 200
    six = six_combinations(shop(rows))
    assert label_sets(six)[:5] == [("female", "blue", "dress"), ("female", "blue", "shirt"), ("female", "red", "dress"),
                                   ("male", "black", "shirt"), ("male", "blue", "shirt")]
    assert len(six) == 5 + 194 and len(six_combinations(shop(rows), at_most=False)) == 205
    assert six.class_names == tuple(AND.join(words) for words in TEXT_COUNTS)


def test_too_few_combinations_are_refused():
    with pytest.raises(ValueError, match="at least two"):
        six_combinations(shop([("Men", "Red", "Tshirts", "")] * 3))
    with pytest.raises(ValueError, match="no table"):
        combinations(Dataset("own", np.zeros((1, 8, 8), np.uint8), np.zeros(1, np.int64), ("a",), ["1"]))


def test_frequent_combinations_hold_their_share():
    photos = shop([("Men", "Red", "Shirts", "")] * 60 + [("Women", "Pink", "Tops", "")] * 38
                  + [("Men", "Tan", "Ties", "")] * 2)
    assert frequent_combinations(photos, 0.05) == ("Men / Red / Shirts", "Women / Pink / Tops")
    assert len(frequent_combinations(photos, 0.02)) == 3 and len(frequent_combinations(photos.take(range(99)), 0)) == 2
    chosen = labelled_by(photos, combinations(photos), ("Women / Pink / Tops",))
    assert len(chosen) == 38 and set(chosen.label_names) == {"Women / Pink / Tops"}


def test_several_labels_are_one_to_four():
    photos = shop([("Unisex", "Black", "Backpacks", "Sports"), ("Men", "Tan", "Shirts", "Casual"),
                   ("Women", "Black", "Tops", "Ethnic")])
    expected = [("Men", "Women", "Black", "Sports"), ("Men",), ("Women", "Black", "Ethnic")]
    assert several_labels(photos, ("Black",)) == expected


# ---------------------------------------------------------------- scores

def test_scores_are_scikit_learns():
    assert np.allclose(f1_scores(TRUE, SAID), oracle.f1_score(TRUE, SAID, average=None))
    assert macro_f1(TRUE, SAID) == pytest.approx(oracle.f1_score(TRUE, SAID, average="macro"))
    assert macro_precision(TRUE, SAID) == pytest.approx(oracle.precision_score(TRUE, SAID, average="macro"))
    assert macro_recall(TRUE, SAID) == pytest.approx(oracle.recall_score(TRUE, SAID, average="macro"))
    assert whole_set_right(TRUE, SAID).mean() == pytest.approx(oracle.accuracy_score(TRUE, SAID))
    expected = oracle.average_precision_score(TRUE, PROBABILITIES, average="macro")
    assert mean_average_precision(TRUE, PROBABILITIES) == pytest.approx(expected)


def test_scores_at_their_limits():
    nothing = np.zeros_like(TRUE)
    assert macro_f1(TRUE, TRUE) == 1 and macro_f1(TRUE, nothing) == 0 and macro_precision(TRUE, nothing) == 0
    without = TRUE.copy()
    without[:, 2] = False                                               # a label that no photo has isn't counted
    assert macro_f1(without, without) == 1 and mean_average_precision(without, without.astype(float)) == 1


def test_the_majority_guess_is_the_commonest_set():
    train = np.array([[1, 0], [0, 1], [0, 1], [1, 1]], bool)
    assert majority_guess(train, 3).tolist() == [[False, True]] * 3


def test_every_label_has_its_interval():
    table = label_scores(TRUE, SAID, "abcde").set_index(["name", "kind"])
    assert len(table) == 15 and ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    f1 = table.xs("F1", level="kind")["value"].to_numpy()
    assert np.allclose(f1, f1_scores(TRUE, SAID))
    resampled = [f1_scores(TRUE[rows], SAID[rows])[0] for rows in RNG.integers(0, 200, (2000, 200))]
    drawn = table.loc[("a", "F1"), ["low", "high"]].astype(float)
    assert np.allclose(drawn, np.quantile(resampled, (0.025, 0.975)), atol=0.02)
    silent = label_scores(TRUE, np.zeros_like(TRUE), "abcde")
    assert set(silent["kind"]) == {"recall", "F1"}                      # no precision of what is never said


# ---------------------------------------------------------------- cuts

def test_cuts_are_the_best_by_brute_force():
    at = best_threshold(TRUE, PROBABILITIES)
    best = max(whole_set_right(TRUE, cut < PROBABILITIES).mean() for cut in THRESHOLDS)
    assert whole_set_right(TRUE, at < PROBABILITIES).mean() == best
    cuts = best_thresholds(TRUE, PROBABILITIES)
    for label, cut in enumerate(cuts):
        best = max(oracle.f1_score(TRUE[:, label], PROBABILITIES[:, label] > other) for other in THRESHOLDS)
        assert oracle.f1_score(TRUE[:, label], PROBABILITIES[:, label] > cut) == pytest.approx(best)


def test_where_all_cuts_are_equal_the_middle_is_taken():
    assert best_threshold(TRUE, TRUE.astype(float)) == 0.5 and (best_thresholds(TRUE, TRUE.astype(float)) == 0.5).all()


# ---------------------------------------------------------------- curves

def test_moves_of_curves_by_hand():
    assert total_rise([3, 2, 1]) == 0 and total_rise([3, 1, 2, 1, 4]) == 4
    assert rise_over_fall([3, 2, 1]) == 0 and rise_over_fall([3, 1, 2, 0]) == pytest.approx(1 / 4)


def test_past_and_before_are_windows_of_one_length():
    assert past_minus_before([9, 1, 3, 5], epochs=2) == (3 + 5) / 2 - (9 + 1) / 2
    assert past_minus_before([9, 1, 3, 5], epochs=2, window=1) == 5 - 1
    assert past_minus_before([9, 9, 1, 2], epochs=3) == 2 - 1
    with pytest.raises(ValueError, match="more than 20"):
        past_minus_before([1.0] * 20)


# ---------------------------------------------------------------- libraries by attributes

GALLERY = pd.DataFrame({"type": ["Top", "Top", "Bag", "Top"], "colour": ["red", "blue", "red", "red"]})
QUERIES = pd.DataFrame({"type": ["Top", "Bag"], "colour": ["red", "blue"]})
COLUMNS = ("type", "colour")


def test_libraries_are_the_groups_of_the_table():
    stored_under, cells = libraries(GALLERY, COLUMNS)
    groups = {key: set(rows) for key, rows in GALLERY.groupby(list(COLUMNS)).indices.items()}
    assert {tuple(label.split(": ")[1] for label in cell): set(np.flatnonzero(stored_under == place))
            for place, cell in enumerate(cells)} == groups
    assert own_library(QUERIES, COLUMNS, cells).tolist() == [[stored_under[0]], [-1]]
    assert attribute_labels(QUERIES, COLUMNS)[1] == ("type: Bag", "colour: blue")


def test_a_library_is_as_likely_as_the_product_of_its_labels():
    _, cells = libraries(GALLERY, COLUMNS)
    names = ["colour: red", "type: Bag", "type: Top"]                   # nobody predicts blue
    found = library_probabilities(np.array([[0.5, 0.25, 0.75]]), names, cells)
    bag, top = "type: Bag", "type: Top"
    by_hand = {(bag, "colour: red"): 0.125, (top, "colour: red"): 0.375, (top, "colour: blue"): 0}
    assert dict(zip(cells, found[0], strict=True)) == by_hand


def test_the_harder_relevance_wants_every_column():
    same = same_values(QUERIES, GALLERY, COLUMNS)
    assert same(0).tolist() == [True, False, False, True] and not same(1).any()
    assert same_values(QUERIES, GALLERY, ("type",))(1).tolist() == [False, False, True, False]
