"""1.4: the whole of Fashion-16: extract, classify, hash, search inside the class."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.files import only_writer, replace_file
from fashion16_lib.search.answer import Answer, Decider, Extractor, Hit, Images, Stages
from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.building import add_to_library, build_library, make_hash, probabilities_of
from fashion16_lib.search.described import rebuild_extractor, rebuild_head, refuse_other_fingerprint
from fashion16_lib.search.hamming import hamming_distances, nearest, similarity
from fashion16_lib.search.library import Library
from fashion16_lib.search.reranking import Found, rerank
from fashion16_lib.search.threads import one_thread
from fashion16_lib.settings import N_HITS, Fashion16Error


class DirectSearch:
    """Compare a query's code with every code of the library: search without classifying (2.2.2).

    Parameters
    ----------
    library : open library
    extractor : what made the library's features; refused if its fingerprint differs
    classifier : the decider, refused if its fingerprint isn't the one the library was built with; here it only names
        the query's class in the answer
    buckets : None to scan all codes, reading (a) of 1.3; Buckets(...) for readings (b) and (c), which look into the
        query's buckets only and may find fewer than k
    n_reranked : order the nearest so many codes (k where that is more) by cosine of the stored features, and return
        the first k of them; 0: the codes' order. The library must keep features

    Raises
    ------
    ValueError : n_reranked isn't a whole number from 0
    Fashion16Error : another extractor or classifier, or no features to re-rank by
    """

    mode: ClassVar[str] = "direct"

    def __init__(
        self,
        library: Library,
        extractor: Extractor,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
        n_reranked: int = 0,
    ) -> None:
        if isinstance(n_reranked, bool) or not isinstance(n_reranked, (int, np.integer)) or n_reranked < 0:
            raise ValueError(f"n_reranked must be a whole number from 0, got {n_reranked!r}; use 200, say")
        if n_reranked and not library.keeps_features:
            raise Fashion16Error(
                f"{library.name} keeps no features, so its hits can't be re-ranked; build it again with "
                "keep_features=True (command line: --keep-features)"
            )
        refuse_other_fingerprint("extractor", library.settings["extractor"], extractor.fingerprint, library.name)
        if classifier is not None:
            refuse_other_fingerprint("classifier", library.settings["decider"], classifier.fingerprint, library.name)
        self.library, self.extractor, self.classifier = library, extractor, classifier
        self.buckets, self.n_reranked = buckets, int(n_reranked)
        self._tables: dict[int | None, tuple[BucketTables, np.ndarray, np.ndarray]] = {}     # with codes and rows

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        extractor: Extractor | None = None,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
        n_reranked: int = 0,
        engine: str | None = None,
    ) -> Self:
        """Open a library file; VGG-16 and the softmax head are rebuilt from its settings unless given."""
        return cls.over(Library(path, engine), extractor=extractor, classifier=classifier, buckets=buckets,
                        n_reranked=n_reranked)

    @classmethod
    def over(
        cls, library: Library, *, extractor: Extractor | None = None, classifier: Decider | None = None, **options: Any
    ) -> Self:
        """Search an open library; VGG-16 and the softmax head are rebuilt from its settings unless given."""
        extractor = extractor or rebuild_extractor(library)
        return cls(library, extractor, classifier or rebuild_head(library, extractor), **options)

    def save(self, path: str | Path) -> None:
        """Write the library to an HDF5 file, whole or not at all.

        Raises
        ------
        Fashion16Error : somebody else writes the file
        """
        with only_writer(Path(path)):
            replace_file(Path(path), self.library.to_bytes())

    def search(self, image: np.ndarray, k: int = N_HITS) -> list[Hit]:
        """Return the k most similar items of the library, by distance, then gallery row; re-ranked, by cosine.

        Parameters
        ----------
        image : (h, w) grey or (h, w, 3) RGB uint8
        k : 1 to the number of items; a class or bucket with fewer gives what it has

        Raises
        ------
        ValueError : k out of range, or an image that isn't one
        """
        return self.answer(image, k).hits

    def answer(self, image: np.ndarray, k: int = N_HITS) -> Answer:
        """Return hits, predicted class with probabilities, and the time of each stage in milliseconds."""
        return self.answers([image], k)[0]

    def answers(self, images: Images, k: int = N_HITS) -> list[Answer]:
        """Answer several queries together; the times in each answer are the batch's, divided by its queries."""
        k = check_k(k, self.library.n_items)
        stages = Stages()
        features = self.extractor.extract(images)
        stages.done("extract")
        with one_thread if len(images) == 1 else nullcontext():
            return self._answers(images, features, k, stages)

    def _answers(self, images: Images, features: np.ndarray, k: int, stages: Stages) -> list[Answer]:
        probabilities = None
        if self.classifier is not None:
            probabilities = probabilities_of(self.library.class_names, self.classifier, images, features)
        stages.done("classify")
        codes = self.library.hasher.encode(features)
        stages.done("hash")
        best = None if probabilities is None else probabilities.argmax(axis=1)
        found = self._nearest(codes, best, features, k)
        stages.done("search")
        hits = [self._read_hits(each) for each in found]
        stages.done("read_result")
        time_ms = {stage: spent / max(len(images), 1) for stage, spent in stages.time_ms.items()}
        names = self.library.class_names
        return [
            Answer(
                None if best is None else names[best[query]],
                {} if probabilities is None else dict(zip(names, map(float, probabilities[query]), strict=True)),
                self.mode,
                hits[query],
                codes[query].tobytes().hex(),
                dict(time_ms),
            )
            for query in range(len(images))
        ]

    def _where(self, best: np.ndarray | None, n_queries: int) -> dict[int | None, np.ndarray]:
        """Return the queries (their numbers) by the class they are compared in; None: the whole library."""
        return {None: np.arange(n_queries)}

    def _nearest(self, codes: np.ndarray, best: np.ndarray | None, features: np.ndarray, k: int) -> list[Found]:
        found: dict[int, Found] = {}
        n_first = max(k, self.n_reranked)
        for number, queries in self._where(best, len(codes)).items():
            each: Iterable[tuple[np.ndarray, np.ndarray]]
            if self.buckets is None:
                each = zip(*self.library.search(codes[queries], n_first, number), strict=True)
            else:
                each = (self._in_buckets(code, n_first, number) for code in codes[queries])
            for query, (rows, distances) in zip(queries.tolist(), each, strict=True):
                ranked = Found(rows, distances, similarity(distances, self.library.n_bits))
                found[query] = rerank(self.library, ranked, features[query], k) if self.n_reranked else ranked
        return [found[query] for query in range(len(codes))]

    def _in_buckets(self, code: np.ndarray, k: int, number: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and distances of the k nearest among the codes in the query's buckets."""
        assert self.buckets is not None
        if number not in self._tables:
            library = self.library
            codes, rows = library.class_codes(number) if number is not None else (
                library.all_codes(), np.arange(library.n_items))
            self._tables[number] = BucketTables(codes, self.buckets), codes, rows
        tables, codes, rows = self._tables[number]
        places = tables.candidates(code)
        distances = hamming_distances(code[None], codes[places])[0]
        order = nearest(distances, k)
        return rows[places[order]], distances[order]

    def _read_hits(self, found: Found) -> list[Hit]:
        library = self.library
        return [
            Hit(item, library.label_name(label), float(share), int(distance), code.tobytes().hex())
            for item, label, share, distance, code in zip(
                library.ids(found.rows), library.labels(found.rows), found.similarities, found.distances,
                library.codes(found.rows), strict=True
            )
        ]

    def with_items(self, items: Dataset) -> Self:
        """Return the model with further items in its library; only they are extracted, classified and hashed.

        Raises
        ------
        ValueError : ids that the library has already, or a class that it hasn't
        """
        return self._over(add_to_library(self.library, items, self.extractor, self.classifier))

    def without_items(self, ids: Iterable[str]) -> Self:
        """Return the model without some items in its library."""
        return self._over(self.library.without_items(ids))

    def _over(self, content: bytes) -> Self:
        library = Library(content, self.library.engine)
        return type(self)(library, self.extractor, self.classifier, self.buckets, self.n_reranked)


class Fashion16(DirectSearch):
    """Classify the query first, then compare its code inside that class only: the paper's model.

    Parameters
    ----------
    library, extractor, buckets, n_reranked : as for DirectSearch
    classifier : the decider, here required: it chooses the class that is searched
    """

    mode: ClassVar[str] = "in-class"

    def __init__(
        self,
        library: Library,
        extractor: Extractor,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
        n_reranked: int = 0,
    ) -> None:
        if classifier is None:
            kind = library.settings["decider"]["kind"]
            raise Fashion16Error(
                f"{library.name} was built with a {kind} classifier, which the file doesn't hold; pass it "
                "as classifier= (command line: --classifier FILE)"
            )
        super().__init__(library, extractor, classifier, buckets, n_reranked)

    @classmethod
    def build(
        cls,
        gallery: Dataset,
        classifier: Decider,
        extractor: Extractor,
        *,
        n_bits: int = 64,
        seed: int = 0,
        centred: bool = True,
        hash: str = "random",
        split_by: str = "label",
        keep_features: bool = False,
    ) -> Self:
        """Extract, classify, hash and store a gallery; of a large one only a batch of features is held at once.

        Parameters
        ----------
        gallery : images with ids, labels and class names; sorted by id here
        n_bits, seed, centred : of the planes
        hash : "random" planes, the paper's; or planes fitted to the gallery, "pca-sign" and "itq" (always centred; of a
            large gallery, to a part drawn with the seed)
        split_by : "label" stores an item under its true class, "predicted" under the class the decider gives it
            ("training samples are first classified, then stored by class", 1.4)
        keep_features : store them as float16 too, for re-ranking; then all of them are held in memory

        Raises
        ------
        ValueError : an illegal option, or an empty gallery
        Fashion16Error : a gallery class that the classifier doesn't know
        """
        content = build_library(
            gallery, classifier, extractor, make_hash(hash, n_bits, seed, centred), split_by, keep_features
        )
        return cls(Library(content), extractor, classifier)

    def _where(self, best: np.ndarray | None, n_queries: int) -> dict[int | None, np.ndarray]:
        assert best is not None
        return {number: np.flatnonzero(best == number) for number in np.unique(best).tolist()}


def check_k(k: int, n_items: int) -> int:
    """Return k, or raise ValueError where it isn't a whole number from 1 to n_items."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n_items:
        remedy = f"use 1 to {n_items}" if n_items else "the library is empty: add images"
        raise ValueError(f"k must be a whole number from 1 to the number of items in the library, got {k!r}; {remedy}")
    return int(k)
