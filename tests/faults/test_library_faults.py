"""Faults 12-26: the library file is whole or refused, and the search answers rightly or says why not."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.files import canonical_json, hdf5_bytes, only_writer
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.retrieval import DirectSearch, Fashion16
from fashion16_lib.search.sealed import SEAL_BYTES, seal_of, sealed_hdf5
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


@contextmanager
def altered(path):
    """Change a library file by hand and seal it again, as somebody who means harm or another program would."""
    with h5py.File(path, "r+") as file:
        yield file
    content = path.read_bytes()[SEAL_BYTES:]
    path.write_bytes(seal_of(content) + content)


# ---------------------------------------------------------------- 12-14: the file

SAVE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from fashion16_lib.files import only_writer, replace_file
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
path = Path(sys.argv[1])
features = np.random.default_rng(0).standard_normal((20_000, 64))
settings = {**Library(path).settings, "dataset": "new"}
print("go", flush=True)
while True:
    hasher = RandomHyperplanes(64, 1).fit(features)
    with only_writer(path):
        replace_file(path, write_library(settings, hasher, hasher.encode(features), np.arange(20_000) % 10,
                                         (f"{i:05d}" for i in range(20_000)), np.arange(20_000) % 10, {}))
    print("saved", flush=True)
"""


def test_f12_killed_while_building_or_saving_the_old_or_the_new_library_answers(
    copied,
    model,
    cached_vgg,
    head,
    images,
    right,
):
    """One build takes about 0.1 s; 20 kills fall before, in and between the writes. Nothing is left after a save."""
    moments = random.Random(12)
    for attempt in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(copied)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0.0, 0.08) if attempt < 10 else moments.uniform(0.1, 0.5))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        saved = process.stdout.read().count("saved")
        library = Library(copied)  # opens: whole, whichever it is
        if library.settings["dataset"] == "new":
            assert library.n_items == 20_000 and len(np.unique(library.ids())) == 20_000
            assert (np.bincount(library.all_codes().ravel()) > 0).all()
        else:
            assert saved == 0 and answers(copied, cached_vgg, head, images) == right
    model.save(copied)
    assert [path.name for path in copied.parent.iterdir()] == ["library.h5"]
    assert answers(copied, cached_vgg, head, images) == right


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
    assert left.stat().st_size > 300_000  # it had all been written


