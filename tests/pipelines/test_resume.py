"""kill -9 anywhere, then resume: the same output, only what was in flight is sent again, and it is counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, write_library

from litrag import review
from litrag.core.errors import BudgetSpent
from litrag.core.sync import run as run_sync
from litrag.pipelines.review import NODES, run_review
from litrag.pipelines.runs import find_run, list_runs

FILES = ("review.md", "references.bib", "evidence.json")
OPTIONS: dict[str, Any] = {
    "model": "scripted/m",
    "embed_model": "scripted/e",
    "verify_model": "scripted/v",
    "papers": 12,
}

# Runs a review that kills itself with SIGKILL at the start of a node, or when the nth request of a role is in flight.
VICTIM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from fakes.author import Author
from litrag import review
import json
spec = json.loads(sys.argv[2])
count = 0
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def before(request):
    global count
    if request.role == spec.get("role"):
        count += 1
        if count == spec["nth"]:
            kill()
def listen(event):
    if event.kind == "start" and event.stage == spec.get("node"):
        kill()
review(spec["text"], library=spec["library"], out=spec["out"], backend=Author(before=before, latency=0.01), listen=listen, **spec["options"])
"""


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture
def setting(tmp_path: Path) -> dict[str, Any]:
    library = write_library(tmp_path / "forest.jsonl")
    return {"text": f"{TITLE}\n\n{ABSTRACT}", "library": str(library), "out": str(tmp_path / "out"), "options": OPTIONS}


def uninterrupted(
    setting: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, bytes], int]:
    """The outputs of a run in a home of its own, and its number of requests."""
    with monkeypatch.context() as patch:
        patch.setenv("LITRAG_HOME", str(tmp_path / "other-home"))
        author = Author()
        review(
            setting["text"], library=setting["library"], out=tmp_path / "whole", backend=author, **setting["options"]
        )
    return outputs(tmp_path / "whole"), len(author.requests)


def killed(setting: dict[str, Any], **where: Any) -> str:
    tests = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, tests, json.dumps({**setting, **where})], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    (run,) = list_runs()
    assert run.state()[0] == "interrupted"
    return run.id


def ledger(setting: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(setting["out"]) / "run.json").read_text())["ledger"]
    return data


@pytest.mark.parametrize("node", list(NODES))
def test_killed_at_a_node(node: str, setting: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, requests = uninterrupted(setting, tmp_path, monkeypatch)
    run_id = killed(setting, node=node)
    run_sync(run_review(find_run(run_id), backend=Author()))
    assert outputs(Path(setting["out"])) == whole
    assert (ledger(setting)["repeated"], ledger(setting)["calls"]) == (0, requests)


@pytest.mark.parametrize(
    ("role", "nth", "in_flight"), [("rewrite", 1, 1), ("plan", 1, 1), ("write", 2, 1), ("verify", 3, 3)]
)
def test_killed_while_calls_are_in_flight(
    role: str, nth: int, in_flight: int, setting: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in flight may have been billed: it is sent again, and run.json says how many."""
    whole, requests = uninterrupted(setting, tmp_path, monkeypatch)
    run_id = killed(setting, role=role, nth=nth)
    run_sync(run_review(find_run(run_id), backend=Author()))
    assert outputs(Path(setting["out"])) == whole
    assert ledger(setting)["repeated"] == in_flight
    assert ledger(setting)["calls"] == requests + in_flight


def test_spend_before_the_kill_counts_against_the_budget(setting: dict[str, Any]) -> None:
    setting["options"] = {**OPTIONS, "max_calls": 10}
    run_id = killed(setting, node="write")
    author = Author()
    run_sync(run_review(find_run(run_id), backend=author))
    assert ledger(setting)["calls"] == 10
    assert 0 < len(author.requests) < 10


def test_a_finished_run_resumed_writes_its_files_again_without_a_call(setting: dict[str, Any]) -> None:
    review(setting["text"], library=setting["library"], out=setting["out"], backend=Author(), **OPTIONS)
    before = outputs(Path(setting["out"]))
    (run,) = list_runs()
    author = Author()
    run_sync(run_review(run, backend=author))
    assert author.requests == []
    assert outputs(Path(setting["out"])) == before


def test_a_run_that_spent_its_budget_is_not_an_error_but_says_so(setting: dict[str, Any]) -> None:
    result = review(
        setting["text"],
        library=setting["library"],
        out=setting["out"],
        backend=Author(),
        **{**OPTIONS, "max_tokens": 3000},
    )
    assert result.stop_reason.startswith("budget: tokens")
    assert BudgetSpent.exit_code == 4
