"""A picture from a stranger: nothing it says of itself is trusted, and it may take only so much of everything."""

from __future__ import annotations

import io
import re
import time

import numpy as np
from PIL import Image
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from fashion16_lib.data.pictures import opened, upright

MAX_BYTES = 16 * 2**20
MAX_SECONDS = 10.0
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
MARKER, END_OF_JPEG = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]"), 0xD9     # of those that have a length, and the end
MAX_SEGMENTS = 10_000
READ_AT_ONCE = 4096             # bytes; the clock is looked at in between
# Long enough not to turn up by chance in 16 MiB of compressed pixels, nor in what cameras write about a picture; and
# found in one pass, whatever is sent.
MARKUP = re.compile(
    rb"<(?:!doctype\s+html|(?:html|head|body)[\s>]|script|iframe|svg\s+[a-z][\w:-]{0,30}=|\?php\s)", re.IGNORECASE
)
# What may follow a picture's end: cameras append previews and films. What an unpacker or a viewer of documents would
# take for its own may not.
FOREIGN_TAILS = re.compile(rb"%PDF-|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c")
END_OF_ZIP, END_OF_ZIP_BYTES, MAX_COMMENT_BYTES = b"PK\x05\x06", 22, 65_535      # a zip is found by its end


class _Timed(io.BytesIO):
    """Refuse to be read once the time is over: a small file can hold thousands of passes over a large picture."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._until = time.monotonic() + MAX_SECONDS

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, or raise TimeoutError."""
        if time.monotonic() > self._until:
            raise TimeoutError
        return super().read(size)


def decode_upload(content: bytes) -> np.ndarray:
    """Return an uploaded picture as `read_image` would; the smallest have one pixel.

    Raises
    ------
    BadRequest (400) : nothing there, truncated or damaged
    RequestEntityTooLarge (413) : too many bytes or pixels, or too long to decode
    UnsupportedMediaType (415) : no JPEG or PNG, or one that is something else as well
    """
    if not content:
        raise BadRequest("got an empty file, expected a JPEG or PNG; choose a picture")
    if len(content) > MAX_BYTES:
        raise too_large()
    if not content.startswith(STARTS):
        raise UnsupportedMediaType("got no picture, expected a JPEG or PNG; save it as one of these")
    end = _end(content)
    if MARKUP.search(content) or FOREIGN_TAILS.search(content, end) or b"%PDF-" in content[:1024] or (
        _is_zip(content, end)
    ):
        raise UnsupportedMediaType("got a picture that holds a page, an archive or a program as well; save it again")
    if end > len(content):
        raise BadRequest("got the beginning of a picture only, expected a whole JPEG or PNG; copy or save it again")
    try:
        with opened(_Timed(content), "the picture", min_side=1) as image:
            image.decodermaxblock = READ_AT_ONCE            # type: ignore[attr-defined]
            return upright(image)
    except ValueError as error:
        raise _as_http(error) from error


def too_large() -> RequestEntityTooLarge:
    """Return the refusal of a body over the limit."""
    return RequestEntityTooLarge(f"got more than {MAX_BYTES / 2**20:.0f} MiB, the most that is taken; save it smaller")


def _as_http(error: ValueError) -> HTTPException:
    match error.__cause__:
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return RequestEntityTooLarge(str(error))
        case TimeoutError():
            return RequestEntityTooLarge(
                f"the picture takes more than {MAX_SECONDS:g} seconds to decode, the most that is given; save it again")
    return BadRequest(str(error))


def _is_zip(content: bytes, end: int) -> bool:
    """Tell whether the last bytes are the end of a zip: a mark, and a comment that goes on to the file's end.

    Behind the picture's `end` the mark alone is enough.
    """
    place = max(0, len(content) - END_OF_ZIP_BYTES - MAX_COMMENT_BYTES)
    while (place := content.find(END_OF_ZIP, place)) >= 0:
        place += END_OF_ZIP_BYTES
        if place > end or place + int.from_bytes(content[place - 2 : place], "little") == len(content):
            return True
    return False


def _end(content: bytes) -> int:
    """Return the place after the end of a JPEG or PNG, one beyond the file where it has no end."""
    return (_end_of_png if content.startswith(STARTS[1]) else _end_of_jpeg)(content)


def _end_of_png(content: bytes) -> int:
    place, kind = len(STARTS[1]), b""
    while place < len(content) and kind != b"IEND":
        kind = content[place + 4 : place + 8]
        place += 12 + int.from_bytes(content[place : place + 4], "big")         # length, kind, data, checksum
    return place if kind == b"IEND" else len(content) + 1


def _end_of_jpeg(content: bytes) -> int:
    place = 2
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(content, place)               # also over the compressed data that follows a scan's header
        if found is None:
            return len(content) + 1
        if found[0][1] == END_OF_JPEG:
            return found.end()
        place = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return place
