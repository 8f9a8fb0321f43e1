"""Pictures of sets of labels: probabilities side by side, photos with what was said of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.report.garments import show_image
from fashion16_lib.report.style import HATCHES, PAGE, PALETTE, PAPER_RED, headline, panels


def side_by_side(table: pd.DataFrame, title: str, unit: str, marks: dict[str, float]) -> Figure:
    """Draw groups of bars, a group a row of the table (its index), a bar a column; named heights are dashed lines."""
    figure, axes = panels(1, 1, PAGE, 2.9)
    axis = axes[0, 0]
    width = 0.8 / len(table.columns)
    for number, (name, values) in enumerate(table.items()):
        places = np.arange(len(table)) + (number - (len(table.columns) - 1) / 2) * width
        axis.bar(places, values, width, color=PALETTE[number], hatch=HATCHES[number], edgecolor="white", label=name)
        for place, value in zip(places, values, strict=True):
            axis.text(place, value, f"{value:.3f}", ha="center", va="bottom", fontsize=7)
    for name, height in marks.items():
        axis.axhline(height, color=PAPER_RED, linestyle="--", linewidth=1)
        axis.text(1.01, height, name, color=PAPER_RED, fontsize=8, va="center", transform=axis.get_yaxis_transform())
    axis.set(xticks=range(len(table)), xticklabels=table.index, ylabel=unit, ylim=(0, 1.1))
    axis.grid(axis="x", visible=False)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    headline(figure, title)
    return figure


def photos_with_labels(
    images: Sequence[np.ndarray],
    true: Sequence[Sequence[str]],
    title: str,
    said: Sequence[Sequence[str]] | None = None,
    in_a_row: int = 6,
) -> Figure:
    """Draw photos, under each its labels; with what was said, a line for what is missing and one for what is wrong."""
    rows = -(-len(images) // in_a_row)
    lines = max(map(len, true)) if said is None else 5
    figure, axes = panels(rows, in_a_row, PAGE, rows * (1.15 + 0.14 * lines) + 0.5)
    for axis in axes.flat:
        axis.axis("off")
    for number, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.axis("on")
        show_image(axis, image)
        words = "\n".join(true[number])
        if said is not None:
            missing, wrong = set(true[number]) - set(said[number]), set(said[number]) - set(true[number])
            words = "\n".join([*(word for word in true[number] if word not in missing),
                               *(f"– {word}" for word in sorted(missing)), *(f"✗ {word}" for word in sorted(wrong))])
        axis.set_xlabel(words, fontsize=7)
    headline(figure, title)
    return figure
