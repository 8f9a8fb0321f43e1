"""The whole search against brute force, FAISS and itself reopened."""

import faiss
import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from threadpoolctl import threadpool_info, threadpool_limits

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.angle_law import angles_and_differing_bits, share_of_bits
from fashion16_lib.evaluate.search_quality import (
    compare_readings,
    precision_by_plane_seed,
    search_all,
)
from fashion16_lib.search.buckets import Buckets
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.search.principal import Itq, PcaSign
from fashion16_lib.search.retrieval import DirectSearch, Fashion16
from fashion16_lib.search.threads import one_thread
from fashion16_lib.settings import Fashion16Error


def nearest_by_hand(query_code, codes, rows, k):
    """Compare with every row in a loop; sort by distance, then row."""
    distances = [
        sum(bin(a ^ b).count("1") for a, b in zip(query_code.tolist(), codes[row].tolist(), strict=True))
        for row in rows
    ]
    return sorted(zip(distances, rows, strict=True))[:k]


@pytest.fixture(scope="module")
def query_codes(model, query_features):
    return model.library.hasher.encode(query_features)


@pytest.fixture(scope="module")
def direct(library_path, cached_vgg, head):
    return DirectSearch.open(library_path, extractor=cached_vgg, classifier=head)


def as_pairs(model, hits):
    rows = {item: row for row, item in enumerate(model.library.ids())}
    return [(hit.distance, rows[hit.id]) for hit in hits]


def test_in_class_search_equals_brute_force_over_the_predicted_class(model, photos, head, query_features, query_codes):
    codes = model.library.all_codes()
    classes = head.predict_proba_of_features(query_features).argmax(axis=1)
    for query in range(40):
        items = [row for row, label in enumerate(photos.gallery.labels) if label == classes[query]]
        answer = model.answer(photos.queries.images[query])
        assert as_pairs(model, answer.hits) == nearest_by_hand(query_codes[query], codes, items, 20)
        assert answer.label == photos.gallery.class_names[classes[query]] and answer.mode == "in-class"


def test_direct_search_equals_brute_force_over_everything(direct, photos, query_codes):
    codes = direct.library.all_codes()
    for query in range(20):
        answer = direct.answer(photos.queries.images[query], 30)
        assert as_pairs(direct, answer.hits) == nearest_by_hand(query_codes[query], codes, list(range(len(codes))), 30)
        assert answer.mode == "direct"


def test_direct_search_equals_faiss_up_to_ties(direct, photos, query_codes):
    index = faiss.IndexBinaryFlat(64)
    index.add(direct.library.all_codes())
    theirs, _ = index.search(query_codes, 20)
    for image, code, distances in zip(photos.queries.images[:40], query_codes, theirs, strict=False):
        ours = as_pairs(direct, direct.search(image, 20))
        assert [distance for distance, _ in ours] == distances.tolist()
        _, within, rows = index.range_search(code[None], int(distances[-1]) + 1)  # with every tie at the end
        theirs_in_order = sorted(zip(within.astype(int).tolist(), rows.tolist(), strict=True))
        assert ours == theirs_in_order[:20]


def test_hits_carry_true_class_and_similarity(model, photos, gallery_features, query_features):
    hasher = RandomHyperplanes(64, seed=0).fit(gallery_features)
    bits = np.unpackbits(hasher.encode(gallery_features), axis=1)
    asked = np.unpackbits(hasher.encode(query_features[:1]), axis=1)[0]
    for hit in model.search(photos.queries.images[0], 20):
        row = photos.gallery.ids.index(hit.id)
        assert hit.label == photos.gallery.class_names[photos.gallery.labels[row]]
        assert hit.similarity == pytest.approx(np.mean(bits[row] == asked))


def test_an_image_of_the_library_finds_itself_first(model, direct, photos):
    for row in range(0, 300, 60):
        hits = direct.search(photos.gallery.images[row], 5)
        same_code = [hit.id for hit in hits if hit.distance == 0]
        assert hits[0].distance == 0 and photos.gallery.ids[row] in same_code


