"""Duplicates: the hash against its definition, the pairs against all pairs, and planted wrong labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.data.duplicates import difference_hash, grey_levels_apart, prints_of, saved_again, together
from fashion16_lib.evaluate.code_quality import codes_of
from fashion16_lib.evaluate.duplicates import (
    catalogue_neighbors,
    examples_at,
    near_pairs,
    nearest_by_hash,
    nearest_by_pixels,
    one_after_the_other,
    precision_seeing,
    share_within,
    twins_of,
    without,
)
from fashion16_lib.evaluate.label_check import doubts, judgeable, out_of_fold_probabilities, with_wrong_labels
from fashion16_lib.evaluate.metrics import direct_precision


def pictures(n: int, seed: int = 0, shape: tuple[int, ...] = (40, 30, 3)) -> np.ndarray:
    """Return smooth random pictures, (n, *shape) uint8: neighbours in them are alike, as in photos."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 6, 5, *shape[2:]), np.uint8)
    large = [Image.fromarray(image).resize(shape[1::-1], Image.Resampling.BICUBIC) for image in small]
    return np.stack([np.array(image) for image in large])


def noisy(image: np.ndarray, by: int, seed: int = 0) -> np.ndarray:
    moved = image.astype(int) + np.random.default_rng(seed).integers(-by, by + 1, image.shape)
    return np.clip(moved, 0, 255).astype(np.uint8)


def test_the_hash_says_where_levels_rise():
    """On pictures of 8 x 9 blocks the shrunk levels are the blocks themselves."""
    levels = np.random.default_rng(1).integers(0, 256, (8, 9), np.uint8)
    image = np.kron(levels, np.ones((5, 4), np.uint8))
    oracle = [levels[row, column + 1] > levels[row, column] for row in range(8) for column in range(8)]
    assert np.unpackbits(difference_hash(image)).astype(bool).tolist() == oracle
    rising = np.tile(np.arange(0, 216, 3, np.uint8), (64, 1))
    assert (difference_hash(rising) == 255).all() and (difference_hash(rising[:, ::-1].copy()) == 0).all()
    assert (difference_hash(np.full((20, 20, 3), 7, np.uint8)) == 0).all()


@pytest.mark.parametrize("shape", [(40, 30, 3), (28, 28)])
def test_the_hash_outlasts_jpeg_size_and_light(shape):
    images = pictures(40, shape=shape)
    prints = prints_of(images)
    changed = [np.array(Image.fromarray(image).resize((25, 45))) for image in images]
    others = prints_of([*changed[:20], *(saved_again(image, 75) for image in images[20:])])
    bits = np.bitwise_count(prints.hashes ^ others.hashes).sum(axis=1)
    apart = np.bitwise_count(prints.hashes ^ np.roll(prints.hashes, 1, axis=0)).sum(axis=1)
    assert bits.max() <= 6 < 12 < apart.min()
    assert saved_again(images[0], 75).shape == images[0].shape
    assert 0 < np.abs(saved_again(images[0], 95).astype(int) - images[0]).mean() < 4


def test_prints_hold_each_picture_once_and_grey_beside_colour():
    images = pictures(5)
    grey = images[0][:, :, 0]
    prints = prints_of([*images, images[2].copy(), grey])
    assert len(prints) == 7 and prints.small.shape == (7, 28 * 28 * 3)
    assert prints.digests[2] == prints.digests[5] and len(set(prints.digests)) == 6
    assert (prints.small[6].reshape(28, 28, 3)[..., 0] == prints.small[6].reshape(28, 28, 3)[..., 2]).all()
    both = together(prints_of(images[:2]), prints_of(images[2:]))
    assert (both.hashes == prints.hashes[:5]).all() and both.digests == prints.digests[:5]
    assert prints_of(pictures(2, shape=(28, 28))).small.shape == (2, 784)
    assert both.take([3, 0]).digests == (prints.digests[3], prints.digests[0])
    empty = prints_of(images[:0])
    assert len(empty) == 0 and len(near_pairs(prints, empty)) == len(near_pairs(empty, prints)) == 0
    assert prints.small[near_pairs(empty, prints)["known"]].shape == (0, 28 * 28 * 3)       # no pairs, still places


