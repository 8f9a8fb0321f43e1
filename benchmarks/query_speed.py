"""The whole query against a bare pass of VGG-16; the runtimes that could do the pass; the command from its start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Ratio, of_times, ratio
from PIL import Image
from runtimes import DEFAULT, LAYER, LOCKED, RUNTIMES, Child, installed

from fashion16_lib.data.dataset import load_dataset
from fashion16_lib.data.preprocess import to_vgg16_input
from fashion16_lib.evaluate.paper import N_IMAGES
from fashion16_lib.evaluate.timing import with_synthetic_copies
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.models.vgg16 import Vgg16Extractor
from fashion16_lib.progress import progress
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.search.retrieval import DirectSearch, Fashion16
from fashion16_lib.settings import get_profile

N_ROUNDS = {1: 25, 16: 9}           # of a batch's size


def paper_sized(extractor: Any, n_learned: int) -> tuple[Fashion16, Any]:
    """Return a model over the paper's 325,820 items, copies of real codes with flipped bits, and query images."""
    photos = load_dataset("fashion-mnist", get_profile("quick"))
    gallery = photos.gallery.take(range(0, len(photos.gallery), len(photos.gallery) // n_learned)).sorted_by_id()
    features = extractor.extract(gallery.images)
    head = SoftmaxHead.fit(features, gallery.labels, gallery.class_names, extractor)
    library = Fashion16.build(gallery, head, extractor).library
    labels = np.resize(gallery.labels, N_IMAGES)
    content = write_library(library.settings, library.hasher, with_synthetic_copies(library.all_codes(), N_IMAGES),
                            labels, (f"{i:06d}" for i in range(N_IMAGES)), labels, head.arrays)
    return Fashion16(Library(content), extractor, head), photos.queries.images


def one_by_one(model: Fashion16) -> Any:
    """Return a function that answers several queries without putting them together."""
    return lambda images: [model.answer(image) for image in images]


def run() -> dict[str, Any]:
    """Return the ratios of whole queries to bare passes, and of the runtimes to each other."""
    ratios, rows = [], []
    for pixels, bar, n_queries in ((64, "<= 1.35", 100), (224, "<= 1.15", 30)):
        extractor = Vgg16Extractor(LAYER, pixels)
        model, images = paper_sized(extractor, 600 if pixels == 64 else 100)
        direct = DirectSearch(model.library, extractor, model.classifier)
        one = to_vgg16_input(images[:1], pixels)
        asked = list(images[:n_queries])
        ratios += [
            ratio(f"whole query / bare VGG-16 pass, {pixels} px", model.answer,
                  lambda _, batch=one, forward=extractor.forward: forward(batch), asked, bar),
            ratio(f"whole query, direct / in class, {pixels} px", direct.answer, model.answer, asked),
            ratio(f"16 queries, one by one / together, {pixels} px", one_by_one(model), model.answers,
                  [images[start:start + 16] for start in range(0, 16 * 6, 16)], n_warm_up=1),
        ]
        of_runtimes, table = _runtimes(images, pixels)
        ratios += of_runtimes
        rows += table
        if pixels == 64:
            ratios.append(_command(model, images[0]))
    return {"ratios": ratios, "runtimes": rows}


def _runtimes(images: Any, pixels: int) -> tuple[list[Ratio], list[dict[str, Any]]]:
    """Return the default's speed beside the best other that the lock installs, and every runtime's times."""
    ratios, rows = [], []
    for n, n_rounds in N_ROUNDS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "batch.npy"
            np.save(path, to_vgg16_input(images[:n], pixels))
            children = {name: Child(name, path) for name in installed()}
            features = {name: child.wait() for name, child in children.items()}
            times: dict[str, list[float]] = {name: [] for name in children}
            for turn in progress(range(n_rounds + 2), f"runtimes, {n} at {pixels} px", unit="round"):
                for name, child in children.items():
                    time_ms = child.time_ms()
                    if turn >= 2:                               # two to warm up
                        times[name].append(time_ms)
            for child in children.values():
                child.end()
        reference = features["Keras on TensorFlow (reference)"]
        ours = np.array(times[DEFAULT])
        for name, each in times.items():
            over = of_times(name, np.array(each), ours)
            rows.append({"runtime": name, "images": n, "pixels": pixels, "time_ms_p50": float(np.median(each)),
                         "over_default": over.median, "low": over.low, "high": over.high,
                         "features_differ_by": float(np.abs(features[name] - reference).max() / reference.max())})
        others = [name for name in times if RUNTIMES[name][2] in LOCKED and name != DEFAULT]
        best = min(others, key=lambda name: np.median(times[name]))
        ratios.append(of_times(f"speed of extraction, default / next best, {n} at {pixels} px",
                               np.array(times[best]), ours, ">= 0.9", f"; best other: {best}"))
    return ratios, rows


def _command(model: Fashion16, image: Any) -> Ratio:
    """Return how long the search command takes from its start, with Keras over ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        library, picture = Path(folder) / "library.h5", Path(folder) / "query.png"
        model.save(library)
        Image.fromarray(image).save(picture)

        def command(runtime: str) -> Any:
            arguments = [sys.executable, "-m", "fashion16_lib", "search", str(library), str(picture)]
            environment = {**os.environ, "FASHION16_RUNTIME": runtime}
            return lambda _: subprocess.run(arguments, env=environment, check=True, stdout=subprocess.DEVNULL)

        return ratio("the search command from its start, Keras / ONNX Runtime", command("keras"),
                     command("onnxruntime"), range(5), n_warm_up=1)
