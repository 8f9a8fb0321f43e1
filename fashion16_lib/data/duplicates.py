"""1.1: the same photo twice: a perceptual hash of 64 bits, and how far two pictures are apart in grey levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.pictures import image_digest
from fashion16_lib.data.preprocess import resize, to_grey
from fashion16_lib.progress import progress

SMALL = 28              # pictures are compared at Fashion-MNIST's size: more would count JPEG's noise


@dataclass(frozen=True)
class Prints:
    """Hold what is needed of pictures to find them again, a row a picture.

    Attributes
    ----------
    hashes : (n, 8) uint8, see `difference_hash`
    small : (n, 28 * 28 * channels) uint8, the pictures at 28 x 28; channels 1 for an array of grey ones, else 3
    digests : SHA-256 of shape and pixels
    """

    hashes: np.ndarray
    small: np.ndarray
    digests: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.digests)

    def take(self, rows: Sequence[int] | np.ndarray) -> Prints:
        """Return the prints at the given rows, in that order."""
        rows = np.asarray(rows, np.int64)
        return Prints(self.hashes[rows], self.small[rows], tuple(self.digests[row] for row in rows))


def difference_hash(image: np.ndarray) -> np.ndarray:
    """Return 64 bits that outlast resizing, light and compression, (8,) uint8.

    The picture is shrunk to 8 rows of 9 grey levels; each bit says whether the level rises from a place to the next:

        bit[row, column] = level[row, column + 1] > level[row, column]

    Parameters
    ----------
    image : (h, w) or (h, w, 3) uint8
    """
    levels = cv2.resize(to_grey(image), (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(levels[:, 1:] > levels[:, :-1])


def prints_of(images: Sequence[np.ndarray] | np.ndarray) -> Prints:
    """Look at each picture once and return its hash, its small version and its digest."""
    channels = 1 if isinstance(images, np.ndarray) and images.ndim == 3 else 3
    hashes, small = np.empty((len(images), 8), np.uint8), np.empty((len(images), SMALL, SMALL, channels), np.uint8)
    digests = []
    for row in progress(range(len(images)), "looking for duplicates", unit="picture"):
        image = images[row]
        hashes[row] = difference_hash(image)
        little = resize(image, SMALL)
        small[row] = little[:, :, None] if little.ndim == 2 else little
        digests.append(image_digest(image))
    return Prints(hashes, small.reshape(len(small), SMALL * SMALL * channels), tuple(digests))


def together(*parts: Prints) -> Prints:
    """Return the prints of several parts one after the other."""
    return Prints(np.concatenate([part.hashes for part in parts]), np.concatenate([part.small for part in parts]),
                  tuple(digest for part in parts for digest in part.digests))


def grey_levels_apart(small: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the root mean square difference of small pictures, in grey levels, (n,) float64.

    Parameters
    ----------
    small, others : (d,) and (n, d) uint8
    """
    difference = others.astype(np.float32) - small.astype(np.float32)
    return np.sqrt(np.mean(difference * difference, axis=1, dtype=np.float64))


def saved_again(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image as it comes back from a JPEG file of the given quality, 1 to 100; shape and dtype stay."""
    turned = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])
    _, content = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])
    again: Any = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR)
    return again if image.ndim == 2 else np.ascontiguousarray(again[:, :, ::-1])
