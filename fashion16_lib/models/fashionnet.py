"""Product search, FashionNet: VGG-16's features pooled at a garment's landmarks, beside those of the whole picture."""

from __future__ import annotations

import numpy as np

from fashion16_lib.models.embedding import of_length_1


def pooled_at(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return what a layer's filters answer at some points, between four neighbours in proportion.

    Cell i of h covers the share (i, i + 1) / h of the picture, so its own answer stands at (i + 0.5) / h.

    Parameters
    ----------
    maps : (n, h, w, filters)
    points : (n, k, 2), x and y as shares; outside the picture the nearest inside counts

    Returns
    -------
    (n, k * filters) of the maps' type
    """
    n, height, width = maps.shape[:3]
    x, y = (np.clip(points[:, :, axis] * side - 0.5, 0, side - 1) for axis, side in ((0, width), (1, height)))
    left, top = (np.minimum(at.astype(int), side - 2) if side > 1 else np.zeros(at.shape, int)
                 for at, side in ((x, width), (y, height)))
    right, down = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, along = (x - left)[:, :, None], (y - top)[:, :, None]
    rows = np.arange(n)[:, None]
    upper = (1 - across) * maps[rows, top, left] + across * maps[rows, top, right]
    lower = (1 - across) * maps[rows, down, left] + across * maps[rows, down, right]
    return ((1 - along) * upper + along * lower).reshape(n, -1).astype(maps.dtype)


def global_and_local(features: np.ndarray, maps_shape: tuple[int, int, int], points: np.ndarray) -> np.ndarray:
    """Return flat features beside what their maps answer at the landmarks, both of length 1, (n, d + 8 * filters).

    Parameters
    ----------
    features : (n, h * w * filters), VGG-16's flat
    maps_shape : (h, w, filters)
    points : (n, 8, 2)
    """
    local = pooled_at(features.reshape(len(features), *maps_shape), points)
    return np.hstack([of_length_1(features), of_length_1(local)]).astype(np.float32)
