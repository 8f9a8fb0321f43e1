"""What a reader installs and gets: one list of packages, a clean tree, a Makefile that says what it does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [line for name, lines in EXTRAS.items() if name != "build" for line in lines]
DIRECT = [Requirement(line) for line in (*PROJECT["dependencies"], *WANTED)]
BUILD = [Requirement(line) for line in EXTRAS["build"]]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
LOCKED = [line for line in LOCK if line.strip() and not line.startswith("#")]


def as_sets(requirements):
    return {(canonicalize_name(each.name), str(each.specifier), str(each.marker or "")) for each in requirements}


# ---------------------------------------------------------------- packages


def test_environment_yml_holds_the_direct_dependencies_and_no_others():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert as_sets(map(Requirement, pip)) == as_sets(DIRECT)
    assert len(pip) == len(DIRECT)
    (python,) = (entry for entry in conda if entry.startswith("python"))
    assert Requirement(python).specifier == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert set(environment["channels"]) == {"conda-forge"} and environment["name"] == PROJECT["name"]


def test_lock_pins_every_direct_dependency_within_its_limits():
    pinned = {
        canonicalize_name(Requirement(line.split(" --hash")[0]).name): Requirement(line.split(" --hash")[0])
        for line in LOCKED
    }
    for wanted in (*DIRECT, *BUILD):
        assert canonicalize_name(wanted.name) in pinned, wanted
        (version,) = pinned[canonicalize_name(wanted.name)].specifier
        assert version.operator == "==" and wanted.specifier.contains(version.version), wanted


def test_every_entry_of_the_lock_is_hashed():
    assert len(LOCKED) > 100
    bare = [line for line in LOCKED if not re.fullmatch(r"[\w.\[\]-]+==\S+ .*?--hash=sha256:[0-9a-f]{64}\b.*", line)]
    assert bare == []


def test_every_dependency_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    direct = PROJECT["dependencies"]
    silent = [
        need for need in direct if not any(f'"{need}"' in line and "# " in line.split(f'"{need}"')[1] for line in lines)
    ]
    assert silent == []


# ---------------------------------------------------------------- the tree


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Return what git holds or would take."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no git repository here: {done.stderr.strip()}")
    files = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in files if path.is_file()]


def test_no_file_names_a_folder_of_this_machine(tracked):
    places = [f"/{name}/" for name in ("work", "root", "home/" + "runner")] + [
        "/tmp/" + "scratch",
        str(Path.home()) + "/",
    ]
    if len(ROOT.parts) > 2:
        places.append(f"{ROOT}/")
    found = [
        (str(path.relative_to(ROOT)), place)
        for path in tracked
        if path != Path(__file__)
        for place in places
        if re.search(rb"(?<![\w.~-])" + re.escape(place).encode(), path.read_bytes())
    ]
    assert found == []


DATA_TYPES = (
    ".h5",
    ".hdf5",
    ".keras",
    ".npy",
    ".npz",
    ".pkl",
    ".pickle",
    ".pt",
    ".pth",
    ".onnx",
    ".gz",
    ".zip",
    ".tar",
    ".whl",
    ".safetensors",
    ".parquet",
    ".joblib",
    "-ubyte",
    ".ckpt",
    ".pb",
    ".tflite",
    ".deb",
)


def test_no_data_and_no_weights_are_tracked(tracked):
    assert [str(path.relative_to(ROOT)) for path in tracked if path.name.endswith(DATA_TYPES)] == []
    assert [path.name for path in tracked if path.parent == ROOT / "data" and path.name != "README.md"] == []
    assert not any(
        {".venv", "build", "__pycache__", ".ipynb_checkpoints"} & set(path.relative_to(ROOT).parts) for path in tracked
    )


def test_tracked_tree_stays_small(tracked):
    assert sum(path.stat().st_size for path in tracked) < 30 * 2**20


# ---------------------------------------------------------------- make


def make(*arguments, **options):
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, **options)


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")


def targets():
    return re.findall(r"^([a-z][\w-]*):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@needs_make
def test_make_alone_prints_the_targets_and_does_nothing():
    before = {path.name for path in ROOT.iterdir()}
    done = make()
    assert done.returncode == 0 and done.stderr == "" and {path.name for path in ROOT.iterdir()} == before
    assert {"setup", "data", "paper", "test", "verify", "clean"} <= set(targets())
    assert all(re.search(rf"^\s+make {name}\s+\S", done.stdout, re.MULTILINE) for name in targets())
    assert "PROFILE=smoke|quick|full" in done.stdout and done.stdout == make("help").stdout


@needs_make
def test_clean_never_names_data_or_results():
    done = make("--dry-run", "clean")
    assert done.returncode == 0 and "build" in done.stdout
    assert "results" not in done.stdout and "data" not in done.stdout


@needs_make
@pytest.mark.parametrize("target", ["paper", "verify"])
def test_the_profile_reaches_the_runner(target):
    done = make("--dry-run", target, "PROFILE=smoke")
    assert done.returncode == 0 and "run --profile smoke" in done.stdout and "quick" not in done.stdout


@needs_make
def test_the_data_set_and_its_path_reach_the_runner():
    done = make("--dry-run", "paper", "DATASET=product-photos", "DATA_PATH=my photos.zip")
    assert done.returncode == 0
    assert 'run --profile quick --dataset product-photos --data-path "my photos.zip"' in done.stdout


def test_ci_runs_what_everybody_runs():
    script = ROOT / ".ci/run"
    commands = [line.split("#")[0].strip() for line in script.read_text(encoding="utf-8").splitlines()]
    assert "make test" in commands and os.access(script, os.X_OK)
    assert "set -euo pipefail" in commands


# ---------------------------------------------------------------- the check before set-up


def interpreters():
    """Return other Pythons on this machine by version: from the PATH, and those pyenv keeps."""
    named = [shutil.which(f"python{version}") for version in ("2.7", *(f"3.{minor}" for minor in range(6, 16)))]
    kept = (Path.home() / ".pyenv/versions").glob("*/bin/python")
    found = {}
    for path in filter(None, [*kept, *named]):
        done = subprocess.run(
            [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if done.returncode == 0:
            found.setdefault(tuple(map(int, done.stdout.strip().split("."))), path)
    return found


SUPPORTED = [(3, 11), (3, 12), (3, 13)]


def preflight(python):
    return subprocess.run(
        [str(python), str(ROOT / "fashion16_lib/preflight.py")], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_preflight_names_the_versions_it_wants_under_any_other_python():
    others = {version: path for version, path in interpreters().items() if version not in SUPPORTED}
    if not others:
        pytest.skip("this machine has no Python outside 3.11 to 3.13 to try")
    for version, python in others.items():
        done = preflight(python)
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 1 and len(lines) == 1, (version, done.stderr)
        assert all(f"{major}.{minor}" in lines[0] for major, minor in (*SUPPORTED, version)), lines


def test_preflight_is_content_with_this_python():
    if shutil.disk_usage(ROOT).free < 6 * 2**30:
        pytest.skip("too little room on this disk for set-up; preflight would rightly say so")
    done = preflight(sys.executable)
    assert (done.returncode, done.stderr) == (0, "")


def test_preflight_and_pyproject_agree_on_the_versions():
    wanted = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert [minor for minor in range(6, 20) if wanted.contains(f"3.{minor}.1")] == [minor for _, minor in SUPPORTED]
