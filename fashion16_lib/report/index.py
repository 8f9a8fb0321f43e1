"""All figures and tables of a run on one page that needs nothing but a browser."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from PIL import Image

from fashion16_lib.files import replace_file
from fashion16_lib.settings import FASHION_MNIST, Fashion16Error, parts_of_run

FORMATS = {"figures": ("png", "pdf", "csv"), "tables": ("csv", "md", "tex")}
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 0 auto; padding: 0 1rem 3rem; }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; }
h3 { margin: 0; font-size: 1rem; }
nav ul { padding-left: 1.2rem; }
figure { margin: 2rem 0; }
img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .85rem; }
figcaption p { margin: .3rem 0 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; }
@media print { nav, .files { display: none; } figure { break-inside: avoid; } .wide { overflow: visible; } }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fashion-16, reproduced: figures and tables of the run {run}</title>
<style>{style}</style>
</head>
<body>
<h1>Fashion-16, reproduced: figures and tables of the run {run}</h1>
<p>Every number shown lies in the CSV linked below it. <code>make figures {wanted}</code> makes this page.</p>
<nav><ul>
{contents}
</ul>{missing}</nav>
{chapters}</body>
</html>
"""


def update_index(results: Path, notebooks: Path) -> Path:
    """Write the page of a run's results; return its path."""
    path = results / "index.html"
    replace_file(path, index_page(results, notebooks).encode())
    return path


def index_page(results: Path, notebooks: Path) -> str:
    """Return the page: every figure and table with its caption and files, by notebook in the book's order.

    Parameters
    ----------
    results : a run's folder, such as results/quick
    notebooks : the folder of the numbered notebooks

    Raises
    ------
    Fashion16Error : a figure or table lacks a format, its caption or its notebook; the message says what to run
    """
    chapters: dict[Path, list[str]] = {}
    for kind, show in (("figures", _figure), ("tables", _table)):
        for stem in _stems(results / kind):
            chapters.setdefault(maker_of(stem, notebooks), []).append(_exhibit(results / kind / stem, show))
    if not chapters:
        raise Fashion16Error(f"no figures or tables in {results}; run: make paper {_wanted(results.name)}")
    titles = {notebook: notebook_title(notebook) for notebook in sorted(chapters)}
    contents = "\n".join(f'<li><a href="#{_url(each.stem)}">{escape(title)}</a></li>' for each, title in titles.items())
    parts = [_chapter(notebook, title, chapters[notebook], results) for notebook, title in titles.items()]
    left = ", ".join(escape(path.stem) for path in not_run(results, notebooks))
    missing = f"\n<p>Not run at this profile: {left}.</p>\n" if left else ""
    if (results / "NOTE.md").is_file():
        missing += '\n<p>What ran, and how: <a href="NOTE.md">NOTE.md</a>.</p>\n'
    page = {"run": escape(results.name), "wanted": _wanted(results.name), "style": STYLE, "contents": contents}
    return PAGE.format(**page, missing=missing, chapters="".join(parts))


def _wanted(run: str) -> str:
    """Return a run's name as Make's variables."""
    profile, dataset = parts_of_run(run)
    return f"PROFILE={profile}" + f" DATASET={dataset}" * (dataset != FASHION_MNIST)


def maker_of(stem: str, notebooks: Path) -> Path:
    """Return the notebook that makes the result file of that name, by its number; refuse one without."""
    found = sorted(notebooks.glob(f"{stem[:2]}-*.ipynb")) if re.match("[0-9][0-9]-", stem) else []
    if not found:
        raise Fashion16Error(f"{stem} must begin with the number of a notebook in {notebooks}; rename or delete it")
    return found[0]


def not_run(results: Path, notebooks: Path) -> list[Path]:
    """Return the notebooks that left nothing in a run's folder."""
    made = {path.name[:2] for kind in (*FORMATS, "metrics") for path in (results / kind).glob("[!.]*")}
    return [path for path in sorted(notebooks.glob("[0-9][0-9]-*.ipynb")) if path.name[:2] not in made]


