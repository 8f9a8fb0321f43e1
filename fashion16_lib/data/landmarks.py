"""Product search, FashionNet: eight points of a garment, from its silhouette on the shop's ground or from DeepFashion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion16_lib.data.alignment import box_of
from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.simulated_street import garment_on_ground, street_garment, street_points
from fashion16_lib.data.store import open_store
from fashion16_lib.data.street_to_shop import Part

HEIGHTS = (0.05, 0.35, 0.65, 0.95)      # of the silhouette, from its top: collar, chest, waist, hem of an upright shirt
LANDMARKS = "list_landmarks_consumer2shop.txt"
PLACES = {"1": [0, 1, 2, 3, 6, 7], "2": [4, 5, 6, 7], "3": list(range(8))}      # of DeepFashion's kinds of garment
NAMES = tuple(f"{side} at {height:.2f}" for height in HEIGHTS for side in ("left", "right"))


@dataclass(frozen=True)
class Points:
    """Hold points of some photos, as many of each: landmarks, or corners of boxes.

    Attributes
    ----------
    points : (n, k, 2) float32, x and y as shares of the picture's width and height
    visible : (n, k) bool: inside the picture and, by DeepFashion's word, not covered
    """

    points: np.ndarray
    visible: np.ndarray

    def take(self, rows: Sequence[int] | np.ndarray) -> Points:
        """Return the points of some rows."""
        return Points(self.points[rows], self.visible[rows])

    @classmethod
    def joined(cls, several: Sequence[Points]) -> Points:
        """Return the points of several sets of photos, one after the other."""
        return cls(np.concatenate([each.points for each in several]), np.concatenate([each.visible for each in several]))


def silhouette_points(image: np.ndarray) -> np.ndarray:
    """Return where the garment begins and ends at four heights, (8, 2) x and y in pixels, float64.

    Parameters
    ----------
    image : (h, w, 3) uint8 on a plain ground; where no garment can be told from it, the picture's own border counts
    """
    garment = garment_on_ground(image)
    if not garment.any():
        garment = np.ones(image.shape[:2], bool)
    _, top, _, bottom = box_of(garment)
    filled = np.flatnonzero(garment.any(axis=1))
    points = []
    for height in HEIGHTS:
        row = filled[np.abs(filled - (top + height * (bottom - top))).argmin()]     # a gap: the nearest row that has some
        columns = np.flatnonzero(garment[row])
        points += [(columns[0], row), (columns[-1], row)]
    return np.array(points, np.float64)


def landmarks_of(part: Part, pairs_path: str | Path = "", seed: int = 0) -> tuple[Points, Points]:
    """Return the landmarks of a part's street and shop photos: by silhouette and camera, or by DeepFashion's file.

    Parameters
    ----------
    pairs_path : of DeepFashion's benchmark, where the part comes from it; "": the street is simulated
    seed : of the simulation

    Raises
    ------
    ValueError : as in `read_landmarks`
    """
    if not pairs_path:
        return street_landmarks(part.shop, part.own, seed), shop_landmarks(part.shop)
    street, shop = (_within(*read_landmarks(pairs_path, photos.ids), photos) for photos in (part.own, part.shop))
    return street, shop


def true_boxes(part: Part, seed: int = 0) -> tuple[Points, Points]:
    """Return two corners of the box around the garment in a part's simulated street photos and in its shop photos.

    Parameters
    ----------
    seed : of the simulation
    """
    shop = [garment_on_ground(image) for image in part.shop.images]
    street = [street_garment(part.shop.images[row], part.shop.ids[row], view, seed)
              for row, view in _rows_and_views(part.shop, part.own)]
    return _corners(street, part.own), _corners(shop, part.shop)


def _corners(masks: list[np.ndarray], photos: Dataset) -> Points:
    boxes = np.stack([box_of(mask if mask.any() else np.ones_like(mask)) for mask in masks]).reshape(-1, 2, 2)
    return _within(boxes, np.ones(boxes.shape[:2], bool), photos)


def shop_landmarks(shop: Dataset) -> Points:
    """Return the points of product photos by their silhouettes."""
    points = np.stack([silhouette_points(image) for image in shop.images])
    return _within(points, np.ones(points.shape[:2], bool), shop)


def street_landmarks(shop: Dataset, street: Dataset, seed: int = 0) -> Points:
    """Return the points of simulated street photos: the silhouette's, seen by the camera of the simulation.

    Parameters
    ----------
    shop, street : of one part; street has one view of each garment after the other, as `simulated_pairs` gives them
    seed : of the simulation
    """
    pixels = [silhouette_points(image) for image in shop.images]
    moved = np.stack([street_points(pixels[row], shop.images[row].shape[:2], shop.ids[row], view, seed)
                      for row, view in _rows_and_views(shop, street)])
    return _within(moved, np.ones(moved.shape[:2], bool), street)


def _rows_and_views(shop: Dataset, street: Dataset) -> list[tuple[int, int]]:
    """Return of each simulated street photo the row of its product and which view it is."""
    return [(row, view) for view in range(len(street) // len(shop)) for row in range(len(shop))]


def _within(points: np.ndarray, shown: np.ndarray, photos: Dataset) -> Points:
    """Return points (n, k, 2) in pixels as shares of the photos' sides; visible are those shown inside."""
    sizes = np.array([image.shape[1::-1] for image in photos.images])
    shares = (points / (sizes[:, None, :] - 1)).astype(np.float32)
    return Points(shares, shown & ((shares >= 0) & (shares <= 1)).all(axis=2))


def read_landmarks(pairs_path: str | Path, photos: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return DeepFashion's landmarks of some of its photos, (n, 8, 2) in pixels, NaN for none, and which are shown.

    `Anno/list_landmarks_consumer2shop.txt`: a number, the names of the columns, then a line a photo: its name, what it
    shows (1: an upper garment, 2: a lower one, 3: both in one), another number, and for each of its points whether it
    is shown (0), x and y. The eight are two collars, sleeves, waists and hems; an upper garment has no waist, a lower
    one neither collar nor sleeve.

    Raises
    ------
    ValueError : no such file, a line that isn't one, or a photo that it doesn't name
    """
    store = open_store(pairs_path)
    found = [name for name in store.names({}) if name.endswith(LANDMARKS)]
    if not found:
        raise ValueError(f"{store}: got no {LANDMARKS}, expected it in Anno/; get it with the benchmark")
    lines = store.read(min(found, key=len)).decode("utf-8-sig", "replace").splitlines()[2:]
    table = {words[0]: (words[1], words[3:]) for words in map(str.split, lines) if len(words) > 3}
    points, shown = np.full((len(photos), len(NAMES), 2), np.nan), np.zeros((len(photos), len(NAMES)), bool)
    for row, photo in enumerate(photos):
        kind, told = table.get(photo, ("", []))
        places = PLACES.get(kind, ())
        if not places or len(told) != 3 * len(places):
            raise ValueError(f"{store}: {LANDMARKS} has {len(told)} numbers for {photo} of kind {kind or 'none'}, "
                             "expected 18 for kind 1, 12 for 2, 24 for 3")
        numbers = np.array(told, np.float64).reshape(-1, 3)
        points[row, places], shown[row, places] = numbers[:, 1:], numbers[:, 0] == 0
    return points, shown