def test_grey_levels_apart_is_the_root_mean_square():
    small, others = np.array([10, 20, 30], np.uint8), np.array([[10, 20, 30], [13, 16, 30], [255, 0, 0]], np.uint8)
    oracle = [np.sqrt(sum((int(a) - int(b)) ** 2 for a, b in zip(small, row, strict=True)) / 3) for row in others]
    assert grey_levels_apart(small, others) == pytest.approx(oracle, rel=1e-6)


def test_pairs_are_those_a_double_loop_finds():
    images = pictures(30)
    asked = prints_of([noisy(images[3], 8), images[4], *pictures(10, seed=5)])
    known = prints_of(images)
    found = near_pairs(asked, known, max_bits=20, max_levels=60.0)
    oracle = set()
    for a in range(len(asked)):
        for b in range(len(known)):
            bits = int(np.unpackbits(asked.hashes[a] ^ known.hashes[b]).sum())
            levels = grey_levels_apart(asked.small[a], known.small[b][None])[0]
            if bits <= 20 and levels <= 60.0:
                oracle.add((a, b, bits, round(levels, 6), asked.digests[a] == known.digests[b]))
    rows = {(a, b, bits, round(levels, 6), same) for a, b, bits, levels, same in found.itertuples(index=False)}
    assert rows == oracle and len(oracle) >= 2
    assert found["asked"].is_monotonic_increasing
    assert all(part["levels"].is_monotonic_increasing for _, part in found.groupby("asked"))
    strict = near_pairs(asked, known, max_levels=5.0)
    assert list(zip(strict["asked"], strict["known"], strict["same"], strict=True)) == [(0, 3, False), (1, 4, True)]


def test_the_slow_search_by_pixels_and_the_one_by_hash():
    images = pictures(25)
    asked, known = prints_of([noisy(images[3], 8), images[4], *pictures(6, seed=5)]), prints_of(images)
    assert nearest_by_pixels(asked, known, 5.0).tolist() == [True, True] + 6 * [False]
    assert nearest_by_pixels(asked, known, 0.0).tolist() == [False, True] + 6 * [False]
    assert nearest_by_pixels(asked, known, 255.0).all()
    nearest = nearest_by_hash(asked, known)
    assert nearest["known"][:2].tolist() == [3, 4] and nearest["bits"][1] == 0 == nearest["levels"][1]
    oracle = [min(np.unpackbits(code ^ other).sum() for other in known.hashes) for code in asked.hashes]
    assert nearest["bits"].tolist() == oracle


def test_shares_and_examples_count_each_asked_picture_once():
    pairs = pd.DataFrame({"asked": [0, 0, 1, 4, 5], "known": [7, 8, 7, 1, 2], "bits": [0, 3, 2, 2, 5],
                          "levels": [0.0, 4.0, 3.0, 9.0, 9.5], "same": [True, False, False, False, False]})
    assert share_within(pairs, 10, [0, 3, 9.4, 20])["y"].tolist() == [0.1, 0.2, 0.3, 0.4]
    low, middle, none, high = examples_at(pairs, "levels", [(0, 1), (1, 5), (5, 6), (6, 10)], 2)
    assert low["asked"].tolist() == [0] and middle["asked"].tolist() == [1] and none.empty
    assert high["asked"].tolist() == [4, 5]
    assert twins_of(pairs[pairs["levels"] <= 5], "abcdef", "ABCDEFGHI") == {"a": {"H", "I"}, "b": {"H"}}


def items(ids: list[str], kinds: list[str]) -> Dataset:
    table = pd.DataFrame({"id": ids, "articleType": kinds})
    return Dataset("made here", np.zeros((len(ids), 28, 28), np.uint8), np.zeros(len(ids), np.int64), ("a",), ids,
                   attributes=table)


def test_what_a_query_sees_without_its_twins_or_catalogue_neighbours():
    queries, gallery = items(["10", "40"], ["Tops", "Jeans"]), items(["11", "20", "21", "9"], 3 * ["Tops"] + ["Jeans"])
    seen = without(queries.ids, gallery.ids, {"10": {"11", "99"}})
    assert seen(0).tolist() == [False, True, True, True] and seen(1).all()
    assert catalogue_neighbors(queries, gallery, "articleType", 10) == {"10": {"11", "20"}, "40": set()}
    with pytest.raises(ValueError, match="has no table"):
        catalogue_neighbors(Dataset("x", np.zeros((1, 28, 28)), np.zeros(1), ("a",), ["1"]), gallery, "articleType", 1)