@pytest.mark.parametrize("buckets", [Buckets(1, 8, 8), Buckets(4, 4, 4)], ids=["one table", "four tables"])
def test_reading_c_with_full_radius_equals_the_scan(library_path, cached_vgg, head, photos, buckets):
    for kind in (Fashion16, DirectSearch):
        scan = kind.open(library_path, extractor=cached_vgg, classifier=head)
        probing = kind.open(library_path, extractor=cached_vgg, classifier=head, buckets=buckets)
        for image in photos.queries.images[:10]:
            assert probing.search(image) == scan.search(image)


@pytest.mark.parametrize(
    "buckets", [Buckets(1, 8), Buckets(4, 8), Buckets(4, 8, 1)], ids=["b", "c: tables", "c: probes"]
)
def test_readings_b_and_c_give_the_scans_order_among_the_codes_they_look_at(
    direct, library_path, cached_vgg, photos, buckets, query_codes
):
    probing = DirectSearch.open(library_path, extractor=cached_vgg, buckets=buckets)
    codes = direct.library.all_codes()
    keys, asked = buckets.keys(codes), buckets.keys(query_codes)
    for query in range(20):
        differing = np.bitwise_count(keys ^ asked[query])
        places = np.flatnonzero((differing <= buckets.probe_radius).any(axis=1)).tolist()
        assert as_pairs(probing, probing.search(photos.queries.images[query])) == nearest_by_hand(
            query_codes[query], codes, places, 20
        )


def test_reopened_library_answers_as_the_built_one(model, library_path, photos, vgg):
    """Everything is rebuilt from the file alone: VGG-16, planes, softmax head."""
    reopened = Fashion16.open(library_path)
    assert reopened.extractor is not vgg and reopened.classifier.fingerprint == model.classifier.fingerprint
    for image in photos.queries.images[:5]:
        again, before = reopened.answer(image), model.answer(image)
        assert again.hits == before.hits and again.label == before.label
        assert again.probabilities == pytest.approx(before.probabilities, abs=1e-5)


def test_split_by_predicted_stores_items_under_the_predicted_class(photos, table1, cached_vgg):
    """An untidy decider, so that the two splits differ; the hits still carry the true class."""
    gallery = photos.gallery
    built = Fashion16.build(gallery, table1, cached_vgg, split_by="predicted")
    predicted = table1.predict_proba(gallery.images).argmax(axis=1)
    assert (predicted != gallery.labels).any()
    for number in range(10):
        assert built.library.class_codes(number)[1].tolist() == np.flatnonzero(predicted == number).tolist()
    np.testing.assert_array_equal(built.library.labels(np.arange(len(gallery))), gallery.labels)


def test_table_1_library_needs_its_classifier(photos, table1, cached_vgg, tmp_path):
    Fashion16.build(photos.gallery, table1, cached_vgg).save(tmp_path / "table-1.h5")
    with pytest.raises(
        Fashion16Error, match=r"table-1 classifier, which the file doesn't hold; pass it as classifier="
    ):
        Fashion16.open(tmp_path / "table-1.h5", extractor=cached_vgg)
    model = Fashion16.open(tmp_path / "table-1.h5", extractor=cached_vgg, classifier=table1)
    image = photos.queries.images[0]
    best = table1.predict_proba(image[None])[0].argmax()
    assert model.answer(image).label == photos.gallery.class_names[best]
    unclassified = DirectSearch.open(tmp_path / "table-1.h5", extractor=cached_vgg).answer(image)
    assert unclassified.label is None and unclassified.probabilities == {} and len(unclassified.hits) == 20


