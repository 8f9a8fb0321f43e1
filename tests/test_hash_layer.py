"""The learned hash layer: Keras is the oracle of the folded layers; it learns from labels, and only from them."""

import keras
import numpy as np
import pytest

from fashion16_lib.evaluate.hash_table import average_precision_of_each_query, exact_search
from fashion16_lib.models import hash_layer
from fashion16_lib.models.hash_layer import HashLayer
from fashion16_lib.search.hamming import hamming_distances

N_BITS = 12


@pytest.fixture(scope="module")
def trained(photos, gallery_features):
    return HashLayer(N_BITS, seed=0).fit(gallery_features, photos.gallery.labels)


def average_precision(layer, photos, gallery_features, query_features):
    codes = layer.encode(query_features), layer.encode(gallery_features)
    return average_precision_of_each_query(codes[0], photos.queries.labels, codes[1], photos.gallery.labels)


def test_it_beats_exact_cosine_on_the_same_features(trained, photos, gallery_features, query_features):
    learned = average_precision(trained, photos, gallery_features, query_features)
    cosine = exact_search(query_features, gallery_features, (photos.queries.labels, photos.gallery.labels))
    assert learned.mean() > cosine.average_precision.mean() + 0.1


def test_wrong_labels_teach_nothing_about_the_queries(photos, gallery_features, query_features):
    """The null: labels dealt anew give codes that are near chance, 0.1, for garments it hasn't seen."""
    shuffled = np.random.default_rng(0).permutation(photos.gallery.labels)
    layer = HashLayer(N_BITS).fit(gallery_features, shuffled)
    assert average_precision(layer, photos, gallery_features, query_features).mean() < 0.25


def test_folded_layers_equal_the_keras_network(photos, gallery_features, query_features):
    """Components, hidden layer and hash layer, one after the other in Keras, against the two layers of `project`."""
    layer, labels = HashLayer(N_BITS, seed=2).fit(gallery_features, photos.gallery.labels), photos.gallery.labels
    mean, axes = hash_layer._scaled_axes(gallery_features, 2)
    gallery, queries = (((each - mean) @ axes).astype(np.float32) for each in (gallery_features, query_features))
    network = hash_layer._network(gallery.shape[1], N_BITS, 10, 1)
    for name, weights in zip(("hidden", "hash"), hash_layer._train(gallery, labels, N_BITS, 2), strict=True):
        network.get_layer(name).set_weights(weights)
    _, relaxed = network.predict_on_batch(queries)
    np.testing.assert_allclose(np.tanh(layer.project(query_features)), relaxed, atol=1e-3)
    assert np.ptp(relaxed) > 1.5


def test_components_are_scaled_by_the_root_of_their_deviation(gallery_features):
    mean, axes = hash_layer._scaled_axes(gallery_features, 0)
    deviations = ((gallery_features - mean) @ axes).std(axis=0, ddof=1)
    lengths = np.linalg.norm(axes, axis=0)                      # 1 / scale
    assert deviations[0] == pytest.approx(1, rel=1e-3) and deviations[-1] < 0.5
    np.testing.assert_allclose(deviations / lengths, deviations**2 / lengths[0], rtol=1e-2)
    overlap = (axes / lengths).T @ (axes / lengths)
    np.testing.assert_allclose(overlap, np.eye(axes.shape[1]), atol=1e-4)


def test_the_pull_is_the_mean_square_distance_from_minus_1_or_1():
    relaxed = np.array([[-1, 1, 0.5], [0, 0, -0.2]], np.float32)
    got = keras.ops.convert_to_numpy(hash_layer._distance_from_bits(None, relaxed))
    np.testing.assert_allclose(got, [0.25 / 3, (1 + 1 + 0.64) / 3], rtol=1e-6)


def test_the_loss_is_cross_entropy_plus_the_pull():
    network = hash_layer._network(6, N_BITS, 3, 1)
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((8, 6)).astype(np.float32), np.arange(8) % 3
    scores, relaxed = (each.astype(np.float64) for each in network.predict_on_batch(inputs))
    entropy = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(8), targets]
    wanted = entropy.mean() + hash_layer.PULL * ((np.abs(relaxed) - 1) ** 2).mean()
    got = network.test_on_batch(inputs, [targets, np.zeros((8, N_BITS), np.float32)])
    assert float(np.ravel(got)[0]) == pytest.approx(wanted, rel=1e-4)


def test_same_seed_same_codes_whatever_was_drawn_before(trained, photos, gallery_features):
    keras.utils.set_random_seed(99)
    again = HashLayer(N_BITS, seed=0).fit(gallery_features, photos.gallery.labels)
    np.testing.assert_array_equal(again.encode(gallery_features), trained.encode(gallery_features))
    other = HashLayer(N_BITS, seed=1).fit(gallery_features, photos.gallery.labels)
    assert (np.unpackbits(other.encode(gallery_features) ^ trained.encode(gallery_features))).mean() > 0.05


def test_names_of_classes_do_not_matter(trained, photos, gallery_features):
    """Labels needn't run from 0: 7, 10, 13, ... teach the same."""
    again = HashLayer(N_BITS, seed=0).fit(gallery_features, 3 * photos.gallery.labels + 7)
    np.testing.assert_array_equal(again.encode(gallery_features), trained.encode(gallery_features))


def test_codes_are_whole_bytes_and_do_not_depend_on_the_batch(trained, gallery_features):
    many = np.tile(gallery_features, (4, 1))[: hash_layer.CHUNK_ROWS + 7]
    together = trained.encode(many)
    assert together.shape == (len(many), 2) and together.dtype == np.uint8
    assert (together[:, 1] & 0b1111 == 0).all()                 # 12 bits: the last four of the second byte are filler
    alone = np.concatenate([trained.encode(row[None]) for row in gallery_features])
    np.testing.assert_array_equal(together, alone[np.arange(len(many)) % len(alone)])
    assert trained.encode(many[:0]).shape == (0, 2)


def test_two_classes_far_apart_get_codes_far_apart():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    features = rng.standard_normal((200, 8)) + 8 * labels[:, None]
    codes = HashLayer(8).fit(features[:100], labels[:100]).encode(features[100:])
    distances = hamming_distances(codes, codes)
    same = labels[100:, None] == labels[100:]
    assert distances[same].max() < distances[~same].min()


@pytest.mark.parametrize("n_bits", [0, 8.0, "8", None, True])
def test_wrong_numbers_of_bits_are_refused(n_bits):
    with pytest.raises(ValueError, match="n_bits must be a whole number from 1, got"):
        HashLayer(n_bits)


@pytest.mark.parametrize("labels", [np.zeros(20, int), np.arange(19)], ids=["one class", "a label too few"])
def test_labels_that_teach_nothing_are_refused(labels):
    with pytest.raises(ValueError, match="one label a vector and at least two classes, got 20 vectors"):
        HashLayer(8).fit(np.ones((20, 4)), labels)


def test_use_before_fit_and_other_features_are_refused(trained, gallery_features):
    with pytest.raises(ValueError, match="not trained yet; call fit"):
        HashLayer(8).encode(gallery_features)
    with pytest.raises(ValueError, match=r"must be \(n, 2048\) finite numbers, got shape \(300, 2047\)"):
        trained.encode(gallery_features[:, 1:])
    with pytest.raises(ValueError, match="finite numbers"):
        trained.encode(np.full((1, 2048), np.nan, np.float32))
