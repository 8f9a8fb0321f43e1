"""Build the book from the committed notebooks, in English and in Chinese: nothing is run, nothing is fetched.

    notebooks/*.ipynb, notebooks/zh/*.md, README.md, docs/*  ->  build/book/en, zh  ->  Sphinx  ->  build/book/html
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from fashion16_lib.run.chinese import translated, translations
from fashion16_lib.settings import out_folder

ROOT = Path(__file__).resolve().parents[1]
DOCS, OUT = ROOT / "docs", out_folder() / "build" / "book"
PARTS = {                       # the tens digit -> its title in both languages
    "0": ("The method", "方法"),
    "1": ("The paper's experiments", "论文的实验"),
    "2": ("What the paper leaves open", ""),
    "3": ("Several labels", ""),
    "4": ("Street to shop", ""),
    "5": ("Product search", ""),
    "6": ("Beyond one machine", ""),
}
LAYERS = ("base", "data", "features", "models", "search", "evaluate", "report", "web", "run", "program")
BASE = ("settings", "files", "progress")
PROTECTED = re.compile(r"```.*?```|^(?: {4}|#).*?$|`[^`\n]+`|!?\[[^\]\n]*\]\([^)\n]*\)|^\|[-:| ]+\|$|https?://\S+",
                       re.DOTALL | re.MULTILINE)
NUMBERS = re.compile(r"\((\d\d(?:, \d\d)*)\)")
NAMED = re.compile(r"\*\*(?:What you need\.|你需要什么。)\*\*.*|[Nn]otebook \d\d|as in \d\d|笔记本 \d\d")
NUMBER = re.compile(r"(?<!\d)\d\d(?!\d| MB)")
BOX = re.compile(r"^## (On your own|自己动手)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
PAGES = ("glossary.md", "start.md", "index.md", "references.md")        # of the English edition alone
PAGES_AT_THE_END = ("glossary", "sections", "api/index", "contributing", "references")
Change = Callable[[str], str]


def main() -> int:
    """Build both languages; return Sphinx's exit code, 1 for any warning."""
    shutil.rmtree(OUT, ignore_errors=True)
    english = {path.stem: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))}
    chinese = {name: english[name] for name in translations()}
    lay_out(OUT / "en", english, lambda: [terms_linked(), numbers_linked(english), cited(), boxed, kept_inside])
    (OUT / "en" / "sections.md").write_text(sections(), encoding="utf-8")
    guide = re.sub(r"\]\((?!https?:)", "](../", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    (OUT / "en" / "contributing.md").write_text(kept_inside(guide), encoding="utf-8")     # links as from a notebook
    write_api(OUT / "en" / "api")
    lay_out(OUT / "zh", chinese, lambda: [numbers_linked(chinese), boxed, kept_inside], translations())
    return sphinx("en", OUT / "en", OUT / "html") or sphinx("zh_CN", OUT / "zh", OUT / "html" / "zh")


def sphinx(language: str, source: Path, target: Path) -> int:
    """Turn laid-out pages into a site; warnings are errors."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "2", "-d",
               f"{source}-doctrees", str(source), str(target)]
    env = {**os.environ, "FASHION16_BOOK_LANGUAGE": language, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, env=env, check=False).returncode


# ---------------------------------------------------------------- pages


def lay_out(
    folder: Path, notebooks: dict[str, Path], changes: Callable[[], list[Change]], prose: dict[str, Path] | None = None
) -> None:
    """Write the pages of one language where Sphinx finds them; with prose, in Chinese."""
    left_out = ("build.py", "zh", "__pycache__", *(PAGES if prose else ()))
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns(*left_out))
    if prose:
        shutil.copytree(DOCS / "zh", folder, dirs_exist_ok=True)
    with (folder / "index.md").open("a", encoding="utf-8") as index:
        index.write(contents(notebooks, 1 if prose else 0))
    (folder / "notebooks").mkdir()
    for name, path in notebooks.items():
        node = nbformat.read(path, as_version=4)
        node = translated(node, prose[name]) if prose else node
        of_page = changes()
        for cell in node.cells:
            if cell.cell_type == "markdown":
                for picture in re.findall(r"!\[[^\]]*\]\(\.\./([^)]+)\)", cell.source):
                    (folder / picture).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / picture, folder / picture)
                for change in of_page:
                    cell.source = change(cell.source)
        nbformat.write(node, folder / "notebooks" / path.name)


def contents(notebooks: dict[str, Path], language: int) -> str:
    """Return the table of contents: a part for each tens digit."""
    parts: list[tuple[str, list[str]]] = []
    for digit, titles in PARTS.items():
        names = [f"notebooks/{name}" for name in notebooks if name.startswith(digit)]
        if names:
            parts.append((titles[language], names))
    if language == 0:
        parts.append(("Look up", list(PAGES_AT_THE_END)))
    return "".join("\n".join(["", ":::{toctree}", f":caption: {caption}", ":maxdepth: 1", "", *names, ":::", ""])
                   for caption, names in parts)


def sections() -> str:
    """Return the page that leads from the paper's sections to notebooks, from the table in README."""
    rows = re.findall(r"^\| \[([^\]]+)\]\((notebooks/[^)]+)\) \| ([^|]+) \| ([^|]+) \|$",
                      (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    found: dict[str, list[str]] = {}
    for title, link, step, where in rows:
        for section in where.strip().split(", "):
            found.setdefault(section, []).append(f"[{title}]({link}): {step}")
    lines = ["# From the paper to the notebooks", "", "| where | notebooks |", "|---|---|"]
    lines += [f"| {section} | {'<br>'.join(found[section])} |" for section in sorted(found)]
    return "\n".join(lines) + "\n"


def write_api(folder: Path) -> None:
    """Write a page for each layer of the library: its modules with their docstrings."""
    folder.mkdir()
    head = "API reference"
    says = "A module imports only from its own layer and those above it; run and program see all."
    pages = [head, "=" * len(head), "", says, "", ".. toctree::", "   :maxdepth: 1", ""]
    for layer in LAYERS:
        package = ["fashion16_lib"] if layer in ("base", "program") else ["fashion16_lib", layer]
        title = ".".join(package) if len(package) > 1 else f"fashion16_lib, {layer}"
        lines = [title, "=" * len(title), ""]
        for path in sorted(ROOT.joinpath(*package).glob("[a-z]*.py")):
            if len(package) == 1 and (path.stem in BASE) != (layer == "base"):
                continue
            module = ".".join([*package, path.stem])
            lines += [module, "-" * len(module), "", f".. automodule:: {module}", "   :members:", ""]
        (folder / f"{layer}.rst").write_text("\n".join(lines), encoding="utf-8")
        pages.append(f"   {layer}")
    (folder / "index.rst").write_text("\n".join(pages) + "\n", encoding="utf-8")


# ---------------------------------------------------------------- what is changed in a cell's prose


def outside_protected(change: Change) -> Change:
    """Return a change that leaves code, formulas, headings and links alone."""
    def changed(source: str) -> str:
        parts, last = [], 0
        for match in PROTECTED.finditer(source):
            parts += [change(source[last:match.start()]), match.group()]
            last = match.end()
        return "".join([*parts, change(source[last:])])

    return changed


def terms_linked() -> Change:
    """Return a change that links the first mention of each term of the glossary on a page."""
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"^([A-Za-z][\w -]*)$(?=\n  )", glossary, re.MULTILINE)
    forms = {form: entry for entry in entries for form in {entry, f"{entry}s", re.sub("y$", "ies", entry)}}
    words = re.compile(rf"\b({'|'.join(sorted(map(re.escape, forms), key=len, reverse=True))})\b", re.IGNORECASE)
    seen: set[str] = set()

    def linked(match: re.Match) -> str:
        entry = forms[match.group().lower() if match.group().lower() in forms else match.group()]
        if entry in seen:
            return match.group()
        seen.add(entry)
        return f"{{term}}`{match.group()} <{entry}>`"

    return outside_protected(lambda text: words.sub(linked, text))


def numbers_linked(notebooks: dict[str, Path]) -> Change:
    """Return a change that makes links of notebooks' numbers, in brackets or where they are said to be notebooks."""
    by_number = {name[:2]: f"{name}.ipynb" for name in notebooks}

    def linked(match: re.Match) -> str:
        numbers = match.group(1).split(", ")
        return "(" + ", ".join(f"[{n}]({by_number[n]})" if n in by_number else n for n in numbers) + ")"

    def one(match: re.Match) -> str:
        return f"[{match.group()}]({by_number[match.group()]})" if match.group() in by_number else match.group()

    in_brackets = outside_protected(lambda text: NUMBERS.sub(linked, text))
    in_words = outside_protected(lambda text: NUMBER.sub(one, text))
    return lambda source: NAMED.sub(lambda match: in_words(match.group()), in_brackets(source))


def cited() -> Change:
    """Return a change that puts a citation behind the words that references.bib gives for it."""
    references = (DOCS / "references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{(\w+),.*?cited_as = \{([^}]+)\}", references, re.DOTALL)
    keys = {words.strip(): key for key, phrases in entries for words in phrases.split(";")}
    phrases = re.compile("|".join(map(re.escape, keys)))
    return outside_protected(lambda text: phrases.sub(lambda m: f"{m.group()} {{cite}}`{keys[m.group()]}`", text))


def boxed(source: str) -> str:
    """Put the exercises into a box."""
    name = {"On your own": "Change this", "自己动手": "改一处看看"}
    return BOX.sub(lambda m: f"## {m.group(1)}\n\n:::{{admonition}} {name[m.group(1)]}\n:class: tip\n\n"
                   f"{m.group(2).strip()}\n:::\n\n", source)


def kept_inside(source: str) -> str:
    """Name files of the project that the book doesn't hold, instead of linking to them."""
    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(\.\./([^)\n]+)\)", r"\1 (`\2`)", source)


if __name__ == "__main__":
    sys.exit(main())