def test_class_order_of_the_classifier_may_differ_from_the_gallerys(photos, head, cached_vgg, model):
    """Classes go by name: a classifier that lists them backwards gives the same answers."""
    from fashion16_lib.models.softmax_head import SoftmaxHead

    arrays = {name: array[::-1].copy() for name, array in head.arrays.items()}
    backwards = SoftmaxHead(arrays, head.class_names[::-1], cached_vgg)
    built = Fashion16.build(photos.gallery, backwards, cached_vgg)
    for image in photos.queries.images[:10]:
        ours, theirs = built.answer(image), model.answer(image)
        assert ours.label == theirs.label and ours.hits == theirs.hits
        assert ours.probabilities == pytest.approx(theirs.probabilities)
    split = Fashion16.build(photos.gallery, backwards, cached_vgg, split_by="predicted").library
    straight = Fashion16.build(photos.gallery, head, cached_vgg, split_by="predicted").library
    assert split.counts == straight.counts


def test_answer_has_probabilities_and_the_time_of_each_stage(model, photos, head):
    image = photos.queries.images[3]
    answer = model.answer(image, 1)
    expected = dict(zip(head.class_names, head.predict_proba(image[None])[0], strict=True))
    assert answer.probabilities == pytest.approx(expected, abs=1e-6)
    assert list(answer.time_ms) == ["extract", "classify", "hash", "search", "read_result"]
    assert all(time >= 0 for time in answer.time_ms.values()) and len(answer.hits) == 1


def test_k_counts_up_to_the_library_and_a_class_gives_what_it_has(model, direct, photos):
    image = photos.queries.images[0]
    assert len(direct.search(image, 300)) == len({hit.id for hit in direct.search(image, 300)}) == 300
    assert len(model.search(image, 300)) == 30  # all of one class
    assert model.search(image, 7) == model.search(image, 300)[:7]


def test_a_batch_is_answered_as_its_queries_are_alone(model, direct, photos):
    images = photos.queries.images[:12]
    for searched in (model, direct):
        for together, image in zip(searched.answers(images, 7), images, strict=True):
            alone = searched.answer(image, 7)
            assert (together.label, together.hits) == (alone.label, alone.hits)
            assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert len({answer.label for answer in searched.answers(images)}) > 3
    assert model.answers(images[:0]) == []


def test_engines_give_the_same_answers(library_path, cached_vgg, head, photos):
    for kind in (Fashion16, DirectSearch):
        numpy_, faiss_ = (kind.open(library_path, extractor=cached_vgg, classifier=head, engine=name)
                          for name in ("numpy", "faiss"))
        assert numpy_.answers(photos.queries.images, 50) == faiss_.answers(photos.queries.images, 50)


@pytest.mark.parametrize("kind", [Fashion16, DirectSearch])
def test_reranked_hits_are_those_of_exact_cosine_among_the_first(kind, photos, head, cached_vgg, gallery_features,
                                                                query_features, tmp_path):
    built = Fashion16.build(photos.gallery, head, cached_vgg, keep_features=True)
    built.save(tmp_path / "kept.h5")
    options = {"extractor": cached_vgg, "classifier": head}
    plain, reranked = (kind.open(tmp_path / "kept.h5", **options, n_reranked=n) for n in (0, 60))
    place = {item: row for row, item in enumerate(photos.gallery.ids)}
    cosine = cosine_similarity(query_features, gallery_features.astype(np.float16))
    for query, image in enumerate(photos.queries.images[:15]):
        first = [place[hit.id] for hit in plain.search(image, 60)]
        wanted = sorted(first, key=lambda row: -cosine[query, row])[:20]
        hits = reranked.search(image)
        assert [place[hit.id] for hit in hits] == wanted
        assert [hit.similarity for hit in hits] == pytest.approx(cosine[query, wanted], abs=1e-5)
    everything = kind.open(tmp_path / "kept.h5", **options, n_reranked=300).search(photos.queries.images[0], 1)[0]
    assert everything.similarity >= reranked.search(photos.queries.images[0], 1)[0].similarity
    with pytest.raises(Fashion16Error, match="keeps no features"):
        DirectSearch(Fashion16.build(photos.gallery, head, cached_vgg).library, cached_vgg, head, n_reranked=5)


