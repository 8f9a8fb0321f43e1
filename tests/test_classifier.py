"""The network of Table 1: its shapes and parameters by hand, its predictions by Keras alone, its file."""

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.preprocess import mean_to_remove
from fashion16_lib.files import digest_of
from fashion16_lib.models.classifier import BATCH_SIZE, Table1Classifier, build_table1
from fashion16_lib.settings import MEANS, Fashion16Error

# Table 1 of the paper: layer, output shape, parameters.
TABLE_1 = [
    ("conv2d_1", (28, 28, 16), 160),
    ("conv2d_2", (28, 28, 32), 4640),
    ("max_pooling2d_1", (14, 14, 32), 0),
    ("conv2d_3", (14, 14, 64), 18496),
    ("conv2d_4", (14, 14, 128), 73856),
    ("max_pooling2d_2", (7, 7, 128), 0),
    ("dropout_1", (7, 7, 128), 0),
    ("flatten_1", (6272,), 0),
    ("dense_1", (256,), 1605888),
    ("dropout_2", (256,), 0),
    ("dense_2", (10,), 2570),
]


def test_layers_shapes_and_parameters_are_those_of_table_1():
    network = build_table1()
    found = [(layer.name, layer.output.shape[1:], layer.count_params()) for layer in network.layers]
    assert found == TABLE_1
    assert network.count_params() == 1_705_610 == sum(n for _, _, n in TABLE_1)


def test_without_dropout_only_the_dropouts_are_missing():
    assert [layer.name for layer in build_table1(dropout=False).layers] == [
        name for name, _, _ in TABLE_1 if not name.startswith("dropout")
    ]
    assert build_table1(4).output_shape == (None, 4)


def test_predictions_equal_a_forward_pass_by_hand(table1, photos):
    """Convolve, pool and multiply in NumPy with the trained weights."""
    weights = table1.network.get_weights()

    def convolve(x, kernel, bias):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        height, width = x.shape[1:3]
        windows = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
        return np.maximum(sum(windows) + bias, 0)

    def pool(x):
        n, height, width, depth = x.shape
        return x.reshape(n, height // 2, 2, width // 2, 2, depth).max(axis=(2, 4))

    images = photos.queries.images[:4]
    x = ((images - photos.train.images.mean(dtype=np.float64)) / 255)[..., None]
    x = pool(convolve(convolve(x, *weights[0:2]), *weights[2:4]))
    x = pool(convolve(convolve(x, *weights[4:6]), *weights[6:8])).reshape(4, -1)
    x = np.maximum(x @ weights[8] + weights[9], 0) @ weights[10] + weights[11]
    expected = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table1.predict_proba(images), expected, atol=1e-5)


def test_probabilities_do_not_depend_on_the_batch(table1, photos):
    images = np.concatenate([photos.test.images] * 2)[: BATCH_SIZE + 3]
    together = table1.predict_proba(images)
    assert together.shape == (BATCH_SIZE + 3, 10)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together[-3:], table1.predict_proba(images[-3:]), atol=1e-5)
    assert table1.predict_proba([]).shape == table1.predict_proba(images[:0]).shape == (0, 10)


