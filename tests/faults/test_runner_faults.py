"""Faults 31-38 and 40-42: what a careless reader, a full machine or Ctrl-C does to a run of notebooks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.connect import LocalPortCache

from fashion16_lib.run import RunSummary, run_book, run_notebooks
from fashion16_lib.settings import home

PARAMETERS = 'PROFILE = "smoke"    # smoke, quick, full\nN_BITS = 64         # 8, 16, ...'
CHILD = """
import json, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)     # even where the shell started us in the background
from fashion16_lib.run import run_notebooks
sys.exit(run_notebooks(None, "smoke", notebooks_folder=Path(sys.argv[1])))
"""


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """Return an empty notebooks folder; build/ and results/ go beside it."""
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("FASHION16_PROFILE", "full")          # must not reach the kernels
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder


def write(folder: Path, name: str, *cells: str, parameters: str | None = PARAMETERS, **declared: list[str]) -> Path:
    """Write a notebook of code cells behind its parameters cell."""
    node = nbformat.v4.new_notebook(metadata={"fashion16": declared} if declared else {})
    if parameters is not None:
        node.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    node.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(node, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def executed(folder: Path, name: str = "01-a") -> Path:
    """Return where the good executed copy belongs."""
    return folder.parent / "out" / "build" / "smoke" / "notebooks" / f"{name}.ipynb"


def run(folder: Path, **options) -> RunSummary:
    """Run the folder's notebooks at smoke."""
    return run_book(None, "smoke", notebooks_folder=folder, **options)


def output_of(path: Path) -> str:
    """Return the text of the last cell's output."""
    return nbformat.read(path, 4).cells[-1].outputs[0].text.strip()


def assert_failed(folder: Path, summary: RunSummary, *words: str) -> None:
    """Check that the notebook counts as failed, isn't promoted and lies beside for inspection."""
    assert summary.exit_code == 1
    assert summary.outcomes[0].status.startswith("FAILED")
    assert all(word in summary.outcomes[0].status for word in words), summary.outcomes[0].status
    assert not executed(folder).exists()
    assert executed(folder).with_name("01-a.failed.ipynb").is_file()
    assert not list(executed(folder).parent.glob(".*"))


def test_f31_unknown_or_misspelt_parameter(book):
    write(book, "01-a")
    with pytest.raises(ValueError, match=r"unknown parameter N_BIT; 01-a can take N_BITS, PROFILE; did you mean"):
        run(book, parameters={"N_BIT": 64})
    write(book, "02-b", parameters="SEED = 0")
    with pytest.raises(ValueError, match=r"unknown parameter DROPOUT; the chosen .* can take N_BITS, PROFILE, SEED"):
        run(book, parameters={"DROPOUT": True})
    with pytest.raises(ValueError, match="PROFILE must be the run's profile 'smoke', got 'quick'"):
        run(book, parameters={"PROFILE": "quick"})


@pytest.mark.parametrize("value", ["64", 64.0, True, 12, 0, None])
def test_f32_parameter_of_wrong_type_or_out_of_range(book, value):
    write(book, "01-a")
    with pytest.raises(ValueError, match="N_BITS must be a whole number from 8 to 4096"):
        run(book, parameters={"N_BITS": value})


@pytest.mark.parametrize("source", ["N_BITS = 12", "N_BIT = 64", "import os", "n_bits = 64", "N_BITS = 8 * 8", "N ="])
def test_f32_illegal_parameters_cell(book, source):
    write(book, "01-a", parameters=source)
    with pytest.raises(ValueError, match=r"N_BITS must be|unknown parameter N_BIT|parameters cell must hold"):
        run(book)


def test_f33_no_parameters_cell_or_two(book):
    write(book, "01-a", "1", parameters=None)
    with pytest.raises(ValueError, match=r'01-a\.ipynb must have exactly one code cell tagged "parameters", got 0'):
        run(book)
    node = nbformat.read(write(book, "01-a", "1"), 4)
    node.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(node, book / "01-a.ipynb")
    with pytest.raises(ValueError, match="got 2"):
        run(book)


@pytest.mark.parametrize("source", ["import sys\nsys.exit(0)", "raise SystemExit", "exit()"])
def test_f34_leaving_early_is_a_failure(book, source):
    write(book, "01-a", source)                              # the last cell: nothing after it could notice
    write(book, "02-b")
    summary = run(book)
    assert_failed(book, summary, "ended")
    assert summary.outcomes[1].status == "not run"


def test_f34_an_allowed_error_is_a_failure_too(book):
    node = nbformat.read(write(book, "01-a", "1 / 0", "2"), 4)
    node.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(node, book / "01-a.ipynb")
    assert_failed(book, run(book), "ZeroDivisionError")