def test_features_too_large_for_float16_are_refused(photos, head):
    class Loud:
        def __init__(self):
            self.fingerprint = {"kind": "loud"}

        def extract(self, images):
            return np.full((len(images), 2048), 1e5, np.float32) + np.arange(len(images))[:, None]

    with pytest.raises(ValueError, match="must fit into float16"), np.errstate(over="ignore"):
        Fashion16.build(photos.gallery, head, Loud(), keep_features=True)


@pytest.mark.parametrize("hash", ["pca-sign", "itq"])
def test_fitted_planes_are_those_of_the_gallery_and_survive_the_file(hash, photos, head, cached_vgg, gallery_features,
                                                                    query_features, tmp_path):
    built = Fashion16.build(photos.gallery, head, cached_vgg, hash=hash, n_bits=32)
    built.save(tmp_path / "fitted.h5")
    reopened = Fashion16.open(tmp_path / "fitted.h5", extractor=cached_vgg, classifier=head)
    fitted = (PcaSign if hash == "pca-sign" else Itq)(32, 0).fit(gallery_features)
    for library in (built.library, reopened.library):
        np.testing.assert_array_equal(library.all_codes(), fitted.encode(gallery_features))
        np.testing.assert_array_equal(library.hasher.encode(query_features), fitted.encode(query_features))
    assert reopened.library.settings["hash"]["kind"] == hash


def test_items_are_added_extracting_only_them(photos, head, vgg, cached_vgg):
    class Counting:
        def __init__(self):
            self.fingerprint, self.n_features, self.n = vgg.fingerprint, vgg.n_features, 0

        def extract(self, images):
            self.n += len(images)
            return cached_vgg.extract(images)

    part, rest = photos.gallery.take(range(200)), photos.gallery.take(range(200, 300))
    for split_by in ("label", "predicted"):
        counting = Counting()
        built = Fashion16.build(part, head, counting, split_by=split_by)
        assert counting.n == 200
        longer = built.with_items(rest)
        assert counting.n == 300 and longer.library.n_items == 300
        whole = DirectSearch(longer.library, cached_vgg)
        codes = longer.library.hasher.encode(cached_vgg.extract(photos.gallery.images))
        np.testing.assert_array_equal(longer.library.all_codes(), codes)
        assert whole.search(rest.images[5], 1)[0].distance == 0
        back = longer.without_items(rest.ids)
        assert back.answers(photos.queries.images[:5]) == built.answers(photos.queries.images[:5])
    foreign = Dataset("x", rest.images, rest.labels, (*rest.class_names[:9], "Hat"), [f"x/{i}" for i in rest.ids])
    with pytest.raises(ValueError, match="got Hat; build it again with them"):
        built.with_items(foreign)


@pytest.mark.parametrize("options", [{"split_by": "colour"}, {"n_bits": 12}, {"hash": "md5"},
                                     {"hash": "itq", "n_bits": 12}], ids=str)
def test_illegal_options_are_refused(photos, head, cached_vgg, options):
    with pytest.raises(ValueError, match=r"must be .*got"):
        Fashion16.build(photos.gallery, head, cached_vgg, **options)


def test_gallery_class_unknown_to_the_classifier_is_refused(photos, head, cached_vgg):
    gallery = photos.gallery
    foreign = Dataset("x", gallery.images, gallery.labels, (*gallery.class_names[:9], "Hat"), gallery.ids)
    with pytest.raises(Fashion16Error, match="the gallery also has Hat; train a classifier"):
        Fashion16.build(foreign, head, cached_vgg)


# ---------------------------------------------------------------- what the experiments compute from it


