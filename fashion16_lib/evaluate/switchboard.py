"""What the paper leaves unsaid, switched one at a time: how much each choice moves the precision of the 20 nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.code_quality import Labelled, candidates_by, codes_of
from fashion16_lib.evaluate.metrics import hits_among_candidates
from fashion16_lib.evaluate.routing import Mask, same_class
from fashion16_lib.evaluate.statistics import Estimate, paired_difference
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hamming import hamming_distances, nearest
from fashion16_lib.settings import N_HITS


@dataclass(frozen=True)
class Choices:
    """Hold one answer to each open question of hashing and searching; the defaults are the book's."""

    n_bits: int = 64
    seed: int = 0
    centred: bool = True
    buckets: Buckets | None = None
    ties_by_chance: bool = True


def precision_with(choices: Choices, gallery: Labelled, queries: Labelled, k: int = N_HITS) -> np.ndarray:
    """Return each query's direct precision at k with these choices, (q,) float64; missing hits count as wrong."""
    codes, query_codes = codes_of(gallery[0], queries[0], choices.n_bits, choices.seed, choices.centred)
    relevant = same_class(queries[1], gallery[1])
    if not choices.ties_by_chance:
        return _precision_in_order(query_codes, codes, relevant, k)
    places = candidates_by(choices.buckets, codes, query_codes)
    return hits_among_candidates(query_codes, codes, relevant, places.__getitem__, k) / k


def _precision_in_order(query_codes: np.ndarray, codes: np.ndarray, relevant: Mask, k: int) -> np.ndarray:
    """Cut ties in gallery order, as a list of results does."""
    hits = [nearest(hamming_distances(code[None], codes)[0], k) for code in query_codes]
    return np.array([relevant(query)[found].sum() / k for query, found in enumerate(hits)])


def switch(
    switches: Iterable[tuple[str, str, dict[str, object]]], measure: Callable[[Choices], np.ndarray], base: Choices
) -> pd.DataFrame:
    """Change one choice at a time; return how the mean over queries moves, with its paired interval.

    Parameters
    ----------
    switches : gap in words, alternative in words, the fields of Choices that change
    measure : gives (q,) numbers of the same queries

    Returns
    -------
    columns: gap, choice, value (change of the mean), low, high, n
    """
    default = measure(base)
    return pd.DataFrame([
        as_row(gap, choice, paired_difference(measure(replace(base, **changed)), default))  # type: ignore[arg-type]
        for gap, choice, changed in switches
    ])


def as_row(gap: str, choice: str, change: Estimate) -> dict[str, object]:
    """Return one bar of the tornado: gap, choice and the change it makes."""
    return {"gap": gap, "choice": choice, **asdict(change)}
