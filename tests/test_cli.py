"""The command line: build on a folder of pictures, search, info; bad input costs one line and harms nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLOSET_CLASSES, CLOSET_SIZE
from PIL import Image

from fashion16_lib.__main__ import main
from fashion16_lib.data.pictures import read_image
from fashion16_lib.search.library import Library
from fashion16_lib.search.library_file import SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[1]
KEYS = {"image", "label", "probabilities", "mode", "hits", "code", "time_ms"}
BITS, ITEMS = 64, len(CLOSET_CLASSES) * CLOSET_SIZE


@pytest.fixture(autouse=True)
def elsewhere(private_data, tmp_path, monkeypatch):
    """Keep the feature cache and all outputs out of the checkout."""
    monkeypatch.setenv("FASHION16_DATA", str(private_data))
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path / "out"))


def built_by(arguments):
    assert main(["build", *map(str, arguments)]) == 0


@pytest.fixture(scope="module")
def library(closet, private_data, tmp_path_factory):
    """Return the library that `build` makes of the closet."""
    path = tmp_path_factory.mktemp("cli") / "closet.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_DATA", str(private_data))
        built_by(["--data", closet, "--out", path, "--pixels", 32])
    return path


def searched(capsys, *arguments):
    capsys.readouterr()
    assert main(["search", *map(str, arguments), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


# ---------------------------------------------------------------- build, search, info


def test_build_stores_the_folders_pictures_in_the_order_of_their_names(library, closet):
    opened = Library(library)
    ids = sorted(path.relative_to(closet).as_posix() for path in closet.rglob("*") if path.is_file())
    assert opened.ids() == ids and len(ids) == ITEMS
    assert opened.class_names == CLOSET_CLASSES and opened.counts == dict.fromkeys(CLOSET_CLASSES, CLOSET_SIZE)
    names = [opened.label_name(label) for label in opened.labels(np.arange(ITEMS))]
    assert names == [name.split("/")[0] for name in ids]
    assert opened.n_bits == BITS and opened.settings["extractor"]["pixels"] == 32


def test_build_says_what_it_made_and_what_it_left_out(closet, tmp_path, capsys):
    folder = shutil.copytree(closet, tmp_path / "mine")
    (folder / "Bag/notes.txt").write_text("mine")
    half = folder / "Bag/half.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(half)
    half.write_bytes(half.read_bytes()[:900])
    Image.new("L", (1, 1)).save(folder / "Trouser/dot.png")
    built_by(["--data", folder, "--out", tmp_path / "mine.h5", "--pixels", 32, "--bits", 16])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'mine.h5'}: {ITEMS} items in 3 classes, 16 bits, 3 files skipped\n"
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        "skipped Bag/half.jpg",
        "skipped Bag/notes.txt",
        "skipped Trouser/dot.png",
    ]


def test_build_from_a_zip_of_class_folders_is_the_same_library(library, closet, tmp_path, capsys):
    packed = shutil.make_archive(str(tmp_path / "mine"), "zip", closet.parent, closet.name)
    built_by(["--data", packed, "--out", tmp_path / "mine.h5", "--pixels", 32, "--bits", BITS])
    assert f"{ITEMS} items in 3 classes" in capsys.readouterr().out
    from_zip, from_folder = Library(tmp_path / "mine.h5"), Library(library)
    assert (from_zip.all_codes() == from_folder.all_codes()).all()
    assert from_zip.ids(np.arange(1)) == [f"{closet.name}/{from_folder.ids()[0]}"]


def test_search_as_json(library, closet, capsys):
    pictures = [closet / "Bag/3.jpg", closet / "Trouser/4.png"]
    answers = searched(capsys, library, *pictures, "-k", 7)
    assert [answer["image"] for answer in answers] == list(map(str, pictures))
    for answer in answers:
        assert set(answer) == KEYS and answer["mode"] == "in-class" and len(answer["hits"]) == 7
        assert set(answer["probabilities"]) == set(CLOSET_CLASSES)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert all(time >= 0 for time in answer["time_ms"].values()) and "decode" in answer["time_ms"]
        for hit in answer["hits"]:
            assert list(hit) == ["id", "label", "similarity", "distance", "code"]
            assert hit["similarity"] == pytest.approx(1 - hit["distance"] / BITS)
            assert hit["label"] == hit["id"].split("/")[0] == answer["label"] and (closet / hit["id"]).is_file()


@pytest.mark.parametrize("direct", [False, True], ids=["in class", "direct"])
def test_hits_come_by_distance_then_row_and_are_the_true_nearest(library, closet, capsys, vgg, direct):
    """Brute force over the codes in the file; the rows are the ids sorted as text."""
    picture = closet / "Ankle boot/7.jpg"
    (answer,) = searched(capsys, library, picture, "-k", ITEMS, *(["--direct"] if direct else []))
    opened = Library(library)
    code = opened.hasher.encode(vgg.extract([read_image(picture)]))[0]
    ids = opened.ids()
    wanted = sorted(
        (bin(int.from_bytes(code.tobytes()) ^ int.from_bytes(stored.tobytes())).count("1"), row)
        for row, stored in enumerate(opened.all_codes())
        if direct or ids[row].startswith(answer["label"] + "/")
    )
    assert [(hit["distance"], hit["id"]) for hit in answer["hits"]] == [
        (distance, ids[row]) for distance, row in wanted
    ]
    assert answer["mode"] == ("direct" if direct else "in-class")
    assert len(wanted) == (ITEMS if direct else CLOSET_SIZE) and answer["hits"][0]["distance"] == 0


def test_search_for_people_says_the_same(library, closet, capsys):
    picture = closet / "Bag/3.jpg"
    (answer,) = searched(capsys, library, picture)
    assert main(["search", str(library), str(picture)]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{picture}: taken for {answer['label']} (") and "in-class search" in first
    assert len(rows) == len(answer["hits"]) == 20  # the default k
    assert [row.split()[-1] for row in rows] == [hit["id"].split()[-1] for hit in answer["hits"]]


def test_reranked_and_other_engines(closet, tmp_path, capsys):
    built_by(["--data", closet, "--out", tmp_path / "kept.h5", "--pixels", 32, "--keep-features", "--hash", "itq"])
    picture = closet / "Bag/3.jpg"
    (plain,), (slow,), (reranked,) = (
        searched(capsys, tmp_path / "kept.h5", picture, *more)
        for more in ([], ["--engine", "numpy"], ["--rerank", 30]))
    assert slow["hits"] == plain["hits"]
    similarities = [hit["similarity"] for hit in reranked["hits"]]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] == pytest.approx(1, abs=1e-3)
    assert reranked["hits"][0]["id"] == "Bag/3.jpg"
    assert Library(tmp_path / "kept.h5").settings["hash"]["kind"] == "itq"


def test_items_are_added_and_removed(closet, library, tmp_path, capsys):
    parts = tmp_path / "more", tmp_path / "first"
    for name in CLOSET_CLASSES:
        for part, pictures in zip(parts, (sorted((closet / name).iterdir())[:5], sorted((closet / name).iterdir())[5:]),
                                  strict=True):
            (part / name).mkdir(parents=True)
            for picture in pictures:
                shutil.copy(picture, part / name)
    out = tmp_path / "grown.h5"
    built_by(["--data", parts[1], "--out", out, "--pixels", 32])
    before = Library(out)
    assert main(["add", str(out), "--data", str(parts[0])]) == 0
    assert capsys.readouterr().out.endswith(f"{out}: 15 items added, {ITEMS} in all\n")
    grown = Library(out)
    assert grown.counts == dict.fromkeys(CLOSET_CLASSES, CLOSET_SIZE)
    np.testing.assert_array_equal(grown.all_codes()[:ITEMS - 15], before.all_codes())
    added = closet / grown.ids()[-1]
    (answer,) = searched(capsys, out, added, "--direct", "-k", 1)
    assert answer["hits"][0]["distance"] == 0
    assert main(["add", str(out), "--data", str(parts[0])]) == 1
    assert "ids must be new to the library" in capsys.readouterr().err
    assert main(["remove", str(out), *grown.ids()[-15:]]) == 0
    assert capsys.readouterr().out == f"{out}: 15 items removed, {ITEMS - 15} left\n"
    np.testing.assert_array_equal(Library(out).all_codes(), before.all_codes())
    assert main(["remove", str(out), "Bag/nobody.png"]) == 1
    assert "got 'Bag/nobody.png', which isn't there" in capsys.readouterr().err


def test_info_counts_by_class(library, capsys):
    assert main(["info", str(library), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["items"] == ITEMS and found["classes"] == dict.fromkeys(CLOSET_CLASSES, CLOSET_SIZE)
    assert found["bytes"] == library.stat().st_size and found["schema_version"] == SCHEMA_VERSION
    assert found["hash"] == {"kind": "random", "n_bits": BITS, "seed": 0, "centred": True}
    assert found["extractor"]["layer"] == "block4_pool" and found["decider"]["kind"] == "softmax-head"
    assert main(["info", str(library)]) == 0
    text = capsys.readouterr().out
    assert f"items: {ITEMS}" in text and all(f"  {name}: {CLOSET_SIZE}" in text for name in CLOSET_CLASSES)


def test_info_without_a_library_tells_the_caches_size(private_data, library, capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    held = sum(path.stat().st_size for path in (private_data / "cache").rglob("*.h5"))
    assert found["feature_cache_bytes"] == held > 0 and found["data_folder"] == str(private_data)


def test_a_table_1_model_decides_where_it_is_given(closet, photos, tmp_path, capsys, library):
    from fashion16_lib.data.dataset import load_class_folder
    from fashion16_lib.models.classifier import Table1Classifier

    pictures = load_class_folder(closet)
    classifier = Table1Classifier.train(pictures, pictures.take([0, 40, 80]), epochs=1)
    classifier.save(tmp_path / "table-1.keras")
    mine, picture = tmp_path / "mine.h5", closet / "Bag/3.jpg"
    built_by(["--data", closet, "--out", mine, "--pixels", 32, "--classifier", tmp_path / "table-1.keras"])
    (answer,) = searched(capsys, mine, picture, "--classifier", tmp_path / "table-1.keras")
    expected = dict(zip(CLOSET_CLASSES, classifier.predict_proba([read_image(picture)])[0].tolist(), strict=True))
    assert answer["probabilities"] == pytest.approx(expected, abs=1e-5)
    (without,) = searched(capsys, mine, picture, "--direct")  # needs no classifier
    assert without["label"] is None and without["probabilities"] == {} and len(without["hits"]) == 20
    assert main(["search", str(mine), str(picture)]) == 1
    assert "--classifier FILE" in one_line(capsys)
    assert main(["search", str(library), str(picture), "--classifier", str(tmp_path / "table-1.keras")]) == 1
    assert "was built with another classifier" in one_line(capsys)


@pytest.mark.parametrize(
    "options", [["--uncentred"], ["--seed", "1"], ["--bits", "128"], ["--layer", "block5_pool"]], ids=str
)
def test_options_reach_the_library(closet, library, tmp_path, options):
    built_by(["--data", closet, "--out", tmp_path / "other.h5", "--pixels", 32, *options])
    one, other = Library(library), Library(tmp_path / "other.h5")
    assert one.settings != other.settings
    assert one.all_codes().shape != other.all_codes().shape or (one.all_codes() != other.all_codes()).any()


# ---------------------------------------------------------------- bad input


def one_line(capsys):
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and err.endswith("\n"), (out, err)
    return err


@pytest.fixture
def bad(tmp_path, library, closet):
    """Return the words that a bad command line is made of."""
    (tmp_path / "text.jpg").write_text("a garment\n")
    (tmp_path / "empty").mkdir()
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    (tmp_path / "broken.h5").write_bytes(library.read_bytes()[:-100])
    out = tmp_path / "out.h5"
    out.write_bytes(b"an earlier library")
    return {
        "LIBRARY": library,
        "PICTURE": closet / "Bag/3.jpg",
        "TEXT": tmp_path / "text.jpg",
        "DOT": tmp_path / "dot.png",
        "EMPTY": tmp_path / "empty",
        "BROKEN": tmp_path / "broken.h5",
        "NOWHERE": tmp_path / "nowhere",
        "OUT": out,
        "CLOSET": closet,
    }


BAD = [
    ("search LIBRARY TEXT", 1, "text.jpg: got no picture, expected a JPEG or PNG; save it as one"),
    ("search LIBRARY DOT", 1, "dot.png: got 1x1 pixels, expected sides of 8 or more; use a larger picture"),
    ("search LIBRARY NOWHERE", 1, "nowhere: cannot be opened (no such file); check the path"),
    ("search LIBRARY EMPTY", 1, "cannot be opened"),
    ("search LIBRARY PICTURE TEXT", 1, "got no picture"),
    ("search LIBRARY PICTURE -k 0", 1, f"from 1 to the number of items in the library, got 0; use 1 to {ITEMS}"),
    ("search LIBRARY PICTURE -k -3", 1, "got -3"),
    (f"search LIBRARY PICTURE -k {ITEMS + 1}", 1, f"got {ITEMS + 1}; use 1 to {ITEMS}"),
    ("search LIBRARY PICTURE -k many", 2, "invalid int value: 'many'"),
    ("search LIBRARY", 2, "required: IMAGE"),
    ("search NOWHERE PICTURE", 1, "no library file at"),
    ("search BROKEN PICTURE", 1, "can't be read as a library"),
    ("search LIBRARY PICTURE --classifier NOWHERE", 1, "can't be used as a Table 1 classifier"),
    ("info NOWHERE", 1, "build one with: python -m fashion16_lib build"),
    ("info TEXT", 1, "can't be read as a library"),
    ("build --data EMPTY --out OUT", 1, "got 0 classes with pictures, expected at least 2"),
    ("build --data NOWHERE --out OUT", 1, "got no folder"),
    ("build --data CLOSET --out OUT --bits 12", 1, "n_bits must be a positive multiple of 8, got 12"),
    ("build --data CLOSET --out OUT --pixels 16", 1, "pixels must be a whole number from 32 to 1024, got 16"),
    ("build --data CLOSET --out OUT --layer fc1", 2, "invalid choice: 'fc1'"),
    ("build --data CLOSET --out OUT --split-by colour", 2, "invalid choice: 'colour'"),
    ("build --data CLOSET --out OUT --classifier NOWHERE", 1, "can't be used as a Table 1 classifier"),
    ("build --data CLOSET", 2, "required: --out"),
    ("build --data fashion-mnist --profile huge --out OUT", 2, "invalid choice: 'huge' (choose from"),
    ("run 00 --profile huge", 2, "invalid choice: 'huge'"),
    ("run 00 -p N_BIT 64", 1, "N_BIT"),
    ("run 00 -p SEED -1", 1, "SEED must be a whole number"),
    ("run 97", 1, "97"),
    ("serch LIBRARY PICTURE", 2, "invalid choice: 'serch'"),
    ("", 2, "required: COMMAND"),
    ("search LIBRARY PICTURE --fast", 2, "unrecognized arguments: --fast"),
]


@pytest.mark.parametrize(("command", "code", "said"), BAD, ids=[command or "nothing" for command, _, _ in BAD])
def test_bad_input_costs_one_line_and_harms_nothing(bad, capsys, command, code, said):
    capsys.readouterr()
    try:
        got = main([str(bad.get(word, word)) for word in command.split()])
    except SystemExit as stop:  # argparse's way
        got = stop.code
    line = one_line(capsys)
    assert (got, said in line) == (code, True), line
    assert line.startswith("fashion16")
    assert bad["OUT"].read_bytes() == b"an earlier library"
    assert [path.name for path in bad["OUT"].parent.glob(".*")] == []


def test_misspelt_parameter_names_the_one_that_was_meant(capsys):
    assert main(["run", "04", "-p", "N_BIT", "64"]) == 1
    assert "N_BITS" in one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["search", "nowhere.h5", "a.png"], 1), (["serch"], 2), (["--help"], 0)], ids=str
)
def test_exit_code_and_stderr_of_the_real_program(tmp_path, arguments, code):
    done = subprocess.run(
        [sys.executable, "-m", "fashion16_lib", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (1 if code else 0) and "Traceback" not in done.stderr
    assert bool(done.stdout) == (code == 0)


def test_the_backends_start_up_messages_stay_out_of_a_real_search(library, closet, private_data, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [
        sys.executable,
        "-m",
        "fashion16_lib",
        "search",
        str(library),
        str(closet / "Bag/3.jpg"),
        "--json",
        "-k",
        "2",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment, "PYTHONPATH": str(ROOT), "FASHION16_DATA": str(private_data)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) == KEYS


def test_interrupted_is_130(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fashion16_lib.commands._library_info", interrupt)
    assert main(["info", "x.h5"]) == 130
    assert "interrupted; the same command goes on" in one_line(capsys)


# ---------------------------------------------------------------- a rerun against what is expected of it


@pytest.fixture
def rerun(tmp_path, monkeypatch):
    """Return a function that writes a run's metrics; what is expected lies in a project of its own."""
    monkeypatch.setattr("fashion16_lib.__main__.home", lambda: tmp_path / "project")

    def write(**values):
        from fashion16_lib.evaluate.records import metric, write_metrics

        records = [metric(name, value) for name, value in values.items()]
        write_metrics(tmp_path / "out/results/smoke/metrics/02-train.json", {}, records)

    return write


