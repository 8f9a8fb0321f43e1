"""The contact sheet: each cluster whole on one line, a gap between two, those that don't belong marked."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from fashion16_lib.report.cluster_sheet import cluster_sheet, packed

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("per_line", [4, 7, 11])
def test_clusters_stay_whole_in_order_and_apart(per_line):
    sizes = RNG.integers(1, 5, 40).tolist()
    places = packed(sizes, per_line)
    assert places == sorted(places) and places[0] == (0, 0)
    taken = [(line, column + step) for (line, column), size in zip(places, sizes, strict=True) for step in range(size)]
    assert len(set(taken)) == sum(sizes) and max(column for _, column in taken) < per_line
    for (line, column), (other, begin), size, after in zip(places, places[1:], sizes, sizes[1:], strict=False):
        if line == other:
            assert begin == column + size + 1
        else:
            assert begin == 0 and column + size + 1 + after > per_line              # there was no room


def test_a_cluster_longer_than_a_line_is_refused():
    with pytest.raises(ValueError, match="a line holds 4 photos, got a cluster of 5"):
        packed([2, 5], 4)


def test_every_photo_is_drawn_and_the_wrong_ones_marked():
    image = np.zeros((8, 6, 3), np.uint8)
    clusters = [[(image, "a", True), (image, "b", False)], [(image, "c", True)] * 3]
    figure = cluster_sheet(clusters, "What is seen", per_line=4)
    shown = [axis for axis in figure.axes if axis.axison]
    assert [axis.get_title() for axis in shown] == ["✓ a", "✗ b", "✓ c", "✓ c", "✓ c"]
    dashed = [axis.spines["left"].get_linestyle() in ("--", "dashed") for axis in shown]
    assert dashed == [False, True, False, False, False]
    plt.close(figure)
