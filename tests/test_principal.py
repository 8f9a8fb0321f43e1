"""PCA-sign and ITQ: eigenvectors, Procrustes and FAISS are the oracles; what can't be fitted is refused."""

import faiss
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from fashion16_lib.evaluate.hash_table import average_precision_of_each_query
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.hyperplanes import CHUNK_ROWS
from fashion16_lib.search.principal import Itq, PcaSign, iterate, random_rotation

D = 20


@pytest.fixture(scope="module")
def vectors():
    """Return 400 vectors of 20 numbers with unequal spread in mixed directions, far from the origin."""
    rng = np.random.default_rng(0)
    spread = np.geomspace(3, 0.3, D) * rng.standard_t(5, (400, D))
    return (spread @ random_rotation(D, rng) + 7).astype(np.float32)


def lost(sides):
    """Return the error of rounding to bits, |sign(VR) - VR|^2."""
    return float(((np.where(sides >= 0, 1, -1) - sides) ** 2).sum())


def map_of(hasher, photos, gallery_features, query_features):
    codes = hasher.encode(query_features), photos.queries.labels, hasher.encode(gallery_features), photos.gallery.labels
    return average_precision_of_each_query(*codes).mean()


# ---------------------------------------------------------------- PCA-sign


def test_planes_are_the_leading_eigenvectors_of_the_covariance(vectors):
    hasher = PcaSign(6).fit(vectors)
    np.testing.assert_allclose(hasher.mean, vectors.mean(axis=0, dtype=np.float64), rtol=1e-5)
    values, columns = np.linalg.eigh(np.cov(vectors.T.astype(np.float64)))
    theirs = columns[:, ::-1][:, :6].T
    np.testing.assert_allclose(np.abs(np.sum(hasher.planes * theirs, axis=1)), 1, atol=1e-3)   # equal up to the sign
    np.testing.assert_allclose(hasher.project(vectors).var(axis=0, ddof=1), values[::-1][:6], rtol=1e-3)


def test_codes_equal_a_double_loop_over_vectors_and_planes(vectors):
    hasher, few = PcaSign(12).fit(vectors), vectors[:30]
    by_hand = []
    for vector in few:
        bits = ["1" if sum((vector - hasher.mean) * plane) >= 0 else "0" for plane in hasher.planes]
        by_hand.append([int("".join(bits[:8]), 2), int("".join(bits[8:]) + "0000", 2)])
    assert hasher.encode(few).tolist() == by_hand


