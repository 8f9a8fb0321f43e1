"""Several layers in one pass and their poolings: one network a layer, loops and published counts are the oracles."""

import numpy as np
import pytest

from fashion16_lib.models.feature_cache import CachedExtractor
from fashion16_lib.models.pooled import POOLINGS, PooledLayer, multiply_adds, pool
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.models.vgg16 import SeveralLayers, Vgg16Extractor, build_vgg16, map_shape
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.settings import VGG16_LAYERS

LAYERS = ("block3_pool", "block5_pool", "block4_pool")              # not in the order of the network


@pytest.fixture(scope="module")
def several():
    return SeveralLayers(LAYERS, 48)                                # maps of 6, 1 and 3 numbers a side


@pytest.fixture(scope="module")
def source(several, photos, tmp_path_factory):
    cached = CachedExtractor(several, tmp_path_factory.mktemp("cache"))
    cached.extract(photos.gallery.images[:40])
    return cached


# ---------------------------------------------------------------- one pass, many layers


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_equals_the_extractor_that_reads_only_it(several, photos, layer):
    images = photos.gallery.images[:6]
    alone, ours = Vgg16Extractor(layer, 48).extract(images), PooledLayer(several, layer, "flat").extract(images)
    assert ours.shape == alone.shape == (6, np.prod(map_shape(layer, 48))) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, alone, rtol=1e-4, atol=1e-4 * alone.max())
    assert alone.max() > 1


@pytest.mark.parametrize("pixels", [32, 50, 112, 224])
def test_map_shapes_are_the_networks(pixels):
    network = build_vgg16(pixels)
    for layer in VGG16_LAYERS:
        assert (1, *map_shape(layer, pixels))[1:] == network.get_layer(layer).output.shape[1:], layer
    assert map_shape("block5_pool", 224) == (7, 7, 512)             # the paper's 25,088


def test_one_layer_alone_is_several_of_one(photos):
    one = SeveralLayers(["block5_pool"], 32)
    np.testing.assert_array_equal(
        one.extract(photos.gallery.images[:3]), Vgg16Extractor("block5_pool", 32).extract(photos.gallery.images[:3])
    )


def test_fingerprints_tell_layers_pixels_and_pooling_apart(several, source):
    assert SeveralLayers(LAYERS, several.pixels).fingerprint == several.fingerprint
    assert several.n_features == 36 * 256 + 512 + 9 * 512
    prints = [PooledLayer(source, layer, pooling).fingerprint for layer in LAYERS for pooling in POOLINGS]
    prints += [several.fingerprint, SeveralLayers(LAYERS[:2], 48).fingerprint, SeveralLayers(LAYERS, 64).fingerprint]
    assert len({repr(each) for each in prints}) == 12


@pytest.mark.parametrize("layers", [(), ("fc1",), ("block3_pool", "block3_pool"), ("block4_conv1",)], ids=str)
def test_other_layers_are_refused(layers):
    with pytest.raises(ValueError, match=r"layers must be some of block1_pool.*each once, got"):
        SeveralLayers(layers, 32)


def test_a_layer_that_was_not_read_is_refused(several):
    with pytest.raises(ValueError, match=r"one that the source reads \(block3_pool.*got 'block2_pool'"):
        PooledLayer(several, "block2_pool", "flat")


# ---------------------------------------------------------------- poolings


def test_pooling_by_loops():
    maps = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    for image in range(2):
        for channel in range(5):
            numbers = [float(maps[image, row, column, channel]) for row in range(3) for column in range(4)]
            assert pool(maps, "average")[image, channel] == pytest.approx(sum(numbers) / 12, abs=1e-6)
            assert pool(maps, "max")[image, channel] == max(numbers)
            assert pool(maps, "flat")[image, channel::5].tolist() == numbers
    assert {pool(maps, pooling).dtype.name for pooling in POOLINGS} == {"float32"}


def test_maps_of_one_number_pool_to_themselves():
    maps = np.random.default_rng(0).standard_normal((4, 1, 1, 7))
    for pooling in POOLINGS:
        np.testing.assert_array_equal(pool(maps, pooling), maps[:, 0, 0])


def test_other_poolings_are_refused(several):
    with pytest.raises(ValueError, match="pooling must be one of flat, average, max, got 'sum'"):
        PooledLayer(several, LAYERS[0], "sum")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooled_layers_come_from_the_cache_without_a_new_pass(source, photos, pooling):
    before = source.n_computed
    features = source.extract(photos.gallery.images[:40])
    layer = PooledLayer(source, "block4_pool", pooling)
    np.testing.assert_array_equal(layer.extract(photos.gallery.images[:40]), layer.of(features))
    start = int(np.prod(map_shape("block3_pool", 48))) + 512
    maps = features[:, start:].reshape(40, 3, 3, 512)
    np.testing.assert_array_equal(layer.of(features), pool(maps, pooling))
    assert source.n_computed == before and layer.of(features).shape == (40, layer.n_features)


def test_a_pooled_layer_is_an_extractor_for_head_and_search(source, photos):
    layer, garments = PooledLayer(source, "block4_pool", "average"), photos.gallery.take(range(40))
    head = SoftmaxHead.fit(layer.extract(garments.images), garments.labels, garments.class_names, layer)
    model = Fashion16.build(garments, head, layer, n_bits=64)
    hits = model.search(garments.images[3], k=1)
    assert hits[0].id == garments.ids[3] and hits[0].distance == 0


# ---------------------------------------------------------------- cost


def test_multiply_adds_by_hand_and_as_published(vgg):
    one_block = 32 * 32 * 9 * (3 * 64 + 64 * 64)
    assert multiply_adds(vgg.all_layers, "block1_pool") == one_block
    assert multiply_adds(vgg.all_layers, "block2_pool") == one_block + 16 * 16 * 9 * (64 * 128 + 128 * 128)
    whole = multiply_adds(build_vgg16(224), "block5_pool")
    assert whole == 15_346_630_656                                  # "15.3 billion" (He et al., 2016, 4.1)
