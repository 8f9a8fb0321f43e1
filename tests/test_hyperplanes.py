"""Random hyperplanes: each bit by hand, the rate of equal bits by theory, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion16_lib.search.hyperplanes import CHUNK_ROWS, Hyperplanes, RandomHyperplanes


def codes_by_hand(features, planes, mean):
    """Hash with a loop over vectors and one over planes; bits are written as text."""
    codes = []
    for vector in features:
        bits = "".join(
            "1"
            if sum((float(x) - float(m)) * float(w) for x, m, w in zip(vector, mean, plane, strict=True)) >= 0
            else "0"
            for plane in planes
        )
        codes.append([int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)])
    return np.array(codes, np.uint8)


@pytest.mark.parametrize("centred", [True, False])
def test_codes_equal_a_double_loop_over_vectors_and_planes(gallery_features, centred):
    hasher = RandomHyperplanes(16, seed=3, centred=centred).fit(gallery_features)
    mean = (
        [sum(column) / len(gallery_features) for column in gallery_features.T.tolist()] if centred else np.zeros(2048)
    )
    np.testing.assert_allclose(hasher.mean, mean, rtol=1e-5, atol=1e-6)
    few = gallery_features[:20]
    np.testing.assert_array_equal(hasher.encode(few), codes_by_hand(few, hasher.planes, hasher.mean))


def test_a_vector_on_the_plane_has_bit_1_and_the_first_bit_is_the_highest():
    planes = np.eye(8, 3, dtype=np.float32)  # planes 4-8 are all zeros: every vector lies on them
    hasher = Hyperplanes.restore(planes, np.zeros(3, np.float32))
    assert hasher.encode(np.array([[1, 0, -1]], np.float32)).tolist() == [[0b11011111]]
    assert hasher.encode(np.array([[-1, -1, -1]], np.float32)).tolist() == [[0b00011111]]


def test_centring_moves_the_planes_to_the_gallerys_mean(gallery_features):
    """Adding a vector to everything changes nothing when centred; VGG-16's features lie to one side otherwise."""
    shift = np.linspace(-50, 50, gallery_features.shape[1], dtype=np.float32)
    centred, uncentred = (
        RandomHyperplanes(256).fit(gallery_features),
        RandomHyperplanes(256, centred=False).fit(gallery_features),
    )
    moved = RandomHyperplanes(256).fit(gallery_features + shift)
    changed = np.unpackbits(centred.encode(gallery_features) ^ moved.encode(gallery_features + shift)).mean()
    assert changed < 0.001  # float32 rounding near a plane, nothing else

    def lopsided(hasher):
        share = np.unpackbits(hasher.encode(gallery_features), axis=1).mean(axis=0)
        return np.abs(share - 0.5).mean()

    assert 2 * lopsided(centred) < lopsided(uncentred)


@pytest.mark.parametrize("degrees", [0, 20, 60, 90, 135, 180])
def test_equal_bits_come_at_the_rate_1_minus_angle_over_pi(degrees):
    angle = np.radians(degrees)
    rng = np.random.default_rng(degrees)
    basis, _ = np.linalg.qr(rng.standard_normal((64, 2)))
    pair = np.array([basis[:, 0], np.cos(angle) * basis[:, 0] + np.sin(angle) * basis[:, 1]], np.float32)
    n_bits = 40_000
    hasher = RandomHyperplanes(n_bits, seed=degrees, centred=False).fit(pair)
    left, right = np.unpackbits(hasher.encode(pair), axis=1)
    expected = 1 - angle / np.pi
    deviation = np.sqrt(expected * (1 - expected) / n_bits)  # of a mean of independent bits
    assert abs((left == right).mean() - expected) <= 5 * deviation


def test_normals_are_standard_normal():
    from scipy.stats import kstest

    planes = RandomHyperplanes(64, seed=1).fit(np.zeros((1, 500), np.float32)).planes
    assert kstest(planes.ravel(), "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(planes)[np.triu_indices(64, 1)]).max() < 0.3  # 500 draws: 0.3 is 6.7 deviations


def test_more_bits_with_the_same_seed_only_add_planes(gallery_features):
    short, long = (RandomHyperplanes(n_bits, seed=5).fit(gallery_features) for n_bits in (16, 64))
    np.testing.assert_array_equal(long.encode(gallery_features)[:, :2], short.encode(gallery_features))


def test_another_seed_gives_other_codes(gallery_features):
    one, other = (RandomHyperplanes(64, seed).fit(gallery_features).encode(gallery_features) for seed in (0, 1))
    assert 0.3 < np.unpackbits(one ^ other).mean() < 0.7


def test_codes_do_not_depend_on_the_batch(gallery_features):
    many = np.tile(gallery_features, (5, 1))[: CHUNK_ROWS + 7]  # ends in a chunk of 7
    hasher = RandomHyperplanes(64).fit(gallery_features)
    together = hasher.encode(many)
    alone = np.concatenate([hasher.encode(many[row : row + 1]) for row in range(len(gallery_features))])
    np.testing.assert_array_equal(together[: len(alone)], alone)
    np.testing.assert_array_equal(together[len(alone) :], alone[np.arange(len(alone), len(many)) % len(alone)])


def test_restored_planes_give_the_same_codes(gallery_features):
    hasher = RandomHyperplanes(64, seed=2).fit(gallery_features)
    again = Hyperplanes.restore(hasher.planes.copy(), hasher.mean.copy())
    np.testing.assert_array_equal(again.encode(gallery_features), hasher.encode(gallery_features))
    assert again.n_bits == 64


@given(st.integers(-5, 200).filter(lambda n: n < 8 or n % 8) | st.sampled_from([8.0, "64", None, True]))
@settings(max_examples=30, deadline=None)
def test_wrong_numbers_of_bits_are_refused(n_bits):
    with pytest.raises(ValueError, match="positive multiple of 8, got"):
        RandomHyperplanes(n_bits)


def test_use_before_fit_and_empty_gallery_are_refused():
    with pytest.raises(ValueError, match="not fitted yet; call fit"):
        RandomHyperplanes().encode(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="gallery is empty"):
        RandomHyperplanes().fit(np.zeros((0, 4)))


@pytest.mark.parametrize(
    "features",
    [np.zeros(4), np.zeros((1, 2, 2)), np.array([["a"]]), np.zeros((1, 2), bool), np.zeros((1, 2), complex)],
    ids=["1-D", "3-D", "text", "bool", "complex"],
)
def test_what_is_no_matrix_of_numbers_is_refused(features):
    with pytest.raises(ValueError, match=r"features must be an \(n, d\) array of numbers, got"):
        RandomHyperplanes().fit(features)
