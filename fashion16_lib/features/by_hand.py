"""Street to shop, method 1: four features made by hand, each alone and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.preprocess import check_image, resize, to_colour, to_grey
from fashion16_lib.progress import progress

PIXELS = 64                     # every photo is brought to 64 x 64 first; the text names no size
CELL, DIRECTIONS = 8, 9         # HOG: pixels of a cell's side, bins of the gradient's direction
N_COLOURS = 25                  # the text's
COHERENT = 0.01                 # of all pixels: so large a patch of a colour is coherent (Pass, Zabih & Miller, 1996)
BLOCK, SOBEL, KAPPA = 2, 3, 0.04        # Harris & Stephens, 1988, as OpenCV's manual has them
CORNER = 0.01                   # of the strongest answer: a pixel above is a corner
FEATURES = ("HOG", "colour histogram", "colour coherence", "Harris corners")
Blocks = dict[str, np.ndarray]


# ---------------------------------------------------------------- colours as numbers 0 to 24


def hue_bins(image: np.ndarray) -> np.ndarray:
    """Return the bin of each pixel's hue, (h, w) int64: 25 equal parts of the circle; grey has hue 0, as red."""
    hue = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 0].astype(np.int64)       # 0 to 179
    return hue * N_COLOURS // 180


def fit_palette(images: Sequence[np.ndarray] | np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the 25 colours that pixels of some photos lie nearest to: k-means in Lab, (25, 3) float32.

    Parameters
    ----------
    images : of the gallery or of the training part; 200 pixels of each of at most 500 are drawn with the seed
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[:500]
    pixels = [_lab(images[row]).reshape(-1, 3)[rng.integers(0, PIXELS**2, 200)] for row in chosen]
    with threadpool_limits(1):
        means = KMeans(N_COLOURS, n_init=1, random_state=seed).fit(np.concatenate(pixels))
    return means.cluster_centers_.astype(np.float32)


def palette_bins(image: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return the place in the palette of the colour nearest to each pixel, (h, w) int64."""
    squares = (palette**2).sum(axis=1)
    return (squares - 2 * (_lab(image) @ palette.T)).argmin(axis=2)


def _lab(image: np.ndarray) -> np.ndarray:
    small = resize(to_colour(check_image(image)), PIXELS)
    return cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)


# ---------------------------------------------------------------- the four features


def gradient_histograms(grey: np.ndarray) -> np.ndarray:
    """Return the histogram of oriented gradients (Dalal & Triggs, 2005) of a grey image, float32.

    Directions in 9 bins, counted in cells of 8 x 8 pixels, blocks of 2 x 2 cells brought to one length.
    """
    from skimage.feature import hog

    found = hog(grey, DIRECTIONS, (CELL, CELL), (2, 2), block_norm="L2-Hys", feature_vector=True)
    return found.astype(np.float32)


def colour_histogram(bins: np.ndarray) -> np.ndarray:
    """Return each colour's share of the pixels, (25,) float32; bins : (h, w) numbers 0 to 24."""
    return (np.bincount(bins.ravel(), minlength=N_COLOURS) / bins.size).astype(np.float32)


def colour_coherence(bins: np.ndarray) -> np.ndarray:
    """Return each colour's share in large patches of that colour, then its share elsewhere, (50,) float32.

    Patches are joined over sides and corners. The sum of both halves is the colour histogram.
    """
    coherent = in_large_patches(bins)
    halves = [np.bincount(bins[mask], minlength=N_COLOURS) for mask in (coherent, ~coherent)]
    return (np.concatenate(halves) / bins.size).astype(np.float32)


def in_large_patches(bins: np.ndarray) -> np.ndarray:
    """Return which pixels lie in a patch of their colour that holds a hundredth of the image or more, (h, w) bool."""
    coherent = np.zeros(bins.shape, bool)
    for colour in np.unique(bins):
        _, parts = cv2.connectedComponents((bins == colour).astype(np.uint8), connectivity=8)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0                                            # the other colours
        coherent |= sizes[parts] >= COHERENT * bins.size
    return coherent


def harris_corners(grey: np.ndarray) -> np.ndarray:
    """Return where the corners are: the share of corner pixels in each cell of 8 x 8 pixels, (64,) float32.

    Harris's answer is det(M) - 0.04 trace(M)^2 of the gradients' second moments M around a pixel.
    """
    cells = PIXELS // CELL
    return corner_pixels(grey).reshape(cells, CELL, cells, CELL).mean(axis=(1, 3)).astype(np.float32).ravel()


def corner_pixels(grey: np.ndarray) -> np.ndarray:
    """Return where Harris's answer reaches a hundredth of its strongest, (h, w) bool."""
    answer = cv2.cornerHarris(grey.astype(np.float32), BLOCK, SOBEL, KAPPA)
    return answer > CORNER * max(float(answer.max()), 1e-12)


def describe(image: np.ndarray, palette: np.ndarray | None = None) -> Blocks:
    """Return a photo's four features, name -> (d,) float32.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) uint8, of any size
    palette : count these colours (`fit_palette`); None: hues
    """
    small = resize(to_colour(check_image(image)), PIXELS)
    grey = to_grey(small)
    bins = hue_bins(small) if palette is None else palette_bins(small, palette)
    found = (gradient_histograms(grey), colour_histogram(bins), colour_coherence(bins), harris_corners(grey))
    return dict(zip(FEATURES, found, strict=True))


def describe_all(images: Sequence[np.ndarray] | np.ndarray, palette: np.ndarray | None = None) -> Blocks:
    """Return the four features of photos, name -> (n, d) float32; see `describe`."""
    with ThreadPoolExecutor() as pool:                          # OpenCV and NumPy let other threads run; order is kept
        found = pool.map(lambda image: describe(image, palette), images)
        rows = list(progress(found, "features by hand", total=len(images), unit="photo"))
    return {name: np.stack([row[name] for row in rows]) for name in FEATURES}


def pictures(image: np.ndarray, palette: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return what each feature sees of a photo, name -> (h, w) or (h, w, 3) uint8."""
    from skimage.feature import hog

    small = resize(to_colour(check_image(image)), PIXELS)
    grey = to_grey(small)
    bins = hue_bins(small) if palette is None else palette_bins(small, palette)
    _, arrows = hog(grey, DIRECTIONS, (CELL, CELL), (2, 2), visualize=True)
    wheel = np.stack([np.arange(N_COLOURS) * 180 // N_COLOURS + 3, *np.full((2, N_COLOURS), 210)], axis=1)
    chart = cv2.cvtColor(wheel[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0] if palette is None else \
        cv2.cvtColor(palette[None].astype(np.uint8), cv2.COLOR_LAB2RGB)[0]
    seen = (np.clip(255 * arrows / max(arrows.max(), 1e-12), 0, 255).astype(np.uint8), chart[bins],
            in_large_patches(bins).astype(np.uint8) * 255, corner_pixels(grey).astype(np.uint8) * 255)
    return {"photo": small, **dict(zip(FEATURES, seen, strict=True))}


# ---------------------------------------------------------------- together


def lengths(blocks: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the mean Euclidean length of each feature over some photos."""
    return {name: float(np.linalg.norm(rows, axis=1).mean()) or 1.0 for name, rows in blocks.items()}


def together(blocks: Mapping[str, np.ndarray], by: Mapping[str, float] | None = None) -> np.ndarray:
    """Return the features one after the other, (n, all of them) float32.

    Parameters
    ----------
    by : divide each by this number, so that the longest vector doesn't speak for all; None: as they are
    """
    return np.concatenate([rows / (by[name] if by else 1.0) for name, rows in blocks.items()], axis=1, dtype=np.float32)
