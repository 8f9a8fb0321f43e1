"""SIFT bag of words: descriptors by OpenCV itself, words and counts by brute force; in VGG-16's place in the search."""

import json

import cv2
import numpy as np
import pytest

from fashion16_lib.features.sift import (
    CELLS,
    GRID,
    KEYPOINTS,
    WINDOW,
    Descriptors,
    SiftBagOfWords,
    count_words,
    describe,
    draw_keypoints,
    fit_vocabulary,
    nearest_words,
    picture_words,
    root_sift,
)
from fashion16_lib.models.feature_cache import CachedExtractor
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.settings import Fashion16Error

BLANK = np.zeros((28, 28), np.uint8)
PIXELS = {"detected": 56, "dense": 28}


@pytest.fixture(scope="module")
def described(photos):
    """Return the descriptors of 100 garments, kind of keypoints -> Descriptors."""
    return {kind: describe(photos.gallery.images[:100], kind, PIXELS[kind]) for kind in KEYPOINTS}


@pytest.fixture(scope="module")
def bags(photos):
    """Return a bag of 20 words with 2 x 2 cells for each kind of keypoints."""
    images = photos.gallery.images
    return {kind: SiftBagOfWords.fit(images[:150], n_words=20, keypoints=kind, pixels=PIXELS[kind], cells=2)
            for kind in KEYPOINTS}


# ---------------------------------------------------------------- descriptors


@pytest.mark.parametrize("row", [0, 7, 20])
def test_detected_descriptors_equal_opencvs_own(photos, row):
    image = photos.gallery.images[row]
    large = cv2.resize(image, (112, 112), interpolation=cv2.INTER_LINEAR)
    points, values = cv2.SIFT_create().detectAndCompute(large, None)
    found = describe([image], "detected", 112)
    np.testing.assert_array_equal(found.values.astype(np.float32), values)              # nothing lost in uint8
    np.testing.assert_allclose(found.places * 112 - 0.5, [point.pt for point in points], atol=1e-4)


