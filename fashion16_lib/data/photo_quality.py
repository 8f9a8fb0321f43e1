"""Product search, the fashion library: what makes a photo poor, measured by hand, and good photos made poor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fashion16_lib.data.changes import brighten
from fashion16_lib.data.cutout import BORDER, garment_mask
from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.preprocess import check_image, to_colour, to_grey
from fashion16_lib.progress import progress

MEASURES = (
    "level", "highlights", "sharpness", "detail", "coarse detail", "steps", "garment", "cut off", "edges around",
    "colours around",
)
# How strong each made fault is; set by looking at photos taken at home, before anything was measured.
DARKER = (0.2, 0.5)             # gain
BLUR = (0.012, 0.03)            # deviation, a share of the shorter side: 2 to 5 pixels of 160
FEWER = (3.0, 6.0)              # times fewer pixels along each side
CUT_AWAY = (0.3, 0.5)           # of the garment's height or width
PIECES, PIECE = (6, 10), (0.3, 0.5)     # how many things lie around, and their sides: shares of the shorter side
AS_SENT = "as sent"
Fault = Callable[[np.ndarray, np.ndarray, Sequence[np.ndarray], np.random.Generator], np.ndarray]


# ---------------------------------------------------------------- measures


def measures(image: np.ndarray, garment: np.ndarray) -> np.ndarray:
    """Return the numbers MEASURES of a photo, (10,) float64.

        level, highlights       mean and 95 % quantile of the luma, 0 to 1
        sharpness               ln(variance of the Laplacian / variance of the luma)
        detail, coarse detail   ln(energy lost by halving, by quartering the photo and back / variance of the luma)
        steps                   mean over root mean square of the second differences: low where an enlargement shows
        garment                 the garment's share of the photo
        cut off                 its share of the photo's edge, on the side where it has most
        edges around            share of edge pixels (Canny) outside the garment, the luma stretched to 0 to 255
        colours around          deviation of the colours outside the garment, mean of the channels, 0 to 1

    Parameters
    ----------
    image : (h, w) or (h, w, 3) RGB uint8, at least 8 pixels a side
    garment : (h, w) bool, from `cutout.garment_mask`; all True means that none was found

    Raises
    ------
    ValueError : a mask of another shape than the photo
    """
    image = to_colour(check_image(image))
    if garment.shape != image.shape[:2]:
        raise ValueError(f"the mask must have the photo's shape, got {garment.shape} and {image.shape[:2]}; use "
                         "cutout.garment_mask")
    grey, around = to_grey(image).astype(np.float32), surroundings(garment)
    return np.array([grey.mean() / 255, np.quantile(grey, 0.95) / 255, *_sharpness(grey), garment.mean(),
                     _cut_off(garment), _edges(grey)[around].mean(), image[around].std(axis=0).mean() / 255])


def surroundings(garment: np.ndarray) -> np.ndarray:
    """Return which pixels are no garment, (h, w) bool; where no garment was found, those along the photo's edge."""
    if not garment.all():
        return ~garment
    around = np.ones_like(garment)
    inner = _edge_width(garment.shape[0]), _edge_width(garment.shape[1])
    around[inner[0]: -inner[0], inner[1]: -inner[1]] = False
    return around


def _edge_width(side: int) -> int:
    """Return how many pixels from the edge GrabCut is told to take for background."""
    return max(1, round(BORDER * side))


