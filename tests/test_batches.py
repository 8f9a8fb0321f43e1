"""Features a batch at a time: the same library and the same head as with all at once."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.features import batches
from fashion16_lib.features.batches import FeatureBatches
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.retrieval import Fashion16


class Counting:
    """Extract by the real extractor, noting how many images came at once."""

    def __init__(self, extractor):
        self.extractor, self.sizes = extractor, []
        self.fingerprint, self.n_features = extractor.fingerprint, extractor.n_features

    def extract(self, images):
        self.sizes.append(len(images))
        return self.extractor.extract(images)


@pytest.fixture
def small_batches(monkeypatch, cached_vgg):
    """Let 256 images fill a batch, the least there is: the gallery of 300 takes two."""
    monkeypatch.setattr(batches, "BATCH_BYTES", 256 * 4 * cached_vgg.n_features)


def test_all_features_come_in_order(photos, cached_vgg, gallery_features, small_batches):
    rows, parts = zip(*FeatureBatches(cached_vgg, photos.gallery.images), strict=True)
    assert [len(part) for part in parts] == [256, 44] and [row.start for row in rows] == [0, 256]
    np.testing.assert_array_equal(np.concatenate(parts), gallery_features)


def test_a_single_batch_is_extracted_once_and_two_again(photos, cached_vgg, monkeypatch):
    counting = Counting(cached_vgg)
    whole = FeatureBatches(counting, photos.gallery.images)
    assert [list(whole), list(whole)] and counting.sizes == [300]
    monkeypatch.setattr(batches, "BATCH_BYTES", 1)
    parts = FeatureBatches(counting, photos.gallery.images)
    assert [list(parts), list(parts)] and counting.sizes == [300, 256, 44, 256, 44]
    assert not list(FeatureBatches(counting, photos.gallery.images[:0]))


def test_the_mean_of_batches_is_the_mean(gallery_features):
    whole = RandomHyperplanes(64).fit(gallery_features)
    parts = RandomHyperplanes(64).fit_batches(np.array_split(gallery_features, 7))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-6)
    np.testing.assert_array_equal(parts.planes, whole.planes)
    with pytest.raises(ValueError, match="the gallery is empty"):
        RandomHyperplanes(64).fit_batches([])


@pytest.mark.parametrize("split_by", ["label", "predicted"])
def test_a_library_built_in_batches_holds_the_same_codes(photos, head, cached_vgg, small_batches, split_by):
    parts = Fashion16.build(photos.gallery, head, cached_vgg, split_by=split_by).library
    batches.BATCH_BYTES = 2**28
    whole = Fashion16.build(photos.gallery, head, cached_vgg, split_by=split_by).library
    assert (parts.all_codes() != whole.all_codes()).mean() < 0.001          # the means differ in the last digit
    np.testing.assert_array_equal(parts.stored_under(), whole.stored_under())


def test_a_head_fitted_in_batches_decides_alike(photos, head, cached_vgg, query_features, small_batches):
    parts = SoftmaxHead.fit_images(photos.gallery, cached_vgg)
    said, wanted = (each.predict_proba_of_features(query_features).argmax(axis=1) for each in (parts, head))
    assert (said == wanted).mean() > 0.9 and (said == photos.queries.labels).mean() > 0.6


def test_a_head_fitted_from_images_is_the_one_fitted_from_features(photos, head, cached_vgg):
    assert SoftmaxHead.fit_images(photos.gallery, cached_vgg).fingerprint == head.fingerprint
