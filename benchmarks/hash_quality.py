"""P@20 and recall@20 of hashes at 64 bits, on the same features: ours, FAISS's IndexLSH, the Keras example's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np

from fashion16_lib.data.dataset import load_dataset
from fashion16_lib.evaluate.code_quality import exact_neighbors
from fashion16_lib.evaluate.metrics import cosine_precision, expected_precision_at_k
from fashion16_lib.evaluate.relevance import code_distances, cosine_distances, reranked_hits
from fashion16_lib.evaluate.routing import same_class
from fashion16_lib.evaluate.statistics import mean_and_range, mean_over_queries, paired_difference
from fashion16_lib.models.feature_cache import CachedExtractor
from fashion16_lib.models.vgg16 import Vgg16Extractor
from fashion16_lib.progress import progress
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.principal import Itq, PcaSign
from fashion16_lib.settings import Fashion16Error, get_profile

N_BITS, K, N_FIRST, SEEDS = 64, 20, 200, range(5)


def lsh(seed: int, gallery: np.ndarray, queries: np.ndarray, centred: bool, trained: bool) -> tuple[Any, Any]:
    """Return IndexLSH's codes of gallery and queries; its rotation is drawn by the seed."""
    mean = gallery.mean(axis=0) if centred else np.float32(0)
    index = faiss.IndexLSH(gallery.shape[1], N_BITS, True, trained)
    index.rrot.init(1 + seed)
    index.train(gallery - mean)
    return index.sa_encode(gallery - mean), index.sa_encode(queries - mean)


