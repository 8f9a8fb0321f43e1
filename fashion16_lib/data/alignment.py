"""Product search, framework 1: the main object found, cut out by its box, and turned upright."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fashion16_lib.data.changes import rotate
from fashion16_lib.data.cutout import cropped_to, garment_mask
from fashion16_lib.data.opencv import cv2
from fashion16_lib.progress import progress

ALIGNMENTS = ("whole", "box", "box, turned")
LEAST_SIDE = 8          # pixels of a box, however small it was said to be
LONG = 1.15             # spread along the axis over that across it; below, an object has no axis to speak of


def box_of(mask: np.ndarray) -> np.ndarray:
    """Return the box around a mask (h, w) bool: left, top, right, bottom in pixels, (4,) int64, the ends inside.

    Raises
    ------
    ValueError : an empty mask
    """
    if not mask.any():
        raise ValueError("a box needs at least one pixel of an object, got an empty mask; use the whole picture")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]])


def boxes_of(corners: np.ndarray, images: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """Return boxes in pixels, (4,) each, whose corners (n, 2, 2) are shares of the pictures' sides.

    What lies outside comes to the border; a box is widened to some LEAST_SIDE pixels, as far as the picture goes.
    """
    boxes = []
    for shares, image in zip(corners, images, strict=True):
        last = np.array(image.shape[1::-1]) - 1
        first, second = np.clip(np.rint(shares * last), 0, last).astype(int)
        middle = (first + second) // 2
        low = np.clip(np.minimum(first, middle - LEAST_SIDE // 2), 0, None)
        boxes.append(np.concatenate([low, np.minimum(np.maximum(second, middle + LEAST_SIDE // 2), last)]))
    return boxes


def cut_to(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the part of a photo around a box, with the margin of `cropped_to`."""
    inside = np.zeros(image.shape[:2], bool)
    left, top, right, bottom = box
    inside[top: bottom + 1, left: right + 1] = True
    return cropped_to(image, inside)


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Return what two boxes share of what they cover together, 0 to 1 (intersection over union)."""
    def area(left: int, top: int, right: int, bottom: int) -> int:
        return max(0, right - left + 1) * max(0, bottom - top + 1)

    shared = area(*np.maximum(box[:2], other[:2]), *np.minimum(box[2:], other[2:]))
    return shared / (area(*box) + area(*other) - shared)


def tilt_of(mask: np.ndarray) -> float:
    """Return by how many degrees, -45 to 45, the principal axis leans away from the nearest side of the picture.

    The axis is that along which the mask's pixels spread most, from their second moments: tan 2a = 2 m11 / (m20 - m02);
    positive: counter-clockwise. An object about as long as wide has none: 0.

    Parameters
    ----------
    mask : (h, w) bool
    """
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    across, along, both = moments["mu20"], moments["mu02"], moments["mu11"]
    root = np.hypot(across - along, 2 * both)
    if across + along + root <= LONG**2 * (across + along - root):          # the squared spreads
        return 0.0
    angle = -np.degrees(0.5 * np.arctan2(2 * both, across - along))         # of rows that count downwards
    return float((angle + 45) % 90 - 45)


def aligned(image: np.ndarray, mask: np.ndarray, how: str) -> np.ndarray:
    """Return a photo cut to its main object.

    Parameters
    ----------
    image, mask : (h, w, 3) uint8 and where the object is, (h, w) bool
    how : "whole": as it is; "box": cut to the box; "box, turned": its axis brought upright or level first

    Raises
    ------
    ValueError : another way
    """
    if how not in ALIGNMENTS:
        raise ValueError(f"how must be one of {', '.join(ALIGNMENTS)}, got {how!r}")
    if how == "whole" or not mask.any():
        return image
    if how == "box, turned":
        lean = tilt_of(mask)
        turned = rotate(mask.astype(np.uint8), -lean) > 0
        if turned.any():                        # else the turn would carry it out of the picture
            image, mask = rotate(image, -lean), turned
    return cropped_to(image, mask)


def masks_of(images: np.ndarray) -> list[np.ndarray]:
    """Return where the main object of each photo is, (h, w) bool each, by GrabCut."""
    return [garment_mask(image) for image in progress(images, "GrabCut", unit="photo")]
