"""Product search, mining photos of a category: combined keywords, an engine that reads text, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

DIGITS = 9      # similarities that agree so far are tied: texts with the same words


def combinations_of(table: pd.DataFrame, fields: Sequence[str]) -> pd.DataFrame:
    """Return the combinations of the fields' values that occur in a table, once each, sorted; none with an empty one.
    """
    known = table[list(fields)].replace("NA", "")
    return known[(known != "").all(axis=1)].drop_duplicates().sort_values(list(fields)).reset_index(drop=True)


def as_words(table: pd.DataFrame) -> list[str]:
    """Return each row's values as one text."""
    return table.agg(" ".join, axis=1).tolist()


def text_similarities(asked: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Return the cosine between TF-IDF vectors of texts asked and searched, (q, n): an engine that reads words.

    How rare a word is, is counted in the texts searched.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    engine = TfidfVectorizer(token_pattern=r"\S+")
    searched = engine.fit_transform(texts)
    return (engine.transform(asked) @ searched.T).toarray()


def chance_in_first(similarities: np.ndarray, k: int) -> np.ndarray:
    """Return each text's chance to be among the first k, (q, n); tied ones share the places that are left.

    Parameters
    ----------
    similarities : (q, n); with n at most k all are among them
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if similarities.shape[1] <= k:
        return np.ones(similarities.shape)
    seen = np.round(similarities, DIGITS)
    cut = np.partition(seen, -k, axis=1)[:, -k][:, None]
    above, tied = seen > cut, seen == cut
    places_left = k - above.sum(axis=1, keepdims=True)
    return above + tied * places_left / tied.sum(axis=1, keepdims=True)


def count_hits(found: np.ndarray, right: np.ndarray, kept: np.ndarray) -> pd.DataFrame:
    """Count each query's hits before and after a classifier drops some, and the right ones among them.

    Parameters
    ----------
    found : (q, n) chances to be returned, by `chance_in_first`
    right, kept : (q, n) bool

    Returns
    -------
    columns returned, right, kept, kept right; expected numbers
    """
    counted = {"returned": found, "right": found * right, "kept": found * kept, "kept right": found * (right & kept)}
    return pd.DataFrame({name: each.sum(axis=1) for name, each in counted.items()})
