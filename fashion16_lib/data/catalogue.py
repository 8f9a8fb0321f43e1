"""Read photos that come with a table: match its rows with the pictures, and say what had to be left out."""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from fashion16_lib.data.download import fetch_verified
from fashion16_lib.data.pictures import SUFFIXES, Pictures, unreadable
from fashion16_lib.data.sources import WebFile, Website
from fashion16_lib.data.store import Store, open_store
from fashion16_lib.settings import Fashion16Error, photos_folder

MIN_IMAGES_A_CLASS = 20         # fewer can't be split into gallery and queries that say anything


@dataclass(frozen=True)
class Catalogue:
    """Describe a collection of photos as its publisher lays it out.

    Attributes
    ----------
    name : of the data set here
    file_names : of the zip or folder, as people may have it
    table, id_column, type_column : the CSV, the column that names the picture (without .jpg) and the garment's type
    group_column : items that share it stay on one side of every split; "" where each item stands alone
    classes : the paper's class -> the types that belong to it
    page : where people read about it and get it, with its licence
    download : website and file of the whole archive
    """

    name: str
    file_names: tuple[str, ...]
    table: str
    id_column: str
    type_column: str
    group_column: str
    classes: dict[str, tuple[str, ...]]
    page: str
    download: tuple[str, str]


@dataclass(frozen=True)
class Photos:
    """Hold the photos of a catalogue that can be used, and what was left out.

    Attributes
    ----------
    pictures : lazy, in the order of the ids as text
    attributes : a row a picture: every column of the table as text, with "class", the paper's or the column asked for
    skipped : picture -> why it can't be read
    left_out : reason -> how many
    """

    pictures: Pictures
    attributes: pd.DataFrame
    skipped: dict[str, str]
    left_out: dict[str, int]


def find_photos(catalogue: Catalogue, path: str | Path = "") -> Path:
    """Return where the photos lie: the path given, else one of the usual names in the photos folder.

    Raises
    ------
    Fashion16Error : not there; the message says where to get them and where to put them
    """
    if path:
        if Path(path).exists():
            return Path(path)
        raise Fashion16Error(f"{path}: no such folder or zip; give the path of {catalogue.name}, or none to look in "
                             f"{photos_folder()}")
    for name in catalogue.file_names:
        if (photos_folder() / name).exists():
            return photos_folder() / name
    raise Fashion16Error(
        f"no {catalogue.name} in {photos_folder()}; run: python -m fashion16_lib fetch --photos {catalogue.name}; or get "
        f"them from {catalogue.page} and put the zip or folder there as {' or '.join(catalogue.file_names)}, or give its "
        "path (DATA_PATH, --data-path, --path)"
    )


def fetch_photos(catalogue: Catalogue) -> Path:
    """Return where the photos lie, downloading the whole archive into the photos folder if they aren't there.

    Raises
    ------
    Fashion16Error : out of reach, or no archive of that kind; the message says what to do by hand
    """
    with suppress(Fashion16Error):
        return find_photos(catalogue)
    site, file = catalogue.download
    target = photos_folder() / catalogue.file_names[0]
    return fetch_verified(target, lambda path: _check_archive(catalogue, path), [WebFile(Website(site), file)])


def _check_archive(catalogue: Catalogue, path: Path) -> None:
    store = open_store(path)
    _read_table(catalogue, store, store.names({}))


