"""1.4: a gallery becomes a library: extract, hash, sort into classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.pictures import part_of
from fashion16_lib.features.batches import FeatureBatches
from fashion16_lib.search.answer import Decider, Extractor, Images
from fashion16_lib.search.hyperplanes import Hyperplanes, RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.search.principal import Itq, PcaSign
from fashion16_lib.settings import HASHES, Fashion16Error

SPLITS = ("label", "predicted")


def make_hash(kind: str, n_bits: int, seed: int, centred: bool = True) -> RandomHyperplanes | PcaSign:
    """Return planes of a kind, to be fitted; a library's codes are whole bytes.

    Raises
    ------
    ValueError : another kind, bits that aren't a multiple of 8, or fitted planes without centring
    """
    if kind not in HASHES:
        raise ValueError(f"hash must be one of {', '.join(HASHES)}, got {kind!r}")
    random = RandomHyperplanes(n_bits, seed, centred)               # refuses a wrong number of bits
    if kind == "random":
        return random
    if not centred:
        raise ValueError(f"{kind} planes go through the gallery's mean always; uncentred planes are hash=\"random\"")
    return PcaSign(n_bits, seed) if kind == "pca-sign" else Itq(n_bits, seed)


def build_library(
    gallery: Dataset,
    classifier: Decider,
    extractor: Extractor,
    hasher: RandomHyperplanes | PcaSign,
    split_by: str,
    keep_features: bool,
) -> bytes:
    """Return the bytes of a gallery's library; Fashion16.build tells the parameters.

    Raises
    ------
    ValueError : another split_by, or an empty gallery
    Fashion16Error : a gallery class that the classifier doesn't know
    """
    gallery = gallery.sorted_by_id()
    settings = library_settings(gallery, classifier, extractor, hasher, split_by)
    batches = FeatureBatches(extractor, gallery.images)
    if isinstance(hasher, RandomHyperplanes):
        hasher.fit_batches(features for _, features in batches)
    else:
        hasher.fit(batches.sample(hasher.seed))
    codes, stored_under, kept = hash_and_sort(batches, hasher, gallery, gallery.labels, split_by, keep_features,
                                              classifier, gallery.class_names)
    return write_library(
        settings,
        hasher,
        codes,
        stored_under,
        gallery.ids,
        gallery.labels,
        getattr(classifier, "arrays", {}),
        kept,
    )


def library_settings(
    gallery: Dataset, classifier: Decider, extractor: Extractor, hasher: Hyperplanes, split_by: str
) -> dict[str, Any]:
    """Return what the library of a gallery, sorted by id, tells of itself; see `build_library`."""
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
    return {
        "dataset": gallery.name,
        "dataset_sha256": gallery.sha256,
        "class_names": list(gallery.class_names),
        "extractor": extractor.fingerprint,
        "decider": classifier.fingerprint,
        "split_by": split_by,
        "hash": hasher.settings,
    }


def add_to_library(library: Library, items: Dataset, extractor: Extractor, classifier: Decider | None) -> bytes:
    """Return the bytes of a library with further items; only they are extracted, classified and hashed.

    The planes and the decider stay those of the first gallery.

    Raises
    ------
    ValueError : ids that the library has already, or a class that it hasn't
    Fashion16Error : items go by their predicted class, and there is no classifier
    """
    if len(items) == 0:
        raise ValueError("the items to add must be at least one image, got none")
    unknown = sorted(set(items.label_names) - set(library.class_names))
    if unknown:
        raise ValueError(
            f"{library.name} has the classes {', '.join(library.class_names)}, got {', '.join(unknown)}; "
            "build it again with them"
        )
    items = items.sorted_by_id()
    labels = np.array([library.class_names.index(name) for name in items.label_names], np.int64)
    codes, stored_under, kept = hash_and_sort(
        FeatureBatches(extractor, items.images), library.hasher, items, labels, library.settings["split_by"],
        library.keeps_features, classifier, library.class_names,
    )
    return library.with_items(codes, stored_under, items.ids, labels, kept)


def hash_and_sort(
    batches: Iterable[tuple[slice, np.ndarray]],
    hasher: Hyperplanes,
    items: Dataset,
    labels: np.ndarray,
    split_by: str,
    keep_features: bool,
    classifier: Decider | None,
    class_names: Sequence[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return items' codes, the class library each goes into, and their features as float16 where they are kept.

    batches : rows of the items and their features
    """
    if split_by == "predicted" and classifier is None:
        raise Fashion16Error("items go by their predicted class here; pass the classifier as classifier=")
    codes, stored_under = np.empty((len(items), hasher.n_bits // 8), np.uint8), np.array(labels)
    planes = hasher.planes
    assert planes is not None
    kept = np.empty((len(items), planes.shape[1]), np.float16) if keep_features else None
    for rows, features in batches:
        codes[rows] = hasher.encode(features)
        if kept is not None:
            kept[rows] = as_float16(features)
        if split_by == "predicted" and classifier is not None:
            probabilities = probabilities_of(class_names, classifier, part_of(items.images, rows), features)
            stored_under[rows] = probabilities.argmax(axis=1)
    return codes, stored_under, kept


def as_float16(features: np.ndarray) -> np.ndarray:
    """Return features as float16, what a library keeps of them; ValueError where one is too large."""
    if np.abs(features).max(initial=0) > np.finfo(np.float16).max:
        raise ValueError("features must fit into float16 (up to 65,504) to be kept, got larger ones; use a later layer")
    return features.astype(np.float16)


def probabilities_of(
    class_names: Sequence[str], classifier: Decider, images: Images, features: np.ndarray
) -> np.ndarray:
    """Return class probabilities in the order of class_names, (n, classes)."""
    return classify(classifier, images, features)[:, [classifier.class_names.index(name) for name in class_names]]


def classify(classifier: Decider, images: Images, features: np.ndarray) -> np.ndarray:
    """Return class probabilities, from the features where the decider stands on them: no image passes VGG-16 twice."""
    from_features = getattr(classifier, "predict_proba_of_features", None)
    return from_features(features) if from_features else classifier.predict_proba(images)