def test_search_all_agrees_with_searching_one_by_one(model, direct, photos, query_features):
    table = search_all(model, photos.queries, query_features, k=5)
    for row in range(25):
        image, label = photos.queries.images[row], photos.queries.class_names[photos.queries.labels[row]]
        answer = model.answer(image, 5)
        assert model.library.class_names[table["predicted"][row]] == answer.label
        assert table["right"][row] == (answer.label == label)
        assert table["in_class"][row] == pytest.approx(np.mean([hit.label == label for hit in answer.hits]))
        hits = direct.search(image, 6)
        assert table["tie_at_k"][row] == (hits[4].distance == hits[5].distance)
        if not table["tie_at_k"][row]:
            assert table["direct"][row] == pytest.approx(np.mean([hit.label == label for hit in hits[:5]]))


def test_readings_compared(model, query_codes, photos):
    codes, asked = model.library.all_codes(), query_codes
    readings = {"a": None, "b": Buckets(1, 8), "c": Buckets(1, 8, 1), "full": Buckets(1, 8, 8)}
    table = compare_readings(model.library, asked, photos.queries.labels, readings).set_index("name")
    same_key = np.mean(Buckets(1, 8).keys(asked) == Buckets(1, 8).keys(codes).T)
    assert table.loc["b", "looked_at"] == pytest.approx(same_key)
    assert table.loc["a", "looked_at"] == table.loc["full", "looked_at"] == 1
    assert table.loc["a", "recall"] == table.loc["full", "recall"] == 1
    assert table.loc["a", "precision"] == table.loc["full", "precision"]
    assert table.loc["b", "recall"] < table.loc["c", "recall"] < 1
    in_hand = [
        [photos.gallery.labels[row] for _, row in nearest_by_hand(code, codes, list(range(300)), 20)]
        for code in asked[:100]
    ]
    by_hand = np.mean(
        [np.mean(np.array(labels) == label) for labels, label in zip(in_hand, photos.queries.labels, strict=True)]
    )
    assert table.loc["a", "precision"] == pytest.approx(by_hand)


def test_precision_by_plane_seed_depends_on_the_seed_only(gallery_features, query_features, photos):
    gallery, queries = (gallery_features, photos.gallery.labels), (query_features, photos.queries.labels)
    table = precision_by_plane_seed(gallery, queries, 16, [0, 1, 0])
    assert table.iloc[0].equals(table.iloc[2]) and not table.iloc[0].equals(table.iloc[1])
    assert (table[["centred", "uncentred"]] > 0.15).all(axis=None)  # chance is 0.1


def test_share_of_differing_bits_estimates_the_angle(gallery_features):
    hasher = RandomHyperplanes(4096).fit(gallery_features)
    angles, differing = angles_and_differing_bits(gallery_features, hasher, n_pairs=200, seed=0)
    differing = share_of_bits(differing)
    deviation = np.sqrt(0.25 / 4096)
    assert len(angles) == 200 and np.abs(differing - angles).max() < 5 * deviation


@pytest.mark.parametrize("n", [-5, 2.0, "5", True, None], ids=repr)
def test_a_wrong_number_to_rerank_is_refused(model, n):
    with pytest.raises(ValueError, match="n_reranked must be a whole number from 0, got"):
        DirectSearch(model.library, model.extractor, n_reranked=n)


def test_the_chosen_engine_stays_when_items_go(library_path, cached_vgg, head):
    slow = DirectSearch.open(library_path, extractor=cached_vgg, classifier=head, engine="numpy")
    assert slow.without_items(slow.library.ids()[:3]).library.engine == "numpy"


def test_one_thread_lasts_until_the_last_has_left():
    """Two searches that overlap: whoever leaves first, the limit holds for the other and is lifted after both."""
    def blas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        before = blas()
        first = one_thread.__enter__()
        one_thread.__enter__()
        assert blas() == {1} and first is None
        one_thread.__exit__()
        assert blas() == {1}
        one_thread.__exit__()
        assert blas() == before == {2}
