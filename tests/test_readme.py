"""The READMEs say what the results say."""

from __future__ import annotations

import re
from pathlib import Path

from fashion16_lib.report.readme import results_page, with_results

ROOT = Path(__file__).resolve().parents[1]


def test_readme_shows_the_committed_numbers():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "of Fashion-MNIST; 3,869 photos) | 0.9" in text
    assert with_results(text, ROOT / "results/quick") == text, "run: make readme"


def test_results_page_lists_every_file():
    text = (ROOT / "results/README.md").read_text(encoding="utf-8")
    assert results_page(ROOT / "results/quick", ROOT / "notebooks") == text, "run: make readme"
    parts = re.split(r"^\| file in ([\w-]+)/ .*$", text, flags=re.MULTILINE)[1:]
    for run, table in zip(parts[::2], parts[1::2], strict=True):
        listed = re.findall(r"^\| (\S+) \| ([a-z, ]+) \|", table, flags=re.MULTILINE)
        files = {f"{stem}.{ending}" for stem, endings in listed for ending in endings.split(", ")}
        made = [path for kind in ("figures", "tables", "metrics") for path in (ROOT / "results" / run / kind).iterdir()]
        assert files == {f"{path.parent.name}/{path.name}" for path in made}


def test_local_links_and_pictures_exist():
    for page in ("README.md", "data/README.md", "results/README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert "://" in target or ((ROOT / page).parent / target).exists(), f"{page}: {target}"
