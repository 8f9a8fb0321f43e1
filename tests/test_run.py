"""The notebook runner: names, parameters, content stamps, what it shows and what it publishes."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from fashion16_lib.run import (
    Monitor,
    imports,
    publish,
    run_book,
    run_notebooks,
    seconds_left,
    stamps,
    without_machine_paths,
)
from fashion16_lib.run.notebook import choose_notebooks, read_notebook
from fashion16_lib.run.parameters import parse_parameters
from fashion16_lib.run.photos import missing
from fashion16_lib.settings import build_folder, home, results_folder

LIBRARY = {
    "__init__.py": '_LAZY = {"encode": "fashion16_lib.search.codes"}\n',
    "settings.py": "K = 20\n",
    "data/images.py": "from ..settings import K\n",
    "search/__init__.py": "",
    "search/codes.py": "def encode():\n    from fashion16_lib.search import planes\n    return planes\n",
    "search/planes.py": "SIDE = 1\n",
}


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """Return an empty notebooks folder; build/ and results/ go beside it."""
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path / "out"))
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path, monkeypatch) -> Path:
    """Return a small library to change; the stamps read it, the kernels don't."""
    folder = tmp_path / "fashion16_lib"
    for name, text in LIBRARY.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(imports, "LIBRARY", folder)
    return folder