def test_f12_what_is_being_written_lies_in_no_folder(tmp_path, monkeypatch):
    """HDF5 writes into a file without a name, which goes with its process."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def fill(file):
        file.create_dataset("x", data=np.arange(3), chunks=(3,))
        file.flush()
        seen.append(list(tmp_path.iterdir()))

    with h5py.File.in_memory(hdf5_bytes(fill)) as file:
        assert file["x"][:].tolist() == [0, 1, 2]
    assert len(sealed_hdf5(fill)) > 2**16 and seen == [[], []]


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
    with pytest.raises(Fashion16Error, match=r"can't be read as a library .*another kind of file.*build it again"):
        Library(tmp_path / "other.h5")
    sealed = sealed_hdf5(lambda file: file.create_dataset("x", data=np.arange(3), chunks=(3,)))
    with pytest.raises(Fashion16Error, match="has library schema None, this program reads 2; build it again"):
        Library(sealed)


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
        place = chunk.byte_offset + chunk.size // 2
        copied.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        model = DirectSearch.open(copied, extractor=cached_vgg, classifier=head)
        with pytest.raises(Fashion16Error, match=rf"library\.h5 is damaged in {name}; build it again"):
            model.search(images[0])


# ---------------------------------------------------------------- 15-19: flipped bits, others at work, hostile files


def test_f15_no_flipped_bit_anywhere_gives_a_wrong_answer(photos, head, cached_vgg, query_features, tmp_path):
    """1,500 bits of a small library, spread over the whole file: each file is refused or answers as before."""
    from sklearn.decomposition import PCA

    few = photos.gallery.take(range(60))
    reduce = PCA(12, random_state=0).fit(cached_vgg.extract(few.images))

    class Reduced:
        """VGG-16's features in twelve numbers, so that planes and head don't fill the file."""

        def __init__(self):
            self.fingerprint, self.n_features = {"kind": "reduced"}, 12

        def extract(self, images):
            return reduce.transform(cached_vgg.extract(images)).astype(np.float32)

    extractor = Reduced()
    decider = SoftmaxHead.fit(extractor.extract(few.images), few.labels, few.class_names, extractor)
    built = Fashion16.build(few, decider, extractor, keep_features=True)
    path, whole, asked = tmp_path / "flipped.h5", built.library.to_bytes(), photos.queries.images[:3]

    def everything():
        library = Library(path)
        models = (kind(library, extractor, SoftmaxHead(library.decider_arrays(), library.class_names, extractor),
                       n_reranked=n) for kind in (Fashion16, DirectSearch) for n in (0, 30))
        return [[(answer.label, answer.hits) for answer in model.answers(asked)] for model in models]

    path.write_bytes(whole)
    expected, refused = everything(), 0
    places = np.linspace(0, 8 * len(whole) - 1, 1_500).astype(int)
    for place in places.tolist():
        path.write_bytes(whole[: place // 8] + bytes([whole[place // 8] ^ 1 << place % 8]) + whole[place // 8 + 1:])
        try:
            assert everything() == expected, place
        except (Fashion16Error, ValueError) as error:
            assert "flipped.h5" in str(error), place
            refused += 1
    assert refused > 700            # the rest lies in parts of chunks that hold nothing


HOLD = """
import sys
from pathlib import Path
from fashion16_lib.files import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other_writer(copied):
    """Return another process that holds the library for writing until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(copied)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_f16_a_second_writer_is_refused_and_may_write_when_the_first_is_done(
    copied, other_writer, model, cached_vgg, head, images, right
):
    with pytest.raises(Fashion16Error, match=r"library\.h5 is being written elsewhere; wait"):
        model.save(copied)
    assert answers(copied, cached_vgg, head, images) == right                   # readers aren't kept out
    other_writer.communicate("\n", timeout=20)
    model.save(copied)
    with only_writer(copied), only_writer(copied):                              # who has it may take it again
        model.save(copied)


def test_f16_a_killed_writer_holds_nothing(copied, other_writer, model):
    other_writer.kill()
    other_writer.wait()
    model.save(copied)


def test_f17_readers_while_the_file_is_replaced_see_the_old_or_the_new_one(copied, model, photos, cached_vgg, head,
                                                                         images):
    other = Fashion16.build(photos.gallery, head, cached_vgg, seed=1)
    known = {seed: built.answers(images) for seed, built in ((0, model), (1, other))}
    hits = {seed: [answer.hits for answer in each] for seed, each in known.items()}
    assert hits[0] != hits[1]
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            for built in (other, model):
                built.save(copied)
                written.append(built)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(30):
            opened = Fashion16.open(copied, extractor=cached_vgg, classifier=head)
            time.sleep(0.01)                                    # replaced between opening and reading
            assert [answer.hits for answer in opened.answers(images)] == hits[opened.library.settings["hash"]["seed"]]
    finally:
        stop.set()
        writer.join()
    assert len(written) > 10


def harmful(kind, file, folder):
    """Put something into a library file that isn't its own plain data."""
    if kind == "external link":
        h5py.File(folder / "other.h5", "w").create_dataset("codes", data=np.zeros((30, 8), np.uint8))
        del file["classes/0/codes"]
        file["classes/0/codes"] = h5py.ExternalLink("other.h5", "codes")
    elif kind == "soft link":
        del file["classes/0/codes"]
        file["classes/0/codes"] = h5py.SoftLink("/classes/1/codes")
    elif kind == "external storage":
        (folder / "raw").write_bytes(bytes(240))
        del file["classes/0/codes"]
        file.create_dataset("classes/0/codes", (30, 8), np.uint8, external=[(str(folder / "raw"), 0, 240)])
    elif kind == "virtual":
        with h5py.File(folder / "other.h5", "w") as other:
            other.create_dataset("codes", data=np.zeros((30, 8), np.uint8))
        layout = h5py.VirtualLayout((30, 8), np.uint8)
        layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "codes", (30, 8))
        del file["classes/0/codes"]
        file.create_virtual_dataset("classes/0/codes", layout)
    elif kind == "object references":
        file.create_dataset("images/more", data=np.array([file["classes"].ref] * 3, h5py.ref_dtype))
    elif kind == "variable length":
        file.create_dataset("images/more", data=["a", "bb"], dtype=h5py.string_dtype())
    elif kind == "another filter":
        codes = file["classes/0/codes"][:]
        del file["classes/0/codes"]
        file.create_dataset("classes/0/codes", data=codes, compression="lzf")
    elif kind == "named type":
        del file["hash/mean"]
        file["hash/mean"] = np.dtype("f4")
    elif kind == "no checksum":
        mean = file["hash/mean"][:]
        del file["hash/mean"]
        file.create_dataset("hash/mean", data=mean, chunks=mean.shape)
    elif kind == "something else":
        file.create_group("more")
    elif kind == "a group for an array":
        file["decider"].create_group("more")
    elif kind == "deflated planes":
        shape = file["hash/planes"].shape
        del file["hash/planes"]
        file.create_dataset("hash/planes", (2**40, shape[1]), np.float32, chunks=(64, shape[1]), fletcher32=True,
                            compression="gzip")
    elif kind == "deflated decider":
        file.create_dataset("decider/label", (2**40,), np.float32, chunks=(4096,), fletcher32=True, compression="gzip")
    elif kind == "terabytes":
        del file["classes/0/codes"], file["classes/0/rows"]
        file.create_dataset("classes/0/codes", (2**40, 8), np.uint8, chunks=(4096, 8), maxshape=(None, 8))
        file.create_dataset("classes/0/rows", (2**40,), np.uint32, chunks=(4096,))
    elif kind == "terabytes, deflated":
        del file["classes/0/rows"]
        file.create_dataset("classes/0/rows", (2**40,), np.uint32, chunks=(4096,), compression="gzip")
    elif kind == "one huge chunk":
        label = file["images/label"][:]
        del file["images/label"]
        file.create_dataset("images/label", data=label, chunks=(2**24,), maxshape=(None,), compression="gzip")
    elif kind == "terabytes of labels":
        del file["images/label"]
        file.create_dataset("images/label", (2**40,), np.int32, chunks=(4096,), compression="gzip")