def test_one_epoch_on_600_images_learns(table1, photos):
    accuracy = (table1.predict_proba(photos.test.images).argmax(axis=1) == photos.test.labels).mean()
    assert accuracy > 0.35  # chance is 0.1; 300 images: 14 deviations
    assert set(table1.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert all(len(values) == 1 for values in table1.history.values()) and table1.history["seconds"][0] > 0
    tuned = (table1.predict_proba(photos.tuning.images).argmax(axis=1) == photos.tuning.labels).mean()
    assert table1.history["val_accuracy"][0] == pytest.approx(tuned, abs=0.006)  # 200 images: one may flip in float32


@pytest.fixture(scope="module")
def few(photos):
    return {"train": photos.train.take(range(120)), "tuning": photos.tuning.take(range(20))}


@pytest.mark.parametrize("reading", MEANS)
def test_each_reading_of_the_mean_is_kept_through_the_file(few, photos, tmp_path, reading):
    before = few["train"].images.copy()
    trained = Table1Classifier.train(**few, epochs=1, mean_reading=reading)
    np.testing.assert_array_equal(few["train"].images, before)
    np.testing.assert_array_equal(trained.mean, mean_to_remove(few["train"].images, reading))
    trained.save(tmp_path / "model.keras")
    loaded = Table1Classifier.load(tmp_path / "model.keras")
    assert loaded.fingerprint == trained.fingerprint and loaded.history == trained.history
    assert (loaded.class_names, loaded.mean_reading) == (photos.train.class_names, reading)
    np.testing.assert_array_equal(loaded.mean, trained.mean)
    images = photos.test.images[:50]
    np.testing.assert_allclose(loaded.predict_proba(images), trained.predict_proba(images), atol=1e-7)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_the_readings_make_different_inputs(table1, photos):
    """The same network with another mean says something else: the mean in the file matters."""
    images = photos.test.images[:50]
    other = Table1Classifier(table1.network, table1.class_names, "none", 0, {})
    assert np.abs(other.predict_proba(images) - table1.predict_proba(images)).max() > 0.01
    assert other.fingerprint != table1.fingerprint


def test_train_or_load_trains_once_for_each_recipe(few, tmp_path, monkeypatch):
    trained = Table1Classifier.train_or_load(tmp_path, **few, epochs=1, seed=3)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes(), path.stat().st_mtime_ns
    loaded = Table1Classifier.train_or_load(tmp_path, **few, epochs=1, seed=3)
    assert loaded.fingerprint == trained.fingerprint and (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert loaded.history["seconds"] == trained.history["seconds"]  # the seconds of the one training there was

    asked = []
    monkeypatch.setattr(
        Table1Classifier, "train", classmethod(lambda cls, *_, **options: asked.append(options) or trained)
    )
    other_images = few["train"].take(range(1, 120))
    for data, options in [
        (few, {"epochs": 2, "seed": 3}),
        (few, {"epochs": 1, "seed": 4}),
        (few, {"epochs": 1, "seed": 3, "mean_reading": "none"}),
        (few, {"epochs": 1, "seed": 3, "dropout": False}),
        (few | {"train": other_images}, {"epochs": 1, "seed": 3}),
    ]:
        Table1Classifier.train_or_load(tmp_path, **data, **options)
    assert len(asked) == 5  # each change retrains
    Table1Classifier.train_or_load(tmp_path, **few, epochs=2, seed=3)
    assert len(asked) == 5


def test_dropout_is_off_when_predicting(table1, photos):
    images = photos.test.images[:20]
    np.testing.assert_array_equal(table1.predict_proba(images), table1.predict_proba(images))


def test_images_of_any_size_and_colour_are_taken(table1, photos):
    image = photos.test.images[0]
    colour = np.repeat(image[..., None], 3, axis=2)
    big = np.kron(image, np.ones((4, 4), np.uint8))
    np.testing.assert_allclose(table1.predict_proba([colour, big]), table1.predict_proba([image, image]), atol=1e-4)


# ---------------------------------------------------------------- other inputs, and going on from other weights


def test_larger_inputs_in_colour_keep_table_1s_layers():
    wide, plain = build_table1(pixels=56, colour=True), build_table1()
    assert [layer.name for layer in wide.layers] == [layer.name for layer in plain.layers]
    assert wide.input_shape == (None, 56, 56, 3) and wide.get_layer("flatten_1").output.shape == (None, 14 * 14 * 128)
    more = (3 - 1) * 9 * 16 + (14 * 14 - 7 * 7) * 128 * 256     # weights to two more channels, and to more places
    assert wide.count_params() == plain.count_params() + more


@pytest.fixture(scope="module")
def stripes():
    """Return 48 colour pictures that only colour tells apart: red or blue stripes of equal luma."""
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    images = np.zeros((48, 24, 18, 3), np.uint8)
    images[:, ::3] = np.where(labels[:, None, None, None], (0, 0, 255), (97, 0, 0))
    images += rng.integers(0, 4, images.shape, np.uint8)
    return Dataset("stripes", list(images), labels, ("red", "blue"), [f"{row:02d}" for row in range(48)])


def only(photos, rows):
    return Dataset(photos.name, [photos.images[row] for row in rows], photos.labels[rows], photos.class_names,
                   [photos.ids[row] for row in rows])


def test_a_network_in_colour_sees_what_grey_hides_and_survives_its_file(stripes, tmp_path):
    train, test = only(stripes, np.arange(32)), only(stripes, np.arange(32, 48))
    trained = Table1Classifier.train(train, test, epochs=12, pixels=16, colour=True)
    assert (trained.pixels, trained.colour) == (16, True)
    assert (trained.predict_proba(test.images).argmax(axis=1) == test.labels).all()
    trained.save(tmp_path / "model.keras")
    loaded = Table1Classifier.load(tmp_path / "model.keras")
    assert (loaded.pixels, loaded.colour, loaded.fingerprint) == (16, True, trained.fingerprint)
    np.testing.assert_allclose(loaded.predict_proba(test.images), trained.predict_proba(test.images), atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 28, 1), (32, 32, 2), (32, 32, 1)], ids=["oblong", "channels", "layers"])
