"""The ledger: whole, judged by code, equal to what the README says; and each claim's null makes just it fall."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion16_lib.data.preprocess import standardise
from fashion16_lib.evaluate.angle_law import angles_and_differing_bits, slope_over_planes
from fashion16_lib.evaluate.claims import CLAIMS
from fashion16_lib.evaluate.metrics import direct_precision
from fashion16_lib.evaluate.nulls import share_standing, stands
from fashion16_lib.evaluate.records import metric, read_metrics
from fashion16_lib.evaluate.routing import hits_by_way, same_class, ways_to_search
from fashion16_lib.evaluate.statistics import (
    Estimate,
    mean_and_range,
    mean_over_queries,
    median_over_queries,
    paired_difference,
    power_law,
    straight_line,
)
from fashion16_lib.evaluate.timing import scan, time_interleaved, times_of
from fashion16_lib.evaluate.training_study import early_and_late_fall, loss_at_rest, overfitting
from fashion16_lib.evaluate.verdict import (
    CONTRADICTED,
    KINDS,
    NOT_TESTABLE,
    NULLS,
    REPRODUCED,
    TREND,
    VERDICTS,
    above,
    at_least,
    below,
    differs,
    equals,
    judge,
    judge_all,
    number_in_words,
)
from fashion16_lib.features.sift import SiftBagOfWords
from fashion16_lib.report.verdicts import claims_markdown
from fashion16_lib.search.hyperplanes import RandomHyperplanes

ROOT = Path(__file__).resolve().parents[1]
QUICK = ROOT / "results" / "quick"
PHOTOS = ROOT / "results/quick-product-photos"
BY_ID = {claim.id: claim for claim in CLAIMS}
ROWS = {*map(str, range(1, 26)), "3b", "3c", "24b", "24c", "24d", "24e", "24f"}


def record(value: float, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high}


# ---------------------------------------------------------------- the ledger is whole

def test_every_row_of_the_paper_has_a_claim():
    assert len(CLAIMS) >= 30 and len(BY_ID) == len(CLAIMS)
    assert {claim.row for claim in CLAIMS} == ROWS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_well_formed(claim):
    assert claim.kind in KINDS and claim.null in ("", *NULLS)
    assert claim.claim and claim.paper and claim.tolerance and claim.reason
    assert bool(claim.source) == bool(claim.metric)
    if claim.kind == "growth" or (claim.kind == "ordering" and claim.source):
        assert claim.null or stands_nowhere(claim), "an upheld comparison needs a null that makes it fall"


def stands_nowhere(claim) -> bool:
    return judge(claim, numbers_for(claim)).verdict not in (REPRODUCED, TREND)


def numbers_for(claim) -> dict:
    """Return the records a claim is judged by: some notebooks stand on photos."""
    paths = [run / "metrics" / f"{claim.source}.json" for run in (QUICK, PHOTOS)]
    return read_metrics(next(path for path in paths if path.is_file()))


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim.source], ids=lambda claim: claim.id)
def test_a_claim_reads_a_number_that_is_there(claim):
    assert claim.metric in numbers_for(claim)


def test_the_committed_ledger_and_the_readme_are_what_the_metrics_say():
    findings, on_photos = (judge_all(CLAIMS, run / "metrics") for run in (QUICK, PHOTOS))
    for run, found in ((QUICK, findings), (PHOTOS, on_photos)):
        assert json.loads((run / "claims.json").read_text(encoding="utf-8")) == [asdict(one) for one in found]
    assert claims_markdown(findings, on_photos) in (ROOT / "README.md").read_text(encoding="utf-8")
    for verdict in VERDICTS:
        assert any(one.verdict == verdict for one in findings)


def test_numbers_are_printed_with_their_interval_and_unit():
    time_ms = metric("query_time_ms_p50", Estimate(23.456, 20, 25, 9))
    finding = judge(BY_ID["query-time"], {"query_time_ms_p50": time_ms})
    assert number_in_words(finding) == "23.46 [20, 25] ms" and finding.difference == pytest.approx(23.456 - 3241.6)
    assert judge(BY_ID["query-time"], {}).reason.endswith("(not run at this profile)")


# ---------------------------------------------------------------- the rules

def test_rules_at_their_limits():
    assert equals(2, 0)(record(2)) == REPRODUCED and equals(2, 0)(record(1)) == CONTRADICTED
    assert differs(0, 1e-9)(record(0)) == CONTRADICTED and differs(0, 1e-9)(record(1)) == REPRODUCED
    for rule, sign in ((above(0), 1), (below(0), -1)):
        assert rule(record(sign, *sorted((sign * 0.5, sign * 2)))) == TREND
        assert rule(record(-sign, *sorted((-sign * 0.5, -sign * 2)))) == CONTRADICTED
        assert rule(record(sign, -1, 1)) == NOT_TESTABLE
        assert rule(record(0, 0, 0)) == NOT_TESTABLE
        assert rule(record(sign)) == TREND
    assert at_least(1)(record(1)) == TREND
    assert at_least(1)(record(0.9, 0.8, 0.95)) == CONTRADICTED and at_least(1)(record(0.9, 0.8, 1)) == NOT_TESTABLE


# ---------------------------------------------------------------- the nulls

def upheld(records: dict[str, dict[str, dict]]) -> set[str]:
    """Return the ids of the claims that stand, given source -> name -> record."""
    found = {claim.id: judge(claim, records.get(claim.source, {})).verdict for claim in CLAIMS}
    return {name for name, verdict in found.items() if verdict in (REPRODUCED, TREND)}


def committed() -> dict[str, dict[str, dict]]:
    """Return quick's records by source; those on photos where a notebook stands on photos."""
    return {path.stem: read_metrics(path) for run in (PHOTOS, QUICK) for path in (run / "metrics").glob("*.json")}


