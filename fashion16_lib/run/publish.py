"""Put a run's executed notebooks into the book, cleaned of everything that belongs to this machine."""

from __future__ import annotations

import re
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import nbformat

from ..files import replace_file
from ..report.small import small_png
from ..settings import FASHION_MNIST, build_folder, get_profile, home, out_folder, parts_of_run, run_name
from .notebook import choose_notebooks, load_node, read_notebook, tagged
from .stamps import content_parts, executed_path, read_stamp, why_stale

GREETING = re.compile(r"WARNING: All log messages before absl::InitializeLog\(\)|I0000 .*oneDNN custom operations are")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def publish(profile: str, *, notebooks_folder: Path | None = None) -> list[Path]:
    """Put the outputs of a profile's runs into the notebooks, each on its own data set; return those that were run.

    A notebook whose run isn't up to date or printed to stderr is a ValueError before anything is written.
    """
    get_profile(profile)
    book = choose_notebooks(None, notebooks_folder or home() / "notebooks")
    runs = {path: run_name(profile, read_notebook(path).parameters.get("DATASET", FASHION_MNIST)) for path in book}
    texts = {path: _published(path, run) for path, run in runs.items() if executed_path(path.stem, run).is_file()}
    if not texts:
        raise ValueError(f"{build_folder(profile) / 'notebooks'} must hold executed notebooks, got none; run them")
    for path, text in texts.items():
        replace_file(path, text.encode())
    return list(texts)


def _published(path: Path, run: str) -> str:
    """Return the notebook as it stands with the outputs of its run."""
    notebook, stamp = read_notebook(path), read_stamp(path.stem, run)
    photos = stamp.get("parts", {}).get("photos", "")           # the archive need not be there any more
    parts = content_parts(notebook, run, {**notebook.parameters, "PROFILE": parts_of_run(run)[0]}, photos)
    if stale := why_stale(notebook, run, parts):
        raise ValueError(f"{path.name} must be up to date at {run}, got {stale}; run it, then publish")
    node, ran = load_node(path), load_node(executed_path(path.stem, run))
    injected = tagged(ran, "injected-parameters")
    _take_outputs(
        [cell for cell in node.cells if cell.cell_type == "code"],
        [cell for cell in ran.cells if cell.cell_type == "code" and cell not in injected], path.name
    )
    for cell in node.cells:
        cell.metadata = {key: cell.metadata[key] for key in cell.metadata.keys() - {"papermill", "execution"}}
    declared = {key: value for key, value in node.metadata.items() if key == "fashion16"}
    longest = max(notebook.seconds or 0, stamp["seconds"])   # a newcomer's run has no caches
    told = {"papermill": {"duration": longest}}
    node.metadata = {**declared, "kernelspec": KERNEL, "language_info": {"name": "python"}, **told}
    return nbformat.writes(nbformat.from_dict(node)).rstrip("\n") + "\n"      # sorted keys, indented by 1


def _take_outputs(cells: list[Any], executed: list[Any], name: str) -> None:
    """Give the code cells their cleaned outputs and counts 1..N."""
    count = 0
    for cell, ran in zip(cells, executed, strict=True):
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = [_cleaned(output, count, name) for output in ran.outputs if not _greets(output)]


def _greets(output: Any) -> bool:
    """Tell the lines that TensorFlow writes when it starts: on some processors no setting stops them."""
    return output.get("name") == "stderr" and all(GREETING.match(line) for line in output.text.splitlines())


def _cleaned(output: Any, count: int, name: str) -> Any:
    if output.get("name") == "stderr":
        raise ValueError(f"{name}, In [{count}] must print nothing to stderr, got {output.text!r}; mend it, run again")
    if "execution_count" in output:
        output.execution_count = count
    if "text" in output:
        output.text = without_machine_paths(output.text)
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/") or kind == "image/svg+xml":
            output.data[kind] = without_machine_paths(content)
        if kind == "image/png":
            output.data[kind] = b64encode(small_png(b64decode(content))).decode()
    return output


def without_machine_paths(text: str) -> str:
    """Return the text with the project's paths made relative, the user's folder as ~ and the temporary one as $TMP."""
    places = {str(Path.home()): "~", tempfile.gettempdir(): "$TMP", str(out_folder().resolve()): "", str(home()): ""}
    for folder in sorted(places, key=len, reverse=True):
        start = rf"(?<![\w.~-]){re.escape(folder)}"
        text = re.sub(rf"{start}/", f"{places[folder]}/".lstrip("/"), text)
        text = re.sub(rf"{start}(?![\w-])", places[folder] or ".", text)
    return text
