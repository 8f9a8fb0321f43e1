"""1.1: preprocessing, in each reading of "remove the mean" and "x / 255"; and what VGG-16 wants instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fashion16_lib.data.opencv import cv2
from fashion16_lib.settings import MEANS

if TYPE_CHECKING:
    from fashion16_lib.data.dataset import Dataset

IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)  # what VGG-16 was trained with


def mean_to_remove(images: np.ndarray, reading: str) -> np.ndarray:
    """Return what a reading of "remove the mean" subtracts, in grey levels 0-255.

    The paper (1.1) removes "the average brightness of the image" from "each data point", then divides by 255 "so that
    the samples lie in [0, 1]". Which mean isn't said, and no mean and [0, 1] go together.

    Parameters
    ----------
    images : (n, h, w) uint8, the training images
    reading : "none" (the only one that gives [0, 1]), "dataset" (one number), "pixel" (one number a pixel),
        "image" (each image its own: nothing to store, 0 is returned)

    Images in colour, (n, h, w, 3), have one mean for all channels by "dataset" and "image".

    Returns
    -------
    () or (h, w) float32, (h, w, 3) of images in colour

    Raises
    ------
    ValueError : unknown reading
    """
    if reading not in MEANS:
        raise ValueError(f"reading must be one of {', '.join(MEANS)}, got {reading!r}")
    if reading == "dataset":
        return np.asarray(images.mean(dtype=np.float64), np.float32)
    if reading == "pixel":
        return images.mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.zeros((), np.float32)


def standardise(images: np.ndarray, reading: str, mean: np.ndarray | float = 0) -> np.ndarray:
    """Return (images - mean) / 255 as float32 of the same shape (1.1).

    Parameters
    ----------
    images : (n, h, w) uint8; never changed
    reading, mean : as in `mean_to_remove`
    """
    images = np.asarray(images, np.float32)
    if reading == "image":
        mean = images.mean(axis=tuple(range(1, images.ndim)), keepdims=True)
    return (images - mean) / 255


def resize(image: np.ndarray, pixels: int) -> np.ndarray:
    """Return the image as (pixels, pixels) or (pixels, pixels, 3): by area when it shrinks, bilinear when it grows.

    Sides are scaled apart; the paper doesn't say how its photos became squares.
    """
    shrinks = pixels < min(image.shape[:2])
    return cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def to_grey(image: np.ndarray) -> np.ndarray:
    """Return an (h, w) image: grey as it is, RGB by its luma."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def check_image(image: np.ndarray) -> np.ndarray:
    """Return an image as (h, w) or (h, w, 3) uint8, or raise ValueError."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or 0 in image.shape:
        raise ValueError(
            f"an image must be (h, w) grey or (h, w, 3) RGB uint8, got {image.dtype} of shape "
            f"{image.shape}; read files with fashion16_lib.data.pictures.read_image"
        )
    return np.ascontiguousarray(image)


def to_colour(image: np.ndarray) -> np.ndarray:
    """Return an (h, w, 3) image: RGB as it is, grey with three equal channels."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def to_table1_input(images: Sequence[np.ndarray] | np.ndarray, pixels: int = 28, colour: bool = False) -> np.ndarray:
    """Return images as (n, pixels, pixels) grey uint8, the size that Table 1 takes; in colour (n, pixels, pixels, 3)."""
    shape = (pixels, pixels, 3) if colour else (pixels, pixels)
    if isinstance(images, np.ndarray) and images.shape[1:] == shape and images.dtype == np.uint8:
        return images
    if len(images) == 0:
        return np.empty((0, *shape), np.uint8)
    plain = to_colour if colour else to_grey
    return np.stack([resize(plain(check_image(image)), pixels) for image in images])


def small_copy(photos: Dataset, pixels: int = 28, colour: bool = False, inverted: bool = False) -> Dataset:
    """Return the same items with their images as `to_table1_input` makes them, held in memory.

    inverted : grey levels x become 255 - x: photos of things on white get the black ground of Fashion-MNIST
    """
    images = to_table1_input(photos.images, pixels, colour)
    return replace(photos, images=255 - images if inverted else images)


def to_vgg16_input(images: Sequence[np.ndarray] | np.ndarray, pixels: int) -> np.ndarray:
    """Return images as VGG-16 wants them: (n, pixels, pixels, 3) float32, BGR, ImageNet means removed.

    Not the paper's x / 255: with ImageNet's weights only the input they were trained with makes sense.
    """
    batch = np.empty((len(images), pixels, pixels, 3), np.float32)
    for place, image in zip(batch, images, strict=True):
        small = resize(check_image(image), pixels)
        place[:] = small[..., None] if small.ndim == 2 else small[..., ::-1]
    return batch - IMAGENET_MEAN_BGR