def fallen(measured: dict[str, Estimate | float], null: dict[str, Estimate | float]) -> set[str]:
    """Return the claims that stand with the measured numbers, over quick's others, and don't with the null's."""
    base = committed()
    sides = []
    for numbers in (measured, null):
        new = {claim.source: {claim.metric: metric(claim.metric, numbers[claim.metric])}
               for claim in CLAIMS if claim.metric in numbers}
        for claim in CLAIMS:
            if claim.metric in numbers:
                new[claim.source] = {**new[claim.source], claim.metric: metric(claim.metric, numbers[claim.metric])}
        sides.append(upheld({source: {**base.get(source, {}), **new.get(source, {})} for source in base | new}))
    return sides[0] - sides[1]


def with_null(null: str) -> set[str]:
    return {claim.id for claim in CLAIMS if claim.null == null}


@pytest.fixture(scope="module")
def searched(model, photos, query_features, gallery_features):
    """Measure what depends on codes, with the codes in any order."""
    gallery = photos.gallery.sorted_by_id()
    order = [photos.gallery.ids.index(item) for item in gallery.ids]
    codes = model.library.all_codes()
    probabilities = model.classifier.predict_proba_of_features(query_features)
    predicted = model.classifier.predict_proba_of_features(gallery_features[order]).argmax(axis=1)
    ways = ways_to_search(probabilities, gallery.labels, predicted, 2)
    relevant = same_class(photos.queries.labels, gallery.labels)
    query_codes = model.library.hasher.encode(query_features)
    accuracy = (probabilities.argmax(axis=1) == photos.queries.labels).mean()
    chance = np.array([(gallery.labels == label).mean() for label in photos.queries.labels])

    def measure(rng: np.random.Generator | None) -> dict[str, Estimate | float]:
        used = codes if rng is None else rng.permutation(codes)
        features = gallery_features if rng is None else rng.permutation(gallery_features)
        angle, _ = angles_and_differing_bits(gallery_features, model.library.hasher, 1500, 0)
        _, bits = angles_and_differing_bits(features, model.library.hasher, 1500, 0)
        found = {way: hits / 20 for way, hits in hits_by_way(query_codes, used, relevant, ways, 20).items()}
        direct, true, said, _ = found.values()
        return {
            "differing_bits_by_angle_slope": slope_over_planes(angle, bits),
            "direct_minus_chance_precision_at_20": mean_over_queries(direct - chance),
            "in_class_precision_at_20": mean_over_queries(said),
            "hits_of_the_query_class": mean_over_queries(true),
            "in_class_minus_direct_precision_at_20": paired_difference(said, direct),
            "identity_largest_gap": abs(float(true.mean() - accuracy)),
        }

    return measure


@pytest.fixture(scope="module")
def compared(photos, query_features, gallery_features):
    """Measure by how much VGG-16's codes search better than SIFT's, with the gallery's codes in any order."""
    sift = SiftBagOfWords.fit(photos.gallery.images, n_words=50, keypoints="detected", pixels=112, seed=0)
    arms = {"vgg16": (gallery_features, query_features),
            "sift": (sift.extract(photos.gallery.images), sift.extract(photos.queries.images))}

    def measure(rng: np.random.Generator | None) -> dict[str, Estimate | float]:
        found = {}
        for name, (gallery, queries) in arms.items():
            hasher = RandomHyperplanes(64, 0).fit(gallery)
            codes = hasher.encode(gallery) if rng is None else rng.permutation(hasher.encode(gallery))
            asked = hasher.encode(queries), photos.queries.labels
            found[name] = direct_precision(*asked, codes, photos.gallery.labels, 20)
        return {"vgg16_minus_sift_direct_precision_at_20": paired_difference(found["vgg16"], found["sift"])}

    return measure


