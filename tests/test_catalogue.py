"""Photos with a table: small archives made here, and the real ones where they are at hand."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archives import as_folder, as_zip
from PIL import Image

from fashion16_lib.data.catalogue import MIN_IMAGES_A_CLASS, fetch_photos, find_photos, in_words, load_photos
from fashion16_lib.data.dataset import load_dataset, load_items, split
from fashion16_lib.data.product_photos import PRODUCT_PHOTOS
from fashion16_lib.data.street_photos import STREET_PHOTOS
from fashion16_lib.settings import Fashion16Error, get_profile

COLUMNS = ("id", "gender", "articleType", "baseColour")
RNG = np.random.default_rng(0)


def jpeg(shape: tuple[int, ...] = (20, 15, 3)) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(out, "JPEG")
    return out.getvalue()


def table(rows: list[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([columns, *rows])
    return out.getvalue()


def shop(n_each: int = MIN_IMAGES_A_CLASS) -> dict[str, bytes]:
    """Return the files of a shop of shirts and dresses, with a few other things."""
    kinds = ["Shirts"] * n_each + ["Dresses"] * n_each + ["Watches"] * 3 + ["Sweaters"] * 2
    rows = [(str(1000 + number), "Men", kind, "Blue") for number, kind in enumerate(kinds)]
    return {"styles.csv": table(rows).encode(), **{f"images/{row[0]}.jpg": jpeg() for row in rows}}


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    """Keep what was found about pictures out of the project's own folder."""
    monkeypatch.setenv("FASHION16_DATA", str(tmp_path / "data"))


# ---------------------------------------------------------------- zip or folder, whatever lies around it

def test_zip_folder_and_a_zip_with_a_folder_around_give_the_same(tmp_path):
    files = shop()
    found = [
        load_photos(PRODUCT_PHOTOS, as_folder(tmp_path / "shop", files)),
        load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "a.zip", files)),
        load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "b.zip", files, inside="archive/")),
    ]
    for photos in found:
        assert photos.attributes["class"].value_counts().to_dict() == {"Shirt": 20, "Dress": 20}
        assert photos.attributes["id"].tolist() == [str(1000 + number) for number in range(40)]
        assert photos.left_out == {"photos of types that no class holds": 3,
                                   "photos of classes with fewer than 20 (Pullover)": 2}
    first, *others = ([picture.tobytes() for picture in photos.pictures] for photos in found)
    assert others == [first, first]
    assert found[0].pictures[0].shape == (20, 15, 3)


def test_kaggles_archive_holds_everything_twice(tmp_path):
    files = shop()
    both = {**files, **{f"myntradataset/{name}": content for name, content in files.items()}}
    photos = load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "a.zip", both))
    assert len(photos.pictures) == 40 and all(name.startswith("images/") for name in photos.pictures.names)


def test_grey_pictures_get_three_equal_channels(tmp_path):
    files = shop()
    files["images/1000.jpg"] = jpeg((20, 15))
    image = load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "a.zip", files)).pictures[0]
    assert image.shape == (20, 15, 3) and (image[..., 0] == image[..., 2]).all()


# ---------------------------------------------------------------- what is left out

def test_rows_and_pictures_that_do_not_match_are_counted_and_broken_ones_named(tmp_path):
    files = shop(n_each=24)
    rows = files["styles.csv"].decode().splitlines()
    rows += [rows[1], "9999,Men,Shirts,Blue", "1,2,3,4,5,6,7,a name, with commas"]
    files["styles.csv"] = "\n".join(rows[:2] + rows[3:]).encode()           # the second picture has lost its row
    files["images/1002.jpg"] = files["images/1002.jpg"][:200]
    files["images/1003.jpg"] = b"<html>"
    del files["images/1004.jpg"]
    photos = load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "a.zip", files))
    assert len(photos.pictures) == 48 - 4
    assert {name: reason.split(" (")[0][:30] for name, reason in photos.skipped.items()} == {
        "images/1002.jpg": "got a truncated or damaged pic", "images/1003.jpg": "got no picture, expected a JPE"}
    assert photos.left_out == {
        "rows that name a picture twice": 1, "pictures without a row": 1, "rows without a picture": 3,
        "photos of types that no class holds": 3, "photos of classes with fewer than 20 (Pullover)": 2}
    assert in_words(photos.left_out).startswith("1 rows that name a picture twice, 1 pictures without a row")


