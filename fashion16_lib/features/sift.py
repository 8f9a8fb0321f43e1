"""2.2.1, Table 3: SIFT descriptors as a bag of visual words: an extractor in the place of VGG-16."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.preprocess import check_image, resize, to_grey
from fashion16_lib.progress import progress

Images = Sequence[np.ndarray] | np.ndarray

KEYPOINTS = ("detected", "dense")
CELLS = (1, 2, 4)
GRID, WINDOW = 14, 0.3          # dense: 14 x 14 keypoints, each seeing 0.3 of the side; best of those tried on tuning
MIN_PIXELS, MAX_PIXELS = 28, 512
MIN_WORDS, MAX_WORDS = 2, 5_000
N_VOCABULARY_IMAGES, DESCRIPTORS_A_WORD, N_VOCABULARY_DESCRIPTORS = 2_000, 200, 50_000     # at most; clustered
IMAGES_AT_ONCE, DESCRIPTORS_AT_ONCE = 250, 8_192        # described, or compared with the words, in one go


@dataclass(frozen=True)
class Descriptors:
    """Hold the SIFT descriptors of some images, whatever vocabulary they are later counted by.

    Attributes
    ----------
    values : (m, 128) uint8, as OpenCV rounds them
    places : (m, 2) float32, x and y of each keypoint as shares of the image's sides, 0 to 1
    owners : (m,) int64, the image's row, in rising order
    n_images : images with or without keypoints
    """

    values: np.ndarray
    places: np.ndarray
    owners: np.ndarray
    n_images: int


# ---------------------------------------------------------------- keypoints and descriptors


def enlarge(image: np.ndarray, pixels: int) -> np.ndarray:
    """Return an image as SIFT sees it: grey, (pixels, pixels) uint8, bilinear.

    Of a side of 28 pixels SIFT's pyramid leaves too little: each octave halves it, and a margin of 5 is never searched.
    """
    return resize(to_grey(check_image(image)), pixels)


def find_and_describe(image: np.ndarray, keypoints: str, pixels: int) -> tuple[Sequence[Any], np.ndarray]:
    """Return an image's keypoints, as OpenCV's in pixels of the enlarged image, and their descriptors (m, 128) uint8.

    Parameters
    ----------
    keypoints : "detected": extrema of the difference of Gaussians, each with a size and a direction of its own (Lowe,
        2004; OpenCV's default thresholds); "dense": a grid, all of one size and upright
    """
    sift = cv2.SIFT_create()                                    # type: ignore[attr-defined]
    large = enlarge(image, pixels)
    if keypoints == "detected":
        points, values = sift.detectAndCompute(large, None)
    else:
        points, values = sift.compute(large, _grid(pixels))
    return points, np.empty((0, 128), np.uint8) if values is None else values.astype(np.uint8)      # whole numbers


def _grid(pixels: int) -> list[Any]:
    """Return dense keypoints. OpenCV's descriptor has 4 x 4 cells, each 1.5 sizes wide: it sees a window of 6 sizes."""
    centres = (np.arange(GRID) + 0.5) * pixels / GRID - 0.5
    return [cv2.KeyPoint(float(x), float(y), WINDOW * pixels / 6, 0.0) for y in centres for x in centres]


def describe(images: Images, keypoints: str, pixels: int) -> Descriptors:
    """Compute the SIFT descriptors of images: the costly step, the same for every vocabulary.

    Parameters
    ----------
    images : (h, w) or (h, w, 3) uint8, of any size
    keypoints, pixels : as in `SiftBagOfWords`
    """
    check_settings(keypoints=keypoints, pixels=pixels)
    values, places, counts = [np.empty((0, 128), np.uint8)], [], []
    with ThreadPoolExecutor() as pool:                        # OpenCV lets other threads run; their order is kept
        found = pool.map(lambda image: find_and_describe(image, keypoints, pixels), images)
        shown = progress(found, "SIFT", total=len(images), unit="image") if len(images) > IMAGES_AT_ONCE else found
        for points, rows in shown:
            values.append(rows)
            places += [point.pt for point in points]
            counts.append(len(rows))
    where = (np.array(places, np.float32).reshape(-1, 2) + 0.5) / pixels    # OpenCV puts 0 at the first pixel's middle
    owners = np.repeat(np.arange(len(images)), np.array(counts, np.int64))
    return Descriptors(np.concatenate(values), where, owners, len(images))


def root_sift(values: np.ndarray) -> np.ndarray:
    """Return sqrt(d / sum(d)) of descriptors (m, 128) uint8 as float32; all-zero rows stay (Arandjelovic, 2012)."""
    values = values.astype(np.float32)
    return np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1))