def test_null_shuffled_codes(searched, compared):
    measured, null = ({**searched(rng), **compared(rng)} for rng in (None, np.random.default_rng(0)))
    assert null["identity_largest_gap"] < 1e-9, "in-class P@20 by true class ignores the codes: that is the point"
    assert fallen(measured, null) == with_null("shuffled codes")


def test_null_shuffled_labels(photos):
    from fashion16_lib.models.classifier import Table1Classifier

    def measure(train) -> dict[str, Estimate | float]:
        trained = Table1Classifier.train(train, photos.tuning, epochs=4, seed=0)
        early, late = early_and_late_fall(trained.history["val_loss"])
        right = trained.predict_proba(photos.test.images).argmax(axis=1) == photos.test.labels
        return {"early_minus_late_loss_fall": early - late, "test_accuracy": mean_over_queries(right)}

    shuffled = np.random.default_rng(0).permutation(photos.train.labels)
    null = measure(type(photos.train)(photos.train.name, photos.train.images, shuffled, photos.train.class_names,
                                      photos.train.ids))
    measured = measure(photos.train)
    assert measured["test_accuracy"].value > 0.5 and null["test_accuracy"].value < 0.25
    assert fallen(measured, null) == with_null("shuffled labels")


def test_null_permuted_sizes():
    growth = pd.read_csv(QUICK / "tables/11-growth.csv")
    sizes_of_14 = pd.read_csv(QUICK / "figures/14-scan.csv")["x"].drop_duplicates()
    compared = {"direct": sizes_of_14, "in class": sizes_of_14 / 10}    # codes, for times: no machine is tested here
    measures = {
        "grows": (growth["n_train"], lambda n: power_law(n, 1 - growth["accuracy"]).exponent),
        "grows-in-class": (growth["n_train"], lambda n: power_law(n, 1 - growth["in_class_precision_at_20"]).exponent),
        "scan-linear": (sizes_of_14, lambda n: straight_line(n, compared["direct"]).r2),
        "gap-grows": (sizes_of_14, lambda n: straight_line(n, compared["direct"] - compared["in class"]).slope),
    }
    assert set(measures) == with_null("permuted sizes")
    for name, (sizes, measure) in measures.items():
        assert stands(BY_ID[name], measure(sizes.to_numpy())), name
        assert share_standing(BY_ID[name], measure, sizes.to_numpy()) < 1 / 6, name


def test_null_equal_arms(photos, model, query_features, searched):
    from fashion16_lib.models.classifier import Table1Classifier

    network = Table1Classifier.train(photos.train, photos.tuning, epochs=1, seed=0)
    loss, gap = loss_at_rest(network, photos.train), overfitting(network, photos.train, photos.tuning)
    codes = model.library.hasher.encode(query_features)
    timed = times_of(time_interleaved({"scan": scan(model.library.all_codes())}, codes), "scan")
    right = model.classifier.predict_proba_of_features(query_features).argmax(axis=1) == photos.queries.labels
    change = standardise(photos.queries.images[:1] // 2, "none") - standardise(photos.queries.images[:1], "none")
    same = paired_difference(right, right)
    null = {
        "training_loss_with_minus_without_dropout": mean_and_range([loss - loss]),
        "overfitting_without_minus_with_dropout": mean_and_range([gap - gap]),
        "pretrained_minus_scratch_accuracy": mean_and_range([right.mean() - right.mean()]),
        "exact_search_over_hash_and_scan_time": median_over_queries(timed / timed),
        "float_over_code_bytes_for_equal_precision": codes.nbytes / codes.nbytes,
        "brightness_left_after_image_mean": float(np.abs(change).sum() / np.abs(change).sum()),
        "direct_minus_in_class_search_time_ms": median_over_queries(timed - timed),
        **{claim.metric: same for claim in CLAIMS if claim.null == "equal arms" and claim.source.startswith("13")},
        **{f"in_class_minus_direct_{name}": same for name in ("precision_at_20", "instance_recall_at_20")},
    }
    null["dimming_left_after_image_mean"] = null["brightness_left_after_image_mean"]
    assert set(null) == {claim.metric for claim in CLAIMS if claim.null == "equal arms"}
    assert fallen({}, null) == with_null("equal arms") & upheld(committed())


def test_every_null_has_its_test():
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name.replace("_", " ") for name in re.findall(r"def test_null_(\w+)", source)} == set(NULLS)
