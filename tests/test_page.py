"""The page in a real browser: upload, drop, paste, keyboard only, narrow, dark, an error shown, nothing inaccessible.

With FASHION16_SCREENSHOTS=FOLDER the last test leaves its pictures there (make screenshots).
"""

from __future__ import annotations

import base64
import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from web import both_searches, png, running

from fashion16_lib.web.page import WORDS

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: the page isn't tried")
expect = playwright.expect
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: the page isn't tried in a browser; apt-get install chromium")
EN = WORDS["en"]


@pytest.fixture(scope="module")
def served_path(library_path):
    """Return the library the page is tried with: the tests' own, or that of FASHION16_LIBRARY."""
    return Path(os.environ.get("FASHION16_LIBRARY") or library_path)


@pytest.fixture(scope="module")
def address(served_path):
    with running(served_path) as where:
        yield where


@pytest.fixture(scope="module")
def python(served_path):
    return both_searches(served_path)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser, address):
    """Return the page, freshly opened; the test fails where it asks elsewhere or complains."""
    with opened(browser, address) as tab:
        yield tab


class opened:
    """Open the page in a browser of its own; on leaving, see that it asked nobody else and complained of nothing."""

    def __init__(self, browser, address, width=1100, height=900, scheme="light", scripts=True, language="en-GB"):
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme,
                                           java_script_enabled=scripts, locale=language, reduced_motion="reduce")
        self.address, self.asked, self.complaints = address, [], []

    def __enter__(self):
        tab = self.context.new_page()
        tab.set_default_timeout(20_000)
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        tab.goto(self.address)
        return tab

    def __exit__(self, *_):
        self.context.close()
        outside = [url for url in self.asked if not url.startswith((self.address, f"blob:{self.address}", "data:"))]
        complaints = [text for text in self.complaints if not text.startswith("Failed to load resource")]
        assert (outside, complaints) == ([], [])


def hits(tab, mode):
    """Return the ids of the hits shown for a mode, once they are there."""
    place = f"section[aria-labelledby=answer-{mode}] .hit"
    tab.wait_for_selector(place)
    return [hit.get_attribute("value") for hit in tab.query_selector_all(place)]


def pictures_loaded(tab):
    tab.wait_for_load_state("networkidle")


def wanted(python, image, mode, k=20):
    return [hit.id for hit in python[mode].search(image, k)]


@pytest.fixture
def garment(photos):
    return photos.queries.images[5]


@pytest.fixture
def file(garment, tmp_path):
    path = tmp_path / "garment.png"
    path.write_bytes(png(garment))
    return path


# ---------------------------------------------------------------- ways to ask


def test_upload_shows_class_probabilities_and_both_searches(page, python, garment, file):
    page.set_input_files("#image", file)
    for mode in ("in-class", "direct"):
        assert hits(page, mode) == wanted(python, garment, mode)
    answer = python["direct"].answer(garment)
    assert page.inner_text("#result-title") == f"Taken for: {answer.label}"
    shown = dict(row.inner_text().split("\t")[:2] for row in page.query_selector_all(".probabilities tbody tr"))
    assert shown == {name: f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"
                     for name, share in answer.probabilities.items()}
    assert page.is_visible("#preview") and page.get_attribute("#preview", "src").startswith("blob:")
    library = python["direct"].library
    said = [section.inner_text() for section in page.query_selector_all(".answers > section")]
    for n, text in zip((library.counts[answer.label], library.n_items), said, strict=True):
        assert f"Compared with {n:,} garments in " in text
    assert " took " in page.inner_text("figure") and page.inner_text("summary") == EN["times"]


