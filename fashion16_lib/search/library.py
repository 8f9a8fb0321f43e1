"""1.4: a library, read lazily: one class at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from fashion16_lib.search.engines import Engine, choose_engine
from fashion16_lib.search.hyperplanes import Hyperplanes
from fashion16_lib.search.library_file import (
    CHUNK_ROWS,
    SCHEMA_VERSION,
    check_layout,
    content_of,
    open_library,
    write_library,
)
from fashion16_lib.settings import Fashion16Error

KEPT_CHUNKS = 512           # of ids and labels, 4,096 rows each: all of a million items', some 10 to 50 MiB


class Library:
    """Read a library file lazily: settings at once, the codes of a class when it is first searched.

    Parameters
    ----------
    source : path of a library file, its bytes, or (to count what is read) an open binary file
    engine : "faiss" or "numpy"; None is faiss where it is installed

    Raises
    ------
    Fashion16Error : missing, empty, truncated or foreign file; another schema; anything but plain arrays inside
    """

    def __init__(self, source: str | Path | bytes | BinaryIO, engine: str | None = None) -> None:
        self._source, self.engine, self._engine = source, engine, choose_engine(engine)
        self.name = str(source) if isinstance(source, str | Path) else "the library in memory"
        if isinstance(source, str | Path) and not Path(source).is_file():
            raise Fashion16Error(f"no library file at {source}; build one with: python -m fashion16_lib build")
        try:
            self._file = open_library(source)
            self._check()
        except Fashion16Error:
            raise
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise Fashion16Error(
                f"{self.name} can't be read as a library (empty, truncated, damaged or another kind of file); build it "
                f"again. Detail: {_first_line(error)}"
            ) from error
        self._codes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._chunks: dict[tuple[str, int], np.ndarray] = {}
        self._engines: dict[int | None, Engine] = {}

    def _check(self) -> None:
        version, settings = (self._file.attrs.get(name) for name in ("schema_version", "settings"))
        if version != SCHEMA_VERSION:
            raise Fashion16Error(
                f"{self.name} has library schema {version}, this program reads {SCHEMA_VERSION}; build it again"
            )
        if not isinstance(settings, bytes):
            raise ValueError("its settings aren't text")
        self.settings: dict[str, Any] = json.loads(settings)
        self.class_names: tuple[str, ...] = tuple(self.settings["class_names"])
        try:
            check_layout(self._file, self.class_names)
        except Fashion16Error as error:
            raise Fashion16Error(f"{self.name}: {error}") from None
        self.n_items = len(self._file["images/id"])
        self.counts = {name: len(self._file[f"classes/{i}/codes"]) for i, name in enumerate(self.class_names)}
        self.hasher = Hyperplanes.restore(self._file["hash/planes"][:], self._file["hash/mean"][:])
        self.n_bits = self.hasher.n_bits

    def class_codes(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return codes (m, bytes) and gallery rows (m,) stored under a class; reads that class only."""
        if number not in self._codes:
            codes = self._read(f"classes/{number}/codes")
            rows = self._read(f"classes/{number}/rows").astype(np.int64)
            if len(rows) and ((np.diff(rows) < 1).any() or rows[-1] >= self.n_items):
                raise Fashion16Error(f"{self.name} is damaged: class {number} has rows that can't be; build it again")
            self._codes[number] = codes, rows
        return self._codes[number]

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """Return the codes of gallery rows, (len(rows), bytes) uint8; classes in memory are looked into first."""
        rows = np.asarray(rows, np.int64)
        found, missing = np.empty((len(rows), self.n_bits // 8), np.uint8), np.ones(len(rows), bool)
        for number in sorted(range(len(self.class_names)), key=lambda number: number not in self._codes):
            if missing.any():
                codes, stored = self.class_codes(number)
                places = np.minimum(np.searchsorted(stored, rows), len(stored) - 1)
                here = missing & (stored[places] == rows) if len(stored) else np.zeros_like(missing)
                found[here], missing[here] = codes[places[here]], False
        if missing.any():
            raise Fashion16Error(f"{self.name} is damaged: items that lie in no class; build it again")
        return found

    def all_codes(self) -> np.ndarray:
        """Return the codes of every item in gallery order, (n, bytes) uint8."""
        found = np.empty((self.n_items, self.n_bits // 8), np.uint8)
        self.stored_under()                                     # every row is there once
        for number in range(len(self.class_names)):
            codes, rows = self.class_codes(number)
            found[rows] = codes
        return found

    def stored_under(self) -> np.ndarray:
        """Return the number of the class library that each item lies in, (n,) int64, in gallery order."""
        found = np.full(self.n_items, -1)
        for number in range(len(self.class_names)):
            found[self.class_codes(number)[1]] = number
        if (found < 0).any():
            raise Fashion16Error(f"{self.name} is damaged: items that lie in no class; build it again")
        return found

    def search(self, codes: np.ndarray, k: int, number: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest of each query code in a class, or in the whole library.

        Parameters
        ----------
        codes : (q, bytes) uint8
        number : of the class; None: all classes

        Returns
        -------
        gallery rows and distances, (q, min(k, m)) int64 each, by distance, then by row
        """
        if number not in self._engines:
            self._engines[number] = self._engine(self.all_codes() if number is None else self.class_codes(number)[0])
        distances, places = self._engines[number].search(codes, k)
        return (places if number is None else self.class_codes(number)[1][places]), distances

    def ids(self, rows: np.ndarray | None = None) -> list[str]:
        """Return the ids of gallery rows (None: all)."""
        found = self._read("images/id") if rows is None else self._take("images/id", rows)
        return [item.decode("utf-8", "surrogateescape") for item in found.tolist()]

    def labels(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the true classes of gallery rows (None: all) as indices into class_names, -1 for unknown; int32."""
        found = self._read("images/label") if rows is None else self._take("images/label", rows)
        if len(found) and not -1 <= found.min() <= found.max() < len(self.class_names):
            raise Fashion16Error(f"{self.name} is damaged: labels of no class; build it again")
        return found

    @property
    def keeps_features(self) -> bool:
        """Tell whether the library holds features for re-ranking."""
        return "features" in self._file["images"]

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored features of gallery rows, (len(rows), d) float32."""
        order, places = np.unique(np.asarray(rows, np.int64), return_inverse=True)  # HDF5 wants ascending rows
        return self._read("images/features", order)[places].astype(np.float32)

    def label_name(self, label: int) -> str | None:
        """Return the class name of a label; None for an unknown one."""
        return self.class_names[label] if label >= 0 else None

    def _take(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return rows of an array, in any order; whole chunks are read, and kept for the queries to come."""
        if not len(rows):
            return self._read(name, np.s_[:0])
        return np.array([self._chunk(name, row // CHUNK_ROWS)[row % CHUNK_ROWS] for row in np.asarray(rows).tolist()])

    def _chunk(self, name: str, number: int) -> np.ndarray:
        found = self._chunks.get((name, number))
        if found is None:
            found = self._read(name, np.s_[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS])
            if len(self._chunks) >= KEPT_CHUNKS:
                self._chunks.clear()
            self._chunks[name, number] = found
        return found

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

    def with_items(
        self,
        codes: np.ndarray,
        stored_under: np.ndarray,
        ids: Sequence[str],
        labels: np.ndarray,
        features: np.ndarray | None = None,
    ) -> bytes:
        """Return the bytes of this library with items added at its end; nothing is extracted or hashed again.

        Parameters
        ----------
        as for write_library; features only where this library keeps them

        Raises
        ------
        ValueError : an id that is there already, or twice
        """
        kept = self.ids()
        known = set(kept)
        twice = [item for item in ids if item in known or known.add(item)]        # type: ignore[func-returns-value]
        if twice:
            raise ValueError(f"ids must be new to the library, got {twice[0]!r} again; remove it first, or rename it")
        return self._rewritten(
            np.concatenate([self.all_codes(), codes]), np.concatenate([self.stored_under(), stored_under]),
            [*kept, *ids], np.concatenate([self.labels(), labels]),
            np.concatenate([self._read("images/features"), features]) if self.keeps_features else None,
        )

    def without_items(self, ids: Iterable[str]) -> bytes:
        """Return the bytes of this library without some items; the others keep their order.

        Raises
        ------
        ValueError : an id that isn't there
        """
        held, gone = self.ids(), set(ids)
        if unknown := sorted(gone - set(held)):
            raise ValueError(f"ids must be those of the library, got {unknown[0]!r}, which isn't there")
        kept = np.array([row for row, item in enumerate(held) if item not in gone], np.int64)
        return self._rewritten(
            self.all_codes()[kept], self.stored_under()[kept], [held[row] for row in kept], self.labels()[kept],
            self._read("images/features")[kept] if self.keeps_features else None,
        )

    def _rewritten(
        self, codes: np.ndarray, stored_under: np.ndarray, ids: Sequence[str], labels: np.ndarray,
        features: np.ndarray | None,
    ) -> bytes:
        return write_library({**self.settings, "changed_since_build": True}, self.hasher, codes, stored_under, ids,
                             labels, self.decider_arrays(), features)

    def to_bytes(self) -> bytes:
        """Return the bytes of the library file, as it was when it was opened."""
        if isinstance(self._source, bytes):
            return self._source
        if isinstance(self._source, str | Path):
            return content_of(self._file)
        self._source.seek(0)
        return self._source.read()

    def close(self) -> None:
        """Close the file; what hasn't been read of it can't be any more."""
        self._file.close()

    def content(self) -> dict[str, np.ndarray]:
        """Return every array by its name: what two equal libraries have in common."""
        found: dict[str, np.ndarray] = {}
        self._file.visititems(
            lambda name, item: found.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None
        )
        return found


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