def _sharpness(grey: np.ndarray) -> list[float]:
    spread = float(grey.var()) + 1.0                # one level: a photo of one colour has no detail, not any amount
    height, width = grey.shape
    lost = []
    for times in (2, 4):
        small = cv2.resize(grey, (max(1, width // times), max(1, height // times)), interpolation=cv2.INTER_AREA)
        lost.append(np.square(grey - cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)).mean())
    bends = np.abs(np.concatenate([np.diff(grey, 2, axis=axis).ravel() for axis in (0, 1)]))
    return [*(float(np.log((energy + 1e-3) / spread)) for energy in (cv2.Laplacian(grey, cv2.CV_32F).var(), *lost)),
            float((bends.mean() + 1e-3) / (np.sqrt(np.square(bends).mean()) + 1e-3))]


def _cut_off(garment: np.ndarray) -> float:
    """Return the garment's share of the lines just inside what GrabCut is told is background; the largest of four."""
    down, right = _edge_width(garment.shape[0]), _edge_width(garment.shape[1])
    return float(max(line.mean() for line in (garment[down], garment[-1 - down], garment[:, right],
                                              garment[:, -1 - right])))


def _edges(grey: np.ndarray) -> np.ndarray:
    stretched = cv2.normalize(grey, np.zeros_like(grey), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    return cv2.Canny(stretched, 100, 200) > 0


def garments(images: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """Return each photo's garment by `cutout.garment_mask`, (h, w) bool each."""
    with ThreadPoolExecutor() as pool:                          # OpenCV lets other threads run; order is kept
        return list(progress(pool.map(garment_mask, images), "garments", total=len(images), unit="photo"))


def room_alone(image: np.ndarray, garment: np.ndarray, wider: float = 0.0) -> np.ndarray:
    """Return a photo whose garment, with the box around it, has the mean colour of the rest; same shape, uint8.

    The garment's outline goes with it. What the mask leaves out stays, say a sleeve that reaches over the photo's edge.
    Where the box is the whole photo, all is one colour.

    Parameters
    ----------
    image, garment : (h, w, 3) uint8 and (h, w) bool
    wider : by how much of the photo's sides the box reaches farther on each side, from 0
    """
    rows, columns = (np.flatnonzero(garment.any(axis=axis)) for axis in (1, 0))
    around = np.ones_like(garment)
    if len(rows):
        down, right = (round(wider * side) for side in garment.shape)
        around[max(0, rows[0] - down): rows[-1] + 1 + down, max(0, columns[0] - right): columns[-1] + 1 + right] = False
    colour = image[around if around.any() else ~around].mean(axis=0)
    return np.where(around[..., None], image, np.rint(colour).astype(np.uint8))


def measure_all(images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the measures of photos with their garments, (n, 10) float64."""
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(measures, images, masks))).reshape(-1, len(MEASURES))


# ---------------------------------------------------------------- faults: a good photo and its garment in, poor one out


def dim(image: np.ndarray, garment: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Take light away."""
    return brighten(image, rng.uniform(*DARKER))


def blurred(
    image: np.ndarray, garment: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Put the photo out of focus: a Gaussian blur."""
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR) * min(image.shape[:2]))


def low_resolution(
    image: np.ndarray, garment: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Make the photo small by area, and large again, bilinear, as a page does that shows all photos in one size."""
    height, width = image.shape[:2]
    fewer = rng.uniform(*FEWER)
    small = cv2.resize(image, (max(2, round(width / fewer)), max(2, round(height / fewer))),
                       interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def not_whole(
    image: np.ndarray, garment: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Cut a part of the garment off, with all that lies beyond; the photo keeps its pixels and gets smaller."""
    axis, from_end = int(rng.integers(2)), bool(rng.integers(2))
    places = np.flatnonzero(garment.any(axis=1 - axis))
    first, last = (places[0], places[-1]) if len(places) else (0, garment.shape[axis] - 1)
    lost = rng.uniform(*CUT_AWAY) * (last - first + 1)
    kept = slice(0, max(8, int(last + 1 - lost))) if from_end else slice(min(int(np.ceil(first + lost)),
                                                                            garment.shape[axis] - 8), None)
    return np.ascontiguousarray(image[kept] if axis == 0 else image[:, kept])


def cluttered(
    image: np.ndarray, garment: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Lay other things around the garment: small copies of other photos, behind it."""
    scene, (height, width) = image.copy(), image.shape[:2]
    for _ in range(rng.integers(PIECES[0], PIECES[1] + 1)):
        side = max(2, round(rng.uniform(*PIECE) * min(height, width)))
        thing = cv2.resize(to_colour(others[int(rng.integers(len(others)))]), (side, side),
                           interpolation=cv2.INTER_AREA)
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        scene[top: top + side, left: left + side] = thing
    return np.where(garment[..., None], image, scene)


FAULTS: dict[str, Fault] = {
    "dim": dim, "blurred": blurred, "low resolution": low_resolution, "not whole": not_whole, "cluttered": cluttered,
}


def made_poor(
    image: np.ndarray, garment: np.ndarray, fault: str, others: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return a photo with one of FAULTS made in it, (h, w, 3) uint8; smaller where a part is cut off.

    Parameters
    ----------
    image, garment : (h, w, 3) RGB uint8, and which of its pixels are garment, (h, w) bool; never changed
    others : photos to take the clutter from, at least one
    rng : of the fault's strength and place

    Raises
    ------
    ValueError : an unknown fault, or nothing to take clutter from
    """
    if fault not in FAULTS:
        raise ValueError(f"fault must be one of {', '.join(FAULTS)}, got {fault!r}")
    if not len(others):
        raise ValueError("clutter needs at least one other photo, got none; give some in others")
    return FAULTS[fault](image, garment, others, rng)


def in_every_way(
    images: Sequence[np.ndarray] | np.ndarray, masks: Sequence[np.ndarray], seed: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return photos as they are, then all of them with the first fault, and so on: 6 n photos.

    Parameters
    ----------
    images, masks : n photos and their garments; each is clutter for the others
    seed : of the faults

    Returns
    -------
    the photos, and of each AS_SENT or the name of its fault, (6 n,)
    """
    rng, plain = np.random.default_rng(seed), list(images)
    made = [made_poor(image, mask, fault, plain, rng) for fault in FAULTS
            for image, mask in zip(plain, masks, strict=True)]
    return plain + made, np.repeat([AS_SENT, *FAULTS], len(plain))
