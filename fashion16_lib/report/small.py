"""Pictures as small files: PNGs of at most 256 colours, PDFs whose photos are stamps."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PDF_COLOURS, PDF_SIDE = 64, 80      # of a photo as large as a stamp; its longer side in pixels, at most
CHART_COLOURS, OF_A_CHART, OF_PHOTOS = 2_000, 64, 256     # what has fewer is a chart: its few hues and their edges
PHOTO_DPI = 100         # photos here have 60 to 160 pixels: more dots show no more of them


def small_png(data: bytes, words: dict[str, str] | None = None) -> bytes:
    """Return a PNG's bytes on white, with few colours and these words as its text; its resolution is kept.

    A chart keeps 64 colours, what holds photos 256.
    """
    with Image.open(io.BytesIO(data)) as image:
        resolution = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
        drawn = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    text, written = PngInfo(), io.BytesIO()
    for key, value in (words or {}).items():
        text.add_itxt(key, value)
    n_colours = OF_A_CHART if drawn.getcolors(CHART_COLOURS) else OF_PHOTOS
    few = drawn.quantize(n_colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    few.save(written, "PNG", optimize=True, pnginfo=text, **resolution)
    return written.getvalue()


def figure_png(figure: Figure, words: dict[str, str]) -> bytes:
    """Return a figure as the bytes of a small PNG."""
    drawn = io.BytesIO()
    resolution: Any = PHOTO_DPI if _photos_in(figure) else rcParams["savefig.dpi"]
    figure.savefig(drawn, format="png", bbox_inches="tight", dpi=resolution)
    return small_png(drawn.getvalue(), words)


def figure_pdf(figure: Figure, words: dict[str, str]) -> bytes:
    """Return a figure as the bytes of a PDF without a date; pictures in it keep their own pixels.

    Those in colour keep 64 colours each, and at most 80 pixels.
    """
    written = io.BytesIO()
    undated: dict[str, Any] = {"CreationDate": None, "Producer": None, "Creator": None}
    with _pictures_as_stamps(figure):
        figure.savefig(written, format="pdf", metadata=undated | words, bbox_inches="tight")
    return written.getvalue()


def _photos_in(figure: Figure) -> list[Any]:
    """Return the colour pictures of a figure."""
    return [image for axis in figure.axes for image in axis.images if np.asarray(image.get_array()).ndim == 3]


@contextmanager
def _pictures_as_stamps(figure: Figure) -> Iterator[None]:
    """Make a figure's pictures such as PDF stores small; put them back afterwards.

    Drawn as they are, each pixel would be stored many times over, in the figure's resolution.
    """
    pictures = [(image, image.get_array(), image.get_interpolation()) for axis in figure.axes for image in axis.images]
    colour = _photos_in(figure)
    for image, pixels, _ in pictures:
        image.set_interpolation("none")
        if image in colour:
            image.set_extent(image.get_extent())        # else fewer pixels would make it smaller
            stamp = Image.fromarray(np.asarray(pixels))
            stamp.thumbnail((PDF_SIDE, PDF_SIDE))
            image.set_data(np.asarray(stamp.quantize(PDF_COLOURS).convert("RGB")))
    try:
        yield
    finally:
        for image, pixels, interpolation in pictures:
            image.set_data(pixels)
            image.set_interpolation(interpolation)
