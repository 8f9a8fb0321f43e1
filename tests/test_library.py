"""The library file: what goes in comes out, the same seed gives the same bytes, one class is read alone."""

import json

import h5py
import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.counting import CountingFile, count_bytes_read
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import SCHEMA_VERSION, Library, write_library
from fashion16_lib.search.retrieval import Fashion16


def test_file_holds_codes_rows_ids_and_labels_of_the_gallery(library_path, photos, gallery_features):
    library = Library(library_path)
    hasher = RandomHyperplanes(64, seed=0).fit(gallery_features)
    gallery = photos.gallery
    assert library.class_names == gallery.class_names and library.n_items == len(gallery)
    np.testing.assert_array_equal(library.all_codes(), hasher.encode(gallery_features))
    rows = np.arange(len(gallery))
    assert library.ids(rows) == gallery.ids
    assert library.labels(rows).tolist() == gallery.labels.tolist()
    for number, name in enumerate(gallery.class_names):
        codes, stored = library.class_codes(number)
        assert stored.tolist() == [row for row, label in enumerate(gallery.labels) if label == number]
        np.testing.assert_array_equal(codes, library.all_codes()[stored])
        assert library.counts[name] == len(stored)


def test_file_is_as_documented(library_path):
    """A reader with nothing but h5py and the text at the head of library.py gets along."""
    with h5py.File(library_path) as file:
        assert file.attrs["schema_version"] == SCHEMA_VERSION
        assert json.loads(bytes(file.attrs["settings"]))["hash"] == {"centred": True, "n_bits": 64, "seed": 0}
        assert set(file) == {"hash", "classes", "images", "decider"}
        arrays = []
        file.visititems(lambda name, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        assert len(arrays) == 2 + 10 * 2 + 2 + 2
        assert all(array.fletcher32 and array.chunks for array in arrays)
        assert not any(h5py.check_vlen_dtype(array.dtype) or h5py.check_ref_dtype(array.dtype) for array in arrays)
        assert file["classes/0/codes"].shape == (30, 8) and file["hash/planes"].shape == (64, 2048)


@pytest.mark.parametrize("rows", [[], [5], [7, 3, 7, 0], [299, 0, 1]], ids=["none", "one", "twice", "any order"])
def test_ids_and_labels_come_in_the_order_asked(library_path, photos, rows):
    library = Library(library_path)
    assert library.ids(np.array(rows, np.int64)) == [photos.gallery.ids[row] for row in rows]
    assert library.labels(np.array(rows, np.int64)).tolist() == [photos.gallery.labels[row] for row in rows]


def test_same_gallery_and_seed_give_the_same_bytes_another_seed_other_codes(photos, head, cached_vgg, model):
    again = Fashion16.build(photos.gallery, head, cached_vgg, n_bits=64, seed=0)
    other = Fashion16.build(photos.gallery, head, cached_vgg, n_bits=64, seed=1)
    assert again.library.to_bytes() == model.library.to_bytes()
    differing = np.unpackbits(other.library.all_codes() ^ model.library.all_codes()).mean()
    assert 0.3 < differing < 0.7  # independent planes: half of the bits


def test_gallery_is_stored_in_the_order_of_its_ids(photos, head, cached_vgg, model):
    shuffled = photos.gallery.take(np.random.default_rng(0).permutation(len(photos.gallery)))
    built = Fashion16.build(shuffled, head, cached_vgg, n_bits=64, seed=0)
    assert built.library.ids(np.arange(built.library.n_items)) == sorted(photos.gallery.ids)
    np.testing.assert_array_equal(built.library.all_codes(), model.library.all_codes())


def test_names_and_ids_may_hold_any_character(tmp_path, photos, head, cached_vgg):
    odd = ("T/shirt ../..", "hash", "鞋", "a\u0301 b", "0", "'\"; --", ".", "classes/0/codes", "x" * 300, " ")
    part = photos.gallery.take(range(40))
    ids = [f"{row:03d}/{odd[row % 10]}.jpg" for row in range(39)] + ["039/\udcff.jpg"]  # not valid UTF-8 on disk
    gallery = Dataset("odd", part.images, part.labels, odd, ids)
    from fashion16_lib.models.softmax_head import SoftmaxHead

    decider = SoftmaxHead(head.arrays, odd, cached_vgg)
    Fashion16.build(gallery, decider, cached_vgg).save(tmp_path / "odd.h5")
    library = Library(tmp_path / "odd.h5")
    assert library.class_names == odd and library.ids(np.arange(40)) == ids
    assert [library.counts[name] for name in odd] == np.bincount(part.labels, minlength=10).tolist()


def test_one_of_ten_classes_is_read_with_less_than_a_fifth_of_the_bytes(tmp_path):
    """Codes of 20,000 items as random bits: only their number matters for what is read."""
    rng = np.random.default_rng(0)
    n, names = 20_000, tuple("abcdefghij")
    hasher = RandomHyperplanes(64).fit(rng.standard_normal((10, 16)))
    codes, labels = rng.integers(0, 256, (n, 8), dtype=np.uint8), np.arange(n) % 10
    settings = {"class_names": names, "hash": {"n_bits": 64, "seed": 0, "centred": True}}
    path = tmp_path / "big.h5"
    path.write_bytes(write_library(settings, hasher, codes, labels, (f"{i:05d}" for i in range(n)), labels, {}))

    def bytes_read(act):
        results = []
        return count_bytes_read(path, lambda library: results.append(act(library))), results[0]

    one, (found, rows) = bytes_read(lambda library: library.class_codes(3))
    everything, all_codes = bytes_read(Library.all_codes)
    np.testing.assert_array_equal(found, codes[3::10])
    np.testing.assert_array_equal(rows, np.arange(3, n, 10))
    np.testing.assert_array_equal(all_codes, codes)
    assert found.nbytes + rows.nbytes <= one < everything / 5
    assert everything >= n * 16  # the counter counts: every code and row number was read


def test_counting_file_counts_every_byte_once(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1000))
    with CountingFile(tmp_path / "file") as file:
        buffer = bytearray(300)
        assert [file.readinto(buffer) for _ in range(5)] == [300, 300, 300, 100, 0]
        assert file.n_bytes == 1000


def test_bytes_in_memory_equal_the_file(model, library_path):
    assert model.library.to_bytes() == library_path.read_bytes() == Library(library_path).to_bytes()
    reread = Library(library_path.read_bytes())
    assert reread.content().keys() == model.library.content().keys()
    for name, array in model.library.content().items():
        np.testing.assert_array_equal(reread.content()[name], array)


def test_unknown_label_has_no_name(model):
    assert model.library.label_name(-1) is None
    assert model.library.label_name(0) == model.library.class_names[0]
