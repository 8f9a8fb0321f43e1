"""DeepFashion's consumer-to-shop benchmark: a small tree of its shape, as a folder and as a zip."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from archives import as_folder, as_zip
from PIL import Image

from fashion16_lib.data.consumer_to_shop import category_of, load_consumer_to_shop
from fashion16_lib.data.street_to_shop import AS_IT_COMES, CATEGORIES, load_street_to_shop
from fashion16_lib.run import run_notebooks
from fashion16_lib.settings import get_profile

FOLDERS = ("DRESSES/Lace_Dress", "DRESSES/Skirt", "CLOTHING/Blouse", "TROUSERS/Pants")
HEAD = "{n}\nimage_pair_name_1 image_pair_name_2 item_id evaluation_status\n"


def picture(seed: int) -> bytes:
    rng, out = np.random.default_rng(seed), io.BytesIO()
    image = np.full((60, 45, 3), 250, np.uint8)
    image[10:50, 8:37] = rng.integers(0, 255, 3)
    image[10:50:4, 8:37] = rng.integers(0, 255, 3)
    Image.fromarray(image).save(out, "JPEG")
    return out.getvalue()


def landmarks(photos: list[str]) -> bytes:
    """Return the file of the garments' corners: tops have six points, bottoms four, dresses and skirts eight."""
    corners = ["0 8 10", "0 36 10", "0 8 24", "0 36 24", "0 8 36", "0 36 36", "2 8 49", "0 36 49"]
    points = {"CLOTHING": (1, corners[:6]), "TROUSERS": (2, corners[:4]), "DRESSES": (3, corners)}
    lines = []
    for photo in photos:
        kind, each = points[photo.split("/")[2]]
        lines.append(f"{photo.removeprefix('Img/')} {kind} 1 {' '.join(each)}")
    return "\n".join([str(len(lines)), "image_name clothes_type variation_type ...", *lines, ""]).encode()


def benchmark(n_items: int = 12) -> dict[str, bytes]:
    """Return its files: garments of each category, two photos of customers and two of the shop each, in three parts."""
    files, lines, number = {}, [], 0
    for folder in FOLDERS:
        for item in range(n_items):
            number += 1
            part = ("train", "test", "val", "test")[item % 4]
            base = f"img/{folder}/id_{number:08d}"
            for shot in (1, 2):
                street, shop = f"{base}/comsumer_{shot:02d}.jpg", f"{base}/shop_{shot:02d}.jpg"
                files[f"Img/{street}"], files[f"Img/{shop}"] = picture(10 * number), picture(10 * number + 1)
                lines.append(f"{street}   {shop} id_{number:08d} {part}")
    files["Eval/list_eval_partition.txt"] = (HEAD.format(n=len(lines)) + "\n".join(lines) + "\n").encode()
    files["Anno/list_landmarks_consumer2shop.txt"] = landmarks([name for name in files if name.startswith("Img/")])
    files["Anno/list_bbox_consumer2shop.txt"] = b"0\nimage_name clothes_type source_type x_1 y_1 x_2 y_2\n"
    return files


@pytest.fixture
def root(tmp_path) -> Path:
    return as_folder(tmp_path / "Consumer-to-shop", benchmark())


def test_every_pair_is_read(root):
    found = load_consumer_to_shop(root)
    assert len(found.table) == len(found.pictures) == 4 * 12 * 4 and found.left_out == ()
    assert found.table.groupby("source").size().to_dict() == {"shop": 96, "street": 96}
    assert found.table.groupby("category")["item"].nunique().to_dict() == dict.fromkeys(CATEGORIES, 12)
    assert found.table.groupby("part")["item"].nunique().to_dict() == {"test": 24, "train": 12, "val": 12}
    assert found.pictures[0].shape == (60, 45, 3)
    for photo, name in zip(found.table["photo"], found.pictures.names, strict=True):
        assert name.endswith(photo)


def test_a_zip_of_it_reads_the_same(root, tmp_path):
    path = as_zip(tmp_path / "benchmark.zip", benchmark(), "Consumer-to-shop Clothes Retrieval Benchmark/")
    whole, zipped = load_consumer_to_shop(root), load_consumer_to_shop(path)
    assert whole.table.equals(zipped.table)
    np.testing.assert_array_equal(whole.pictures[5], zipped.pictures[5])


