"""The picture of an item by its id: what a library file doesn't hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fashion16_lib.data.catalogue import pictures_by_id
from fashion16_lib.data.dataset import CATALOGUES, load_items
from fashion16_lib.data.pictures import SUFFIXES, Pictures
from fashion16_lib.data.store import open_store
from fashion16_lib.settings import FASHION_MNIST, Fashion16Error


class ItemPictures:
    """Give pictures by the ids of their items, decoding each when it is asked for.

    Parameters
    ----------
    ids, images : side by side
    unseen : ids of some that no library holds, to search with: one of each class, where there are such
    """

    def __init__(
        self, ids: Sequence[str], images: Sequence[np.ndarray] | np.ndarray, unseen: Sequence[str] = ()
    ) -> None:
        self.unseen, self._images = tuple(unseen), images
        self._places = {item: place for place, item in enumerate(ids)}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, item: str) -> bool:
        return item in self._places

    def __getitem__(self, item: str) -> np.ndarray:
        """Return a picture, (h, w) or (h, w, 3) uint8; KeyError for an unknown id, ValueError for a damaged file."""
        return self._images[self._places[item]]


def item_pictures(dataset: str, path: str | Path = "") -> ItemPictures:
    """Return all pictures of the data set a library was made of, those that it doesn't hold included.

    Parameters
    ----------
    dataset : the library's setting of that name
    path : zip or folder of the pictures; "" for Fashion-MNIST, and for photos in the photos folder

    Raises
    ------
    ValueError : a path that holds no pictures, or one where none is needed
    Fashion16Error : no path given where one is needed, or nothing there
    """
    if dataset == FASHION_MNIST and path:
        raise ValueError(f"{dataset}'s pictures are at hand and need no path, got {str(path)!r}; leave it out")
    if dataset == FASHION_MNIST:
        return _fashion_mnist()
    if dataset in CATALOGUES:
        return ItemPictures(*pictures_by_id(CATALOGUES[dataset], path))
    if not path:
        raise Fashion16Error(f"the pictures of {dataset} lie in a folder or zip of yours; give its path")
    store = open_store(path)
    names = [name for name in store.names({}) if name.lower().endswith(SUFFIXES)]
    return ItemPictures(names, Pictures(store, names))


@cache
def _fashion_mnist() -> ItemPictures:
    items = load_items(FASHION_MNIST)
    tested = {label: item for label, item in zip(items.labels.tolist(), items.ids, strict=True)
              if item.startswith("test/")}                      # the last of each class
    return ItemPictures(items.ids, items.images, [tested[label] for label in sorted(tested)])
