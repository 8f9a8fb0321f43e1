"""Verdicts for people: a notebook's own claims as a table, and the whole ledger for a run and for the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.evaluate.claims import CLAIMS
from fashion16_lib.evaluate.records import read_metrics
from fashion16_lib.evaluate.verdict import (
    CONTRADICTED,
    NOT_TESTABLE,
    REPRODUCED,
    TREND,
    VERDICTS,
    Claim,
    Finding,
    as_records,
    judge,
    judge_all,
    number_in_words,
    verdict_table,
)
from fashion16_lib.files import replace_file
from fashion16_lib.report.notebook import Notebook
from fashion16_lib.report.style import MUTED, PAGE, headline, panels


def verdicts(nb: Notebook, claims: tuple[Claim, ...] = CLAIMS) -> Any:
    """Judge the claims that a notebook's metrics file answers; save and return them as a table."""
    metrics = read_metrics(nb.results / "metrics" / f"{nb.name}.json")
    findings = [judge(claim, metrics) for claim in claims if claim.source == nb.name]
    return nb.table(verdict_table(findings), f"{nb.name[:2]}-verdicts", "the paper's claims and what we found")


def write_ledger(
    results: Path, claims: tuple[Claim, ...] = CLAIMS, name: str = "claims.json"
) -> list[Finding]:
    """Judge every claim by a run's metrics files, write them to a file and return the findings."""
    findings = judge_all(claims, results / "metrics")
    text = json.dumps(as_records(findings), indent=1, ensure_ascii=False)
    replace_file(results / name, (text + "\n").encode())
    return findings


def count_verdicts(findings: list[Finding]) -> pd.DataFrame:
    """Count the findings by verdict (columns) and kind of claim (rows)."""
    table = pd.DataFrame([{"kind": finding.kind, "verdict": finding.verdict} for finding in findings])
    counts = pd.crosstab(table["kind"], table["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    return counts.rename_axis(None, axis=1)


def claims_markdown(findings: list[Finding], on_photos: list[Finding]) -> str:
    """Return the README's table of claims as Markdown, with the verdicts that product photos give beside them."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(findings).sum().items())
    others = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(on_photos).sum().items())
    lines = [f"{len(findings)} claims: {counts}. On product photos: {others}.", ""]
    lines += ["| section | claim | paper | ours [interval] | verdict | on product photos | why |", "|---" * 7 + "|"]
    for finding, photos in zip(findings, on_photos, strict=True):
        ours = "" if finding.ours is None else f"{finding.metric.replace('_', ' ')}: {number_in_words(finding)}"
        cells = (finding.section, finding.claim, finding.paper, ours, f"**{finding.verdict}**",
                 f"{photos.verdict} {_short(photos)}".rstrip(), finding.reason)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _short(finding: Finding) -> str:
    return f"({number_in_words(finding)})" if finding.ours is not None and finding.kind != "arithmetic" else ""


SIGNS = {
    REPRODUCED: ("o", "#2b8a57"),
    TREND: ("s", "#1f5fa8"),
    CONTRADICTED: ("X", "#b3372f"),
    NOT_TESTABLE: (".", MUTED),
}


def ledger_figure(findings: list[Finding], title: str) -> Figure:
    """Draw every claim as a row, its verdict as a sign in the verdict's column."""
    figure, axes = panels(1, 1, PAGE, 0.185 * len(findings) + 1.2)
    axis = axes[0, 0]
    for place, finding in enumerate(findings):
        marker, colour = SIGNS[finding.verdict]
        axis.plot(VERDICTS.index(finding.verdict), place, marker, color=colour, markersize=8)
    words = [f"{finding.claim}  ({finding.section})" for finding in findings]
    axis.set(xlim=(-0.5, len(VERDICTS) - 0.5), ylim=(len(findings) - 0.4, -0.6))
    axis.set_xticks(range(len(VERDICTS)), VERDICTS, fontsize=8)
    axis.set_yticks(range(len(findings)), words, fontsize=7)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    headline(figure, title)
    return figure
