"""How Sphinx builds the book; docs/build.py lays out its pages and calls it. Nothing is fetched from elsewhere."""

import os
import re

from sphinx.search.zh import SearchChinese

from fashion16_lib.run.chinese import translations

LANGUAGE = os.environ.get("FASHION16_BOOK_LANGUAGE", "en")
TITLES = {"en": "Fashion-16, reproduced", "zh_CN": "Fashion-16 复现"}

project = TITLES[LANGUAGE]
author = "the authors of fashion16"
language = LANGUAGE
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"                   # pages show the committed outputs
nb_ipywidgets_js = {}                       # else pages load scripts from other sites
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "alpha"
html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_copyright = False
html_context = {"translated": ["index", *(f"notebooks/{name}" for name in translations())]}
templates_path = ["_templates"]
html_sidebars = {"**": ["sidebar/brand.html", "language.html", "sidebar/search.html", "sidebar/scroll-start.html",
                        "sidebar/navigation.html", "sidebar/scroll-end.html"]}
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]     # several classes have an attribute "rows"
autodoc_member_order = "bysource"
autodoc_typehints = "none"                  # the signature would be three lines long; the docstring says types
add_module_names = False


FIELD = re.compile(r"^(\w[^:]*) : (.+)$")
SECTIONS = ("Parameters", "Attributes", "Raises")


def as_written(_app, _what, _name, _obj, _options, lines):
    """Show docstrings as they are written: indented formulas as such, code as code, no other character special."""
    shown, in_formula, section = [], False, ""
    for number, line in enumerate(lines):
        before, after = (lines[number - 1] if number else ""), (lines[number + 1] if number + 1 < len(lines) else "")
        indented = line.startswith("    ")
        if after.startswith("---"):
            section = line
        if indented and not before.strip() and not in_formula:
            shown += ["::", ""]
            in_formula = True
        elif line.strip() and not indented:
            in_formula = False
            if before.startswith("    "):
                shown.append("")
        field = FIELD.match(line) if section in SECTIONS else None
        if field:                               # "name : what it is", where numpydoc would look for a type
            shown += [field.group(1), f"    {plain(field.group(2))}"]
        else:
            shown.append(line if in_formula else plain(line))
    lines[:] = shown


def plain(text):
    """Return text in which backticks mark code, and nothing else is special."""
    parts = re.split(r"`([^`]+)`", text)
    for number, part in enumerate(parts):
        parts[number] = f"``{part}``" if number % 2 else re.sub(r"([*`|\\]|_(?=\W|$))", r"\\\1", part)
    return "".join(parts)


class SearchInPairs(SearchChinese):
    """Split Chinese without a dictionary: into what stands between signs, and into pairs of characters."""

    language_name = "English"                   # its stemmer; Sphinx 9 would ask the page for one that isn't there

    def split(self, input):
        runs = re.findall("[\u4e00-\u9fff]+", input)
        pairs = [run[start:start + 2] for run in runs for start in range(len(run) - 1)]
        return [*runs, *pairs, *super().split(input)]


def setup(app):
    """Read docstrings before napoleon does; search Chinese."""
    app.add_search_language(SearchInPairs)
    app.connect("autodoc-process-docstring", as_written, priority=400)
