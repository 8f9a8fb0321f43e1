"""The page of all figures and tables: whole, escaped, the same each time; and the list of files in results/."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fashion16_lib.__main__ import main
from fashion16_lib.report.index import index_page, maker_of, notebook_title, update_index
from fashion16_lib.report.notebook import Notebook
from fashion16_lib.report.readme import results_page
from fashion16_lib.settings import Fashion16Error

HOSTILE = "<script>alert('1')</script> & \"2\" © 5 × 5 ≥ 4"


class Page(HTMLParser):
    """Collect a page's tags with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, words):
        self.words.append(words.strip())

    def all(self, tag, name):
        return [attributes[name] for found, attributes in self.tags if found == tag]


def write_notebook(path: Path, heading: str) -> None:
    cells = [
        {"cell_type": "code", "source": ["# not a heading"]},
        {"cell_type": "markdown", "source": [f"{heading}\n", "\n", "**What you will do.** ..."]},
    ]
    about = {"fashion16": {"reads": ["library.h5"], "requires": ["vgg16-weights"], "writes": []}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": about}), encoding="utf-8")


def draw(nb: Notebook, name: str, title: str, caption: str) -> None:
    figure = Figure(figsize=(2, 1))
    figure.suptitle(title)
    nb.figure(figure, name, caption, pd.DataFrame({"x": [1, 2]}))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a small project as the notebooks leave it: 04 and 05 have run at quick. Copy it before harming it."""
    root = tmp_path_factory.mktemp("made")
    write_notebook(root / "notebooks/05-search.ipynb", "# 05 · Search & <em>find</em>")
    write_notebook(root / "notebooks/04-build.ipynb", "# 04 · Build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION16_OUT", str(root))
        patch.delenv("FASHION16_PROFILE", raising=False)
        late, early = (Notebook(name, {"PROFILE": "quick"}) for name in ("05-search", "04-build"))
    draw(late, "05-hits", "Hits <b>of</b> 5", HOSTILE)
    draw(late, "05-bars", "Bars", "How good the codes are")
    late.table(pd.DataFrame({"what": [HOSTILE, "long " * 30], "<i>share</i>": [0.25, 1 / 3]}), "05-shares", HOSTILE)
    early.table(pd.DataFrame({"n": range(150)}), "04-counts", "How many")
    early.metrics("ab" * 32, share=0.5)
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """Return a copy of the project to harm, which the notebooks write to from now on."""
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path / "project"))
    monkeypatch.delenv("FASHION16_PROFILE", raising=False)
    return shutil.copytree(made, tmp_path / "project")


@pytest.fixture
def page(project):
    return Page(update_index(project / "results/quick", project / "notebooks").read_text(encoding="utf-8"))


def test_every_figure_and_table_appears_once_in_the_books_order(page):
    exhibits = ["tables-04-counts", "figures-05-bars", "figures-05-hits", "tables-05-shares"]
    assert page.all("figure", "id") == exhibits
    assert page.all("section", "id") == ["04-build", "05-search"]
    assert page.all("img", "src") == ["figures/05-bars.png", "figures/05-hits.png"]
    assert [word for word in page.words if word.startswith("0")][:4] == [
        "04 · Build", "05 · Search & <em>find</em>", "04 · Build", "04-build.ipynb"
    ]
    for title in ("Bars", "Hits <b>of</b> 5"):
        assert page.words.count(title) == 1


def test_captions_are_the_notebooks_and_alternative_texts(page):
    captions = [f"{said}  ·  Fashion-MNIST, profile quick" for said in ("How good the codes are", HOSTILE)]
    assert page.all("img", "alt") == captions
    assert [page.words.count(caption) for caption in captions] == [1, 2]  # the second is a table's as well
    assert page.open == []


def test_hostile_words_are_escaped(project):
    text = index_page(project / "results/quick", project / "notebooks")
    assert "<script" not in text and "<b>of" not in text and "<i>share" not in text
    assert text.count("&lt;script&gt;alert(") == 4  # alternative text, two captions, one cell
    assert "Hits &lt;b&gt;of&lt;/b&gt; 5" in text and "&lt;i&gt;share&lt;/i&gt;" in text
    assert text.count("Search &amp; &lt;em&gt;find&lt;/em&gt;") == 2  # in the contents and over the chapter


def test_tables_show_every_row_of_their_csv_word_for_word(page, project):
    shown = [word for word in page.words if word]
    counts = shown[shown.index("n") + 1:]
    assert counts[:150] == [str(number) for number in range(150)]
    assert ("long " * 30).strip() in shown and HOSTILE in shown  # not cut short
    assert "0.25" in shown and "0.333333" in shown


def test_all_files_are_linked_and_exist_and_nothing_lies_outside(page, project):
    results = project / "results/quick"
    links = [unquote(link) for link in page.all("a", "href") if not link.startswith("#")]
    files = [link for link in links if not link.endswith(".ipynb")]
    assert sorted(files) == sorted(
        f"{kind}/{path.name}" for kind in ("figures", "tables") for path in (results / kind).iterdir()
    )
    assert sorted(set(links) - set(files)) == ["../../notebooks/04-build.ipynb", "../../notebooks/05-search.ipynb"]
    assert all((results / link).is_file() for link in [*links, *page.all("img", "src")])
    anchors = [link[1:] for link in page.all("a", "href") if link.startswith("#")]
    assert anchors == page.all("section", "id")
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "base"})
    assert "viewport" in [attributes.get("name") for tag, attributes in page.tags if tag == "meta"]


def test_pictures_keep_their_place_while_they_load(page, project):
    for _, attributes in (found for found in page.tags if found[0] == "img"):
        size = Image.open(project / "results/quick" / attributes["src"]).size
        assert (int(attributes["width"]), int(attributes["height"])) == size


def test_two_runs_give_equal_bytes(project):
    path = update_index(project / "results/quick", project / "notebooks")
    first = path.read_bytes()
    assert path == project / "results/quick/index.html"
    path.unlink()
    assert update_index(project / "results/quick", project / "notebooks").read_bytes() == first
    assert str(project).encode() not in first


@pytest.mark.parametrize(
    "file",
    [f"figures/05-bars.{ending}" for ending in ("png", "pdf", "csv")]
    + [f"tables/05-shares.{ending}" for ending in ("csv", "md", "tex")],
)
def test_a_missing_format_is_told_with_what_to_run(project, file):
    (project / "results/quick" / file).unlink()
    with pytest.raises(Fashion16Error, match=rf"{file} isn't there.* run 05 --profile quick --force"):
        index_page(project / "results/quick", project / "notebooks")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("figures/05-bars.png", b"no picture", "05-bars.png can't be read"),
        ("tables/05-shares.csv", b"", "05-shares.csv can't be read"),
        ("tables/05-shares.md", b"\xff\xfe", "05-shares.md can't be read"),
        ("tables/05-shares.md", b"| n |\n|---|\n| 1 |\n", "05-shares.md ends without a caption"),
        ("figures/05-bars.svg.bak", b"", "05-bars.svg.png isn't there"),
    ],
)
def test_damaged_files_and_files_without_a_caption_are_told(project, file, content, told):
    (project / "results/quick" / file).write_bytes(content)
    with pytest.raises(Fashion16Error, match=rf"{told}.*run 05 --profile quick --force"):
        index_page(project / "results/quick", project / "notebooks")


def test_a_picture_cut_short_or_without_words_is_told(project):
    path = project / "results/quick/figures/05-bars.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Fashion16Error, match=r"05-bars.png can't be read"):
        index_page(project / "results/quick", project / "notebooks")
    Image.new("L", (4, 4)).save(path)
    with pytest.raises(Fashion16Error, match=r"05-bars.png holds no title or no caption"):
        index_page(project / "results/quick", project / "notebooks")


@pytest.mark.parametrize("name", ["96-later", "x", "[0-9]-a", "٠٥-bars"])
def test_a_file_of_no_notebook_is_told(project, name):
    draw(Notebook("05-search", {"PROFILE": "quick"}), name, "Title", "caption")
    with pytest.raises(Fashion16Error, match=rf"{re.escape(name)} must begin with the number of a notebook"):
        index_page(project / "results/quick", project / "notebooks")


def test_hostile_file_names_stay_names(project):
    name = '05-"><script> #1 %41?.&'
    draw(Notebook("05-search", {"PROFILE": "quick"}), name, "Title", "caption")
    text = index_page(project / "results/quick", project / "notebooks")
    page = Page(text)
    assert "<script" not in text and page.open == []
    sources = [unquote(source) for source in page.all("img", "src")]
    assert f"figures/{name}.png" in sources
    assert all((project / "results/quick" / source).is_file() for source in sources)


def test_a_run_without_figures_is_told(tmp_path):
    with pytest.raises(Fashion16Error, match=r"no figures or tables in .*full; run: make paper PROFILE=full"):
        index_page(tmp_path / "results/full", tmp_path)


def test_hidden_files_are_left_out(project):
    (project / "results/quick/figures/.05-bars.png.x.partial").write_bytes(b"")
    assert ".partial" not in index_page(project / "results/quick", project / "notebooks")


def test_titles_and_makers_of_notebooks(tmp_path):
    for name, heading in (("05-a", "## 05 · Two  "), ("06-b", "no heading"), ("07-c", "text\n# Later")):
        write_notebook(tmp_path / f"{name}.ipynb", heading)
    titles = [notebook_title(tmp_path / f"{name}.ipynb") for name in ("05-a", "06-b", "07-c")]
    assert titles == ["05 · Two", "06-b", "Later"]
    assert maker_of("06-some-figure", tmp_path).name == "06-b.ipynb"


# ---------------------------------------------------------------- the command, the list of files


def test_the_command_prints_the_pages_path_or_one_line(project, monkeypatch, capsys):
    monkeypatch.setattr("fashion16_lib.__main__.home", lambda: project)
    capsys.readouterr()
    assert main(["figures"]) == 0
    assert capsys.readouterr().out == f"{project}/results/quick/index.html\n"
    (project / "results/quick/figures/05-bars.pdf").unlink()
    assert main(["figures", "--profile", "quick"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and "05-bars.pdf isn't there" in err


def listed(page):
    """Return run -> the files that results/README.md lists for it."""
    runs = {}
    for line in page.splitlines():
        if found := re.match(r"\| file in (\S+)/ \|", line):
            run = runs.setdefault(found[1], set())
        elif found := re.match(r"\| (\S+) \| ([a-z, ]+) \| \[", line):
            run |= {f"{found[1]}.{ending}" for ending in found[2].split(", ")}
    return runs


def test_every_run_with_results_has_its_files_listed_with_notebook_and_inputs(project):
    results = project / "results"
    (results / "expected").mkdir()
    (results / "expected/quick.json").write_text("{}")
    for run in ("full", "smoke"):
        (results / run / "metrics").mkdir(parents=True)
        (results / run / "metrics/05-search.json").write_text("{}")
    (results / "empty").mkdir()
    page = results_page(results / "quick", project / "notebooks")
    files = {f"{kind}/{path.name}" for kind in ("figures", "tables", "metrics")
             for path in (results / "quick" / kind).iterdir()}
    assert listed(page) == {"quick": files, "full": {"metrics/05-search.json"}}
    made_by = "[05-search](../notebooks/05-search.ipynb) | Fashion-MNIST, vgg16-weights, library.h5 |"
    assert f"| figures/05-bars | csv, pdf, png | {made_by}" in page and "index.html" in page
    (results / "full/NOTE.md").write_text("On a CPU.\n")
    assert "\n\nOn a CPU.\n\n| file in full/ |" in results_page(results / "quick", project / "notebooks")
    assert "Not run at quick" not in page and "Not run at full: " in page
    write_notebook(project / "notebooks/90-later.ipynb", "# Later")
    assert "Not run at quick: 90-later.\n" in results_page(results / "quick", project / "notebooks")
    assert "<p>Not run at this profile: 90-later.</p>" in index_page(results / "quick", project / "notebooks")
    assert 'href="NOTE.md"' not in index_page(results / "quick", project / "notebooks")
    (results / "quick/NOTE.md").write_text("On a CPU.\n")
    assert 'href="NOTE.md"' in index_page(results / "quick", project / "notebooks")