def write(folder: Path, name: str, *cells: str, parameters: str = 'PROFILE = "quick"', **declared: list[str]) -> Path:
    """Write a notebook: a heading, the parameters, code cells."""
    node = nbformat.v4.new_notebook(metadata={"fashion16": declared} if declared else {})
    node.cells = [nbformat.v4.new_markdown_cell("# Hash", id="heading")]
    node.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters"))
    node.cells += [nbformat.v4.new_code_cell(cell, id=f"cell-{index}") for index, cell in enumerate(cells)]
    nbformat.write(node, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def statuses(folder: Path, names: list[str] | None = None, **options) -> list[str]:
    """Run at smoke; return each notebook's status."""
    return [outcome.status for outcome in run_book(names, "smoke", notebooks_folder=folder, **options).outcomes]


# ---------------------------------------------------------------- names and parameters

def test_names_resolve_in_the_books_order(book):
    for name in ("02-train", "01-prepare", "10-judge"):
        write(book, name)
    (book / "draft.ipynb").write_text("not part of the book")
    names = [path.stem for path in choose_notebooks(None, book)]
    assert names == ["01-prepare", "02-train", "10-judge"]
    chosen = choose_notebooks(["10", "01-prepare.ipynb", "notebooks/01-prepare.ipynb", "01-prepare"], book)
    assert [path.stem for path in chosen] == ["01-prepare", "10-judge"]


@pytest.mark.parametrize("name", ["03", "1", "", "02-trian", "draft", "*"])
def test_unknown_name_is_refused_with_the_legal_ones(book, name):
    write(book, "01-prepare")
    write(book, "02-train")
    with pytest.raises(ValueError, match="notebook must be one of 01-prepare, 02-train, got"):
        run_notebooks([name], "smoke", notebooks_folder=book)


def test_ambiguous_number_and_empty_folder_are_refused(book):
    with pytest.raises(ValueError, match=r"must hold notebooks named NN-title\.ipynb, got none"):
        run_notebooks(None, "smoke", notebooks_folder=book)
    write(book, "01-a")
    write(book, "01-b")
    with pytest.raises(ValueError, match="notebook must be one of 01-a, 01-b, got '01'"):
        run_notebooks(["01"], "smoke", notebooks_folder=book)
    with pytest.raises(ValueError, match="profile must be one of smoke, quick, full, got 'big'"):
        run_notebooks(["01-a"], "big", notebooks_folder=book)


def test_parameters_are_read_from_the_syntax_tree():
    source = '"""Legal values beside them."""'
    with pytest.raises(ValueError, match="must hold lines like"):
        parse_parameters(source)
    source = 'PROFILE = "a = # b"  # smoke\nSEED: int = -1\nSIZES = [\n    1,  # = 2\n    2,\n]\nMEAN = None'
    assert parse_parameters(source) == {"PROFILE": "a = # b", "SEED": -1, "SIZES": [1, 2], "MEAN": None}


@pytest.mark.parametrize(("declared", "message"), [
    ({"read": ["a"]}, "may hold requires, reads, writes"),
    ({"reads": "a"}, "must be a list"),
    ({"writes": ["../a"]}, "path below the build folder"),
    ({"writes": ["results:/etc/a"]}, "path below the build folder"),
    ({"reads": ["a"], "writes": ["a"]}, "must not overwrite what it reads"),
])
def test_wrong_declarations_are_refused(book, declared, message):
    with pytest.raises(ValueError, match=message):
        read_notebook(write(book, "01-a", **declared))


# ---------------------------------------------------------------- what a notebook depends on

@pytest.mark.parametrize(("source", "expected"), [
    ("import numpy", set()),
    ("import fashion16_lib.settings", {"__init__.py", "settings.py"}),
    ("from fashion16_lib import settings", {"__init__.py", "settings.py"}),
    ("from fashion16_lib.data.images import K", {"__init__.py", "data/images.py", "settings.py"}),
    ("%time\nfrom fashion16_lib.data import images", {"__init__.py", "data/images.py", "settings.py"}),
    ("def f():\n    from fashion16_lib import encode",
     {"__init__.py", "search/__init__.py", "search/codes.py", "search/planes.py"}),
    ("from importlib import import_module as m\nm('fashion16_lib.search.planes')",
     {"__init__.py", "search/__init__.py", "search/planes.py"}),
    ("if TYPE_CHECKING:\n    import fashion16_lib.settings", set()),
    ("from fashion16_lib import decode", set(LIBRARY)),
    ("from fashion16_lib import *", set(LIBRARY)),
    ("import fashion16_lib as f16", set(LIBRARY)),
    ("%%bash\nls *.ipynb | wc", set(LIBRARY)),
])
def test_library_files_of_a_cell(library, source, expected):
    assert set(imports.library_files([source])) == expected


def test_a_new_lazy_name_concerns_no_notebook(library):
    before = imports.library_files(["from fashion16_lib import encode"])
    table = '_LAZY = {"encode": "fashion16_lib.search.codes", "K": "fashion16_lib.settings"}\n'
    (library / "__init__.py").write_text(table)
    assert imports.library_files(["from fashion16_lib import encode"]) == before
    (library / "__init__.py").write_text(table + "VERSION = 2\n")
    assert imports.library_files(["from fashion16_lib import encode"]) != before


def test_the_librarys_own_imports_can_all_be_read():
    files = imports.library_files(["import fashion16_lib"])
    assert {"settings.py", "run/book.py", "run/stamps.py"} <= set(files)
    assert {"run/book.py", "run/stamps.py", "settings.py"} <= set(imports.library_files(["import fashion16_lib.run"]))


def test_digest_sees_every_byte_but_no_date_of_a_keras_file(tmp_path):
    import zipfile

    def save(path: Path, weights: bytes, date: str, day: int) -> str | None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("model.weights.h5", (2024, 1, day, 0, 0, 0)), weights)
            archive.writestr("metadata.json", date)
        return stamps.digest(path)

    first = save(tmp_path / "a.keras", b"weights", "Monday", 1)
    assert save(tmp_path / "b.keras", b"weights", "Tuesday", 2) == first
    assert save(tmp_path / "c.keras", b"weighty", "Monday", 1) != first
    (tmp_path / "d.keras").write_bytes((tmp_path / "a.keras").read_bytes().replace(b"weights", b"weightz", 1))
    assert stamps.digest(tmp_path / "d.keras") not in (first, None)
    assert stamps.digest(tmp_path / "none") is None
    assert stamps.digest(tmp_path) is not None


# ---------------------------------------------------------------- stamps over real runs

def test_only_what_a_change_concerns_runs_again(book, library):
    out = "import os\nfrom pathlib import Path\nbuild = Path(os.environ['FASHION16_OUT']) / 'build/smoke'"
    uses_planes = "if False:\n    from fashion16_lib.search.planes import SIDE"
    first = write(book, "01-a", out, uses_planes, "(build / 'a.txt').write_text('a')", writes=["a.txt"],
                  parameters='PROFILE = "quick"\nSEED = 0')
    write(book, "02-b", out, "(build / 'b.txt').write_text((build / 'a.txt').read_text())", reads=["a.txt"],
          writes=["b.txt"])
    write(book, "03-c", "1")
    assert statuses(book) == ["ran (first run)"] * 3
    assert statuses(book) == ["up to date"] * 3

    node = nbformat.read(first, 4)                           # saved in Jupyter: new words, outputs, counts
    node.cells[0].source = "# Other words"
    node.cells[-1].outputs = [nbformat.v4.new_output("stream", text="old")]
    node.cells[-1].execution_count = 7
    nbformat.write(node, first)
    (library / "data" / "images.py").write_text("")
    assert statuses(book) == ["up to date"] * 3

    node.cells[-1].source += "  # the same result"
    nbformat.write(node, first)
    assert statuses(book) == ["ran (code cells changed)", "up to date", "up to date"]
    (library / "search" / "planes.py").write_text("SIDE = -1\n")
    assert statuses(book) == ["ran (library changed: search/planes.py)", "up to date", "up to date"]
    assert statuses(book, parameters={"SEED": 1}) == ["ran (parameters changed: SEED)", "up to date", "up to date"]
    (build_folder("smoke") / "a.txt").write_text("x")
    assert statuses(book, parameters={"SEED": 1}) == ["ran (missing or altered: a.txt)", "up to date", "up to date"]

    node.cells[-1].source = "(build / 'a.txt').write_text('A')"
    nbformat.write(node, first)
    (build_folder("smoke") / "notebooks" / "03-c.ipynb").unlink()
    assert statuses(book) == [
        "ran (code cells changed)", "ran (inputs changed: a.txt)", "ran (missing or altered: executed notebook)",
    ]
    assert statuses(book, ["03"], force=True) == ["ran (forced)"]