def test_a_member_with_a_wrong_checksum_is_left_out(tmp_path):
    path = as_zip(tmp_path / "a.zip", shop(n_each=21))
    content = bytearray(path.read_bytes())
    content[content.index(b"images/1005.jpg") + 300] ^= 1
    path.write_bytes(content)
    photos = load_photos(PRODUCT_PHOTOS, path)
    assert list(photos.skipped) == ["images/1005.jpg"] and "damaged member" in photos.skipped["images/1005.jpg"]


def test_what_was_found_holds_until_a_file_changes(tmp_path):
    files = shop(n_each=21)
    folder = as_folder(tmp_path / "shop", files)
    assert not load_photos(PRODUCT_PHOTOS, folder).skipped
    (folder / "images/1005.jpg").write_bytes(b"no picture any more")
    assert list(load_photos(PRODUCT_PHOTOS, folder).skipped) == ["images/1005.jpg"]
    (folder / "images/1005.jpg").write_bytes(files["images/1005.jpg"])
    assert not load_photos(PRODUCT_PHOTOS, folder).skipped


# ---------------------------------------------------------------- refusals

def test_nothing_there_says_where_to_get_it_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION16_PHOTOS", str(tmp_path))
    with pytest.raises(Fashion16Error, match=r"run: .* fetch --photos product-photos; .*kaggle.*\.zip.*DATA_PATH"):
        find_photos(PRODUCT_PHOTOS)
    with pytest.raises(Fashion16Error, match="no such folder or zip"):
        find_photos(PRODUCT_PHOTOS, tmp_path / "nowhere.zip")
    (tmp_path / "product-photos").mkdir()
    assert find_photos(PRODUCT_PHOTOS) == tmp_path / "product-photos"


@pytest.mark.parametrize(("files", "words"), [
    ({"a/1.jpg": jpeg()}, "got no styles.csv"),
    ({"styles.csv": b""}, "has the columns none"),
    ({"styles.csv": b"id,kind\n1,x\n"}, "has the columns id, kind; it must have articleType, id"),
    ({"styles.csv": table([("1", "Men", "Shirts", "Blue")]).encode(), "images/1.jpg": jpeg()}, "got 0 classes"),
])
def test_other_archives_are_refused(tmp_path, files, words):
    with pytest.raises(ValueError, match=words):
        load_photos(PRODUCT_PHOTOS, as_zip(tmp_path / "a.zip", files))


def test_no_zip_and_no_such_column_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"<!doctype html>")
    with pytest.raises(ValueError, match="got no whole zip"):
        load_photos(PRODUCT_PHOTOS, tmp_path / "a.zip")
    path = as_zip(tmp_path / "b.zip", shop())
    with pytest.raises(ValueError, match="must come from one of id, gender, articleType, baseColour, got 'sleeve'"):
        load_photos(PRODUCT_PHOTOS, path, label_by="sleeve")
    with pytest.raises(ValueError, match="needs a path"):
        load_items("class-folder")


# ---------------------------------------------------------------- downloading

@pytest.fixture
def website(tmp_path):
    """Serve a folder on this machine; give the address and the folder."""
    (tmp_path / "site").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", tmp_path / "site"
        server.shutdown()


def test_photos_are_downloaded_once_and_checked(website, tmp_path, monkeypatch, capfd):
    address, folder = website
    monkeypatch.setenv("FASHION16_PHOTOS", str(tmp_path / "photos"))
    catalogue = replace(PRODUCT_PHOTOS, download=(address, "small"))
    for content in (b"<!doctype html><p>log in", as_zip(tmp_path / "x.zip", {"other.csv": b"id"}).read_bytes()):
        (folder / "small").write_bytes(content)
        with pytest.raises(Fashion16Error, match=r"product-photos.zip: no source gave the right file"):
            fetch_photos(catalogue)
        assert not (tmp_path / "photos/product-photos.zip").exists()
    (folder / "small").write_bytes(as_zip(tmp_path / "y.zip", shop()).read_bytes())
    path = fetch_photos(catalogue)
    assert path == tmp_path / "photos/product-photos.zip" and len(load_photos(PRODUCT_PHOTOS).pictures) == 40
    (folder / "small").unlink()
    assert fetch_photos(catalogue) == path


# ---------------------------------------------------------------- classes and splits

def test_classes_from_a_column(tmp_path):
    items = load_items("product-photos", as_zip(tmp_path / "a.zip", shop()), label_by="articleType")
    assert items.class_names == ("Dresses", "Shirts") and items.label_names[0] == "Shirts"
    assert items.attributes["baseColour"].tolist() == ["Blue"] * 40