@pytest.mark.parametrize("kind", [
    "external link", "soft link", "external storage", "virtual", "object references", "variable length",
    "another filter", "named type", "no checksum", "something else", "a group for an array",
])
def test_f18_what_leads_elsewhere_or_runs_filters_is_refused(copied, kind, tmp_path):
    with altered(copied) as file:
        harmful(kind, file, tmp_path)
    with pytest.raises(Fashion16Error, match="library refused: "):
        Library(copied)


@pytest.mark.parametrize("kind", ["terabytes", "terabytes, deflated", "terabytes of labels", "one huge chunk",
                                  "deflated planes", "deflated decider"])
def test_f19_a_shape_that_claims_terabytes_is_refused_at_once(copied, kind, tmp_path):
    with altered(copied) as file:
        harmful(kind, file, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = r"library\.h5: .*(claims|has shape|in chunks of at most 4096 rows|has filters of its own)"
    with pytest.raises(Fashion16Error, match=refused):
        Library(copied)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000         # KiB


@pytest.mark.parametrize("seal", [
    {"head_bytes": 10**15}, {"head_bytes": 10**25}, {"head_bytes": 0}, {"head_bytes": -1}, {"head_bytes": "1"},
    {"head_bytes": True}, {"sha256": None}, [], "x", None,
], ids=str)
def test_f19_a_seal_that_claims_what_cannot_be_is_refused(copied, seal):
    content = copied.read_bytes()
    if isinstance(seal, dict):
        seal = {**json.loads(content[:SEAL_BYTES]), **seal}
    copied.write_bytes(json.dumps(seal).encode().ljust(SEAL_BYTES) + content[SEAL_BYTES:])
    with pytest.raises(Fashion16Error, match=r"library\.h5 can't be read as a library"):
        Library(copied)


@pytest.mark.parametrize("number", [2**31, b"{}", b"[]", b'{"class_names": 3}', b'{"class_names": [[], {}]}'], ids=str)
def test_f19_settings_that_are_none_are_refused(copied, number):
    with altered(copied) as file:
        file.attrs["settings"] = number if isinstance(number, int) else np.bytes_(number)
    with pytest.raises(Fashion16Error, match=r"library\.h5"):
        Library(copied)


@pytest.mark.parametrize(("name", "change"), [
    ("classes/1/rows", lambda rows, others: others), ("classes/0/rows", lambda rows, others: rows[::-1]),
    ("classes/0/rows", lambda rows, others: rows + np.uint32(2**31)), ("images/label", lambda labels, _: labels + 99),
    ("images/label", lambda labels, _: labels - 99),
], ids=["rows of another class", "descending", "beyond the end", "labels too large", "labels too small"])
def test_f19_rows_and_labels_that_cannot_be_are_told(copied, cached_vgg, head, images, name, change):
    with altered(copied) as file:
        replace(file, name, change(file[name][:], file["classes/0/rows"][:]))
    with pytest.raises(Fashion16Error, match=r"library\.h5 is damaged: .*; build it again"):
        answers(copied, cached_vgg, head, images)


def test_f17_a_library_that_is_open_stays_the_one_it_was(copied, model, photos, cached_vgg, head):
    opened, was = Library(copied), copied.read_bytes()
    Fashion16.build(photos.gallery, head, cached_vgg, seed=1).save(copied)
    assert opened.to_bytes() == was != copied.read_bytes()


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
    settings = {**Library(copied).settings}
    with altered(copied) as file:
        settings[part] = {**settings[part], **change}
        file.attrs["settings"] = np.bytes_(canonical_json(settings).encode())
    with pytest.raises(Fashion16Error, match="was built with another") as caught:
        Fashion16.open(copied, extractor=cached_vgg, classifier=head)
    assert named in str(caught.value) and "build the library again" in str(caught.value)


def test_f20_another_schema_is_refused(copied):
    with altered(copied) as file:
        file.attrs["schema_version"] = 3
    with pytest.raises(Fashion16Error, match="library schema 3, this program reads 2; build it again"):
        Library(copied)


def replace(file, name, array):
    del file[name]
    file.create_dataset(name, data=array, chunks=array.shape, fletcher32=True)


def test_f20_planes_of_another_number_or_dimension_are_refused(copied, cached_vgg, head, images):
    with altered(copied) as file:
        planes = file["hash/planes"][:]
        replace(file, "hash/planes", planes[:32])
    with pytest.raises(Fashion16Error, match=r"codes of shape \(30, 8\) but planes of 32 bits; build it again"):
        Library(copied)
    with altered(copied) as file:
        replace(file, "hash/planes", planes[:, :512].copy())
        replace(file, "hash/mean", np.zeros(512, np.float32))
    model = Fashion16.open(copied, extractor=cached_vgg, classifier=head)
    with pytest.raises(ValueError, match="must have 512 columns, got 2048; use the extractor"):
        model.search(images[0])


def test_f20_a_head_of_another_dimension_is_refused(copied, cached_vgg):
    with altered(copied) as file:
        replace(file, "decider/weights", file["decider/weights"][:, :512])
    with pytest.raises(Fashion16Error, match=r"needs weights \(10, 2048\).*build the library again"):
        Fashion16.open(copied, extractor=cached_vgg)


def test_f20_a_library_that_lost_rows_is_refused(copied):
    with altered(copied) as file:
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
