"""The chart of several kinds a name: every number where the table has it, nothing on top of another."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from fashion16_lib.report.charts import bars
from fashion16_lib.report.dots import dots
from fashion16_lib.report.small import figure_png


def test_every_mark_and_interval_stands_at_its_name():
    table = pd.DataFrame([
        {"name": name, "kind": kind, "value": value, "low": value - 0.1, "high": value + 0.2}
        for kind, values in (("ours", (0.3, 0.5, 0.9)), ("theirs", (0.2, 0.4)))
        for name, value in zip(("Coat", "Bag", "Shirt"), values, strict=False)])
    figure = dots(table, "What is seen", "share")
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["Coat", "Bag", "Shirt"]
    marks = {line.get_label(): line for line in axis.lines}
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(marks) == ["ours", "theirs"]
    for kind, values in (("ours", [0.3, 0.5, 0.9]), ("theirs", [0.2, 0.4])):
        np.testing.assert_allclose(marks[kind].get_xdata(), values)
        np.testing.assert_array_equal(np.round(marks[kind].get_ydata()), range(len(values)))     # nearest to its name
    heights = [*marks["ours"].get_ydata(), *marks["theirs"].get_ydata()]
    assert len(set(np.round(heights, 6))) == 5
    assert marks["ours"].get_marker() != marks["theirs"].get_marker()
    intervals = [path.vertices[:, 0] for lines in axis.collections for path in lines.get_paths()]
    np.testing.assert_allclose(intervals[0], (0.2, 0.5))
    assert axis.get_ylim()[0] > axis.get_ylim()[1]              # the first name on top
    plt.close(figure)


def test_without_intervals_from_zero_and_with_a_named_value():
    table = pd.DataFrame({"name": ["a", "b"], "kind": "ours", "value": [0.25, 0.5]})
    axis = dots(table, "What is seen", "share", marks={"guess": 0.1}, from_zero=True).axes[0]
    ours, guess = axis.lines
    assert ours.get_xdata().tolist() == [0.25, 0.5] and not axis.collections
    assert list(guess.get_xdata()) == [0.1, 0.1] and axis.texts[0].get_text() == "guess"
    assert axis.get_xlim()[0] == 0 and axis.get_xlim()[1] > 0.5
    plt.close("all")


def test_bars_of_values_below_zero_keep_their_numbers_on_the_page():
    """Few noisy timings may give a negative share; its number once stood so far out that the picture had no end."""
    figure = bars(pd.DataFrame({"name": ["ours", "theirs"], "value": [-40.0, 0.1]}), "What is seen", "share")
    with Image.open(io.BytesIO(figure_png(figure, {"Title": "x"}))) as drawn:
        assert drawn.width < 2_000
    low, high = figure.axes[0].get_xlim()
    assert low < -40 < 0.1 < high