def test_a_split_does_not_depend_on_what_else_is_there(tmp_path):
    files = shop(n_each=60)
    whole = load_items("product-photos", as_zip(tmp_path / "a.zip", files))
    half = whole.take(range(0, len(whole), 2))
    sizes = get_profile("full")
    parts = [split(items, sizes) for items in (whole, half)]
    for name in ("train", "tuning", "test", "gallery", "queries"):
        large, small = (set(getattr(part, name).ids) for part in parts)
        assert small == large & set(half.ids), name
    ids = [set(getattr(parts[0], name).ids) for name in ("train", "tuning", "test")]
    assert sum(map(len, ids)) == len(set.union(*ids)) == len(whole)
    assert parts[0].gallery.ids == parts[0].train.ids and parts[0].queries.ids == parts[0].test.ids
    assert set(split(whole, sizes, seed=1).test.ids) != ids[2]


def test_a_sender_is_on_one_side_only(tmp_path):
    rows = [(f"photo-{number:03}", str(number % 40), ("T-Shirt", "Pants", "Hat")[number % 3], "False")
            for number in range(300)]
    files = {"images.csv": table(rows, ("image", "sender_id", "label", "kids")).encode()}
    files |= {f"images_original/{row[0]}.jpg": jpeg() for row in rows}
    items = load_items("street-photos", as_zip(tmp_path / "a.zip", files, inside="clothing-dataset-main/"))
    assert items.class_names == ("T-shirt", "Trouser") and len(items) == 200
    parts = split(items, get_profile("full"))
    senders = [set(part.groups) for part in (parts.train, parts.tuning, parts.test)]
    assert sum(map(len, senders)) == len(set.union(*senders)) == 40


def test_too_few_items_for_three_parts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="too few to split"):
        split(load_items("product-photos", as_zip(tmp_path / "a.zip", shop())).take([0, 1]), get_profile("smoke"))


# ---------------------------------------------------------------- the real archives

def real(catalogue) -> Path:
    try:
        return find_photos(catalogue)
    except Fashion16Error as error:
        pytest.skip(str(error))


@pytest.fixture
def real_photos(photo_folder, private_data, monkeypatch):
    monkeypatch.setenv("FASHION16_PHOTOS", str(photo_folder))
    monkeypatch.setenv("FASHION16_DATA", str(private_data))


def test_product_photos(real_photos):
    photos = load_dataset("product-photos", "smoke", path=real(PRODUCT_PHOTOS))
    assert photos.gallery.class_names[:3] == ("T-shirt", "Trouser", "Pullover")
    assert len(photos.gallery) == 600 and len(photos.queries) == 200
    assert photos.gallery.images[0].shape[2] == 3 and {"baseColour", "articleType"} <= set(photos.gallery.attributes)
    shirts = photos.gallery.attributes["articleType"] == "Shirts"
    assert (shirts == (np.array(photos.gallery.label_names) == "Shirt")).all() and shirts.sum() > 40


def test_street_photos(real_photos):
    photos = load_dataset("street-photos", "smoke", path=real(STREET_PHOTOS))
    assert "Dress" in photos.train.class_names and "Bag" not in photos.train.class_names
    assert not set(photos.train.groups) & set(photos.test.groups)


def test_a_random_tenth_with_damage_runs_to_the_end_and_says_what_it_left_out(real_photos, tmp_path, capsys):
    from fashion16_lib.__main__ import main

    rng = np.random.default_rng(1)
    with zipfile.ZipFile(real(PRODUCT_PHOTOS)) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = sorted(rng.choice(names, len(names) // 10, replace=False).tolist())
        rows = pd.read_csv(io.BytesIO(archive.read("styles.csv")), dtype=str, on_bad_lines="skip")
        files = {name: archive.read(name) for name in chosen}
    mine = rows[rows["id"].isin([Path(name).stem for name in chosen])]
    in_a_class = mine["articleType"].isin([kind for kinds in PRODUCT_PHOTOS.classes.values() for kind in kinds])
    truncated = [f"images/{item}.jpg" for item in mine[in_a_class]["id"].iloc[:7]]
    files |= {name: files[name][: len(files[name]) // 2] for name in truncated}
    files["styles.csv"] = rows.drop(mine[in_a_class].index[-5:]).to_csv(index=False).encode()
    path, out = as_zip(tmp_path / "tenth.zip", files), tmp_path / "library.h5"
    assert main(["build", "--data", "product-photos", "--path", str(path), "--out", str(out), "--pixels", "32"]) == 0
    told = capsys.readouterr()
    assert f"{out}: " in told.out and "7 files skipped" in told.out
    assert all(f"skipped {name}: got a truncated" in told.err for name in truncated)
    assert "left out: 5 pictures without a row" in told.err and "rows without a picture" in told.err