@pytest.mark.parametrize("source", ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(0)"])
def test_f35_dead_kernel_is_a_failure(book, source, capsys):
    write(book, "01-a", "1", source)
    assert_failed(book, run(book), "kernel died")
    assert f"cell 3: the kernel died; often the machine was out of memory\n    {source}" in capsys.readouterr().out


@pytest.mark.parametrize("n_taken", [1, 12])
def test_f35_a_port_taken_by_another_program_is_tried_again(book, n_taken, monkeypatch):
    write(book, "01-a", "print('ran')")
    pick, taken = LocalPortCache.find_available_port, []

    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", 0))
        other_program.listen()

        def picked(cache, ip):
            taken.append(other_program.getsockname()[1] if len(taken) < n_taken else pick(cache, ip))
            return taken[-1]

        monkeypatch.setattr(LocalPortCache, "find_available_port", picked)
        outcome = run(book)
    if n_taken == 1:
        assert outcome.exit_code == 0 and len(taken) == 10         # five ports a kernel
    else:
        assert len(taken) == 15
        assert_failed(book, outcome, "before replying")


def child(folder: Path, project: Path | None = None, **options) -> subprocess.Popen:
    """Start a run in a process of its own."""
    environment = {**os.environ, "FASHION16_OUT": str(folder.parent / "out"), "PYTHONPATH": str(project or home())}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", **options,
    )


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Wait until the notebook has written the file."""
    deadline = time.monotonic() + 40
    while not (path.is_file() and path.stat().st_size):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.1)


def test_f36_interrupted_run_keeps_what_is_done_and_resumes(book):
    write(book, "01-a", "from pathlib import Path\nPath('one.txt').open('a').write('x')")
    waiting = "if not Path('go').exists():\n    Path('kernel').write_text(str(os.getpid()))\n    time.sleep(60)"
    write(book, "02-b", "import os, time\nfrom pathlib import Path", waiting)
    first = child(book)
    wait_for(book / "kernel", first)
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=30)
    assert first.returncode == 130, out + err
    assert "the same command resumes" in out and "interrupted" in out and "Traceback" not in out + err, out + err
    with pytest.raises(ProcessLookupError):
        os.kill(int((book / "kernel").read_text()), 0)
    assert executed(book, "01-a").is_file() and not executed(book, "02-b").exists()
    assert [path.name for path in executed(book).parent.iterdir()] == ["01-a.ipynb"]

    (book / "go").touch()
    summary = run(book)
    assert [outcome.status for outcome in summary.outcomes] == ["up to date", "ran (first run)"]
    assert (book / "one.txt").read_text() == "x"


def test_f37_failed_rerun_keeps_the_good_result(book, capsys):
    write(book, "01-a", "print('good')")
    assert run(book).exit_code == 0
    good = executed(book).read_bytes()
    write(book, "01-a", "print('bad')\nraise ValueError('no such garment')")
    assert run(book).exit_code == 1
    assert executed(book).read_bytes() == good
    failed = executed(book).with_name("01-a.failed.ipynb")
    printed = capsys.readouterr().out
    assert "    raise ValueError('no such garment')" in printed and "----> 2" in printed
    assert f"kept from before: {executed(book)}" in printed and str(failed) in printed
    write(book, "01-a", "print('good')")                     # back as it was: the old stamp still holds
    assert run(book).outcomes[0].status == "up to date"
    write(book, "01-a", "print('better')")
    assert run(book).exit_code == 0
    assert not failed.exists()


def test_f37_declared_result_that_was_not_written_is_a_failure(book):
    write(book, "01-a", "1", writes=["classifier.keras"])
    assert_failed(book, run(book), "classifier.keras, but didn't")


def test_f38_time_out_names_the_cell(book, capsys):
    write(book, "01-a", "1", "import time\ntime.sleep(60)")
    start = time.monotonic()
    assert_failed(book, run(book, timeout_s=1), "took longer than 1 s")
    assert time.monotonic() - start < 20
    assert "01-a, cell 3: took longer than 1 s\n    import time\n    time.sleep(60)" in capsys.readouterr().out


def test_f40_other_working_folder_spaces_and_chinese_characters(tmp_path):
    project, elsewhere = tmp_path / "服装 检索 {1}", tmp_path / "else where"
    (project / "notebooks").mkdir(parents=True)
    elsewhere.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(home() / "fashion16_lib", project / "fashion16_lib", ignore=ignored)
    shutil.copy(home() / "pyproject.toml", project)
    kernels = elsewhere / "jupyter" / "kernels" / "python3"   # a reader's own kernel of the same name must not win
    kernels.mkdir(parents=True)
    other = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(other))
    shown = "print(json.dumps([sys.executable, fashion16_lib.settings.__file__, os.environ.get('FASHION16_PROFILE')]))"
    write(project / "notebooks", "01-a", "import json, os, sys\nimport fashion16_lib.settings", shown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(elsewhere / "jupyter"))
        patch.setenv("FASHION16_PROFILE", "full")
        process = child(project / "notebooks", project, cwd=elsewhere)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    expected = [sys.executable, str(project / "fashion16_lib" / "settings.py"), None]
    assert json.loads(output_of(executed(project / "notebooks"))) == expected


def test_f41_missing_folders_are_made(book, monkeypatch):
    deep = book.parent / "not" / "there"
    monkeypatch.setenv("FASHION16_OUT", str(deep))
    write(book, "01-a", "import os\nfrom pathlib import Path\nout = Path(os.environ['FASHION16_OUT'])",
          "(out / 'results/smoke/numbers.json').write_text('{}')", writes=["results:numbers.json"])
    assert run_notebooks(["01"], "smoke", notebooks_folder=book) == 0
    assert (deep / "results" / "smoke" / "numbers.json").is_file()


def test_f42_truncated_notebook_is_refused_by_name(book):
    write(book, "01-a")
    damaged = write(book, "02-b", "1")
    whole = damaged.read_text()
    for content in (whole[:-40], "", "<html>", "[]", "{}", whole.replace('"cell_type"', '"cel_type"')):
        damaged.write_text(content)
        with pytest.raises(ValueError, match=r"02-b\.ipynb must be a whole notebook"):
            run(book)
    assert not executed(book).exists()
    assert run_notebooks(["01"], "smoke", notebooks_folder=book) == 0       # the others can still run
