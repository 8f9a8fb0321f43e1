"""What makes a photo poor: each measure moves with its fault and with no other; each made fault is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from fashion16_lib.data.cutout import BORDER, garment_mask
from fashion16_lib.data.opencv import cv2
from fashion16_lib.data.photo_quality import (
    AS_SENT,
    CUT_AWAY,
    FAULTS,
    MEASURES,
    garments,
    in_every_way,
    made_poor,
    measure_all,
    measures,
    room_alone,
    surroundings,
)

HEIGHT, WIDTH = 200, 160


def photo(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A striped garment with grain on a plain wall, and its pixels."""
    rng = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), (190, 200, 205), np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[50:150, 40:120] = True
    image[mask] = (150, 40, 60)
    image[60:140:8, 40:120] = (230, 220, 60)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8), mask


def blocks(seed: int) -> np.ndarray:
    """Blocks of random colours: something to lie around."""
    return np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8).repeat(20, axis=0).repeat(20, axis=1)


OTHERS = [blocks(seed) for seed in (1, 2)]


def poor(fault: str, seed: int = 0) -> np.ndarray:
    return made_poor(*photo(), fault, OTHERS, np.random.default_rng(seed))


def measured(image: np.ndarray) -> dict[str, float]:
    return dict(zip(MEASURES, measures(image, garment_mask(image)), strict=True))


# ---------------------------------------------------------------- measures

def test_the_measures_are_their_formulas():
    image, mask = photo()
    found = dict(zip(MEASURES, measures(image, mask), strict=True))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    assert found["level"] == pytest.approx(grey.mean() / 255, rel=1e-5)
    assert found["highlights"] == pytest.approx(np.quantile(grey, 0.95) / 255)
    assert found["garment"] == mask.mean() and found["cut off"] == 0
    assert found["colours around"] == pytest.approx(np.mean([image[~mask][:, c].std() for c in range(3)]) / 255)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    assert found["sharpness"] == pytest.approx(np.log(laplacian.var() / (grey.var() + 1)), abs=0.1)     # but the edge
    halved = grey.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3)).astype(np.float32)
    lost = np.square(grey - cv2.resize(halved, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)).mean()
    assert found["detail"] == pytest.approx(np.log(lost / (grey.var() + 1)), abs=1e-3)
    bends = np.concatenate([(grey[2:] - 2 * grey[1:-1] + grey[:-2]).ravel(),
                            (grey[:, 2:] - 2 * grey[:, 1:-1] + grey[:, :-2]).ravel()])
    assert found["steps"] == pytest.approx(np.abs(bends).mean() / np.sqrt((bends**2).mean()), rel=1e-3)


@pytest.mark.parametrize(("fault", "measure", "up"), [
    ("dim", "level", False), ("dim", "highlights", False),
    ("blurred", "sharpness", False), ("blurred", "detail", False),
    ("low resolution", "sharpness", False), ("low resolution", "detail", False),
    ("cluttered", "edges around", True), ("cluttered", "colours around", True),
])
def test_a_measure_moves_with_its_fault(fault, measure, up):
    good = measured(photo()[0])[measure]
    for seed in range(5):
        moved = measured(poor(fault, seed))[measure] - good
        assert (moved > 0) == up and abs(moved) > 0.02, (seed, moved)


def test_a_garment_over_the_edge_is_cut_off():
    image, _ = photo()
    assert measured(image)["cut off"] < 0.05
    assert measured(image[:, :90])["cut off"] > 0.3                 # the wall is right of it no more
    over = np.zeros((100, 100), bool)
    over[:, 30:60] = True
    assert measures(np.full((100, 100, 3), 9, np.uint8), over)[MEASURES.index("cut off")] == pytest.approx(0.3)


