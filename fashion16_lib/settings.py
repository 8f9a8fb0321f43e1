"""Profiles, folders, seeds and legal parameters: read once here, passed on as values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

GIB = 2**30
FASHION_MNIST = "fashion-mnist"
DEEPFASHION = "deepfashion-consumer-to-shop"     # comes by PAIRS_PATH, beside a data set
DATASETS = (FASHION_MNIST, "product-photos", "street-photos", "class-folder")


class Fashion16Error(RuntimeError):
    """Say in one line what came, what was expected and what to do."""


@dataclass(frozen=True)
class Profile:
    """Hold the sizes of one scale of the experiments.

    Attributes
    ----------
    n_train : images the Table 1 network learns from (None: all that are not held out for tuning)
    n_tuning : images held out of training, for choices
    n_gallery, n_queries : images that pass VGG-16; the gallery comes from the training part, queries from the test part
    n_test : images the Table 1 network is judged on (None: all)
    epochs : passes over the training images
    pixels, layer : VGG-16's square input and the layer whose output is the feature
    growth_sizes : numbers of training images, besides all of them, that the growth of accuracy is measured at (11)
    n_augmented : one more size, filled up with changed copies (0, or no more than there are images: none)
    min_updates : a small training set is gone through more often, until the network was updated so often
    n_runs : training seeds
    n_instances : gallery items that are changed and searched again
    n_timed : single queries that are timed
    """

    name: str
    n_train: int | None
    n_tuning: int
    n_gallery: int
    n_queries: int
    n_test: int | None
    epochs: int
    pixels: int
    layer: str
    growth_sizes: tuple[int, ...]
    n_augmented: int
    min_updates: int
    n_runs: int
    n_instances: int
    n_timed: int


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smoke", 2_000, 200, 600, 200, 500, 2, 32, "block4_pool",
            growth_sizes=(200, 500, 1_000), n_augmented=0, min_updates=48, n_runs=1, n_instances=40, n_timed=20,
        ),
        Profile(
            "quick", None, 1_000, 6_000, 1_000, None, 3, 64, "block4_pool",
            growth_sizes=(1_000, 2_500, 6_000), n_augmented=0, min_updates=320, n_runs=2, n_instances=250,
            n_timed=300,
        ),
        Profile(
            "full", None, 1_000, 59_000, 10_000, None, 20, 224, "block5_pool",
            growth_sizes=(2_000, 5_000, 10_000, 20_000), n_augmented=300_000, min_updates=0, n_runs=3,
            n_instances=2_000, n_timed=1_000,
        ),
    )
}

TRAINING_BATCH_SIZE = 32  # unsaid in the paper; Keras's default, and as fast an image as 128 on a CPU
N_HITS = 20  # 1.3: "return the 20 most similar"


def get_profile(name: str) -> Profile:
    """Return a profile by its name; raise ValueError naming the legal ones."""
    try:
        return PROFILES[name]
    except (KeyError, TypeError):
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {name!r}") from None


# ---------------------------------------------------------------- folders


def home() -> Path:
    """Return the project folder: where pyproject.toml lies, else the working folder."""
    here = Path(__file__).resolve().parent.parent
    return here if (here / "pyproject.toml").is_file() else Path.cwd()


def data_folder() -> Path:
    """Return the folder of downloads, weights and the feature cache (FASHION16_DATA, else data/)."""
    return Path(os.environ.get("FASHION16_DATA") or home() / "data").expanduser()


def out_folder() -> Path:
    """Return the folder that holds build/ and results/ (FASHION16_OUT, else the project)."""
    return Path(os.environ.get("FASHION16_OUT") or home()).expanduser()


def photos_folder() -> Path:
    """Return the folder in which people's archives of photos are looked for (FASHION16_PHOTOS, else data/)."""
    return Path(os.environ.get("FASHION16_PHOTOS") or data_folder()).expanduser()


def run_name(profile: str, dataset: str = FASHION_MNIST) -> str:
    """Return the name of a run's folders: the profile, and the data where it isn't Fashion-MNIST."""
    return profile if dataset == FASHION_MNIST else f"{profile}-{dataset}"


