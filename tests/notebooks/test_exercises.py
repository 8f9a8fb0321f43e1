"""What every notebook's "On your own" promises, held at the smoke profile."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from book import NOTEBOOKS, ROOT, code_cells, prose_of

from fashion16_lib.evaluate.records import PHOTOS, read_metrics
from fashion16_lib.evaluate.training_study import law_of_error
from fashion16_lib.run import run_notebooks
from fashion16_lib.search.library import Library

EXERCISES = (
    ("00-start-here", {"N_BITS": 16, "QUERY": 12, "N_GARMENTS": 400}),
    ("01-prepare-images", {"MEAN": "none"}),
    ("01-prepare-images", {"MEAN": "image"}),
    ("02-train-classifier", {}),
    ("02-train-classifier", {"DROPOUT": False, "MEAN": "none"}),
    ("03-hash-with-vgg16", {"CENTRED": False}),
    ("03-hash-with-vgg16", {"N_BITS": 16}),
    ("04-build-library", {"N_BITS": 256, "CENTRED": False}),
    ("05-search-by-image", {"QUERY": 23, "DECIDER": "table-1", "N_HITS": 5}),
    ("10-classify-precisely", {"N_RUNS": 1, "MEAN": "none"}),
    ("11-grow-the-data", {"N_AUGMENTED": 3000, "SEED": 1}),
    ("12-time-a-query", {"N_TIMED": 50, "SEED": 1}),
    ("13-compare-sift-and-cnn", {"KEYPOINTS": "detected"}),
    ("13-compare-sift-and-cnn", {"N_WORDS": 20}),
    ("14-compare-direct-and-in-class", {"N_CLASSES": 10, "DECIDER": "table-1"}),
    ("19-judge-every-claim", {"MEAN": "none", "SEED": 1}),
    ("20-choose-bits-tables-and-probes", {"BITS_PER_TABLE": 4}),
    ("20-choose-bits-tables-and-probes", {"BITS_PER_TABLE": 16, "N_SEEDS": 1}),
    ("21-test-the-theory", {"N_BITS": 64}),
    ("21-test-the-theory", {"N_PAIRS": 1000, "SEED": 1}),
    ("22-choose-layer-and-pixels", {"POOLING": "average"}),
    ("22-choose-layer-and-pixels", {"N_BITS": 256}),
    ("23-learn-the-hash", {"N_ROTATIONS": 1, "SEED": 3}),
    ("24-rank-the-gaps", {"N_BITS": 256, "SEED": 4}),
    ("25-audit-the-data", {"NEAR_LEVELS": 12, "SEED": 1}),
    ("60-spread-the-work", {"N_BITS": 256, "N_WORKERS": 3}),
    ("61-hand-over-to-an-engine", {"N_HITS": 1}),
)
ON_PHOTOS = (
    ("15-search-photos", {"N_BITS": 256, "POOLING": "average"}),
    ("16-decide-on-photos", {"N_RUNS": 2, "DROPOUT": False}),
    ("26-search-the-shop-by-phone", {"N_BITS": 256}),
    ("26-search-the-shop-by-phone", {"SEED": 1}),
    ("30-see-why-sigmoid", {"N_COLOURS": 1, "SEED": 1}),
    ("31-train-multi-label", {"N_SEEDS": 1, "PIXELS": 48}),
    ("32-judge-multi-label", {"N_SEEDS": 1, "SEED": 1}),
    ("33-search-by-attributes", {"N_CLASSES": 1, "N_BITS": 256}),
    ("40-describe-by-hand", {"SEED": 1}),               # 42 reads what 40 and 41 left, with the same seed
    ("41-describe-by-network", {"SEED": 1}),
    ("42-learn-the-distance", {"SEED": 1}),
    ("40-describe-by-hand", {"COLOURS": "palette"}),
    ("41-describe-by-network", {"PIXELS": 48}),
    ("42-learn-the-distance", {"N_RUNS": 3}),
    ("43-search-street-to-shop", {}),
    ("43-search-street-to-shop", {"N_BITS": 256}),
    ("43-search-street-to-shop", {"N_BITS": 16}),
    ("50-find-the-garment", {"SEED": 1}),
    ("50-find-the-garment", {}),                        # the others read what 50 left, with the same seed
    ("51-wtbi", {"N_RUNS": 1}),
    ("52-darn", {"N_RUNS": 2}),
    ("53-fashionnet", {"N_RUNS": 2}),
    ("54-framework", {"N_BITS": 16}),
    ("55-mine-data", {"N_HITS": 5}),
    ("56-match-outfits", {"SEED": 1}),
    ("56-match-outfits", {"N_HITS": 20}),
    ("59-compare-all", {"N_BITS": 16}),
)
BASE = json.loads((ROOT / "results/expected/smoke.json").read_text(encoding="utf-8"))      # without any exercise


@dataclass(frozen=True)
class Left:
    """What an exercise left behind: outputs as text, metrics' values, the results' tables, the digest of its data."""

    outputs: str
    metrics: dict[str, dict]
    tables: dict[str, pd.DataFrame]
    photos: str = ""

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]["value"]


def outputs_of(out: Path, name: str, run: str) -> str:
    path = out / "build" / run / "notebooks" / f"{name}.ipynb"
    return "\n".join(json.dumps(cell.outputs) for cell in code_cells(path))


def what_is_left(out: Path, name: str, run: str = "smoke") -> Left:
    results = out / "results" / run
    metrics = results / f"metrics/{name}.json"
    files = [*results.glob(f"figures/{name[:2]}-*.csv"), *results.glob(f"tables/{name[:2]}-*.csv")]
    about = json.loads(metrics.read_text(encoding="utf-8"))["provenance"] if metrics.is_file() else {}
    return Left(outputs_of(out, name, run), read_metrics(metrics) if metrics.is_file() else {},
                {path.stem: pd.read_csv(path) for path in files}, about.get("dataset_sha256", ""))


def expected(name: str) -> dict[str, float]:
    return {key: target["value"] for key, target in BASE[name].items()}


def expected_on_photos(name: str, left: Left) -> dict[str, float]:
    """Return the numbers without any exercise; skip where they come from other photos than those here."""
    known = json.loads((ROOT / "results/expected/smoke-product-photos.json").read_text(encoding="utf-8"))
    if known[PHOTOS][name] != left.photos:
        pytest.skip(f"{name}: the numbers to compare an exercise with come from other photos than those here")
    return {key: target["value"] for key, target in known[name].items()}


@pytest.fixture(scope="session")
def exercises_on_photos(tmp_path_factory, photo_folder):
    """Run the exercises of the notebooks on photos; give what each left behind, by number and changed values."""
    out, left = tmp_path_factory.mktemp("exercises-on-photos"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_OUT", str(out))
        patch.setenv("FASHION16_PHOTOS", str(photo_folder))
        for name, parameters in ON_PHOTOS:
            assert run_notebooks([name], "smoke", {"DATASET": "product-photos", **parameters}) == 0, (name, parameters)
            left[name[:2], *parameters.values()] = what_is_left(out, name, "smoke-product-photos")
    return left


@pytest.fixture(scope="session")
def exercises(tmp_path_factory):
    """Run every exercise in the order of the book; give what each left behind, by number and changed values."""
    out, left = tmp_path_factory.mktemp("exercises"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_OUT", str(out))
        for name, parameters in EXERCISES:
            assert run_notebooks([name], "smoke", parameters) == 0, (name, parameters)
            left[name[:2], *parameters.values()] = what_is_left(out, name)
            if name.startswith("04"):
                left["library"] = Library((out / "build/smoke/library.h5").read_bytes())
            if name.startswith("19"):
                left["claims"] = json.loads((out / "results/smoke/claims.json").read_text(encoding="utf-8"))
    return left


def test_every_exercise_of_the_book_is_run():
    for path in NOTEBOOKS:
        section = prose_of(path).split("## On your own")[1].split("## In practice")[0]
        told = set(re.findall(r"`([A-Z_]+ = [^`]+)`", section))
        run = {f"{key} = {json.dumps(value) if isinstance(value, str) else value}"
               for name, parameters in EXERCISES + ON_PHOTOS if name == path.stem for key, value in parameters.items()}
        assert told == run, path.stem


def test_exercises_of_00(exercises):
    left = exercises["00", 16, 12, 400]
    hits = left.tables["00-query-and-hits"]
    assert (hits["similarity"] * 16 % 1 == 0).all() and hits["distance"].duplicated().any()
    assert "(400, (28, 28)" in left.outputs


def test_exercises_of_01(exercises):
    assert "each picture's own mean is 0: True" in exercises["01", "image"].outputs
    assert "no value below 0: True" in exercises["01", "none"].outputs
    assert "no value below 0: False" in exercises["01", "image"].outputs


def test_exercises_of_02(exercises):
    base, changed = exercises["02",], exercises["02", False, "none"]
    last = [left.tables["02-history"]["accuracy"].iloc[-1] for left in (base, changed)]
    assert last[1] > last[0]
    assert abs(base["test_accuracy"] - changed["test_accuracy"]) < 0.1


def test_exercises_of_03(exercises):
    few_bits, uncentred, base = exercises["03", 16], exercises["03", False], expected("03-hash-with-vgg16")
    assert few_bits["ties_at_20"] > 0.9 and few_bits["ties_at_20"] > base["ties_at_20"]
    assert uncentred["ties_at_20"] > base["ties_at_20"]


def test_exercises_of_04(exercises):
    library = exercises["library"]
    assert library.n_bits == 256 and library.class_codes(0)[0].shape[1] == 32
    assert (library.hasher.mean == 0).all()


def test_exercises_of_05(exercises):
    left = exercises["05", 23, "table-1", 5]
    assert len(left.tables["05-query-and-hits"]) == 5
    assert left["in_class_precision_at_20_true_class_library"] == pytest.approx(left["decider_accuracy"], abs=1e-9)
    assert left["decider_accuracy"] != pytest.approx(expected("05-search-by-image")["decider_accuracy"], abs=1e-4)


def test_exercises_of_10(exercises):
    slower = exercises["10", 1, "none"].metrics["training_loss_with_minus_without_dropout"]
    assert slower["n"] == 1 and 0 < slower["low"] == slower["value"] == slower["high"]


def test_exercises_of_11(exercises):
    left = exercises["11", 3000, 1]
    growth = left.tables["11-growth"]
    assert list(growth["n_train"])[-2:] == [2000, 3000] and set(growth["seed"]) == {1}
    assert left["power_law_exponent"] == pytest.approx(law_of_error(growth[:-1], "accuracy").exponent.value)
    assert left["power_law_exponent"] < 0
    assert left["power_law_exponent"] != pytest.approx(expected("11-grow-the-data")["power_law_exponent"], abs=1e-4)


def test_exercises_of_12(exercises):
    left = exercises["12", 50, 1]
    assert left.metrics["query_time_ms_p50"]["n"] == 50
    assert left["extract_time_ms_p50"] > 0.5 * left["query_time_ms_p50"]
    base = expected("12-time-a-query")
    enough = [n_bits for n_bits in (64, 128, 256, 512, 1024, 2048)
              if base[f"precision_at_20_{n_bits}_bits"] > base["exact_precision_at_20"] - 0.01]
    assert 0.5 <= left["bits_for_equal_precision"] / min(enough) <= 2
    assert left["precision_at_20_64_bits"] != pytest.approx(base["precision_at_20_64_bits"], abs=1e-4)


def test_exercises_of_13(exercises):
    detected, few_words, base = exercises["13", "detected"], exercises["13", 20], expected("13-compare-sift-and-cnn")
    assert detected["sift_accuracy"] < base["sift_accuracy"] - 0.1
    assert detected["sift_direct_precision_at_20"] < base["sift_direct_precision_at_20"]
    assert detected["sift_accuracy"] < few_words["sift_accuracy"] < base["sift_accuracy"] + 0.02
    assert few_words["n_words"] == 20


def test_exercises_of_14(exercises):
    left, base = exercises["14", 10, "table-1"], expected("14-compare-direct-and-in-class")
    for kind in ("precision_at_20", "instance_recall_at_20"):
        assert left[f"likeliest_classes_{kind}"] == pytest.approx(left[f"direct_{kind}"], abs=1e-9)
    assert left["identity_largest_gap"] < 1e-9
    assert left["hits_of_the_query_class"] != pytest.approx(base["hits_of_the_query_class"], abs=1e-4)


def test_exercises_of_15(exercises_on_photos):
    left = exercises_on_photos["15", 256, "average"]
    base = expected_on_photos("15-search-photos", left)
    direct = "same_type_and_colour_direct_{}_share_of_possible"
    below_cosine = [values[direct.format("exact_cosine")] - values[direct.format("random")] for values in (left, base)]
    assert below_cosine[0] < below_cosine[1]
    gain = "in_class_minus_direct_same_type_and_colour_random"
    assert left[gain] < base[gain]
    sizes = "{}cosine_precision_at_20_64_px_few_photos"
    assert left[sizes.format("block5_")] == pytest.approx(base[sizes.format("block5_")], abs=1e-4)
    assert left[sizes.format("")] != pytest.approx(base[sizes.format("")], abs=1e-3)


def test_exercises_of_16(exercises_on_photos):
    left = exercises_on_photos["16", 2, False]
    difference = left.metrics["pretrained_minus_scratch_accuracy"]                  # of each size, with each seed
    assert difference["n"] == 2 * len(left.tables["16-transfer"])
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert (left.tables["16-transfer"]["seeds"] == 2).all()
    base = expected_on_photos("16-decide-on-photos", left)
    assert left["softmax_head_accuracy"] == pytest.approx(base["softmax_head_accuracy"], abs=1e-4)
    assert left["grey_table_1_accuracy"] != pytest.approx(base["grey_table_1_accuracy"], abs=1e-4)


def test_exercises_of_19(exercises):
    verdicts = {claim["id"]: claim["verdict"] for claim in exercises["claims"]}
    assert verdicts["input-range"] == "reproduced"
    assert "growth stands by chance in fewer than 1 of 6 permutations: True" in exercises["19", "none", 1].outputs
    assert "shuffled codes follow no angle: True" in exercises["19", "none", 1].outputs


def test_exercises_of_20(exercises):
    wide, narrow, base = exercises["20", 4], exercises["20", 16, 1], expected("20-choose-bits-tables-and-probes")
    for name in ("looked_at_one_table", "recall_of_one_table"):
        assert wide[name] > 2 * base[name] and narrow[name] < base[name] / 2
    seeds = next(table for name, table in narrow.tables.items() if {"lowest seed", "highest seed"} <= set(table))
    assert (seeds["lowest seed"] == seeds["highest seed"]).all()


def test_exercises_of_21(exercises):
    def width(left, name="slope_centred"):
        return left.metrics[name]["high"] - left.metrics[name]["low"]

    few_planes, few_pairs = exercises["21", 64], exercises["21", 1000, 1]
    assert 3 * width(few_pairs) < width(few_planes) < 12 * width(few_pairs)
    assert few_pairs["slope_centred"] != pytest.approx(expected("21-test-the-theory")["slope_centred"], abs=1e-5)
    assert few_pairs.metrics["slope_centred"]["low"] < 1 < few_pairs.metrics["slope_centred"]["high"]


def test_exercises_of_22(exercises):
    pooled, longer = exercises["22", "average"], exercises["22", 256]
    base = expected("22-choose-layer-and-pixels")
    for name in [name for name in base if name.startswith("precision_at_20_")]:
        assert longer[name] > base[name] + 0.02
    drawn = pooled.tables["22-precision-and-cost"].set_index("kind")["y"]
    assert drawn["block3_pool"] < base["precision_at_20_block3_pool_32_px_flat"]


def test_exercises_of_23(exercises):
    left, base = exercises["23", 1, 3], expected("23-learn-the-hash")
    assert base["random_64_bits_map"] < left["itq_64_bits_map"] < base["itq_64_bits_map"]
    moved = {name: abs(left[f"{name}_48_bits_map"] - base[f"{name}_48_bits_map"])
             for name in ("pca_sign", "random", "learned")}
    assert moved["pca_sign"] < 0.002 < min(moved["random"], moved["learned"])


def test_exercises_of_24(exercises):
    left, base = exercises["24", 256, 4], expected("24-rank-the-gaps")
    assert left["largest_change_bits"] < base["largest_change_bits"]
    assert left["largest_change_plane_seed"] != pytest.approx(base["largest_change_plane_seed"], abs=1e-6)


def test_exercises_of_25(exercises):
    left, base = exercises["25", 12, 1], expected("25-audit-the-data")
    within = left.tables["25-how-near"].query("kind == 'nearest other picture'").set_index("x")["y"]
    assert left["near_duplicates_across_split"] == pytest.approx(within[12.0], abs=1e-6)
    assert within[12.0] > 3 * within[5.0] > 0
    assert left["exact_duplicates_across_split"] == base["exact_duplicates_across_split"]
    assert left["near_duplicates_across_split"] > 3 * base["near_duplicates_across_split"]
    moved = left["direct_precision_at_20"] - base["direct_precision_at_20"]
    assert 1e-6 < abs(moved) < 0.05


def test_exercises_of_60(exercises):
    left, base = exercises["60", 256, 3], expected("60-spread-the-work")
    assert left["spread_identity_of_libraries"] == base["spread_identity_of_libraries"] == 1
    assert left["spread_library_bytes_an_item"] > base["spread_library_bytes_an_item"] + 256 / 8 - 64 / 8 - 1
    assert "3 workers" in left.tables["60-spread"]["name"].tolist()


def test_exercises_of_61(exercises):
    left = exercises["61", 1]
    thorough = {name: left[name] for name in left.metrics if name.endswith("recall_at_1_thorough")}
    assert len(thorough) == 4 and min(thorough.values()) > 0.9


def test_exercises_of_26(exercises_on_photos):
    left, others = exercises_on_photos["26", 256], exercises_on_photos["26", 1]
    assert left["shop_minus_street_class_agreement_at_20"] > 0.1
    assert others.photos != left.photos
    moved = others["street_decider_accuracy"] - left["street_decider_accuracy"]
    assert 1e-6 < abs(moved) < 0.1
    base = expected_on_photos("26-search-the-shop-by-phone", left)
    assert left["shop_class_agreement_at_20"] > base["shop_class_agreement_at_20"]
    assert left["street_decider_accuracy"] == pytest.approx(base["street_decider_accuracy"], abs=0.02)


def test_exercises_of_30(exercises_on_photos):
    left = exercises_on_photos["30", 1, 1]
    base = expected_on_photos("30-see-why-sigmoid", left)
    assert left["softmax_one_half_subset_accuracy"] > base["softmax_one_half_subset_accuracy"] + 0.05
    assert left["softmax_demo_error"] == pytest.approx(base["softmax_demo_error"], abs=1e-4)


def test_exercises_of_31(exercises_on_photos):
    left = exercises_on_photos["31", 1, 48]
    base = expected_on_photos("31-train-multi-label", left)
    assert left.metrics["macro_f1"]["n"] == 1 and left.metrics["macro_f1"]["low"] == left.metrics["macro_f1"]["high"]
    assert left["parameters"] > base["parameters"]


def test_exercises_of_32(exercises_on_photos):
    left = exercises_on_photos["32", 1, 1]
    for name in ("tuning_loss_past_20_minus_before", "tuning_minus_training_loss_rise"):
        assert left.metrics[name]["n"] == 1 and left.metrics[name]["low"] == left.metrics[name]["high"]
    verdicts = left.tables["32-verdicts"].set_index("claim")["verdict"]
    assert verdicts["3: the data set has 6 classes"] == "contradicted"
    assert verdicts["2: softmax of (-1, 5, -.5, 5, -.5)"] == "reproduced"


def test_exercises_of_33(exercises_on_photos):
    left = exercises_on_photos["33", 1, 256]
    base = expected_on_photos("33-search-by-attributes", left)
    one, likeliest = "type_x_colour_type_and_colour_precision_at_20", "likeliest_type_and_colour_precision_at_20"
    assert left[likeliest] == pytest.approx(left[one], abs=1e-9)
    assert left[one] == pytest.approx(base[one], abs=0.02)
    direct = "direct_type_and_colour_precision_at_20"
    assert left[direct] > base[direct]


def test_exercises_of_40(exercises_on_photos):
    palette, others = exercises_on_photos["40", "palette"], exercises_on_photos["40", 1]
    base = expected_on_photos("40-describe-by-hand", palette)
    for name in ("hog", "harris_corners"):
        assert palette[f"hand_top_20_{name}_l1"] == pytest.approx(base[f"hand_top_20_{name}_l1"], abs=1e-4)
    of_colour = "hand_top_20_colour_histogram_l1"
    assert palette[of_colour] != pytest.approx(base[of_colour], abs=1e-3)
    assert others.photos != palette.photos and others["hand_top_20"] > 2 * others["hand_chance_top_20"]


def test_exercises_of_41(exercises_on_photos):
    larger, others = exercises_on_photos["41", 48], exercises_on_photos["41", 1]
    base = expected_on_photos("41-describe-by-network", larger)
    assert larger["vgg16_n_parameters"] == base["vgg16_n_parameters"] == 138_357_544
    assert larger["vgg16_flat_top_20_cosine"] != pytest.approx(base["vgg16_flat_top_20_cosine"], abs=1e-3)
    assert others.photos != larger.photos
    assert others["silhouette_by_domain"] > others["silhouette_by_category"]


def test_exercises_of_42(exercises_on_photos):
    others, thrice = exercises_on_photos["42", 1], exercises_on_photos["42", 3]
    assert others["siamese_top_20_all_other_colour"] > others["network_top_20_all_other_colour"]
    trainings = thrice.metrics["siamese_top_20_over_trainings"]
    assert trainings["n"] == 3 and trainings["low"] < trainings["value"] < trainings["high"]
    assert others.metrics["siamese_top_20_over_trainings"]["n"] == 1


def test_exercises_of_43(exercises_on_photos):
    at = [exercises_on_photos["43", 16], exercises_on_photos["43",], exercises_on_photos["43", 256]]
    direct = (left.tables["43-routes"].query("kind == 'direct'").set_index("name")["value"] for left in at)
    fewer, base, more = (values[values.index.str.startswith("learned")] for values in direct)
    assert len(more) == 2 and (more > base).all() and (base > fewer).all()


def test_exercises_of_50(exercises_on_photos):
    others, base = exercises_on_photos["50", 1], exercises_on_photos["50",]
    assert others.photos != base.photos
    assert others["cosine_true_box_top_20_all"] > others["cosine_whole_top_20_all"]


def test_exercises_of_51(exercises_on_photos):
    left = exercises_on_photos["51", 1]
    base = expected_on_photos("51-wtbi", left)
    assert left["n_seeds"] == 1
    assert left["difference_hardest_in_category_top_20"] == pytest.approx(base["difference_hardest_in_category_top_20"],
                                                                          abs=0.1)


def test_exercises_of_52_and_53(exercises_on_photos):
    for key, name in (("52", "darn_minus_cosine_top_20_over_trainings"),
                      ("53", "fashionnet_minus_cosine_top_20_over_trainings")):
        left = exercises_on_photos[key, 2]
        assert left["n_seeds"] == 2 == left.metrics[name]["n"]
        assert left.metrics[name]["low"] <= left[name] <= left.metrics[name]["high"]
    base = expected_on_photos("53-fashionnet", exercises_on_photos["53", 2])
    assert exercises_on_photos["53", 2]["landmark_error"] == pytest.approx(base["landmark_error"], abs=1e-3)


def test_exercises_of_54(exercises_on_photos):
    left = exercises_on_photos["54", 16]
    base = expected_on_photos("54-framework", left)
    for name in ("framework_hashed_top_20", "framework_signs_top_20"):
        assert left[name] < base[name]
    assert left["lda_8_numbers_top_20"] == pytest.approx(base["lda_8_numbers_top_20"], abs=0.02)


def test_exercises_of_59(exercises_on_photos):
    left = exercises_on_photos["59", 16]
    base = expected_on_photos("59-compare-all", left)
    assert left["fashion16_16_bits_top_20"] < base["fashion16_64_bits_top_20"]


def test_exercises_of_55(exercises_on_photos):
    left = exercises_on_photos["55", 5]
    base = expected_on_photos("55-mine-data", left)
    returned = [name for name in base if name.startswith("keywords_") and name.endswith("_as_returned")]
    assert len(returned) == 4 and all(left[name] > base[name] for name in returned)


def test_exercises_of_56(exercises_on_photos):
    others, more = exercises_on_photos["56", 1], exercises_on_photos["56", 20]
    base = expected_on_photos("56-match-outfits", more)
    assert others.photos != more.photos
    assert others["outfit_vgg16_room_top_5"] > others["outfit_vgg16_garment_top_5"]
    for method in ("vgg16_room", "siamese_room", "library_room", "chance"):
        assert more[f"outfit_{method}_top_20"] > base[f"outfit_{method}_top_5"]