@pytest.mark.parametrize("n_bits", [1, 7, 8, 12])
def test_filling_up_whole_bytes_adds_nothing_to_a_distance(vectors, n_bits):
    hasher = Itq(n_bits).fit(vectors)
    codes, bits = hasher.encode(vectors[:50]), hasher.project(vectors[:50]) >= 0
    assert codes.shape == (50, -(-n_bits // 8)) and codes.dtype == np.uint8
    np.testing.assert_array_equal(hamming_distances(codes, codes), (bits[:, None] != bits[None]).sum(axis=2))


def test_fewer_bits_are_the_first_of_more(gallery_features):
    long, short = (PcaSign(n_bits).fit(gallery_features).project(gallery_features) for n_bits in (32, 12))
    assert ((long[:, :12] >= 0) == (short >= 0)).mean() > 0.99      # both searches for the axes are randomised


def test_components_of_components_are_the_same(gallery_features):
    """A notebook reduces the features once and fits all hashes to the reduced ones."""
    reduced = PcaSign(128).fit(gallery_features).project(gallery_features)
    direct, again = (PcaSign(16).fit(each).project(each) for each in (gallery_features, reduced))
    for ours, theirs in zip(direct.T, again.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) > 0.999


@pytest.mark.parametrize("kind", [PcaSign, Itq])
def test_codes_do_not_depend_on_the_batch(kind, gallery_features):
    many = np.tile(gallery_features, (4, 1))[: CHUNK_ROWS + 7]      # ends in a chunk of 7
    hasher = kind(24).fit(gallery_features)
    together = hasher.encode(many)
    alone = np.concatenate([hasher.encode(row[None]) for row in gallery_features])
    np.testing.assert_array_equal(together, alone[np.arange(len(many)) % len(alone)])
    assert hasher.encode(many[:0]).shape == (0, 3)


def test_as_many_bits_as_numbers_keep_every_distance(vectors):
    """With all components nothing is lost: projections are the centred vectors, turned."""
    for hasher in (PcaSign(D).fit(vectors), Itq(D).fit(vectors)):
        np.testing.assert_allclose(hasher.planes @ hasher.planes.T, np.eye(D), atol=1e-5)
        back = hasher.project(vectors) @ hasher.planes + hasher.mean
        np.testing.assert_allclose(back, vectors, atol=1e-3)


# ---------------------------------------------------------------- ITQ


def test_rotations_are_orthogonal_and_stay_in_the_principal_space(gallery_features):
    rotation = random_rotation(32, np.random.default_rng(1))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(32), atol=1e-12)
    axes, rotated = PcaSign(32).fit(gallery_features).planes, Itq(32).fit(gallery_features).planes
    turn = rotated @ axes.T
    np.testing.assert_allclose(turn @ turn.T, np.eye(32), atol=1e-5)    # nothing of the planes lies outside the axes
    assert np.abs(turn - np.eye(32)).max() > 0.3


def test_without_turns_itq_is_pca_sign_under_a_random_rotation(vectors):
    rotation = random_rotation(12, np.random.default_rng(3))
    left_alone, plain = Itq(12, seed=3, n_iterations=0).fit(vectors), PcaSign(12, seed=3).fit(vectors)
    turned_back = left_alone.project(vectors) @ rotation.T
    np.testing.assert_allclose(turned_back, plain.project(vectors), atol=1e-4)
    assert ((turned_back >= 0) == (plain.project(vectors) >= 0)).mean() > 0.999
    np.testing.assert_array_equal(iterate(plain.project(vectors), np.eye(12), 0), np.eye(12))


def test_a_turn_is_scipys_procrustes(vectors):
    components = PcaSign(12).fit(vectors).project(vectors)
    ours = theirs = random_rotation(12, np.random.default_rng(0))
    for _ in range(4):
        ours = iterate(components, ours, 1)
        theirs = orthogonal_procrustes(components, np.where(components @ theirs >= 0, 1.0, -1.0))[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_error_never_rises_and_does_fall(vectors, seed):
    components = PcaSign(12).fit(vectors).project(vectors)
    rotation = random_rotation(12, np.random.default_rng(seed))
    errors = []
    for _ in range(40):
        errors.append(lost(components @ rotation))
        rotation = iterate(components, rotation, 1)
    assert (np.diff(errors) <= 1e-9 * errors[0]).all()
    assert errors[-1] < errors[0] - 1


def test_error_is_no_larger_than_that_of_faiss(vectors):
    """FAISS 1.15 multiplies U with V where Procrustes wants U V', so its error can rise from turn to turn; ours may
    not be beaten by it from a start of equal luck: the mean of five."""
    components = PcaSign(12).fit(vectors).project(vectors)

    def faiss_error(seed):
        theirs = faiss.ITQMatrix(12)
        theirs.seed = seed
        theirs.train(components.astype(np.float32))
        return lost(theirs.apply(components.astype(np.float32)))

    def our_error(seed):
        return lost(components @ iterate(components, random_rotation(12, np.random.default_rng(seed)), 50))

    ours, theirs = (np.mean([error(seed) for seed in range(5)]) for error in (our_error, faiss_error))
    assert ours <= theirs
    assert ours > 0.9 * theirs                                      # and neither measures something else


def test_retrieves_as_well_as_faiss(photos, gallery_features, query_features):
    """FAISS also scales centred vectors to length 1; the two may differ by .05, chance is .1."""
    transform = faiss.ITQTransform(gallery_features.shape[1], 32, True)
    transform.train(gallery_features)
    codes = [np.packbits(transform.apply(each) >= 0, axis=1) for each in (query_features, gallery_features)]
    theirs = average_precision_of_each_query(codes[0], photos.queries.labels, codes[1], photos.gallery.labels).mean()
    ours = map_of(Itq(32).fit(gallery_features), photos, gallery_features, query_features)
    assert ours > 0.35 and ours > theirs - 0.05


def test_turns_help_on_vgg16s_features(photos, gallery_features, query_features):
    plain, left_alone, turned = (
        map_of(hasher.fit(gallery_features), photos, gallery_features, query_features)
        for hasher in (PcaSign(48), Itq(48, n_iterations=0), Itq(48))
    )
    assert plain + 0.05 < left_alone < turned                       # the random rotation alone brings most


def test_same_seed_same_codes_other_seed_other_codes(vectors):
    one, again, other = (Itq(16, seed).fit(vectors).encode(vectors) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert np.unpackbits(one ^ other).mean() > 0.1


def test_equal_vectors_have_equal_codes():
    """Nothing varies: no division by zero, one code for all."""
    for hasher in (PcaSign(3), Itq(3)):
        assert len(np.unique(hasher.fit(np.ones((9, 5))).encode(np.ones((4, 5))), axis=0)) == 1


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("n_bits", [0, -8, 8.0, "8", None, True])
def test_wrong_numbers_of_bits_are_refused(n_bits):
    with pytest.raises(ValueError, match="n_bits must be a whole number from 1, got"):
        PcaSign(n_bits)


@pytest.mark.parametrize("n_iterations", [-1, 2.5, "many"])
def test_wrong_numbers_of_turns_are_refused(n_iterations):
    with pytest.raises(ValueError, match="n_iterations must be a whole number from 0, got"):
        Itq(8, n_iterations=n_iterations)


@pytest.mark.parametrize("shape", [(100, 5), (6, 50), (0, 50)], ids=["few numbers", "few vectors", "none"])
def test_more_bits_than_axes_are_refused(shape):
    with pytest.raises(ValueError, match="principal axes, got n_bits 6; use fewer bits or more vectors"):
        PcaSign(6).fit(np.random.default_rng(0).standard_normal(shape))


def test_use_before_fit_and_other_features_are_refused(vectors):
    with pytest.raises(ValueError, match="not fitted yet; call fit"):
        Itq(8).encode(vectors)
    with pytest.raises(ValueError, match="must have 20 columns, got 19"):
        PcaSign(8).fit(vectors).encode(vectors[:, 1:])
