"""1.3: features are computed once: an HDF5 cache in front of any extractor.

One folder for each extractor (named by the digest of its fingerprint, weights, layer, pixels, and of its runtime), in
it one file for each 256 new images: /digest (m, 32) uint8 of the images and /features (m, d) float32. Files are written
whole and renamed, so a killed run keeps all but its last few hundred images and two processes can't hurt each other.
Both arrays carry checksums: a file that was damaged since is removed and its images are computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fashion16_lib.data.pictures import image_digest, part_of
from fashion16_lib.files import digest_of, hdf5_bytes, replace_file
from fashion16_lib.progress import progress
from fashion16_lib.settings import GIB, data_folder

IMAGES_A_FILE = 256
CAP_BYTES = 10 * GIB
UNREADABLE = (OSError, KeyError, ValueError, TypeError, RuntimeError)      # what h5py raises on damaged files


class CachedExtractor:
    """Give an extractor's features, computing only those that were never computed before.

    Parameters
    ----------
    extractor : has extract(images), n_features and fingerprint
    folder : of the cache; default data/cache
    """

    def __init__(self, extractor: Any, folder: Path | None = None) -> None:
        self.extractor, self.fingerprint, self.n_features = extractor, extractor.fingerprint, extractor.n_features
        self.root = folder or data_folder() / "cache"
        runtime = getattr(extractor, "runtime", None)           # features of two differ by a little
        self.folder = self.root / digest_of({**self.fingerprint, "runtime": runtime})[:16]
        self.n_computed = 0  # images that passed the network through this object
        self._places: dict[bytes, tuple[Path, int]] = {}  # image digest -> file and row
        self._known: set[Path] = set()

    def extract(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the features of images, (n, n_features) float32, from the cache where it has them."""
        digests = [image_digest(images[row]) for row in range(len(images))]
        self._look_for_new_files()
        features = np.empty((len(images), self.n_features), np.float32)
        missing = self._read_into(features, digests)
        self._compute_into(features, missing, digests, images)
        return features

    def _compute_into(self, features: np.ndarray, rows: list[int], digests: list[bytes], images: Any) -> None:
        """Extract the images at rows and keep them, file by file."""
        places: dict[bytes, list[int]] = {}                     # an image that comes twice is computed once
        for row in rows:
            places.setdefault(digests[row], []).append(row)
        keys = list(places)
        groups = range(0, len(keys), IMAGES_A_FILE)
        task = f"features of {self.fingerprint.get('kind', 'the extractor')}"
        for start in progress(groups, task, unit="file") if len(groups) > 1 else groups:
            group = keys[start: start + IMAGES_A_FILE]
            fresh = self.extractor.extract(part_of(images, np.array([places[key][0] for key in group])))
            self.n_computed += len(group)
            self._keep(group, fresh)
            for key, vector in zip(group, fresh, strict=True):
                features[places[key]] = vector

    def _keep(self, keys: list[bytes], features: np.ndarray) -> None:
        if cache_bytes(self.root) + features.nbytes > CAP_BYTES:
            return                                              # full: `info` says so; results stay right, only slower

        def fill(file: h5py.File) -> None:
            digests = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
            file.create_dataset("digest", data=digests, chunks=digests.shape, fletcher32=True)
            file.create_dataset("features", data=features, chunks=(1, self.n_features), compression="lzf", shuffle=True,
                                fletcher32=True)

        path = self.folder / f"{hashlib.sha256(b''.join(keys)).hexdigest()[:24]}.h5"
        with suppress(OSError):                                 # read-only folder or full disk: go on without a cache
            replace_file(path, hdf5_bytes(fill))
            self._note(path, keys)

    def _look_for_new_files(self) -> None:
        for path in sorted(self.folder.glob("*.h5")):
            if path not in self._known:
                try:
                    with h5py.File(path) as file:
                        keys = [row.tobytes() for row in file["digest"][:]]
                        if file["features"].shape != (len(keys), self.n_features):
                            raise ValueError("features of another shape")
                    self._note(path, keys)
                except UNREADABLE:
                    self._forget(path)

    def _note(self, path: Path, keys: list[bytes]) -> None:
        self._known.add(path)
        self._places.update((key, (path, place)) for place, key in enumerate(keys))

    def _forget(self, path: Path) -> None:
        """Remove a file that was damaged from outside: its images are computed again."""
        with suppress(OSError):
            path.unlink()
        self._known.discard(path)
        self._places = {key: where for key, where in self._places.items() if where[0] != path}

    def _read_into(self, features: np.ndarray, digests: list[bytes]) -> list[int]:
        """Read what the files have; return the rows that are missing or can't be read."""
        missing: list[int] = []
        by_file: dict[Path, list[tuple[int, int]]] = {}
        for row, digest in enumerate(digests):
            if digest in self._places:
                path, place = self._places[digest]
                by_file.setdefault(path, []).append((row, place))
            else:
                missing.append(row)
        for path, pairs in by_file.items():
            try:
                with h5py.File(path) as file:
                    stored = file["features"][:] if len(pairs) > 1 else file["features"]
                    for row, place in pairs:
                        features[row] = stored[place]
            except UNREADABLE:
                self._forget(path)
                missing += [row for row, _ in pairs]
        return sorted(missing)


def cache_bytes(root: Path | None = None) -> int:
    """Return how many bytes the feature cache holds."""
    root = root or data_folder() / "cache"
    return sum(path.stat().st_size for path in root.glob("*/*.h5"))
