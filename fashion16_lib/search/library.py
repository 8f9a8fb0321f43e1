"""1.4: the library file: binary codes in HDF5, one index per class.

Layout (schema 1), everything chunked with fletcher32, fixed-width strings, hard links only:

    attributes             schema_version, settings (canonical JSON: dataset and its digest, the extractor's and the
                           decider's fingerprints, hash, split_by, class_names)
    /hash/planes           (n_bits, d) float32    the planes' normal vectors
    /hash/mean             (d,) float32           the gallery's mean (zeros where not centred)
    /classes/<i>/codes     (m, n_bits / 8) uint8  the codes stored under class i of class_names
    /classes/<i>/rows      (m,) int64             their gallery rows, ascending
    /images/id             (n,) bytes             in gallery order: ascending when built
    /images/label          (n,) int32             the true class, -1 where unknown
    /decider/<array>       the softmax head's arrays; empty for other deciders

Classes go by number because a class name may hold any character. A library is made whole, then written to a
temporary file beside its place and renamed, so a killed build leaves the old file as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from fashion16_lib.files import add_groups, canonical_json, hdf5_bytes
from fashion16_lib.search.hyperplanes import RandomHyperplanes
from fashion16_lib.settings import Fashion16Error

SCHEMA_VERSION = 1
CHUNK_ROWS = 4096
ARRAY_KINDS = "iufS"  # whole numbers, floats and fixed-width strings; no references, no variable length


def write_library(
    settings: dict[str, Any],
    hasher: RandomHyperplanes,
    codes: np.ndarray,
    stored_under: np.ndarray,
    ids: Iterable[str],
    labels: np.ndarray,
    decider: dict[str, np.ndarray],
) -> bytes:
    """Return the bytes of a library file.

    Parameters
    ----------
    settings : JSON-able; must hold `class_names`
    hasher : fitted
    codes : (n, n_bits / 8) uint8, in gallery order
    stored_under : (n,) index into class_names: the class library each item goes into
    ids, labels : (n,) text and index of the true class (-1: unknown)
    decider : arrays of the softmax head, or {}
    """
    planes, mean = hasher.planes, hasher.mean
    assert planes is not None and mean is not None

    def fill(file: h5py.File) -> None:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["settings"] = np.bytes_(canonical_json(settings).encode())
        numbers = range(len(settings["class_names"]))
        add_groups(file, "hash", "classes", *(f"classes/{number}" for number in numbers), "images", "decider")
        _store(file, "hash/planes", planes)
        _store(file, "hash/mean", mean)
        for number in numbers:
            rows = np.flatnonzero(stored_under == number)
            _store(file, f"classes/{number}/codes", codes[rows])
            _store(file, f"classes/{number}/rows", rows.astype(np.int64))
        _store(file, "images/id", np.array([item.encode("utf-8", "surrogateescape") for item in ids], dtype=np.bytes_))
        _store(file, "images/label", np.asarray(labels, np.int32))
        for name, array in sorted(decider.items()):
            _store(file, f"decider/{name}", array)

    return hdf5_bytes(fill)


def _store(file: h5py.File, name: str, array: np.ndarray) -> None:
    chunks = (max(1, min(len(array), CHUNK_ROWS)), *array.shape[1:])
    file.create_dataset(name, data=array, chunks=chunks, maxshape=(None, *array.shape[1:]), fletcher32=True)


class Library:
    """Read a library file lazily: settings at once, the codes of a class when it is first searched.

    Parameters
    ----------
    source : path of a library file, its bytes, or (to count what is read) an open binary file

    Raises
    ------
    Fashion16Error : missing, empty, truncated or foreign file; another schema; anything but plain arrays inside
    """

    def __init__(self, source: str | Path | bytes | BinaryIO) -> None:
        self._source = source
        self.name = str(source) if isinstance(source, str | Path) else "the library in memory"
        if isinstance(source, str | Path) and not Path(source).is_file():
            raise Fashion16Error(f"no library file at {source}; build one with: python -m fashion16_lib build")
        try:
            self._file = h5py.File.in_memory(source) if isinstance(source, bytes) else h5py.File(source, "r")
            self._check()
        except Fashion16Error:
            raise
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise Fashion16Error(
                f"{self.name} can't be read as a library (empty, truncated, damaged or another kind of file); build it "
                f"again. Detail: {_first_line(error)}"
            ) from error
        self._codes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._all_codes: np.ndarray | None = None

    def _check(self) -> None:
        version = self._file.attrs.get("schema_version")
        if version != SCHEMA_VERSION:
            raise Fashion16Error(
                f"{self.name} has library schema {version}, this program reads {SCHEMA_VERSION}; build it again"
            )
        _refuse_all_but_plain_arrays(self._file)
        self.settings: dict[str, Any] = json.loads(bytes(self._file.attrs["settings"]))
        self.class_names: tuple[str, ...] = tuple(self.settings["class_names"])
        self.n_items = len(self._file["images/id"])
        self.counts = {name: len(self._file[f"classes/{i}/rows"]) for i, name in enumerate(self.class_names)}
        if self._file["images/label"].shape != (self.n_items,) or sum(self.counts.values()) != self.n_items:
            raise Fashion16Error(
                f"{self.name} is not whole: {self.n_items} ids, {sum(self.counts.values())} codes; build it again"
            )
        hashing = self.settings["hash"]
        self.hasher = RandomHyperplanes.restore(
            self._file["hash/planes"][:], self._file["hash/mean"][:], hashing["seed"], hashing["centred"]
        )
        self.n_bits = self.hasher.n_bits
        for number in range(len(self.class_names)):
            shape = self._file[f"classes/{number}/codes"].shape
            if shape[1:] != (self.n_bits // 8,):
                raise Fashion16Error(
                    f"{self.name} holds codes of shape {shape} but planes of {self.n_bits} bits; build it again"
                )

    def class_codes(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return codes (m, bytes) and gallery rows (m,) stored under a class; reads that class only."""
        if number not in self._codes:
            self._codes[number] = self._read(f"classes/{number}/codes"), self._read(f"classes/{number}/rows")
        return self._codes[number]

    def all_codes(self) -> np.ndarray:
        """Return the codes of every item in gallery order, (n, bytes) uint8."""
        if self._all_codes is None:
            self._all_codes = np.zeros((self.n_items, self.n_bits // 8), np.uint8)
            for number in range(len(self.class_names)):
                codes, rows = self.class_codes(number)
                self._all_codes[rows] = codes
        return self._all_codes

    def stored_under(self) -> np.ndarray:
        """Return the number of the class library that each item lies in, (n,) int64, in gallery order."""
        found = np.empty(self.n_items, np.int64)
        for number in range(len(self.class_names)):
            found[self.class_codes(number)[1]] = number
        return found

    def ids(self, rows: np.ndarray) -> list[str]:
        """Return the ids of gallery rows."""
        return [item.decode("utf-8", "surrogateescape") for item in self._take("images/id", rows)]

    def labels(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the true classes of gallery rows (None: all) as indices into class_names, int32."""
        return self._read("images/label") if rows is None else self._take("images/label", rows)

    def label_name(self, label: int) -> str | None:
        """Return the class name of a label; None for an unknown one."""
        return self.class_names[label] if label >= 0 else None

    def _take(self, name: str, rows: np.ndarray) -> np.ndarray:
        order, places = np.unique(np.asarray(rows, np.int64), return_inverse=True)  # HDF5 wants ascending rows
        return self._read(name, order)[places]

    def _read(self, name: str, rows: Any = ...) -> np.ndarray:
        """Return an array, or the given rows of it; a checksum that fails is told as such."""
        try:
            return self._file[name][rows]
        except OSError as error:
            raise Fashion16Error(
                f"{self.name} is damaged in {name}; build it again. Detail: {_first_line(error)}"
            ) from error

    def decider_arrays(self) -> dict[str, np.ndarray]:
        """Return the softmax head's arrays, {} where the decider isn't one."""
        return {name: self._read(f"decider/{name}") for name in self._file["decider"]}

    def to_bytes(self) -> bytes:
        """Return the library file's bytes."""
        return self._source if isinstance(self._source, bytes) else Path(self.name).read_bytes()

    def content(self) -> dict[str, np.ndarray]:
        """Return every array by its name: what two equal libraries have in common."""
        found: dict[str, np.ndarray] = {}
        self._file.visititems(
            lambda name, item: found.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None
        )
        return found


def _refuse_all_but_plain_arrays(group: h5py.Group) -> None:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Fashion16Error(f"library refused: {name} is a link to elsewhere; a library holds its own data only")
        item = group[name]
        if isinstance(item, h5py.Group):
            _refuse_all_but_plain_arrays(item)
            continue
        plan = item.id.get_create_plist()
        filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
        if (
            item.external
            or item.is_virtual
            or filters - {h5py.h5z.FILTER_FLETCHER32}
            or item.dtype.kind not in ARRAY_KINDS
        ):
            raise Fashion16Error(f"library refused: {item.name} isn't a plain array of numbers or fixed-width text")
        if item.nbytes > item.id.get_storage_size():
            raise Fashion16Error(
                f"library refused: {item.name} claims {item.nbytes} bytes, the file holds "
                f"{item.id.get_storage_size()}; build it again"
            )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