TRUSTED = {"parameters": 64, "test_accuracy": 0.75, "seconds_per_epoch": 3.0}


def test_expect_writes_what_compare_holds_a_rerun_to(rerun, tmp_path, capsys):
    rerun(**TRUSTED)
    assert main(["expect", "--profile", "smoke"]) == 0
    path = tmp_path / "project/results/expected/smoke.json"
    assert capsys.readouterr().out == f"{path}\n" and json.loads(path.read_text())["02-train"].keys() == {
        "parameters", "test_accuracy"
    }
    assert main(["compare", "--profile", "smoke"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "2 agree, 0 differ" and "NO" not in out and err == ""


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"test_accuracy": 0.66}, "0.6600"), ({"parameters": 65}, "65"), ({"parameters": None}, "missing")],
    ids=["difference", "count", "missing"],
)
def test_compare_fails_on_a_difference_or_a_missing_metric(rerun, capsys, changed, found):
    rerun(**TRUSTED)
    assert main(["expect", "--profile", "smoke"]) == 0
    rerun(**{name: value for name, value in (TRUSTED | changed).items() if value is not None})
    capsys.readouterr()
    assert main(["compare", "--profile", "smoke"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 agree, 1 differ"
    assert [cell.strip() for cell in lines[2].split("|")[2::3]] == [*changed, found]  # the difference comes first
    assert lines[2].rstrip(" |").endswith("NO") and lines[3].rstrip(" |").endswith("yes")


def test_compare_and_expect_without_their_files_say_what_to_run(rerun, capsys):
    assert main(["expect", "--profile", "smoke"]) == 1
    assert "no metrics in" in one_line(capsys)
    assert main(["compare", "--profile", "smoke"]) == 1
    assert "python -m fashion16_lib expect" in one_line(capsys)


RUNNER = """#!/bin/sh
echo "$FASHION16_OUT $* $(ls build/verify 2>/dev/null)" >> calls
case $1 in run) mkdir -p "$FASHION16_OUT/build" ;; $FAILS) exit 1 ;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")
@pytest.mark.parametrize("fails", ["nothing", "compare"])
def test_verify_runs_in_an_empty_folder_then_compares_and_fails_where_that_fails(tmp_path, fails):
    """The real Makefile, with a runner that writes down how it was called and what lay in the folder then."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.complete", "build/verify/build/quick/stamps/02.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runner").write_text(RUNNER)
    (tmp_path / "runner").chmod(0o755)
    environment = {**os.environ, "FAILS": fails, "FASHION16_OUT": ""}
    command, smoke = ["make", "verify", "PROFILE=smoke", "RUN=./runner"], "--profile smoke --dataset fashion-mnist"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (tmp_path / "calls").read_text().splitlines() == [
        " fetch build", f"build/verify run {smoke} ", f"build/verify compare {smoke} build"
    ], done.stderr
    assert (done.returncode == 0) == (fails == "nothing")
    assert not (tmp_path / "build/verify/build/quick").exists()
