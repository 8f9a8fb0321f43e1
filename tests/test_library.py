"""The library file: what goes in comes out, the same seed gives the same bytes, one class is read alone."""

import json

import h5py
import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.counting import CountingFile, count_bytes_read
from fashion16_lib.search import library as library_module
from fashion16_lib.search import sealed
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import CHUNK_ROWS, SCHEMA_VERSION, write_library
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
    """A reader with nothing but h5py and the text at the head of library_file.py gets along."""
    with h5py.File(library_path) as file:
        assert file.attrs["schema_version"] == SCHEMA_VERSION
        assert json.loads(bytes(file.attrs["settings"]))["hash"] == {
            "centred": True, "kind": "random", "n_bits": 64, "seed": 0}
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
    assert built.library.ids() == sorted(photos.gallery.ids)
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
    assert library.class_names == odd and library.ids() == ids
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
    assert found.nbytes <= one < everything / 5
    assert everything >= n * 8  # the counter counts: every code was read


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


def test_codes_of_any_rows_are_read_class_by_class(model, library_path):
    wanted, rng = model.library.all_codes(), np.random.default_rng(1)
    for rows in ([], [0], [299, 0, 299], rng.integers(0, len(wanted), 50).tolist()):
        found = Library(library_path).codes(np.array(rows, np.int64))
        np.testing.assert_array_equal(found, wanted[np.array(rows, np.int64)])
    library = Library(library_path)
    _, rows = library.class_codes(4)
    assert (library.codes(rows[::-1]) == library.class_codes(4)[0][::-1]).all() and list(library._codes) == [4]


def test_a_closed_library_lets_go_of_its_file(library_path):
    library = Library(library_path)
    library.close()
    with pytest.raises((KeyError, ValueError)):
        library.class_codes(0)


def test_unknown_label_has_no_name(model):
    assert model.library.label_name(-1) is None
    assert model.library.label_name(0) == model.library.class_names[0]


@pytest.mark.parametrize("kept", [2, 512])
def test_ids_and_labels_of_any_rows_in_any_order(monkeypatch, kept):
    """Rows are read by chunk, and few chunks may be kept."""
    monkeypatch.setattr(library_module, "KEPT_CHUNKS", kept)
    n, rng = 3 * CHUNK_ROWS + 5, np.random.default_rng(2)
    ids, labels = [f"garment {row}" for row in range(n)], rng.integers(-1, 2, n)
    hasher = RandomHyperplanes(8).fit(rng.random((5, 4)))
    library = Library(write_library({"class_names": ("a", "b")}, hasher, np.zeros((n, 1), np.uint8), np.abs(labels),
                                    ids, labels, {}))
    borders = [0, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS, n - 1, n - 6, 0]
    for rows in ([], [n - 1], borders, rng.integers(0, n, 200).tolist()):
        assert library.ids(np.array(rows, np.int64)) == [ids[row] for row in rows]
        assert library.labels(np.array(rows, np.int64)).tolist() == [labels[row] for row in rows]
    assert library.ids() == ids and library.labels().tolist() == labels.tolist()


def test_a_head_larger_than_its_first_size_holds_everything(monkeypatch):
    monkeypatch.setattr(sealed, "FIRST_HEAD_BYTES", 512)
    n, hasher = 1_500, RandomHyperplanes(64).fit(np.random.default_rng(0).random((5, 16)))
    codes, labels = np.random.default_rng(1).integers(0, 256, (n, 8), dtype=np.uint8), np.arange(n) % 3
    content = write_library({"class_names": ("a", "b", "c")}, hasher, codes, labels, (f"{i:05d}" for i in range(n)),
                            labels, {}, np.ones((n, 16), np.float16))
    library = Library(content)
    assert library.ids() == [f"{i:05d}" for i in range(n)]
    np.testing.assert_array_equal(library.all_codes(), codes)
    assert library.features(np.array([3, 1])).tolist() == np.ones((2, 16)).tolist()


# ---------------------------------------------------------------- what an item costs, adding and removing