def parts_of_run(run: str) -> tuple[str, str]:
    """Return the profile and the data set that a run's name was made of."""
    profile, _, dataset = run.partition("-")
    return profile, dataset or FASHION_MNIST


def build_folder(run: str) -> Path:
    """Return the folder of a run's artefacts: models, libraries, executed notebooks, stamps."""
    return out_folder() / "build" / run


def results_folder(run: str) -> Path:
    """Return the folder of a run's figures, tables and metrics."""
    return out_folder() / "results" / run


# ---------------------------------------------------------------- parameters of the notebooks


@dataclass(frozen=True)
class Parameter:
    """Describe one notebook parameter: its legal values in words, and the check."""

    legal: str
    accepts: Callable[[Any], bool]


def _one_of(*values: Any) -> Parameter:
    words = ", ".join(map(repr, values))
    return Parameter(
        f"one of {words}", lambda value: any(value is v or (type(value) is type(v) and value == v) for v in values)
    )


def _whole(low: int, high: int, multiple: int = 1) -> Parameter:
    step = f", a multiple of {multiple}" if multiple > 1 else ""
    return Parameter(
        f"a whole number from {low} to {high}{step}",
        lambda value: type(value) is int and low <= value <= high and value % multiple == 0,
    )


VGG16_LAYERS = tuple(f"block{block}_pool" for block in range(1, 6))
MEANS = ("none", "dataset", "pixel", "image")
HASHES = ("random", "pca-sign", "itq")
ENGINES = ("faiss", "numpy")
RUNTIMES = ("onnxruntime", "keras")

PARAMETERS = {
    "PROFILE": _one_of(*PROFILES),
    "DATASET": _one_of(*DATASETS),
    "DATA_PATH": Parameter("a path, or empty: the photos folder", lambda value: isinstance(value, str)),
    "PAIRS_PATH": Parameter("a path, or empty: simulated street", lambda value: isinstance(value, str)),
    "COLOURS": _one_of("hue", "palette"),
    "SEED": _whole(0, 2**32 - 1),
    "N_BITS": _whole(8, 4096, multiple=8),
    "CENTRED": _one_of(True, False),
    "MEAN": _one_of(*MEANS),
    "DECIDER": _one_of("softmax-head", "table-1"),
    "N_HITS": _whole(1, 100),
    "DROPOUT": _one_of(True, False),
    "QUERY": _whole(0, 199),
    "N_GARMENTS": _whole(200, 6_000),
    "N_RUNS": _whole(0, 10),
    "N_AUGMENTED": _whole(0, 300_000),
    "N_TIMED": _whole(0, 10_000),
    "N_SEEDS": _whole(1, 10),
    "N_WORDS": _whole(10, 5_000),
    "KEYPOINTS": _one_of("detected", "dense"),
    "N_CLASSES": _whole(1, 10),
    "N_COLOURS": _whole(1, 10),
    "BITS_PER_TABLE": _whole(4, 16),
    "N_PAIRS": _whole(1_000, 1_000_000),
    "POOLING": _one_of("flat", "average", "max"),
    "LAYER": _one_of("profile", *VGG16_LAYERS),
    "PIXELS": Parameter(
        "0 or a whole number from 32 to 1024", lambda value: type(value) is int and (value == 0 or 32 <= value <= 1024)
    ),
    "N_ROTATIONS": _whole(1, 500),
    "NEAR_LEVELS": _whole(1, 15),
    "N_WORKERS": _whole(2, 64),
    "ADDRESS": Parameter("a Dask scheduler's, or empty: workers on this machine", lambda value: isinstance(value, str)),
}


def check_parameters(values: dict[str, Any]) -> None:
    """Refuse parameters with an unknown name or an illegal value.

    Raises
    ------
    ValueError : names the parameter, what came and what is legal
    """
    for name, value in values.items():
        if name not in PARAMETERS:
            raise ValueError(f"unknown parameter {name}; known are {', '.join(PARAMETERS)}")
        if not PARAMETERS[name].accepts(value):
            raise ValueError(f"{name} must be {PARAMETERS[name].legal}, got {value!r}")


def chosen_profile(name: str) -> Profile:
    """Return the profile a notebook asks for; FASHION16_PROFILE, set by nbval only, goes first."""
    return get_profile(os.environ.get("FASHION16_PROFILE") or name)


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