def test_damaged_stamp_means_run_again(book):
    notebook = read_notebook(write(book, "01-a"))
    path = stamps.stamp_path("01-a", "smoke")
    path.parent.mkdir(parents=True)
    for text in ("", "[]", "{}", '{"key": 1}', "\x00"):
        path.write_text(text)
        assert stamps.why_stale(notebook, "smoke", stamps.content_parts(notebook, "smoke", {})) == "first run"


def test_what_cannot_be_had_is_skipped_with_its_reason_and_what_needs_it_too(book, monkeypatch, capsys):
    monkeypatch.setenv("FASHION16_PHOTOS", str(book / "nowhere"))
    write(book, "50-products", "1 / 0", requires=["vgg16-weights", "product-photos"], writes=["products.h5"])
    write(book, "51-more", "1 / 0", reads=["products.h5"])
    write(book, "52-other", "1 / 0", requires=["moon-dust"])
    summary = run_book(None, "smoke", notebooks_folder=book)
    assert summary.exit_code == 0
    assert [outcome.status for outcome in summary.outcomes] == [
        f"skipped: {missing('product-photos', '')}",
        "skipped: products.h5 comes from 50-products, which was skipped",
        "skipped: unknown requirement 'moon-dust'; known are vgg16-weights, product-photos, street-photos",
    ]
    printed = capsys.readouterr().out
    assert "skipped: no product-photos in" in printed and "product-photos.zip" in printed
    assert str(results_folder("smoke")) in printed

    summary = run_book(["51"], "smoke", notebooks_folder=book)
    assert summary.exit_code == 1
    assert "products.h5, which isn't there; run 50-products first" in summary.outcomes[0].status


def test_a_second_run_is_refused(book):
    from filelock import FileLock

    write(book, "01-a", "1")
    build_folder("smoke").mkdir(parents=True)
    with FileLock(build_folder("smoke") / ".run.lock"), pytest.raises(RuntimeError, match="one run at a time"):
        run_notebooks(None, "smoke", notebooks_folder=book)


# ---------------------------------------------------------------- data sets