def test_an_item_costs_no_more_than_twelve_bytes_beside_its_id(tmp_path):
    """Codes of random bits: only their number matters for the size."""
    rng = np.random.default_rng(0)
    hasher = RandomHyperplanes(64).fit(rng.standard_normal((10, 16)))
    settings = {"class_names": tuple("abcdefghij")}

    def size(n, labels):
        codes = rng.integers(0, 256, (n, 8), dtype=np.uint8)
        return len(write_library(settings, hasher, codes, labels, (f"{i:08d}" for i in range(n)), labels, {}))

    n = 20 * CHUNK_ROWS                                         # whole chunks: what is left of one is filled up
    for order in (rng.permutation, np.sort):
        more = size(2 * n, order(np.arange(2 * n) % 10)) - size(n, order(np.arange(n) % 10))
        assert 8 < more / n - 8 <= 12                           # the ids have 8 bytes each


@pytest.mark.parametrize("labels", [[3] * 40, [0, 1] * 20, list(range(10)) * 4, [-1] * 40], ids=str)
def test_rows_come_back_whatever_the_order_of_the_classes(labels):
    rng = np.random.default_rng(1)
    codes, hasher = rng.integers(0, 256, (40, 8), dtype=np.uint8), RandomHyperplanes(64).fit(rng.random((5, 16)))
    labels = np.array(labels)
    under = np.abs(labels)
    library = Library(write_library({"class_names": tuple("abcdefghij")}, hasher, codes, under, map(str, range(40)),
                                    labels, {}))
    np.testing.assert_array_equal(library.all_codes(), codes)
    np.testing.assert_array_equal(library.stored_under(), under)
    np.testing.assert_array_equal(library.labels(), labels)


def test_rows_far_apart_are_kept():
    n = 70_000
    under = np.zeros(n, np.int64)
    under[[5, n - 1]] = 1
    hasher = RandomHyperplanes(8).fit(np.random.default_rng(0).random((5, 4)))
    library = Library(write_library({"class_names": ("a", "b")}, hasher, np.zeros((n, 1), np.uint8), under,
                                    map(str, range(n)), under, {}))
    assert library.class_codes(1)[1].tolist() == [5, n - 1] and library.class_codes(0)[1][5] == 6


def test_items_are_added_at_the_end_and_removed_without_touching_the_others(model, photos, cached_vgg, query_features):
    library, new = model.library, photos.queries.take(range(30))
    renamed = [f"new/{item}" for item in new.ids]
    codes = library.hasher.encode(query_features[:30])
    longer = Library(library.with_items(codes, new.labels, renamed, new.labels))
    assert longer.n_items == library.n_items + 30 and longer.settings["changed_since_build"] is True
    assert longer.ids() == [*photos.gallery.ids, *renamed]
    np.testing.assert_array_equal(longer.all_codes(), np.concatenate([library.all_codes(), codes]))
    np.testing.assert_array_equal(longer.labels(), np.concatenate([photos.gallery.labels, new.labels]))
    again = Library(longer.without_items(renamed))
    for name, array in library.content().items():
        np.testing.assert_array_equal(again.content()[name], array)
    fewer = Library(library.without_items(photos.gallery.ids[10:20]))
    assert fewer.ids() == [*photos.gallery.ids[:10], *photos.gallery.ids[20:]]
    np.testing.assert_array_equal(fewer.all_codes(), np.delete(library.all_codes(), range(10, 20), axis=0))
    nothing = Library(library.without_items(photos.gallery.ids))
    assert nothing.n_items == 0 and all(count == 0 for count in nothing.counts.values())
    assert Library(nothing.with_items(codes, new.labels, renamed, new.labels)).ids() == renamed


def test_an_id_twice_or_unknown_is_refused(model, photos):
    library, code, label = model.library, np.zeros((2, 8), np.uint8), np.zeros(2, np.int64)
    for ids in ([photos.gallery.ids[3], "x"], ["x", "x"]):
        with pytest.raises(ValueError, match="ids must be new to the library, got"):
            library.with_items(code, label, ids, label)
    with pytest.raises(ValueError, match="got 'nobody', which isn't there"):
        library.without_items(["nobody", photos.gallery.ids[0]])
