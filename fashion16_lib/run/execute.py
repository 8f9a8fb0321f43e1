"""Execute one notebook: papermill behind a wrapper that lets no failure pass."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from ..settings import build_folder, data_folder, home, out_folder
from .monitor import Monitor
from .notebook import Notebook, load_node
from .stamps import artefact_path, executed_path

KERNEL_NEVER_STARTED = "Kernel died before replying to kernel_info"    # jupyter_client's words


class NotebookFailed(Exception):
    """Say why a notebook failed, and at which cell if one was at work."""

    def __init__(self, reason: str, at: Monitor | None = None, traceback: list[str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cell, self.source = (at.cell_number, at.source) if at else (0, "")
        self.traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback or [])).splitlines()

    def report(self, name: str, run: str) -> str:
        """Return the failure in full, for people, with the files there are."""
        good = executed_path(name, run)
        files = {"as far as it came": failed_path(good), "kept from before": good}
        return "\n".join([
            f"FAILED {name}{f', cell {self.cell}' if self.cell else ''}: {self.reason}",
            *(f"    {line}" for line in self.source.splitlines()), *self.traceback[-12:],
            *(f"{what}: {path}" for what, path in files.items() if path.is_file()),
        ])


def failed_path(good: Path) -> Path:
    """Return where a notebook that failed lies, beside its good copy."""
    return good.with_name(f"{good.stem}.failed.ipynb")


def execute(notebook: Notebook, run: str, values: dict[str, Any], monitor: Monitor, timeout_s: int) -> None:
    """Run a notebook into a partial file; promote it when whole, else raise NotebookFailed and leave .failed.ipynb."""
    good = executed_path(notebook.name, run)
    partial = good.with_name(f".{notebook.name}.partial.ipynb")
    monitor.begin(notebook.name, notebook.n_cells)
    try:
        _papermill(notebook, run, values, partial, monitor, timeout_s)
        _refuse_unwhole(notebook, run, partial, monitor)
        partial.replace(good)
        failed_path(good).unlink(missing_ok=True)
    except NotebookFailed:
        if partial.is_file():
            partial.replace(failed_path(good))
        raise
    finally:
        partial.unlink(missing_ok=True)                             # Ctrl-C leaves nothing half-done


def _papermill(
    notebook: Notebook, run: str, values: dict[str, Any], partial: Path, monitor: Monitor, timeout_s: int
) -> None:
    logging.getLogger("papermill").setLevel(logging.CRITICAL)       # its guesses about parameters; we checked them
    log = build_folder(run).resolve() / "logs" / f"{notebook.name}.log"
    source, target = (str(path.resolve()).replace("{", "{{").replace("}", "}}") for path in (notebook.path, partial))
    try:
        papermill.execute_notebook(
            source, target, values, engine_name="fashion16", kernel_name="python3", language="python",
            progress_bar=False, folder=notebook.path.parent.resolve(), log=log, monitor=monitor, timeout_s=timeout_s,
        )
    except PapermillExecutionError as error:
        raise NotebookFailed(f"{error.ename}: {error.evalue}", monitor, error.traceback) from error
    except CellTimeoutError as error:
        raise NotebookFailed(f"took longer than {timeout_s} s", monitor) from error
    except DeadKernelError as error:
        last_words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
        raise NotebookFailed("the kernel died; often the machine was out of memory", monitor, last_words) from error
    except (RuntimeError, OSError) as error:                        # a kernel that doesn't start, a full disk
        raise NotebookFailed(str(error), monitor) from error


def _refuse_unwhole(notebook: Notebook, run: str, partial: Path, monitor: Monitor) -> None:
    """Refuse what papermill lets pass: sys.exit(0), a declared artefact that isn't there."""
    for output in (output for cell in load_node(partial).cells for output in cell.get("outputs", [])):
        if output.output_type == "error":
            reason = f"{output.ename}: {output.evalue} ended the notebook early; a notebook ends with its last cell"
            raise NotebookFailed(reason, monitor, output.traceback)
    for path in (artefact_path(artefact, run) for artefact in notebook.writes):
        if not path.exists():
            raise NotebookFailed(f"declares that it writes {path}, but didn't; write it or change metadata fashion16")


# ---------------------------------------------------------------- in this interpreter's kernel


class _OwnKernel(AsyncKernelManager):
    """Start this very interpreter, whatever kernels are installed under the notebook's kernel name."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir="", **get_kernel_dict())


class _StrictEngine(NBClientEngine):
    """Let papermill run cells in our kernel, with our folder and environment, and report each cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, monitor, folder, log, timeout_s, **unused):
        def refuse_exit(cell, cell_index, execute_reply):           # exit() and quit() end the kernel without an error
            if any(item["source"] == "ask_exit" for item in execute_reply["content"].get("payload", [])):
                raise NotebookFailed("exit() or quit() ended the kernel; a notebook ends with its last cell", monitor)

        options = {"cwd": str(folder), "env": _kernel_environment(monitor.state_file), "cleanup_kc": True}
        for tries_left in (2, 1, 0):
            client = PapermillNotebookClient(
                nb_man, km=_OwnKernel(), timeout=timeout_s, startup_timeout=120, iopub_timeout=timeout_s,
                force_raise_errors=True, skip_cells_with_tag="", on_cell_start=monitor.cell,
                on_cell_executed=refuse_exit, log=logging.getLogger("papermill"),
            )
            try:
                with log.open("w", encoding="utf-8") as own_words:  # what ipykernel and C libraries say, not the cells
                    return client.execute(**options, stdout=own_words, stderr=own_words)
            except RuntimeError as error:
                # Ports are picked before the kernel takes them; another program may have been faster.
                if KERNEL_NEVER_STARTED not in str(error) or not tries_left:
                    raise


papermill_engines.register("fashion16", _StrictEngine)


def _kernel_environment(state_file: Path) -> dict[str, str]:
    """Return the kernel's environment: nothing that would change a result or hide a picture comes from the shell."""
    dropped = ("FASHION16_PROFILE", "MPLBACKEND", "PYTHONSTARTUP")
    return {name: value for name, value in os.environ.items() if name not in dropped} | {
        "PYTHONPATH": os.pathsep.join([str(home()), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "FASHION16_PROGRESS": str(state_file),
        "FASHION16_OUT": str(out_folder().resolve()),               # absolute: the kernel works in notebooks/
        "FASHION16_DATA": str(data_folder().resolve()),
        "IPYTHONDIR": str(state_file.parent / ".ipython"),          # no start-up files of the user
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
