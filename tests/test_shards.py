"""Shards against the one library of the same gallery; F58: shards of different settings are refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion16_lib.search.building import build_library, hash_and_sort, library_settings
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import write_library
from fashion16_lib.search.shards import SHARD, Shards, merge_nearest
from fashion16_lib.settings import Fashion16Error

BOUNDS = (0, 70, 71, 230, 300)


@pytest.fixture(scope="module")
def whole(photos, head, cached_vgg):
    return Library(build_library(photos.gallery, head, cached_vgg, RandomHyperplanes(64, 0), "predicted", True))


def shard_bytes(photos, head, cached_vgg, number, of=4, bounds=BOUNDS, seed=0, split_by="predicted", features=True):
    gallery, planes = photos.gallery.sorted_by_id(), RandomHyperplanes(64, seed)
    planes.fit(cached_vgg.extract(gallery.images))
    part = gallery.take(range(bounds[number], bounds[number + 1]))
    codes, stored_under, kept = hash_and_sort(
        [(slice(0, len(part)), cached_vgg.extract(part.images))], planes, part, part.labels, split_by, features, head,
        gallery.class_names)
    settings = {**library_settings(gallery, head, cached_vgg, planes, split_by), SHARD: [number, of]}
    return write_library(settings, planes, codes, stored_under, part.ids, part.labels, head.arrays, kept)


@pytest.fixture(scope="module")
def cut(photos, head, cached_vgg):
    return [Library(shard_bytes(photos, head, cached_vgg, number)) for number in range(4)]


def test_joined_shards_are_the_very_bytes_of_the_whole(cut, whole):
    assert Shards(cut).joined() == whole.to_bytes()


@pytest.mark.parametrize("k", [1, 20, 300])
def test_a_search_of_shards_is_that_of_the_whole_to_the_last_tie(cut, whole, query_features, k):
    codes, shards = whole.hasher.encode(query_features), Shards(cut)
    for number in (None, 0, 3):
        for found, expected in zip(shards.search(codes, k, number), whole.search(codes, k, number), strict=True):
            np.testing.assert_array_equal(found, expected)
    rows = whole.search(codes[:3], k)[0]
    assert [shards.ids(each) for each in rows] == [whole.ids(each) for each in rows]


@given(st.data())
def test_merging_finds_what_sorting_everything_finds(data):
    sizes = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    k, distances = data.draw(st.integers(1, 8)), [data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
                                                  for n in sizes]
    starts = np.cumsum([0, *sizes])
    found = []
    for of_shard in distances:
        order = np.argsort(of_shard, kind="stable")[:k].astype(np.int64)
        found.append((order[None], np.array(of_shard, np.int64)[order][None]))
    everything = np.concatenate([np.array(each, np.int64) for each in distances])
    expected = np.argsort(everything, kind="stable")[:k]
    rows, nearest = merge_nearest(found, starts, k)
    assert rows[0].tolist() == expected.tolist() and nearest[0].tolist() == everything[expected].tolist()


@pytest.mark.parametrize("change", [{"seed": 1}, {"split_by": "label"}])
def test_f58_shards_of_other_settings_are_refused_with_the_setting_named(photos, head, cached_vgg, cut, change):
    other = Library(shard_bytes(photos, head, cached_vgg, 1, **change))
    with pytest.raises(Fashion16Error, match="hash" if "seed" in change else "split_by"):
        Shards([cut[0], other, *cut[2:]])


def test_f58_a_shard_of_another_gallery_or_with_its_own_mean_is_refused(photos, head, cached_vgg, cut):
    other = dataclasses.replace(photos, gallery=photos.gallery.take(range(200)))
    with pytest.raises(Fashion16Error, match="dataset_sha256"):
        Shards([*cut[:3], Library(shard_bytes(other, head, cached_vgg, 3, bounds=(0, 1, 2, 150, 200)))])
    first = cut[1]
    moved = RandomHyperplanes(64, 0).fit(cached_vgg.extract(photos.gallery.images[:9]))
    own_mean = write_library(first.settings, moved, first.all_codes(), first.stored_under(), first.ids(),
                             first.labels(), first.decider_arrays(), first.features(np.arange(1)).astype(np.float16))
    with pytest.raises(Fashion16Error, match="another mean"):
        Shards([cut[0], Library(own_mean), *cut[2:]])


def test_f58_a_shard_that_is_missing_twice_there_or_out_of_order_is_refused(cut):
    for wrong in (cut[:3], [*cut[:2], cut[3]], [*cut[:3], cut[0]], [cut[1], cut[0], *cut[2:]]):
        with pytest.raises(Fashion16Error, match="each once, in the gallery's order"):
            Shards(wrong)
    with pytest.raises(Fashion16Error, match="got none"):
        Shards([])


def test_f58_shards_that_overlap_or_keep_features_differently_are_refused(photos, head, cached_vgg, cut):
    longer = Library(shard_bytes(photos, head, cached_vgg, 0, bounds=(0, 71)))
    with pytest.raises(Fashion16Error, match="follow each other by id"):
        Shards([longer, *cut[1:]])
    bare = Library(shard_bytes(photos, head, cached_vgg, 3, features=False))
    with pytest.raises(Fashion16Error, match="keeps features"):
        Shards([*cut[:3], bare])
