"""The Chinese edition holds the code, the outputs, the links and the names in code of the English one."""

import os
import re
from pathlib import Path

import nbformat
import pytest

from fashion16_lib.run.chinese import digest_of_prose, read_translation, translated, translations, write_chinese
from fashion16_lib.settings import Fashion16Error, home

THE_PAPER = ("00", "01", "02", "03", "04", "05", "10", "11", "12", "13", "14", "19")


def english(name):
    return nbformat.read(home() / "notebooks" / f"{name}.ipynb", as_version=4)


def in_code(text):
    """Return what stands in backticks, sorted: Chinese has another order of words."""
    return sorted(re.findall(r"`([^`\n]+)`", text))


def test_the_method_and_the_papers_experiments_are_there():
    assert tuple(name[:2] for name in translations()) == THE_PAPER


def links(text):
    return re.findall(r"\]\((.+?)\)", text)


@pytest.mark.parametrize("name", translations())
def test_code_and_outputs_are_the_english_ones_and_every_prose_cell_is_chinese(name):
    ours, theirs = translated(english(name), translations()[name]), english(name)
    assert [cell.id for cell in ours.cells] == [cell.id for cell in theirs.cells]
    for here, there in zip(ours.cells, theirs.cells, strict=True):
        if here.cell_type == "code":
            assert here == there
        else:
            assert re.search("[\u4e00-\u9fff]", here.source), here.source
            assert in_code(here.source) == in_code(there.source)
            assert links(here.source.replace("-zh.png", ".png")) == links(there.source)


def test_prose_whose_english_has_changed_is_refused(tmp_path):
    name, path = next(iter(translations().items()))
    node = english(name)
    node.cells[0].source += " More."
    with pytest.raises(Fashion16Error, match=digest_of_prose(node.cells[0].source)):
        translated(node, path)
    spare = tmp_path / path.name
    spare.write_text(path.read_text(encoding="utf-8") + "\n<!-- 0123456789ab -->\n多\n", encoding="utf-8")
    with pytest.raises(Fashion16Error, match="0123456789ab"):
        translated(english(name), spare)


@pytest.mark.parametrize("text", ["no mark\n", "<!-- 0123456789ab -->\na\n<!-- 0123456789ab -->\nb\n"])
def test_a_file_that_is_no_translation_is_refused(tmp_path, text):
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    with pytest.raises(Fashion16Error, match="each cell once"):
        read_translation(tmp_path / "a.md")


def test_the_written_notebooks_are_whole(tmp_path):
    written = write_chinese(tmp_path / "zh")
    assert [path.stem for path in written] == list(translations())
    for path in written:
        node = nbformat.read(path, as_version=4)
        nbformat.validate(node)
        for link in re.findall(r"\]\((\.\./[^)]+)\)", "".join(cell.source for cell in node.cells)):
            assert (home() / "build" / "zh" / link).resolve().is_relative_to(home())
            assert Path(os.path.normpath(home() / "build" / "zh" / link)).is_file(), link
