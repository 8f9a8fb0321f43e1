"""Fig 5: the page, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from flask import render_template, request

from fashion16_lib.settings import N_HITS
from fashion16_lib.web.served import BOTH, MAX_HITS, Snapshot

WORDS: dict[str, dict[str, Any]] = json.loads((files(__package__) / "words.json").read_text(encoding="utf-8"))


def render_page(
    snapshot: Snapshot | None, asked: Mapping[str, str], answers: Sequence[dict[str, Any]] = (), problem: int = 0,
    detail: str = "",
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    snapshot : what is served; None where there is nothing at the moment
    asked : the form's fields, to be shown again: item or again, k, mode
    answers : to one query, as they go out, one for each mode
    problem, detail : the status of what went wrong, and what it was
    """
    language = request.args.get("lang", "")
    if language not in WORDS:
        language = request.accept_languages.best_match(WORDS) or next(iter(WORDS))
    words = WORDS[language]
    item = answers[0]["item"] if answers else asked.get("item") or asked.get("again")
    most = min(MAX_HITS, snapshot.library.n_items) if snapshot else MAX_HITS
    return render_template(
        "page.html", language=language, words=words, languages=WORDS, snapshot=snapshot, answers=answers,
        problem=problem, detail=detail, item=item if snapshot and snapshot.picture_path(item or "") else "",
        mode=asked.get("mode", BOTH), k=asked.get("k") or min(N_HITS, most), most=most,
        rows=_rows(answers[0]) if answers else [],
        name_of=lambda label: words["classes"].get(label, label) if label else words["unknown"],
    )


def _rows(answer: dict[str, Any]) -> list[str]:
    """Return the query's code as zeros and ones, in rows: 2 of 32, 16 of 64, 32 of 128."""
    bits = f"{int(answer['code'], 16):0{answer['n_bits']}b}"
    width = next(width for width in (32, 64, 128) if width**2 >= 4 * len(bits) or width == 128)
    return [bits[start : start + width] for start in range(0, len(bits), width)]