def test_dense_descriptors_equal_opencvs_own_at_each_keypoint_alone(photos):
    image = photos.gallery.images[7]
    large = cv2.resize(image, (56, 56), interpolation=cv2.INTER_LINEAR)
    found = describe([image], "dense", 56)
    assert found.values.shape == (GRID**2, 128) and found.values.dtype == np.uint8
    for place in (0, 60, 75, 100, 195):
        x, y = (place % GRID + 0.5) / GRID, (place // GRID + 0.5) / GRID
        np.testing.assert_allclose(found.places[place], (x, y), atol=1e-6)
        point = cv2.KeyPoint(56 * x - 0.5, 56 * y - 0.5, WINDOW * 56 / 6, 0.0)
        _, alone = cv2.SIFT_create().compute(large, [point])
        np.testing.assert_array_equal(found.values[place].astype(np.float32), alone[0])


def test_a_dense_keypoint_sees_its_window_and_no_more():
    """A change outside 0.3 of the side about a keypoint (and the blur's reach) leaves its descriptor alone."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (112, 112), dtype=np.uint8)
    middle = 6 * GRID + 6                                       # keypoint at 6.5/14 of both sides: pixel 51.5
    before = describe([image], "dense", 112).values[middle]
    outside, inside = image.copy(), image.copy()
    outside[:, :20] = outside[:, 84:] = outside[:20] = outside[84:] = 0
    inside[48:56, 60:66] = 0
    assert (describe([outside], "dense", 112).values[middle] == before).all()
    assert (describe([inside], "dense", 112).values[middle] != before).any()


def test_owners_and_places_say_where_each_descriptor_comes_from(photos, described):
    for kind, whole in described.items():
        assert whole.n_images == 100 and len(whole.values) == len(whole.places) == len(whole.owners)
        assert (np.diff(whole.owners) >= 0).all() and 0 <= whole.places.min() <= whole.places.max() <= 1
        for row in (0, 41, 99):
            alone = describe(photos.gallery.images[row: row + 1], kind, PIXELS[kind])
            np.testing.assert_array_equal(whole.values[whole.owners == row], alone.values)
            np.testing.assert_array_equal(whole.places[whole.owners == row], alone.places)


def test_root_sift_by_its_formula(described):
    values = np.concatenate([described["detected"].values[:50], np.zeros((1, 128), np.uint8)])
    for row, root in zip(values[:-1], root_sift(values), strict=False):
        np.testing.assert_allclose(root, [(float(x) / sum(map(float, row))) ** 0.5 for x in row], rtol=1e-6)
    np.testing.assert_allclose((root_sift(values[:-1]) ** 2).sum(axis=1), 1, rtol=1e-5)
    assert not root_sift(values)[-1].any()                      # a flat patch stays 0


def test_colour_and_size_are_brought_to_the_same_grey(photos):
    image = photos.gallery.images[7]
    for kind in KEYPOINTS:
        grey, colour, large = (describe([x], kind, 112) for x in (
            image, np.dstack([image] * 3), cv2.resize(image, (112, 112), interpolation=cv2.INTER_LINEAR)))
        np.testing.assert_array_equal(grey.values, colour.values)
        np.testing.assert_array_equal(grey.values, large.values)


# ---------------------------------------------------------------- words


def brute_force_histogram(descriptors, row, vocabulary, cells):
    """Count each descriptor of one image by the word with the smallest squared distance, level by level."""
    rows = np.flatnonzero(descriptors.owners == row)
    levels = []
    for level in (side for side in CELLS if side <= cells):
        counts = np.zeros((level, level, len(vocabulary)))      # cell row, cell column, word
        for place in rows:
            root = root_sift(descriptors.values[place: place + 1])[0].astype(np.float64)
            word = min(range(len(vocabulary)), key=lambda w: ((root - vocabulary[w]) ** 2).sum())
            x, y = descriptors.places[place]
            counts[int(y * level), int(x * level), word] += 1
        levels.append(np.sqrt(counts.ravel() / max(len(rows), 1)))
    return np.concatenate(levels)


@pytest.mark.parametrize("kind", KEYPOINTS)
@pytest.mark.parametrize("cells", CELLS)
def test_histograms_equal_counting_by_brute_force(described, bags, kind, cells):
    bag = SiftBagOfWords(bags[kind].vocabulary, keypoints=kind, pixels=PIXELS[kind], cells=cells)
    histograms = bag.histograms(described[kind])
    assert histograms.shape == (100, bag.n_features) and histograms.dtype == np.float32
    for row in (0, 3, 77):
        expected = brute_force_histogram(described[kind], row, bag.vocabulary, cells)
        np.testing.assert_allclose(histograms[row], expected, atol=1e-6)


def test_counts_of_a_hand_made_image():
    places = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [1.0, 1.0]], np.float32)         # x, y; the last on the edge
    one = Descriptors(np.zeros((4, 128), np.uint8), places, np.array([1, 1, 1, 1]), 3)
    counts = count_words(np.array([0, 1, 1, 0]), one, 2, 2) ** 2 * 4
    np.testing.assert_allclose(counts[1], [2, 2, 1, 0, 0, 2, 0, 0, 1, 0], atol=1e-6)    # whole, then 4 cells by rows
    assert not counts[[0, 2]].any()                             # images without keypoints


def test_each_level_is_appended_to_the_one_before(described, bags):
    vocabulary = bags["dense"].vocabulary
    plain, pyramid, higher = (SiftBagOfWords(vocabulary, keypoints="dense", pixels=28, cells=cells)
                              .histograms(described["dense"]) for cells in CELLS)
    np.testing.assert_array_equal(pyramid[:, :20], plain)
    np.testing.assert_array_equal(higher[:, :100], pyramid)
    assert higher.shape[1] == 20 * 21


def test_words_are_their_own_nearest():
    """As many words as different descriptors: k-means puts one on each."""
    values = np.zeros((3, 128), np.uint8)
    values[[0, 1, 2], [5, 50, 100]] = 255
    three = Descriptors(np.repeat(values, 200, axis=0), np.zeros((600, 2), np.float32), np.arange(600), 600)
    vocabulary = fit_vocabulary(three, 3)
    assert sorted(nearest_words(values, vocabulary)) == [0, 1, 2]
    np.testing.assert_allclose(np.sort(vocabulary.max(axis=1)), 1, atol=1e-5)


def test_nearest_words_by_scikit_learn(described, bags):
    from sklearn.metrics import pairwise_distances_argmin

    for kind, bag in bags.items():
        values = described[kind].values
        expected = pairwise_distances_argmin(root_sift(values).astype(np.float64), bag.vocabulary.astype(np.float64))
        assert (nearest_words(values, bag.vocabulary) == expected).mean() > 0.999       # rounding may settle a tie


def test_more_words_lie_nearer_to_the_descriptors(described):
    values = described["dense"]

    def mean_distance(n_words):
        words = fit_vocabulary(values, n_words)
        return ((root_sift(values.values) - words[nearest_words(values.values, words)]) ** 2).sum(axis=1).mean()

    distances = [mean_distance(n_words) for n_words in (2, 10, 50, 200)]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 0.6 * distances[0]


def test_words_are_pictured_by_their_nearest_windows_commonest_first(photos, described, bags):
    dense, bag, images = described["dense"], bags["dense"], photos.gallery.images[:100]
    pictures, times = picture_words(images, bag, dense)
    words = [min(range(20), key=lambda w: ((root - bag.vocabulary[w]) ** 2).sum()) for root in root_sift(dense.values)]
    counts = np.bincount(words, minlength=20)
    assert list(times) == sorted(counts, reverse=True) and times.sum() == len(dense.values)
    side = 2 * round(WINDOW * 28 / 2)
    assert len(pictures) == 20 and {picture.shape for picture in pictures} == {(3 * side, 3 * side)}
    commonest = int(counts.argmax())
    members = np.flatnonzero(np.array(words) == commonest)
    root = root_sift(dense.values[members])
    nearest = members[((root - bag.vocabulary[commonest]) ** 2).sum(axis=1).argmin()]
    x, y = np.rint(dense.places[nearest] * 28).astype(int)
    framed = np.pad(images[dense.owners[nearest]], side)
    expected = framed[y + side // 2: y + side // 2 + side, x + side // 2: x + side // 2 + side]
    np.testing.assert_array_equal(pictures[0][:side, :side], expected)


def test_a_word_with_too_few_windows_is_filled_with_blanks(photos, bags):
    image = photos.gallery.images[:1]
    words = SiftBagOfWords(bags["dense"].vocabulary, pixels=28)
    pictures, times = picture_words(image, words, describe(image, "dense", 28), n_side=15)
    assert not pictures[-1].any() and times[-1] < 225           # 196 descriptors can't fill 225 places
    with pytest.raises(ValueError, match="use a dense bag"):
        picture_words(image, bags["detected"], describe(image, "detected", 56))


# ---------------------------------------------------------------- extractor


@pytest.mark.parametrize("kind", KEYPOINTS)
def test_the_same_seed_gives_the_same_words_and_another_others(photos, kind):
    images = photos.gallery.images[:60]
    first, again, other = (SiftBagOfWords.fit(images, n_words=12, keypoints=kind, pixels=56, seed=seed)
                           for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.vocabulary, again.vocabulary)
    np.testing.assert_array_equal(first.extract(images[:5]), again.extract(images[:5]))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_an_image_has_the_same_histogram_alone_and_among_others(photos, bags):
    images = photos.queries.images[:30]
    for bag in bags.values():
        together = bag.extract(images)
        alone = np.concatenate([bag.extract(images[row: row + 1]) for row in range(30)])
        np.testing.assert_array_equal(alone, together)
        assert not np.array_equal(together[0], together[1])


def test_a_blank_image_gives_zeros_where_nothing_is_detected_and_no_nan(photos, bags):
    images = [BLANK, photos.queries.images[0], np.full((28, 28), 255, np.uint8)]
    detected, dense = (bags[kind].extract(images) for kind in KEYPOINTS)
    assert not detected[[0, 2]].any() and detected[1].any()
    assert np.isfinite(dense).all() and (dense[0] > 0).sum() == 1 + 4        # one word, in the image and in each cell
    assert bags["detected"].extract([BLANK]).shape == (1, 100) and bags["detected"].extract([]).shape == (0, 100)


def test_fingerprint_tells_settings_and_vocabulary_apart_and_is_json(bags):
    words = bags["dense"].vocabulary
    others = [
        SiftBagOfWords(words, keypoints="dense", pixels=28, cells=1),
        SiftBagOfWords(words, keypoints="dense", pixels=56, cells=2),
        SiftBagOfWords(words, keypoints="detected", pixels=28, cells=2),
        SiftBagOfWords(words[:10], keypoints="dense", pixels=28, cells=2),
        SiftBagOfWords(words + np.float32(1e-6), keypoints="dense", pixels=28, cells=2),
    ]
    prints = [json.dumps(bag.fingerprint, sort_keys=True) for bag in [bags["dense"], *others]]
    assert len(set(prints)) == 6
    assert SiftBagOfWords(words.copy(), keypoints="dense", pixels=28, cells=2).fingerprint == bags["dense"].fingerprint
    assert bags["dense"].fingerprint["kind"] == "sift"


@pytest.mark.parametrize(("bad", "said"), [
    ({"keypoints": "sparse"}, "keypoints must be one of detected, dense, got 'sparse'"),
    ({"cells": 3}, "cells must be one of 1, 2, 4, got 3"),
    ({"pixels": 27}, "pixels must be a whole number from 28 to 512, got 27"),
    ({"pixels": 56.0}, "pixels must be a whole number from 28 to 512, got 56.0"),
    ({"n_words": 1}, "n_words must be a whole number from 2 to 5000, got 1"),
    ({"n_words": 5001}, "n_words must be a whole number from 2 to 5000, got 5001"),
    ({"n_words": True}, "n_words must be a whole number"),
])
def test_bad_settings_are_refused_with_the_legal_ones(photos, bad, said):
    with pytest.raises(ValueError, match=said):
        SiftBagOfWords.fit(photos.gallery.images[:2], **{"n_words": 10, **bad})


def test_more_words_than_descriptors_are_refused():
    with pytest.raises(ValueError, match="at most the number of descriptors, got 10 and 0"):
        SiftBagOfWords.fit([BLANK], n_words=10, keypoints="detected", pixels=112)


def test_inputs_are_not_altered(photos):
    images = photos.gallery.images[:10].copy()
    SiftBagOfWords.fit(images, n_words=5, pixels=28).extract(images)
    draw_keypoints(images[0], "detected", 112)
    np.testing.assert_array_equal(images, photos.gallery.images[:10])


def test_drawing_marks_keypoints_in_colour_only_where_there_are_any(photos):
    drawn, blank = (draw_keypoints(image, "detected", 56) for image in (photos.gallery.images[7], BLANK))
    assert drawn.shape == blank.shape == (112, 112, 3)
    assert (drawn[..., 0] != drawn[..., 2]).any() and not blank.any()


# ---------------------------------------------------------------- in VGG-16's place


@pytest.mark.parametrize("kind", KEYPOINTS)
def test_slots_into_head_library_and_search(photos, bags, kind, tmp_path):
    cached = CachedExtractor(bags[kind], tmp_path)
    gallery = photos.gallery
    features = cached.extract(gallery.images)
    assert features.shape == (len(gallery), cached.n_features) and features.dtype == np.float32
    np.testing.assert_array_equal(cached.extract(gallery.images[:9]), bags[kind].extract(gallery.images[:9]))
    head = SoftmaxHead.fit(features, gallery.labels, gallery.class_names, cached)
    right = head.predict_proba(photos.queries.images).argmax(axis=1) == photos.queries.labels
    assert right.mean() > {"detected": 0.35, "dense": 0.6}[kind]             # chance is 0.1
    model = Fashion16.build(gallery, head, cached, n_bits=64)
    model.save(tmp_path / "sift.h5")
    opened = Fashion16.open(tmp_path / "sift.h5", extractor=cached)
    hits = opened.search(gallery.images[4], k=len(gallery) // 20)
    assert opened.library.settings["extractor"] == cached.fingerprint
    assert {hit.label for hit in hits} == {opened.answer(gallery.images[4], k=1).label}
    with pytest.raises(Fashion16Error, match="pass extractor="):
        Fashion16.open(tmp_path / "sift.h5")
