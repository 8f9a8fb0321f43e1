"""Faults 45-56: whatever is sent to the page, it answers as stated, to everybody their own, and goes on."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import socket
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from web import asked, form, png, running, saved, searched, serve

from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.web import served as served_module
from fashion16_lib.web import upload
from fashion16_lib.web.serve import READ_BYTES
from fashion16_lib.web.served import MAX_HITS
from fashion16_lib.web.upload import MAX_BYTES, decode_upload


@pytest.fixture(scope="module")
def address(library_path):
    """Return the address of a server in this process."""
    with running(library_path) as where:
        yield where


@pytest.fixture(scope="module")
def python(library_path):
    return Fashion16.open(library_path)


@pytest.fixture
def garment(photos):
    return photos.queries.images[0]


def refused(address, content, status, words=""):
    """Send a picture raw and in a form, to the service and to the page; all must say the same."""
    found, problem = searched(address, content)
    assert (found, problem["status"]) == (status, status), problem
    assert words in problem["detail"]
    body, headers = form(content)
    assert asked(address, "POST", "/api/search", body, headers)[0] == status
    found, _, page = asked(address, "POST", "/?lang=en", body, headers)
    assert found == status and b'role="alert"' in page and words.encode() in page
    return problem


def still_answers(address, python, image):
    status, found = searched(address, png(image))
    wanted = python.answer(image)
    assert status == 200 and [hit["id"] for hit in found["hits"]] == [hit.id for hit in wanted.hits]


# ---------------------------------------------------------------- 45-49: what is sent


def test_f45_a_body_over_the_limit(address, python, garment):
    big = png(garment) + bytes(MAX_BYTES)
    refused(address, big, 413, "16 MiB")
    refused(address, big + bytes(2**17), 413, "16 MiB")             # refused before it is a form
    still_answers(address, python, garment)


@pytest.mark.parametrize("claimed", [READ_BYTES + 1, 2**40])
def test_f45_a_body_that_only_claims_to_be_huge_is_refused_before_it_is_sent(address, claimed):
    host, port = address[7:-1].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(f"POST /api/search HTTP/1.1\r\nHost: {host}\r\nContent-Length: {claimed}\r\n\r\n".encode())
        reply = line.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 413 ") and b"application/problem+json" in reply
    problem = json.loads(reply.split(b"\r\n\r\n", 1)[1])
    assert problem["status"] == 413 and "16 MiB" in problem["detail"] and b"Content-Security-Policy: " in reply


@pytest.mark.parametrize("fields", [{"mode": "x" * 600_000}, {f"f{n}": "" for n in range(1_100)}], ids=["long", "many"])
def test_f45_a_form_that_is_too_much(address, fields):
    body, headers = form(**fields)
    for path in ("/api/search", "/"):
        status, _, reply = asked(address, "POST", path, body, headers)
        assert status == 413 and b"too many or too long fields" in reply


@pytest.mark.parametrize("how", ["no field", "another field", "empty file", "no body", "no boundary"])
def test_f46_no_file(address, how):
    body, headers = {
        "no field": form(), "another field": form(photo="x"), "empty file": form(b""), "no body": (b"", {}),
        "no boundary": (b"--x\r\n", {"Content-Type": "multipart/form-data"})}[how]
    for path in ("/api/search", "/"):
        status, _, reply = asked(address, "POST", path, body, headers)
        assert status == 400 and b"expected a JPEG or PNG" in reply, (path, reply[:300])


def zip_inside_png(whole):
    """Put a zip into a PNG's last chunk before its end, which becomes the zip's comment."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as box:
        box.writestr("a.txt", "a")
        box.comment = bytes(16)                                     # checksum, then the chunk IEND
    data = b"Comment\0" + archive.getvalue()[:-16]
    chunk = b"tEXt" + data
    return (whole[:-12] + len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + whole[-12:])