SEND = """async ([kind, data]) => {
    const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0)), list = new DataTransfer();
    list.items.add(new File([bytes], "x.png", {type: "image/png"}));
    const options = {bubbles: true, cancelable: true};
    document.querySelector("#drop").dispatchEvent(kind == "drop"
        ? new DragEvent("drop", {...options, dataTransfer: list})
        : new ClipboardEvent("paste", {...options, clipboardData: list}));
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_drop_and_paste(page, python, garment, kind):
    page.evaluate(SEND, [kind, base64.b64encode(png(garment)).decode()])
    assert hits(page, "direct") == wanted(python, garment, "direct")
    assert page.is_visible("#preview")


def test_a_sample_and_then_a_hit_by_one_click(page, python):
    page.click(".samples button >> nth=2")
    first = hits(page, "in-class")
    page.click("section[aria-labelledby=answer-in-class] .hit >> nth=3")
    expect(page.locator("#again")).to_have_value(first[3])
    assert first[3] in hits(page, "direct")[:3]                          # itself, or a twin of it
    assert first[3] in page.get_attribute("#preview", "src")


def test_a_file_after_a_sample_is_what_is_searched_for(page, python, garment, file):
    page.click(".samples button >> nth=2")
    before = hits(page, "direct")
    with page.expect_response("**/?*"):
        page.set_input_files("#image", file)
    page.wait_for_selector("main:not([aria-busy])")
    assert hits(page, "direct") == wanted(python, garment, "direct") != before


def test_switching_what_to_compare_with_asks_again(page, python, garment, file):
    page.set_input_files("#image", file)
    hits(page, "direct")
    page.check("input[value=in-class]")
    page.wait_for_selector("#answer-direct", state="detached")
    assert hits(page, "in-class") == wanted(python, garment, "in-class")
    page.check("input[value=direct]")
    page.wait_for_selector("#answer-in-class", state="detached")
    assert hits(page, "direct") == wanted(python, garment, "direct")
    page.fill("#k", "3")
    page.press("#k", "Enter")
    expect(page.locator(".hit")).to_have_count(3)
    assert page.get_attribute("html", "lang") == "en" and page.inner_text("#answer-direct") == EN["answers"]["direct"]
    page.fill("#k", "101")                                               # refused by the browser: nothing is lost
    page.check("input[value=both]")
    assert page.locator(".hit").count() == 3


def test_another_language_keeps_query_and_result(page, python, garment, file):
    page.set_input_files("#image", file)
    hits(page, "direct")
    page.click("nav a[lang=zh]")
    page.wait_for_selector("html[lang=zh]")
    assert hits(page, "direct") == wanted(python, garment, "direct")
    assert WORDS["zh"]["answers"]["direct"] in page.inner_text("#result") and page.title() == WORDS["zh"]["title"]
    page.reload()
    assert page.get_attribute("html", "lang") == "zh"


def test_without_scripts(browser, address, python, garment, file):
    with opened(browser, address, scripts=False) as tab:
        tab.set_input_files("#image", file)
        tab.click("#search")
        assert hits(tab, "in-class") == wanted(python, garment, "in-class")
        tab.click("section[aria-labelledby=answer-direct] .hit >> nth=0")
        assert len(hits(tab, "direct")) == 20


# ---------------------------------------------------------------- keyboard, bits


def test_by_keyboard_only(page):
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name === 'item'"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits")
    assert page.evaluate("document.activeElement.id") == "result"        # where the reader goes on
    page.focus("input[name=mode]:checked")
    page.keyboard.press("ArrowDown")                                     # both -> the class it is taken for
    page.wait_for_selector("#answer-direct", state="detached")
    assert page.evaluate("document.activeElement.value") == "in-class"   # one can go on choosing
    page.focus("#result")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('hit')"):
            break
    item = page.evaluate("document.activeElement.value")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid" and item in page.inner_text("#differ")
    page.keyboard.press("Enter")
    expect(page.locator("#again")).to_have_value(item)


def test_the_bits_that_differ_are_marked(page):
    page.click(".samples button >> nth=0")
    page.wait_for_selector(".hits")
    own = page.get_attribute("#code", "data-code")
    for number in (0, 7, 19):
        hit = page.locator("section[aria-labelledby=answer-direct] .hit").nth(number)
        its, n_bits = hit.get_attribute("data-code"), 4 * len(own)
        differing = [bit + 1 for bit in range(n_bits) if (int(own, 16) ^ int(its, 16)) >> (n_bits - 1 - bit) & 1]
        for point in (hit.hover, hit.focus):
            point()
            assert page.locator("#marks path").count() == len(differing)
            item = hit.get_attribute("value")
            bits = ", ".join(map(str, differing))
            assert page.inner_text("#differ") == f"Bits that differ from garment {number + 1} ({item}): {bits}"
        assert f"{len(differing)} bits differ" in hit.inner_text()
    ones = [bit.get_attribute("class") == "one" for bit in page.query_selector_all("#code rect")]
    assert ones == [bit == "1" for bit in f"{int(own, 16):0{4 * len(own)}b}"]
    page.mouse.move(0, 0)
    page.locator("#k").focus()
    assert page.locator("#marks path").count() == 0 and page.inner_text("#differ") == EN["code_note"]


# ---------------------------------------------------------------- what goes wrong


def test_an_error_is_shown_and_the_next_query_works(page, file, tmp_path):
    bad = tmp_path / "page.png"
    bad.write_text("<html>no picture</html>")
    page.set_input_files("#image", bad)
    page.wait_for_selector("[role=alert]")
    assert EN["problems"]["415"] in page.inner_text("[role=alert]") and not page.query_selector(".hits")
    page.set_input_files("#image", file)
    page.wait_for_selector(".hits")
    assert not page.query_selector("[role=alert]")


def test_a_file_that_is_too_large_is_told_before_it_is_sent(page, tmp_path):
    big = tmp_path / "big.png"
    big.write_bytes(bytes(2**24 + 1))
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.set_input_files("#image", big)
    page.wait_for_selector("[role=alert]")
    assert EN["too_large"] in page.inner_text("[role=alert]") and "POST" not in sent
    assert page.evaluate("document.activeElement.id") == "result"
    page.click(".samples button >> nth=1")
    page.wait_for_selector(".hits")


def test_a_server_that_has_ended_is_told(browser, served_path):
    with running(served_path) as where, opened(browser, where) as tab:
        tab.route("**/*", lambda route: route.abort())
        tab.click(".samples button >> nth=0")
        tab.wait_for_selector("[role=alert]")
        assert EN["lost"] in tab.inner_text("[role=alert]")
        tab.unroute("**/*")
        tab.click(".samples button >> nth=0")
        tab.wait_for_selector(".hits")


# ---------------------------------------------------------------- every window, everybody


WINDOWS = [(360, 740), (768, 1000), (1100, 900)]


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("width, height", WINDOWS)
def test_nothing_is_wider_than_the_window(browser, address, width, height, language, file):
    with opened(browser, f"{address}", width, height, language=language) as tab:
        for step in (lambda: None, lambda: (tab.set_input_files("#image", file), tab.wait_for_selector(".hits"))):
            step()
            pictures_loaded(tab)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.get_attribute("html", "lang") == language


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height", WINDOWS[::2])
def test_axe_finds_nothing_on_page_result_and_error(browser, address, scheme, width, height, file, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    bad = tmp_path / "bad.png"
    bad.write_bytes(b"bad")
    with opened(browser, address, width, height, scheme) as tab:
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 22, 28)")
        states = (("page", None, "#ask"), ("result", file, ".hits"), ("error", bad, "[role=alert]"))
        for state, picture, there in states:
            if picture:
                tab.set_input_files("#image", picture)
            tab.wait_for_selector(there)
            pictures_loaded(tab)
            if state == "result":
                tab.focus(".hit")
            found = Axe().run(tab)
            assert found.violations_count == 0, (state, found.generate_report())
            assert len(found.response["passes"]) > 15


# ---------------------------------------------------------------- pictures for README and notebook 05


def test_screenshots(browser, address, tmp_path):
    folder = Path(os.environ.get("FASHION16_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in {"page": {}, "page-dark": {"scheme": "dark"}, "page-narrow": {"width": 360, "height": 740},
                          "page-zh": {"language": "zh"}}.items():
        with opened(browser, address, **options) as tab:
            tab.click(".samples button >> nth=6")
            hits(tab, "direct")
            pictures_loaded(tab)
            with tab.expect_response(lambda reply: reply.request.method == "POST"):
                tab.click("#search")                                     # once more: the times of a warm query
            hits(tab, "direct")
            tab.mouse.move(0, 0)
            if name != "page-narrow":
                tab.locator("section[aria-labelledby=answer-direct] .hit").nth(9).hover()
            pictures_loaded(tab)
            taken = tab.screenshot(full_page=name != "page-narrow")
        with Image.open(io.BytesIO(taken)) as shot:
            assert shot.width == options.get("width", 1100) and shot.height >= 700
            assert len(shot.convert("RGB").getcolors(1 << 24)) > 100         # garments, text, bars: not a blank page
            shot.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
