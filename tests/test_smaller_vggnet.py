"""SmallerVGGNet: the text's layers, weights in the loss, training that is kept, files that are refused."""

from __future__ import annotations

import zipfile
from itertools import pairwise

import keras
import numpy as np
import pytest

from fashion16_lib.models.label_head import LabelHead, label_network
from fashion16_lib.models.network_file import load_network
from fashion16_lib.models.smaller_vggnet import (
    SmallerVggNet,
    build_smaller_vggnet,
    label_weights,
    to_squares,
    weighted_loss,
)
from fashion16_lib.settings import Fashion16Error

NAMES = ("blue", "dark", "red")
RNG = np.random.default_rng(0)


def coloured(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return plain squares of 12 pixels, red or blue, dark or light, and which labels each has."""
    rng = np.random.default_rng(seed)
    red, dark = rng.random((2, n)) < 0.5
    squares = np.zeros((n, 12, 12, 3), np.uint8)
    squares[np.arange(n), :, :, np.where(red, 0, 2)] = np.where(dark, 90, 230)[:, None, None]
    return squares, np.column_stack([~red, dark, red])


@pytest.fixture(scope="module")
def trained():
    return SmallerVggNet.train(coloured(320), coloured(60, 1), NAMES, epochs=6, seed=0)


# ---------------------------------------------------------------- the network

def test_layers_are_the_texts():
    network = build_smaller_vggnet(96, 72, 3, 7)
    assert network.input_shape == (None, 72, 96, 3) and network.output_shape == (None, 7)
    kinds = {"Conv2D": "filters", "MaxPooling2D": "pool_size", "Dropout": "rate", "Dense": "units",
             "Activation": "activation"}
    names = [type(layer).__name__ for layer in network.layers]
    values = [getattr(layer, kinds.get(name, ""), None) for name, layer in zip(names, network.layers, strict=True)]
    told = [(name, value.__name__ if callable(value) else value) for name, value in zip(names, values, strict=True)]

    def unit(filters: int) -> list:
        return [("Conv2D", filters), ("Activation", "relu"), ("BatchNormalization", None)]

    def pooled(size: int) -> list:
        return [("MaxPooling2D", (size, size)), ("Dropout", 0.25)]

    assert told == [
        *unit(32), *pooled(3), *unit(64), *unit(64), *pooled(2), *unit(128), *unit(128), *pooled(2), ("Flatten", None),
        ("Dense", 1024), ("Activation", "relu"), ("BatchNormalization", None), ("Dropout", 0.5), ("Dense", 7),
        ("Activation", "softmax"),
    ]


def test_parameters_counted_by_hand():
    filters = (3, 32, 64, 64, 128, 128)
    convolutions = sum(9 * before * after + after for before, after in pairwise(filters))
    normalisations = 4 * (32 + 64 + 64 + 128 + 128 + 1024)
    dense = 128 * 3 * 3 * 1024 + 1024 + 1024 * 5 + 5                     # 36 pixels: 36 / 12 = 3
    assert build_smaller_vggnet(36, 36, 3, 5).count_params() == convolutions + normalisations + dense


def test_squares_are_rgb_of_any_picture():
    grey, tall = np.full((20, 30), 7, np.uint8), RNG.integers(0, 256, (80, 60, 3)).astype(np.uint8)
    squares = to_squares([grey, tall], 24)
    assert squares.shape == (2, 24, 24, 3) and squares.dtype == np.uint8 and (squares[0] == 7).all()
    assert to_squares([], 24).shape == (0, 24, 24, 3)


# ---------------------------------------------------------------- the loss

def test_weights_by_hand_and_at_their_limits():
    targets = np.array([[1, 1, 0, 1]] + [[0, 1, 0, 1]] * 2 + [[0, 1, 0, 0]])
    assert label_weights(targets).tolist() == [3, 1, 4, 1]               # 3/1, never below 1, 4/max(0, 1), 2/2
    assert label_weights(np.eye(100)).max() == 10


def test_loss_without_weights_is_keras_own_and_with_them_the_formula():
    true, said = RNG.integers(0, 2, (9, 4)).astype(np.float32), RNG.uniform(0.01, 0.99, (9, 4)).astype(np.float32)
    plain = weighted_loss(np.ones(4, np.float32))(true, said)
    assert np.allclose(plain, keras.losses.binary_crossentropy(true, said), atol=1e-6)
    weights = np.array([1, 2, 5, 10], np.float32)
    formula = -(weights * true * np.log(said) + (1 - true) * np.log(1 - said)).mean(axis=1)
    assert np.allclose(weighted_loss(weights)(true, said), formula, atol=1e-5)
    certain = weighted_loss(weights)(true, true)
    assert np.isfinite(np.asarray(certain)).all() and np.asarray(certain).max() < 1e-4


# ---------------------------------------------------------------- training, and what is kept of it

def test_it_learns_labels_and_keeps_the_best_epoch(trained):
    squares, targets = coloured(60, 1)
    probabilities = trained.predict_proba(squares)
    assert probabilities.shape == (60, 3) and probabilities.dtype == np.float32
    held_out = keras.losses.binary_crossentropy(targets.astype(np.float32), probabilities)
    assert np.mean(held_out) == pytest.approx(min(trained.history["val_loss"]), abs=1e-3)
    assert trained.best_epoch == 1 + int(np.argmin(trained.history["val_loss"]))
    assert trained.history["loss"][-1] < 0.5 * trained.history["loss"][0] and len(trained.history["loss"]) == 6


def test_no_photo_gives_no_probability(trained):
    assert trained.predict_proba([]).shape == (0, 3)


def test_saved_and_read_it_says_the_same(trained, tmp_path):
    trained.save(tmp_path / "net.keras")
    again = SmallerVggNet.load(tmp_path / "net.keras")
    squares, _ = coloured(10, 2)
    assert (again.predict_proba(squares) == trained.predict_proba(squares)).all()
    assert (again.label_names, again.history, again.fingerprint) == (NAMES, trained.history, trained.fingerprint)


def test_training_is_kept_until_something_changes(tmp_path):
    data, options = (coloured(64), coloured(20, 1), NAMES), {"epochs": 1, "weighted": False, "seed": 0}
    first = SmallerVggNet.train_or_load(tmp_path, *data, **options)
    [path] = tmp_path.glob("*.keras")
    when = path.stat().st_mtime_ns
    keras.layers.Dense(3)                                               # layers' automatic numbers move on
    assert SmallerVggNet.train_or_load(tmp_path, *data, **options).fingerprint == first.fingerprint
    assert [each.stat().st_mtime_ns for each in tmp_path.glob("*.keras")] == [when]
    changed = SmallerVggNet.train_or_load(tmp_path, *data, **{**options, "weighted": True})
    assert len(list(tmp_path.glob("*.keras"))) == 2 and changed.fingerprint != first.fingerprint


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    with pytest.raises(Fashion16Error, match="train it again"):
        SmallerVggNet.load(tmp_path / "x.keras")
    with pytest.raises(Fashion16Error, match="missing"):
        load_network(tmp_path / "missing.keras", "a network")


def test_code_inside_a_file_is_never_run(tmp_path, trained):
    evil = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    evil.save(tmp_path / "evil.keras")
    with zipfile.ZipFile(tmp_path / "evil.keras", "a") as archive:
        archive.writestr("fashion16.json", '{"label_names": ["a", "b"], "history": {}}')
    with pytest.raises(Fashion16Error):
        SmallerVggNet.load(tmp_path / "evil.keras")


# ---------------------------------------------------------------- the head on features

def test_the_texts_network_has_ten_ten_and_five():
    network = label_network(10, 10, 5)
    assert network.count_params() == 11 * 10 + 11 * 5 and network.output_shape == (None, 5)
    with pytest.raises(ValueError, match="sigmoid, softmax"):
        label_network(10, 10, 5, "relu")


def test_heads_of_both_endings_learn_two_labels_a_photo():
    groups = RNG.integers(0, 3, (400, 2))
    targets = np.zeros((400, 6), bool)
    targets[np.arange(400)[:, None], groups + np.array([0, 3])] = True
    features = (targets @ RNG.normal(size=(6, 30)) + 0.1 * RNG.normal(size=(400, 30))).astype(np.float32)
    heads = {ending: LabelHead("abcdef", ending).fit(features[:300], targets[:300])
             for ending in ("sigmoid", "softmax")}
    said = {ending: head.predict_proba_of_features(features[300:]) for ending, head in heads.items()}
    assert np.allclose(said["softmax"].sum(axis=1), 1, atol=1e-5) and (said["sigmoid"].sum(axis=1) > 1.5).all()
    assert ((said["sigmoid"] > 0.5) == targets[300:]).mean() > 0.97
    assert (said["softmax"] > 0.5).sum(axis=1).max() <= 1 and ((said["softmax"] > 0.25) == targets[300:]).mean() > 0.95


def test_head_refuses_what_it_cant_learn():
    features = RNG.normal(size=(5, 4)).astype(np.float32)
    with pytest.raises(ValueError, match="targets must be"):
        LabelHead("ab").fit(features, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="at least one label"):
        LabelHead("ab", "softmax").fit(features, np.zeros((5, 2)))
    with pytest.raises(ValueError, match="call fit"):
        LabelHead("ab").predict_proba_of_features(features)
    with pytest.raises(ValueError, match="ending must be"):
        LabelHead("ab", "tanh")
