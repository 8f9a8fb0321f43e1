"""1.4: the whole of Fashion-16: extract, classify, hash, search inside the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.pictures import part_of
from fashion16_lib.features.batches import FeatureBatches
from fashion16_lib.files import replace_file
from fashion16_lib.search.answer import Answer, Decider, Extractor, Hit, Images, Stages
from fashion16_lib.search.buckets import Buckets, BucketTables
from fashion16_lib.search.hamming import hamming_distances, nearest, similarity
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library, write_library
from fashion16_lib.settings import N_HITS, Fashion16Error

SPLITS = ("label", "predicted")


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
    """

    mode: ClassVar[str] = "direct"

    def __init__(
        self,
        library: Library,
        extractor: Extractor,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        _refuse_other_fingerprint("extractor", library.settings["extractor"], extractor.fingerprint, library.name)
        if classifier is not None:
            _refuse_other_fingerprint("classifier", library.settings["decider"], classifier.fingerprint, library.name)
            self._columns = [classifier.class_names.index(name) for name in library.class_names]
        self.library, self.extractor, self.classifier, self.buckets = library, extractor, classifier, buckets
        self._tables: dict[int | None, BucketTables] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        extractor: Extractor | None = None,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
    ) -> Self:
        """Open a library file; VGG-16 and the softmax head are rebuilt from its settings unless given."""
        library = Library(path)
        extractor = extractor or _rebuild_extractor(library)
        return cls(library, extractor, classifier or _rebuild_head(library, extractor), buckets)

    def save(self, path: str | Path) -> None:
        """Write the library to an HDF5 file, whole or not at all."""
        replace_file(Path(path), self.library.to_bytes())

    def search(self, image: np.ndarray, k: int = N_HITS) -> list[Hit]:
        """Return the k most similar items of the library, by distance, then gallery row.

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
        k = check_k(k, self.library.n_items)
        stages = Stages()
        features = self.extractor.extract([image])
        stages.done("extract")
        probabilities = self._probabilities([image], features)
        stages.done("classify")
        code = self.library.hasher.encode(features)[0]
        stages.done("hash")
        best = int(np.argmax(probabilities[0])) if probabilities is not None else None
        rows, distances = self._nearest(code, best, k)
        stages.done("search")
        hits = self._read_hits(rows, distances)
        stages.done("read_result")
        by_name = (
            {}
            if probabilities is None
            else dict(zip(self.library.class_names, map(float, probabilities[0]), strict=True))
        )
        label = None if best is None else self.library.class_names[best]
        return Answer(label, by_name, self.mode, hits, stages.time_ms)

    def _probabilities(self, images: Images, features: np.ndarray) -> np.ndarray | None:
        return None if self.classifier is None else classify(self.classifier, images, features)[:, self._columns]

    def _codes(self, best_class: int | None) -> tuple[np.ndarray, np.ndarray]:
        return self.library.all_codes(), np.arange(self.library.n_items)

    def _nearest(self, code: np.ndarray, best_class: int | None, k: int) -> tuple[np.ndarray, np.ndarray]:
        codes, rows = self._codes(best_class)
        if self.buckets is not None:
            if best_class not in self._tables:
                self._tables[best_class] = BucketTables(codes, self.buckets)
            places = self._tables[best_class].candidates(code)
            codes, rows = codes[places], rows[places]
        distances = hamming_distances(code[None], codes)[0]
        order = nearest(distances, k)
        return rows[order], distances[order]

    def _read_hits(self, rows: np.ndarray, distances: np.ndarray) -> list[Hit]:
        library = self.library
        shares = similarity(distances, library.n_bits)
        return [
            Hit(item, library.label_name(label), float(share), int(distance))
            for item, label, share, distance in zip(
                library.ids(rows), library.labels(rows), shares, distances, strict=True
            )
        ]


class Fashion16(DirectSearch):
    """Classify the query first, then compare its code inside that class only: the paper's model.

    Parameters
    ----------
    library, extractor, buckets : as for DirectSearch
    classifier : the decider, here required: it chooses the class that is searched
    """

    mode: ClassVar[str] = "in-class"

    def __init__(
        self,
        library: Library,
        extractor: Extractor,
        classifier: Decider | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        if classifier is None:
            kind = library.settings["decider"]["kind"]
            raise Fashion16Error(
                f"{library.name} was built with a {kind} classifier, which the file doesn't hold; pass it "
                "as classifier= (command line: --classifier FILE)"
            )
        super().__init__(library, extractor, classifier, buckets)

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
        split_by: str = "label",
    ) -> Self:
        """Extract, classify, hash and store a gallery; of a large one only a batch of features is held at once.

        Parameters
        ----------
        gallery : images with ids, labels and class names; sorted by id here
        split_by : "label" stores an item under its true class, "predicted" under the class the decider gives it
            ("training samples are first classified, then stored by class", 1.4)
        n_bits, seed, centred : of RandomHyperplanes

        Raises
        ------
        ValueError : an illegal option, or an empty gallery
        Fashion16Error : a gallery class that the classifier doesn't know
        """
        if split_by not in SPLITS:
            raise ValueError(f'split_by must be "label" or "predicted", got {split_by!r}')
        if len(gallery) == 0:
            raise ValueError("the gallery must hold at least one image, got none")
        unknown = [name for name in gallery.class_names if name not in classifier.class_names]
        if unknown:
            raise Fashion16Error(
                f"the classifier knows {', '.join(classifier.class_names)}; the gallery also has "
                f"{', '.join(unknown)}; train a classifier on the gallery's classes"
            )
        gallery = gallery.sorted_by_id()
        batches = FeatureBatches(extractor, gallery.images)
        hasher = RandomHyperplanes(n_bits, seed, centred).fit_batches(features for _, features in batches)
        codes, stored_under = np.empty((len(gallery), n_bits // 8), np.uint8), np.array(gallery.labels)
        columns = [classifier.class_names.index(name) for name in gallery.class_names]
        for rows, features in batches:
            codes[rows] = hasher.encode(features)
            if split_by == "predicted":
                likely = classify(classifier, part_of(gallery.images, rows), features)[:, columns]
                stored_under[rows] = likely.argmax(axis=1)
        content = write_library(
            {
                "dataset": gallery.name,
                "dataset_sha256": gallery.sha256,
                "class_names": list(gallery.class_names),
                "extractor": extractor.fingerprint,
                "decider": classifier.fingerprint,
                "split_by": split_by,
                "hash": {"n_bits": n_bits, "seed": seed, "centred": centred},
            },
            hasher,
            codes,
            stored_under,
            gallery.ids,
            gallery.labels,
            getattr(classifier, "arrays", {}),
        )
        return cls(Library(content), extractor, classifier)

    def _codes(self, best_class: int | None) -> tuple[np.ndarray, np.ndarray]:
        assert best_class is not None
        return self.library.class_codes(best_class)


def classify(classifier: Decider, images: Images, features: np.ndarray) -> np.ndarray:
    """Return class probabilities, from the features where the decider stands on them: no image passes VGG-16 twice."""
    from_features = getattr(classifier, "predict_proba_of_features", None)
    return from_features(features) if from_features else classifier.predict_proba(images)


def check_k(k: int, n_items: int) -> int:
    """Return k, or raise ValueError where it isn't a whole number from 1 to n_items."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n_items:
        remedy = f"use 1 to {n_items}" if n_items else "the library is empty: add images"
        raise ValueError(f"k must be a whole number from 1 to the number of items in the library, got {k!r}; {remedy}")
    return int(k)


def _refuse_other_fingerprint(what: str, stored: dict[str, Any], given: dict[str, Any], name: str) -> None:
    differing = [key for key in sorted(stored.keys() | given.keys()) if stored.get(key) != given.get(key)]
    if differing:
        details = "; ".join(f"{key}: library {stored.get(key)!r}, given {given.get(key)!r}" for key in differing)
        raise Fashion16Error(
            f"{name} was built with another {what} ({details}); use that one, or build the library again"
        )


def _rebuild_extractor(library: Library) -> Extractor:
    from fashion16_lib.models.vgg16 import Vgg16Extractor

    return Vgg16Extractor.from_fingerprint(library.settings["extractor"])


def _rebuild_head(library: Library, extractor: Extractor) -> Decider | None:
    from fashion16_lib.models.softmax_head import SoftmaxHead

    if library.settings["decider"]["kind"] != SoftmaxHead.kind:
        return None  # a Table 1 model is a file of its own
    return SoftmaxHead(library.decider_arrays(), library.class_names, extractor)
