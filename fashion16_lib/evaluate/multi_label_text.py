"""The multi-label text's own statements, and what they say when they are run: arithmetic only."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence

import numpy as np

from fashion16_lib.evaluate import paper
from fashion16_lib.evaluate.errata import softmax

# 1: the example's columns, its three labels, and the code that the text gives them
COLUMNS = ("Black", "Blue", "Dress", "Jeans", "Red", "Shirt", "male", "famale")
EXAMPLE_LABELS = ("female", "red", "shirt")
EXAMPLE_CODE = (0, 1, 1, 0, 0, 0, 0, 1)
# 2: the network, as printed
SNIPPET = """from keras.models import Model
from keras.layers import Input,Dense
inputs = Input(shape=(10,))
hidden = Dense(units=10,activation='relu')(inputs)
output = Dense(units=5,activation='sigmoid')(hidden)
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])
"""
# 3: the six classes, as printed, and their numbers of pictures
CLASSES = (
    ("female_bule_dress", 415), ("female_bule_shirt", 311), ("female_red_dress", 259),
    ("male_black_shirt", 257), ("male_bule_shirt", 247), ("male_bule_shirt", 194),
)
# 4: the last argument of SmallerVGGNet.build;   5: "training longer than 20 epochs seems to over-fit"
DEFAULT_ENDING = "softmax"
EPOCHS = 20


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)) of each score, whatever the others are."""
    return 1 / (1 + np.exp(-np.asarray(scores, np.float64)))


def labels_of_code(columns: Sequence[str], code: Sequence[int]) -> tuple[str, ...]:
    """Return the labels that a code of 0 and 1 says, in lower case; the text's "famale" is read as female."""
    return tuple(name.lower().replace("famale", "female") for name, bit in zip(columns, code, strict=True) if bit)


def undefined_names(snippet: str) -> set[str]:
    """Return the names that a straight run of statements reads before anything gave them a value."""
    known, missing = set(dir(builtins)), set()
    for statement in ast.parse(snippet).body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        missing |= {node.id for node in names if isinstance(node.ctx, ast.Load)} - known
        known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if isinstance(statement, ast.Import | ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in statement.names}
    return missing


def recomputed() -> dict[str, float]:
    """Return everything in the text that arithmetic can check, by the name of its metric."""
    scores, printed = np.array(paper.SOFTMAX_DEMO[0]), np.array(paper.SOFTMAX_DEMO[1])
    said = labels_of_code(COLUMNS, EXAMPLE_CODE)
    return {
        "softmax_demo_error": float(np.abs(softmax(scores) - printed).max()),
        "softmax_demo_n_labels_above_half": int((softmax(scores) > 0.5).sum()),
        "sigmoid_demo_n_labels_above_half": int((sigmoid(scores) > 0.5).sum()),
        "n_example_labels_in_its_code": len(set(EXAMPLE_LABELS) & set(said)),
        "n_columns_in_binarizer_order": sum(map(str.__eq__, COLUMNS, sorted(COLUMNS))),
        "n_undefined_names_in_snippet": len(undefined_names(SNIPPET)),
        "n_different_class_names": len({name for name, _ in CLASSES}),
        "n_class_names_spelt_wrong": sum("bule" in name for name, _ in CLASSES),
        "n_text_pictures": sum(count for _, count in CLASSES),
    }
