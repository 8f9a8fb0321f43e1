"""The learned distance: its losses by hand, what it learns, and that it comes back from its file as it was."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.evaluate.item_recall import feature_distances, places
from fashion16_lib.models.embedding import Embedding, EmbeddingExtractor, of_length_1
from fashion16_lib.models.siamese import LOSSES, MARGINS, NEGATIVES, learn_distance, seen_from_both_sides, table_loss
from fashion16_lib.settings import Fashion16Error

N_FEATURES = 40


def two_sides(items: range, seed: int = 0):
    """Return street and shop features: 10 numbers tell the garment, the street adds noise in 30 others."""
    rng = np.random.default_rng(seed)
    own = np.stack([np.random.default_rng([7, item]).normal(size=10) for item in items])
    sides = []
    for nuisance, copies in ((3.0, 3), (0.1, 1)):
        garments = [f"{item}" for _ in range(copies) for item in items]
        told = np.tile(own, (copies, 1)) + 0.05 * rng.normal(size=(copies * len(own), 10))
        sides.append((np.hstack([told, nuisance * rng.normal(size=(len(told), 30))]).astype(np.float32), garments))
    return tuple(sides)


def top_1(street, shop, embed=lambda x: x, metric="cosine") -> float:
    def photos(side):
        n = len(side[1])
        return Dataset("x", np.zeros((n, 8, 8, 3), np.uint8), np.zeros(n, int), ("x",), [str(i) for i in range(n)],
                       groups=tuple(side[1]))

    distances = feature_distances(metric, embed(street[0]), embed(shop[0]))
    return places(distances, photos(street), photos(shop)).found_within(1).mean()


@pytest.fixture(scope="module")
def seen():
    return seen_from_both_sides(*two_sides(range(200)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("negatives", NEGATIVES)
def test_it_sees_through_the_street_on_garments_never_seen(seen, loss, negatives):
    street, shop = two_sides(range(1000, 1080), seed=5)
    before = top_1(street, shop)
    learned = learn_distance(seen, loss, negatives, seed=0, n_steps=400)
    assert top_1(street, shop, learned.embed, "L2") > before + 0.15 > 0.5


def test_shuffled_garments_teach_nothing():
    street, shop = two_sides(range(200))
    shuffled = street[0], list(np.random.default_rng(0).permutation(street[1]))
    learned = learn_distance(seen_from_both_sides(shuffled, shop), "contrastive", "hardest", n_steps=150)
    new = two_sides(range(1000, 1080), seed=5)
    assert top_1(*new, learned.embed, "L2") < top_1(*new) + 0.05


def test_the_seed_decides(seen):
    first, again, other = (learn_distance(seen, "log", "all", seed=seed, n_steps=5) for seed in (1, 1, 2))
    assert first.sha256 == again.sha256 != other.sha256


def by_hand(loss: str, negatives: str, table: np.ndarray) -> np.ndarray:
    n, own = len(table), np.diag(table)
    if loss == "log":
        p = 1 / (1 + np.exp(-table))
        of_right, of_wrong, nearness = -np.log(np.diag(p)), -np.log(1 - p), table
    elif loss == "contrastive":
        of_right, of_wrong, nearness = own**2, np.maximum(0, MARGINS[loss] - table) ** 2, -table
    else:
        of_right, of_wrong, nearness = 0 * own, np.maximum(0, own[:, None] - table + MARGINS[loss]), -table
    wrong = [[column for column in range(n) if column != row] for row in range(n)]
    if negatives == "all":
        return of_right + [of_wrong[row, columns].mean() for row, columns in enumerate(wrong)]
    hardest = [max(columns, key=lambda column: nearness[row, column]) for row, columns in enumerate(wrong)]
    return of_right + of_wrong[np.arange(n), hardest]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("negatives", NEGATIVES)
def test_the_loss_of_a_table_is_the_formula(loss, negatives):
    table = np.random.default_rng(3).uniform(0, 2, (7, 7)).astype(np.float32)
    found = np.asarray(table_loss(loss, negatives)(np.eye(7, dtype=np.float32), table))
    np.testing.assert_allclose(found, by_hand(loss, negatives, table), rtol=1e-4)


def test_wrong_settings_and_too_few_garments_are_named(seen):
    with pytest.raises(ValueError, match=r"loss must be one of log, contrastive, triplet.*got 'hinge' and 'all'"):
        learn_distance(seen, "hinge")
    with pytest.raises(ValueError, match="negatives one of all, hardest"):
        learn_distance(seen, "log", "some")
    street, shop = two_sides(range(3))
    with pytest.raises(ValueError, match="at least two garments seen from both sides, got 1"):
        seen_from_both_sides((street[0], ["0"] * len(street[1])), shop)


def test_only_garments_of_both_sides_are_learned_from():
    street, shop = two_sides(range(20))
    some = seen_from_both_sides(street, (shop[0][:5], shop[1][:5]))
    assert [list(of) for of in some.rows] == [sorted(shop[1][:5])] * 2


def test_each_row_of_inputs_knows_its_garment():
    street, shop = two_sides(range(20))
    sides = street, (shop[0][:5], shop[1][:5])
    for found, (_, garments) in zip(seen_from_both_sides(*sides).items, sides, strict=True):
        assert found.tolist() == [item if int(item) < 5 else "" for item in garments]


# ---------------------------------------------------------------- the arrays

@pytest.fixture(scope="module")
def embedding(seen) -> Embedding:
    return learn_distance(seen, "triplet", "hardest", n_steps=20)


def test_points_have_length_1_and_don_t_depend_on_company_or_light(embedding):
    features = two_sides(range(2000))[1][0]
    points = embedding.embed(features)
    assert points.shape == (2000, embedding.n_features) and points.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(embedding.embed(features[1500:1501])[0], points[1500])
    np.testing.assert_allclose(embedding.embed(3 * features), points, atol=1e-5)
    np.testing.assert_array_equal(of_length_1(np.zeros((1, 3))), 0)


def test_it_comes_back_from_its_file(embedding, tmp_path):
    embedding.save(tmp_path / "a" / "embedding.h5", "abc")
    again = Embedding.open(tmp_path / "a" / "embedding.h5", "abc")
    assert again.sha256 == embedding.sha256


def test_one_that_may_know_the_answers_is_refused(embedding, tmp_path):
    embedding.save(tmp_path / "embedding.h5", "abc")
    with pytest.raises(Fashion16Error, match=r"was learned from other photos.*run its notebook with the same SEED"):
        Embedding.open(tmp_path / "embedding.h5", "xyz")


@pytest.mark.parametrize("harm", ["missing", "flipped", "text", "short"])
def test_a_damaged_file_is_named(embedding, tmp_path, harm):
    path = tmp_path / "embedding.h5"
    embedding.save(path, "abc")
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "flipped":
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    else:
        path.write_bytes(b"no HDF5" if harm == "text" else content[: len(content) // 2])
    with pytest.raises(Fashion16Error, match=r"\.h5: got no embedding that can be read.*run its notebook again"):
        Embedding.open(path, "abc")


def test_arrays_that_don_t_fit_together_are_refused(embedding):
    with pytest.raises(Fashion16Error, match="two layers that fit together"):
        Embedding({**embedding.arrays, "second_bias": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match=r"features must be \(n, 40\) finite numbers, got shape \(2, 5\)"):
        embedding.embed(np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match="finite"):
        embedding.embed(np.full((1, N_FEATURES), np.nan, np.float32))


def test_as_an_extractor(embedding):
    class Source:
        n_features, fingerprint = N_FEATURES, {"kind": "numbers"}

        def extract(self, images):
            return np.asarray(images, np.float32).reshape(len(images), -1)[:, :N_FEATURES]

    images = np.random.default_rng(0).random((3, 8, 8))
    extractor = EmbeddingExtractor(Source(), embedding)
    np.testing.assert_array_equal(extractor.extract(images), embedding.embed(Source().extract(images)))
    assert extractor.n_features == embedding.n_features
    assert extractor.fingerprint == {"kind": "embedding", "sha256": embedding.sha256, "source": {"kind": "numbers"}}


# ---------------------------------------------------------------- without a hidden layer

def one_layer() -> Embedding:
    rng = np.random.default_rng(4)
    return Embedding({"first": rng.normal(size=(6, 3)), "first_bias": rng.normal(size=3)})


def test_one_layer_alone_is_a_line_brought_to_length_1(tmp_path):
    embedding, features = one_layer(), np.random.default_rng(5).normal(size=(9, 6)).astype(np.float32)
    weights, bias = embedding.arrays["first"].astype(float), embedding.arrays["first_bias"].astype(float)
    for point, x in zip(embedding.embed(features), features.astype(float), strict=True):
        z = weights.T @ (x / np.sqrt((x**2).sum())) + bias
        np.testing.assert_allclose(point, z / np.sqrt((z**2).sum()), atol=1e-6)
    assert embedding.n_features == 3
    embedding.save(tmp_path / "embedding.h5", "abc")
    again = Embedding.open(tmp_path / "embedding.h5", "abc")
    assert list(again.arrays) == ["first", "first_bias"] and again.sha256 == embedding.sha256
    np.testing.assert_array_equal(again.embed(features), embedding.embed(features))


@pytest.mark.parametrize("arrays", [
    {}, {"first": (6, 3)}, {"first_bias": (3,)}, {"first": (6, 3), "second": (3, 2)},
    {"second": (6, 3), "second_bias": (3,)},
    {"first": (6, 3), "first_bias": (2,)}, {"first": (6,), "first_bias": ()}, {"first": (6, 3), "first_bias": (3, 1)},
    {"first": (6, 3), "first_bias": (3,), "second": (3, 2)},
    {"first": (6, 3), "first_bias": (3,), "second": (4, 2), "second_bias": (2,)},
    {"first": (6, 3), "first_bias": (3,), "third": (3, 2)},
])
def test_arrays_that_are_neither_one_layer_nor_two_are_refused(arrays):
    with pytest.raises(Fashion16Error, match="two layers that fit together, or the first alone, got"):
        Embedding({name: np.zeros(shape, np.float32) for name, shape in arrays.items()})
