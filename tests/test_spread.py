"""Workers against one process; F57: a worker killed mid-job is made up for, and the bytes are the same."""

import os
import pickle
import shutil
import time

import numpy as np
import pytest

from fashion16_lib.data.dataset import load_dataset
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.models.vgg16 import Vgg16Extractor, _built_once
from fashion16_lib.search.hyperplanes import RandomHyperplanes, add_rows
from fashion16_lib.search.library import Library
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.search.shards import Shards
from fashion16_lib.search.spread import build_shards, lose_a_worker, search_shards, workers
from fashion16_lib.settings import Fashion16Error

LAYER, PIXELS = "block4_pool", 32


@pytest.fixture(scope="module")
def one_thread():
    return Vgg16Extractor(LAYER, PIXELS, "onnxruntime", n_threads=1)


@pytest.fixture(scope="module")
def alone(photos, head, one_thread):
    return Fashion16.build(photos.gallery, head, one_thread, split_by="predicted")


@pytest.fixture(scope="module")
def two_workers():
    with workers(2) as client:
        yield client


def joined(paths):
    return Shards([Library(path) for path in paths]).joined()


def test_workers_build_the_very_bytes_of_one_process(two_workers, photos, head, one_thread, alone, tmp_path):
    for rows_a_shard in (70, 300, 1000):                        # the last shard smaller, one shard, more than there are
        paths = build_shards(two_workers, photos.gallery, head, one_thread, tmp_path / str(rows_a_shard),
                             split_by="predicted", rows_a_shard=rows_a_shard)
        assert len(paths) == -(-300 // rows_a_shard)
        assert joined(paths) == alone.library.to_bytes()


def test_a_worker_builds_one_vgg16_also_where_the_decider_has_its_own(photos, head, one_thread, tmp_path):
    own = SoftmaxHead(head.arrays, head.class_names, Vgg16Extractor(LAYER, PIXELS, "onnxruntime"))
    with workers(1) as client:
        build_shards(client, photos.gallery, own, one_thread, tmp_path, split_by="predicted", rows_a_shard=150)
        assert list(client.run(lambda: _built_once.cache_info().currsize).values()) == [1]


def test_shards_that_are_there_are_kept_and_damaged_ones_built_again(
    two_workers, photos, head, one_thread, alone, tmp_path
):
    def build():
        return build_shards(two_workers, photos.gallery, head, one_thread, tmp_path, split_by="predicted",
                            rows_a_shard=100)

    paths = build()
    before = [path.stat().st_mtime_ns for path in paths]
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])      # a bit of its data
    paths[2].unlink()
    (tmp_path / ".00002-of-00003.h5.x.partial").touch()         # what a killed run leaves
    (tmp_path / "00000-of-00009.h5").touch()
    assert build() == paths and sorted(tmp_path.iterdir()) == paths
    after = [path.stat().st_mtime_ns for path in paths]
    assert after[0] == before[0] and after[1] != before[1] and joined(paths) == alone.library.to_bytes()
    build_shards(two_workers, photos.gallery, head, one_thread, tmp_path, n_bits=32, rows_a_shard=100)
    assert Library(paths[0]).n_bits == 32                       # other settings: nothing is kept


def test_f57_a_worker_killed_mid_job_is_made_up_for(photos, head, one_thread, alone, tmp_path):
    with workers(2) as client:
        before = set(client.run(os.getpid).values())
        killer = lose_a_worker(client)
        time.sleep(0.2)
        assert killer.is_alive()                                # it waits until there is something to lose
        paths = build_shards(client, photos.gallery, head, one_thread, tmp_path, split_by="predicted", rows_a_shard=10)
        killer.join(timeout=60)
        assert not killer.is_alive() and len(before - set(client.run(os.getpid).values())) == 1
    assert joined(paths) == alone.library.to_bytes()


def test_workers_search_shards_as_one_library(two_workers, photos, head, one_thread, alone, tmp_path):
    paths = build_shards(two_workers, photos.gallery, head, one_thread, tmp_path, split_by="predicted",
                         rows_a_shard=64)
    codes = alone.library.hasher.encode(one_thread.extract(photos.queries.images[:20]))
    for number in (None, 2):
        for found, expected in zip(search_shards(two_workers, paths, codes, 20, number),
                                   alone.library.search(codes, 20, number), strict=True):
            np.testing.assert_array_equal(found, expected)
    for wrong in (paths[:-1], [*paths[:-1], paths[0]], []):
        with pytest.raises(Fashion16Error, match="shards"):
            search_shards(two_workers, wrong, codes, 20)


