"""2.1.1 and 2.2.2: how good a search is: per query, per seed of the planes, per reading of "bucket"."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.code_quality import codes_of
from fashion16_lib.evaluate.metrics import direct_precision, has_tie_at_k, in_class_precision
from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.building import classify
from fashion16_lib.search.hamming import hamming_distances, nearest
from fashion16_lib.search.library import Library
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.settings import N_HITS


def search_all(model: Fashion16, queries: Dataset, features: np.ndarray, k: int = N_HITS) -> pd.DataFrame:
    """Search a library for all queries, directly and in class; return one row a query.

    Parameters
    ----------
    model : open or just built
    queries : with the library's class names in the library's order
    features : (q, d) float32 of the queries

    Returns
    -------
    columns: label, predicted (indices), right (bool), direct, in_class (expected precision at k), tie_at_k (bool,
    direct search: is the k-th hit tied with the next?)
    """
    assert model.classifier is not None
    library = model.library
    codes, gallery_codes, gallery_labels = library.hasher.encode(features), library.all_codes(), library.labels()
    predicted = classify(model.classifier, queries.images, features).argmax(axis=1)
    stored_under = library.stored_under()
    distances = (hamming_distances(code[None], gallery_codes)[0] for code in codes)
    return pd.DataFrame(
        {
            "label": queries.labels,
            "predicted": predicted,
            "right": predicted == queries.labels,
            "direct": direct_precision(codes, queries.labels, gallery_codes, gallery_labels, k),
            "in_class": in_class_precision(
                codes, queries.labels, gallery_codes, gallery_labels, k, predicted, stored_under
            ),
            "tie_at_k": [has_tie_at_k(row, k) for row in distances],
        }
    )


def precision_by_plane_seed(
    gallery: tuple[np.ndarray, np.ndarray],
    queries: tuple[np.ndarray, np.ndarray],
    n_bits: int,
    seeds: Iterable[int],
    k: int = N_HITS,
) -> pd.DataFrame:
    """Return direct precision at k for planes of several seeds, centred and not.

    Parameters
    ----------
    gallery, queries : (features (n, d), labels (n,))

    Returns
    -------
    columns: seed, centred, uncentred
    """

    def precision(seed: int, centred: bool) -> float:
        codes, query_codes = codes_of(gallery[0], queries[0], n_bits, seed, centred)
        return float(direct_precision(query_codes, queries[1], codes, gallery[1], k).mean())

    return pd.DataFrame(
        [{"seed": seed, "centred": precision(seed, True), "uncentred": precision(seed, False)} for seed in seeds]
    )


def compare_readings(
    library: Library, codes: np.ndarray, labels: np.ndarray, readings: dict[str, Buckets | None], k: int = N_HITS
) -> pd.DataFrame:
    """Search directly by each reading of 1.3's "bucket" and compare with the full scan.

    Parameters
    ----------
    library : searched
    codes, labels : (q, bytes) uint8 and (q,) of the queries
    readings : name -> Buckets, None for the full scan

    Returns
    -------
    columns: name, looked_at (share of the codes compared), precision (of the k hits; a missing hit counts as wrong),
    recall (share of the full scan's k hits that are found again), hits (mean number)
    """
    gallery_codes, gallery_labels = library.all_codes(), library.labels()
    full = [_hits(code, gallery_codes, None, k)[1] for code in codes]
    rows = []
    for name, buckets in readings.items():
        tables = BucketTables(gallery_codes, buckets) if buckets else None
        looked_at, hits = zip(*(_hits(code, gallery_codes, tables, k) for code in codes), strict=True)
        right = [np.sum(gallery_labels[found] == label) for found, label in zip(hits, labels, strict=True)]
        again = [len(np.intersect1d(found, wanted)) for found, wanted in zip(hits, full, strict=True)]
        rows.append({
            "name": name, "looked_at": np.mean(looked_at) / library.n_items, "precision": np.mean(right) / k,
            "recall": np.mean(again) / k, "hits": np.mean([len(found) for found in hits]),
        })
    return pd.DataFrame(rows)


def _hits(code: np.ndarray, codes: np.ndarray, tables: BucketTables | None, k: int) -> tuple[int, np.ndarray]:
    """Return how many codes were compared, and the places of the k nearest among them."""
    places = tables.candidates(code) if tables else np.arange(len(codes))
    return len(places), places[nearest(hamming_distances(code[None], codes[places])[0], k)]
