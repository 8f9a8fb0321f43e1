"""1.4: what takes part in a search (extractor, decider) and what comes out of it (hits, answer, times)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

Images = Sequence[np.ndarray] | np.ndarray


class Extractor(Protocol):
    """Turn images into features (n, d) float32; `fingerprint` tells settings and weights."""

    fingerprint: dict[str, Any]

    def extract(self, images: Images) -> np.ndarray: ...


class Decider(Protocol):
    """Turn images into class probabilities (n, len(class_names))."""

    fingerprint: dict[str, Any]
    class_names: tuple[str, ...]

    def predict_proba(self, images: Images) -> np.ndarray: ...


@dataclass(frozen=True)
class Hit:
    """One retrieved item: its id and true class, the share of equal bits (re-ranked: cosine), the differing ones.

    `code` is the item's, as in Answer.
    """

    id: str
    label: str | None
    similarity: float
    distance: int
    code: str = field(default="", repr=False)


@dataclass(frozen=True)
class Answer:
    """All there is to say about one query; `label` is the predicted class, None where nobody classified.

    `code` is the query's, in hexadecimal digits, its first bit the highest of the first digit.
    """

    label: str | None
    probabilities: dict[str, float]
    mode: str
    hits: list[Hit]
    code: str
    time_ms: dict[str, float] = field(compare=False)


class Stages:
    """Note how long each step took since the one before, in milliseconds."""

    def __init__(self) -> None:
        self.time_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def done(self, stage: str) -> None:
        """Note the time since the last stage ended under a name."""
        now = time.perf_counter()
        self.time_ms[stage], self._last = 1e3 * (now - self._last), now