def test_sharpness_is_that_of_the_garment_whatever_the_light():
    image, mask = photo()
    bright, darker = (measures(each, mask) for each in (image, (image // 2).astype(np.uint8)))
    assert abs(bright - darker)[MEASURES.index("sharpness")] < 0.1 < abs(bright - darker)[MEASURES.index("level")]


def test_where_no_garment_is_found_the_edge_is_around_it():
    nothing = np.ones((100, 50), bool)
    around = surroundings(nothing)
    edge = round(BORDER * 100), round(BORDER * 50)
    assert around[: edge[0]].all() and around[:, -edge[1]:].all()
    assert not around[edge[0]: -edge[0], edge[1]: -edge[1]].any()
    mask = np.zeros((9, 9), bool)
    np.testing.assert_array_equal(surroundings(mask), ~mask)


def test_a_photo_of_one_colour_has_finite_measures():
    for level in (0, 255):
        found = measures(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), bool))
        assert np.isfinite(found).all() and found[0] == level / 255


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have the photo's shape, got \(3, 3\) and \(200, 160\)"):
        measures(photo()[0], np.ones((3, 3), bool))


def test_many_are_measured_as_one():
    images = [photo()[0], photo(1)[0][:150], poor("cluttered")]
    masks = garments(images)
    np.testing.assert_array_equal(masks[1], garment_mask(images[1]))
    np.testing.assert_array_equal(measure_all(images, masks)[2], measures(images[2], masks[2]))
    assert measure_all([], []).shape == (0, len(MEASURES))


# ---------------------------------------------------------------- faults

@pytest.mark.parametrize("fault", FAULTS)
def test_a_made_fault_is_drawn_by_its_chance_and_leaves_the_photo_alone(fault):
    image, mask = photo()
    before = image.copy()
    first, same, other = (made_poor(image, mask, fault, OTHERS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.dtype == np.uint8 and first.ndim == 3
    np.testing.assert_array_equal(first, same)
    np.testing.assert_array_equal(image, before)
    assert first.shape != other.shape or (first != other).any()
    assert first.shape != image.shape or (first != image).mean() > 0.1


def test_a_low_resolution_photo_has_no_more_than_its_pixels_say():
    image = poor("low resolution")
    assert image.shape == photo()[0].shape
    small = cv2.resize(image, (WIDTH // 3, HEIGHT // 3), interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    assert np.abs(back.astype(int) - image).mean() < 0.3 * np.abs(photo()[0].astype(int) - image).mean()


def test_clutter_lies_behind_the_garment():
    image, mask = photo()
    scene = poor("cluttered")
    np.testing.assert_array_equal(scene[mask], image[mask])
    assert (scene != image).any(axis=2)[~mask].mean() > 0.3


@pytest.mark.parametrize("seed", range(12))
def test_what_isnt_whole_has_lost_a_share_of_the_garment(seed):
    image, mask = photo()
    part = poor("not whole", seed)
    assert sum(a != b for a, b in zip(part.shape, image.shape, strict=True)) == 1
    at = [(top, left) for top in (0, HEIGHT - part.shape[0]) for left in (0, WIDTH - part.shape[1])
          if (image[top: top + part.shape[0], left: left + part.shape[1]] == part).all()]
    kept = mask[at[0][0]: at[0][0] + part.shape[0], at[0][1]: at[0][1] + part.shape[1]].sum() / mask.sum()
    assert 1 - CUT_AWAY[1] - 0.02 <= kept <= 1 - CUT_AWAY[0] + 0.02


def test_a_fault_without_a_garment_still_works():
    image = photo()[0]
    for mask in (np.zeros((HEIGHT, WIDTH), bool), np.ones((HEIGHT, WIDTH), bool)):
        assert min(made_poor(image, mask, "not whole", OTHERS, np.random.default_rng(0)).shape[:2]) >= 8


def test_unknown_faults_and_clutter_from_nowhere_are_refused():
    with pytest.raises(ValueError, match=r"fault must be one of dim, blurred, .*, got 'ugly'"):
        made_poor(*photo(), "ugly", OTHERS, np.random.default_rng(0))
    with pytest.raises(ValueError, match="clutter needs at least one other photo"):
        made_poor(*photo(), "dim", [], np.random.default_rng(0))


def test_in_every_way_keeps_the_order():
    images, masks = zip(*(photo(seed) for seed in (0, 1)), strict=True)
    made, kinds = in_every_way(images, masks, 5)
    assert kinds.tolist() == [kind for kind in (AS_SENT, *FAULTS) for _ in images]
    assert all(a is b for a, b in zip(made[:2], images, strict=True))
    np.testing.assert_array_equal(made[3], made_poor(*photo(1), "dim", images, _second_draw(5)))
    again, _ = in_every_way(images, masks, 5)
    assert all((a == b).all() for a, b in zip(made, again, strict=True))


def _second_draw(seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    rng.uniform()                                                   # the first photo's light
    return rng


# ---------------------------------------------------------------- the room alone

def test_a_wider_box_takes_so_much_more_of_the_room():
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    mask = np.zeros((10, 10), bool)
    mask[4:6, 5] = True
    stays = (room_alone(image, mask, 0.2) == image).all(axis=2)
    assert stays.sum() == 100 - 6 * 5 and not stays[2:8, 3:8].any()
    assert len(np.unique(room_alone(image, mask, 1.0).reshape(-1, 3), axis=0)) == 1


def test_the_room_alone_shows_nothing_of_the_garment():
    image, mask = photo()
    cut = mask.copy()
    cut[50:80, 40:70] = False                                       # an L: its box is painted, not its outline
    room = room_alone(image, cut)
    np.testing.assert_array_equal(room, room_alone(image, mask))
    np.testing.assert_array_equal(room[~mask], image[~mask])
    assert np.unique(room[mask], axis=0).shape == (1, 3)
    np.testing.assert_allclose(room[100, 80], image[~mask].mean(axis=0), atol=0.51)


def test_no_room_where_the_garment_is_everything_and_all_where_it_is_nothing():
    image, mask = photo()
    assert np.unique(room_alone(image, np.ones_like(mask)).reshape(-1, 3), axis=0).shape == (1, 3)
    np.testing.assert_array_equal(room_alone(image, np.zeros_like(mask)), image)