def test_items_are_counted_through_two_parts():
    first, second = items(["a", "b"], ["x", "y"]), items(["c", "d"], ["x", "y"])
    taken = one_after_the_other(first, second, [3, 0, 2])
    assert taken.ids == ["a", "d", "c"] and taken.images.shape == (3, 28, 28) and taken.attributes is None
    assert len(one_after_the_other(first, second, [])) == 0


def test_precision_by_view_is_direct_precision_where_all_is_seen():
    rng = np.random.default_rng(0)
    gallery, queries = (rng.normal(size=(n, 12)).astype(np.float32) for n in (60, 9))
    labels, asked = rng.integers(0, 3, 60), rng.integers(0, 3, 9)
    right = labels == asked[:, None]
    views = {"all": lambda query: np.ones(60, bool), "right ones": right.__getitem__,
             "wrong ones": lambda query: ~right[query]}
    found = precision_seeing((gallery, labels), (queries, asked), views, seeds=(1, 2), k=5)
    both = []
    for seed in (1, 2):
        codes, query_codes = codes_of(gallery, queries, 64, seed)
        both.append(direct_precision(query_codes, asked, codes, labels, 5))
    assert found["all"] == pytest.approx(np.mean(both, axis=0), abs=1e-12)
    assert (found["right ones"] == 1).all() and (found["wrong ones"] == 0).all()


# ---------------------------------------------------------------- labels

def clouds(n: int, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    return (rng.normal(size=(n_classes, 20))[labels] * 4 + rng.normal(size=(n, 20))).astype(np.float32), labels


def test_planted_wrong_labels_are_the_doubted_ones():
    features, labels = clouds(200)
    given, changed = with_wrong_labels(labels, 0.05)
    table = doubts(out_of_fold_probabilities(features, given), given)
    assert set(table["item"][: changed.sum()]) == set(np.flatnonzero(changed))
    first = table.iloc[: changed.sum()]
    assert (first["suspected"].to_numpy() == labels[first["item"]]).all()
    assert table["probability"].is_monotonic_increasing and sorted(table["item"]) == list(range(200))


def test_an_item_is_judged_by_a_layer_that_did_not_learn_from_it():
    """Labels of pure noise can't be guessed out of fold; a layer that had seen them would know most."""
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(150, 120)).astype(np.float32), rng.integers(0, 3, 150)
    probabilities = out_of_fold_probabilities(features, labels)
    assert probabilities.sum(axis=1) == pytest.approx(1) and probabilities.shape == (150, 3)
    assert (probabilities.argmax(axis=1) == labels).mean() < 0.5


def test_wrong_labels_are_planted_as_told():
    labels = np.repeat([0, 2, 5], 40)                   # classes that are there, with gaps
    given, changed = with_wrong_labels(labels, 0.1, seed=3)
    assert changed.sum() == 12 and (given[changed] != labels[changed]).all() and set(given) == {0, 2, 5}
    assert (given[~changed] == labels[~changed]).all()
    assert (with_wrong_labels(labels, 0.0)[0] == labels).all()
    assert (with_wrong_labels(labels, 1.0)[0] != labels).all()


def test_doubts_name_the_given_and_the_suspected_class():
    probabilities = np.array([[0.9, 0.05, 0.05], [0.2, 0.1, 0.7], [0.3, 0.3, 0.4]])
    table = doubts(probabilities, np.array([0, 2, 5])).set_index("item")
    assert table["probability"].tolist() == [0.1, 0.4, 0.9] and table.index.tolist() == [1, 2, 0]
    assert table["suspected"].to_dict() == {1: 5, 2: 5, 0: 0} and table["instead"].to_dict() == {1: 0.7, 2: 0.4, 0: 0.9}


def test_a_class_too_small_for_the_folds_is_refused():
    features, labels = clouds(40)
    given = np.where(np.arange(40) == 0, 9, labels)
    with pytest.raises(ValueError, match="at least 5 items, got one with 1"):
        out_of_fold_probabilities(features, given)
    kept = judgeable(given)
    assert kept.tolist() == list(range(1, 40))
    assert out_of_fold_probabilities(features[kept], given[kept]).shape == (39, 4)
