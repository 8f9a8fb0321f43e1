"""Street to shop: a product photo as a phone might have seen the garment. Simulated, and to be called so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from fashion16_lib.data.changes import ground
from fashion16_lib.data.opencv import cv2

# What may lie between a shop's photo and a customer's: another background, another place of the camera, lamp light, a
# hand that shakes, something in front. How strong each is nobody says; these ranges were set by looking at photos taken
# at home, before anything was measured.
UNLIKE_GROUND = 8                       # levels by which a pixel must differ from the shop's ground to be garment
ZOOM, SHIFT, TURN, TILT = (0.65, 1.2), 0.12, 14.0, 0.05     # scale; shares of a side, and of it each corner; degrees
LIGHT, CAST, SHADE = (0.65, 1.25), 0.12, 0.175              # gain; its spread between channels, and to either side
COVERED = (0.08, 0.22)                  # of the shorter side: how thick what stands in front is
BLUR, NOISE = (0.3, 1.1), (3.0, 10.0)   # deviations: in pixels of an image 60 wide, and in levels
OTHER_COLOUR = (40, 140)                # of 180 steps around the circle of hues

Step = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def garment_on_ground(image: np.ndarray) -> np.ndarray:
    """Return which pixels of a shop's photo aren't its plain ground, (h, w) bool: those that no path of ground reaches.

    Parameters
    ----------
    image : (h, w, 3) RGB uint8
    """
    unlike = (np.abs(image.astype(int) - ground(image)).max(axis=2) >= UNLIKE_GROUND).astype(np.uint8)
    outline = cv2.morphologyEx(unlike, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))      # white on white: bridge its gaps
    _, parts = cv2.connectedComponents(1 - outline, connectivity=4)
    borders = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    inside = ~np.isin(parts, borders[borders > 0])
    return cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0        # its edge is half ground


# ---------------------------------------------------------------- the steps: image, garment and chance in and out


def recolour(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dye the garment: another hue, colour where there was none, dark ones lighter."""
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32))
    dark = value[garment].mean() < 100 if garment.any() else False
    lighter = rng.uniform(0.45, 0.65) if dark else rng.uniform(0.9, 1.3)
    dyed = cv2.merge([(hue + rng.uniform(*OTHER_COLOUR)) % 180, 0.5 * saturation + rng.uniform(60, 120),
                      255 * (value / 255) ** lighter])
    dyed = cv2.cvtColor(np.clip(dyed, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    return np.where(garment[..., None], dyed, image), garment


def move(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scale, turn, shift and tilt: the camera stands elsewhere, and a part of the garment may leave the picture."""
    height, width = image.shape[:2]
    view = _camera(height, width, rng)
    seen = cv2.warpPerspective(image, view, (width, height), flags=cv2.INTER_LINEAR, borderValue=ground(image))
    return seen, cv2.warpPerspective(garment.astype(np.uint8), view, (width, height), flags=cv2.INTER_NEAREST) > 0


def _camera(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return where the moved camera sees each point of the picture, a (3, 3) matrix."""
    middle, size = np.array([width - 1, height - 1]) / 2, np.array([width, height])
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    turn = cv2.getRotationMatrix2D(tuple(middle), rng.uniform(-TURN, TURN), rng.uniform(*ZOOM))
    landed = corners @ turn[:, :2].T + turn[:, 2] + size * rng.uniform(-SHIFT, SHIFT, 2)
    landed += size * rng.uniform(-TILT, TILT, (4, 2))
    return cv2.getPerspectiveTransform(corners, landed.astype(np.float32))


def furnish(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Put a wall and a floor of some colours and textures behind the garment."""
    height, width = image.shape[:2]
    edge = rng.uniform(0.45, 1.1) * height + rng.uniform(-0.15, 0.15) * (np.arange(width) - width / 2)
    floor = np.arange(height)[:, None] > edge
    room = np.where(floor[..., None], _surface(height, width, rng), _surface(height, width, rng))
    return np.where(garment[..., None], image, room), garment


def _surface(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return a dull colour with coarse and fine patches, (h, w, 3) uint8."""
    colour = rng.uniform(60, 230) + rng.uniform(-35, 35, 3)
    level = np.zeros((height, width))
    for cells in (3, 12):
        patches = cv2.resize(rng.standard_normal((cells, cells)), (width, height), interpolation=cv2.INTER_CUBIC)
        level += rng.uniform(4, 18) * patches
    return np.clip(colour + level[..., None], 0, 255).astype(np.uint8)


def cover(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Put something in front, an arm or a strap: a bar of one colour between two points of the picture."""
    height, width = image.shape[:2]
    start, end = rng.uniform(0, 1, (2, 2)) * (width, height)
    thick = max(1, round(rng.uniform(*COVERED) * min(height, width)))
    colour = tuple(map(int, rng.integers(30, 226, 3)))
    return cv2.line(image.copy(), tuple(map(int, start)), tuple(map(int, end)), colour, thick), garment


def light(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Light the picture by a lamp: brighter or darker, of a colour, and more from one side."""
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * np.linspace(-1, 1, width) + np.sin(angle) * np.linspace(-1, 1, height)[:, None]
    lamp = rng.uniform(*LIGHT) * (1 + rng.uniform(-CAST, CAST, 3)) * (1 + SHADE * across[..., None])
    return np.clip(np.rint(image * lamp), 0, 255).astype(np.uint8), garment


def blur(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shake the hand: a Gaussian blur."""
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR) * max(1.0, image.shape[1] / 60)), garment


def grain(image: np.ndarray, garment: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Add a sensor's noise."""
    noisy = image + rng.normal(0, rng.uniform(*NOISE), image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), garment


STEPS: dict[str, Step] = {
    "camera": move, "background": furnish, "occlusion": cover, "light": light, "blur": blur, "noise": grain,
}


# ---------------------------------------------------------------- one photo


def street_stages(
    image: np.ndarray, item: str, view: int = 0, recoloured: bool = False, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return a product photo after each step, name -> (h, w, 3) uint8; the last is the simulated street photo.

    Parameters
    ----------
    image : (h, w, 3) RGB uint8
    item, view, seed : what the chance is drawn by: the same, the same photo
    recoloured : dye the garment first. The rest of the chance is that of the photo in its own colour
    """
    return {name: seen for name, (seen, _) in _stages(image, item, view, recoloured, seed).items()}


def street_photo(image: np.ndarray, item: str, view: int = 0, recoloured: bool = False, seed: int = 0) -> np.ndarray:
    """Return a product photo as a phone might have seen it; see `street_stages`."""
    return list(_stages(image, item, view, recoloured, seed).values())[-1][0]


def street_garment(image: np.ndarray, item: str, view: int = 0, seed: int = 0) -> np.ndarray:
    """Return where the garment is in `street_photo`, what is in front of it included, (h, w) bool."""
    return list(_stages(image, item, view, False, seed).values())[-1][1]


def street_points(points: np.ndarray, size: tuple[int, int], item: str, view: int = 0, seed: int = 0) -> np.ndarray:
    """Return where points (n, 2), x and y, of a product photo are in its `street_photo`, (n, 2) float64.

    Parameters
    ----------
    size : height and width of the photo
    """
    camera = _camera(*size, _chance(seed, item, view, "street"))        # the first that is drawn
    return cv2.perspectiveTransform(np.asarray(points, np.float64)[None], camera)[0]


def _stages(
    image: np.ndarray, item: str, view: int, recoloured: bool, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return photo and garment after each step."""
    garment = garment_on_ground(image)
    stages = {"shop": (image, garment)}
    if recoloured:
        image, garment = recolour(image, garment, _chance(seed, item, view, "colour"))
        stages["other colour"] = image, garment
    rng = _chance(seed, item, view, "street")
    for name, step in STEPS.items():
        image, garment = step(image, garment, rng)
        stages[name] = image, garment
    return stages


def _chance(*about: object) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(repr(about).encode("utf-8", "surrogateescape")).digest()))