def draw_keypoints(image: np.ndarray, keypoints: str, pixels: int) -> np.ndarray:
    """Return an enlarged image with its keypoints as circles of their size and direction, (2p, 2p, 3) uint8 RGB."""
    points, _ = find_and_describe(image, keypoints, pixels)
    larger = [cv2.KeyPoint(2 * p.pt[0] + 0.5, 2 * p.pt[1] + 0.5, 2 * p.size, p.angle) for p in points]
    canvas = cv2.cvtColor(enlarge(image, 2 * pixels), cv2.COLOR_GRAY2RGB)
    flags = cv2.DRAW_MATCHES_FLAGS_DRAW_RICH_KEYPOINTS | cv2.DRAW_MATCHES_FLAGS_DRAW_OVER_OUTIMG
    return cv2.drawKeypoints(canvas, larger, canvas, (255, 160, 0), flags)


# ---------------------------------------------------------------- words


def fit_vocabulary(descriptors: Descriptors, n_words: int, seed: int = 0) -> np.ndarray:
    """Return the visual words: centres of mini-batch k-means of root-SIFT descriptors, (n_words, 128) float32.

    Raises
    ------
    ValueError : n_words out of range, or fewer descriptors than words
    """
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    check_settings(n_words=n_words)
    values = descriptors.values
    if len(values) < n_words:
        raise ValueError(f"n_words must be at most the number of descriptors, got {n_words} and {len(values)}; "
                         "use fewer words or more images")
    n_used = min(len(values), DESCRIPTORS_A_WORD * n_words, N_VOCABULARY_DESCRIPTORS)
    values = values[np.random.default_rng(seed).choice(len(values), n_used, replace=False)]
    means = MiniBatchKMeans(n_words, batch_size=4096, n_init=1, max_iter=20, random_state=seed)
    with threadpool_limits(1):                                  # the same words on any number of cores
        return means.fit(root_sift(values)).cluster_centers_.astype(np.float32)


