"""One look for every figure: readable in grey, told apart by more than colour."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

INK, MUTED, PAPER_RED, OURS = "#222222", "#8a8a8a", "#b3372f", "#1f5fa8"
PAGE = 6.9     # inches, a page's text: printed there, letters are as large as drawn
PALETTE = ("#1f5fa8", "#d98c1f", "#2b8a57", "#b3372f", "#7a5ba6")  # dark to light enough to differ in grey
LINE_COLOURS = (*(colour for colour in PALETTE if colour != PAPER_RED), "#4d4d4d")     # red is the paper's
HATCHES = ("", "//", "..", "xx", "\\\\")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "image.cmap": "gray",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "hatch.linewidth": 0.6,
}


def use_style() -> None:
    """Set the look for all figures that follow."""
    mpl.rcParams.update(STYLE)


def headline(figure: Any, text: str) -> None:
    """Put what there is to see over a figure, flush left."""
    figure.suptitle(wrapped(text, figure.get_figwidth(), 12), x=0.01, ha="left")


def wrapped(text: str, inches: float, points: float) -> str:
    """Return text in lines no longer than some inches, for letters of a size in points, about half as wide as high."""
    return textwrap.fill(text, int(72 * inches / (0.54 * points)), break_on_hyphens=False)


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> Any:
    """Return a figure of width x height inches and its axes as a (rows, columns) array."""
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)
    return figure, axes
