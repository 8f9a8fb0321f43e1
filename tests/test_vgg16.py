"""VGG-16 with ImageNet weights, and the cache before it: Keras's own network is the oracle."""

import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from fashion16_lib.data.preprocess import to_vgg16_input
from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256, ensure_vgg16_weights, read_vgg16_weights
from fashion16_lib.models import feature_cache, vgg16
from fashion16_lib.models.feature_cache import CachedExtractor, cache_bytes
from fashion16_lib.models.vgg16 import BATCH_SIZE, Vgg16Extractor, choose_runtime
from fashion16_lib.settings import RUNTIMES, VGG16_LAYERS, Fashion16Error


@pytest.fixture(scope="module")
def plain():
    """Return keras.applications' VGG-16 with the same weights, set by name; nothing of ours but the file's reader."""
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    for name, pair in read_vgg16_weights(ensure_vgg16_weights()).items():
        network.get_layer(name).set_weights(pair)
    return network


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def keras_input(images):
    """Return grey images of 32 x 32, which need no resizing, through Keras's own preprocessing."""
    return keras.applications.vgg16.preprocess_input(np.repeat(images[..., None].astype(np.float32), 3, axis=3))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("layer", VGG16_LAYERS)
def test_features_equal_the_plain_network_at_each_layer(plain, photos, layer, runtime):
    images = np.pad(photos.gallery.images[:6], ((0, 0), (2, 2), (2, 2)))
    extractor = Vgg16Extractor(layer, 32, runtime)
    assert extractor.runtime == runtime
    theirs = keras.Model(plain.input, plain.get_layer(layer).output).predict(keras_input(images), verbose=0)
    ours = extractor.extract(images)
    assert ours.dtype == np.float32 and ours.shape == (6, extractor.n_features) == (6, theirs[0].size)
    assert relative(ours, theirs.reshape(6, -1)) < 1e-5
    assert theirs.max() > 1  # the layer does answer


def test_first_layer_equals_a_convolution_by_hand(vgg, photos):
    """One number of block1_conv1 at a time: sum over a 3 x 3 x 3 window, plus bias, negative becomes 0."""
    kernel, bias = read_vgg16_weights(ensure_vgg16_weights())["block1_conv1"]
    inputs = np.pad(to_vgg16_input(photos.gallery.images[:1], 32)[0], ((1, 1), (1, 1), (0, 0))).astype(np.float64)
    maps = vgg.feature_maps(photos.gallery.images[0], ["block1_conv1"])["block1_conv1"]
    assert maps.shape == (32, 32, 64)
    for row, column, out in ((0, 0, 0), (5, 17, 3), (31, 31, 63), (16, 16, 20), (10, 4, 41)):
        window = inputs[row : row + 3, column : column + 3]
        expected = max(0.0, (window * kernel[..., out]).sum() + bias[out])
        assert maps[row, column, out] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_batch_size_does_not_matter(vgg, photos, gallery_features):
    """One, one batch and a little more: float32 sums in another order, nothing else."""
    for n in (1, BATCH_SIZE, BATCH_SIZE + 1):
        assert relative(vgg.extract(photos.gallery.images[:n]), gallery_features[:n]) < 1e-5
    assert vgg.extract([]).shape == (0, 2048)


def test_grey_and_its_rgb_copy_of_any_size_have_the_same_features(vgg, photos):
    grey = [photos.gallery.images[0], np.kron(photos.gallery.images[1], np.ones((3, 2), np.uint8))]
    colour = [np.repeat(image[..., None], 3, axis=2) for image in grey]
    assert relative(vgg.extract(colour), vgg.extract(grey)) < 1e-5


