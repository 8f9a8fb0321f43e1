"""A contact sheet of clusters: what a person looks at who splits them by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fashion16_lib.report.garments import mark_wrong, show_image
from fashion16_lib.report.style import PAGE, headline, panels

Photo = tuple[np.ndarray, str, bool]        # picture, what is said of it, whether it belongs


def packed(sizes: Sequence[int], per_line: int) -> list[tuple[int, int]]:
    """Return the line and column at which each cluster begins: in order, a free column between two, none broken.

    Raises
    ------
    ValueError : a cluster longer than a line
    """
    if max(sizes, default=0) > per_line:
        raise ValueError(f"a line holds {per_line} photos, got a cluster of {max(sizes)}; show fewer of it")
    places, line, column = [], 0, 0
    for size in sizes:
        if column and column + size > per_line:
            line, column = line + 1, 0
        places.append((line, column))
        column += size + 1
    return places


def cluster_sheet(clusters: Sequence[Sequence[Photo]], title: str, per_line: int = 11) -> Figure:
    """Draw clusters one after the other, a gap between two; a photo that doesn't belong has a cross and a dashed frame.
    """
    places = packed([len(photos) for photos in clusters], per_line)
    n_lines = places[-1][0] + 1
    figure, axes = panels(n_lines, per_line, PAGE, 1.08 * n_lines + 0.7)
    empty = set(axes.flat)
    for photos, (line, column) in zip(clusters, places, strict=True):
        for axis, (image, words, belongs) in zip(axes[line, column:], photos, strict=False):
            empty.remove(axis)
            show_image(axis, image, f"{'✓' if belongs else '✗'} {words}")
            if not belongs:
                mark_wrong(axis)
    for axis in empty:
        axis.axis("off")
    headline(figure, title)
    return figure
