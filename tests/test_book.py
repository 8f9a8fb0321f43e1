"""The book, built from the committed notebooks and read in a browser: whole, offline, without warnings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from fashion16_lib.run.chinese import translations
from fashion16_lib.settings import home

NOTEBOOKS = sorted(path.stem for path in (home() / "notebooks").glob("[0-9][0-9]-*.ipynb"))
NARROW = 360


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Return the folder of the built book; any warning of Sphinx's fails the build."""
    out = tmp_path_factory.mktemp("book")
    env = {**os.environ, "FASHION16_OUT": str(out)}
    done = subprocess.run([sys.executable, str(home() / "docs" / "build.py")], env=env, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr.replace("WARNING: All log messages", ""), done.stderr
    return out / "build" / "book" / "html"


@pytest.fixture(scope="session")
def pages(site):
    found = {path.relative_to(site): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
             for path in sorted(site.rglob("*.html")) if "jupyter_execute" not in path.parts}
    assert len(found) > len(NOTEBOOKS) + len(translations())
    return found


def addresses(page, *kinds):
    return [tag[attribute] for name, attribute in kinds for tag in page.find_all(name, **{attribute: True})]


def test_every_notebook_is_a_page_and_the_papers_are_there_in_chinese(pages):
    for folder, names in (("notebooks", NOTEBOOKS), ("zh/notebooks", translations())):
        assert {Path(folder, f"{name}.html") for name in names} <= pages.keys()
    assert pages[Path("zh/index.html")].html["lang"].startswith("zh")


def test_no_link_leads_nowhere(site, pages):
    ids = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    broken = []
    for path, page in pages.items():
        for address in addresses(page, ("a", "href")):
            parts = urlsplit(address)
            if parts.scheme:
                assert parts.scheme in ("http", "https", "mailto")
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            there = (site / target).is_file()
            if not there or (target in ids and parts.fragment and unquote(parts.fragment) not in ids[target]):
                broken.append((str(path), address))
    assert not broken, broken[:10]


def test_no_picture_is_missing_and_nothing_comes_from_elsewhere(site, pages):
    for path, page in pages.items():
        for address in addresses(page, ("img", "src"), ("script", "src"), ("link", "href")):
            if not address.startswith(("data:", "#")):
                parts = urlsplit(address)
                assert not parts.scheme and not parts.netloc, (path, address)
                assert (site / path.parent / unquote(parts.path)).resolve().is_file(), (path, address)
        assert not re.search(r"cdn|googleapis", " ".join(script.text for script in page.find_all("script")))


def test_terms_numbers_and_papers_are_linked_and_exercises_stand_in_boxes(pages):
    for name in NOTEBOOKS:
        page = pages[Path("notebooks", f"{name}.html")]
        links = addresses(page, ("a", "href"))
        assert any("glossary.html#term-" in link for link in links), name
        boxes = [box.text for box in page.select(".admonition-title")]
        assert boxes == ["Change this"], name
    text = pages[Path("notebooks/52-darn.html")]
    assert any("references.html#" in link for link in addresses(text, ("a", "href")))
    handing_over = pages[Path("notebooks/61-hand-over-to-an-engine.html")].article
    assert any(link.endswith("12-time-a-query.html") for link in addresses(handing_over, ("a", "href")))
    needs = pages[Path("notebooks/05-search-by-image.html")].find("strong", string="What you need.").parent
    assert [link.text for link in needs.find_all("a")] == ["02", "04"]
    sections = pages[Path("sections.html")]
    assert any(row.find("td").text == "Table 3" and "13 · compare SIFT and CNN" in row.text
               for row in sections.find_all("tr")[1:])


def test_the_api_reference_has_every_module_and_its_docstrings(pages):
    modules = {path.stem for path in (home() / "fashion16_lib").rglob("[a-z]*.py")}
    shown = {heading.text.rstrip("¶").rpartition(".")[2] for path, page in pages.items() if path.parts[0] == "api"
             for heading in page.find_all("h2")}
    assert modules <= shown
    search = pages[Path("api/search.html")].text
    assert "Compare a query's code with every code of the library" in search.replace("’", "'")
    assert "w_j . (x - mean) >= 0" in search                    # formulas as they are written


def test_a_page_leads_to_itself_in_the_other_language_and_its_frame_speaks_that_language(pages):
    for path, page in pages.items():
        address = page.select_one(".language a")["href"]
        there = Path(os.path.normpath(path.parent / address))
        twin = Path(*path.parts[1:]) if path.parts[0] == "zh" else Path("zh") / path
        if path.parent.name == "notebooks":
            assert there == (twin if twin in pages else Path("zh/index.html")), path
        frame = " ".join(part.text for part in page.select(".related-pages, .toc-title, .back-to-top"))
        assert not re.search(r"[\u4e00-\u9fff]" if path.parts[0] != "zh" else "Next|Previous|page|top", frame), path
    assert "下一页" in pages[Path("zh/notebooks/05-search-by-image.html")].text


def test_the_contribution_guide_is_a_page(pages):
    text = pages[Path("contributing.html")].article.text
    assert "How to add something" in text and "street_photos.py" in text


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("name", ["index.html", "glossary.html", "sections.html", "api/search.html",
                                  "notebooks/03-hash-with-vgg16.html", "notebooks/19-judge-every-claim.html",
                                  "notebooks/59-compare-all.html", "notebooks/60-spread-the-work.html",
                                  "zh/notebooks/05-search-by-image.html"])
def test_a_page_fits_a_telephone_and_loads_all_its_pictures(site, browser, name):
    page = browser.new_page(viewport={"width": NARROW, "height": 740})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("[...document.images].every(i => i.loading == 'lazy' || i.complete && i.naturalWidth > 0)")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('article')).fontSize)")
    assert size >= 14
    page.close()


def test_figures_stay_legible_on_a_telephone(site, browser):
    page = browser.new_page(viewport={"width": NARROW, "height": 740})
    page.goto((site / "notebooks/60-spread-the-work.html").as_uri())
    assert min(page.evaluate("[...document.querySelectorAll('.cell_output img')].map(i => i.clientWidth)")) > 600
    page.close()


def test_the_list_of_chapters_shows_where_the_reader_is(site, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 740})
    page.goto((site / "notebooks/61-hand-over-to-an-engine.html").as_uri())
    box = page.locator(".sidebar-scroll .current-page").bounding_box()
    assert 0 < box["y"] < 740
    assert page.evaluate("window.scrollY") == 0
    page.close()


@pytest.mark.parametrize(("language", "words", "page_found"), [
    ("", "hyperplanes", "03 · Hash with VGG-16"), ("zh/", "HDF5", "04"), ("zh/", "超平面", "03"), ("zh/", "哈希", "03"),
])
def test_the_search_finds_a_page_without_a_server(site, browser, language, words, page_found):
    page = browser.new_page()
    page.goto(f"{(site / language / 'search.html').as_uri()}?q={words}")
    page.wait_for_selector("ul.search li a", timeout=20_000)
    assert page_found in page.inner_text("ul.search")
    page.close()
