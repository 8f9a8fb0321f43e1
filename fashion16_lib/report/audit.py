"""Figures of an audit: pairs of pictures, contact sheets, differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.report.garments import show_image
from fashion16_lib.report.style import INK, OURS, PAGE, PAPER_RED, headline, panels


def pairs_in_rows(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray, str]]], title: str, most: int) -> Figure:
    """Draw pairs of pictures, a row a kind: up to `most` pairs beside each other, a caption over each pair's left."""
    widths = [width for _ in range(most) for width in (1, 1, 0.25)][:-1]
    figure, axes = panels(len(rows), len(widths), 8.4, 0.82 * len(rows) + 0.75, width_ratios=widths)
    for axis in axes.flat:
        axis.axis("off")
    for row, (name, pairs) in zip(axes, rows.items(), strict=True):
        row[0].text(-0.25, 0.5, name if pairs else f"{name}: none", fontsize=8, va="center", ha="right",
                    transform=row[0].transAxes)
        for place, (left, right, caption) in enumerate(pairs[:most]):
            for axis, image in ((row[3 * place], left), (row[3 * place + 1], right)):
                axis.axis("on")
                show_image(axis, image)
            row[3 * place].set_title(caption, fontsize=7, loc="left", pad=2)
    headline(figure, title)
    return figure


def contact_sheet(images: Sequence[np.ndarray], captions: Sequence[str], title: str, columns: int = 8) -> Figure:
    """Draw pictures in lines, each under its caption of up to three lines."""
    rows = max(1, -(-len(images) // columns))
    figure, axes = panels(rows, columns, 1.05 * columns, 1.5 * rows + 0.5)
    for axis in axes.flat[len(images):]:
        axis.axis("off")
    for axis, image, caption in zip(axes.flat, images, captions, strict=False):
        show_image(axis, image)
        axis.set_title(caption, fontsize=7, loc="center")
    headline(figure, title)
    return figure


def with_intervals(table: pd.DataFrame, title: str, xlabel: str, mark: tuple[str, float] = ("", 0.0)) -> Figure:
    """Draw numbers with their intervals about a named line; about 0 they are differences and get their sign.

    table : columns name, value, low, high
    """
    figure, axes = panels(1, 1, PAGE, 0.34 * len(table) + 1.35)
    axis = axes[0, 0]
    sign = "" if mark[0] else "+"
    for place, row in enumerate(table.to_dict("records")):
        axis.plot((row["low"], row["high"]), (place, place), color=INK, linewidth=1.6)
        axis.plot(row["value"], place, "o", markersize=7, color=OURS)
        axis.text(row["high"], place, f"  {round(row['value'], 3) + 0.0:{sign}.3f}", va="center", fontsize=9,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axis.axvline(mark[1], color=PAPER_RED if mark[0] else INK, linestyle="--" if mark[0] else "-", linewidth=1)
    axis.text(mark[1], -0.75, mark[0], color=PAPER_RED, fontsize=8, ha="center")
    axis.set(yticks=range(len(table)), yticklabels=table["name"], xlabel=xlabel)
    axis.set_ylim(len(table) - 0.4, -0.6)
    axis.margins(x=0.15)
    headline(figure, title)
    return figure