def polyglots():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    page = b"<html><body><script>alert(1)</script></body></html>"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as box:
        box.writestr("a.txt", "a")
    noted = io.BytesIO()
    about = PngInfo()
    about.add_text("Comment", page.decode())
    picture.save(noted, "png", pnginfo=about)
    return {
        "HTML": page, "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "GIF": saved(picture, "gif"),
        "WebP": saved(picture, "webp"), "TIFF": saved(picture, "tiff"), "PDF": saved(picture, "pdf"), "text": b"hello",
        "GIF and script": b"GIF89a/*" + bytes(20) + b"*/=alert(1);", "PNG then HTML": saved(picture, "png") + page,
        "JPEG then HTML": saved(picture, "jpeg") + page, "HTML then JPEG": page + saved(picture, "jpeg"),
        "HTML in a PNG's comment": noted.getvalue(), "HTML in a JPEG's comment": saved(picture, "jpeg", comment=page),
        "PNG's start then HTML": b"\x89PNG\r\n\x1a\n" + page, "PNG and zip": saved(picture, "png") + archive.getvalue(),
        "JPEG and zip": saved(picture, "jpeg", quality=95) + archive.getvalue(),
        "PDF in a JPEG's comment": saved(picture, "jpeg", comment=b"%PDF-1.4"),
        "zip inside a PNG": zip_inside_png(saved(picture, "png")),
        "JPEG and PDF": saved(picture, "jpeg") + saved(picture, "pdf"), "zip": archive.getvalue(),
        "PHP in a PNG": saved(picture, "png") + b"<?php system($_GET[0]); ?>"}


@pytest.mark.parametrize("kind", polyglots())
def test_f47_what_is_no_picture_or_more_than_one(address, kind):
    refused(address, polyglots()[kind], 415)


@pytest.mark.parametrize("declared", ["text/html", "application/json", "application/x-tar"])
def test_f47_a_body_that_says_it_is_no_picture(address, garment, declared):
    status, _, body = asked(address, "POST", "/api/search", png(garment), {"Content-Type": declared})
    assert status == 415 and declared.encode() in body


def test_f47_pictures_with_what_cameras_append_are_answered(address):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    film = b"\0\0\0\x18ftypmp42" + np.random.default_rng(1).bytes(200_000)
    for content in (saved(picture, "jpeg") + film, saved(picture, "jpeg") + saved(picture, "jpeg"),
                    saved(picture, "jpeg", exif=Image.Exif().tobytes()) + bytes(100), saved(picture, "png") + b"\n"):
        assert searched(address, content)[0] == 200


