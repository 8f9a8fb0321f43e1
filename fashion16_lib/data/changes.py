"""2.2.1: rotation, scale, light and the other changes under which a photo of the same garment may come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fashion16_lib.data.opencv import cv2


def ground(image: np.ndarray) -> int | tuple[int, ...]:
    """Return what a garment stands on, to fill what a change lays bare.

    Grey images: 0, as Fashion-MNIST's; colour: the median of the four borders, each channel its own.
    """
    if image.ndim == 2:
        return 0
    borders = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return tuple(map(int, np.median(borders, axis=0)))


def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """Return an image turned counter-clockwise about its centre; what comes in at the corners is the ground.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) uint8; so in every function here, and the result has its shape and dtype
    degrees : any number; 0 gives the same pixels
    """
    return _turn_and_scale(image, degrees, 1.0)


def scale(image: np.ndarray, factor: float) -> np.ndarray:
    """Return an image enlarged (factor above 1) or shrunk about its centre on the same canvas, bilinear.

    Raises
    ------
    ValueError : factor not above 0
    """
    if not factor > 0:
        raise ValueError(f"factor must be above 0, got {factor}; 0.5 halves the garment, 1 leaves it")
    return _turn_and_scale(image, 0.0, factor)


def _turn_and_scale(image: np.ndarray, degrees: float, factor: float) -> np.ndarray:
    """Return the image under OpenCV's affine map; what comes in at the border is the ground."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=ground(image))


def brighten(image: np.ndarray, factor: float) -> np.ndarray:
    """Return an image with each pixel multiplied by a factor, rounded and cut at 255.

    Raises
    ------
    ValueError : factor negative
    """
    if not factor >= 0:
        raise ValueError(f"factor must be at least 0, got {factor}; 0.5 halves the light, 1 leaves it")
    return np.clip(np.rint(image * float(factor)), 0, 255).astype(np.uint8)


def shift(image: np.ndarray, right: int, down: int) -> np.ndarray:
    """Return an image moved by whole pixels; negative means left or up, the ground comes in at the border."""
    moved = np.empty_like(image)
    moved[:] = ground(image)
    height, width = image.shape[:2]
    moved[_inside(down, height), _inside(right, width)] = image[_inside(-down, height), _inside(-right, width)]
    return moved


def _inside(move: int, size: int) -> slice:
    """Return the places that pixels moved by so many places land on."""
    return slice(min(max(move, 0), size), max(size + min(move, 0), 0))


def flip(image: np.ndarray) -> np.ndarray:
    """Return an image with left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def crop(image: np.ndarray, share: float) -> np.ndarray:
    """Return the middle of an image, `share` of each side, enlarged back to the image's size, bilinear.

    Raises
    ------
    ValueError : share not above 0 or above 1
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}; 0.85 cuts 15 % of each side")
    height, width = image.shape[:2]
    kept_height, kept_width = max(1, round(share * height)), max(1, round(share * width))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    middle = image[top: top + kept_height, left: left + kept_width]
    return cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR)


# What may lie between two uses of one photo: 15 % of each side cut away, left and right exchanged, moved by a
# fourteenth of the side (2 of Fashion-MNIST's 28 pixels), 30 % more light (cut at 255: highlights burn out). Strong
# enough to alter nine tenths of a garment's pixels, weak enough that a person still sees the same garment.
SEEN_AGAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "crop": lambda image: crop(image, 0.85),
    "flip": flip,
    "shift": lambda image: shift(image, round(image.shape[1] / 14), round(image.shape[0] / 14)),
    "brightness": lambda image: brighten(image, 1.3),
}


def each(images: Any, change: Callable[..., np.ndarray], *strength: float) -> Any:
    """Return all images changed: an array (n, h, w) or (n, h, w, 3) as an array, pictures of any size as a list."""
    changed = [change(image, *strength) for image in images]
    return np.stack(changed) if isinstance(images, np.ndarray) else changed


def seen_again(images: Any) -> list[tuple[str, Any]]:
    """Return each change's name with all images changed so (`each`): the queries of instance recall."""
    images = images if isinstance(images, np.ndarray) else list(images)         # decoded once
    return [(name, each(images, change)) for name, change in SEEN_AGAIN.items()]
