"""The text's four networks: counted, read at their stages, and never with weights that nobody checked."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from fashion16_lib.models import pretrained
from fashion16_lib.models.pooled import PooledLayer
from fashion16_lib.models.pretrained import (
    NETWORKS,
    AveragedStages,
    available_networks,
    ensure_weights,
    sizes_of_networks,
)
from fashion16_lib.models.vgg16 import SeveralLayers
from fashion16_lib.settings import VGG16_LAYERS, Fashion16Error


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """A data folder with VGG-16's weights alone, and no copy of Keras's anywhere."""
    from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights

    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / ensure_vgg16_weights().name).symlink_to(ensure_vgg16_weights().resolve())
    monkeypatch.setenv("FASHION16_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_layers_and_parameters_are_those_published():
    sizes = sizes_of_networks().set_index("network")
    assert sizes["parameters"].to_dict() == {"VGG-16": 138_357_544, "VGG-19": 143_667_240, "Inception v3": 23_851_784,
                                             "ResNet-50": 25_636_712}
    assert sizes["layers with weights"].to_dict() == {"VGG-16": 16, "VGG-19": 19, "Inception v3": 95, "ResNet-50": 54}
    assert sizes.loc["VGG-16", "without classifier"] == 14_714_688


def test_vgg16s_stages_are_its_layers_averaged(photos):
    images = photos.queries.images[:5]
    stages = AveragedStages("VGG-16", 32)
    found = stages.stages(stages.extract(images))
    source = SeveralLayers(VGG16_LAYERS, 32, "keras")
    whole = source.extract(images)
    assert list(found) == list(VGG16_LAYERS)
    for layer, values in found.items():
        np.testing.assert_allclose(values, PooledLayer(source, layer, "average").of(whole), rtol=1e-3, atol=1e-3)
    assert stages.n_features == 64 + 128 + 256 + 512 + 512 and stages.fingerprint["network"] == "VGG-16"


def test_without_weights_there_is_no_network_and_never_a_random_one(nothing_here, caplog):
    there, missing = available_networks(32, fetch=False)
    assert list(there) == ["VGG-16"] and list(missing) == ["VGG-19", "Inception v3", "ResNet-50"]
    for name, reason in missing.items():
        file = NETWORKS[name].file.rpartition("/")[2]
        assert file in reason and str(nothing_here / "weights") in reason
    assert not caplog.records and logging.getLogger("fashion16").level == logging.NOTSET
    with pytest.raises(ValueError, match=r"network must be one of VGG-16, .*ResNet-50, got 'AlexNet'"):
        AveragedStages("AlexNet")


def test_a_file_that_isn_t_the_publishers_is_refused(nothing_here):
    wrong = nothing_here / "weights" / NETWORKS["ResNet-50"].file.rpartition("/")[2]
    wrong.write_bytes(b"something else")
    with pytest.raises(Fashion16Error, match="no source gave the right file"):
        ensure_weights("ResNet-50", fetch=False)
    assert not wrong.exists()


@pytest.mark.parametrize("name", ["VGG-19", "Inception v3", "ResNet-50"])
def test_keras_own_copy_is_taken_and_read_at_every_stage(nothing_here, monkeypatch, photos, name):
    """How weights get into the network: with numbers of our own, in the publisher's format, under their own digest."""
    about = NETWORKS[name]
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, about.build)(weights=None, include_top=False)
    copy = nothing_here / "keras" / "models" / about.file.rpartition("/")[2]
    copy.parent.mkdir(parents=True)
    with h5py.File(copy, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    monkeypatch.setitem(pretrained.NETWORKS, name, replace(about, md5=hashlib.md5(copy.read_bytes()).hexdigest()))
    stages = AveragedStages(name, 64, fetch=False)
    assert (nothing_here / "weights" / copy.name).read_bytes() == copy.read_bytes()
    values = stages.stages(stages.extract(photos.queries.images[:2]))
    assert tuple(values) == about.layers and sum(each.shape[1] for each in values.values()) == stages.n_features
    for ours, theirs in zip(stages.network.get_weights(), network.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


class Spy:
    """Stand where the network does and keep what it is given."""

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        self.given = batch
        return np.zeros((len(batch), self.n_features), np.float32)


@pytest.mark.parametrize(("name", "pixel"), [("VGG-19", (-103.939, -116.779, 255 - 123.68)),
                                             ("Inception v3", (1, -1, -1))])
def test_each_network_gets_the_pixels_it_was_trained_with(name, pixel):
    extractor = AveragedStages("VGG-16", 32)
    extractor.about, extractor.network = NETWORKS[name], Spy(extractor.n_features)
    extractor.extract([np.full((40, 40, 3), (255, 0, 0), np.uint8)])               # red
    np.testing.assert_allclose(extractor.network.given[0, 0, 0], pixel, atol=1e-3)
