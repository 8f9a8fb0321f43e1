"""What a change costs: counted one by one, and the limits of methods that nothing or everything disturbs."""

import numpy as np
import pytest

from fashion16_lib.data.changes import brighten, rotate, scale
from fashion16_lib.evaluate.robustness import CHANGES, accuracy_by_strength, accuracy_kept, right_under_changes

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(60, 200, (6, 28, 28), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1])


def by_light(images):
    """Say 1 where the mean is above 100, else 0."""
    return (images.reshape(len(images), -1).mean(axis=1) > 100).astype(int)


def only_unchanged(images):
    """Say the right class of images that are exactly as they were, a wrong one of others."""
    return np.where([np.array_equal(image, was) for image, was in zip(images, IMAGES, strict=True)], LABELS, 1 - LABELS)


METHODS = {"light": by_light, "always": lambda images: LABELS, "exact": only_unchanged}


@pytest.fixture(scope="module")
def table():
    return right_under_changes(IMAGES, LABELS, METHODS)


def test_every_query_is_asked_under_every_strength_by_every_method(table):
    n_strengths = sum(1 + len(strengths) for _, _, strengths in CHANGES.values())
    assert len(table) == len(IMAGES) * len(METHODS) * n_strengths
    assert not table.duplicated(["query", "method", "change", "strength"]).any()


def test_right_is_what_the_method_says_of_the_changed_image(table):
    functions = {"rotated": rotate, "scaled": scale, "lit": brighten}
    for row in table[table["method"] == "light"].to_dict("records"):
        changed = functions[row["change"]](IMAGES[row["query"]], row["strength"])
        assert row["right"] == (int(changed.mean() > 100) == LABELS[row["query"]])


def test_limits_nothing_disturbs_and_everything_disturbs(table):
    for change in CHANGES:
        np.testing.assert_array_equal(accuracy_kept(table, "always", change), np.zeros(6))
        np.testing.assert_array_equal(accuracy_kept(table, "exact", change), -np.ones(6))


def test_kept_is_the_mean_over_the_strengths_less_the_unchanged(table):
    for change, (function, neutral, strengths) in CHANGES.items():
        for query in range(6):
            one, label = IMAGES[query], LABELS[query]
            right = [float(by_light(function(one, strength)[None])[0] == label) for strength in (neutral, *strengths)]
            expected = sum(right[1:]) / len(strengths) - right[0]
            assert accuracy_kept(table, "light", change)[query] == pytest.approx(expected)


def test_accuracy_by_strength_counts_queries(table):
    lit = accuracy_by_strength(table, "lit")
    darkest = lit[(lit["kind"] == "light") & (lit["x"] == 0.4)].iloc[0]
    assert darkest["y"] == 0.5 and darkest["n"] == 6            # everything is dark: class 0 for all, half are right
    assert 0 < darkest["low"] < 0.5 < darkest["high"] < 1
    assert list(lit[lit["kind"] == "always"]["x"]) == [1, 0.4, 0.7, 1.5]


def test_a_method_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match=r"no rows for 'SIFT', 'lit'; it has the methods light, always, exact"):
        accuracy_kept(table, "SIFT", "lit")
