"""Few numbers for many: PCA and LDA against scikit-learn, what labels of products add, signs as bits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from test_siamese import two_sides

from fashion16_lib.models.embedding import Embedding, of_length_1
from fashion16_lib.models.reduction import REDUCTIONS, reduction, sign_codes
from fashion16_lib.models.siamese import Seen, seen_from_both_sides

N = 6                   # numbers to keep


def products(items: range, seed: int = 0):
    """Return street and shop features of 6 numbers that tell the product and 6 of the street's, which spread more."""
    return tuple((features[:, [*range(N), *range(10, 10 + N)]], garments)
                 for features, garments in two_sides(items, seed))


NEW = products(range(1000, 1080), seed=5)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return seen_from_both_sides(*products(range(200)))


def cosines(points: np.ndarray) -> np.ndarray:
    return of_length_1(points) @ of_length_1(points).T


# ---------------------------------------------------------------- PCA, LDA


@pytest.mark.parametrize("n_numbers", [1, 3, 12])
def test_pca_is_scikit_learns(seen, n_numbers):
    street, shop = products(range(200))
    theirs = PCA(n_numbers, svd_solver="full").fit(of_length_1(np.concatenate([street[0], shop[0]])).astype(float))
    found = reduction(seen, "PCA", n_numbers).embed(NEW[0][0])
    expected = theirs.transform(of_length_1(NEW[0][0].astype(float)))
    assert found.shape == expected.shape
    np.testing.assert_allclose(cosines(found), cosines(expected), atol=1e-3)


def product_numbers(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and product of all photos, looked up one by one."""
    inputs, numbers = [], []
    for side, rows in zip(seen.inputs, seen.rows, strict=True):
        for number, item in enumerate(seen.rows[0]):
            for row in rows[item]:
                inputs.append(side[row])
                numbers.append(number)
    return np.stack(inputs), np.array(numbers)


@pytest.mark.parametrize("n_numbers", [2, N])
def test_lda_is_scikit_learns(seen, n_numbers):
    theirs = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(*product_numbers(seen))
    expected = theirs.transform(seen.inputs_of(NEW[0][0]))[:, :n_numbers]
    found = reduction(seen, "LDA", n_numbers).embed(NEW[0][0])
    np.testing.assert_allclose(cosines(found), cosines(expected), atol=1e-3)


def test_products_of_one_side_alone_do_not_count():
    street, shop = products(range(60))
    both = seen_from_both_sides(street, (shop[0][:40], shop[1][:40]))
    theirs = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(*product_numbers(both))
    expected = theirs.transform(both.inputs_of(NEW[0][0]))[:, :N]
    np.testing.assert_allclose(cosines(reduction(both, "LDA", N).embed(NEW[0][0])), cosines(expected), atol=1e-3)


# ---------------------------------------------------------------- what labels add


def farther_than_own(embedding: Embedding) -> float:
    """Return the share of shop photos that are farther than the street photo's own product; 0.5 by chance."""
    (street, asked), (shop, sold) = NEW
    apart = np.linalg.norm(embedding.embed(street)[:, None] - embedding.embed(shop)[None], axis=2)
    own = apart[np.arange(len(asked)), [sold.index(item) for item in asked]]
    return (apart > own[:, None]).mean()


@pytest.mark.parametrize("way", [way for way in REDUCTIONS if way != "PCA"])
def test_labels_of_products_tell_new_ones_apart_better_than_as_many_components(seen, way):
    learned = reduction(seen, way, N, n_steps=120)
    assert farther_than_own(learned) > farther_than_own(reduction(seen, "PCA", N)) + 0.2
    assert set(learned.arrays) == {"first", "first_bias"} and learned.n_features == N
    np.testing.assert_allclose(np.linalg.norm(learned.embed(NEW[1][0]), axis=1), 1, atol=1e-5)


def test_the_seed_decides_where_there_is_chance(seen):
    assert len({reduction(seen, "LDA", 5, seed=seed).sha256 for seed in (1, 2)}) == 1
    assert len({reduction(seen, "metric learning", 5, seed=seed, n_steps=1).sha256 for seed in (1, 2)}) == 2


def test_what_cannot_be_reduced_so_is_refused(seen):
    with pytest.raises(ValueError, match=r"way must be one of PCA, LDA, .*got 't-SNE' and 3"):
        reduction(seen, "t-SNE", 3)
    for way in REDUCTIONS:
        for n_numbers in (0, 13):
            with pytest.raises(ValueError, match=rf"n_numbers from 1 to 12, got '{way}' and {n_numbers}"):
                reduction(seen, way, n_numbers)
    few = seen_from_both_sides(*products(range(5)))
    with pytest.raises(ValueError, match=r"n_numbers from 1 to 4, got 'LDA' and 5"):
        reduction(few, "LDA", 5)


# ---------------------------------------------------------------- codes


def test_a_bit_says_whether_a_number_reaches_the_gallerys_mean():
    rng = np.random.default_rng(0)
    points, gallery = rng.normal(size=(20, 16)), rng.normal(0.5, 1, size=(30, 16))
    gallery[:, 3] = points[7, 3] = 0.25                                    # at the mean counts as 1
    means = [sum(gallery[row, column] for row in range(30)) / 30 for column in range(16)]
    codes = sign_codes(points, gallery)
    assert codes.shape == (20, 2) and codes.dtype == np.uint8
    for row in range(20):
        for byte in range(2):
            bits = "".join("1" if points[row, 8 * byte + bit] >= means[8 * byte + bit] else "0" for bit in range(8))
            assert codes[row, byte] == int(bits, 2)
    assert np.unpackbits(codes, axis=1)[7, 3] == 1


def test_codes_are_whole_bytes():
    with pytest.raises(ValueError, match="codes are whole bytes, got points of 12 numbers; use a multiple of 8"):
        sign_codes(np.zeros((2, 12)), np.zeros((2, 12)))
