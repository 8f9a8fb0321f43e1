"""1.3: which hash: mAP and P@20 of codes by method and length, with intervals, on the same queries.

The usual protocol: every query against the whole gallery, relevant means same class, mAP over the whole ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion16_lib.evaluate.metrics import direct_precision, expected_precision_at_k, slices_of_queries
from fashion16_lib.evaluate.statistics import Estimate, mean_and_range, mean_over_queries, paired_difference
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.settings import N_HITS

BITS = (12, 24, 32, 48, 64)
METHODS = {
    "random": "random planes", "pca_sign": "PCA-sign", "itq": "ITQ",
    "cosine": "exact cosine", "centred_cosine": "exact cosine, centred", "learned": "learned layer",
}
NO_CODE = 0                                 # the bits of a method that compares features

# Passalis & Tefas, "Deep supervised hashing using quadratic spherical mutual information for efficient image
# retrieval", 2021; numbers and protocol as in their code, github.com/passalis/qsmi: a small network learns from the
# pixels and labels of all 60,000 training images, which are the gallery too; the 10,000 test images ask; average
# precision is read at 11 recalls; ties stand as sorted. Bits -> mAP.
QSMIH_MAP = {12: 0.842, 24: 0.873, 36: 0.863, 48: 0.860}

Sides = tuple[np.ndarray, np.ndarray]       # a hash's `project` of the queries (q, bits) and of the gallery (n, bits)
Labels = tuple[np.ndarray, np.ndarray]      # classes of the queries (q,) and of the gallery (n,)


@dataclass(frozen=True)
class Quality:
    """Hold what each query got from one method at one length, for one or more seeds of the method.

    Attributes
    ----------
    average_precision, precision : (seeds, q) float64, the latter at 20 and in expectation over ties
    """

    average_precision: np.ndarray
    precision: np.ndarray

    @property
    def mean_average_precision(self) -> Estimate:
        """Return mAP: each query's mean over the seeds, then the mean over queries with its interval."""
        return mean_over_queries(self.average_precision.mean(axis=0))

    @property
    def precision_at_20(self) -> Estimate:
        """Return P@20: each query's mean over the seeds, then the mean over queries with its interval."""
        return mean_over_queries(self.precision.mean(axis=0))

    @property
    def map_over_seeds(self) -> Estimate:
        """Return mAP with its smallest and largest value over the seeds."""
        return mean_and_range(self.average_precision.mean(axis=1))


def measure(seeds: Sequence[Sides], labels: Labels, n_bits: int) -> Quality:
    """Judge the first bits of a method's codes.

    Parameters
    ----------
    seeds : what the planes say, once for each seed of the method; at least n_bits columns
    labels : of queries and gallery
    n_bits : how many of the columns are used
    """
    found = []
    for sides in seeds:
        asked, searched = (_whole_words(each[:, :n_bits] >= 0) for each in sides)
        codes = asked, labels[0], searched, labels[1]
        found.append((average_precision_of_each_query(*codes), direct_precision(*codes, N_HITS)))
    average_precision, precision = zip(*found, strict=True)
    return Quality(np.array(average_precision), np.array(precision))


def _whole_words(bits: np.ndarray) -> np.ndarray:
    """Return bits (n, b) as codes, filled up with zeros to 64-bit words: no distance changes, all are found faster."""
    return np.packbits(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64))), axis=1)


def map_difference(ours: Quality, theirs: Quality) -> Estimate:
    """Return the difference of two mAPs, ours - theirs, paired on the queries."""
    return paired_difference(ours.average_precision.mean(axis=0), theirs.average_precision.mean(axis=0))


# ---------------------------------------------------------------- average precision of all queries


def average_precision_of_each_query(
    query_codes: np.ndarray, query_labels: np.ndarray, gallery_codes: np.ndarray, gallery_labels: np.ndarray
) -> np.ndarray:
    """Return each query's average precision over the whole gallery, (q,) float64.

    scikit-learn's definition, in which equal distances are one step, for all queries at once: the sum over distances
    of the share of the relevant items that lie there times the precision up to there. Ours because scikit-learn's
    takes 1 to 2 ms a query and code length: 90 s for the table of notebook 23.

    Raises
    ------
    ValueError : a query of a class that the gallery doesn't have
    """
    if not np.isin(query_labels, gallery_labels).all():
        missing = np.setdiff1d(query_labels, gallery_labels).tolist()
        raise ValueError(f"each query needs an item of its class in the gallery, got none of class {missing}")
    found = []
    for rows in slices_of_queries(len(query_codes)):
        distances = hamming_distances(query_codes[rows], gallery_codes)
        right, total = _items_at_each_distance(distances, query_labels[rows, None] == gallery_labels)
        precision = np.cumsum(right, axis=1) / np.maximum(np.cumsum(total, axis=1), 1)
        found.append((right * precision).sum(axis=1) / right.sum(axis=1))
    return np.concatenate(found)


