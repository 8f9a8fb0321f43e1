"""Curves side by side, a panel a category: top-k accuracy against k, and losses against steps."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.report.style import LINE_COLOURS, LINES, MARKERS, PAGE, PAPER_RED, headline, panels


def curves_in_panels(
    table: pd.DataFrame,
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    missing: tuple[str, ...] = (),
    marks: dict[str, tuple[float, float, str]] | None = None,
) -> Figure:
    """Draw a panel a category with a line a kind; kinds that couldn't be had stand in the legend.

    table : columns kind, category, x, y; panels and lines in the order in which they first come
    missing : said in the legend, without a line
    marks : category -> (x, y, words) of a number of the text's
    """
    categories, kinds = list(dict.fromkeys(table["category"])), list(dict.fromkeys(table["kind"]))
    rows = -(-len(categories) // 3)
    figure, axes = panels(rows, min(3, len(categories)), PAGE, 2.1 * rows + 0.9, sharex=True, sharey=True)
    for axis in axes.flat[len(categories):]:
        axis.axis("off")
    for axis, category in zip(axes.flat, categories, strict=False):
        for number, kind in enumerate(kinds):
            part = table[(table["kind"] == kind) & (table["category"] == category)]
            axis.plot(part["x"], part["y"], LINES[number % 4], color=LINE_COLOURS[number % 5], label=kind)
        if marks and category in marks:
            x, y, words = marks[category]
            axis.plot(x, y, "*", color=PAPER_RED, markersize=10)
            axis.annotate(words, (x, y), xytext=(5, -9), textcoords="offset points", color=PAPER_RED, fontsize=7)
        axis.set_title(category, fontsize=9)
    axes.flat[0].set_ylim(0, 1.05 * table["y"].max())
    for axis in axes.flat[max(0, len(categories) - axes.shape[1]): len(categories)]:    # nothing stands below these
        axis.set_xlabel(xlabel)
        axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    for name in missing:
        axes.flat[0].plot([], [], " ", label=name)
    handles, names = axes.flat[0].get_legend_handles_labels()
    free = axes.flat[len(categories)] if len(categories) < axes.size else None
    (free or figure).legend(handles, names, fontsize=8, loc="center" if free is not None else "outside right")
    headline(figure, title)
    return figure


def points_by_kind(table: pd.DataFrame, title: str, captions: tuple[str, str]) -> Figure:
    """Draw points on a plane twice: told apart by category, and by domain.

    table : columns x, y, category, domain
    captions : over the two panels
    """
    figure, axes = panels(1, 2, PAGE, 4.0)
    for axis, column, words in zip(axes[0], ("category", "domain"), captions, strict=True):
        for number, name in enumerate(dict.fromkeys(table[column])):
            part = table[table[column] == name]
            axis.plot(part["x"], part["y"], MARKERS[number % 5], color=LINE_COLOURS[number % 5], markersize=3,
                      alpha=0.6, label=name)
        axis.set(xticks=[], yticks=[])
        axis.set_title(words, fontsize=9)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, markerscale=2)
    headline(figure, title)
    return figure