def test_a_file_with_another_input_and_other_layers_is_refused(table1, tmp_path, shape):
    import keras

    network = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(10)])
    Table1Classifier(network, table1.class_names, "none", 0, {}).save(tmp_path / "model.keras")
    with pytest.raises(Fashion16Error, match=r"a Table 1 classifier takes \(None, 28, 28, 1\)"):
        Table1Classifier.load(tmp_path / "model.keras")


def test_training_goes_on_from_the_weights_given(table1, few, monkeypatch):
    """With a rate of 0 nothing is learned: the new network is the old one, its outputs in the new order."""
    monkeypatch.setattr("fashion16_lib.models.classifier.FIRST_RATE", 0.0)
    names = (*reversed(few["train"].class_names), "Scarf")      # other order, and a class the old one doesn't know
    new = {name: Dataset("few", part.images, 9 - part.labels, names, part.ids) for name, part in few.items()}
    trained = Table1Classifier.train(**new, epochs=1, mean_reading="none", start=table1)
    assert (trained.mean_reading, trained.class_names) == (table1.mean_reading, names)
    np.testing.assert_array_equal(trained.mean, table1.mean)
    for ours, theirs in zip(trained.network.get_weights()[:-2], table1.network.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    kernel, bias = trained.network.get_weights()[-2:]
    np.testing.assert_array_equal(kernel[:, :10], table1.network.get_weights()[-2][:, ::-1])
    np.testing.assert_array_equal(bias, [*table1.network.get_weights()[-1][::-1], 0])
    assert np.abs(kernel[:, 10]).max() > 0                      # a new class begins with random weights
    known = trained.predict_proba(few["train"].images)[:, :10]
    expected = table1.predict_proba(few["train"].images)[:, ::-1]
    np.testing.assert_allclose(known / known.sum(axis=1, keepdims=True), expected, atol=1e-5)


def test_a_start_of_another_shape_is_refused(table1, few):
    with pytest.raises(ValueError, match=r"start takes \(28, 28, 1\), the new network \(32, 32, 1\)"):
        Table1Classifier.train(**few, epochs=1, pixels=32, start=table1)


def test_a_plain_trainings_recipe_is_as_it_was_and_every_new_option_changes_it(few, table1, tmp_path, monkeypatch):
    """Files trained before there were other inputs keep their names."""
    monkeypatch.setattr(Table1Classifier, "train", classmethod(lambda cls, *_, **options: table1))
    Table1Classifier.train_or_load(tmp_path, **few, epochs=1)
    (plain,) = tmp_path.iterdir()
    recipe = {"train": few["train"].sha256, "tuning": few["tuning"].sha256,
              "network": [repr(layer.get_config()) for layer in build_table1().layers],
              "optimiser": ["adam", "cosine", 0.001, 32], "epochs": 1}
    assert plain.name == f"table-1-{digest_of(recipe)[:16]}.keras"
    other = Table1Classifier(table1.network, table1.class_names, "none", 0, {})
    for options in ({"pixels": 56}, {"colour": True}, {"start": table1}, {"start": other}):
        Table1Classifier.train_or_load(tmp_path, **few, epochs=1, **options)
    assert len(list(tmp_path.iterdir())) == 5
