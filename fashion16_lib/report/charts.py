"""Charts of numbers: training curves, bit balance, precision bars, histograms, matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from fashion16_lib.report.style import (
    HATCHES,
    INK,
    LINE_COLOURS,
    LINES,
    MARKERS,
    OURS,
    PAGE,
    PALETTE,
    PAPER_RED,
    headline,
    panels,
    wrapped,
)


def training_curves(history: pd.DataFrame, title: str, marks: dict[str, float] | None = None) -> Figure:
    """Draw loss and accuracy per epoch, training and held-out tuning part (the paper's Fig 4 has 20 epochs).

    marks : named accuracies, dashed
    """
    figure, axes = panels(1, 2, PAGE, 2.9)
    for axis, name in zip(axes[0], ("loss", "accuracy"), strict=True):
        axis.plot(history["epoch"], history[name], "o-", color=PALETTE[0], label="training")
        axis.plot(history["epoch"], history[f"val_{name}"], "s--", color=PALETTE[1], label="tuning part")
        axis.set(xlabel="epoch", ylabel=name)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes[0, 0].set_ylabel("loss (cross-entropy, nats)")
    axes[0, 1].set_ylabel("accuracy (share)")
    for name, height in (marks or {}).items():
        axes[0, 1].axhline(height, color=PAPER_RED, linestyle="--", linewidth=1)
        _name_height(axes[0, 1], height, name)
    axes[0, 0].legend(fontsize=8)
    headline(figure, title)
    return figure


def mean_readings(values: dict[str, np.ndarray], title: str) -> Figure:
    """Draw where each reading of "remove the mean, then / 255" puts the grey levels; [0, 1] is shaded."""
    figure, axes = panels(1, len(values), PAGE, 2.5, sharey=True)
    for axis, (name, numbers) in zip(axes[0], values.items(), strict=True):
        axis.axvspan(0, 1, color="#eef3f8", zorder=0)
        axis.hist(numbers.ravel(), bins=60, range=(-1, 1), color=OURS, log=True)
        axis.set(xlabel="input value", xlim=(-1, 1.05), xticks=(-1, 0, 1))
        axis.set_title(f"mean: {name}\n{numbers.min():.2f} to {numbers.max():.2f}", fontsize=9)
    axes[0, 0].set_ylabel("pixels (log scale)")
    headline(figure, title)
    return figure


def bit_balance(shares: pd.DataFrame, title: str) -> Figure:
    """Draw how evenly each plane cuts the gallery: the share of ones of every bit, sorted; a column a kind."""
    figure, axes = panels(1, 1, PAGE, 3)
    axis = axes[0, 0]
    for (name, share), colour, marker in zip(shares.items(), PALETTE, MARKERS, strict=False):
        axis.plot(np.sort(share), marker, markersize=4, color=colour, label=name)
    axis.axhline(0.5, color=INK, linewidth=0.8)
    axis.set(ylim=(-0.03, 1.03), xlabel="bits, sorted by their share of ones", ylabel="share of garments with a 1")
    axis.legend()
    headline(figure, title)
    return figure


def angle_against_bits(angles: dict[str, np.ndarray], differing: dict[str, np.ndarray], title: str) -> Figure:
    """Draw the share of differing bits of random pairs against their angle, a share of pi; theory is the diagonal."""
    figure, axes = panels(1, len(angles), PAGE, 3.1, sharey=True)
    for axis, (name, angle), colour in zip(axes[0], angles.items(), PALETTE, strict=False):
        axis.plot(angle, differing[name], ".", markersize=2, color=colour, alpha=0.5)
        axis.plot((0, 1), (0, 1), color=INK, linewidth=1, label="theory: angle / π")
        axis.set(xlim=(0, 0.8), ylim=(0, 0.8), xlabel="angle between the two vectors, / π")
        axis.set_title(name, fontsize=10)
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("differing bits (share)")
    headline(figure, title)
    return figure


def bars(
    table: pd.DataFrame,
    title: str,
    unit: str,
    *,
    marks: dict[str, float] | None = None,
    digits: int = 3,
    from_zero: bool = True,
) -> Figure:
    """Draw each row of a table as a bar with its interval; named marks are dashed lines.

    table : columns "name", "value" (NaN: a range without a number of its own), and optionally "low" and "high"
    from_zero : else dots, on an axis that shows their differences
    """
    figure, axes = panels(1, 1, PAGE, 0.38 * len(table) + 1.35)
    axis = axes[0, 0]
    for place, row in enumerate(table.to_dict("records")):
        if from_zero:
            axis.barh(place, row["value"], color=OURS)
        else:
            axis.plot(row["value"], place, "o", markersize=8, color=OURS)
        low, high = row.get("low", row["value"]), row.get("high", row["value"])
        axis.plot((low, high), (place, place), color=INK, linewidth=1.6)
        said = f"{low:.{digits}f} to {high:.{digits}f}" if np.isnan(row["value"]) else f"{row['value']:.{digits}f}"
        axis.text(high, place, f"  {said}", va="center", fontsize=9)
    for name, at in (marks or {}).items():
        axis.axvline(at, color=PAPER_RED, linestyle="--", linewidth=1)
        axis.text(at, -0.75, name, color=PAPER_RED, fontsize=8, ha="center")
    axis.set(yticks=range(len(table)), yticklabels=table["name"], xlabel=unit)
    if from_zero:
        axis.set_xlim(1.12 * min(0.0, table["value"].min()), 1.12 * table["value"].max())
    else:
        axis.margins(x=0.3, y=0.25)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    headline(figure, title)
    return figure


def by_seed(table: pd.DataFrame, title: str, ylabel: str) -> Figure:
    """Draw one kind of point a method over the plane seeds; a table column each beside "seed"."""
    figure, axes = panels(1, 1, PAGE, 3.1)
    axis = axes[0, 0]
    for name, colour, marker in zip(table.columns.drop("seed"), PALETTE, MARKERS, strict=False):
        label = f"{name}: mean {table[name].mean():.3f}"
        axis.plot(table["seed"], table[name], marker, markersize=9, color=colour, label=label)
    axis.set(xticks=table["seed"], xlabel="seed of the planes (the other axis doesn't start at 0)")
    axis.set_ylabel(wrapped(ylabel, 2, 10))
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    headline(figure, title)
    return figure


def matrix(counts: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw a square table of counts with its numbers; rows and columns keep their names, the index names the rows."""
    figure, axes = panels(1, 1, 6.6, 5.2)
    axis = axes[0, 0]
    values = counts.to_numpy()
    axis.imshow(np.sqrt(values), cmap="Blues")
    for (row, column), count in np.ndenumerate(values):
        if count:
            colour = "white" if np.sqrt(count) > 0.6 * np.sqrt(values.max()) else INK
            axis.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    places = range(len(values))
    axis.set(xticks=places, yticks=places, yticklabels=counts.index, xlabel=xlabel, ylabel=counts.index.name)
    axis.set_xticklabels(counts.columns, rotation=40, ha="right")
    axis.grid(False)
    headline(figure, title)
    return figure


def scatter(table: pd.DataFrame, x: str, y: str, title: str, xlabel: str, ylabel: str) -> Figure:
    """Draw named shares against shares, one point a row of a table with the columns "name", x and y."""
    figure, axes = panels(1, 1, PAGE, 3.6)
    axis = axes[0, 0]
    for place, row in enumerate(table.to_dict("records")):
        axis.plot(row[x], row[y], MARKERS[place % 5], markersize=9, color=PALETTE[place % 5], clip_on=False)
        close = ((table[[x, y]] - (row[x], row[y])).abs() < (0.08, 0.1)).all(axis=1)
        others = table[y][close].drop(table.index[place])
        above = place % 2 if others.empty else row[y] > others.mean()         # a name keeps away from a point near by
        offset = (9, 9 if above else -14)
        axis.annotate(row["name"], (row[x], row[y]), xytext=offset, textcoords="offset points", fontsize=9)
    axis.set(xlabel=xlabel, ylabel=wrapped(ylabel, 2, 10), xlim=(0, 1.15), ylim=(0, 1.06), xticks=np.linspace(0, 1, 6))
    headline(figure, title)
    return figure


def lines(
    table: pd.DataFrame,
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    logx: bool = False,
    logy: bool = False,
    marks: dict[str, float] | None = None,
    xticks: Iterable[int] | None = None,
) -> Figure:
    """Draw a line a kind, with its interval as bars where there is one; named heights are dashed lines.

    table : columns kind, x, y, and optionally low and high (of y; NaN where there is none). A kind whose name begins
        with "paper" is drawn in red, dotted, as the paper's own numbers; one that begins with "law" or "exact", thin
        and without marks, since nothing was measured at its points
    xticks : the only places that get a number
    """
    figure, axes = panels(1, 1, PAGE, 3.4)
    axis = axes[0, 0]
    kinds = list(dict.fromkeys(table["kind"]))
    ours = [kind for kind in kinds if not kind.startswith(("paper", "law", "exact"))]
    for kind in kinds:
        part = table[table["kind"] == kind].sort_values("x")
        place = ours.index(kind) if kind in ours else 0
        look: dict[str, Any] = {
            "color": LINE_COLOURS[place % 5], "marker": MARKERS[place % 5], "linestyle": LINES[place % 4],
        }
        if kind.startswith("paper"):
            look = {"color": PAPER_RED, "marker": "*", "linestyle": ":", "markersize": 10}
        elif kind not in ours:
            look = {"color": INK, "linewidth": 1}
        axis.plot(part["x"], part["y"], label=kind, **look)
        if "low" in part and part["low"].notna().any():
            axis.vlines(part["x"], part["low"], part["high"], color=look["color"], linewidth=1.6)
    for name, height in (marks or {}).items():
        axis.axhline(height, color=PAPER_RED, linestyle="--", linewidth=1)
        _name_height(axis, height, name)
    axis.set(xlabel=xlabel, ylabel=wrapped(ylabel, 2.3, 10))
    if logx:
        _log_scale(axis, "x", table["x"])
    elif (table["x"] % 1 == 0).all():
        axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if xticks is not None:
        places = list(xticks)
        axis.set_xticks(places, [f"{place:,}" for place in places], minor=False)
        axis.minorticks_off()
    if logy:
        _log_scale(axis, "y", np.array([*table["y"], *(marks or {}).values()]))
    _legend_beside(axis, list((marks or {}).values()))
    headline(figure, title)
    return figure


def _name_height(axis: Any, height: float, name: str) -> None:
    """Write the name of a dashed line to the right of the axes."""
    axis.text(1.01, height, name, color=PAPER_RED, fontsize=8, va="center", transform=axis.get_yaxis_transform())


def _log_scale(axis: Any, which: str, values: np.ndarray | pd.Series) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2, 3, ..., at 1, 2, 5, at 1, 3 or at 1 as there is room."""
    side = axis.xaxis if which == "x" else axis.yaxis
    decades = np.log10(values.max() / values.min())
    axis.set(**{f"{which}scale": "log"})
    ticks = ((1, range(1, 10)), (1.7, (1, 2, 5)), (3.2, (1, 3)))
    side.set_major_locator(LogLocator(subs=next((at for most, at in ticks if decades < most), (1,))))
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}"))
    side.set_minor_formatter(NullFormatter())


def _legend_beside(axis: Any, marks: list[float]) -> None:
    """Put the legend to the right of the axes, in the half where fewer named heights are."""
    middle = axis.transData.inverted().transform(axis.transAxes.transform((0, 0.5)))[1]
    above = sum(height > middle for height in marks)
    corner, at = ("lower left", 0) if 2 * above > len(marks) else ("upper left", 1)
    axis.legend(fontsize=8, loc=corner, bbox_to_anchor=(1.01, at))


def tornado(table: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw for each gap the change each choice makes, the widest gap on top; the default is the line at 0.

    table : columns gap, choice, value, low, high
    """
    order = table.groupby("gap")["value"].agg(lambda values: values.abs().max()).sort_values(ascending=False).index
    rows = [row for gap in order for row in table[table["gap"] == gap].to_dict("records")]
    figure, axes = panels(1, 1, PAGE, 0.26 * len(rows) + 1.4)
    axis = axes[0, 0]
    colours = dict(zip(order, PALETTE * len(order), strict=False))
    for place, row in enumerate(rows):
        axis.barh(place, row["value"], color=colours[row["gap"]], edgecolor="white",
                  hatch=HATCHES[list(order).index(row["gap"]) % len(HATCHES)])
        axis.plot((row["low"], row["high"]), (place, place), color=INK, linewidth=1.4)
    axis.axvline(0, color=INK, linewidth=1)
    axis.xaxis.set_major_locator(MaxNLocator(7))
    axis.set(yticks=range(len(rows)), xlabel=xlabel)
    axis.set_yticklabels([f"{row['gap']}: {row['choice']}" for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    headline(figure, title)
    return figure
