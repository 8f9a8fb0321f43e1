"""Pictures people bring: every kind is decoded as documented or refused by name."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fashion16_lib.data.class_folder import scan_class_folder
from fashion16_lib.data.pictures import MAX_PIXELS, MIN_SIDE, Pictures, read_image
from fashion16_lib.data.store import Folder

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 12, MIN_SIDE
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def saved(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.fixture
def closet(tmp_path):
    for name in ("b dress/2.png", "b dress/deep/1.PNG", "a shirt/x.jpeg", "a shirt/10.JPG"):
        saved(tmp_path / name, COLOUR, format="PNG")
    return tmp_path


# ---------------------------------------------------------------- one picture

@pytest.mark.parametrize("pixels", [GREY, COLOUR, GREY[:MIN_SIDE]], ids=["grey", "colour", "smallest"])
def test_png_comes_back_exactly(tmp_path, pixels):
    got = read_image(saved(tmp_path / "a.png", pixels))
    assert got.dtype == np.uint8 and got.flags.writeable
    np.testing.assert_array_equal(got, pixels)


def test_jpeg_is_close(tmp_path):
    ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None], 16, axis=0)
    got = read_image(saved(tmp_path / "a.jpg", ramp, quality=95))
    assert got.shape == ramp.shape
    assert np.abs(got.astype(int) - ramp).max() <= 6        # JPEG at quality 95 stays within a few levels on a ramp


def test_transparent_parts_are_white(tmp_path):
    rgba = np.dstack([COLOUR, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    rgba[0, 0] = 10, 20, 30, 0
    rgba[0, 1] = 0, 0, 0, 51                                # a fifth black on white: 204
    got = read_image(saved(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(got[0, :2], [[255] * 3, [204] * 3])
    np.testing.assert_array_equal(got[1:], COLOUR[1:])


def test_grey_with_transparency_stays_grey(tmp_path):
    image = Image.merge("LA", [Image.fromarray(GREY), Image.new("L", (WIDTH, HEIGHT), 0)])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", image)), np.full((HEIGHT, WIDTH), 255))


def test_16_bits_become_8(tmp_path):
    deep = np.tile(np.array([[0, 257, 128 * 257], [65535, 254 * 257, 300]], dtype=np.uint16), (4, 3))
    got = read_image(saved(tmp_path / "a.png", Image.fromarray(deep)))
    np.testing.assert_array_equal(got, np.tile([[0, 1, 128], [255, 254, 1]], (4, 3)))
    assert got.dtype == np.uint8


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_becomes_colour(tmp_path, transparent):
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putpalette([200, 0, 0, 0, 0, 100])
    image.paste(1, (1, 0, WIDTH, HEIGHT))
    path = saved(tmp_path / "a.png", image, **({"transparency": 1} if transparent else {}))
    expected = [255, 255, 255] if transparent else [0, 0, 100]
    wanted = [[[200, 0, 0], *[expected] * (WIDTH - 1)]] * HEIGHT
    np.testing.assert_array_equal(read_image(path), wanted)


def test_black_and_white_and_cmyk(tmp_path):
    assert read_image(saved(tmp_path / "a.png", Image.new("1", (10, 9), 1))).tolist() == [[255] * 10] * 9
    assert read_image(saved(tmp_path / "a.jpg", Image.new("CMYK", (10, 9)))).tolist() == [[[255] * 3] * 10] * 9


TURNED = {1: GREY, 2: GREY[:, ::-1], 3: GREY[::-1, ::-1], 4: GREY[::-1], 5: GREY.T, 6: np.rot90(GREY, -1),
          7: GREY[::-1, ::-1].T, 8: np.rot90(GREY)}


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_turn_is_carried_out(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", GREY, exif=exif)
    np.testing.assert_array_equal(read_image(path), TURNED[orientation])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 9, b"no EXIF at all"])
def test_broken_exif_does_not_cost_the_picture(tmp_path, exif):
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", GREY, exif=exif)), GREY)


def png_claiming(width, height):
    whole = io.BytesIO()
    Image.new("L", (1, 1)).save(whole, "PNG")
    data = bytearray(whole.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("content", "why"), [
    (b"not a picture\n", "no picture"),
    (b"", "empty file"),
    (png_claiming(10_000, 9_000), f"1 to {MAX_PIXELS} pixels"),
    (png_claiming(100_000, 100_000), f"1 to {MAX_PIXELS} pixels"),
    (png_claiming(1, 1), f"1x1 pixels, expected sides of {MIN_SIDE} or more"),
    (png_claiming(MIN_SIDE - 1, 500), "use a larger picture"),
], ids=["text", "zero bytes", "90 megapixels", "10 gigapixels", "1x1", "a line"])
def test_what_is_no_picture_is_refused_by_name(tmp_path, content, why):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"photo\.jpg.*got.*expected") as caught:
        read_image(path)
    assert why in str(caught.value)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_truncated_picture_is_refused_by_name(tmp_path, kind):
    path = saved(tmp_path / f"photo.{kind}", RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"photo\.{kind}.*truncated.*again"):
        read_image(path)


def test_missing_file_folder_and_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("nowhere.png", ".", "pipe.png"):
        with pytest.raises(ValueError, match="cannot be opened"):
            read_image(tmp_path / name)


# ---------------------------------------------------------------- many

def test_image_files_are_lazy_and_indexed_like_a_list(tmp_path):
    paths = [saved(tmp_path / f"{i}.png", np.full((MIN_SIDE, MIN_SIDE), i, np.uint8)) for i in range(5)]
    files = Pictures(Folder(tmp_path), [*(path.name for path in paths), "missing.png"])
    assert len(files) == 6
    assert files[2][0, 0] == 2 and files[np.int64(-2)][0, 0] == 4
    assert [a[0, 0] for a in files[1:4]] == [1, 2, 3]
    assert [a[0, 0] for a in files[np.array([3, 0, 3])]] == [3, 0, 3]
    assert [a[0, 0] for a in files[np.array([True, False, True, False, False, False])]] == [0, 2]
    assert files[[]] == [] and [a[0, 0] for a in files.take([4, 1])] == [4, 1]
    with pytest.raises(ValueError, match=r"missing\.png"):
        files[5]
    with pytest.raises(IndexError):
        files[6]
    with pytest.raises(TypeError, match="whole numbers"):
        files[1.0]


def test_scan_orders_by_id_and_labels_by_folder(closet):
    pictures, labels, class_names, skipped = scan_class_folder(closet)
    assert list(pictures.names) == [
        "a shirt/10.JPG", "a shirt/x.jpeg", "b dress/2.png", "b dress/deep/1.PNG"]
    assert labels.tolist() == [0, 0, 1, 1] and class_names == ("a shirt", "b dress") and skipped == {}


def test_scan_names_what_it_leaves_out(closet, tmp_path_factory):
    outside = saved(tmp_path_factory.mktemp("outside") / "secret.png", COLOUR)
    (closet / "a shirt/notes.txt").write_text("text")
    (closet / "a shirt/fake.jpg").write_text("text")
    (closet / "a shirt/empty.png").touch()
    whole = (closet / "b dress/2.png").read_bytes()
    (closet / "a shirt/cut.png").write_bytes(whole[:-20])
    half = saved(closet / "a shirt/half.jpg", RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])         # its head is whole, its pixels are not
    saved(closet / "a shirt/dot.png", GREY[:1, :1])
    (closet / "a shirt/out.png").symlink_to(outside)
    (closet / "a shirt/in.png").symlink_to(closet / "b dress/2.png")
    (closet / "a shirt/line\nbreak.png").write_bytes(outside.read_bytes())
    (closet / "linked").symlink_to(outside.parent)
    (closet / "only words").mkdir()
    saved(closet / ".thumbnails/1.png", COLOUR)
    saved(closet / "top.png", COLOUR)
    paths, _, class_names, skipped = scan_class_folder(closet)
    assert class_names == ("a shirt", "b dress") and len(paths) == 5        # the four, and the link inside
    reasons = {"a shirt/notes.txt": "not a .jpg", "a shirt/fake.jpg": "no picture", "a shirt/empty.png": "empty",
               "a shirt/cut.png": "truncated", "a shirt/half.jpg": "truncated", "a shirt/dot.png": "1x1 pixels",
               "a shirt/out.png": "outside", "a shirt/line\nbreak.png": "rename", "linked": "link to a folder",
               ".thumbnails": "hidden", "top.png": "not in a class folder"}
    assert skipped.keys() == reasons.keys()
    assert all(word in skipped[name] for name, word in reasons.items())


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_name_that_is_no_text_is_left_out(closet):
    (closet / "a shirt" / os.fsdecode(b"\xff.png")).write_bytes((closet / "b dress/2.png").read_bytes())
    paths, _, _, skipped = scan_class_folder(closet)
    assert len(paths) == 4 and list(skipped) == ["a shirt/\ufffd.png"]


def test_folders_without_two_classes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        scan_class_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"got 0 classes.*expected at least 2.*put the"):
        scan_class_folder(tmp_path)
    saved(tmp_path / "shirts/1.png", COLOUR)
    (tmp_path / "dresses").mkdir()
    (tmp_path / "dresses/1.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"got 1 classes with pictures \(shirts\).*dresses/1.png: got no picture"):
        scan_class_folder(tmp_path)