def notebook_title(path: Path) -> str:
    """Return the first heading of a notebook's prose, its name where it has none."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^#+ +(.+?) *$", prose, flags=re.MULTILINE)
    return heading[1] if heading else path.stem


def _stems(folder: Path) -> list[str]:
    return sorted({path.stem for path in folder.glob("[!.]*")})


def _chapter(notebook: Path, title: str, exhibits: list[str], results: Path) -> str:
    way = _url(os.path.relpath(notebook.resolve(), results.resolve()))
    head = f'<h2>{escape(title)}</h2>\n<p><a href="{way}">{escape(notebook.name)}</a></p>\n'
    return f'<section id="{escape(notebook.stem)}">\n{head}{"".join(exhibits)}</section>\n'


def _exhibit(base: Path, show: Callable[[Path], tuple[str, str]]) -> str:
    """Return one figure or table, with its caption and links to its files; base is their path without ending."""
    kind, stem = base.parent.name, base.name
    paths = {ending: base.parent / f"{stem}.{ending}" for ending in FORMATS[kind]}
    for path in paths.values():
        if not path.is_file():
            raise Fashion16Error(f"{path} isn't there, but other files of {stem} are; {_again(base)}")
    shown, caption = show(base)
    links = " · ".join(
        f'<a href="{_url(f"{kind}/{path.name}")}">{ending.upper()}</a>' for ending, path in paths.items()
    )
    return (
        f'<figure id="{escape(f"{kind}-{stem}")}">\n{shown}\n'
        f'<figcaption><p>{escape(caption)}</p><p class="files">{links}</p></figcaption>\n</figure>\n'
    )


def _figure(base: Path) -> tuple[str, str]:
    """Return a figure's title and picture, and its caption, both from the PNG's text chunks."""
    path = base.parent / f"{base.name}.png"
    (width, height), words = _told(base, path, _size_and_words)
    if not (words.get("Title") and words.get("Description")):
        raise Fashion16Error(f"{path} holds no title or no caption; {_again(base)}")
    title, caption = words["Title"], words["Description"]
    size = f'width="{width}" height="{height}"'
    picture = f'<img src="{_url(f"figures/{path.name}")}" alt="{escape(caption)}" {size}>'
    return f"<h3>{escape(title)}</h3>\n{picture}", caption


def _size_and_words(path: Path) -> tuple[tuple[int, int], dict[Any, Any]]:
    with Image.open(path, formats=["PNG"]) as picture:
        picture.load()
        return picture.size, picture.info


def _table(base: Path) -> tuple[str, str]:
    """Return a table as its CSV says it, word for word, and its caption, the last line of its Markdown."""
    path = base.parent / f"{base.name}.md"
    caption = _told(base, path, lambda path: path.read_text(encoding="utf-8")).rstrip().rpartition("\n\n")[2]
    if not caption or caption.startswith("|"):
        raise Fashion16Error(f"{path} ends without a caption; {_again(base)}")
    table = _told(base, base.parent / f"{base.name}.csv", _read_as_text)
    return f'<div class="wide">{table.to_html(index=False, border=0, justify="left")}</div>', caption


def _read_as_text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _told(base: Path, path: Path, read: Callable[[Path], Any]) -> Any:
    """Return what a file holds; one that can't be read is told by name, with what to run."""
    try:
        return read(path)
    except (OSError, ValueError, SyntaxError) as error:         # Pillow's and pandas' own errors are among these
        raise Fashion16Error(f"{path} can't be read ({error}); {_again(base)}") from error


def _again(base: Path) -> str:
    profile, dataset = parts_of_run(base.parent.parent.name)
    on = "" if dataset == FASHION_MNIST else f" --dataset {dataset}"
    return (
        f"run: python -m fashion16_lib run {base.name[:2]} --profile {profile}{on} --force, or delete {base.name}.* "
        "if no notebook makes it any more"
    )


def _url(path: str) -> str:
    return escape(quote(path))