def fitted(hasher: Any, gallery: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one of our hashes' codes of gallery and queries."""
    hasher.fit(gallery)
    return hasher.encode(gallery), hasher.encode(queries)


def by_bits(codes: np.ndarray, query_codes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each query's distances to the gallery: differing bits."""
    for code in query_codes:
        yield hamming_distances(code[None], codes)[0]


def by_tables(codes: np.ndarray, query_codes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each query's distances as the Keras near-duplicate example ranks: the tables in which the keys differ.

    It scales the features to length 1 first, which no plane through the origin notices.
    An item that shares no bucket isn't found there; here it comes last, which is no worse.
    """
    for code in query_codes:
        yield (codes != code).sum(axis=1)               # a table's key is one byte


METHODS: dict[str, tuple[Callable[[int, np.ndarray, np.ndarray], tuple[Any, Any]], Callable[..., Any]]] = {
    "random planes, centred (ours)": (lambda seed, *data: fitted(RandomHyperplanes(N_BITS, seed), *data), by_bits),
    "random planes, uncentred": (lambda seed, *data: fitted(RandomHyperplanes(N_BITS, seed, False), *data), by_bits),
    "PCA-sign, fitted (ours)": (lambda seed, *data: fitted(PcaSign(N_BITS, seed), *data), by_bits),
    "ITQ, fitted (ours)": (lambda seed, *data: fitted(Itq(N_BITS, seed), *data), by_bits),
    "IndexLSH, raw": (lambda seed, *data: lsh(seed, *data, False, False), by_bits),
    "IndexLSH, centred input": (lambda seed, *data: lsh(seed, *data, True, False), by_bits),
    "IndexLSH, trained thresholds": (lambda seed, *data: lsh(seed, *data, False, True), by_bits),
    "Keras example, 8 tables of 8 bits": (
        lambda seed, *data: fitted(RandomHyperplanes(N_BITS, seed, False), *data), by_tables),     # a byte a table
}


def run() -> dict[str, Any]:
    """Return the tables of all methods on both data sets, and the paired differences that the bars are about."""
    rows, differences = [], []
    for dataset in ("fashion-mnist", "product-photos"):
        try:
            photos = load_dataset(dataset, get_profile("quick"))
        except Fashion16Error as error:
            rows.append({"dataset": dataset, "method": f"not run: {error}"})
            continue
        extractor = CachedExtractor(Vgg16Extractor("block4_pool", 64))
        gallery, queries = extractor.extract(photos.gallery.images), extractor.extract(photos.queries.images)
        labels, asked = photos.gallery.labels, photos.queries.labels
        near = exact_neighbors(queries, gallery, K)
        cosine = cosine_precision(queries, asked, gallery, labels, K)
        n_numbers = gallery.shape[1]
        rows.append({"dataset": dataset, "method": "exact cosine (no hash)", **_row(cosine[None], np.ones((1, 1))),
                     "bytes_an_item": 4 * n_numbers})
        found = {}
        for name, (codes_by, distances_by) in progress(METHODS.items(), dataset, unit="method"):
            precision, recall = [], []
            for seed in SEEDS:
                each = [_judged(distances, labels == label, places) for distances, label, places in
                        zip(distances_by(*codes_by(seed, gallery, queries)), asked, near, strict=True)]
                precision.append([one for one, _ in each])
                recall.append([other for _, other in each])
            found[name] = np.array(precision)
            rows.append({"dataset": dataset, "method": name, **_row(found[name], np.array(recall)),
                         "bytes_an_item": N_BITS // 8})
        for name in ("random planes, centred (ours)", "ITQ, fitted (ours)"):
            precision, recall = _reranked(METHODS[name][0], (gallery, labels), (queries, asked), near)
            rows.append({"dataset": dataset, "method": f"{name}, best {N_FIRST} by stored features",
                         **_row(precision, recall), "bytes_an_item": N_BITS // 8 + 2 * n_numbers})
        differences += _differences(dataset, {name: values.mean(axis=0) for name, values in found.items()})
    return {"quality": rows, "differences": differences}


def _reranked(codes_by: Any, gallery: Any, queries: Any, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return P@20 and recall@20 of the nearest 200 codes in the order of float16 features' cosine, (seeds, q) each."""
    kept, labels = gallery[0].astype(np.float16), gallery[1]

    def is_near(query: int) -> np.ndarray:
        return np.isin(np.arange(len(labels)), near[query])

    found: dict[str, list[np.ndarray]] = {"precision": [], "recall": []}
    for seed in SEEDS:
        codes, query_codes = codes_by(seed, gallery[0], queries[0])
        distances = code_distances(query_codes, codes), cosine_distances(queries[0], kept.astype(np.float32))
        for name, relevant in (("precision", same_class(queries[1], labels)), ("recall", is_near)):
            found[name].append(reranked_hits(*distances, len(queries[0]), relevant, K, N_FIRST) / K)
    return np.array(found["precision"]), np.array(found["recall"])


def _judged(distances: np.ndarray, right: np.ndarray, near: np.ndarray) -> tuple[float, float]:
    """Return one query's P@20 and recall@20 of the exact neighbours, both in expectation over ties."""
    is_near = np.zeros(len(distances), bool)
    is_near[near] = True
    return expected_precision_at_k(distances, right, K), expected_precision_at_k(distances, is_near, K)


def _row(precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """Return means of (seeds, q) numbers: over queries with an interval, and the range over seeds."""
    mean, seeds = mean_over_queries(precision.mean(axis=0)), mean_and_range(precision.mean(axis=1))
    return {"precision_at_20": mean.value, "low": mean.low, "high": mean.high, "worst_seed": seeds.low,
            "best_seed": seeds.high, "recall_at_20": float(recall.mean()), "seeds": len(precision)}


def _differences(dataset: str, precision: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the differences the bars are about, paired over the same queries."""
    ours, itq = precision["random planes, centred (ours)"], precision["ITQ, fitted (ours)"]
    theirs = [name for name in precision if name.startswith(("IndexLSH", "Keras"))]
    best = max((name for name in theirs if name.startswith("IndexLSH")), key=lambda name: precision[name].mean())
    pairs = [("random planes", ours, "IndexLSH, raw", "> 0"),
             ("random planes", ours, "Keras example, 8 tables of 8 bits", "> 0"),
             ("random planes", ours, best, ">= -0.02"),                     # IndexLSH's best
             *(("ITQ", itq, name, ">= 0.08") for name in theirs)]
    rows = []
    for name, values, other, bar in pairs:
        found = paired_difference(values, precision[other])
        sign, limit = bar.split()
        holds = found.low >= float(limit) if sign == ">=" else found.low > float(limit)     # the whole interval
        rows.append({"dataset": dataset, "ours": name, "theirs": other, "difference": found.value, "low": found.low,
                     "high": found.high, "bar": bar, "holds": bool(holds)})
    return rows
