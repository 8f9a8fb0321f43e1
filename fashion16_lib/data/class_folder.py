"""Read people's own pictures: a folder whose sub-folders are the classes."""

from __future__ import annotations

import os
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from fashion16_lib.progress import progress

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


class ImageFiles(Sequence):
    """Hold image files as a sequence that decodes each picture when it is asked for.

    An integer gives an array, (height, width) uint8 for grey pictures or (height, width, 3) uint8 RGB; a slice, an
    array of indices or a boolean mask gives a list of such arrays. ValueError names a file that can't be decoded.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(Path(path) for path in paths)

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageFiles:
        """Return the files at the given rows as another lazy sequence."""
        return ImageFiles([self.paths[int(row)] for row in rows])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [read_image(path) for path in self.paths[index]]
        index = np.asarray(index)
        if index.dtype == bool and index.shape == (len(self),):
            index = np.flatnonzero(index)
        if index.size and index.dtype.kind not in "iu":
            raise TypeError(f"index must be whole numbers, a slice or a mask of {len(self)}, got {index.dtype}")
        return read_image(self.paths[int(index)]) if index.ndim == 0 else [self[i] for i in index]


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
    path = Path(path)
    with _opened(path) as image:
        plain = _eight_bit(image)
        turn = TURNS.get(_orientation(image))
        return np.array(plain if turn is None else plain.transpose(turn))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture and check its size before anything is decoded; ValueError for all that goes wrong."""
    try:
        if not path.is_file():      # also a pipe or a device, which would never answer
            raise FileNotFoundError("no such file")
        with Image.open(path, formats=FORMATS) as image:
            pixels = image.width * image.height
            if not 0 < pixels <= MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}x{image.height} pixels")
            if min(image.size) < MIN_SIDE:
                raise _TooSmallError(f"{image.width}x{image.height} pixels")
            yield image
    except BROKEN as error:
        raise ValueError(f"{path}: {_why(error, path)}") from error


def _why(error: BaseException, path: Path) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"got {error}, expected 1 to {MAX_PIXELS} pixels; save it smaller"
    if isinstance(error, _TooSmallError):
        return f"got {error}, expected sides of {MIN_SIDE} or more; use a larger picture"
    if isinstance(error, PermissionError | FileNotFoundError):
        return f"cannot be opened ({error.strerror or error}); check the path and its permissions"
    if isinstance(error, Image.UnidentifiedImageError):
        size = path.stat().st_size
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


# ---------------------------------------------------------------- a folder of them

def scan_class_folder(folder: str | Path) -> tuple[list[Path], np.ndarray, tuple[str, ...], dict[str, str]]:
    """List the pictures of a folder whose sub-folders are classes; each is decoded once, to leave out damaged ones.

    Returns
    -------
    paths : sorted by id, the path relative to the folder with forward slashes, as text
    labels : (n,) int64, indices into class_names
    class_names : the sub-folders that hold pictures, sorted as text
    skipped : id -> why it was left out

    Raises
    ------
    ValueError : no such folder, no class folders, or fewer than two classes with pictures
    """
    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"{root}: got no folder, expected one with a sub-folder for each class; check the path")
    skipped: dict[str, str] = {}
    found = sorted(_files(root, skipped))
    ids = [name for name in progress(found, "looking at pictures", unit="file") if _is_picture(root, name, skipped)]
    class_names = tuple(sorted({name.split("/")[0] for name in ids}))
    if len(class_names) < 2:
        raise ValueError(_too_few(root, class_names, skipped))
    labels = np.array([class_names.index(name.split("/")[0]) for name in ids], dtype=np.int64)
    return [root / name for name in ids], labels, class_names, skipped


def _files(root: Path, skipped: dict[str, str]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        skipped[_id(root, Path(error.filename))] = f"folder cannot be opened ({error.strerror})"

    for here, folders, names in os.walk(root, onerror=unreadable):      # follows no links to folders
        for name in list(folders):
            path = Path(here, name)
            if path.is_symlink() or name.startswith("."):
                skipped[_id(root, path)] = "link to a folder" if path.is_symlink() else "hidden folder"
                folders.remove(name)
        yield from (_id(root, Path(here, name)) for name in names)


def _id(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_picture(root: Path, name: str, skipped: dict[str, str]) -> bool:
    reason = _reason_to_skip(root, name)
    if reason:
        skipped[os.fsencode(name).decode("utf-8", "replace")] = reason
    return not reason


def _reason_to_skip(root: Path, name: str) -> str:
    path = root / name
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        return "the name holds line breaks or bytes that are no text; rename it"
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return f"not a {', '.join(SUFFIXES)} file"
    if "/" not in name:
        return "not in a class folder"
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        return "link that leads outside the folder"
    try:
        with _opened(path) as image:
            image.verify()          # PNG's checksums
        read_image(path)            # all pixels: nothing fails later, in the middle of a build
    except ValueError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _too_few(root: Path, class_names: tuple[str, ...], skipped: dict[str, str]) -> str:
    named = f" ({', '.join(class_names)})" if class_names else ""
    left_out = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
    more = f"; left out {len(skipped)} in all{left_out}" if skipped else ""
    return (f"{root}: got {len(class_names)} classes with pictures{named}, expected at least 2; "
            f"put the {', '.join(SUFFIXES)} files of each class into a sub-folder of its own{more}")