@pytest.mark.parametrize(("photo", "category"), [
    ("img/DRESSES/Skirt/id_1/shop_01.jpg", "skirts"), ("img/DRESSES/Sleeveless_Dress/id_1/shop_01.jpg", "dresses"),
    ("img/CLOTHING/T_Shirt/id_1/comsumer_01.jpg", "tops"), ("img/TOPS/Tank_Top/id_1/shop_01.jpg", "tops"),
    ("img/TROUSERS/Jeans/id_1/shop_01.jpg", "bottoms"), ("img/SHOES/Boots/id_1/shop_01.jpg", None),
    ("shop_01.jpg", None),
])
def test_categories_come_from_the_folders(photo, category):
    assert category_of(photo) == category


def test_what_is_missing_or_broken_is_left_out_and_counted(root):
    first = sorted((root / "Img/img/DRESSES/Skirt").iterdir())[0]
    (first / "comsumer_01.jpg").unlink()
    (first / "comsumer_02.jpg").write_bytes(b"no picture")
    second = sorted((root / "Img/img/DRESSES/Skirt").iterdir())[1]
    for name in ("shop_01.jpg", "shop_02.jpg"):
        (second / name).unlink()
    found = load_consumer_to_shop(root)
    assert dict(found.left_out) == {"photos that the partition names and that aren't there": 3, "unreadable photos": 1,
                                    "street photos without one of the shop": 2}
    assert len(found.table) == 4 * 12 * 4 - 6


@pytest.mark.parametrize(("lines", "message"), [
    ("img/a img/b id_1", "line 3: got 'img/a img/b id_1', expected a street photo"),
    ("img/a img/b id_1 dev", "one of train, val, test"),
    ("img/TOPS/c/id/x.jpg img/TOPS/c/id/y.jpg id_1 train", "got photos of the parts none, expected train, val, test"),
])
def test_a_damaged_partition_is_refused(tmp_path, lines, message):
    root = as_folder(tmp_path, {"Eval/list_eval_partition.txt": (HEAD.format(n=1) + lines + "\n").encode()})
    with pytest.raises(ValueError, match=message):
        load_consumer_to_shop(root)


def test_a_garment_in_two_parts_is_refused(root):
    path = root / "Eval/list_eval_partition.txt"
    text = path.read_text()
    path.write_text(text.replace("shop_02.jpg id_00000001 train", "shop_02.jpg id_00000001 test"))
    with pytest.raises(ValueError, match=r"item id_00000001 is in 2 parts"):
        load_consumer_to_shop(root)


def test_a_folder_that_is_something_else_is_named(tmp_path):
    as_folder(tmp_path, {"styles.csv": b"id\n"})
    with pytest.raises(ValueError, match=r"got no list_eval_partition\.txt, expected it in Eval/"):
        load_consumer_to_shop(tmp_path)


def test_as_garments_from_both_sides(root):
    pairs = load_street_to_shop(get_profile("smoke"), pairs_path=root)
    assert pairs.name == "DeepFashion consumer-to-shop"
    of = {part: set(getattr(pairs, part).shop.groups) for part in ("train", "tuning", "test")}
    assert [len(items) for items in of.values()] == [12, 12, 24]
    assert not of["train"] & of["test"] and not of["tuning"] & of["test"] and not of["train"] & of["tuning"]
    photos = pairs.test.street[AS_IT_COMES]
    assert list(pairs.test.street) == [AS_IT_COMES] and len(photos) == 48 and set(photos.groups) == of["test"]
    assert photos.images[0].shape == (60, 45, 3) and set(photos.label_names) == set(CATEGORIES)


def test_the_notebooks_on_pairs_run_on_it(photo_folder, tmp_path, monkeypatch):
    root = as_folder(tmp_path / "benchmark", benchmark(40))
    alone = sorted((root / "Img/img/DRESSES/Skirt").iterdir())[1]               # of the test part: nobody asks for it
    for name in ("comsumer_01.jpg", "comsumer_02.jpg"):
        (alone / name).unlink()
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("FASHION16_PHOTOS", str(photo_folder))
    given = {"DATASET": "product-photos", "PAIRS_PATH": str(root)}
    assert run_notebooks(["40", "41", "42", "43", "53"], "smoke", given) == 0
    results = tmp_path / "out/results/smoke-product-photos"
    told = {path: path.read_text(encoding="utf-8").splitlines()[-1] for path in results.glob("tables/4*.md")}
    assert len(told) >= 4
    assert all("DeepFashion" in caption or "four networks" in caption for caption in told.values()), told
    assert not [caption for caption in told.values() if "simulated" in caption or "product photos" in caption]
    for path in results.glob("metrics/[45]*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["provenance"]["dataset"] == "deepfashion-consumer-to-shop"
