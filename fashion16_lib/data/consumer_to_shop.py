"""Street to shop: DeepFashion's consumer-to-shop benchmark, from the reader's own copy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from fashion16_lib.data.pictures import Pictures, unreadable
from fashion16_lib.data.store import Store, open_store

PARTITION = "list_eval_partition.txt"   # Eval/: a street photo, a shop photo, their item, "train", "val" or "test"
PARTS = ("train", "val", "test")
PAGE = "http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/Consumer2ShopRetrieval.html (for research, on request)"


@dataclass(frozen=True)
class ConsumerToShop:
    """Hold the benchmark's photos.

    Attributes
    ----------
    pictures : lazy, each photo once, in the order of their names
    table : a row a picture: photo, part ("train", "val" or "test"), source ("street" or "shop"), category, item
    left_out : what couldn't be used, and how much of it
    """

    pictures: Pictures
    table: pd.DataFrame
    left_out: tuple[tuple[str, int], ...]


def load_consumer_to_shop(path: str | Path) -> ConsumerToShop:
    """Read the benchmark's partition and the photos it names; any part of the benchmark will do.

    Its layout: `Eval/list_eval_partition.txt`, which has the number of pairs, the names of its columns and a line a
    pair; and the photos as `img/CLOTHING/Blouse/id_00000001/comsumer_01.jpg` (so spelt) and `.../shop_01.jpg`, in
    `Img/` or not.

    Parameters
    ----------
    path : the folder, or a zip of it

    Raises
    ------
    ValueError : no partition, lines that aren't pairs, an item in two parts, or no photo that it names
    """
    store = open_store(path)
    names = store.names({})
    pairs = _read_partition(store, names)
    where = {_from_img(name): name for name in names if _from_img(name)}
    sides = [pairs[[column, "item", "part"]].set_axis(["photo", "item", "part"], axis=1).assign(source=source)
             for column, source in (("first", "street"), ("second", "shop"))]
    table = pd.concat(sides).drop_duplicates("photo").sort_values("photo", ignore_index=True)
    _refuse_items_in_two_parts(store, table)
    table["category"] = table["photo"].map(category_of)
    left_out: Counter[str] = Counter({"photos of other garments": int(table["category"].isna().sum())})
    table = table[table["category"].notna()]
    left_out["photos that the partition names and that aren't there"] = int((~table["photo"].isin(where)).sum())
    table = table[table["photo"].isin(where)]
    bad = unreadable(store, [where[photo] for photo in table["photo"]])
    left_out["unreadable photos"] = len(bad)
    table = table[~table["photo"].map(where).isin(bad)]
    alone = ~table["item"].isin(set(table.loc[table["source"] == "shop", "item"])) & (table["source"] == "street")
    left_out["street photos without one of the shop"] = int(alone.sum())
    table = table[~alone].reset_index(drop=True)
    if set(table["part"]) != set(PARTS):
        raise ValueError(f"{store}: got photos of the parts {', '.join(sorted(set(table['part']))) or 'none'}, expected "
                         f"{', '.join(PARTS)}; unpack Img/ beside Eval/ ({PAGE})")
    pictures = Pictures(store, [where[photo] for photo in table["photo"]], colour=True)
    return ConsumerToShop(pictures, table, tuple((reason, n) for reason, n in left_out.items() if n))


def category_of(photo: str) -> str | None:
    """Return which of the text's four categories a photo belongs to by its folders; None for others."""
    folders = PurePosixPath(photo).parts
    group, kind = (folders[1].upper(), folders[2].lower()) if len(folders) > 3 else ("", "")
    if group == "DRESSES":
        return "skirts" if "skirt" in kind else "dresses"
    return {"CLOTHING": "tops", "TOPS": "tops", "TROUSERS": "bottoms"}.get(group)


def _from_img(name: str) -> str:
    """Return a file's name from its folder img/ on, as the partition has it; "" outside."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[parts.index("img"):]) if "img" in parts else ""


def _read_partition(store: Store, names: list[str]) -> pd.DataFrame:
    found = [name for name in names if PurePosixPath(name).name == PARTITION]
    if not found:
        raise ValueError(f"{store}: got no {PARTITION}, expected it in Eval/; is this DeepFashion's consumer-to-shop "
                         f"benchmark? ({PAGE})")
    lines = store.read(min(found, key=len)).decode("utf-8-sig", "replace").splitlines()[2:]
    rows = [line.split() for line in lines if line.strip()]
    for number, row in enumerate(rows, 3):
        if len(row) != 4 or row[3] not in PARTS:
            raise ValueError(f"{store}: {PARTITION}, line {number}: got {' '.join(row)!r}, expected a street photo, a "
                             f"shop photo, an item and one of {', '.join(PARTS)}")
    return pd.DataFrame(rows, columns=["first", "second", "item", "part"], dtype=str)


def _refuse_items_in_two_parts(store: Store, table: pd.DataFrame) -> None:
    parts = table.groupby("item")["part"].nunique()
    if (parts > 1).any():
        raise ValueError(f"{store}: item {parts.idxmax()} is in {parts.max()} parts, expected one: a garment must not be "
                         "learned from and asked for; get the partition again")
