"""HDF5 files with a sealed head: everything that HDF5 reads to find its way is checked before HDF5 sees it.

HDF5 checks its own metadata too, yet one flipped bit can make it crash or loop. So all metadata lie in one block at the
beginning, before any data, and the 512 bytes in front of it, which HDF5 skips, tell its length and its SHA-256. Data
lie in chunks with a checksum each, which HDF5 verifies when it reads them. So opening reads the head alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import BinaryIO

import h5py

from fashion16_lib.files import hdf5_bytes

SEAL_BYTES = 512
FIRST_HEAD_BYTES = 2**16


def sealed_hdf5(fill: Callable[[h5py.File], None], n_chunks: int = 0) -> bytes:
    """Return the bytes of an HDF5 file with a sealed head.

    fill : writes it, perhaps several times; all arrays chunked, with checksums
    n_chunks : about how many chunks they have, so that the head need not be tried in too small sizes
    """
    data: list[tuple[int, int]] = []

    def fill_and_look(file: h5py.File) -> None:
        fill(file)
        file.flush()
        data[:] = _data_of(file)

    head_bytes = FIRST_HEAD_BYTES
    while head_bytes < 24 * n_chunks:                           # a chunk's entry takes about as many
        head_bytes *= 2
    while True:
        content = hdf5_bytes(fill_and_look, SEAL_BYTES, head_bytes)
        first = min((place for place, _ in data), default=len(content))
        if len(content) == first + sum(n_bytes for _, n_bytes in data):     # nothing but data behind the head
            return b"".join((seal_of(content[SEAL_BYTES:first]), memoryview(content)[SEAL_BYTES:]))
        head_bytes *= 2


def seal_of(head: bytes) -> bytes:
    """Return the 512 bytes that go in front of a head."""
    return json.dumps({"head_bytes": len(head), "sha256": hashlib.sha256(head).hexdigest()}).encode().ljust(SEAL_BYTES)


def _data_of(file: h5py.File) -> list[tuple[int, int]]:
    """Return where each chunk of data lies, and how many bytes it has."""
    chunks: list[tuple[int, int]] = []

    def note(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            item.id.chunk_iter(lambda chunk: chunks.append((chunk.byte_offset, chunk.size)))

    file.visititems(note)
    return chunks


def check_seal(file: BinaryIO) -> None:
    """Compare the head of an open file with its seal.

    Raises
    ------
    ValueError : no seal, or another head
    """
    n_bytes = file.seek(0, 2) - SEAL_BYTES
    file.seek(0)
    seal = json.loads(file.read(SEAL_BYTES))
    head_bytes = seal["head_bytes"]
    if type(head_bytes) is not int or not 0 < head_bytes <= n_bytes:
        raise ValueError(f"its head should have {head_bytes!r} bytes, the file has {n_bytes}")
    if hashlib.sha256(file.read(head_bytes)).hexdigest() != seal["sha256"]:
        raise ValueError("its head isn't the one that was sealed")
