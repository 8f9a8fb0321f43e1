"""Charts that compare several kinds of one number for each name: classes, sizes of training sets."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.report.style import LINE_COLOURS, MARKERS, PAGE, headline, panels


def dots(table: pd.DataFrame, title: str, unit: str) -> Figure:
    """Draw a row a name and on it a mark a kind, each with its interval; kinds are told apart by mark and colour.

    table : columns name, kind, value, low, high; names and kinds stand in the order in which they first come
    """
    names, kinds = list(dict.fromkeys(table["name"])), list(dict.fromkeys(table["kind"]))
    gap = 0.7 / len(kinds)
    figure, axes = panels(1, 1, PAGE, 0.14 * len(names) * (len(kinds) + 1) + 1.5)
    axis = axes[0, 0]
    for number, kind in enumerate(kinds):
        part = table[table["kind"] == kind]
        colour, marker = LINE_COLOURS[number % len(LINE_COLOURS)], MARKERS[number % len(MARKERS)]
        places = [names.index(name) + (number - (len(kinds) - 1) / 2) * gap for name in part["name"]]
        axis.hlines(places, part["low"], part["high"], color=colour, linewidth=1.4)
        axis.plot(part["value"], places, marker, color=colour, label=kind)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=unit, ylim=(len(names) - 0.45, -0.55))
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    headline(figure, title)
    return figure
