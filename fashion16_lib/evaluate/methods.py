"""Product search: what each method of the 50s found, kept for the comparison: same queries, same shop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import Places
from fashion16_lib.evaluate.statistics import Estimate, mean_and_range
from fashion16_lib.evaluate.timing import time_interleaved, times_of
from fashion16_lib.files import replace_file
from fashion16_lib.models.embedding import of_length_1
from fashion16_lib.search.threads import one_thread
from fashion16_lib.settings import Fashion16Error

AP = "AP"


@dataclass(frozen=True)
class Method:
    """Describe a method and hold what it found.

    Attributes
    ----------
    name : as tables call it
    notebook : its number
    supervision : what it learned from, in words
    numbers : what it keeps of a shop photo, in words
    passes : of a street photo through VGG-16
    training_seconds : of one training; VGG-16's own aside
    search_over_cosine : median time of a search from VGG-16's features on, over that of cosine between them
    found : places of the same queries, one a training
    """

    name: str
    notebook: int
    supervision: str
    numbers: str
    passes: int
    training_seconds: float
    search_over_cosine: float
    found: tuple[Places, ...]

    def values(self, what: str) -> np.ndarray:
        """Return each query's mean over the trainings, of "AP" or say of "top-20", (q,) float64.

        Each query has one right photo, so its average precision is one over its place.
        """
        if what == AP:
            return np.mean([each.inverse_place() for each in self.found], axis=0)
        return mean_over_trainings(self.found, int(what.removeprefix("top-")))


def save_method(folder: Path, file: str, method: Method, asked: Dataset) -> None:
    """Write a method and what it found for each query to `<file>.json`, whole or not at all."""
    about = asdict(replace(method, found=()))
    found = [{name: values.tolist() for name, values in vars(places).items()} for places in method.found]
    text = json.dumps({**about, "queries": asked.ids, "found": found})
    replace_file(folder / f"{file}.json", text.encode())


def read_method(folder: Path, file: str, asked: Dataset) -> Method:
    """Return what `save_method` wrote of these very queries.

    Raises
    ------
    Fashion16Error : not there, damaged, or written of other queries
    """
    path = folder / f"{file}.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        queries, found = about.pop("queries"), about.pop("found")
        method = Method(**about, found=tuple(Places(**{name: np.array(values) for name, values in places.items()})
                                             for places in found))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Fashion16Error(f"{path}: got no method that can be read ({error}); run its notebook again") from error
    if queries != asked.ids:
        raise Fashion16Error(f"{path} tells of other queries than those asked for here; run its notebook with the same "
                             "SEED, photos and profile")
    return method


def search_over_cosine(
    search: Callable[[np.ndarray], Any], features: tuple[np.ndarray, np.ndarray], n_timed: int = 60
) -> float:
    """Return how long a search takes from a query's features (1, d) on, over cosine on all of them.

    Medians of single queries, timed in turns in one thread, as `answer` runs them.

    Parameters
    ----------
    search : of one query's features
    features : of street (q, d) and shop photos (n, d)
    """
    shop = of_length_1(features[1])
    compared = {"cosine": lambda query: shop @ query[0], "method": search}
    queries = [features[0][row: row + 1] for row in range(min(n_timed, len(features[0])))]
    with one_thread:
        taken = time_interleaved(compared, queries)
    return float(np.median(times_of(taken, "method")) / np.median(times_of(taken, "cosine")))


def timed(task: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a task gives, and its seconds."""
    start = time.perf_counter()
    done = task()
    return done, time.perf_counter() - start


def mean_over_trainings(trainings: Sequence[Places], k: int) -> np.ndarray:
    """Return each query's chance of a right photo among the first k, mean over trainings, (q,)."""
    return np.mean([each.found_within(k) for each in trainings], axis=0)


def gain_of_each_training(ours: Sequence[Places], theirs: Sequence[Places], k: int) -> Estimate:
    """Return how much more products are among the first k, mean and range over trainings with the same seeds.

    Where theirs is one (no training, or a common one), each of ours is compared with it.
    """
    pairs = zip(ours, theirs if len(theirs) > 1 else [*theirs] * len(ours), strict=True)
    return mean_and_range(np.array([(a.found_within(k) - b.found_within(k)).mean() for a, b in pairs]))