def png_of_zeros(width, height, colour=0, bits=1):
    """Return a PNG of one colour (0: grey, 6: RGBA) without ever holding its pixels."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    packer, packed = zlib.compressobj(9), []
    for _ in range(height):
        packed.append(packer.compress(bytes(1 + (width * bits + 7) // 8)))
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([min(bits, 8), colour, 0, 0, 0])
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"".join([*packed, packer.flush()]))
            + chunk(b"IEND", b""))


def peak_mib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


@contextmanager
def serving(library, folder):
    """Serve a library in a process of its own; give its address and number."""
    child = serve(library, folder=folder)
    try:
        yield re.search(r"http://\S+", child.stdout.readline())[0], child.pid
    finally:
        child.kill()
        child.wait()


def test_f48_a_decompression_bomb_is_refused_and_memory_stays_bounded(library_path, photos, tmp_path):
    bomb = png_of_zeros(60_000, 60_000)                             # 3.6 gigapixels in half a megabyte
    noted = png(photos.queries.images[0])
    text = zlib.compress(bytes(2**28), 9)                           # 256 MiB of comment
    chunk = b"zTXt" + b"Comment\0\0" + text
    noted = noted[:33] + (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + noted[33:]
    largest = png_of_zeros(7_000, 7_000, colour=6, bits=32)         # legal: 49 megapixels, see-through
    with serving(library_path, tmp_path) as (address, pid):
        before = peak_mib(pid)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda content: searched(address, content)[0], [bomb] * 8))
        assert found == [413] * 8 and searched(address, noted)[0] in (200, 400)
        assert peak_mib(pid) - before < 100
        with ThreadPoolExecutor(3) as pool:                             # more would wait for longer than they may
            assert list(pool.map(lambda content: searched(address, content)[0], [largest] * 3)) == [200] * 3
        assert peak_mib(pid) - before < 1_000                           # one takes 750: not three times that


def test_f48_a_picture_of_endless_passes_is_stopped(monkeypatch):
    """A progressive JPEG may go over all its pixels again and again, for a few bytes each time."""
    whole = saved(Image.new("L", (7_000, 7_000), 200), "jpeg", progressive=True)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", whole)]
    again = whole[scans[1] : scans[2]]
    slow = whole[: scans[2]] + again * 20_000 + whole[scans[2] :]
    monkeypatch.setattr(upload, "MAX_SECONDS", 1.0)
    start = time.monotonic()
    with pytest.raises(upload.RequestEntityTooLarge, match="takes more than 1 seconds"):
        decode_upload(slow)
    assert time.monotonic() - start < 8


@pytest.mark.parametrize("part", [b"<svg ", b"<svg  a", b"PK\5\6", b"<!doctype ", b"\xff\xe0\0\2",
                                  b"\0\0\0\0abcd\0\0\0\0"], ids=ascii)
@pytest.mark.parametrize("start", upload.STARTS, ids=["JPEG", "PNG"])
def test_f48_looking_for_markup_and_ends_takes_one_pass(part, start):
    """Sixteen million bytes made to be looked at again and again; a search that does so takes minutes."""
    begun = time.monotonic()
    with pytest.raises(upload.HTTPException):
        decode_upload(start + part * ((MAX_BYTES - 10) // len(part)))
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_f49_a_truncated_picture(address, photos, kind):
    whole = saved(Image.fromarray(photos.queries.images[1]).resize((64, 64)), kind)
    for length in (9, 20, 100, len(whole) // 2, len(whole) - 20):
        refused(address, whole[:length], 400)


# ---------------------------------------------------------------- 50: pictures of every kind


def kinds(image):
    grey = Image.fromarray(image).resize((60, 80))
    colour = Image.merge("RGB", [grey, grey.rotate(3), grey.rotate(-3)])
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    return {
        "RGBA": saved(Image.merge("RGBA", [*colour.split(), grey]), "png"), "16 bits": saved(deep, "png"),
        "palette": saved(colour.quantize(16), "png"),
        "palette, see-through": saved(colour.quantize(16), "png", transparency=3),
        "grey": saved(grey, "png"), "grey JPEG": saved(grey, "jpeg"), "turned": saved(colour, "jpeg", exif=turned),
        "CMYK": saved(colour.convert("CMYK"), "jpeg"), "1 x 1": saved(Image.new("RGB", (1, 1), "red"), "png"),
        "1 x 1 JPEG": saved(Image.new("L", (1, 1)), "jpeg"), "1 x 3000": saved(Image.new("L", (1, 3000), 9), "png"),
        "two colours": saved(grey.convert("1"), "png"), "progressive": saved(colour, "jpeg", progressive=True)}


@pytest.mark.parametrize("kind", ["RGBA", "16 bits", "palette", "palette, see-through", "grey", "grey JPEG", "turned",
                                  "CMYK", "1 x 1", "1 x 1 JPEG", "1 x 3000", "two colours", "progressive"])
def test_f50_pictures_of_every_kind_are_answered(address, python, garment, kind, tmp_path):
    from fashion16_lib.data.pictures import read_image

    content = kinds(garment)[kind]
    status, found = searched(address, content)
    assert status == 200 and len(found["hits"]) == 20
    if not kind.startswith("1 x"):                                  # files of that kind are refused, as showing nothing
        (tmp_path / "a").write_bytes(content)
        wanted = python.answer(read_image(tmp_path / "a"))
        assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in wanted.hits]


# ---------------------------------------------------------------- 51-54: what is said beside the picture


@pytest.mark.parametrize("name", [
    "../../../etc/passwd", "C:\\windows\\system32", "a" * 5_000, "名字.png", "", ".", "<script>alert(1)</script>.png",
    'x"; filename="y', "a\u202egnp.exe", "nul", "x.php;.png", "%00.png"], ids=ascii)
def test_f51_a_hostile_file_name_is_never_looked_at(address, python, garment, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body, headers = form(png(garment), filename=name)
    status, _, reply = asked(address, "POST", "/api/search", body, headers)
    if name in ("",):                                               # no name: browsers send it where no file was chosen
        assert status == 400
        return
    assert status == 200 and b"script" not in reply and b"passwd" not in reply
    assert json.loads(reply)["hits"][0]["id"] == python.answer(garment).hits[0].id
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/settings.py", "/static//etc/passwd",
    "/pictures/VERSION/../../../etc/passwd", "/pictures/VERSION/..%2f..%2fetc%2fpasswd",
    "/pictures/VERSION//etc/passwd", "/pictures/VERSION/train/%00", "/pictures/VERSION/%ff%fe", "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd", "/static/..\\app.py"])
def test_f52_path_traversal(address, path):
    version = json.loads(asked(address, "GET", "/healthz")[2])["library"]
    status, _, body = asked(address, "GET", path.replace("VERSION", version))
    assert status == 404 and b"root:" not in body and b"import" not in body


def test_f52_items_are_ids_not_paths(address):
    for item in ("../../etc/passwd", "/etc/passwd", "train/../train/00001", "train/99999", "\x00", "a" * 400_000):
        body, headers = form(item=item)
        assert asked(address, "POST", "/api/search", body, headers)[0] == 404, item[:30]


@pytest.mark.parametrize("k", ["0", "-1", "x", "1.5", "1e1", "٣", "１", str(MAX_HITS + 1), "9" * 5_000, "NaN", "0x5",
                               "+5"], ids=lambda k: ascii(k)[:10])
def test_f53_k_that_is_no_number_or_out_of_range(address, garment, k):
    status, problem = searched(address, png(garment), f"?k={quote(k)}")
    assert status == 400 and "whole number from 1 to 100" in problem["detail"] and len(problem["detail"]) < 200
    body, headers = form(png(garment), k=k)
    assert asked(address, "POST", "/", body, headers)[0] == 400


def test_f53_k_beyond_a_small_library(closet_of_three, garment):
    with running(closet_of_three) as where:
        assert len(searched(where, png(garment), "?mode=direct")[1]["hits"]) == 6
        assert searched(where, png(garment), "?k=7")[0] == 400
        assert len(searched(where, png(garment), "?k=6&mode=direct")[1]["hits"]) == 6


@pytest.fixture
def closet_of_three(photos, head, cached_vgg, tmp_path):
    """Return a library of six items."""
    rows = [int(np.flatnonzero(photos.gallery.labels == label)[n]) for label in (0, 1, 2) for n in (0, 1)]
    path = tmp_path / "six.h5"
    Fashion16.build(photos.gallery.take(rows), head, cached_vgg).save(path)
    return path


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.169.254",
                                  "[::2]", "localhost.evil.example", "a b", "127.0.0.1@evil.example"])
def test_f54_a_foreign_host(address, garment, host):
    for method, path, body in (("GET", "/", None), ("GET", "/healthz", None), ("GET", "/static/page.js", None),
                               ("POST", "/api/search", png(garment))):
        status, _, reply = asked(address, method, path, body, {"Host": host})
        assert status == 400 and b"<html" not in reply, path


def test_f54_this_computer_s_own_names(address, garment):
    port = address.rstrip("/").rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
        assert asked(address, "GET", "/healthz", None, {"Host": host})[0] == 200


# ---------------------------------------------------------------- 55: many at once


def test_f55_64_concurrent_uploads_get_each_its_own_answer(address, python, photos):
    images = photos.queries.images[:64]
    wanted = [python.answer(image) for image in images]
    assert len({answer.code for answer in wanted}) > 60
    gate = threading.Barrier(64)

    def ask(image):
        gate.wait()
        return searched(address, png(image))

    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(ask, images))
    assert [status for status, _ in found] == [200] * 64
    for (_, got), own in zip(found, wanted, strict=True):
        assert got["code"] == own.code and got["label"] == own.label
        assert [hit["id"] for hit in got["hits"]] == [hit.id for hit in own.hits]


def test_f55_64_concurrent_uploads_of_large_pictures_take_the_memory_of_one(library_path, photos, tmp_path):
    large = [saved(Image.fromarray(image).resize((3_000, 2_000)), "jpeg") for image in photos.queries.images[:64]]
    with serving(library_path, tmp_path) as (address, pid):
        before = peak_mib(pid)
        with ThreadPoolExecutor(64) as pool:
            found = list(pool.map(lambda content: searched(address, content), large))
        assert [status for status, _ in found] == [200] * 64 and len({answer["code"] for _, answer in found}) > 60
        assert peak_mib(pid) - before < 150                         # 64 of them, decoded, take 370


def test_f55_who_waits_too_long_is_told_so(library_path, garment, monkeypatch):
    served = served_module.Served(library_path)
    monkeypatch.setattr(served_module, "MAX_WAIT_S", 0.2)

    def slowly(_):
        time.sleep(1)
        return garment

    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(served.answers, slowly, 20, ["direct"]) for _ in range(2))
        for each in (first, second):
            with pytest.raises(served_module.UnavailableError, match="ask again"):
                each.result()
    monkeypatch.setattr(served_module, "MAX_WAIT_S", 20)
    assert len(served.answers(lambda _: garment, 20, ["direct"]).of_modes[0].hits) == 20


# ---------------------------------------------------------------- 56: the library changes


@pytest.fixture
def two_libraries(photos, head, cached_vgg, tmp_path):
    """Return files of two libraries that share no item and have codes of another seed."""
    halves = [np.arange(0, len(photos.gallery), 2), np.arange(1, len(photos.gallery), 2)]
    for number, rows in enumerate(halves):
        Fashion16.build(photos.gallery.take(rows), head, cached_vgg, seed=number).save(tmp_path / f"{number}.h5")
    return [tmp_path / "0.h5", tmp_path / "1.h5"]


def test_f56_a_library_that_is_gone_and_comes_back(library_path, python, garment, tmp_path):
    path = Path(shutil.copy(library_path, tmp_path / "library.h5"))
    with running(path) as where:
        still_answers(where, python, garment)
        path.rename(tmp_path / "away.h5")
        for method, place in (("GET", "/healthz"), ("GET", "/api/library"), ("POST", "/api/search"), ("GET", "/")):
            status, headers, body = asked(where, method, place, png(garment) if method == "POST" else None)
            assert status == 503 and headers["Retry-After"] and b"Traceback" not in body, (place, body[:200])
        for fields, wanted in (({"k": "0"}, 400), ({"mode": "x"}, 400), ({"k": "5"}, 503), ({"item": "x"}, 503)):
            status, _, body = asked(where, "POST", "/", *form(png(garment), **fields))
            assert status == wanted and b'role="alert"' in body, fields
        path.write_bytes(b"no library")
        assert searched(where, png(garment))[0] == 503
        (tmp_path / "away.h5").replace(path)
        still_answers(where, python, garment)


@pytest.mark.parametrize("how", ["renamed into place", "written over"])
def test_f56_a_library_replaced_while_it_is_asked_gives_one_or_the_other(two_libraries, garment, tmp_path, how):
    path = Path(shutil.copy(two_libraries[0], tmp_path / "served.h5"))
    def told(answer):
        return answer["code"], answer["label"], tuple(hit["id"] for hit in answer["hits"])

    wanted = [told(asdict(Fashion16.open(each).answer(garment))) for each in two_libraries]
    assert not set(wanted[0][2]) & set(wanted[1][2]) and wanted[0][0] != wanted[1][0]
    seen, over = set(), threading.Event()

    def replace():
        turn, until = 0, time.monotonic() + 30
        while turn < 10 or ((turn % 2 == 0 or len(seen) < 2) and time.monotonic() < until):
            turn += 1
            if how == "renamed into place":
                shutil.copy(two_libraries[turn % 2], tmp_path / "next.h5")
                (tmp_path / "next.h5").replace(path)
            else:
                path.write_bytes(two_libraries[turn % 2].read_bytes())
            time.sleep(0.15)
        over.set()

    with running(path) as where:
        replacing = threading.Thread(target=replace)
        replacing.start()
        while not over.is_set():
            status, found = searched(where, png(garment))
            assert status in (200, 503), found
            if status == 200:
                seen.add(told(found))
        replacing.join()
        status, found = searched(where, png(garment))
    assert seen == set(wanted)
    assert status == 200 and told(found) == wanted[1]                   # that of the last, odd, turn


def test_f56_pictures_of_the_library_before_are_gone(two_libraries, garment, tmp_path):
    path = Path(shutil.copy(two_libraries[0], tmp_path / "served.h5"))
    with running(path) as where:
        picture = searched(where, png(garment))[1]["hits"][0]["picture"]
        assert asked(where, "GET", picture)[0] == 200
        shutil.copy(two_libraries[1], tmp_path / "next.h5")
        (tmp_path / "next.h5").replace(path)
        assert asked(where, "GET", picture)[0] == 404


# ---------------------------------------------------------------- all of it at random


def mutated(whole, rng):
    """Return a file with some of its bytes changed, moved, doubled or cut off."""
    content = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place, length = rng.randrange(len(content)), rng.choice([1, 2, 4, 30])
        match rng.randrange(6):
            case 0:
                content[place] ^= 1 << rng.randrange(8)
            case 1:
                content[place : place + length] = rng.randbytes(length)
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = rng.randbytes(length)
            case 4:
                content[place:place] = content[place : place + 200]
            case 5:
                del content[max(place, 30) :]
    return bytes(content)


def test_200_files_mutated_from_valid_ones(address, python, garment):
    """Whatever Pillow reads is answered as Python answers it, the rest gets its status; never a 5xx, never a trace."""
    rng, valid = random.Random(0), list(kinds(garment).values())
    seen = []
    for turn in range(200):
        content = mutated(valid[turn % len(valid)], rng)
        status, found = searched(address, content)
        text = json.dumps(found)
        assert status in (200, 400, 413, 415) and "Traceback" not in text and 'File "' not in text, (status, found)
        if status == 200:
            assert found["code"] == python.answer(decode_upload(content)).code
        seen.append(status)
    assert seen.count(200) > 20 and seen.count(400) > 40
    still_answers(address, python, garment)
