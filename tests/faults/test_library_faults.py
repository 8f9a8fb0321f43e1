"""Faults 12-14 and 20-26: the library file is whole or refused, and the search answers rightly or says why not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.files import canonical_json
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.retrieval import DirectSearch, Fashion16
from fashion16_lib.settings import Fashion16Error

ROOT = Path(__file__).resolve().parents[2]


def answers(path, extractor, head, images):
    """Return what a library answers, by both kinds of search."""
    return [
        kind.open(path, extractor=extractor, classifier=head).search(image)
        for kind in (Fashion16, DirectSearch)
        for image in images
    ]


@pytest.fixture(scope="module")
def images(photos):
    return photos.queries.images[:2]


@pytest.fixture(scope="module")
def right(library_path, cached_vgg, head, images):
    return answers(library_path, cached_vgg, head, images)


@pytest.fixture
def copied(library_path, tmp_path):
    return Path(shutil.copy(library_path, tmp_path / "library.h5"))


# ---------------------------------------------------------------- 12-14: the file

SAVE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from fashion16_lib.files import replace_file
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library, write_library
path = Path(sys.argv[1])
features = np.random.default_rng(0).standard_normal((20_000, 64))
settings = {**Library(path).settings, "dataset": "new"}
print("go", flush=True)
while True:
    hasher = RandomHyperplanes(64, 1).fit(features)
    replace_file(path, write_library(settings, hasher, hasher.encode(features), np.arange(20_000) % 10,
                                     (f"{i:05d}" for i in range(20_000)), np.arange(20_000) % 10, {}))
    print("saved", flush=True)
"""


def test_f12_killed_while_building_or_saving_the_old_or_the_new_library_answers(
    copied,
    cached_vgg,
    head,
    images,
    right,
):
    """One build takes about 0.1 s; kills fall before, in and between the writes."""
    moments = random.Random(12)
    for attempt in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(copied)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0.0, 0.08) if attempt < 3 else moments.uniform(0.1, 0.5))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        saved = process.stdout.read().count("saved")
        library = Library(copied)  # opens: whole, whichever it is
        if library.settings["dataset"] == "new":
            assert library.n_items == 20_000 and len(np.unique(library.ids(np.arange(20_000)))) == 20_000
            assert (np.bincount(library.all_codes().ravel()) > 0).all()
        else:
            assert saved == 0 and answers(copied, cached_vgg, head, images) == right


