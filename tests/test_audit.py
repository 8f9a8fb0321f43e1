"""Figures of an audit: what stands in them is what they were given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fashion16_lib.report.audit import contact_sheet, pairs_in_rows, with_intervals
from fashion16_lib.report.garments import hits_in_rows

GREY, COLOUR = np.full((28, 28), 90, np.uint8), np.full((80, 60, 3), 200, np.uint8)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def pictures(figure) -> list:
    return [axis for axis in figure.axes if axis.images]


def test_pairs_stand_in_their_rows_and_no_more_than_asked():
    near = [(GREY, COLOUR, "1"), (COLOUR, GREY, "2"), (GREY, GREY, "3")]
    figure = pairs_in_rows({"near": near, "far": []}, "pairs", 2)
    drawn = pictures(figure)
    assert len(drawn) == 4 and [axis.get_title(loc="left") for axis in drawn] == ["1", "", "2", ""]
    assert (drawn[1].images[0].get_array() == COLOUR).all() and (drawn[2].images[0].get_array() == COLOUR).all()
    assert {text.get_text() for axis in figure.axes for text in axis.texts} == {"near", "far: none"}


def test_a_contact_sheet_shows_each_picture_under_its_caption():
    figure = contact_sheet([GREY] * 5, list("abcde"), "five", columns=3)
    assert [axis.get_title() for axis in pictures(figure)] == list("abcde") and len(figure.axes) == 6
    assert pictures(contact_sheet([], [], "none")) == []


def test_a_hit_of_another_class_is_marked_by_more_than_colour():
    figure = hits_in_rows({"direct": (GREY, "Bag", [(COLOUR, "Bag", True), (COLOUR, "Coat", False)])}, "one search")
    query, right, wrong = pictures(figure)
    assert query.get_ylabel() == "direct"
    assert query.get_title() == "QUERY\nBag" and right.get_title() == "✓\nBag" and wrong.get_title() == "✗\nCoat"
    assert {spine.get_linestyle() for spine in wrong.spines.values()} == {"--"}
    assert {spine.get_linestyle() for spine in right.spines.values()} == {"solid"}


def test_a_row_may_have_fewer_hits():
    figure = hits_in_rows({"a": (GREY, "Bag", [(GREY, "Bag", True)] * 3), "b": (GREY, "Bag", [])}, "two searches")
    assert len(figure.axes) == 8 and len(pictures(figure)) == 5


def test_intervals_stand_where_the_numbers_are():
    found = pd.DataFrame({"name": ["a", "b"], "value": [0.1, -0.2], "low": [0.0, -0.4], "high": [0.3, -0.1]})
    axis = with_intervals(found, "differences", "share").axes[0]
    assert list(axis.lines[2].get_xdata()) == [-0.4, -0.1] and list(axis.lines[3].get_xdata()) == [-0.2]
    assert [text.get_text().strip() for text in axis.texts] == ["+0.100", "-0.200", ""]
    assert axis.get_xlim()[0] <= -0.4 and axis.get_xlim()[1] >= 0.3 and axis.yaxis_inverted()
    named = with_intervals(found, "shares", "share", ("all", 0.05)).axes[0]
    assert named.texts[-1].get_text() == "all" and named.texts[0].get_text().strip() == "0.100"
    assert list(named.lines[-1].get_xdata()) == [0.05, 0.05]
