"""Pictures with their landmarks: the shop's, and the street's with where they were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fashion16_lib.data.landmarks import Points
from fashion16_lib.report.garments import show_image
from fashion16_lib.report.style import OURS, PAPER_RED, headline, panels


def show_landmarks(
    in_shop: Sequence[np.ndarray], shop: Points, in_street: Sequence[np.ndarray], street: Points,
    found: np.ndarray, captions: Sequence[str], title: str,
) -> Figure:
    """Draw product photos over street photos: rings at the true points, crosses at those found, (n, 8, 2), joined."""
    figure, axes = panels(2, len(captions), 1.2 * len(captions), 3.9)
    for column, caption in enumerate(captions):
        show_image(axes[0, column], in_shop[column], caption)
        _rings(axes[0, column], in_shop[column], shop.points[column][shop.visible[column]])
        show_image(axes[1, column], in_street[column])
        height, width = in_street[column].shape[:2]
        spots, seen = np.clip(found[column], 0, 1) * (width - 1, height - 1), street.visible[column]
        true = _rings(axes[1, column], in_street[column], street.points[column][seen])
        axes[1, column].plot(*np.stack([true, spots[seen]]).transpose(2, 0, 1), color=OURS, linewidth=0.7)
        axes[1, column].plot(*spots.T, "x", color=PAPER_RED, markersize=4, markeredgewidth=1.2)
    axes[0, 0].set_ylabel("shop", fontsize=8)
    axes[1, 0].set_ylabel("street", fontsize=8)
    headline(figure, title)
    return figure


def _rings(axis: Any, image: np.ndarray, points: np.ndarray) -> np.ndarray:
    spots = points * (image.shape[1] - 1, image.shape[0] - 1)
    axis.plot(*spots.T, "o", markerfacecolor="none", markeredgecolor=OURS, markersize=5, markeredgewidth=1.2)
    return spots
