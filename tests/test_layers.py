"""The library's shape, read from its source: who may import whom, what is never used, what is always said."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "fashion16_lib"
FILES = sorted(LIBRARY.rglob("*.py"))
BASE = ("settings", "files", "progress")
LAYERS = ("data", "features", "models", "search", "evaluate", "report", "web")  # in the order of the method
LONGEST = 300


def name_of(path: Path) -> str:
    """Return a module's name inside the library: search.hamming, settings, "" for the package itself."""
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def imports(tree: ast.AST, package: list[str]) -> set[str]:
    """Return the full names a tree imports, wherever the import stands; relative ones made absolute."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def parsed(path: Path) -> tuple[ast.Module, list[str]]:
    return ast.parse(path.read_text(encoding="utf-8")), ["fashion16_lib", *path.relative_to(LIBRARY).parent.parts]


def rank(module: str) -> int:
    """Return how far down the method a module stands; the modules at the top see everything."""
    first = module.split(".")[0]
    return 0 if first in BASE else 1 + LAYERS.index(first) if first in LAYERS else 1 + len(LAYERS)


def own(names: set[str]) -> set[str]:
    return {name.removeprefix("fashion16_lib.") for name in names if name.startswith("fashion16_lib.")}


def faults(path: Path, tree: ast.AST, package: list[str]) -> set[str]:
    here = name_of(path)
    return {name for name in own(imports(tree, package)) if rank(name) > rank(here)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_imports_only_its_own_layer_and_those_above(path):
    assert faults(path, *parsed(path)) == set()


def test_the_rule_sees_imports_of_every_kind():
    """The rule itself, against code that breaks it."""
    path = LIBRARY / "search/x.py"
    for code in (
        "from ..evaluate import metrics",
        "from .. import evaluate",
        "import fashion16_lib.report.charts",
        "def f():\n from fashion16_lib.run import run_notebooks",
        "importlib.import_module('fashion16_lib.web.app')",
    ):
        assert faults(path, ast.parse(code), ["fashion16_lib", "search"]), code
    for code in ("from ..models import vgg16", "from . import hamming", "from fashion16_lib.settings import N_HITS"):
        assert not faults(path, ast.parse(code), ["fashion16_lib", "search"]), code
    assert {name_of(path).split(".")[0] for path in FILES} >= {*BASE, *LAYERS[:5], "run", "__main__"}


def test_settings_import_nothing_of_ours():
    assert own(imports(*parsed(LIBRARY / "settings.py"))) == set()


@pytest.mark.parametrize(
    "path", [LIBRARY / "settings.py", LIBRARY / "preflight.py", *sorted((LIBRARY / "search").glob("*.py"))], ids=name_of
)
def test_search_and_settings_do_without_keras(path):
    assert not {name for name in imports(*parsed(path)) if name.split(".")[0] in ("keras", "tensorflow")}


@pytest.mark.parametrize(
    "module", ["search.retrieval", "search.buckets", "settings", "data.dataset", "evaluate.metrics"]
)
def test_importing_it_loads_no_keras(module):
    code = (
        f"import sys, fashion16_lib.{module}; "
        "print([name for name in ('keras', 'tensorflow', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_backend_and_nothing_that_runs_code_from_a_file(path):
    tree, package = parsed(path)
    names = {name.split(".")[0] for name in imports(tree, package)}
    assert not names & {"tensorflow", "torch", "jax", "pickle", "joblib", "shelve", "marshal", "dill", "cloudpickle"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        assert called not in (
            "eval",
            "exec",
            "yaml.load",
            "yaml.unsafe_load",
            "pd.read_pickle",
            "os.system",
            "tempfile.mktemp",
        )
        if called in ("np.load", "numpy.load"):
            assert ast.unparse(keywords.get("allow_pickle", ast.Constant(True))) == "False"
        if called.endswith("load_model"):
            assert ast.unparse(keywords.get("safe_mode", ast.Constant(False))) == "True"
        assert ast.unparse(keywords.get("shell", ast.Constant(False))) == "False"


def public_things(path: Path):
    """Yield a file's module, public functions, public classes and their public methods; a Protocol's are stubs."""
    tree, _ = parsed(path)
    yield name_of(path) or "fashion16_lib", tree
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef) and "Protocol" not in [ast.unparse(base) for base in node.bases]:
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


INHERITED = {"execute_managed_notebook", "readinto"}  # described where they come from


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_public_says_in_one_sentence_what_it_does(path):
    silent = []
    for name, node in public_things(path):
        first = (ast.get_docstring(node) or "").split("\n\n")[0].split("\n")[0]
        sentence = (
            first.endswith((".", ":", "?")) and 8 < len(first) <= 120 and (first[0].isupper() or first[0].isdigit())
        )
        if not sentence and name.split(".")[-1] not in INHERITED:
            silent.append((name, first))
    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_fits_in_one_reading(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
