"""The notebooks run as a new user has them: from a wheel, beside the examples, without the network."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
MOST_SECONDS = 480  # of a processor, all notebooks together: four minutes on two cores
OFFLINE = """
import socket

connect = socket.socket.connect


def here_alone(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"a notebook asked the network for {address}")
    return connect(self, address)


socket.socket.connect = here_alone
"""
FIRST_CELL = """
import sys

import litrag

assert litrag.__file__.startswith(sys.prefix), litrag.__file__
"""


def cells(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_there_is_a_notebook_for_each_thing_to_learn() -> None:
    assert NAMES == [
        "01-first-review",
        "02-swap-models",
        "03-rewriters",
        "04-rerankers",
        "05-frugality",
        "06-train-a-reranker",
        "07-own-library",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_no_output_and_nothing_of_the_author_s_machine_is_committed(path: Path) -> None:
    """Outputs and random ids make every save a change of hundreds of lines."""
    data = json.loads(path.read_text(encoding="utf-8"))
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    assert data["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["id"] for cell in data["cells"]] == [f"cell-{n:02d}" for n in range(1, len(data["cells"]) + 1)]
    for cell in data["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert path.read_text(encoding="utf-8") == json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_teaches_and_asserts_what_it_claims(path: Path) -> None:
    found = cells(path)
    sources = ["".join(cell["source"]) for cell in found]  # type: ignore[arg-type]
    kinds = [cell["cell_type"] for cell in found]
    assert 8 <= len(found) <= 20
    assert sources[0].startswith("# ")
    assert kinds.count("markdown") >= 4
    code = [source for source, kind in zip(sources, kinds, strict=True) if kind == "code"]
    assert sum("assert " in source for source in code) >= 2
    assert not any(word in source for source in code for word in ("http://", "https://") if "127.0.0.1" not in source)


@dataclass(frozen=True)
class Fresh:
    """A virtual environment with the wheel's litrag and the packages that the tests have."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    folder = tmp_path_factory.mktemp("fresh")
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "notebooks")
    tree = shutil.copytree(ROOT, folder / "tree", symlinks=True, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(tree)]
    subprocess.run(build, check=True, capture_output=True)
    shutil.rmtree(tree)
    (wheel,) = folder.glob("*.whl")
    assert not any(name.startswith("notebooks") for name in zipfile.ZipFile(wheel).namelist())
    made = Fresh(folder / "venv")
    venv.create(made.folder, symlinks=True)
    pip.insert(3, f"--python={made.python}")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(made.folder)}))
    # found after the environment's own packages; their .pth files, an editable litrag among them, are not read
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "sitecustomize.py").write_text(OFFLINE)
    kernel = folder / "kernels" / "fresh"
    kernel.mkdir(parents=True)
    argv = [made.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "fresh", "language": "python"}))
    # once a machine it looks for all fonts: that is no notebook's time
    subprocess.run([made.python, "-c", "import matplotlib.font_manager"], check=False, capture_output=True)
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notebooks and examples side by side, as in the repository, and nothing else of it but the results that one draws."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "evals" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "evals" / "results" / "hotpotqa.json", folder / "evals" / "results")
    return folder


def test_the_environment_has_the_wheel_and_no_network(fresh: Fresh, tmp_path: Path) -> None:
    """Else the runs below would say nothing of a fresh install."""
    done = subprocess.run([fresh.python, "-c", FIRST_CELL], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asked = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    done = subprocess.run([fresh.python, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "a notebook asked the network for ('192.0.2.1', 80)" in done.stderr


@pytest.fixture(scope="module")
def processor() -> Iterator[list[float]]:
    """Seconds of a processor that each notebook took; all together they must not take too long."""
    taken: list[float] = []
    yield taken
    assert sum(taken) < MOST_SECONDS, taken


@pytest.mark.models
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_runs_from_a_fresh_install(
    path: Path, fresh: Fresh, place: Path, processor: list[float], home: Path
) -> None:
    for needed in ("nbclient", "ipykernel", "matplotlib", "ir_measures", "trl"):
        pytest.importorskip(needed)
    copy = place / "notebooks" / path.name
    data = json.loads(copy.read_text(encoding="utf-8"))
    first = {"cell_type": "code", "id": "first", "metadata": {}, "source": FIRST_CELL}
    data["cells"].insert(0, {**first, "execution_count": None, "outputs": []})
    copy.write_text(json.dumps(data), encoding="utf-8")
    # in a process of its own: nbclient leaves sockets to the garbage collector, which is an error here
    execute = [sys.executable, "-c", "from nbclient.cli import main; main()"]
    options = ["--inplace", "--kernel_name=fresh", "--timeout=900", "--startup_timeout=600", path.name]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "JUPYTER_PATH": str(fresh.folder.parent)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*execute, *options], cwd=copy.parent, env=env, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-3000:]
    processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    outputs = [output for cell in cells(copy) for output in cell.get("outputs", [])]  # type: ignore[attr-defined]
    shown = [output["data"] for output in outputs if output["output_type"] == "execute_result"]
    assert any("text/html" in each or "image/png" in each for each in shown), "its results show themselves"
    assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
