"""1.3: the features of more images than fit into memory, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fashion16_lib.data.pictures import part_of

BATCH_BYTES = 2**28         # 256 MiB of float32: 8,192 images at 64 pixels, 2,675 at the paper's 224


class FeatureBatches:
    """Give the features of images batch by batch, as often as asked; only a single batch is kept.

    Where there are several, each pass extracts anew: put a CachedExtractor in front, so that no image passes the
    network twice.

    Parameters
    ----------
    extractor : has extract(images) and, so that batches can be sized, n_features
    images : array or lazy pictures
    """

    def __init__(self, extractor: Any, images: Any) -> None:
        self.extractor, self.images = extractor, images
        self.rows_a_batch = max(256, BATCH_BYTES // (4 * getattr(extractor, "n_features", 2**14)))
        self._only: np.ndarray | None = None

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the rows of a batch and their features, (rows, d) float32."""
        for start in range(0, len(self.images), self.rows_a_batch):
            rows = slice(start, min(start + self.rows_a_batch, len(self.images)))
            if self._only is None:
                features = self.extractor.extract(part_of(self.images, rows))
                self._only = features if rows == slice(0, len(self.images)) else None
            yield rows, features if self._only is None else self._only

    def sample(self, seed: int) -> np.ndarray:
        """Return the features of as many images, drawn with the seed, as one batch holds: of all where they fit."""
        if len(self.images) <= self.rows_a_batch:
            return next(iter(self))[1]
        rows = np.sort(np.random.default_rng(seed).permutation(len(self.images))[: self.rows_a_batch])
        return self.extractor.extract(part_of(self.images, rows))
