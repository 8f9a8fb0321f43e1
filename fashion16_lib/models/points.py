"""Product search: where the garment is in a photo, and where its landmarks are, told from VGG-16's features."""

from __future__ import annotations

import numpy as np

from fashion16_lib.data.landmarks import Points
from fashion16_lib.models.siamese import Seen

RIDGE = 10.0        # on inputs whose first component has a deviation of 1; chosen on the tuning part at quick


class PointBranch:
    """Say where some points of a photo are: a straight line from VGG-16's components to each (ridge regression).

    The points are a garment's landmarks, or two corners of its box. A network with a hidden layer in place of the line
    errs as much here, and takes twenty seconds instead of one.

    Attributes
    ----------
    usual : (k, 2) where each point is on average: what one says without looking
    """

    def fit(self, inputs: np.ndarray, truth: Points) -> PointBranch:
        """Learn each point from the photos in which it is visible.

        Parameters
        ----------
        inputs : (n, components), as networks see the photos (`Seen.inputs_of`)
        truth : of the same photos

        Raises
        ------
        ValueError : another number of photos than of landmarks, or a point that is nowhere visible
        """
        from sklearn.linear_model import Ridge

        if len(inputs) != len(truth.points) or not truth.visible.any(axis=0).all():
            raise ValueError(f"each point needs photos in which it is visible, got {len(inputs)} photos, "
                             f"{len(truth.points)} with landmarks, visible in {truth.visible.sum(axis=0).tolist()}")
        self.usual = np.stack([truth.points[seen, point].mean(axis=0) for point, seen in enumerate(truth.visible.T)])
        self._points = [Ridge(RIDGE).fit(inputs[seen], truth.points[seen, point])
                        for point, seen in enumerate(truth.visible.T)]
        return self

    def fit_both(self, seen: Seen, truth: tuple[Points, Points]) -> PointBranch:
        """Learn from street and shop photos at once; truth is of the street's and the shop's."""
        return self.fit(np.concatenate(seen.inputs), Points.joined(truth))

    @staticmethod
    def unseen_of(seen: Seen, truth: tuple[Points, Points], n_folds: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of the very photos to learn from, each told by a branch that learned from other garments.

        So a network that goes on from them learns with points as good as those it will be asked with.

        Returns
        -------
        of the street's and of the shop's photos, (n, k, 2) float32 each
        """
        from sklearn.model_selection import GroupKFold

        inputs, whose, both = np.concatenate(seen.inputs), np.concatenate(seen.items), Points.joined(truth)
        found = np.empty(both.points.shape, np.float32)
        for learned, asked in GroupKFold(n_folds).split(inputs, groups=whose):
            found[asked] = PointBranch().fit(inputs[learned], both.take(learned)).predict(inputs[asked])
        street, shop = np.split(found, [len(seen.inputs[0])])
        return street, shop

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the points of photos (n, components), (n, k, 2) float32: x and y as shares of the picture."""
        return np.stack([point.predict(inputs) for point in self._points], axis=1).astype(np.float32)


def errors(found: np.ndarray, truth: Points) -> np.ndarray:
    """Return each photo's mean distance from its visible points, in shares of the picture's sides; NaN without any.

    Parameters
    ----------
    found : (n, k, 2)
    """
    apart = np.where(truth.visible, np.linalg.norm(found - truth.points, axis=2), np.nan)
    with np.errstate(invalid="ignore"):
        return np.nansum(apart, axis=1) / truth.visible.sum(axis=1)
