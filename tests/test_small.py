"""Small pictures: the same to the eye, the same words, fewer bytes."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from fashion16_lib.report.garments import in_a_row
from fashion16_lib.report.small import figure_pdf, figure_png, small_png


@pytest.fixture
def photo():
    """A colourful picture that no palette holds exactly."""
    y, x = np.mgrid[:80, :60]
    smooth = np.stack([x * 4, y * 3, 220 - x * 2 - y], axis=2)
    return (smooth + np.random.default_rng(0).integers(0, 16, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def figure(photo):
    yield in_a_row([photo] * 3, list("abc"), "three")
    plt.close("all")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_png_keeps_its_look_its_size_and_its_words(photo):
    plain = io.BytesIO()
    Image.fromarray(photo).resize((300, 400)).save(plain, "PNG", dpi=(150, 150))
    small = opened(small_png(plain.getvalue(), {"Title": "Über 256 · ✓"}))
    assert small.mode == "P" and small.size == (300, 400)
    assert small.text == {"Title": "Über 256 · ✓"} and small.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    difference = np.abs(np.asarray(small.convert("RGB"), int) - np.asarray(opened(plain.getvalue()), int))
    assert difference.mean() < 6
    assert len(small_png(plain.getvalue())) < 0.7 * len(plain.getvalue())


def test_what_is_transparent_becomes_white():
    clear, written = Image.new("RGBA", (4, 4), (255, 0, 0, 0)), io.BytesIO()
    clear.save(written, "PNG")
    assert (np.asarray(opened(small_png(written.getvalue())).convert("RGB")) == 255).all()


def test_few_colours_stay_what_they_are():
    chart, written = np.full((40, 40, 3), 255, np.uint8), io.BytesIO()
    chart[10:20, 5:30], chart[25:26] = (31, 95, 168), (179, 55, 47)
    Image.fromarray(chart).save(written, "PNG")
    assert (np.asarray(opened(small_png(written.getvalue())).convert("RGB")) == chart).all()


def test_saving_leaves_a_figure_as_it_was(figure, photo):
    first = figure_png(figure, {"Title": "three"})
    pdf = figure_pdf(figure, {"Title": "three"})
    assert (figure.axes[0].images[0].get_array() == photo).all()
    assert figure_png(figure, {"Title": "three"}) == first and figure_pdf(figure, {"Title": "three"}) == pdf
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf


def test_a_pdf_holds_photos_with_a_palette(figure):
    plain = io.BytesIO()
    figure.savefig(plain, format="pdf")
    assert figure_pdf(figure, {}).count(b"/Indexed") == 3 > plain.getvalue().count(b"/Indexed")


def test_a_pdf_holds_grey_pictures_in_their_own_pixels():
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    figure = in_a_row([grey] * 3, list("abc"), "three")
    plain = io.BytesIO()
    figure.savefig(plain, format="pdf")
    small = figure_pdf(figure, {})
    assert small.count(b"/Width 28") >= 3 and len(small) < len(plain.getvalue())
    plt.close("all")
