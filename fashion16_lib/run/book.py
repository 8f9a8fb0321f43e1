"""Bring the book up to date: its notebooks in order, each run, skipped or up to date, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..data.dataset import CATALOGUES
from ..settings import FASHION_MNIST, Fashion16Error, build_folder, get_profile, home, results_folder, run_name
from .execute import NotebookFailed, execute
from .monitor import Monitor, clock
from .notebook import Notebook, choose_notebooks, read_notebook
from .parameters import check_given, parameters_in_force
from .photos import missing, photos_stamp, sets_of, why_not_here
from .stamps import artefact_path, content_parts, why_stale, write_stamp

# What a notebook may require besides photos: a function that returns None, or why it can't be had here.
REQUIREMENTS: dict[str, Callable[[], str | None]] = {"vgg16-weights": lambda: None}     # the data layer fetches them


@dataclass
class Outcome:
    """Hold how one notebook fared: its status in words, and the seconds it took if it ran."""

    name: str
    status: str = "not run"
    seconds: float | None = None


@dataclass
class RunSummary:
    """Hold how a run went (exit code 0: good, 1: failed, 130: interrupted); printed, it is the table at the end."""

    run: str
    outcomes: list[Outcome]
    exit_code: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        width = max(len(outcome.name) for outcome in self.outcomes)
        lines = [f"{one.name:{width}}  {clock(one.seconds):>8}  {one.status}" for one in self.outcomes]
        executed, results = build_folder(self.run) / "notebooks", results_folder(self.run)
        total = f"total {clock(self.seconds)}; executed notebooks: {executed}; results: {results}"
        return "\n".join([f"{'notebook':{width}}  {'time':>8}  status", *lines, total])


def run_notebooks(
    names: list[str] | None, profile: str, parameters: dict[str, Any] | None = None, *,
    notebooks_folder: Path | None = None, force: bool = False,
) -> int:
    """Do what run_book does; return the exit code."""
    return run_book(names, profile, parameters, notebooks_folder=notebooks_folder, force=force).exit_code


def run_book(
    names: list[str] | None, profile: str, parameters: dict[str, Any] | None = None, *,
    notebooks_folder: Path | None = None, force: bool = False, timeout_s: int = 3600,
) -> RunSummary:
    """Run the notebooks that aren't up to date (`force`: all), print a summary and return it.

    `names` are like "03" or "03-hash-with-vgg16.ipynb" (None: the whole book); `parameters` go to each notebook that
    has them, and DATASET among them chooses the run's folders too. An unknown name or parameter, an illegal value or a
    damaged notebook is a ValueError before anything runs.
    """
    get_profile(profile)
    given = parameters or {}
    notebooks = [read_notebook(path) for path in choose_notebooks(names, notebooks_folder or home() / "notebooks")]
    check_given(given, profile, {notebook.name: notebook.parameters for notebook in notebooks})
    dataset = given.get("DATASET", FASHION_MNIST)
    if dataset != FASHION_MNIST and (reason := missing(dataset, given.get("DATA_PATH", ""))):
        raise Fashion16Error(reason)
    summary = RunSummary(run_name(profile, dataset), [Outcome(notebook.name) for notebook in notebooks])
    start = time.monotonic()
    with _only_run(summary.run), Monitor(notebooks, summary.run) as monitor:
        message = _run_all(_Run(summary, {**given, "PROFILE": profile}, dataset, force, timeout_s, monitor), notebooks)
    summary.seconds = time.monotonic() - start
    print("\n".join(filter(None, [message, str(summary)])), flush=True)
    return summary


def _only_run(run: str) -> Any:
    """Make the run's folders and hold their lock; refuse a second run in them."""
    build = build_folder(run)
    for folder in (build / "notebooks", build / "stamps", build / "logs", results_folder(run)):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(build / ".run.lock").acquire(timeout=0)
    except Timeout:
        raise Fashion16Error(f"{build} must have one run at a time, got a second; wait") from None


@dataclass(frozen=True)
class _Run:
    summary: RunSummary
    given: dict[str, Any]
    dataset: str
    force: bool
    timeout_s: int
    monitor: Monitor


def _run_all(run: _Run, notebooks: list[Notebook]) -> str:
    """Bring one notebook after the other up to date; stop at the first failure and return what to say about it."""
    summary = run.summary
    for notebook, outcome in zip(notebooks, summary.outcomes, strict=True):
        try:
            outcome.status = _bring_up_to_date(run, notebook)
        except NotebookFailed as failure:
            outcome.status, summary.exit_code = f"FAILED: {failure.reason}", 1
            return failure.report(notebook.name, summary.run)
        except KeyboardInterrupt:
            outcome.status, summary.exit_code = "interrupted", 130
            return "Interrupted; what is finished is kept, and the same command resumes."
        finally:
            outcome.seconds = run.monitor.end(notebook.name, outcome.status)
    return ""


def _bring_up_to_date(run: _Run, notebook: Notebook) -> str:
    """Run the notebook if it has to; return its status."""
    name, values = run.summary.run, parameters_in_force(notebook.parameters, run.given)
    if reason := why_not_here(notebook, run.dataset) or _why_skip(notebook, values, run.summary):
        return f"skipped: {reason}"
    photos = photos_stamp(sets_of(notebook, values), values.get("DATA_PATH", ""))
    parts = content_parts(notebook, name, values, photos)
    stale = why_stale(notebook, name, parts)
    if stale is None and not run.force:
        return "up to date"
    execute(notebook, name, values, run.monitor, run.timeout_s)
    write_stamp(notebook, name, parts, run.monitor.seconds())
    return f"ran ({stale or 'forced'})"


def _why_skip(notebook: Notebook, values: dict[str, Any], summary: RunSummary) -> str | None:
    """Return why the notebook can't run here; an input that nobody has written yet is a failure."""
    photos = sets_of(notebook, values)
    for name in notebook.requires:
        if name not in REQUIREMENTS and name not in photos:
            return f"unknown requirement {name!r}; known are {', '.join([*REQUIREMENTS, *sorted(CATALOGUES)])}"
        if name in REQUIREMENTS and (reason := REQUIREMENTS[name]()):
            return reason
    for number, name in enumerate(photos):
        if reason := missing(name, values.get("DATA_PATH", "") if number == 0 else ""):
            return reason
    skipped = [outcome.name for outcome in summary.outcomes if outcome.status.startswith("skipped")]
    for artefact in notebook.reads:
        if not (path := artefact_path(artefact, summary.run)).exists():
            writer = _writer(artefact, notebook.path.parent)
            if writer in skipped:
                return f"{artefact} comes from {writer}, which was skipped"
            raise NotebookFailed(f"needs {path}, which isn't there; run {writer or 'what writes it'} first")
    return None


def _writer(artefact: str, folder: Path) -> str | None:
    for path in choose_notebooks(None, folder):
        with suppress(ValueError):                      # a damaged one elsewhere in the book
            if artefact in read_notebook(path).writes:
                return path.stem
    return None
