"""Read people's own pictures, from a folder or from a zip: decoded only when they are asked for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from fashion16_lib.data.store import Store
from fashion16_lib.files import digest_of, replace_file
from fashion16_lib.progress import progress
from fashion16_lib.settings import data_folder

SUFFIXES = (".jpg", ".jpeg", ".png")
FORMATS = ("JPEG", "PNG")       # what the content may be, whatever the name says; Pillow's rarer decoders stay shut
MAX_PIXELS = 50_000_000
MIN_SIDE = 8                    # a smaller picture shows no garment
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error,
          Image.DecompressionBombError, Image.DecompressionBombWarning)


class _TooSmallError(ValueError):
    """Say the size of a picture in which no garment can be seen."""


# ---------------------------------------------------------------- one picture

def read_image(path: str | Path) -> np.ndarray:
    """Return a picture upright, without transparency, in 8 bits.

    Returns
    -------
    array : (height, width) uint8 for grey pictures, (height, width, 3) uint8 RGB for others; transparent parts are
        white, 16 bits become 8, the turn noted in EXIF is carried out

    Raises
    ------
    ValueError : no JPEG or PNG, truncated, a side below 8 pixels, or above 50 megapixels; names the file and what to do
    """
    with opened(Path(path), str(path)) as image:
        return upright(image)


def upright(image: Image.Image) -> np.ndarray:
    """Decode an opened picture as `read_image` returns it."""
    plain = _eight_bit(image)
    turn = TURNS.get(_orientation(image))
    return np.array(plain if turn is None else plain.transpose(turn))


@contextmanager
def opened(file: Path | BinaryIO, name: str, min_side: int = MIN_SIDE) -> Iterator[Image.Image]:
    """Open a picture and check its size before anything is decoded; ValueError for all that goes wrong.

    What went wrong is the error's cause: Pillow's UnidentifiedImageError for no JPEG or PNG, its DecompressionBombError
    for too many pixels.
    """
    try:
        if isinstance(file, Path) and not file.is_file():       # also a pipe or a device, which would never answer
            raise FileNotFoundError("no such file")
        with Image.open(file, formats=FORMATS) as image:
            pixels = image.width * image.height
            if not 0 < pixels <= MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}x{image.height} pixels")
            if min(image.size) < min_side:
                raise _TooSmallError(f"{image.width}x{image.height} pixels")
            yield image
    except BROKEN as error:
        raise ValueError(f"{name}: {_why(error, file)}") from error


def _why(error: BaseException, file: Path | BinaryIO) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"got {error}, expected 1 to {MAX_PIXELS} pixels; save it smaller"
    if isinstance(error, _TooSmallError):
        return f"got {error}, expected sides of {MIN_SIDE} or more; use a larger picture"
    if isinstance(error, PermissionError | FileNotFoundError):
        return f"cannot be opened ({error.strerror or error}); check the path and its permissions"
    if isinstance(error, Image.UnidentifiedImageError):
        size = file.stat().st_size if isinstance(file, Path) else file.seek(0, os.SEEK_END)
        return f"got {'an empty file' if size == 0 else 'no picture'}, expected a JPEG or PNG; save it as one of these"
    return f"got a truncated or damaged picture ({error}), expected a whole JPEG or PNG; copy or save it again"


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):                          # 16-bit grey
        deep = np.clip(np.asarray(image, dtype=np.int64), 0, 65535)
        return Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L" if grey else "RGB")


def _orientation(image: Image.Image) -> int:
    try:
        noted = image.getexif().get(ORIENTATION, 1)
    except BROKEN:                  # cameras and editors write broken EXIF; the picture itself is good
        return 1
    return noted if isinstance(noted, int) else 1


# ---------------------------------------------------------------- many

class Pictures(Sequence):
    """Hold picture files as a sequence that decodes each one when it is asked for.

    An integer gives an array, (height, width) uint8 for grey pictures or (height, width, 3) uint8 RGB; a slice, an
    array of indices or a boolean mask gives a list of such arrays. ValueError names a file that can't be decoded.

    Parameters
    ----------
    store, names : where they lie, and which
    colour : give grey pictures three equal channels, so that all are alike
    """

    def __init__(self, store: Store, names: Sequence[str], colour: bool = False) -> None:
        self.store, self.names, self.colour = store, tuple(names), colour

    def take(self, rows: Sequence[int] | np.ndarray | range) -> Pictures:
        """Return the pictures at the given rows as another lazy sequence."""
        return Pictures(self.store, [self.names[int(row)] for row in rows], self.colour)

    def contents(self) -> Iterator[bytes]:
        """Yield the bytes of each file."""
        return map(self.store.read, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._picture(name) for name in self.names[index]]
        index = np.asarray(index)
        if index.dtype == bool and index.shape == (len(self),):
            index = np.flatnonzero(index)
        if index.size and index.dtype.kind not in "iu":
            raise TypeError(f"index must be whole numbers, a slice or a mask of {len(self)}, got {index.dtype}")
        return self._picture(self.names[int(index)]) if index.ndim == 0 else [self[i] for i in index]

    def _picture(self, name: str) -> np.ndarray:
        image = decode(self.store, name)
        return np.repeat(image[:, :, None], 3, axis=2) if self.colour and image.ndim == 2 else image


def decode(store: Store, name: str) -> np.ndarray:
    """Return one picture of a store; see `read_image`."""
    try:
        content = io.BytesIO(store.read(name))
    except ValueError as error:
        raise ValueError(f"{Path(str(store)) / name}: {error}") from error
    with opened(content, str(Path(str(store)) / name)) as image:
        return upright(image)


def image_digest(image: np.ndarray) -> bytes:
    """Return the SHA-256 of an image's shape and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


def part_of(images: Any, rows: slice | np.ndarray) -> Any:
    """Return some of the images, still lazy where they are."""
    if isinstance(images, Pictures):
        return images.take(range(*rows.indices(len(images))) if isinstance(rows, slice) else rows)
    return images[rows] if isinstance(rows, slice) or isinstance(images, np.ndarray) else [images[row] for row in rows]


# ---------------------------------------------------------------- looking at all of them once

def unreadable(store: Store, names: Sequence[str]) -> dict[str, str]:
    """Return why pictures can't be used: name -> reason, decoding each once so that nothing fails in a long build.

    What was found is kept in the data folder and holds until a file changes.
    """
    stamps = [[name, store.stamp(name)] for name in names]
    path = data_folder() / "scans" / f"{digest_of([str(store.root.resolve()), stamps])[:24]}.json"
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    reasons = {name: _reason(store, name) for name in progress(names, "looking at pictures", unit="file")}
    found = {name: reason for name, reason in reasons.items() if reason}
    with suppress(OSError):                                     # a read-only folder: looked at again next time
        replace_file(path, json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return found


def _reason(store: Store, name: str) -> str:
    try:
        with opened(io.BytesIO(store.read(name)), "") as image:
            image.verify()          # PNG's checksums
        decode(store, name)         # all pixels
    except ValueError as error:
        return str(error).removeprefix(": ").removeprefix(f"{Path(str(store)) / name}: ")
    return ""
