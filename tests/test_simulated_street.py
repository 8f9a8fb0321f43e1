"""The simulated street: the same chance, the same photo; each step does what it says; the garment stays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fashion16_lib.data.simulated_street import STEPS, garment_on_ground, street_photo, street_stages


def shirt(side: int = 60, colour: tuple[int, int, int] = (180, 40, 60)) -> np.ndarray:
    """A block of one colour on white, with stripes, 20 pixels more high than wide."""
    image = np.full((side + 20, side, 3), 255, np.uint8)
    image[20:60, 15:45] = colour
    image[30:34, 15:45] = 90
    return image


def test_the_garment_is_what_no_path_of_ground_reaches():
    found = garment_on_ground(shirt())
    assert found.dtype == bool and found.shape == (80, 60)
    inside = np.zeros((80, 60), bool)
    inside[21:59, 16:44] = True                                     # less a pixel at the edge
    np.testing.assert_array_equal(found, inside)


def test_white_cloth_on_white_counts_if_its_outline_is_there():
    image = np.full((80, 60, 3), 255, np.uint8)
    image[20:60, 15:45] = 225
    image[22:58, 17:43] = 255
    image[40:42, 15:17] = 255                                       # a gap in the outline
    assert garment_on_ground(image)[30:50, 20:40].all()
    assert not garment_on_ground(np.full((80, 60, 3), 255, np.uint8)).any()


def test_the_same_chance_gives_the_same_photo_and_another_another():
    image = shirt()
    before = image.copy()
    first = street_photo(image, "17", view=1, seed=3)
    assert first.shape == image.shape and first.dtype == np.uint8
    np.testing.assert_array_equal(first, street_photo(image, "17", view=1, seed=3))
    np.testing.assert_array_equal(image, before)
    for other in ({"item": "18", "view": 1, "seed": 3}, {"item": "17", "view": 2, "seed": 3},
                  {"item": "17", "view": 1, "seed": 4}):
        assert (street_photo(image, **other) != first).mean() > 0.2


def test_each_step_changes_the_photo():
    stages = street_stages(shirt(), "17")
    assert list(stages) == ["shop", *STEPS]
    images = list(stages.values())
    assert all((a != b).any() for a, b in pairwise(images))
    assert (stages["background"] == 255).all(axis=2).mean() < 0.05             # no white of the shop is left


def test_another_colour_is_the_same_view_of_the_same_garment():
    plain, dyed = (street_stages(shirt(), "17", recoloured=recoloured) for recoloured in (False, True))
    assert "other colour" in dyed and "other colour" not in plain
    garment = garment_on_ground(shirt())
    assert (dyed["other colour"][~garment] == shirt()[~garment]).all()
    assert np.abs(dyed["other colour"][garment].astype(int) - shirt()[garment]).mean() > 20
    same = (plain["background"] == dyed["background"]).all(axis=2)
    assert 0.3 < same.mean() < 1                                    # the room is the same, the cloth isn't


@pytest.mark.parametrize("colour", [(40, 40, 42), (235, 235, 235), (128, 128, 128)])
def test_black_white_and_grey_get_a_colour_too(colour):
    dyed = street_stages(shirt(colour=colour), "17", recoloured=True)["other colour"]
    cloth = dyed[40:55, 20:40].reshape(-1, 3).astype(int)
    assert (cloth.max(axis=1) - cloth.min(axis=1)).mean() > 15


def test_a_photo_without_a_garment_is_a_room():
    blank = np.full((80, 60, 3), 255, np.uint8)
    assert street_photo(blank, "0", recoloured=True).std() > 5
