"""CONTRIBUTING.md shows diffs of what is here: each added line stands in its file, each removed one doesn't."""

import re

import nbformat
import pytest

from fashion16_lib.settings import home

TEXT = (home() / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = re.findall(r"^```diff\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def content(path):
    if path.suffix == ".ipynb":
        return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return path.read_text(encoding="utf-8")


def test_it_shows_a_data_set_a_network_an_experiment_and_a_claim():
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert headings[:4] == ["A data set", "A network", "An experiment", "A claim"] and len(DIFFS) == 4


@pytest.mark.parametrize("diff", DIFFS, ids=["data set", "network", "experiment", "claim"])
def test_each_diff_is_short_and_of_what_is_here(diff):
    assert len(diff.splitlines()) < 40
    files = re.findall(r"^--- \S+\n\+\+\+ b/(\S+)\n(.*?)(?=^--- |\Z)", diff, re.DOTALL | re.MULTILINE)
    assert files
    for name, hunks in files:
        here = f"\n{content(home() / name)}\n"
        for hunk in hunks.split("@@\n")[1:]:
            lines = hunk.splitlines()
            added = "\n".join(line[1:] for line in lines if line.startswith("+"))
            assert added and f"\n{added}\n" in here, (name, added)
            assert not any(f"\n{line[1:]}\n" in here for line in lines if line.startswith("-"))


def test_commands_and_files_that_it_names_exist():
    commands = set(re.findall(r"fashion16_lib (\w+)", TEXT))
    parser = (home() / "fashion16_lib" / "__main__.py").read_text(encoding="utf-8")
    assert commands and all(f'"{command}"' in parser for command in commands)
    for path in re.findall(r"`((?:tests|fashion16_lib|data|notebooks)/[\w./-]+\.(?:py|md))`", TEXT):
        assert (home() / path.replace("NAME", "00-start-here")).is_file(), path
