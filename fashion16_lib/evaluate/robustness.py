"""2.2.1: what rotation, scale and light cost a classifier that learned from unchanged images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from fashion16_lib.data.changes import brighten, each, rotate, scale
from fashion16_lib.evaluate.statistics import proportion
from fashion16_lib.search.answer import Images

# change -> what is done, the strength that changes nothing, those that are tried
CHANGES: dict[str, tuple[Callable[..., np.ndarray], float, tuple[float, ...]]] = {
    "rotated": (rotate, 0, (15, 45, 90)),               # degrees
    "scaled": (scale, 1, (0.6, 0.8, 1.25)),             # times the side
    "lit": (brighten, 1, (0.4, 0.7, 1.5)),              # times the light
}


def right_under_changes(
    images: Images, labels: np.ndarray, methods: dict[str, Callable[[Images], np.ndarray]]
) -> pd.DataFrame:
    """Ask each method for the class of each image under each change.

    Parameters
    ----------
    images : q of (h, w) or (h, w, 3) uint8
    labels : (q,) true classes
    methods : name -> gives the (q,) classes of changed images

    Returns
    -------
    columns: query (its place), method, change, strength (with the one that changes nothing), right (bool)
    """
    unchanged = {method: classes_of(images) == labels for method, classes_of in methods.items()}
    parts = []
    for change, (function, neutral, strengths) in CHANGES.items():
        for strength in (neutral, *strengths):
            changed = each(images, function, strength)
            for method, classes_of in methods.items():
                right = unchanged[method] if strength == neutral else classes_of(changed) == labels
                asked = {"query": range(len(labels)), "method": method, "change": change, "strength": strength}
                parts.append(pd.DataFrame({**asked, "right": right}))
    return pd.concat(parts, ignore_index=True)


def accuracy_kept(table: pd.DataFrame, method: str, change: str) -> np.ndarray:
    """Return each query's (right when changed, mean over the strengths) - (right when unchanged), (q,) float64.

    0 means that the change costs nothing, -1 that a query that was right is never right again. The difference of two
    methods' values on the same queries says which of them keeps more.

    Raises
    ------
    ValueError : a method or change that the table doesn't have
    """
    part = table[(table["method"] == method) & (table["change"] == change)]
    if part.empty:
        raise ValueError(f"the table has no rows for {method!r}, {change!r}; it has the methods "
                         f"{', '.join(table['method'].unique())} and the changes {', '.join(table['change'].unique())}")
    right = part.pivot(index="query", columns="strength", values="right").astype(np.float64)
    neutral = CHANGES[change][1]
    return (right.drop(columns=neutral).mean(axis=1) - right[neutral]).to_numpy()


def accuracy_by_strength(table: pd.DataFrame, change: str) -> pd.DataFrame:
    """Return each method's accuracy at each strength of a change: kind (the method), x (strength), y, low, high, n."""
    groups = table[table["change"] == change].groupby(["method", "strength"], sort=False)["right"]
    estimates = ((kind, x, asdict(proportion(right.to_numpy()))) for (kind, x), right in groups)
    rows = [{"kind": kind, "x": x, "y": found.pop("value"), **found} for kind, x, found in estimates]
    return pd.DataFrame(rows)