def nearest_words(values: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Return the nearest word of each descriptor, (m,) int64.

    argmin |d - w|^2 = argmin (|w|^2 - 2 d.w), for |d|^2 is the same for all words.
    """
    squares = (vocabulary**2).sum(axis=1)
    words = np.empty(len(values), np.int64)
    for start in range(0, len(values), DESCRIPTORS_AT_ONCE):
        rows = slice(start, start + DESCRIPTORS_AT_ONCE)
        words[rows] = (squares - 2 * (root_sift(values[rows]) @ vocabulary.T)).argmin(axis=1)
    return words


def picture_words(
    images: Images, bag: SiftBagOfWords, described: Descriptors, n_side: int = 3
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what each word of a dense bag stands for, and how often it occurs, the commonest first.

    Parameters
    ----------
    images, described : gallery images, and what `describe` gave for them with the bag's keypoints and pixels

    Returns
    -------
    pictures : n_words of (n_side * window, n_side * window) uint8, the windows of the descriptors nearest to the word,
        nearest first, row by row; 0 where a window leaves its image and where a word has too few
    times : (n_words,) int64

    Raises
    ------
    ValueError : a bag of detected keypoints, whose windows differ in size and direction
    """
    if bag.keypoints != "dense":
        raise ValueError(f"words can be pictured of dense keypoints, got {bag.keypoints!r}; use a dense bag")
    words = nearest_words(described.values, bag.vocabulary)
    times = np.bincount(words, minlength=bag.n_words)
    order = np.argsort(-times, kind="stable")
    pictures = []
    for word in order:
        members = np.flatnonzero(words == word)
        distances = ((root_sift(described.values[members]) - bag.vocabulary[word]) ** 2).sum(axis=1)
        nearest = members[np.argsort(distances, kind="stable")[: n_side**2]]
        windows = [_window(images[described.owners[row]], described.places[row], bag.pixels) for row in nearest]
        windows += [np.zeros_like(_window(images[0], (0.5, 0.5), bag.pixels))] * (n_side**2 - len(windows))
        pictures.append(np.block([windows[start: start + n_side] for start in range(0, n_side**2, n_side)]))
    return pictures, times[order]


def _window(image: np.ndarray, place: Sequence[float] | np.ndarray, pixels: int) -> np.ndarray:
    """Return the part of an enlarged image that a dense descriptor at a place (x, y as shares) sees."""
    half = round(WINDOW * pixels / 2)
    x, y = np.rint(np.asarray(place) * pixels).astype(int)
    return np.pad(enlarge(image, pixels), half)[y: y + 2 * half, x: x + 2 * half]


def count_words(words: np.ndarray, descriptors: Descriptors, n_words: int, cells: int) -> np.ndarray:
    """Count the words of each image, in the whole image and then in each cell of 2 x 2 (and 4 x 4) cells.

    Returns
    -------
    (n_images, n_words * (1 + 4 + ...)) float32 : the square roots of the words' shares at each level, so that a
    straight line between two images is Hellinger's distance; 0 for an image without keypoints
    """
    n = descriptors.n_images
    totals = np.maximum(np.bincount(descriptors.owners, minlength=n), 1)[:, None]
    levels = []
    for level in (side for side in CELLS if side <= cells):
        column, row = np.minimum((descriptors.places * level).astype(np.int64), level - 1).T
        bins = (descriptors.owners * level**2 + row * level + column) * n_words + words
        counts = np.bincount(bins, minlength=n * level**2 * n_words).reshape(n, -1)
        levels.append(np.sqrt(counts / totals, dtype=np.float32))
    return np.concatenate(levels, axis=1)


class SiftBagOfWords:
    """Turn images into counts of visual words: an extractor like Vgg16Extractor.

    Parameters
    ----------
    vocabulary : (n_words, 128) float32, from `fit_vocabulary`
    keypoints : "detected" or "dense", as in `find_and_describe`
    pixels : side that images are brought to first, 28 to 512
    cells : 1 counts words in the whole image; 2 appends the counts in 2 x 2 cells; 4 those in 4 x 4 as well
        (Lazebnik's spatial pyramid, 2006). The first n_words columns are the same for each

    Raises
    ------
    ValueError : a setting that isn't legal; the message names those that are
    """

    kind = "sift"

    def __init__(self, vocabulary: np.ndarray, *, keypoints: str = "dense", pixels: int = 56, cells: int = 1) -> None:
        n_words = len(vocabulary)
        check_settings(keypoints=keypoints, pixels=pixels, cells=cells, n_words=n_words)
        self.vocabulary, self.keypoints, self.pixels, self.cells = vocabulary, keypoints, int(pixels), int(cells)
        self.n_words = n_words
        self.n_features = n_words * sum(side**2 for side in CELLS if side <= cells)
        self.fingerprint: dict[str, Any] = {
            "kind": self.kind,
            "keypoints": keypoints,
            "grid": [GRID, WINDOW] if keypoints == "dense" else None,
            "pixels": self.pixels,
            "cells": self.cells,
            "n_words": n_words,
            "vocabulary_sha256": hashlib.sha256(np.ascontiguousarray(vocabulary, "<f4").tobytes()).hexdigest(),
        }

    @classmethod
    def fit(
        cls, images: Images, *, n_words: int, keypoints: str = "dense", pixels: int = 56, cells: int = 1, seed: int = 0
    ) -> SiftBagOfWords:
        """Learn the words from gallery images: at most 2,000 of them, drawn with the seed."""
        check_settings(keypoints=keypoints, pixels=pixels, cells=cells, n_words=n_words)
        rows = np.random.default_rng(seed).permutation(len(images))[:N_VOCABULARY_IMAGES]
        described = describe([images[row] for row in rows], keypoints, pixels)
        return cls(fit_vocabulary(described, n_words, seed), keypoints=keypoints, pixels=pixels, cells=cells)

    def extract(self, images: Images) -> np.ndarray:
        """Return the histograms of images (h, w) or (h, w, 3) uint8 as (n, n_features) float32."""
        features = np.empty((len(images), self.n_features), np.float32)
        starts = range(0, len(images), IMAGES_AT_ONCE)
        for start in progress(starts, "SIFT", unit="batch") if len(starts) > 1 else starts:
            rows = slice(start, start + IMAGES_AT_ONCE)
            features[rows] = self.histograms(describe(images[rows], self.keypoints, self.pixels))
        return features

    def histograms(self, descriptors: Descriptors) -> np.ndarray:
        """Return the histograms of images already described with the same keypoints and pixels."""
        words = nearest_words(descriptors.values, self.vocabulary)
        return count_words(words, descriptors, self.n_words, self.cells)


def check_settings(**settings: Any) -> None:
    """Raise ValueError for a keypoints, pixels, cells or n_words that isn't legal, naming the legal values."""
    for name, value in settings.items():
        if name in ("keypoints", "cells"):
            choices = KEYPOINTS if name == "keypoints" else CELLS
            legal, right = f"one of {', '.join(map(str, choices))}", value in choices
        else:
            low, high = (MIN_PIXELS, MAX_PIXELS) if name == "pixels" else (MIN_WORDS, MAX_WORDS)
            legal, right = f"a whole number from {low} to {high}", _is_whole(value) and low <= value <= high
        if not right:
            raise ValueError(f"{name} must be {legal}, got {value!r}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
