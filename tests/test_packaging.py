"""The fences around a package whose root is the repository: ceilings, wheel, lazy imports."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PYPROJECT["tool"]["setuptools"]["packages"]
FOLDERS = [ROOT / package.removeprefix("litrag").lstrip(".").replace(".", "/") for package in PACKAGES]
MODULES = sorted(module for folder in FOLDERS for module in folder.glob("*.py"))
# A command's options are its parameters, and the Python call takes the same settings by keyword.
MANY_PARAMETERS = {
    "cli/ask.py:ask",
    "cli/review.py:review",
    "cli/evals.py:evaluate",
    "cli/mcp.py:mcp",
    "cli/rerank.py:rerank",
    "cli/rewrite.py:rewrite",
    "cli/search.py:search",
    "cli/train.py:train",
    "cli/verify.py:verify",
    "pipelines/api.py:make_request",
    "pipelines/api.py:review_async",
    "pipelines/searching.py:find_async",
}
OUTSIDE = {"tests", "benchmarks", "examples", "docs", "notebooks", "build"}


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_ceiling_of_modules_functions_and_parameters(module: Path) -> None:
    """A module is one idea; what does not fit on a few screens is two. A name in MANY_PARAMETERS may pass 7 parameters, nothing more."""
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [
                a.arg
                for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                if a.arg not in ("self", "cls")
            ]
            exempt = f"{module.relative_to(ROOT)}:{node.name}" in MANY_PARAMETERS
            first = node.body[0].lineno if exempt else node.lineno  # many parameters are many lines
            lines = (node.end_lineno or 0) - first + 1
            assert exempt or len(arguments) <= 7, f"{node.name}: {len(arguments)} parameters"
            assert lines <= 60, f"{node.name}: {lines} lines"


def test_every_sub_package_is_listed() -> None:
    """A folder that is not listed is missing from the wheel without a word."""
    found = {
        "litrag" + "".join(f".{part}" for part in init.parent.relative_to(ROOT).parts)
        for init in ROOT.rglob("__init__.py")
        if not {part for part in init.relative_to(ROOT).parts if part in OUTSIDE or part.startswith(".")}
    }
    assert found == set(PACKAGES)


def test_the_wheel_holds_the_tree_and_nothing_else(tmp_path: Path) -> None:
    """Built from a copy: setuptools puts what an old `build/` holds into a wheel."""
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    copy = shutil.copytree(ROOT, tmp_path / "tree", symlinks=True, ignore=ignored)
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(tmp_path),
            str(copy),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    beside = ("agents/controller.json", "evals/labels/*.json", "serving/static/*", "serving/templates/*.html")
    data = {"py.typed", *names([path for pattern in beside for path in ROOT.glob(pattern)])}
    assert inside == {f"litrag/{name}" for name in (*names(MODULES), *data)}


@pytest.mark.parametrize(
    "code",
    [
        "import litrag",
        "import sys; sys.argv=['litrag', '--help']; from litrag.cli.app import app; app(standalone_mode=False)",
    ],
)
def test_import_and_help_load_nothing_heavy(code: str) -> None:
    heavy = "('torch', 'transformers', 'sentence_transformers', 'dspy', 'litellm', 'langgraph', 'sklearn', 'numpy', 'pydantic')"
    script = f"{code}\nimport sys\nprint('LOADED', [m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("LOADED []")


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_all_lists_the_public_names(module: Path) -> None:
    """`__all__` is the promise of a module; what it defines in public stands in it."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    listed: list[str] = []
    bound: set[str] = set()
    public: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name) for alias in node.names)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    bound.add(target.id)
                    if target.id == "__all__" and node.value is not None:
                        listed = ast.literal_eval(node.value)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
            public.update({node.name} - {name for name in [node.name] if name.startswith("_")})
    commands = module.parent.name == "cli"  # commands are reached by their names on the command line
    assert commands or public <= set(listed), "public, but not promised"
    assert set(listed) <= bound, "promised, but not there"
    assert len(set(listed)) == len(listed)
