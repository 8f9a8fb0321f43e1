"""What the page and the service answer from: a library file, or whatever has taken its place."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from fashion16_lib.data.item_pictures import ItemPictures, item_pictures
from fashion16_lib.files import digest_of
from fashion16_lib.search.answer import Answer, Decider, Extractor, Images
from fashion16_lib.search.described import rebuild_extractor
from fashion16_lib.search.library import Library
from fashion16_lib.search.retrieval import DirectSearch, Fashion16, check_k
from fashion16_lib.settings import N_HITS, Fashion16Error

Result = TypeVar("Result")
MODES, BOTH = (Fashion16.mode, DirectSearch.mode), "both"
MAX_HITS = 100
MAX_WAIT_S = 30.0
BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError)      # what a library that is written over may raise


class UnavailableError(Fashion16Error):
    """Say that there is no library to answer from at the moment, or no time."""


@dataclass(frozen=True)
class Snapshot:
    """Hold a library as it was opened, with all that answers from it.

    Attributes
    ----------
    version : of the file; another content has another one
    models : the two searches by their mode
    pictures : of the items, as far as they are known
    samples : ids of pictures to begin with, one of each class; if possible not of the library's own
    """

    version: str
    library: Library
    models: dict[str, DirectSearch]
    pictures: ItemPictures
    samples: tuple[str, ...]

    def picture_path(self, item: str) -> str | None:
        """Return where the service has an item's picture, None where none is known, or the id is no text."""
        return f"/pictures/{self.version}/{quote(item)}" if item in self.pictures and as_text(item) == item else None


@dataclass(frozen=True)
class Answers:
    """Hold the answers to one query, a mode each, what gave them, and how long its picture took to decode."""

    snapshot: Snapshot
    decode_ms: float
    of_modes: list[Answer]


class Served:
    """Answer queries one after the other from one library file, and from the file that replaces it.

    All work is done in one thread of its own: memory holds one large picture at a time, a query has all cores, and a
    library is closed before the next one is opened.

    Parameters
    ----------
    path : of the library file
    pictures : zip or folder with the pictures of its items; "": Fashion-MNIST's, or in the photos folder, or none
    classifier : the Table 1 model of a library that was built with one

    Raises
    ------
    Fashion16Error, ValueError : the file can't be read as a library, or the pictures can't be found
    """

    def __init__(self, path: Path, pictures: str = "", classifier: Decider | None = None) -> None:
        self.path, self._where, self._classifier = path, pictures, classifier
        self._worker = ThreadPoolExecutor(1, "search")
        self._extractor: Extractor | None = None
        self._snapshot: Snapshot | None = None
        self._worker.submit(self._open).result()                # may fetch weights, and take its time

    def current(self) -> Snapshot:
        """Return what is served now.

        Raises
        ------
        UnavailableError : the file is gone or isn't a library, or others have kept it waiting for too long
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot.version == _version(self.path):
            return snapshot
        return self.in_turn(lambda newest: newest)

    def answers(self, read: Callable[[Snapshot], np.ndarray], k: int | None, modes: Iterable[str]) -> Answers:
        """Return the answer to a query in each mode: all from one library, even if it is being replaced.

        Parameters
        ----------
        read : gives the picture, (h, w) or (h, w, 3) uint8, perhaps one of the snapshot's
        k : None: 20, or all items where there are fewer
        modes : of "in-class" and "direct"; VGG-16's pass is made, and timed, for the first

        Raises
        ------
        ValueError : k out of range
        UnavailableError : as for `current`
        """
        wanted = tuple(modes)
        for _ in range(2):
            found = self.in_turn(lambda snapshot: _answers(snapshot, read, k, wanted))
            if found.snapshot.version == _version(self.path):
                return found
        raise UnavailableError("the library is being replaced; ask again in a moment")

    def in_turn(self, work: Callable[[Snapshot], Result]) -> Result:
        """Do some work with the newest library when it is its turn.

        Raises
        ------
        UnavailableError : as for `current`
        """
        job = self._worker.submit(lambda: work(self._newest()))
        try:
            return job.result(MAX_WAIT_S)
        except TimeoutError:
            job.cancel()
            raise UnavailableError(f"no answer within {MAX_WAIT_S:g} seconds; ask again in a moment") from None

    def _newest(self) -> Snapshot:
        if self._snapshot is None or self._snapshot.version != _version(self.path):
            self._close()
            try:
                self._open()
            except BROKEN as error:
                raise UnavailableError(f"the library can't be read at the moment: {error}") from error
        assert self._snapshot is not None
        return self._snapshot

    def _close(self) -> None:
        if self._snapshot is not None:
            self._snapshot.library.close()
        self._snapshot = None

    def _open(self) -> None:
        version, library = _version(self.path), Library(self.path)
        try:
            self._snapshot = self._described(version, library)
        except BaseException:
            library.close()
            raise

    def _described(self, version: str, library: Library) -> Snapshot:
        same = self._extractor is not None and self._extractor.fingerprint == library.settings["extractor"]
        if not same:
            self._extractor = _ExtractedOnce(rebuild_extractor(library))
        in_class = Fashion16.over(library, extractor=self._extractor, classifier=self._classifier)
        direct = DirectSearch(library, in_class.extractor, in_class.classifier)
        models = {model.mode: model for model in (in_class, direct)}
        for model in models.values():
            if library.n_items:
                model.answer(np.full((28, 28), 255, np.uint8), 1)           # the first is slow: let it be nobody's
        try:
            pictures = item_pictures(library.settings["dataset"], self._where)
        except (Fashion16Error, ValueError):
            if self._where:
                raise
            pictures = ItemPictures((), ())             # the search needs none
        return Snapshot(version, library, models, pictures, _samples(library, pictures))


class _ExtractedOnce:
    """Extract the features of one picture once, however many searches ask for them in turn."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor, self.fingerprint = extractor, extractor.fingerprint
        self._image: Callable[[], np.ndarray | None] = lambda: None
        self._features = np.empty(0, np.float32)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def extract(self, images: Images) -> np.ndarray:
        """Return the features of images, (n, d) float32."""
        (image,) = images
        if image is not self._image():
            self._features, self._image = self._extractor.extract(images), weakref.ref(image)
        return self._features


def as_text(item: str) -> str:
    """Return an id that any client can read; the bytes of a file's name need not be text."""
    return item.encode("utf-8", "replace").decode()


def _answers(
    snapshot: Snapshot, read: Callable[[Snapshot], np.ndarray], k: int | None, modes: tuple[str, ...]
) -> Answers:
    start = perf_counter()
    image = read(snapshot)
    decode_ms = 1e3 * (perf_counter() - start)
    n_items = snapshot.library.n_items
    wanted = check_k(min(N_HITS, n_items) if k is None else k, n_items)
    try:
        return Answers(snapshot, decode_ms, [snapshot.models[mode].answer(image, wanted) for mode in modes])
    except BROKEN as error:
        raise UnavailableError(f"the library can't be read at the moment: {error}") from error


def _version(path: Path) -> str:
    """Return a short text that changes with the file; raise nothing where there is none."""
    try:
        about = path.stat()
    except OSError:
        return ""
    return digest_of([about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns])[:12]


def _samples(library: Library, pictures: ItemPictures) -> tuple[str, ...]:
    if pictures.unseen:
        return pictures.unseen
    first = [library.class_codes(number)[1][:1] for number in range(len(library.class_names))]
    return tuple(item for item in library.ids(np.concatenate(first)) if item in pictures)