@pytest.mark.parametrize("moment", ["os.fsync", "Path.replace"])
def test_f12_killed_between_the_last_byte_and_the_rename_the_old_library_answers(
    copied, cached_vgg, head, images, right, moment
):
    """The worst moments on purpose: the new file is written but not on the disk, or on the disk but not renamed."""
    kill = f"import os\nfrom pathlib import Path\n{moment} = lambda *_: os.kill(os.getpid(), 9)\n"
    done = subprocess.run(
        [sys.executable, "-c", kill + SAVE_FOR_EVER, str(copied)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "go\n"), done.stderr
    assert answers(copied, cached_vgg, head, images) == right
    (left,) = copied.parent.glob(".library.h5.*.partial")
    assert left.stat().st_size > 500_000  # it had all been written


def test_f12_a_save_that_fails_leaves_the_old_library_and_nothing_else(
    copied, model, cached_vgg, head, images, right, monkeypatch
):
    """The disk says no at the last step."""

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        model.save(copied)
    monkeypatch.undo()
    assert [path.name for path in copied.parent.iterdir()] == ["library.h5"]
    assert answers(copied, cached_vgg, head, images) == right


def test_f13_empty_file_and_other_files_are_refused(tmp_path):
    contents = {
        "empty.h5": b"",
        "text.h5": b"a library\n" * 100,
        "zeros.h5": bytes(5000),
        "signature.h5": b"\x89HDF\r\n\x1a\n",
        "half.h5": b"\x89HDF\r\n\x1a\n" + bytes(1000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Fashion16Error, match=rf"{name} can't be read as a library .*build it again"):
            Library(tmp_path / name)
    with pytest.raises(Fashion16Error, match=r"no library file at .*nowhere\.h5; build one with"):
        Library(tmp_path / "nowhere.h5")
    with pytest.raises(Fashion16Error, match="no library file"):
        Library(tmp_path)


def test_f13_another_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images/id"] = np.arange(3)
    with pytest.raises(Fashion16Error, match=r"has library schema None, this program reads 1; build it again"):
        Library(tmp_path / "other.h5")


def test_f14_truncated_anywhere_no_answer_is_wrong(library_path, tmp_path, cached_vgg, head, images, right):
    whole = library_path.read_bytes()
    cuts = {
        8,
        48,
        96,
        500,
        len(whole) // 2,
        len(whole) - 1,
        len(whole) - 8,
        *np.linspace(1, len(whole) - 1, 40).astype(int),
    }
    refused = 0
    for cut in sorted(cuts):
        path = tmp_path / "cut.h5"
        path.write_bytes(whole[:cut])
        try:
            assert answers(path, cached_vgg, head, images) == right, cut
        except Fashion16Error as error:
            assert "cut.h5" in str(error) and "build it again" in str(error)
            refused += 1
    assert refused == len(cuts)  # the file's own length is in its head


def test_f14_a_library_that_lost_its_middle_is_refused_or_right(
    library_path, tmp_path, cached_vgg, head, images, right
):
    """Same length, a kilobyte of zeros: what a crashed disk leaves. Most of the file is planes, read when it opens."""
    whole, refused = library_path.read_bytes(), 0
    with h5py.File(library_path) as file:
        lazy = file["classes/0/codes"].id.get_chunk_info(0).byte_offset
    for start in (*range(0, lazy, 20_000), *range(lazy, len(whole), 2_000)):
        path = tmp_path / "hole.h5"
        path.write_bytes(whole[:start] + bytes(len(whole[start : start + 1024])) + whole[start + 1024 :])
        try:
            assert answers(path, cached_vgg, head, images) == right, start
        except Fashion16Error:
            refused += 1
    assert refused > 25


def test_f14_damaged_codes_are_told_when_they_are_read(copied, cached_vgg, head, images):
    with h5py.File(copied) as file:
        chunks = {name: file[name].id.get_chunk_info(0) for name in ("classes/3/codes", "classes/3/rows", "images/id")}
    whole = copied.read_bytes()
    for name, chunk in chunks.items():
        place = chunk.byte_offset + 100
        copied.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        model = DirectSearch.open(copied, extractor=cached_vgg, classifier=head)
        with pytest.raises(Fashion16Error, match=rf"library\.h5 is damaged in {name}; build it again"):
            model.search(images[0])


# ---------------------------------------------------------------- 20: made by others


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("extractor", {"layer": "block5_pool"}, "layer: library 'block5_pool', given 'block4_pool'"),
        ("extractor", {"pixels": 64}, "pixels: library 64, given 32"),
        ("extractor", {"weights_sha256": "0" * 64}, "weights_sha256: library '0000"),
        ("extractor", {"extra": 1}, "extra: library 1, given None"),
        ("decider", {"sha256": "0" * 64}, "another classifier"),
        ("decider", {"kind": "table-1"}, "another classifier"),
    ],
)
def test_f20_another_layer_size_weights_or_decider_is_refused(copied, cached_vgg, head, part, change, named):
    with h5py.File(copied, "r+") as file:
        settings = {**Library(copied).settings}
        settings[part] = {**settings[part], **change}
        file.attrs["settings"] = np.bytes_(canonical_json(settings).encode())
    with pytest.raises(Fashion16Error, match="was built with another") as caught:
        Fashion16.open(copied, extractor=cached_vgg, classifier=head)
    assert named in str(caught.value) and "build the library again" in str(caught.value)


def test_f20_another_schema_is_refused(copied):
    with h5py.File(copied, "r+") as file:
        file.attrs["schema_version"] = 2
    with pytest.raises(Fashion16Error, match="library schema 2, this program reads 1; build it again"):
        Library(copied)


def replace(file, name, array):
    del file[name]
    file.create_dataset(name, data=array, chunks=array.shape, fletcher32=True)


