"""1.1: the garment cut out of a photo taken at home: "remove background", which the text asks of its preprocessing."""

from __future__ import annotations

import numpy as np

from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.preprocess import resize

SIDE = 80                       # GrabCut works on a small copy: its time grows with the pixels
BORDER = 0.06                   # of each side: what lies there is background for sure
ROUNDS = 3
LEAST, MOST = 0.08, 0.92        # a garment fills some share of its photo; what lies outside this is no garment


def garment_mask(image: np.ndarray) -> np.ndarray:
    """Return which pixels belong to the garment, (h, w) bool, by GrabCut (Rother, Kolmogorov & Blake, 2004).

    It learns the colours at the border as background and those of the middle as garment, and cuts where they change.
    Where it finds next to nothing, or nearly everything, all pixels count as garment.

    Parameters
    ----------
    image : (h, w, 3) RGB uint8
    """
    height, width = image.shape[:2]
    small = np.ascontiguousarray(resize(image, SIDE))
    labels = np.full((SIDE, SIDE), cv2.GC_PR_FGD, np.uint8)
    edge = max(1, round(BORDER * SIDE))
    labels[:edge], labels[-edge:], labels[:, :edge], labels[:, -edge:] = (cv2.GC_BGD,) * 4
    cv2.setRNGSeed(0)           # its colour models start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, SIDE, SIDE), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if not LEAST <= inside.mean() <= MOST:
        return np.ones((height, width), bool)
    return cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def cropped_to(image: np.ndarray, mask: np.ndarray, margin: float = 0.05) -> np.ndarray:
    """Return the part of an image around the mask's box, with a margin that is a share of the image's sides.

    Parameters
    ----------
    image : (h, w, 3) uint8
    mask : (h, w) bool, at least one True
    """
    box = []
    for axis, side in ((1, mask.shape[0]), (0, mask.shape[1])):
        places = np.flatnonzero(mask.any(axis=axis))
        more = round(margin * side)
        box.append(slice(max(0, places[0] - more), min(side, places[-1] + 1 + more)))
    return np.ascontiguousarray(image[tuple(box)])


def on_white(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the image with white where the mask is False: the background of the shop's photos; same shape, uint8."""
    return np.where(mask[..., None], image, np.uint8(255))


def border_level(image: np.ndarray) -> float:
    """Return the mean level along the top, left and right side, 0 to 255: where a photo shows its background."""
    return float(np.concatenate([image[0].ravel(), image[:, 0].ravel(), image[:, -1].ravel()]).mean())
