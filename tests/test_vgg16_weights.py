"""ImageNet VGG-16's weights: the right ones, from any source, or none."""

import shutil

import h5py
import numpy as np
import pytest

from fashion16_lib.data.vgg16_weights import (
    KERAS_FILE,
    KERAS_MD5,
    LAYERS,
    WEIGHTS_SHA256,
    ensure_vgg16_weights,
    from_keras_file,
    from_wheel,
    read_vgg16_weights,
    weights_digest,
    write_vgg16_weights,
)
from fashion16_lib.settings import Fashion16Error


@pytest.fixture(scope="module")
def path():
    return ensure_vgg16_weights()


@pytest.fixture(scope="module")
def weights(path):
    return read_vgg16_weights(path)


def test_26_arrays_of_14_714_688_numbers(weights):
    arrays = [array for pair in weights.values() for array in pair]
    assert len(arrays) == 26 and sum(array.size for array in arrays) == 14_714_688
    assert all(array.dtype == np.float32 for array in arrays)
    assert {layer: kernel.shape for layer, (kernel, _) in weights.items()} == LAYERS
    assert list(weights) == list(LAYERS)


def test_values_are_those_of_the_published_network(weights):
    kernel, bias = weights["block1_conv1"]
    # The corner with which NumPy's print of Keras's VGG-16 begins: three filters' weights for each input channel.
    np.testing.assert_array_equal(kernel[0, 0, :, :3], np.array([
        [4.29470569e-01, 1.17273867e-01, 3.40129584e-02],
        [5.50379455e-01, 2.08774377e-02, 9.88311544e-02],
        [4.80015397e-01, -1.72696680e-01, 3.75577137e-02]], dtype=np.float32))
    assert bias[0] == np.float32(0.73429835)


def test_digest_is_the_pinned_one_and_sees_every_array(weights):
    assert weights_digest(weights) == WEIGHTS_SHA256
    for layer, (kernel, bias) in weights.items():
        for changed in ((np.nextafter(kernel, np.float32(9)), bias), (kernel, bias[::-1])):
            assert weights_digest({**weights, layer: changed}) != WEIGHTS_SHA256


def test_flipped_value_is_refused(weights, tmp_path):
    kernel, bias = weights["block5_conv3"]
    flipped = kernel.copy()
    flipped[1, 1, 7, 7] *= -1
    path = write_vgg16_weights({**weights, "block5_conv3": (flipped, bias)}, tmp_path / "w.h5")
    with pytest.raises(Fashion16Error, match=r"w\.h5: got arrays with digest .*expected.*run again"):
        read_vgg16_weights(path)


@pytest.mark.parametrize("spoil", [
    lambda file: file.pop("block3_conv2/bias"),
    lambda file: file.__setitem__("block3_conv2/bias", np.zeros(256)),
    lambda file: file.__setitem__("block3_conv2/bias", np.zeros(255, np.float32)),
    lambda file: file.create_dataset("block3_conv2/bias", (2**40,), np.float32),
    lambda file: file.create_group("block3_conv2/bias"),
], ids=["missing", "float64", "too short", "terabytes", "a group"])
def test_other_shape_or_type_is_refused(path, tmp_path, spoil):
    shutil.copyfile(path, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        if spoil.__code__.co_names != ("pop",):
            del file["block3_conv2/bias"]
        spoil(file)
    with pytest.raises(Fashion16Error, match=r"w\.h5: got a file that can't be read"):
        read_vgg16_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("content", [b"", b"<html>", None], ids=["empty", "web page", "truncated"])
def test_file_that_is_no_hdf5_is_refused(path, tmp_path, content):
    (tmp_path / "w.h5").write_bytes(path.read_bytes()[:10**6] if content is None else content)
    with pytest.raises(Fashion16Error, match=r"w\.h5: got a file that can't be read"):
        read_vgg16_weights(tmp_path / "w.h5")


def test_missing_weights_are_an_error_never_random(tmp_path):
    with pytest.raises(Fashion16Error, match="no weights there"):
        read_vgg16_weights(tmp_path / "w.h5")


# ---------------------------------------------------------------- sources

def save_as_keras_does(weights, path):
    """Write the layout of Keras's file: a group per layer, `<layer>_W_1:0` and `<layer>_b_1:0`, pools without data."""
    with h5py.File(path, "w") as file:
        for layer, (kernel, bias) in weights.items():
            file[f"{layer}/{layer}_W_1:0"], file[f"{layer}/{layer}_b_1:0"] = kernel, bias
        file.create_group("block1_pool")


@pytest.mark.parametrize("place", ["weights", ".keras/models", "keras home/models"])
def test_file_of_the_user_in_keras_layout_is_used(weights, tmp_path, monkeypatch, place):
    for name, folder in (("FASHION16_DATA", "."), ("HOME", "."), ("KERAS_HOME", "keras home")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / place).mkdir(parents=True)
    save_as_keras_does(weights, tmp_path / place / KERAS_FILE)
    got = read_vgg16_weights(ensure_vgg16_weights())
    assert weights_digest(got) == WEIGHTS_SHA256
    assert (tmp_path / place / KERAS_FILE).is_file()


def test_keras_download_with_another_md5_is_refused(weights, tmp_path):
    save_as_keras_does({layer: weights[layer] for layer in ("block1_conv1", "block1_conv2")}, tmp_path / KERAS_FILE)
    with pytest.raises(ValueError, match=f"MD5 is .*, expected {KERAS_MD5}"):
        from_keras_file(tmp_path / KERAS_FILE, tmp_path, md5=KERAS_MD5)
    with pytest.raises(ValueError, match="not Keras's VGG-16 file"):
        from_keras_file(tmp_path / KERAS_FILE, tmp_path)


def test_wheel_with_another_digest_is_not_even_opened(tmp_path):
    (tmp_path / "x.whl").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match=r"SHA-256 is .*, expected 64b551aac2bc5ae7"):
        from_wheel(tmp_path / "x.whl", tmp_path)