def _items_at_each_distance(distances: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count each query's relevant and all items at distance 0, 1, ...: two (q, furthest + 1) arrays."""
    n_queries, steps = len(distances), int(distances.max()) + 1
    places = distances + steps * np.arange(n_queries)[:, None]
    right = np.bincount(places[relevant], minlength=n_queries * steps)
    total = np.bincount(places.ravel(), minlength=n_queries * steps)
    return right.reshape(n_queries, steps), total.reshape(n_queries, steps)


def exact_search(queries: np.ndarray, gallery: np.ndarray, labels: Labels) -> Quality:
    """Judge exact search by cosine between features, without a hash.

    queries, gallery : (q, d) and (n, d) float; subtract the gallery's mean from both to see them as centred planes do
    """
    from sklearn.metrics import average_precision_score
    from sklearn.preprocessing import normalize

    searched, found = normalize(gallery).T, []
    for rows in slices_of_queries(len(queries)):
        for label, cosine in zip(labels[0][rows], normalize(queries[rows]) @ searched, strict=True):
            right = labels[1] == label
            found.append((average_precision_score(right, cosine), expected_precision_at_k(-cosine, right, N_HITS)))
    average_precision, precision = np.array(found).T
    return Quality(average_precision[None], precision[None])


# ---------------------------------------------------------------- as table, lines and metrics

Found = dict[tuple[str, int], Quality]      # (method, bits) -> its quality


def hash_table(found: Found) -> pd.DataFrame:
    """Return one row a method and length: mAP and P@20 with intervals over queries, and mAP's range over seeds.

    Rows stand in the order of METHODS, then of bits.

    columns: method, bits (0: compares features, no code), seeds, mAP, mAP low, mAP high, P@20, P@20 low, P@20 high,
    worst seed's mAP, best seed's mAP (equal for a single seed)
    """
    rows = []
    order = list(METHODS)
    for (method, bits), quality in sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        row = {"method": METHODS[method], "bits": bits, "seeds": len(quality.precision)}
        for name, estimate in (("mAP", quality.mean_average_precision), ("P@20", quality.precision_at_20)):
            row |= {name: estimate.value, f"{name} low": estimate.low, f"{name} high": estimate.high}
        seeds = quality.map_over_seeds
        rows.append(row | {"worst seed's mAP": seeds.low, "best seed's mAP": seeds.high})
    return pd.DataFrame(rows)


def lines_of(table: pd.DataFrame, name: str, published: dict[int, float] | None = None) -> pd.DataFrame:
    """Return `charts.lines`' table of "mAP" or "P@20" against bits; published values are a kind of their own.

    A method without a code is a level line from the shortest to the longest code.
    """
    columns = {"method": "kind", "bits": "x", name: "y", f"{name} low": "low", f"{name} high": "high"}
    ours = table[list(columns)].rename(columns=columns)
    lengths = ours.loc[ours["x"] != NO_CODE, "x"]
    ends = [ours.assign(x=ours["x"].replace(NO_CODE, length)) for length in (lengths.min(), lengths.max())]
    name = "paper on QSMIH, 2021 (other protocol)"
    theirs = [{"kind": name, "x": bits, "y": y} for bits, y in (published or {}).items()]
    return pd.concat([*ends, pd.DataFrame(theirs)], ignore_index=True).drop_duplicates()


def metrics_of(found: Found) -> dict[str, Estimate]:
    """Return the metrics of all methods and lengths by name: random_12_bits_map, ..., cosine_precision_at_20."""
    named = {}
    for (method, bits), quality in found.items():
        about = method if bits == NO_CODE else f"{method}_{bits}_bits"
        named[f"{about}_map"] = quality.mean_average_precision
        named[f"{about}_precision_at_20"] = quality.precision_at_20
    return named


def differences_of(found: Found) -> dict[str, Estimate]:
    """Return, for each length, what ITQ has over random planes and the learned layer over exact cosine, paired."""
    named = {}
    for bits in sorted({bits for _, bits in found} - {NO_CODE}):
        named[f"itq_minus_random_map_{bits}_bits"] = map_difference(found["itq", bits], found["random", bits])
        learned = map_difference(found["learned", bits], found["cosine", NO_CODE])
        named[f"learned_minus_cosine_map_{bits}_bits"] = learned
    return named
