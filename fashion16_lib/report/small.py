"""Pictures as small files: PNGs of at most 256 colours, PDFs that hold photos at their own size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PDF_COLOURS = 64       # of a photo as large as a stamp


def small_png(data: bytes, words: dict[str, str] | None = None) -> bytes:
    """Return a PNG's bytes on white, with at most 256 colours and these words as its text; its resolution is kept."""
    with Image.open(io.BytesIO(data)) as image:
        resolution = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
        drawn = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    text, written = PngInfo(), io.BytesIO()
    for key, value in (words or {}).items():
        text.add_itxt(key, value)
    few = drawn.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    few.save(written, "PNG", optimize=True, pnginfo=text, **resolution)
    return written.getvalue()


def figure_png(figure: Figure, words: dict[str, str]) -> bytes:
    """Return a figure as the bytes of a small PNG."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches="tight")
    return small_png(drawn.getvalue(), words)


def figure_pdf(figure: Figure, words: dict[str, str]) -> bytes:
    """Return a figure as the bytes of a PDF without a date; photos in it keep their own pixels and 64 colours each."""
    written = io.BytesIO()
    undated: dict[str, Any] = {"CreationDate": None, "Producer": None, "Creator": None}
    with _photos_of_few_colours(figure):
        figure.savefig(written, format="pdf", metadata=undated | words, bbox_inches="tight")
    return written.getvalue()


@contextmanager
def _photos_of_few_colours(figure: Figure) -> Iterator[None]:
    """Make a figure's colour pictures such as PDF stores with a palette; put them back afterwards."""
    photos = [(image, pixels, image.get_interpolation()) for axis in figure.axes for image in axis.images
              if (pixels := np.asarray(image.get_array())).ndim == 3]
    for image, pixels, _ in photos:
        image.set_data(np.asarray(Image.fromarray(pixels).quantize(PDF_COLOURS).convert("RGB")))
        image.set_interpolation("none")
    try:
        yield
    finally:
        for image, pixels, interpolation in photos:
            image.set_data(pixels)
            image.set_interpolation(interpolation)
