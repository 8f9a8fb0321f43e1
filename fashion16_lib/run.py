"""Run the notebooks: papermill behind a strict wrapper, resumed by content, with the time left."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from filelock import FileLock, Timeout
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from . import stamps
from .settings import Fashion16Error, build_folder, data_folder, get_profile, home, out_folder, results_folder
from .stamps import Notebook, executed_path

# What a notebook may require: a function that returns None, or why it can't be had here.
REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "vgg16-weights": lambda: None,              # the data layer fetches them
}
EXIT_GOOD, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


# ---------------------------------------------------------------- what a run leaves

@dataclass
class Outcome:
    """Hold how one notebook fared: its status in words, and the seconds it took."""

    name: str
    status: str = "not run"
    seconds: float | None = None


@dataclass
class RunSummary:
    """Hold how a run went; printed, it is the table at the end."""

    profile: str
    outcomes: list[Outcome]
    exit_code: int = EXIT_GOOD
    seconds: float = 0.0

    def __str__(self) -> str:
        width = max(len(outcome.name) for outcome in self.outcomes)
        rows = [(outcome.name, clock(outcome.seconds), outcome.status) for outcome in self.outcomes]
        head = ("notebook", "time", "status")
        lines = [f"{name:{width}}  {took:>8}  {status}" for name, took, status in [head, *rows]]
        executed, results = build_folder(self.profile) / "notebooks", results_folder(self.profile)
        return "\n".join([*lines, f"total {clock(self.seconds)}; executed notebooks: {executed}; results: {results}"])


class NotebookFailed(Exception):
    """Say which cell failed, with its source and the end of its traceback."""

    def __init__(
        self, reason: str, cell: int | None = None, source: str = "", traceback: list[str] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.cell, self.source, self.traceback = reason, cell, source, traceback or []

    def report(self, name: str) -> str:
        """Return the failure in full, for people."""
        where = "" if self.cell is None else f", cell {self.cell}"
        shown = [f"    {line}" for line in self.source.splitlines()]
        return "\n".join([f"FAILED {name}{where}: {self.reason}", *shown, *self.traceback[-12:]])


def clock(seconds: float | None) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


# ---------------------------------------------------------------- the run

def run_notebooks(
    names: list[str] | None, profile: str, parameters: dict[str, Any] | None = None, *,
    notebooks_folder: Path | None = None, force: bool = False, timeout_s: int = 3600,
) -> int:
    """Run the notebooks that aren't up to date and print a summary; return 0, 1 (failed) or 130 (interrupted).

    Parameters
    ----------
    names : "03", "03-hash-with-vgg16" or "03-hash-with-vgg16.ipynb"; None runs the whole book
    parameters : go to each notebook that has them
    force : run also what is up to date
    timeout_s : seconds a cell may take

    Raises
    ------
    ValueError : before anything runs, for an unknown name or parameter, an illegal value, a damaged notebook
    """
    return run_book(
        names, profile, parameters, notebooks_folder=notebooks_folder, force=force, timeout_s=timeout_s
    ).exit_code


def run_book(
    names: list[str] | None, profile: str, parameters: dict[str, Any] | None = None, *,
    notebooks_folder: Path | None = None, force: bool = False, timeout_s: int = 3600,
) -> RunSummary:
    """Do what run_notebooks does; return the summary."""
    get_profile(profile)
    paths = stamps.choose_notebooks(names, notebooks_folder or home() / "notebooks")
    notebooks = [stamps.read_notebook(path) for path in paths]
    stamps.check_given(notebooks, profile, parameters or {})
    _make_folders(profile)
    summary = RunSummary(profile, [Outcome(notebook.name) for notebook in notebooks])
    run = _Run(profile, parameters or {}, force, timeout_s, Monitor(notebooks, profile))
    start = time.monotonic()
    with _only_run(profile), run.monitor:
        summary.exit_code, message = _run_all(run, notebooks, summary)
    summary.seconds = time.monotonic() - start
    print("\n".join(filter(None, [message, str(summary)])), flush=True)
    return summary


@dataclass(frozen=True)
class _Run:
    profile: str
    parameters: dict[str, Any]
    force: bool
    timeout_s: int
    monitor: Monitor


def _run_all(run: _Run, notebooks: list[Notebook], summary: RunSummary) -> tuple[int, str]:
    """Bring one notebook after the other up to date; stop at the first failure."""
    for notebook, outcome in zip(notebooks, summary.outcomes, strict=True):
        start = time.monotonic()
        try:
            outcome.status = _bring_up_to_date(run, notebook, summary)
        except NotebookFailed as failure:
            outcome.status = f"FAILED: {failure.reason}"
            return EXIT_FAILED, failure.report(notebook.name) + _what_is_kept(notebook.name, run.profile)
        except KeyboardInterrupt:
            outcome.status = "interrupted"
            return EXIT_INTERRUPTED, "Interrupted; what is finished is kept, and the same command resumes."
        finally:
            if outcome.status.startswith(("ran", "FAILED", "interrupted")):
                outcome.seconds = time.monotonic() - start
            run.monitor.end(notebook.name, outcome)
    return EXIT_GOOD, ""


def _bring_up_to_date(run: _Run, notebook: Notebook, summary: RunSummary) -> str:
    """Run the notebook if it has to; return its status."""
    if reason := _why_skip(notebook, summary, run.profile):
        return f"skipped: {reason}"
    values = stamps.parameters_in_force(notebook, run.profile, run.parameters)
    parts = stamps.content_parts(notebook, run.profile, values)
    stale = stamps.why_stale(notebook, run.profile, parts)
    if stale is None and not run.force:
        return "up to date"
    _refuse_missing_inputs(notebook, run.profile)
    start = time.monotonic()
    _execute(run, notebook, values)
    stamps.write_stamp(notebook, run.profile, parts, time.monotonic() - start)
    return f"ran ({stale or 'forced'})"


def _why_skip(notebook: Notebook, summary: RunSummary, profile: str) -> str | None:
    for name in notebook.requires:
        if name not in REQUIREMENTS:
            return f"unknown requirement {name!r}; known are {', '.join(REQUIREMENTS)}"
        if reason := REQUIREMENTS[name]():
            return reason
    skipped = {outcome.name for outcome in summary.outcomes if outcome.status.startswith("skipped")}
    for artefact in _missing_inputs(notebook, profile):
        if (writer := _writer(artefact, notebook.path.parent)) in skipped:
            return f"{artefact} comes from {writer}, which was skipped"
    return None


def _missing_inputs(notebook: Notebook, profile: str) -> list[str]:
    return [artefact for artefact in notebook.reads if not stamps.artefact_path(artefact, profile).exists()]


def _refuse_missing_inputs(notebook: Notebook, profile: str) -> None:
    for artefact in _missing_inputs(notebook, profile):
        writer = _writer(artefact, notebook.path.parent)
        advice = f"run {writer} first" if writer else "no notebook says that it writes it"
        raise NotebookFailed(f"needs {stamps.artefact_path(artefact, profile)}, which isn't there; {advice}")


def _writer(artefact: str, folder: Path) -> str | None:
    """Return the name of the notebook that writes an artefact."""
    for path in stamps.choose_notebooks(None, folder):
        with suppress(ValueError):
            if artefact in stamps.read_notebook(path).writes:
                return path.stem
    return None


def _make_folders(profile: str) -> None:
    build = build_folder(profile)
    for folder in (build / "notebooks", build / "stamps", build / "logs", results_folder(profile)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Fashion16Error(
                f"{folder} must be a folder that can be written, got {error.strerror}; set FASHION16_OUT elsewhere"
            ) from error


@contextmanager
def _only_run(profile: str) -> Iterator[None]:
    """Refuse a second run in the same build folder."""
    lock = FileLock(build_folder(profile) / ".run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Fashion16Error(f"{build_folder(profile)} must have one run at a time, got a second; wait") from None
    try:
        yield
    finally:
        lock.release()


# ---------------------------------------------------------------- one notebook, in this interpreter's kernel

class _OwnKernel(AsyncKernelManager):
    """Start this very interpreter, whatever kernels are installed under the notebook's kernel name."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir="", **get_kernel_dict())


