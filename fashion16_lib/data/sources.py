"""Name the places files come from: this machine, a website, a program that downloads."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from fashion16_lib.data.download import NotThereError


def copy(path: Path, folder: Path) -> Path:
    """Copy a file into a folder: what a source does where nothing is to be converted."""
    return path if path.parent == folder else Path(shutil.copyfile(path, folder / path.name))


@dataclass(frozen=True)
class LocalFile:
    """Take a file from this machine; it stays where it is, right or wrong."""

    path: Path
    convert: Callable[[Path, Path], Path] = copy
    name: str = "a file of your own"

    @property
    def address(self) -> str:
        """Return the path."""
        return str(self.path)

    def fetch(self, folder: Path) -> Path:
        """Copy or convert the file into the folder; raise ValueError with the reason."""
        if not self.path.is_file():
            raise NotThereError("not there")
        refuse_web_page(self.path)
        return self.convert(self.path, folder)


@dataclass
class Website:
    """Download files over HTTP; once it could not be reached it is asked no more."""

    address: str
    connect_seconds: float = 30.0
    unreachable: str = ""

    def download(self, file: str, folder: Path) -> Path:
        """Download one file into the folder; raise ValueError with the reason."""
        if self.unreachable:
            raise NotThereError(self.unreachable)
        with warnings.catch_warnings():         # its bar greets a notebook with one about widgets
            warnings.simplefilter("ignore")
            import pooch

        bar = sys.stderr.isatty()
        get = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=(self.connect_seconds, 30))
        try:
            get(self.address + file, str(folder / file), None)
        except requests.HTTPError as error:
            raise ValueError(f"answered {error}") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise ValueError("the connection broke off, the file is truncated") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            self.unreachable = f"could not be reached ({type(error).__name__})"
            raise ValueError(self.unreachable) from error
        except requests.RequestException as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return folder / file


@dataclass(frozen=True)
class WebFile:
    """Take one file of a website."""

    site: Website
    file: str
    convert: Callable[[Path, Path], Path] = copy
    name: str = "the publisher"

    @property
    def address(self) -> str:
        """Return the URL."""
        return self.site.address + self.file

    def fetch(self, folder: Path) -> Path:
        """Download and convert the file; raise ValueError with the reason."""
        path = self.site.download(self.file, folder)
        refuse_web_page(path)
        return self.convert(path, folder)


def run_tool(command: Sequence[str], folder: Path | None = None, env: dict[str, str] | None = None,
             seconds: float = 900) -> None:
    """Run a program of the system, its bar visible on a terminal; raise ValueError with its last line."""
    shown = None if sys.stderr.isatty() else subprocess.DEVNULL
    try:
        done = subprocess.run(command, cwd=folder, env=env, timeout=seconds, stdout=shown, stderr=subprocess.PIPE,
                              text=True, errors="replace")
    except FileNotFoundError:
        raise ValueError(f"this machine has no {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[0]} took more than {seconds:.0f} s") from None
    if done.returncode:
        if "No space left on device" in done.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ValueError(f"{Path(command[0]).name}: {lines[-1]}")


def refuse_web_page(path: Path) -> None:
    """Raise ValueError if the file begins like HTML: a log-in or error page that came instead of data."""
    with path.open("rb") as stream:
        start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<!--")):
        raise ValueError(f"{path.name} looks like a web page, not data; does this network ask for a log-in?")
