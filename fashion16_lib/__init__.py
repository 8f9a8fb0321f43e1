"""Fashion-16, reproduced: classify a garment, hash its VGG-16 features, search inside its class."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Names a reader imports from here, and where they live. Loaded at first use, so that reading a library file
# doesn't wait for Keras.
_LAZY = {
    "load_dataset": "fashion16_lib.data.dataset",
    "Dataset": "fashion16_lib.data.dataset",
    "Table1Classifier": "fashion16_lib.models.classifier",
    "Vgg16Extractor": "fashion16_lib.models.vgg16",
    "SoftmaxHead": "fashion16_lib.models.softmax_head",
    "CachedExtractor": "fashion16_lib.models.feature_cache",
    "RandomHyperplanes": "fashion16_lib.search.hyperplanes",
    "DirectSearch": "fashion16_lib.search.retrieval",
    "Fashion16": "fashion16_lib.search.retrieval",
    "Notebook": "fashion16_lib.report.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"fashion16_lib has no {name}; it offers {', '.join(_LAZY)}")
    return getattr(import_module(_LAZY[name]), name)
