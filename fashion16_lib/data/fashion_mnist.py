"""Read the paper's garments: Fashion-MNIST, 60,000 + 10,000 pictures of 28x28 in ten classes (2.1.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from fashion16_lib.data.archive import gunzip
from fashion16_lib.data.download import Source, Wanted, check_sha256, fetch_all
from fashion16_lib.data.sources import LocalFile, WebFile, Website, run_tool
from fashion16_lib.settings import data_folder

CLASS_NAMES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
PUBLISHER = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = "usr/share/datasets/fashion-mnist"
NEEDS_BYTES = 200 * 2**20       # the package lists, the package, what it unpacks to, and the four files


@dataclass(frozen=True)
class IdxFile:
    """Describe one of the four files: its name, its shape, and the SHA-256 of its uncompressed bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Return the size of the uncompressed file: header and one byte a number."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


FILES = {
    "train_images": IdxFile("train-images-idx3-ubyte", (60_000, 28, 28),
                            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train_labels": IdxFile("train-labels-idx1-ubyte", (60_000,),
                            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "test_images": IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28),
                           "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "test_labels": IdxFile("t10k-labels-idx1-ubyte", (10_000,),
                           "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
DATASET_SHA256 = hashlib.sha256("".join(file.sha256 for file in FILES.values()).encode()).hexdigest()


def load_fashion_mnist() -> dict[str, np.ndarray]:
    """Return the four arrays, fetching the files first where they are missing.

    Returns
    -------
    dict : train_images (60000, 28, 28) uint8, train_labels (60000,) uint8, test_images (10000, 28, 28) uint8,
        test_labels (10000,) uint8; 0 is background, labels index CLASS_NAMES

    Raises
    ------
    Fashion16Error : no source gave a right file; the message says what to put where by hand
    """
    folder = ensure_fashion_mnist()
    return {key: read_idx(folder / file.name) for key, file in FILES.items()}


def ensure_fashion_mnist() -> Path:
    """Return the folder of the four uncompressed, verified IDX files; raise Fashion16Error if they can't be had."""
    publisher, debian = Website(PUBLISHER, connect_seconds=5), DebianPackage(DEBIAN_PACKAGE)
    folder = data_folder() / "fashion-mnist"
    fetch_all([wanted_file(file, folder, publisher, debian) for file in FILES.values()], NEEDS_BYTES)
    return folder


def wanted_file(file: IdxFile, folder: Path, publisher: Website, debian: DebianPackage) -> Wanted:
    """Describe where one file goes and its sources in order: the user's folder, the publisher, Debian."""
    unpack = partial(_plain, file=file)
    packed = f"{file.name}.gz"
    own = [folder / packed, folder.parent / packed, folder.parent / file.name]
    sources: list[Source] = [
        *(LocalFile(path, unpack) for path in own),
        WebFile(publisher, packed, unpack),
        LocalFile(Path("/") / DEBIAN_FOLDER / packed, unpack, "Debian's package, installed"),
        DebianFile(debian, f"{DEBIAN_FOLDER}/{packed}", unpack),
    ]
    return Wanted(folder / file.name, lambda path: check_sha256(path, file.sha256), sources, packed)


def _plain(path: Path, folder: Path, file: IdxFile) -> Path:
    return gunzip(path, folder / f"{file.name}.plain", max_bytes=file.n_bytes)


# ---------------------------------------------------------------- Debian's package

# No hooks of the system's own updates: apt-get works in folders of ours here and should leave the system's alone.
APT_CONFIG = "".join(f"#clear APT::Update::{hook};\n" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"))


@dataclass
class DebianPackage:
    """Fetch a package by apt-get and unpack it, needing neither root nor an earlier `apt-get update`."""

    package: str
    unpacked: dict[Path, Path] = field(default_factory=dict)

    def unpack(self, folder: Path) -> Path:
        """Return the folder the package was unpacked into (once a folder); raise ValueError with the reason."""
        if folder not in self.unpacked:
            self.unpacked[folder] = self._fetch(folder / "debian")
        return self.unpacked[folder]

    def _fetch(self, work: Path) -> Path:
        for name in ("lists/partial", "cache/archives/partial", "files"):
            (work / name).mkdir(parents=True)
        (work / "apt.conf").write_text(APT_CONFIG, encoding="utf-8")
        options = {"Dir::State::Lists": work / "lists", "Dir::Cache": work / "cache", "APT::Sandbox::User": "",
                   "Acquire::Languages": "none", "Acquire::Retries": 1, "Acquire::http::Timeout": 30}
        apt = ["apt-get", "-q", "-c", str(work / "apt.conf")]
        apt += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        run_tool([*apt, "update"])
        run_tool([*apt, "download", self.package], folder=work)
        run_tool(["dpkg-deb", "-x", *map(str, work.glob("*.deb")), str(work / "files")])
        return work / "files"


@dataclass(frozen=True)
class DebianFile:
    """Take one file of a Debian package."""

    package: DebianPackage
    inside: str
    convert: Callable[[Path, Path], Path]
    name: str = "Debian's package"

    @property
    def address(self) -> str:
        """Return the page of the package."""
        return f"https://packages.debian.org/{self.package.package}"

    def fetch(self, folder: Path) -> Path:
        """Fetch the package, unpack it, convert the file; raise ValueError with the reason."""
        return self.convert(self.package.unpack(folder) / self.inside, folder)


# ---------------------------------------------------------------- the IDX format

def read_idx(path: Path) -> np.ndarray:
    """Read one uncompressed IDX file of Fashion-MNIST's two kinds.

    Returns
    -------
    array : images (n, 28, 28) uint8, or labels (n,) uint8 from 0 to 9

    Raises
    ------
    ValueError : wrong magic, type, shape or size, or a label above 9
    """
    path = Path(path)
    with path.open("rb") as stream:
        shape = _idx_shape(path, stream.read(16))
    header, size = 4 + 4 * len(shape), path.stat().st_size
    if size != header + prod(shape):
        raise _wrong(path, f"{size} bytes", f"{header + prod(shape)} for shape {shape}")
    values = np.fromfile(path, dtype=np.uint8, offset=header).reshape(shape)
    if len(shape) == 1 and values.max() >= len(CLASS_NAMES):
        raise _wrong(path, f"label {values.max()}", f"labels 0 to {len(CLASS_NAMES) - 1}")
    return values


def _idx_shape(path: Path, header: bytes) -> tuple[int, ...]:
    magic = header[:4].hex()
    n_axes = {"00000803": 3, "00000801": 1}.get(magic)      # 08: unsigned bytes; then the number of axes
    if n_axes is None:
        raise _wrong(path, f"magic 0x{magic}", "0x00000803 (images) or 0x00000801 (labels), uncompressed")
    if len(header) < 4 + 4 * n_axes:
        raise _wrong(path, f"a header of {len(header)} bytes", str(4 + 4 * n_axes))
    shape = tuple(int.from_bytes(header[4 * axis:4 * axis + 4], "big") for axis in range(1, n_axes + 1))
    if shape[0] == 0 or shape[1:] not in ((), (28, 28)):
        raise _wrong(path, f"shape {shape}", "one or more items of 28x28 pixels")
    return shape


def _wrong(path: Path, got: str, expected: str) -> ValueError:
    return ValueError(f"{path}: got {got}, expected {expected}; delete the file and run again to fetch it anew")