ON_DATA = 'PROFILE = "quick"\nDATASET = "fashion-mnist"\nDATA_PATH = ""'


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    """Return a folder of photos, which the runner only looks for: no notebook here reads it."""
    monkeypatch.delenv("FASHION16_PHOTOS", raising=False)
    monkeypatch.setenv("FASHION16_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "shop.zip").write_bytes(b"photos")
    return tmp_path / "shop.zip"


def test_a_run_on_photos_has_its_own_folders_and_leaves_out_what_stands_on_other_data(book, shop):
    write(book, "00-all", "1 / 0")
    write(book, "01-any", "print(DATASET, DATA_PATH)", parameters=ON_DATA)
    write(book, "15-products", "print(DATASET)", parameters=ON_DATA.replace("fashion-mnist", "product-photos"))
    write(book, "26-street", "1 / 0", parameters=ON_DATA.replace("fashion-mnist", "street-photos"))
    given = {"DATASET": "product-photos", "DATA_PATH": str(shop)}
    assert statuses(book, parameters=given) == [
        "skipped: has no DATASET parameter: on Fashion-MNIST only", "ran (first run)", "ran (first run)",
        "skipped: stands on street-photos: run it with --dataset street-photos",
    ]
    text = (build_folder("smoke-product-photos") / "notebooks/01-any.ipynb").read_text(encoding="utf-8")
    assert f"product-photos {shop}" in text and not (build_folder("smoke") / "notebooks").exists()
    assert statuses(book, ["01", "15"]) == [
        "ran (first run)", "skipped: stands on product-photos: run it with --dataset product-photos"]
    assert statuses(book, ["01"], parameters=given) == ["up to date"]

    os.utime(shop, (1, 1))
    assert statuses(book, ["01"], parameters=given) == ["ran (photos changed)"]
    elsewhere = shop.rename(shop.with_name("product-photos.zip")).rename(shop.parent / "data/product-photos.zip")
    assert elsewhere.is_file()
    assert statuses(book, ["01", "15"], parameters={"DATASET": "product-photos"}) == [
        "up to date", "ran (photos changed)"]


def test_photos_that_are_not_there_stop_a_run_on_them(book, shop):
    write(book, "01-any", "1", parameters=ON_DATA)
    for given in ({"DATA_PATH": "/nowhere.zip"}, {}, {"DATASET": "class-folder"}):
        with pytest.raises(RuntimeError, match=r"no such folder|no product-photos in|needs a zip or folder, got ''"):
            run_notebooks(None, "smoke", {"DATASET": "product-photos", **given}, notebooks_folder=book)


def test_what_stands_on_photos_is_published_from_the_run_on_them(book, shop):
    path = write(book, "15-products", "print(DATASET)", parameters=ON_DATA.replace("fashion-mnist", "product-photos"))
    statuses(book, parameters={"DATASET": "product-photos", "DATA_PATH": str(shop)})
    shop.unlink()
    assert publish("smoke", notebooks_folder=book) == [path]
    cells = nbformat.read(path, as_version=4).cells
    assert cells[-1].outputs[0].text == "product-photos\n" and str(shop) not in path.read_text(encoding="utf-8")


# ---------------------------------------------------------------- what it shows

def test_seconds_left_is_scaled_by_the_speed_seen():
    expected = {"01": 10.0, "02": 20.0, "03": None, "04": 30.0}
    assert seconds_left(expected, {}) == pytest.approx(10 + 20 + 20 + 30)
    assert seconds_left(expected, {"01": 30.0}, "02", 15.0) == pytest.approx((60 - 15) + 60 + 90)
    seen_before = {"01": 10.0, "02": 900.0, "03": 5.0}                # 02 trained anew, 03's time was unknown
    assert seconds_left({**expected, "03": 5.0}, seen_before) == pytest.approx(30)
    assert seconds_left(expected, {"01": None}, "02", 100.0) == pytest.approx(0 + 20 + 30)
    assert seconds_left(expected, dict.fromkeys(expected, 1.0)) == 0
    assert seconds_left({"01": None}, {}) is None


def test_the_line_tells_the_state_inside_a_long_cell(book):
    build_folder("smoke").mkdir(parents=True)
    monitor = Monitor([read_notebook(write(book, "01-a", "1"))], "smoke")
    monitor.begin("01-a", 3)
    monitor.cell(nbformat.v4.new_code_cell("1"), 0)
    monitor.cell(nbformat.v4.new_code_cell("1", metadata={"tags": ["injected-parameters"]}), 1)
    assert monitor.line() == "notebook 1 of 1 01-a, cell 1 of 3 | 0:00 so far, time left unknown"
    monitor.state_file.write_text(json.dumps({"task": "VGG-16", "done": 320, "total": 600}))
    assert monitor.line().endswith("| VGG-16 320 of 600")
    monitor.state_file.write_text('{"task": "VGG')               # caught in the middle of writing
    assert monitor.line().endswith("unknown")


def test_one_line_on_a_terminal(book):
    write(book, "01-a", "import time\nfrom fashion16_lib.progress import progress",
          "for _ in progress(range(6), 'hashing'):\n    time.sleep(0.5)")
    leader, follower = pty.openpty()
    command = (
        "import pathlib, sys; from fashion16_lib.run import run_notebooks; "
        "run_notebooks(None, 'smoke', notebooks_folder=pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, str(book)], stderr=follower, stdout=subprocess.PIPE, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(home()), "COLUMNS": "150"}, check=True,
    )
    assert select.select([leader], [], [], 5)[0], "nothing was shown"
    shown = os.read(leader, 100_000).decode()
    os.close(follower)
    os.close(leader)
    assert "notebook 1 of 1 01-a, cell 4 of 4" in shown and "| hashing " in shown and " of 6" in shown
    assert "\n" not in shown.strip() and "starts" not in done.stdout
    assert "01-a" in done.stdout and "ran (first run)" in done.stdout


# ---------------------------------------------------------------- publishing

def test_published_notebook_is_clean_stable_and_still_up_to_date(book):
    path = write(book, "01-a", "import sys, os\nprint(os.environ['FASHION16_OUT'] + '/build/x.h5', os.getcwd())",
                 "%matplotlib inline\nfrom IPython.display import HTML",
                 "HTML('<b>' + os.path.expanduser('~/x') + '</b>')", "")
    node = nbformat.read(path, 4)
    node.metadata.kernelspec = {"name": "my-env", "display_name": "mine", "language": "python"}
    nbformat.write(node, path)
    assert statuses(book) == ["ran (first run)"]
    node.cells[0].source = "# Written after the run"
    nbformat.write(node, path)
    assert publish("smoke", notebooks_folder=book) == [path]

    text = path.read_text(encoding="utf-8")
    published = nbformat.reads(text, 4)
    nbformat.validate(published)
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert [cell.id for cell in published.cells] == ["heading", "parameters", "cell-0", "cell-1", "cell-2", "cell-3"]
    assert [cell.get("execution_count") for cell in published.cells] == [None, 1, 2, 3, 4, None]
    assert published.cells[0].source == "# Written after the run" and published.cells[1].source == 'PROFILE = "quick"'
    assert published.cells[2].outputs[0].text.startswith("build/x.h5 ")
    assert published.cells[4].outputs[0].data["text/html"] == "<b>~/x</b>"
    assert published.cells[4].outputs[0].execution_count == 4
    assert published.cells[1].metadata == {"tags": ["parameters"]} and published.cells[2].metadata == {}
    assert set(published.metadata) == {"kernelspec", "language_info", "papermill"}
    assert published.metadata.kernelspec.name == "python3" and list(published.metadata.papermill) == ["duration"]
    assert not any(place in text for place in (str(book.parent), str(home()), str(Path.home()) + "/"))

    assert publish("smoke", notebooks_folder=book) == [path]
    assert path.read_text(encoding="utf-8") == text
    assert statuses(book) == ["up to date"]
    published.metadata.papermill.duration = 900.0               # what a first run took, with nothing cached
    nbformat.write(published, path)
    publish("smoke", notebooks_folder=book)
    assert nbformat.read(path, 4).metadata.papermill.duration == 900


def test_publish_refuses_stderr_stale_and_nothing(book):
    with pytest.raises(ValueError, match="must hold notebooks"):
        publish("smoke", notebooks_folder=book)
    path = write(book, "01-a", "1")
    with pytest.raises(ValueError, match="must hold executed notebooks, got none"):
        publish("smoke", notebooks_folder=book)
    other = write(book, "02-b", "import sys; print('careful', file=sys.stderr)")
    statuses(book)
    before = path.read_text()
    with pytest.raises(ValueError, match=r"02-b\.ipynb, In \[2\] must print nothing to stderr, got 'careful"):
        publish("smoke", notebooks_folder=book)
    assert path.read_text() == before                            # nothing half published
    other.unlink()
    write(book, "01-a", "2")
    with pytest.raises(ValueError, match=r"01-a\.ipynb must be up to date at smoke, got code cells changed"):
        publish("smoke", notebooks_folder=book)


GREETING = ("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
            "I0000 00:00:1795348213.625059   15367 port.cc:153] oneDNN custom operations are on. You may see\n")


def test_publish_leaves_out_the_backends_greeting_and_no_other_words(book):
    path = write(book, "01-a", f"import sys; print(1); print({GREETING!r}, end='', file=sys.stderr)")
    statuses(book)
    publish("smoke", notebooks_folder=book)
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]
    assert [output["name"] for output in outputs] == ["stdout"]
    write(book, "01-a", f"import sys; print({GREETING!r} + 'W0000 00:00:1 a.cc:1] careful', file=sys.stderr)")
    statuses(book)
    with pytest.raises(ValueError, match="must print nothing to stderr"):
        publish("smoke", notebooks_folder=book)


def test_machine_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("FASHION16_OUT", str(home()))
    monkeypatch.setattr(Path, "home", lambda: Path("/home/reader"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    for text, expected in {
        f"{home()}/build/quick/a.h5": "build/quick/a.h5",
        f"in {home()}.": "in ..",
        "'/home/reader/.keras'": "'~/.keras'",
        "/tmp/tmpabc/x and /tmp": "$TMP/tmpabc/x and $TMP",
        "/data/tmp/x /tmpfile https://a.org/root": "/data/tmp/x /tmpfile https://a.org/root",
    }.items():
        assert without_machine_paths(text) == expected
