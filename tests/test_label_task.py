"""A task of sets of labels: what it learns from, how it is encoded, and the charts that show it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fashion16_lib.data.dataset import Dataset, split
from fashion16_lib.data.label_sets import label_sets
from fashion16_lib.models.label_task import PLANS, LabelTask, plan_of
from fashion16_lib.report.label_charts import photos_with_labels, side_by_side
from fashion16_lib.settings import PROFILES, get_profile

KINDS = (
    ("Women", "Blue", "Dresses"), ("Women", "Blue", "Tops"), ("Men", "Black", "Tshirts"), ("Men", "Red", "Tshirts"),
)


@pytest.fixture(scope="module")
def photos() -> Dataset:
    """Return 240 pictures of one colour each, the four kinds in turn."""
    colours = {"Blue": (0, 0, 255), "Black": (0, 0, 0), "Red": (255, 0, 0)}
    rows = [KINDS[number % 4] for number in range(240)]
    images = np.stack([np.full((20, 15, 3), colours[colour], np.uint8) for _, colour, _ in rows])
    table = pd.DataFrame(rows, columns=["gender", "baseColour", "articleType"])
    return Dataset("product-photos", images, np.zeros(240, np.int64), ("all",), [f"{n:04d}" for n in range(240)],
                   attributes=table)


def test_every_profile_has_a_plan_and_its_input_loses_no_row():
    assert set(PLANS) == set(PROFILES)
    for profile in PROFILES.values():
        plan = plan_of(profile)
        assert plan.pixels % 12 == 0 and plan.epochs > 20


def test_the_six_are_encoded_part_by_part(photos):
    task = LabelTask.six(photos, get_profile("smoke"))
    assert task.label_names == ("black", "blue", "dress", "female", "male", "red", "shirt")
    assert not set(task.parts["train"].ids) & (set(task.parts["tuning"].ids) | set(task.parts["test"].ids))
    for part, dataset in task.parts.items():
        assert task.squares[part].shape == (len(dataset), 24, 24, 3) and task.targets[part].shape == (len(dataset), 7)
        for labels, row, square in zip(label_sets(dataset), task.targets[part], task.squares[part], strict=True):
            assert {name for name, yes in zip(task.label_names, row, strict=True) if yes} == set(labels)
            assert ("red" in labels) == (square[0, 0, 0] == 255)


def test_frequent_combinations_are_those_of_the_gallery_and_learned_in_part(photos):
    task = LabelTask.frequent(split(photos, get_profile("smoke")), get_profile("smoke"), pixels=36)
    assert len(task.parts["train"]) <= PLANS["smoke"].n_frequent and task.squares["test"].shape[1:] == (36, 36, 3)
    assert set(task.label_names) == {word for kind in KINDS for word in kind}
    assert (task.targets["train"].sum(axis=1) == 3).all()


def test_a_label_that_was_never_learned_is_left_out(photos):
    whole = split(photos, get_profile("smoke"))
    few = LabelTask.frequent(whole, get_profile("smoke"))
    only = LabelTask.of(type(whole)(whole.name, whole.train, few.parts["tuning"], few.parts["test"],
                                    few.parts["train"].take(np.flatnonzero(few.parts["train"].labels == 0)),
                                    whole.queries), 12)
    assert set(only.label_names) == set(few.parts["train"].class_names[0].split(" / "))
    assert only.targets["tuning"].shape[1] == 3 and (only.targets["tuning"].sum(axis=1) < 3).any()


def test_networks_differ_by_seed_and_are_kept(photos, tmp_path):
    task = LabelTask.six(photos, get_profile("smoke"), pixels=12)
    first, second = task.networks(tmp_path, range(2), epochs=1)
    assert first.fingerprint != second.fingerprint and len(list(tmp_path.glob("*.keras"))) == 2
    assert task.networks(tmp_path, range(1), epochs=1)[0].fingerprint == first.fingerprint


# ---------------------------------------------------------------- charts

def test_charts_draw_every_number_they_are_given():
    table = pd.DataFrame({"a": [0.1, 0.9], "b": [0.2, 0.8]}, index=["x", "y"])
    figure = side_by_side(table, "title", "share", {"half": 0.5})
    assert sorted(bar.get_height() for bar in figure.axes[0].patches) == [0.1, 0.2, 0.8, 0.9]
    plt.close("all")


def test_photos_tell_missing_and_wrong_labels():
    image = np.zeros((8, 8, 3), np.uint8)
    figure = photos_with_labels([image] * 2, [("red", "dress"), ("blue",)], "title", [("red", "shirt"), ("blue",)])
    assert [axis.get_xlabel() for axis in figure.axes[:2]] == ["red\n– dress\n✗ shirt", "blue"]
    assert not figure.axes[2].axison
    plt.close("all")