def test_a_running_cluster_is_joined_by_its_address_and_left_running(photos, head, one_thread, alone, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        with workers(address=cluster.scheduler_address) as client:
            paths = build_shards(client, photos.gallery, head, one_thread, tmp_path, split_by="predicted",
                                 rows_a_shard=150)
        assert len(cluster.scheduler_info["workers"]) == 1
    assert joined(paths) == alone.library.to_bytes()


def test_what_cannot_be_spread_is_refused_before_anything_runs(two_workers, photos, head, table1, one_thread, tmp_path):
    for error, options, words in ((Fashion16Error, {"classifier": table1, "split_by": "predicted"}, "softmax head"),
                                  (ValueError, {"rows_a_shard": 0}, "from 1, got 0"),
                                  (ValueError, {"n_bits": 7}, "multiple of 8"),
                                  (ValueError, {"gallery": photos.gallery.take([])}, "at least one image")):
        given = {"gallery": photos.gallery, "classifier": head, "extractor": one_thread, "folder": tmp_path, **options}
        with pytest.raises(error, match=words):
            build_shards(two_workers, **given)
    assert not list(tmp_path.glob("*.h5"))


def test_workers_listen_on_this_computer_alone_and_want_their_keys(two_workers):
    import psutil
    from distributed import Client, Security

    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {each.laddr.ip for process in processes for each in process.net_connections("tcp")
                 if each.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    address = two_workers.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    with pytest.raises(OSError):
        Client(address, security=Security.temporary(), timeout="3s")           # other keys


def test_an_address_elsewhere_without_tls_is_refused():
    with pytest.raises(Fashion16Error, match="must begin with tls://"), workers(address="tcp://192.0.2.7:8786"):
        pass


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_peoples_own_pictures_are_read_by_the_workers(two_workers, closet, one_thread, tmp_path, zipped):
    path = shutil.make_archive(str(tmp_path / "mine"), "zip", closet) if zipped else closet
    gallery = load_dataset("class-folder", "smoke", path=path).gallery
    head = SoftmaxHead.fit_images(gallery, one_thread)
    expected = Fashion16.build(gallery, head, one_thread, n_bits=32)
    paths = build_shards(two_workers, gallery, head, one_thread, tmp_path / "shards", n_bits=32, rows_a_shard=32)
    assert joined(paths) == expected.library.to_bytes()


def test_an_extractor_travels_as_settings_and_is_built_once(one_thread):
    message = pickle.dumps(one_thread)
    first, second = pickle.loads(message), pickle.loads(message)
    assert len(message) < 1000 and first is second and first.fingerprint == one_thread.fingerprint


def test_threads_of_keras_are_not_set_here():
    with pytest.raises(ValueError, match="ONNX Runtime's"):
        Vgg16Extractor(LAYER, PIXELS, "keras", n_threads=1)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_features_are_the_same_to_the_last_bit_in_any_company(photos, one_thread, n_threads):
    images = photos.gallery.images[:80]
    expected = one_thread.extract(images)
    other = Vgg16Extractor(LAYER, PIXELS, "onnxruntime", n_threads=n_threads)
    np.testing.assert_allclose(other.extract(images), expected, rtol=1e-4, atol=1e-3)
    if n_threads == 1:
        np.testing.assert_array_equal(np.vstack([other.extract(images[:64]), other.extract(images[64:])]), expected)


def test_a_mean_has_the_same_bytes_however_the_rows_are_cut(gallery_features):
    whole = RandomHyperplanes(8).fit(gallery_features)
    cut = RandomHyperplanes(8).fit_batches([gallery_features[:7], gallery_features[7:123], gallery_features[123:]])
    assert whole.mean.tobytes() == cut.mean.tobytes()
    np.testing.assert_allclose(whole.mean, gallery_features.mean(axis=0, dtype=np.float64), rtol=1e-6)
    before = np.ones(gallery_features.shape[1])
    add_rows(before, gallery_features)
    assert (before == 1).all()                                  # what came is never changed
