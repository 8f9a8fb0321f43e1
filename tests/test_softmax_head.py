"""The softmax head: scikit-learn's own pipeline is the oracle of the folded layer."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.settings import Fashion16Error

NAMES = tuple("abcdefghij")


def pipeline(features, labels, n_components=256):
    """Reduce to 256 components, scale by the first one's deviation, fit: three steps that stay three."""
    reducer = PCA(n_components, svd_solver="randomized", random_state=0).fit(features)
    scale = reducer.transform(features)[:, 0].std()
    scaler = FunctionTransformer(lambda reduced: reduced / scale)
    model = LogisticRegression(max_iter=300).fit(scaler.transform(reducer.transform(features)), labels)
    return make_pipeline(reducer, scaler, model)


def test_folded_layer_equals_scikit_learns_three_steps(head, photos, gallery_features, query_features):
    theirs = pipeline(gallery_features, photos.gallery.labels).predict_proba(query_features)
    ours = head.predict_proba_of_features(query_features)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ours.max() > 0.5  # it does say something
    assert (ours.argmax(axis=1) == photos.queries.labels).mean() > 0.5  # chance is 0.1


@pytest.mark.parametrize("classes", [(3, 8), (1, 4, 9)], ids=["two classes", "three of ten"])
def test_classes_without_images_have_probability_0(photos, gallery_features, query_features, vgg, classes):
    rows = np.isin(photos.gallery.labels, classes)
    fitted = SoftmaxHead.fit(gallery_features[rows], photos.gallery.labels[rows], NAMES, vgg)
    theirs = pipeline(gallery_features[rows], photos.gallery.labels[rows], rows.sum() - 1).predict_proba(query_features)
    ours = fitted.predict_proba_of_features(query_features)
    np.testing.assert_allclose(ours[:, classes], theirs, atol=1e-4)
    others = [number for number in range(10) if number not in classes]
    assert (ours[:, others] == 0).all()
    np.testing.assert_allclose(ours.sum(axis=1), 1)


def test_images_and_features_give_the_same(head, photos, query_features):
    ours = head.predict_proba(photos.queries.images)
    np.testing.assert_allclose(ours, head.predict_proba_of_features(query_features), atol=1e-6)


def test_huge_scores_do_not_overflow(head):
    far = np.full((1, 2048), 1e6, np.float32)
    got = head.predict_proba_of_features(np.concatenate([far, -far, np.zeros_like(far)]))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(axis=1), 1)


def test_a_gallery_of_equal_features_still_fits(vgg):
    """All vectors equal: nothing to learn, each class as likely as its share, no division by zero."""
    fitted = SoftmaxHead.fit(np.ones((6, 2048), np.float32), np.array([0, 0, 0, 0, 1, 1]), ("a", "b"), vgg)
    np.testing.assert_allclose(fitted.predict_proba_of_features(np.ones((1, 2048))), [[4 / 6, 2 / 6]], atol=0.01)


def test_fingerprint_follows_the_numbers(head, cached_vgg):
    arrays = {name: array.copy() for name, array in head.arrays.items()}
    assert SoftmaxHead(arrays, head.class_names, cached_vgg).fingerprint == head.fingerprint
    arrays["weights"][0, 0] += 1e-3
    assert SoftmaxHead(arrays, head.class_names, cached_vgg).fingerprint != head.fingerprint


def test_one_class_alone_is_refused(vgg, gallery_features):
    with pytest.raises(ValueError, match="at least two classes, got 1; add another class"):
        SoftmaxHead.fit(gallery_features[:5], np.zeros(5, int), ("a", "b"), vgg)


@pytest.mark.parametrize(
    "harm",
    [
        lambda arrays: {},
        lambda arrays: {"weights": arrays["weights"]},
        lambda arrays: arrays | {"weights": arrays["weights"][:, :-1]},
        lambda arrays: arrays | {"weights": arrays["weights"][:3]},
        lambda arrays: arrays | {"bias": arrays["bias"][:3]},
    ],
    ids=["nothing", "no bias", "other extractor", "other classes", "short bias"],
)
def test_arrays_of_another_shape_are_refused(head, cached_vgg, harm):
    with pytest.raises(
        Fashion16Error, match=r"needs weights \(10, 2048\) and bias \(10,\), got .*build the library again"
    ):
        SoftmaxHead(harm(head.arrays), head.class_names, cached_vgg)