def test_f20_planes_of_another_number_or_dimension_are_refused(copied, cached_vgg, head, images):
    with h5py.File(copied, "r+") as file:
        planes = file["hash/planes"][:]
        replace(file, "hash/planes", planes[:32])
    with pytest.raises(Fashion16Error, match=r"codes of shape \(30, 8\) but planes of 32 bits; build it again"):
        Library(copied)
    with h5py.File(copied, "r+") as file:
        replace(file, "hash/planes", planes[:, :512].copy())
        replace(file, "hash/mean", np.zeros(512, np.float32))
    model = Fashion16.open(copied, extractor=cached_vgg, classifier=head)
    with pytest.raises(ValueError, match="must have 512 columns, got 2048; use the extractor"):
        model.search(images[0])


def test_f20_a_head_of_another_dimension_is_refused(copied, cached_vgg):
    with h5py.File(copied, "r+") as file:
        replace(file, "decider/weights", file["decider/weights"][:, :512])
    with pytest.raises(Fashion16Error, match=r"needs weights \(10, 2048\).*build the library again"):
        Fashion16.open(copied, extractor=cached_vgg)


def test_f20_a_library_that_lost_rows_is_refused(copied):
    with h5py.File(copied, "r+") as file:
        replace(file, "classes/0/codes", file["classes/0/codes"][:-1])
        replace(file, "classes/0/rows", file["classes/0/rows"][:-1])
    with pytest.raises(Fashion16Error, match="not whole: 300 ids, 299 codes; build it again"):
        Library(copied)


# ---------------------------------------------------------------- 21-26: what is asked


class Given:
    """An extractor whose features the test chooses, by the grey level of the image's first pixel."""

    def __init__(self, features):
        self.fingerprint = {"kind": "given"}
        self.features, self.n_features = features, features.shape[1]

    def extract(self, images):
        return self.features[[int(np.asarray(image).flat[0]) for image in images]]


def numbered(n):
    return np.repeat(np.arange(n, dtype=np.uint8), 64).reshape(n, 8, 8)


def garments(labels, names=("a", "b", "c")):
    n = len(labels)
    return Dataset("given", numbered(n), np.array(labels, np.int64), names, [f"{row:03d}" for row in range(n)])


