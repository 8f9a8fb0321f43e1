"""Curves a panel a category: every line where the table has it, and what is missing said."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fashion16_lib.report.top_k import curves_in_panels, points_by_kind

TABLE = pd.DataFrame([{"kind": kind, "category": category, "x": x, "y": height * x / 50}
                      for kind, height in (("ours", 0.4), ("theirs", 0.2))
                      for category in ("all", "dresses", "skirts", "tops") for x in (1, 25, 50)])


def test_a_panel_a_category_and_a_line_a_kind():
    figure = curves_in_panels(TABLE, "What is seen", "k", "accuracy", missing=("VGG-19: weights unavailable",),
                              marks={"skirts": (20, 0.9, "text")})
    shown = [axis for axis in figure.axes if axis.axison]
    assert [axis.get_title() + axis.get_title("left") for axis in shown] == ["all", "dresses", "skirts", "tops"]
    for axis in shown:
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [0.008, 0.2, 0.4])
        assert axis.get_ylim()[0] == 0 and axis.get_ylim()[1] > 0.4
        assert axis.lines[0].get_linestyle() != axis.lines[1].get_linestyle()
    assert shown[2].texts[0].get_text() == "text"
    legend = next(axis.get_legend() for axis in figure.axes if axis.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ["ours", "theirs", "VGG-19: weights unavailable"]
    plt.close(figure)


def test_with_no_room_left_the_legend_stands_beside():
    figure = curves_in_panels(TABLE[TABLE["category"].isin(["all", "tops"])], "What is seen", "k", "accuracy")
    assert len(figure.legends) == 1 and len([axis for axis in figure.axes if axis.axison]) == 2
    plt.close(figure)


def test_points_are_told_apart_twice_by_mark_and_colour():
    table = pd.DataFrame({"x": range(6), "y": range(6), "category": list("aabbcc"), "domain": list("ababab")})
    figure = points_by_kind(table, "What is seen", ("by category", "by domain"))
    for axis, n in zip(figure.axes, (3, 2), strict=True):
        assert len(axis.lines) == n and len({line.get_marker() for line in axis.lines}) == n
        assert sum(len(line.get_xdata()) for line in axis.lines) == 6
    plt.close(figure)