def load_photos(catalogue: Catalogue, path: str | Path = "", label_by: str = "") -> Photos:
    """Read the table, match it with the pictures, leave out what can't be used; any part of the archive will do.

    Parameters
    ----------
    label_by : a column of the table that gives the classes instead of the paper's, so that all photos have one

    Raises
    ------
    Fashion16Error : no photos there
    ValueError : no table, without the columns it must have, or nothing that fits together
    """
    store = open_store(find_photos(catalogue, path))
    hidden: dict[str, str] = {}
    names = store.names(hidden)
    where, table = _read_table(catalogue, store, names)
    pictures = _pictures_by_id(names, where)
    if label_by and label_by not in table:
        raise ValueError(f"{store}: the classes must come from one of {', '.join(table)}, got {label_by!r}")
    left_out: Counter[str] = Counter()
    left_out["rows that name a picture twice"] = int(table.duplicated(catalogue.id_column).sum())
    table = table.drop_duplicates(catalogue.id_column)
    left_out["pictures without a row"] = len(pictures.keys() - set(table[catalogue.id_column]))
    has_picture = table[catalogue.id_column].isin(pictures)
    left_out["rows without a picture"] = int((~has_picture).sum())
    table = table[has_picture].sort_values(catalogue.id_column, ignore_index=True)
    table["class"] = table[label_by] if label_by else table[catalogue.type_column].map(_class_of(catalogue))
    other = table["class"].isna() | (table["class"] == "")
    left_out["photos of types that no class holds" if not label_by else f"photos without {label_by}"] = int(other.sum())
    table = table[~other]
    skipped = unreadable(store, [pictures[item] for item in table[catalogue.id_column]])
    table = table[[pictures[item] not in skipped for item in table[catalogue.id_column]]]
    counts = table["class"].value_counts()
    rare = counts[counts < MIN_IMAGES_A_CLASS]
    left_out[f"photos of classes with fewer than {MIN_IMAGES_A_CLASS} ({_some(rare.index)})"] = int(rare.sum())
    table = table[table["class"].isin(counts.index[counts >= MIN_IMAGES_A_CLASS])].reset_index(drop=True)
    if table["class"].nunique() < 2:
        raise ValueError(f"{store}: got {table['class'].nunique()} classes of {MIN_IMAGES_A_CLASS} or more photos, "
                         f"expected at least 2; left out: {in_words(left_out) or 'nothing'}")
    chosen = Pictures(store, [pictures[item] for item in table[catalogue.id_column]], colour=True)
    return Photos(chosen, table, skipped, {reason: n for reason, n in left_out.items() if n})


def pictures_by_id(catalogue: Catalogue, path: str | Path = "") -> tuple[list[str], Pictures]:
    """Return the ids and the pictures of an archive, whatever its table says of them; none is decoded.

    Raises
    ------
    ValueError, Fashion16Error : as in `load_photos`
    """
    store = open_store(find_photos(catalogue, path))
    names = store.names({})
    found = _pictures_by_id(names, _read_table(catalogue, store, names)[0])
    return list(found), Pictures(store, list(found.values()), colour=True)


def _class_of(catalogue: Catalogue) -> dict[str, str]:
    return {kind: name for name, kinds in catalogue.classes.items() for kind in kinds}


def _some(names: pd.Index, most: int = 5) -> str:
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def in_words(left_out: dict[str, int]) -> str:
    """Return what was left out as people read it: "12 rows without a picture, ..."."""
    return ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)


def _read_table(catalogue: Catalogue, store: Store, names: list[str]) -> tuple[PurePosixPath, pd.DataFrame]:
    """Return the folder the table lies in (archives come inside folders, and twice) and the table."""
    found = sorted((name for name in names if PurePosixPath(name).name == catalogue.table), key=lambda n: n.count("/"))
    if not found:
        raise ValueError(f"{store}: got no {catalogue.table}, expected one beside the pictures; is this "
                         f"{catalogue.name}?")
    text = io.StringIO(store.read(found[0]).decode("utf-8-sig", "replace"), newline="")
    reader = csv.DictReader(text)       # the publisher's rows may have commas too many: what is over falls under None
    columns = [name for name in reader.fieldnames or () if name]
    needed = {catalogue.id_column, catalogue.type_column, *filter(None, [catalogue.group_column])}
    if not needed <= set(columns):
        raise ValueError(f"{store}: {catalogue.table} has the columns {', '.join(columns) or 'none'}; it must have "
                         f"{', '.join(sorted(needed))}")
    rows = [{name: (row.get(name) or "").strip() for name in columns} for row in reader]
    return PurePosixPath(found[0]).parent, pd.DataFrame(rows, columns=columns, dtype=str)


def _pictures_by_id(names: list[str], where: PurePosixPath) -> dict[str, str]:
    """Return id -> picture below the table's folder, the first of those with one id."""
    pictures: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES and path.is_relative_to(where):
            pictures.setdefault(path.stem, name)
    return pictures
