"""The chart that compares several kinds of one number for each name: classes, labels, sizes of training sets."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.report.style import LINE_COLOURS, MARKERS, PAGE, PAPER_RED, headline, panels


def dots(
    table: pd.DataFrame, title: str, unit: str, *, marks: dict[str, float] | None = None, from_zero: bool = False
) -> Figure:
    """Draw a row a name and on it a mark a kind, with its interval where it has one; kinds differ by mark and colour.

    table : columns name, kind, value, and optionally low and high (NaN: no interval); names and kinds stand in the
        order in which they first come
    marks : named values, dashed
    """
    names, kinds = list(dict.fromkeys(table["name"])), list(dict.fromkeys(table["kind"]))
    gap = 0.7 / len(kinds)
    figure, axes = panels(1, 1, PAGE, 0.14 * len(names) * (len(kinds) + 1) + 1.5)
    axis = axes[0, 0]
    for number, kind in enumerate(kinds):
        part = table[table["kind"] == kind]
        colour, marker = LINE_COLOURS[number % len(LINE_COLOURS)], MARKERS[number % len(MARKERS)]
        places = [names.index(name) + (number - (len(kinds) - 1) / 2) * gap for name in part["name"]]
        if "low" in part:
            axis.hlines(places, part["low"], part["high"], color=colour, linewidth=1.4)
        axis.plot(part["value"], places, marker, color=colour, label=kind, clip_on=False)
    for name, at in (marks or {}).items():
        axis.axvline(at, color=PAPER_RED, linestyle="--", linewidth=1)
        axis.text(at, -0.6, name, color=PAPER_RED, fontsize=8, ha="center", va="bottom")
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=unit, ylim=(len(names) - 0.45, -0.55))
    if from_zero:
        axis.set_xlim(0, 1.05 * max([table.filter(["value", "high"]).max().max(), *(marks or {}).values()]))
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    headline(figure, title)
    return figure