class _StrictEngine(NBClientEngine):
    """Let papermill run cells in our kernel, with our folder and environment, and report each cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, monitor, folder, log, timeout_s, **unused):
        kernel = _OwnKernel()
        client = PapermillNotebookClient(
            nb_man, km=kernel, timeout=timeout_s, startup_timeout=120, iopub_timeout=60, force_raise_errors=True,
            log=logging.getLogger("papermill"), skip_cells_with_tag="", on_cell_start=monitor.cell,
            on_cell_executed=monitor.cell_done,
        )
        try:
            with log.open("w", encoding="utf-8") as own_words:      # what ipykernel and C libraries say, not the cells
                client.execute(
                    cwd=str(folder), env=_kernel_environment(monitor.state_file), stdout=own_words, stderr=own_words,
                    cleanup_kc=True,
                )
        finally:
            _end_kernel(kernel)


papermill_engines.register("fashion16", _StrictEngine)


def _end_kernel(kernel: _OwnKernel) -> None:
    """Kill the kernel's process if an interrupted clean-up has left it alive."""
    process = getattr(kernel.provisioner, "process", None)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


def _kernel_environment(state_file: Path) -> dict[str, str]:
    """Return the kernel's environment: nothing that would change a result or hide a picture comes from the shell."""
    dropped = ("FASHION16_PROFILE", "MPLBACKEND", "PYTHONSTARTUP")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    own_code = [str(home()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment | {
        "PYTHONPATH": os.pathsep.join(own_code),
        "FASHION16_PROGRESS": str(state_file),
        "FASHION16_OUT": str(out_folder().resolve()),       # absolute: the kernel works in the notebooks folder
        "FASHION16_DATA": str(data_folder().resolve()),
        "IPYTHONDIR": str(state_file.parent / ".ipython"),  # no start-up files of the user
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _execute(run: _Run, notebook: Notebook, values: dict[str, Any]) -> None:
    """Run a notebook into a partial file; promote it when whole, else leave it as .failed.ipynb."""
    good = executed_path(notebook.name, run.profile)
    partial, failed = good.with_name(f".{notebook.name}.partial.ipynb"), good.with_name(f"{notebook.name}.failed.ipynb")
    try:
        _papermill(run, notebook, values, partial)
        _refuse_unwhole(run, notebook, partial)
    except NotebookFailed:
        if partial.is_file():
            partial.replace(failed)
        raise
    except BaseException:                               # Ctrl-C above all: nothing half-done stays
        partial.unlink(missing_ok=True)
        raise
    partial.replace(good)
    failed.unlink(missing_ok=True)


def _papermill(run: _Run, notebook: Notebook, values: dict[str, Any], partial: Path) -> None:
    """Execute with papermill; every way to fail becomes a NotebookFailed that knows the cell."""
    run.monitor.begin(notebook.name, len(stamps.load_node(notebook.path).cells))
    logging.getLogger("papermill").setLevel(logging.CRITICAL)       # its guesses about parameters; we checked them
    asked = {name: value for name, value in values.items() if name in {"PROFILE", *run.parameters}}
    log = build_folder(run.profile).resolve() / "logs" / f"{notebook.name}.log"
    source, target = (str(path.resolve()).replace("{", "{{").replace("}", "}}") for path in (notebook.path, partial))
    try:
        papermill.execute_notebook(
            source, target, asked, engine_name="fashion16", kernel_name="python3", language="python",
            progress_bar=False, folder=notebook.path.parent.resolve(), log=log, monitor=run.monitor,
            timeout_s=run.timeout_s,
        )
    except PapermillExecutionError as error:
        raise run.monitor.failure(f"{error.ename}: {error.evalue}", error.traceback) from error
    except CellTimeoutError as error:
        what = "its output never arrived" if "IOPub" in str(error) else f"took longer than {run.timeout_s} s"
        raise run.monitor.failure(what) from error
    except DeadKernelError as error:
        last_words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
        raise run.monitor.failure("the kernel died; often the machine was out of memory", last_words) from error
    except (RuntimeError, OSError) as error:
        raise run.monitor.failure(str(error)) from error


def _refuse_unwhole(run: _Run, notebook: Notebook, partial: Path) -> None:
    """Refuse what papermill lets pass: an exit, a cell that never ran, a declared artefact that isn't there."""
    for cell in stamps.load_node(partial).cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                reason = f"{output.ename}: {output.evalue} ended the notebook early; a notebook ends with its last cell"
                raise run.monitor.failure(reason, output.traceback)
        if cell.execution_count is None:
            raise NotebookFailed("a cell never ran", source=cell.source)
    for artefact in notebook.writes:
        if not (path := stamps.artefact_path(artefact, run.profile)).exists():
            raise NotebookFailed(f"declares that it writes {path}, but didn't; write it or change metadata fashion16")


def _what_is_kept(name: str, profile: str) -> str:
    good = executed_path(name, profile)
    failed = good.with_name(f"{name}.failed.ipynb")
    lines = [f"as far as it came: {failed}"] if failed.is_file() else []
    return "".join(f"\n{line}" for line in [*lines, *([f"kept from before: {good}"] if good.is_file() else [])])


# ---------------------------------------------------------------- how far we are

class Monitor:
    """Show how far the run is: one line on a terminal, else a line for each start and end."""

    def __init__(self, notebooks: list[Notebook], profile: str) -> None:
        self.state_file = (build_folder(profile) / ".progress.json").resolve()
        self.expected = {
            notebook.name: stamps.read_stamp(notebook.name, profile).get("seconds") or notebook.seconds
            for notebook in notebooks
        }
        self.taken: dict[str, float | None] = {}
        self.name, self.n_cells, self.cell_number, self.source = "", 0, 0, ""
        self.run_start = self.notebook_start = time.monotonic()
        size = shutil.get_terminal_size()                   # where a terminal says 0 by 0, tqdm alone shows nothing
        self.bar = None
        if sys.stderr.isatty():
            self.bar = tqdm(bar_format="{desc}", leave=False, ncols=size.columns, nrows=size.lines)
        self.stopped = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Monitor:
        if self.bar is not None:
            self.watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        if self.bar is not None:
            self.watcher.join()
            self.bar.close()
        self.state_file.unlink(missing_ok=True)

    def begin(self, name: str, n_cells: int) -> None:
        """Note that a notebook starts."""
        self.name, self.n_cells, self.cell_number, self.source = name, n_cells, 0, ""
        self.notebook_start = time.monotonic()
        self._log(f"{self._position()} {name} starts; {self._left()}")

    def cell(self, cell: Any, cell_index: int) -> None:
        """Note that a cell starts; papermill's own isn't counted."""
        self.state_file.unlink(missing_ok=True)
        self.cell_number += "injected-parameters" not in cell.metadata.get("tags", [])
        self.source = cell.source

    def cell_done(self, cell: Any, cell_index: int, execute_reply: dict[str, Any]) -> None:
        """Refuse exit() and quit(), which end the kernel without an error."""
        payload = execute_reply["content"].get("payload") or []
        if any(item.get("source") == "ask_exit" for item in payload):
            raise self.failure("exit() or quit() ended the kernel; a notebook ends with its last cell")

    def end(self, name: str, outcome: Outcome) -> None:
        """Note that a notebook is done with."""
        self.name = name
        self._log(f"{self._position()} {name} {outcome.status.split(':')[0]}; {clock(outcome.seconds)}")
        self.taken[name], self.name = outcome.seconds, ""

    def failure(self, reason: str, traceback: list[str] | None = None) -> NotebookFailed:
        """Return the failure of the cell that started last."""
        lines = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback or [])).splitlines()
        return NotebookFailed(reason, self.cell_number or None, self.source, lines)

    def line(self) -> str:
        """Return where the run is, with the state that a long cell reports."""
        where = "checking"
        if self.name:
            where = f"{self._position()} {self.name}, cell {self.cell_number} of {self.n_cells}"
        inside = ""
        with suppress(OSError, ValueError, TypeError, KeyError):
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
            inside = f" | {state['task']} {state['done']}" + (f" of {state['total']}" if state["total"] else "")
        return f"{where} | {clock(time.monotonic() - self.run_start)} so far, {self._left()}{inside}"

    def _position(self) -> str:
        return f"notebook {list(self.expected).index(self.name) + 1} of {len(self.expected)}"

    def _left(self) -> str:
        in_this = time.monotonic() - self.notebook_start if self.name else 0.0
        left = seconds_left(self.expected, self.taken, self.name, in_this)
        return "time left unknown" if left is None else f"about {clock(left)} left"

    def _log(self, line: str) -> None:
        if self.bar is None:
            print(line, flush=True)

    def _watch(self) -> None:
        while self.bar is not None and not self.stopped.wait(1.0):
            self.bar.set_description_str(self.line()[: shutil.get_terminal_size().columns - 1])


def seconds_left(
    expected: dict[str, float | None], taken: dict[str, float | None], current: str = "", in_current: float = 0.0,
) -> float | None:
    """Estimate the seconds a run still takes from earlier runs, scaled by the speed seen; None if nothing is known.

    Parameters
    ----------
    expected : seconds each notebook took before, None where unknown
    taken : seconds of those that are done with, None where they didn't run
    current, in_current : the notebook at work, and the seconds since it started
    """
    known = [seconds for seconds in expected.values() if seconds]
    if not known:
        return None
    typical = sum(known) / len(known)
    seen = [(took, before) for name, took in taken.items() if took and (before := expected[name])]
    speed = sum(took for took, _ in seen) / sum(before for _, before in seen) if seen else 1.0
    left = {name: (seconds or typical) * speed for name, seconds in expected.items() if name not in taken}
    return sum(max(seconds - in_current, 0) if name == current else seconds for name, seconds in left.items())


# ---------------------------------------------------------------- from the build folder to the book

def publish(profile: str, *, notebooks_folder: Path | None = None) -> list[Path]:
    """Put a run's executed notebooks into the book, cleaned of everything that belongs to this machine.

    Raises
    ------
    ValueError : before anything is written, for a notebook whose run isn't up to date or printed to stderr
    """
    get_profile(profile)
    book = stamps.choose_notebooks(None, notebooks_folder or home() / "notebooks")
    executed = [path for path in book if executed_path(path.stem, profile).is_file()]
    if not executed:
        raise ValueError(f"{build_folder(profile) / 'notebooks'} must hold executed notebooks, got none; run them")
    texts = {path: _published_text(path, profile) for path in executed}
    for path, text in texts.items():
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return list(texts)


def _published_text(path: Path, profile: str) -> str:
    """Return the notebook as it stands with the outputs of its run."""
    notebook = stamps.read_notebook(path)
    parts = stamps.content_parts(notebook, profile, stamps.parameters_in_force(notebook, profile, {}))
    if stale := stamps.why_stale(notebook, profile, parts):
        raise ValueError(f"{path.name} must be up to date at {profile}, got {stale}; run it, then publish")
    node, ran = stamps.load_node(path), stamps.load_node(executed_path(path.stem, profile))
    injected = stamps.tagged(ran, "injected-parameters")
    _take_outputs(
        [cell for cell in node.cells if cell.cell_type == "code"],
        [cell for cell in ran.cells if cell.cell_type == "code" and cell not in injected], path.name,
    )
    for cell in node.cells:
        kept = {key: value for key, value in cell.metadata.items() if key not in ("papermill", "execution") and value}
        cell.metadata = kept
    node.metadata = _published_metadata(node.metadata, stamps.read_stamp(path.stem, profile)["seconds"])
    return nbformat.writes(nbformat.from_dict(node)).rstrip("\n") + "\n"      # sorted keys, indented by 1


def _published_metadata(metadata: dict[str, Any], seconds: float) -> dict[str, Any]:
    declared = {"fashion16": metadata["fashion16"]} if "fashion16" in metadata else {}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {**declared, "kernelspec": kernel, "language_info": {"name": "python"}, "papermill": {"duration": seconds}}


def _take_outputs(cells: list[Any], executed: list[Any], name: str) -> None:
    """Copy the cleaned outputs into the cells and count those 1..N."""
    count = 0
    for cell, ran in zip(cells, executed, strict=True):
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = [_cleaned(output, count, name) for output in ran.outputs]


def _cleaned(output: Any, count: int, name: str) -> Any:
    if output.output_type == "error" or output.get("name") == "stderr":
        text = output.get("text") or output.get("evalue")
        raise ValueError(f"{name}, In [{count}] must print nothing to stderr, got {text!r}; mend it and run again")
    if "execution_count" in output:
        output.execution_count = count
    if "text" in output:
        output.text = without_machine_paths(output.text)
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output.data[kind] = without_machine_paths(content)
    return output


def without_machine_paths(text: str) -> str:
    """Return the text with the project's paths made relative, the user's folder as ~ and the temporary one as $TMP."""
    places = {str(Path.home()): "~", tempfile.gettempdir(): "$TMP", str(out_folder().resolve()): "", str(home()): ""}
    for folder in sorted(places, key=len, reverse=True):
        if len(folder) > 1:
            start = rf"(?<![\w.~-]){re.escape(folder)}"
            text = re.sub(rf"{start}/", f"{places[folder]}/".lstrip("/"), text)
            text = re.sub(rf"{start}(?![\w-])", places[folder] or ".", text)
    return text
