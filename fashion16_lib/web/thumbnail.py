"""A picture as the page shows it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LONGEST, SHORTEST = 224, 64         # pixels of a side


def thumbnail_png(image: np.ndarray) -> bytes:
    """Return a picture, (h, w) or (h, w, 3) uint8, as a PNG of at most 224 pixels a side; tiny ones are enlarged."""
    picture = Image.fromarray(image)
    picture.thumbnail((LONGEST, LONGEST))
    times = -(-SHORTEST // max(picture.size))
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    content = io.BytesIO()
    picture.save(content, "png", compress_level=1)
    return content.getvalue()
