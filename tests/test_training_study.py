"""Nested parts, changed copies, and what is read off training curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from fashion16_lib.data.changes import flip, shift
from fashion16_lib.evaluate import errata, paper
from fashion16_lib.evaluate.training_study import (
    augmented,
    early_and_late_fall,
    epochs_for,
    law_of_error,
    loss_at_rest,
    nested_part,
    overfitting,
    train_parts,
)
from fashion16_lib.settings import get_profile

SMOKE = get_profile("smoke")


def test_smaller_parts_lie_in_larger_ones_and_apart_from_tuning_and_test():
    small, large = nested_part(SMOKE, 100), nested_part(SMOKE, 300)
    assert len(small.train) == 100 and set(small.train.ids) < set(large.train.ids)
    assert set(small.tuning.ids) == set(large.tuning.ids) and not set(large.train.ids) & set(large.tuning.ids)
    assert (np.bincount(small.train.labels) == 10).all()


def test_a_small_part_is_gone_through_more_often():
    profile = replace(SMOKE, epochs=2, min_updates=24)
    assert epochs_for(64, profile) == 12 and epochs_for(50, profile) == 12      # two batches of 32
    assert epochs_for(32 * 24, profile) == 2 and epochs_for(1, profile) == 24


def test_copies_follow_the_real_images_and_are_changes_of_them(photos):
    real = photos.train.take(range(20))
    more = augmented(real, 50, seed=3)
    assert len(more) == 50 and more.ids[:20] == real.ids and len(set(more.ids)) == 50
    assert (np.asarray(more.images[:20]) == real.images).all()
    for place in range(20, 50):
        row = real.ids.index(more.ids[place].split("+")[0])
        assert more.labels[place] == real.labels[row]
        variants = [shift(real.images[row], right, down) for right in range(-2, 3) for down in range(-2, 3)]
        assert any((turned == more.images[place]).all() for one in variants for turned in (one, flip(one)))
    assert augmented(real, 20) is real and augmented(real, 50, seed=3).sha256 == more.sha256
    assert augmented(real, 50, seed=4).sha256 != more.sha256


def test_early_and_late_fall_add_up_to_the_whole():
    early, late = early_and_late_fall([1.0, 0.6, 0.5, 0.45])
    assert early == pytest.approx(np.log(10) - 0.6) and late == pytest.approx(0.6 - 0.45)
    assert early_and_late_fall([np.log(10)] * 6) == pytest.approx((0, 0))


def test_the_loss_at_rest_is_scikit_learns(photos):
    class Guess:
        def predict_proba(self, images):
            return np.random.default_rng(3).dirichlet(np.ones(10), len(images))

    told = Guess().predict_proba(photos.tuning.images)
    expected = log_loss(photos.tuning.labels, told, labels=range(10))
    assert loss_at_rest(Guess(), photos.tuning) == pytest.approx(expected)


def test_overfitting_is_training_minus_tuning_accuracy(photos):
    known = {image.tobytes(): label for image, label in zip(photos.train.images, photos.train.labels, strict=True)}

    class Rote:
        """Know the training images by heart, and nothing else."""

        def predict_proba(self, images):
            return np.eye(10)[[known.get(image.tobytes(), 0) for image in images]]

    never_seen = 1 - (photos.tuning.labels == 0).mean()
    assert overfitting(Rote(), photos.train, photos.tuning) == pytest.approx(never_seen)


def test_trained_once_then_loaded(tmp_path):
    profile = replace(SMOKE, epochs=1, min_updates=1)
    first = train_parts(tmp_path, profile, [128], [0, 1])
    again = train_parts(tmp_path, profile, [128], [0, 1])
    assert set(first) == {(128, 0), (128, 1)} and len(list(tmp_path.glob("*.keras"))) == 2
    for key in first:
        assert first[key].fingerprint == again[key].fingerprint
    assert first[128, 0].fingerprint != first[128, 1].fingerprint


def test_law_of_error_is_exact_on_an_exact_law():
    sizes = np.array([100, 1000, 10_000])
    law = law_of_error(pd.DataFrame({"n_train": sizes, "share": 1 - 2 * sizes**-0.5}), "share")
    assert law.factor == pytest.approx(2) and law.exponent.value == pytest.approx(-0.5)


# ---------------------------------------------------------------- the paper's arithmetic

def test_parameters_of_table_1_as_keras_counts_them():
    from fashion16_lib.models.classifier import build_table1

    network = build_table1()
    assert errata.parameters_of(paper.TABLE_1) == network.count_params() == 1_705_610
    assert {layer.name: tuple(layer.output.shape[1:]) for layer in network.layers} == paper.TABLE_1


def test_softmax_against_scipy_and_the_printed_example():
    from scipy.special import softmax

    scores, printed = paper.SOFTMAX_DEMO
    assert errata.softmax(scores) == pytest.approx(softmax(scores), abs=1e-15)
    assert errata.softmax(scores) == pytest.approx(printed, abs=5e-9)
    assert errata.softmax([1000, 1000]) == pytest.approx([0.5, 0.5])


def test_less_time_and_more_speed():
    assert errata.shorter_and_faster_percent(2, 1) == (50, 100)
    shorter, faster = errata.shorter_and_faster_percent(paper.DIRECT_SECONDS, paper.IN_CLASS_SECONDS)
    assert (round(shorter, 2), round(faster, 2)) == (10.88, 12.21)


def test_scan_and_rest_give_both_times_back():
    scan, rest = errata.scan_and_rest(paper.DIRECT_SECONDS, paper.IN_CLASS_SECONDS)
    assert rest + scan == pytest.approx(paper.DIRECT_SECONDS)
    assert rest + scan / 10 == pytest.approx(paper.IN_CLASS_SECONDS)
    assert (round(scan, 2), round(rest, 2)) == (0.44, 3.20)


def test_the_fourth_row_of_table_2_belongs_at_200_000():
    at_200_000, at_20_000 = errata.table_2_without_the_fourth_row()
    assert round(at_200_000, 3) == 0.929 and round(at_20_000, 2) == 0.84
