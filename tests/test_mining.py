"""Mining: clusters against brute force, counts against every pair, rules that may only drop."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

from fashion16_lib.evaluate.mining import (
    LINKAGES,
    RULES,
    STEPS,
    Mined,
    Rules,
    by_chance,
    change_of_ratio,
    choose_reach,
    choose_rules,
    clusters_within,
    count_garments,
    describe_clusters,
    f1_of_pairs,
    members_of,
    pairs_together,
    right_mates,
    strictest_bound,
)

RNG = np.random.default_rng(0)
GARMENTS = np.array([f"g{n}" for n in RNG.integers(0, 12, 40)])
CLUSTERS = np.unique(RNG.integers(0, 15, 40), return_inverse=True)[1]


def distances(n: int = 40) -> np.ndarray:
    points = RNG.normal(size=(n, 3))
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))


# ---------------------------------------------------------------- clusters


def joined_by_hand(table: np.ndarray, classes: np.ndarray, linkage: str, reach: float) -> set[frozenset[int]]:
    """Join the two nearest clusters of a class again and again, until none are nearer than the reach."""
    between = {"average": np.mean, "complete": np.max}[linkage]
    parts = [frozenset([row]) for row in range(len(table))]
    while True:
        near = [(between(table[np.ix_(list(a), list(b))]), a, b) for a, b in combinations(parts, 2)
                if classes[min(a)] == classes[min(b)]]
        distance, a, b = min(near, key=lambda each: each[0], default=(np.inf, None, None))
        if distance >= reach:
            return set(parts)
        parts = [part for part in parts if part not in (a, b)] + [a | b]


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("reach", [0.3, 0.8, 1.6])
def test_clusters_are_those_joined_one_by_one(linkage, reach):
    table, classes = distances(30), RNG.integers(0, 3, 30)
    classes[0] = 9                                              # a class with a single photo
    found = clusters_within(table, classes, linkage, reach)
    assert {frozenset(rows.tolist()) for rows in members_of(found)} == joined_by_hand(table, classes, linkage, reach)
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))


def test_the_widest_reach_leaves_the_classes_and_the_narrowest_single_photos():
    table, classes = distances(), RNG.integers(0, 4, 40)
    assert len(members_of(clusters_within(table, classes, "complete", 1e9))) == len(set(classes.tolist()))
    assert len(members_of(clusters_within(table, classes, "complete", 1e-9))) == 40


@pytest.mark.parametrize(("linkage", "reach"), [("ward", 1.0), ("average", 0.0), ("average", np.nan)])
def test_an_unknown_linkage_or_no_reach_is_refused(linkage, reach):
    with pytest.raises(ValueError, match="linkage must be one of average, complete and reach above 0, got"):
        clusters_within(distances(4), np.zeros(4), linkage, reach)


def test_clusters_are_described_by_their_pairs():
    table = distances()
    described = describe_clusters(table, CLUSTERS)
    assert list(described) == list(RULES)
    for number, rows in enumerate(members_of(CLUSTERS)):
        inside = [table[a, b] for a, b in combinations(rows, 2)] or [0.0]
        expected = len(rows), np.mean(inside), np.mean((np.array(inside) - np.mean(inside)) ** 2)
        np.testing.assert_allclose(described.loc[number], expected, atol=1e-12)


# ---------------------------------------------------------------- counts


def test_garments_and_pairs_are_counted_one_by_one():
    counted = count_garments(CLUSTERS, GARMENTS)
    for number, rows in enumerate(members_of(CLUSTERS)):
        own = GARMENTS[rows].tolist()
        pairs = list(combinations(own, 2))
        expected = len(own), max(map(own.count, own)), len(pairs), sum(a == b for a, b in pairs)
        assert tuple(counted.loc[number]) == expected


def test_pairs_together_are_counted_one_by_one():
    shown = RNG.random(CLUSTERS.max() + 1) < 0.6
    found = pairs_together(CLUSTERS, GARMENTS, shown).set_index("garment")
    for name in set(GARMENTS.tolist()):
        pairs = list(combinations(np.flatnonzero(name == GARMENTS), 2))
        together = sum(CLUSTERS[a] == CLUSTERS[b] and shown[CLUSTERS[a]] for a, b in pairs)
        assert tuple(found.loc[name]) == (together, len(pairs)) if pairs else name not in found.index
    all_shown = pairs_together(CLUSTERS, GARMENTS, np.ones(CLUSTERS.max() + 1, bool))
    assert all_shown["together"].sum() == count_garments(CLUSTERS, GARMENTS)["right"].sum()


def test_right_mates_are_counted_one_by_one():
    for photo, share in enumerate(right_mates(CLUSTERS, GARMENTS)):
        mates = [other for other in range(40) if CLUSTERS[other] == CLUSTERS[photo] and other != photo]
        assert share == pytest.approx(np.mean([GARMENTS[other] == GARMENTS[photo] for other in mates] or [0]))
    assert not right_mates(np.arange(40), GARMENTS).any()
    assert (right_mates(np.zeros(40, np.int64), np.zeros(40)) == 1).all()


def mined(clusters: np.ndarray, garments: np.ndarray, classes: np.ndarray | None = None) -> Mined:
    n = len(clusters)
    classes = np.zeros(n) if classes is None else classes
    return Mined(clusters, classes, garments, describe_clusters(distances(n), clusters),
                 count_garments(clusters, garments))


def test_perfect_and_worst_clusters():
    perfect = mined(np.unique(GARMENTS, return_inverse=True)[1], GARMENTS)
    found = perfect.judged(np.ones(len(perfect.counted), bool))
    assert {name: (each.value, each.low, each.high) for name, each in found.items()} == dict.fromkeys(
        ("purity", "precision", "recall", "pool"), (1, 1, 1))
    assert f1_of_pairs(perfect.counted, perfect.n_pairs) == 1
    alone = mined(np.arange(40), GARMENTS)
    assert (alone.counted["most"] == 1).all() and not alone.counted["pairs"].any()
    assert f1_of_pairs(alone.counted, alone.n_pairs) == 0
    one = mined(np.zeros(40, np.int64), GARMENTS)
    precision = one.n_pairs / (40 * 39 / 2)
    assert f1_of_pairs(one.counted, one.n_pairs) == pytest.approx(2 * precision / (1 + precision))      # recall is 1
    assert one.judged(np.ones(1, bool))["precision"].value == pytest.approx(precision)


def test_what_is_shown_is_judged_by_hand():
    garments = np.array(["a", "a", "b", "b", "c", "c", "d", "e"])
    found = mined(np.array([0, 0, 0, 1, 1, 2, 3, 3]), garments)
    every, some = (found.judged(np.array(shown)) for shown in ([True] * 4, [True, False, False, True]))
    assert {name: each.value for name, each in every.items()} == pytest.approx(
        {"purity": 5 / 8, "precision": 1 / 5, "recall": 1 / 3, "pool": 1})
    assert {name: each.value for name, each in some.items()} == pytest.approx(
        {"purity": 3 / 5, "precision": 1 / 4, "recall": 1 / 3, "pool": 5 / 8})
    with pytest.raises(ValueError, match="needs a cluster of two photos to judge, got none in 1; loosen the rules"):
        found.judged(np.array([False, False, True, False]))


def test_the_reach_is_the_one_that_puts_garments_together():
    garments, places = np.repeat(np.arange(20), 2), np.repeat(np.arange(20) * 10.0, 2) + np.tile([0, 1.0], 20)
    table = np.abs(np.subtract.outer(places, places))
    linkage, reach = choose_reach(table, np.zeros(40), garments, [0.5, 2.0, 30.0])
    whole = Mined.of(table, np.zeros(40), garments, linkage, reach)
    assert reach == 2.0 and f1_of_pairs(whole.counted, whole.n_pairs) == 1
    split = Mined.of(table, np.tile([0, 1], 20), garments, linkage, reach)               # each pair in two classes
    assert not split.counted["right"].any() and split.n_pairs == 20


# ---------------------------------------------------------------- rules

DESCRIBED = pd.DataFrame({"count": [1, 2, 2, 3, 7], "mean distance": [0, 0.2, 0.9, 0.3, 0.1],
                          "variance": [0, 0, 0, 0.5, 0.1]})


def test_each_rule_drops_what_is_above_its_bound():
    left = Rules(5, 0.5, 0.2).passed(DESCRIBED)
    assert list(left) == list(STEPS)
    assert [np.flatnonzero(each).tolist() for each in left.values()] == [
        [0, 1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3], [1, 3], [1]]
    assert [each.sum() for each in Rules().passed(DESCRIBED).values()] == [5, 4, 4, 4, 4]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_the_bound_is_the_lowest_of_all_that_leave_the_share(share):
    values, right = RNG.integers(0, 6, 50) / 2, RNG.integers(0, 4, 50)
    fits = [bound for bound in np.unique(values) if right[values <= bound].sum() >= share * right.sum()]
    assert strictest_bound(values, right, share) == min(fits)


def test_without_right_pairs_no_bound():
    with pytest.raises(ValueError, match="chosen by right pairs, got none in 3 clusters; cluster more loosely"):
        strictest_bound(np.arange(3), np.zeros(3), 0.9)


def test_rules_chosen_keep_the_share_of_each_step():
    table = distances(200)
    clusters, garments = clusters_within(table, np.zeros(200), "average", 0.5), RNG.integers(0, 60, 200)
    described, right = describe_clusters(table, clusters), count_garments(clusters, garments)["right"].to_numpy()
    steps = [right[each].sum() for each in choose_rules(described, right, 0.9).passed(described).values()][1:]
    assert all(after >= 0.9 * before for before, after in pairwise(steps))
    loose = choose_rules(described, right, 1.0).passed(described)
    assert right[loose["variance"]].sum() == right.sum()


# ---------------------------------------------------------------- changes, chance


def test_a_change_of_ratio_is_the_difference_and_nothing_dropped_is_no_change():
    wholes, whose = RNG.integers(1, 9, 300), np.arange(300) // 2
    parts = RNG.integers(0, wholes + 1)
    same = change_of_ratio((parts, wholes), (parts, wholes), whose)
    assert (same.value, same.low, same.high, same.n) == (0, 0, 0, 300)
    kept = parts > 0.5 * wholes
    found = change_of_ratio((parts * kept, wholes * kept), (parts, wholes), whose)
    assert found.value == pytest.approx(parts[kept].sum() / wholes[kept].sum() - parts.sum() / wholes.sum())
    assert 0 < found.low < found.value < found.high


def test_chance_is_what_shuffling_gives():
    garments = np.repeat(np.arange(50), 2)
    pairs = np.repeat(RNG.permutation(50), 2)
    null = by_chance(mined(pairs, garments), {"all": np.ones(50, bool), "some": np.arange(50) < 10})
    assert null["step"].value_counts().to_dict() == {"all": 200, "some": 200}
    assert null["precision"].mean() == pytest.approx(1 / 99, abs=0.003)
    np.testing.assert_allclose(null["purity"], (1 + null["precision"]) / 2)         # of two photos: one half, or all
    apart = by_chance(mined(pairs, garments, garments), {"all": np.ones(50, bool)})  # each its own class
    np.testing.assert_allclose(apart["precision"], count_garments(pairs, garments)["right"].mean())