def test_red_and_blue_are_told_apart(vgg):
    red, blue = np.zeros((2, 32, 32, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    one, other = vgg.extract([red, blue])
    assert relative(one, other) > 0.05


def test_features_serve_scikit_learn_as_they_are(gallery_features, query_features, photos):
    """Nearest neighbours on the features beat chance by far: the weights are trained ones."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(5, metric="cosine").fit(gallery_features, photos.gallery.labels)
    assert model.score(query_features, photos.queries.labels) > 0.5  # chance is 0.1; 100 queries: 13 deviations


def test_fingerprint_tells_layer_pixels_and_weights(vgg):
    assert vgg.fingerprint == {"kind": "vgg16", "layer": "block4_pool", "pixels": 32, "weights_sha256": WEIGHTS_SHA256}
    again = Vgg16Extractor.from_fingerprint(vgg.fingerprint)
    assert again.fingerprint == vgg.fingerprint and again.n_features == 2048
    with pytest.raises(Fashion16Error, match=r"'sift', which can't be rebuilt from the file; pass extractor="):
        Vgg16Extractor.from_fingerprint({"kind": "sift"})


@pytest.mark.parametrize(
    "options",
    [{"layer": "fc1"}, {"layer": "block4_conv1"}, {"pixels": 31}, {"pixels": 1025}, {"pixels": 64.0}, {"pixels": "64"}],
    ids=str,
)
def test_illegal_layers_and_sizes_are_refused(options):
    with pytest.raises(ValueError, match=r"must be .*got"):
        Vgg16Extractor(**options)


def test_the_papers_size_gives_the_papers_25088_numbers():
    assert Vgg16Extractor("block5_pool", 224).n_features == 7 * 7 * 512


# ---------------------------------------------------------------- the runtimes


def test_at_the_papers_size_the_runtimes_agree_and_so_do_their_libraries(photos):
    images = photos.gallery.images[:4]
    ours, theirs = (Vgg16Extractor("block5_pool", 224, runtime) for runtime in RUNTIMES)
    assert ours.fingerprint == theirs.fingerprint                   # a library of one opens with the other
    assert relative(ours.extract(images), theirs.extract(images)) < 1e-5
    assert theirs.extract(images).max() > 1


def test_in_onnxruntime_an_image_has_the_same_features_alone_and_in_a_batch(photos):
    extractor = Vgg16Extractor("block4_pool", 64, "onnxruntime")
    together = extractor.extract(photos.gallery.images[:9])
    for row in range(9):
        np.testing.assert_array_equal(extractor.extract(photos.gallery.images[row : row + 1])[0], together[row])


def test_the_runtime_is_the_named_one_or_the_fastest_installed(monkeypatch):
    assert choose_runtime() == "onnxruntime" and choose_runtime("keras") == "keras"
    monkeypatch.setenv("FASHION16_RUNTIME", "keras")
    assert choose_runtime() == "keras" and choose_runtime("onnxruntime") == "onnxruntime"
    with pytest.raises(ValueError, match="runtime must be one of onnxruntime, keras, got 'openvino'"):
        choose_runtime("openvino")
    monkeypatch.delenv("FASHION16_RUNTIME")
    monkeypatch.setattr(vgg16, "find_spec", lambda name: None)       # as where only Keras is installed
    assert choose_runtime() == "keras"
    with pytest.raises(Fashion16Error, match=r"pip install onnx onnxruntime, or use runtime=\"keras\""):
        Vgg16Extractor(runtime="onnxruntime")


def test_a_search_in_onnxruntime_never_loads_keras(library_path, photos, tmp_path):
    """So that the command answers before TensorFlow would have been loaded."""
    Image.fromarray(photos.queries.images[0]).save(tmp_path / "query.png")
    code = (
        "import sys; from fashion16_lib.__main__ import main; main(sys.argv[1:]); "
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "search", str(library_path), str(tmp_path / "query.png")],
        capture_output=True, text=True, check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]" and len(done.stdout.splitlines()) == 1 + 20 + 1, done


def test_each_runtime_has_a_cache_of_its_own(vgg, photos, tmp_path):
    other = Vgg16Extractor(vgg.layer, vgg.pixels, "keras")
    for extractor in (vgg, other):
        cached = CachedExtractor(extractor, tmp_path)
        np.testing.assert_array_equal(cached.extract(photos.gallery.images[:3]), extractor.extract(
            photos.gallery.images[:3]))
        assert cached.n_computed == 3


# ---------------------------------------------------------------- the cache


@pytest.fixture
def cache(vgg, tmp_path):
    return lambda: CachedExtractor(vgg, tmp_path / "cache")


def test_cache_gives_the_same_and_computes_an_image_once(cache, vgg, photos, gallery_features):
    images = photos.gallery.images[:20]
    first = cache()
    np.testing.assert_allclose(first.extract(images), gallery_features[:20], rtol=1e-4, atol=1e-4)
    assert first.n_computed == 20
    second = cache()
    got = second.extract(images[::-1])  # another order, from disk
    np.testing.assert_array_equal(got, first.extract(images)[::-1])
    assert second.n_computed == 0 and first.n_computed == 20 and got.dtype == np.float32
    more = second.extract(photos.gallery.images[10:25])
    assert second.n_computed == 5
    np.testing.assert_array_equal(more[:10], got[::-1][10:])
    assert first.extract(photos.gallery.images[20:25]).shape == (5, 2048) and first.n_computed == 20  # sees the file
    assert second.fingerprint == vgg.fingerprint and second.n_features == vgg.n_features


def test_an_image_that_comes_twice_is_computed_once(cache, photos):
    images = photos.gallery.images[[3, 4, 3, 3]]
    cached = cache()
    features = cached.extract(images)
    assert cached.n_computed == 2
    assert (
        (features[0] == features[2]).all() and (features[0] == features[3]).all() and (features[0] != features[1]).any()
    )


def test_equal_bytes_of_another_shape_are_another_image(cache):
    wide = np.arange(32 * 64, dtype=np.uint16).astype(np.uint8).reshape(32, 64)
    cached = cache()
    one, other = cached.extract([wide, wide.reshape(64, 32)])
    assert cached.n_computed == 2 and (one != other).any()


def test_other_settings_have_another_folder(cache, tmp_path):
    other = CachedExtractor(Vgg16Extractor("block5_pool", 32), tmp_path / "cache")
    image = np.zeros((1, 32, 32), np.uint8)
    assert cache().extract(image).shape == (1, 2048) and other.extract(image).shape == (1, 512)
    assert other.folder != cache().folder and other.n_computed == 1


def flip(path):
    """Flip one bit of a stored number, where the file says that the numbers lie."""
    with h5py.File(path) as file:
        chunk = file["features"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 16
    path.write_bytes(content)


HARM = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no features here\n" * 100),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-500]),
    "another HDF5 file": lambda path: h5py.File(path, "w").create_dataset("x", data=1).file.close(),
    "other shapes": lambda path: h5py.File(path, "r+").__delitem__("features"),
    "flipped bit": flip,
}


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_cache_file_is_replaced_not_believed(cache, photos, harm):
    images = photos.gallery.images[:6]
    expected = cache().extract(images)
    (path,) = cache().folder.glob("*.h5")
    HARM[harm](path)
    again = cache()
    np.testing.assert_array_equal(again.extract(images), expected)
    assert again.n_computed == 6
    healed = cache()
    np.testing.assert_array_equal(healed.extract(images), expected)
    assert healed.n_computed == 0


def test_a_cache_file_that_disappears_while_in_use_is_computed_again(cache, photos):
    cached = cache()
    expected = cached.extract(photos.gallery.images[:3])
    for path in cached.folder.glob("*.h5"):
        path.unlink()
    np.testing.assert_array_equal(cached.extract(photos.gallery.images[:3]), expected)
    assert cached.n_computed == 6


def test_a_full_cache_keeps_nothing_more_and_the_features_are_right(cache, photos, gallery_features, monkeypatch):
    cached = cache()
    cached.extract(photos.gallery.images[:3])
    held = cache_bytes(cached.root)
    assert 0 < held == sum(path.stat().st_size for path in cached.root.rglob("*.h5"))
    monkeypatch.setattr(feature_cache, "CAP_BYTES", held + 4 * 2048 * 3 - 1)
    got = cached.extract(photos.gallery.images[:6])
    assert relative(got, gallery_features[:6]) < 1e-5 and cached.n_computed == 6
    assert cache_bytes(cached.root) == held
    monkeypatch.setattr(feature_cache, "CAP_BYTES", 2**30)
    cached.extract(photos.gallery.images[:6])
    assert cached.n_computed == 9 and cache_bytes(cached.root) > held