def given_model(features, labels, names=("a", "b", "c"), **options):
    extractor = Given(features)
    rng = np.random.default_rng(0)
    arrays = {
        "weights": rng.standard_normal((len(names), features.shape[1])).astype(np.float32),
        "bias": np.zeros(len(names), np.float32),
    }
    return Fashion16.build(garments(labels, names), SoftmaxHead(arrays, names, extractor), extractor, **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_f21_features_that_are_not_finite_are_refused_and_their_row_named(bad, gallery_features):
    features = gallery_features[:6].astype(np.float64)
    features[4, 100] = bad  # 1e39 is beyond float32
    with np.errstate(over="ignore"):
        for act in (
            lambda: RandomHyperplanes().fit(features),
            lambda: RandomHyperplanes().fit(gallery_features).encode(features),
            lambda: given_model(features, [0, 1, 2, 0, 1, 2]),
        ):
            with pytest.raises(ValueError, match=r"must be finite, got NaN or infinity in row 4; check that image"):
                act()


def test_f21_a_query_that_is_not_finite_is_refused_after_a_good_build(gallery_features):
    model = given_model(gallery_features[:6].copy(), [0, 1, 2, 0, 1, 2])
    model.extractor.features[5, 0] = np.nan
    assert len(DirectSearch(model.library, model.extractor).search(numbered(6)[4], 3)) == 3
    with pytest.raises(ValueError, match="must be finite"):
        DirectSearch(model.library, model.extractor).search(numbered(6)[5], 3)


@pytest.mark.parametrize("centred", [True, False])
def test_f22_an_all_zero_vector_has_a_code_and_finds_itself(gallery_features, centred):
    features = gallery_features[:6].copy()
    features[3] = 0
    model = given_model(features, [0, 1, 2, 0, 1, 2], centred=centred)
    (hit,) = DirectSearch(model.library, model.extractor).search(numbered(6)[3], 1)
    assert (hit.id, hit.distance, hit.similarity) == ("003", 0, 1.0)
    if not centred:
        assert model.library.all_codes()[3].tolist() == [255] * 8  # it lies on every plane: side 1


@pytest.mark.parametrize("k", [0, -1, 301, 10**20, 2.0, "5", None, True, np.nan], ids=repr)
def test_f23_k_out_of_range_is_refused(model, images, k):
    with pytest.raises(ValueError, match=r"k must be a whole number from 1 to .*got .*; use 1 to 300"):
        model.search(images[0], k)


def test_f23_k_of_1_of_all_and_as_a_numpy_number(model, images):
    assert len(model.search(images[0], np.int32(1))) == 1
    assert len(DirectSearch(model.library, model.extractor).search(images[0], 300)) == 300


def test_f23_an_empty_gallery_is_refused(model):
    with pytest.raises(ValueError, match="gallery must hold at least one image, got none"):
        Fashion16.build(garments([]), model.classifier, model.extractor)


def test_f24_ties_are_ordered_by_gallery_row_in_every_engine(gallery_features):
    """Forty items with four codes between them: every engine must give the smaller rows first."""
    features = np.repeat(gallery_features[:4], 10, axis=0)[np.random.default_rng(0).permutation(40)]
    model = given_model(features, [0] * 40)
    distances = hamming_distances(model.library.all_codes()[7:8], model.library.all_codes())[0].tolist()
    expected = [f"{row:03d}" for _, row in sorted(zip(distances, range(40), strict=True))]
    full = Buckets(4, 8, 8)
    image = numbered(40)[7]
    engines = [DirectSearch(model.library, model.extractor), DirectSearch(model.library, model.extractor, buckets=full)]
    for k in (1, 5, 13, 40):
        assert all([hit.id for hit in engine.search(image, k)] == expected[:k] for engine in engines)
    always_a = SoftmaxHead(
        {"weights": np.zeros((3, 2048), np.float32), "bias": np.array([1, 0, 0], np.float32)},
        ("a", "b", "c"),
        model.extractor,
    )
    for buckets in (None, full):
        in_class = Fashion16.build(garments([0] * 40), always_a, model.extractor)
        in_class.buckets = buckets
        assert [hit.id for hit in in_class.search(image, 13)] == expected[:13]


def test_f25_type_and_layout_of_features_do_not_matter_and_inputs_stay(gallery_features):
    whole = np.round(gallery_features[:40])
    kinds = {
        "float64": whole.astype(np.float64),
        "Fortran": np.asfortranarray(whole),
        "int64": whole.astype(np.int64),
        "strided": np.repeat(whole, 2, axis=1)[:, ::2],
        "big-endian": whole.astype(">f4"),
        "read-only": whole.copy(),
    }
    expected = RandomHyperplanes(64).fit(whole).encode(whole)
    for name, features in kinds.items():
        before = features.copy()
        features.flags.writeable = False
        np.testing.assert_array_equal(RandomHyperplanes(64).fit(features).encode(features), expected, err_msg=name)
        np.testing.assert_array_equal(features, before)


def test_f25_layout_of_images_does_not_matter_and_inputs_stay(model, images):
    expected = model.answer(images[0])
    for image in (np.asfortranarray(images[0]), np.repeat(images[0], 2, axis=1)[:, ::2], images[0][..., None]):
        before = image.copy()
        image.flags.writeable = False
        answer = model.answer(image)
        assert answer.hits == expected.hits and answer.probabilities == pytest.approx(expected.probabilities)
        np.testing.assert_array_equal(image, before)
    with pytest.raises(ValueError, match="uint8, got float64"):
        model.search(images[0].astype(np.float64))


@pytest.mark.parametrize("buckets", [None, Buckets(1, 8)], ids=["scan", "buckets"])
def test_f26_a_query_routed_to_a_class_without_images_gets_no_hits(gallery_features, tmp_path, buckets):
    features, names = gallery_features[:6], ("a", "b", "c")
    extractor = Given(features)
    always_b = SoftmaxHead(
        {"weights": np.zeros((3, 2048), np.float32), "bias": np.array([0, 1, 0], np.float32)}, names, extractor
    )
    Fashion16.build(garments([0, 0, 2, 2, 0, 2], names), always_b, extractor).save(tmp_path / "library.h5")
    model = Fashion16.open(tmp_path / "library.h5", extractor=extractor, classifier=always_b, buckets=buckets)
    answer = model.answer(numbered(6)[0], 5)
    assert (answer.label, answer.hits) == ("b", []) and model.library.counts == {"a": 3, "b": 0, "c": 3}
    direct = DirectSearch.open(tmp_path / "library.h5", extractor=extractor, classifier=always_b)
    assert len(direct.search(numbered(6)[0], 6)) == 6
