"""How a verdict is reached: a claim as data, the rules it is judged by, and the findings as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fashion16_lib.evaluate.records import in_words, read_metrics

REPRODUCED, TREND, CONTRADICTED, NOT_TESTABLE = "reproduced", "trend only", "contradicted", "not testable"
VERDICTS = (REPRODUCED, TREND, CONTRADICTED, NOT_TESTABLE)
KINDS = ("point", "ordering", "growth", "arithmetic", "definition")
NULLS = ("shuffled labels", "shuffled codes", "permuted sizes", "equal arms")

ROUNDING = 1e-12        # a difference this small is none
Record = dict[str, Any]
Rule = Callable[[Record], str]


def equals(number: float, within: float) -> Rule:
    """Return the rule "reproduced if the value is the number, else contradicted"."""
    return lambda record: REPRODUCED if abs(record["value"] - number) <= within else CONTRADICTED


def differs(number: float, within: float) -> Rule:
    """Return the rule "contradicted if the value is the number": the number refutes the claim."""
    return lambda record: CONTRADICTED if abs(record["value"] - number) <= within else REPRODUCED


def above(threshold: float, agreed: str = TREND) -> Rule:
    """Return the rule "agreed if the whole interval lies above, contradicted if below, else not testable"."""

    def judge(record: Record) -> str:
        low, high = _interval(record)
        return agreed if low > threshold + ROUNDING else CONTRADICTED if high < threshold - ROUNDING else NOT_TESTABLE

    return judge


def _interval(record: Record) -> tuple[float, float]:
    """Return a record's low and high; its value where it has no interval."""
    return (record["value"],) * 2 if record["low"] is None else (record["low"], record["high"])


def below(threshold: float, agreed: str = TREND) -> Rule:
    """Return the rule `above` the other way round."""

    rule = above(-threshold, agreed)

    def judge(record: Record) -> str:
        low, high = _interval(record)
        return rule({"value": -record["value"], "low": -high, "high": -low})

    return judge


def at_least(threshold: float, agreed: str = TREND) -> Rule:
    """Return the rule "agreed if the value reaches the threshold, contradicted if the whole interval lies below"."""

    def judge(record: Record) -> str:
        reached = record["value"] >= threshold
        return agreed if reached else CONTRADICTED if _interval(record)[1] < threshold else NOT_TESTABLE

    return judge


def shown(record: Record) -> str:
    """Give no verdict: a lone number on other data, shown beside the paper's."""
    return NOT_TESTABLE


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and how it is judged.

    Attributes
    ----------
    id : short, unique
    row : of the list of the paper's facts
    section, claim, paper : where it stands, in our words, and the paper's number or statement as printed
    kind : one of KINDS
    null : one of NULLS, which must make this verdict fall; "" where there is none
    source, metric : notebook whose metrics file holds our number ("" where nothing can be measured), and its name there
    rule : judges the record
    tolerance, reason : in words: what counts as agreement, and what to know about the verdict
    number : the paper's number where ours can be set off against it
    """

    id: str
    row: str
    section: str
    claim: str
    paper: str
    kind: str
    null: str
    source: str
    metric: str
    rule: Rule
    tolerance: str
    reason: str
    number: float | None = None


@dataclass(frozen=True)
class Finding:
    """What we found for a claim: our number with its interval, and the verdict."""

    id: str
    section: str
    claim: str
    paper: str
    metric: str
    ours: float | None
    low: float | None
    high: float | None
    n: int | None
    unit: str
    difference: float | None
    kind: str
    null: str
    tolerance: str
    verdict: str
    reason: str
    metrics_file: str | None


def judge(claim: Claim, metrics: dict[str, Record]) -> Finding:
    """Judge one claim by the records of its metrics file, name -> record; a missing one is "not testable"."""
    record = metrics.get(claim.metric)
    common = (claim.kind, claim.null or f"none: {claim.kind}", claim.tolerance)
    if record is None:
        missing = "" if not claim.source else " (not run at this profile)"
        nothing = (None,) * 4
        return Finding(claim.id, claim.section, claim.claim, claim.paper, claim.metric, *nothing, "", None, *common,
                       NOT_TESTABLE, claim.reason + missing, None)
    difference = None if claim.number is None else record["value"] - claim.number
    verdict = claim.rule(record)
    open_still = verdict == NOT_TESTABLE and claim.rule is not shown
    undecided = "undecided, the interval holds the threshold; " if open_still else ""
    return Finding(
        claim.id, claim.section, claim.claim, claim.paper, claim.metric, record["value"], record["low"],
        record["high"], record["n"], record["unit"], difference, *common, verdict, undecided + claim.reason,
        f"metrics/{claim.source}.json",
    )


def judge_all(claims: tuple[Claim, ...], metrics_folder: Path) -> list[Finding]:
    """Judge claims by the metrics files of a run."""
    files = {path.stem: read_metrics(path) for path in sorted(metrics_folder.glob("*.json"))}
    return [judge(claim, files.get(claim.source, {})) for claim in claims]


def number_in_words(finding: Finding) -> str:
    """Return our number with its interval, as tables print it; "" where there is none."""
    if finding.ours is None:
        return ""
    unit = "" if finding.unit in ("1", "count") else f" {finding.unit}"
    if finding.low is None or finding.high is None or finding.low == finding.high:
        return f"{in_words(finding.ours)}{unit}"
    return f"{in_words(finding.ours)} [{in_words(finding.low)}, {in_words(finding.high)}]{unit}"


def verdict_table(findings: list[Finding]) -> pd.DataFrame:
    """Return findings as people read them: claim, paper, ours [interval], difference, verdict."""
    return pd.DataFrame([{
        "claim": f"{finding.section}: {finding.claim}",
        "paper": finding.paper,
        "ours [interval]": number_in_words(finding),
        "difference": "" if finding.difference is None else f"{finding.difference:+.4g}",
        "verdict": finding.verdict,
    } for finding in findings])


def as_records(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON-able records, for claims.json."""
    return [asdict(finding) for finding in findings]
