"""1.1's future work: a library for each combination of attributes, and which of them a query is searched in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

Cell = tuple[str, ...]


def attribute_labels(attributes: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each photo's labels, one a column, with the column's name so that two columns may share a word."""
    return list(zip(*([f"{name}: {value}" for value in attributes[name]] for name in columns), strict=True))


def libraries(attributes: pd.DataFrame, columns: Sequence[str]) -> tuple[np.ndarray, list[Cell]]:
    """Sort photos into a library for each combination of some attributes.

    Returns
    -------
    the library each photo lies in, (n,) int64, and each library's labels, as `attribute_labels` names them
    """
    labels = attribute_labels(attributes, columns)
    cells = sorted(set(labels))
    number = {cell: place for place, cell in enumerate(cells)}
    return np.array([number[cell] for cell in labels], np.int64), cells


def library_probabilities(probabilities: np.ndarray, label_names: Sequence[str], cells: Sequence[Cell]) -> np.ndarray:
    """Return how likely each query belongs to each library, (q, cells): the product over the library's labels.

    The text models labels as independent; so the product is the probability that all are there.

    Parameters
    ----------
    probabilities : (q, labels), in the order of label_names; a label without a name there has probability 0
    """
    place = {name: column for column, name in enumerate(label_names)}
    padded = np.column_stack([np.asarray(probabilities, np.float64), np.zeros(len(probabilities))])
    columns = np.array([[place.get(name, len(label_names)) for name in cell] for cell in cells])     # (cells, columns)
    return padded[:, columns].prod(axis=2)


def own_library(attributes: pd.DataFrame, columns: Sequence[str], cells: Sequence[Cell]) -> np.ndarray:
    """Return the library of each query's true attributes, (q, 1) int64; -1 where the gallery has none such."""
    number = {cell: place for place, cell in enumerate(cells)}
    return np.array([[number.get(cell, -1)] for cell in attribute_labels(attributes, columns)], np.int64)
