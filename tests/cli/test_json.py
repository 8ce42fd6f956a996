"""`--json`: one object on standard output, of the form that is published, from every command and every failure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fakes.beir import write_beir
from fakes.shell import Here, Shell, failure
from fakes.texts import ABSTRACT, TITLE, write_library
from jsonschema import Draft202012Validator

from litrag.cli.app import app
from litrag.cli.outputs import OUTPUTS, published, table
from litrag.core.settings import Settings
from litrag.pipelines.runs import find_run

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = Draft202012Validator(json.loads((DOCS / "schemas" / "output.schema.json").read_text(encoding="utf-8")))
ENDLESS = {"serve", "mcp"}  # they print no result: they run until they are stopped


@pytest.fixture
def litrag(
    tmp_path: Path, no_weights: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Here:
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    write_library(tmp_path / "forest.jsonl")
    return Here(tmp_path, monkeypatch, capsys)


def printed(result: tuple[int, str, str], form: str, code: int = 0) -> dict[str, Any]:
    """The one object of a command, held to the published schema and, field by field, to its form."""
    assert result[0] == code, result
    data: dict[str, Any] = json.loads(result[1])
    SCHEMA.validate(data)
    assert data["schema"] == f"litrag/{form}/1"
    OUTPUTS[form][0].model_validate({name: value for name, value in data.items() if name != "schema"})
    return data


def each_command(command: Any) -> Iterator[Any]:
    for found in command.commands.values():
        yield from each_command(found) if hasattr(found, "commands") else [found]


def commands(command: Any, path: str = "") -> Iterator[str]:
    for name, each in command.commands.items():
        yield from commands(each, f"{path}{name} ") if hasattr(each, "commands") else [f"{path}{name}"]


def test_every_command_has_a_form_and_the_published_schema_and_table_are_those_of_the_code() -> None:
    listed = {
        name.partition(" --")[0].strip() for _, told in OUTPUTS.values() for name in told.replace(";", ",").split(",")
    }
    assert set(commands(typer.main.get_command(app))) - ENDLESS <= listed
    assert SCHEMA.schema == published()
    assert table() in (DOCS / "json.md").read_text(encoding="utf-8")


def test_the_error_of_a_review_names_its_run(litrag: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script goes on with what was gathered."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    arguments = ("review", "abstract.txt", "--library", "forest.jsonl", "--model", "openai/gpt-4o-mini")
    failed = printed(litrag("--json", *arguments), "error", 3)
    assert failed["error"] == "ModelUnavailable"
    assert find_run(failed["run_id"]).state()[0] == "failed"
    assert "run_id" not in printed(litrag("--json", "runs", "show", "nosuch"), "error", 2)


def test_helps_tell_the_defaults_of_settings() -> None:
    told = 0
    for command in each_command(typer.main.get_command(app)):
        for option in command.params:
            field = Settings.model_fields.get(option.name)
            if field is None or option.default is not None or field.default in (None, False, (), ""):
                continue
            if field.is_required() or field.default_factory is not None or option.multiple:
                continue
            told += 1
            assert option.show_default in (str(field.default), "the review's"), f"{command.name} --{option.name}"
    assert told > 15


def test_libraries_reviews_and_runs(litrag: Here, tmp_path: Path) -> None:
    assert printed(litrag("--json", "library", "add", "forest.jsonl", "--name", "woods"), "library")["papers"] == 40
    assert printed(litrag("--json", "library", "update", "woods"), "library")["name"] == "woods"
    (row,) = printed(litrag("--json", "library", "list"), "library-list")["libraries"]
    assert (row["name"], row["papers"]) == ("woods", 40)
    assert printed(litrag("--json", "library", "info", "woods"), "library-info")["files"] == 1
    planned = litrag("--json", "review", "abstract.txt", "--model", "openai/gpt-4o-mini", "--dry-run")
    assert "write" in [row["role"] for row in printed(planned, "review-planned")["planned"]]
    waiting = printed(litrag("--json", "review", "abstract.txt", "--papers", "8", "--plan-only"), "review-waiting")
    assert Path(waiting["waiting_for"]).is_file()
    run = waiting["run_id"]
    assert printed(litrag("--json", "runs", "resume", run), "review")["papers"] == 8
    (shown,) = printed(litrag("--json", "runs", "list"), "runs-list")["runs"]
    assert (shown["id"], shown["status"]) == (run, "done")
    assert printed(litrag("--json", "runs", "show", run), "runs-show")["ledger"]["searches"] > 0
    (written,) = printed(litrag("--json", "runs", "export", run, "-f", "ris"), "runs-export")["files"]
    assert Path(written).name == "references.ris"
    key = json.loads((tmp_path / "abstract-review" / "evidence.json").read_text())["evidence"][0]["key"]
    assert printed(litrag("--json", "runs", "mark", run, key), "runs-mark")["wrong"]
    stopped = litrag("--json", "review", "abstract.txt", "--max-searches", "1", "-o", "short")
    assert printed(stopped, "review", 4)["stop_reason"].startswith("budget")
    assert printed(litrag("--json", "runs", "remove", run), "removed") == {"schema": "litrag/removed/1", "removed": run}
    assert printed(litrag("--json", "library", "remove", "woods"), "removed")["removed"] == "woods"


def test_a_run_that_is_told_to_stop(litrag: Here) -> None:
    waiting = litrag("--json", "review", "abstract.txt", "--library", "forest.jsonl", "--plan-only")
    run = json.loads(waiting[1])["run_id"]
    work = f"import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); from litrag.pipelines.runs import find_run; run = find_run({run!r})\nwith run.hold(): run.mark('running', 'x'); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"held\n"
        assert printed(litrag("--json", "runs", "stop", run), "runs-stop")["stopped"] == run


def test_searches_answers_and_orders(litrag: Here, tmp_path: Path) -> None:
    found = litrag("--json", "search", "dogs", "--library", "forest.jsonl", "-k", "3")
    assert [paper["rank"] for paper in printed(found, "search")["papers"]] == [1, 2, 3]
    assert printed(litrag("--json", "ask", "What finds mushrooms?", "--library", "forest.jsonl"), "ask")["searches"]
    rewritten = litrag("--json", "rewrite", ABSTRACT, "--method", "statistical")
    assert printed(rewritten, "rewrite")["queries"][0]["kind"] == "original"
    documents = [{"id": f"d{n}", "text": f"text {n}", "score": 3.0 - n} for n in range(3)]
    (tmp_path / "run.jsonl").write_text(json.dumps({"query": "text", "documents": documents}))
    (query,) = printed(litrag("--json", "rerank", "run.jsonl", "--method", "none"), "rerank")["queries"]
    assert [document["id"] for document in query["documents"]] == ["d0", "d1", "d2"]
    (tmp_path / "a.bib").write_text("@article{kim, title={Dogs}, author={Kim, A}, year={2001}, abstract={Dogs dig.}}")
    (tmp_path / "a.md").write_text("“Dogs dig” [@kim]. Cats sleep [@lee].")
    checked = printed(litrag("--json", "verify", "a.md", "--bib", "a.bib"), "verify", 1)
    assert (checked["pairs"][1]["label"], checked["faults"]) == ("missing", 1)


def test_evals_and_trainings(litrag: Here, tmp_path: Path) -> None:
    write_beir(tmp_path / "data")
    measured = litrag("--json", "eval", "retrieval", "--dataset", "data", "--method", "bm25", "-n", "2")
    assert [system["name"] for system in printed(measured, "eval")["systems"]] == ["bm25"]
    refused = litrag("eval", "retrieval", "--dataset", "data", "--library", "a.bib")
    assert "leave out --library" in failure(refused, 2)
    from litrag.training import defaults_of
    from litrag.training.config import train_config
    from litrag.training.run import Trained, TrainingRun

    (tmp_path / "pairs.jsonl").write_text("")
    config = train_config(recipe="sft", dataset="pairs.jsonl", **defaults_of("sft"))
    finished = Trained(
        recipe="sft", model="local/x+y", kind="adapter", steps=1, loss_before=2.0, loss_after=1.0, facts={"examples": 3}
    )
    TrainingRun.begin(tmp_path / "mine", config).finish(finished)
    trained = litrag("--json", "train", "sft", "--dataset", "pairs.jsonl", "-o", "mine", "--resume")
    assert printed(trained, "train")["model"] == "local/x+y"


def test_flags_of_every_command_may_stand_behind_it(litrag: Here, tmp_path: Path) -> None:
    before = printed(litrag("--json", "search", "soil moisture", "--library", "forest.jsonl"), "search")
    code, out, err = litrag("search", "soil moisture", "-q", "--library", "forest.jsonl", "--json")
    assert printed((code, out, err), "search") == before
    assert "--jsn" in litrag("search", "x", "--jsn", "-q")[2], "others are refused as ever"
    assert "no library named '--json'" in litrag("search", "x", "--library", "--json")[2], "a value is no flag"
    behind = printed(litrag("search", "--library", "forest.jsonl", "--json", "--", "--json"), "error", 5)
    assert behind["error"] == "NoEvidence", "what is behind -- is the query, which finds nothing"
    assert printed(litrag("search", "soil moisture", "--library", "forest.jsonl", "-qv", "--json"), "search") == before


def test_what_is_installed(litrag: Here) -> None:
    assert printed(litrag("--json", "doctor"), "doctor")["profile"] == "local"
    assert printed(litrag("--json", "models", "list"), "models-list")["models"]
    assert "embed" in printed(litrag("--json", "models", "show"), "models-show")["roles"]
    assert printed(litrag("--json", "cache", "info"), "cache-info")["replies"] == 0
    assert printed(litrag("--json", "cache", "clear"), "cache-clear")["cleared"].endswith("cache.sqlite")


@pytest.mark.models
def test_weights_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Here(tmp_path, monkeypatch, capsys)
    assert printed(here("--json", "setup", "all-MiniLM-L6-v2"), "setup")["models"] == ["all-MiniLM-L6-v2"]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "message"),
    [
        (["runs", "show", "nosuch"], 2, "UnknownName", "no run named 'nosuch'"),
        (["runs", "stop", "nosuch"], 2, "UnknownName", "no run named 'nosuch'"),
        (["library", "remove", "nosuch"], 2, "UnknownName", "no library named"),
        (["review", "nosuch.txt"], 2, "BadInput", "nosuch.txt: no such file"),
        (["review", "abstract.txt"], 3, "NothingToSearch", "litrag library add papers.bib"),
        (
            ["review", "abstract.txt", "--library", "forest.jsonl", "--before", "1900-01-01"],
            5,
            "NoEvidence",
            "no paper",
        ),
        (["review"], 2, "UsageError", "Missing argument 'INPUT'"),
        (["review", "abstract.txt", "--nosuch"], 2, "UsageError", "No such option: --nosuch"),
        (["--nosuch", "review"], 2, "UsageError", "No such option: --nosuch"),
        (["nosuch"], 2, "UsageError", "No such command 'nosuch'"),
    ],
)
def test_a_failure_is_an_object_too(litrag: Here, arguments: list[str], code: int, error: str, message: str) -> None:
    result = litrag("--json", *arguments)
    data = printed(result, "error", code)
    assert data["error"] == error
    assert message in data["message"]
    assert message in " ".join(result[2].split())


def test_in_a_process_of_its_own_nothing_else_stands_on_standard_output(
    litrag: Here, tmp_path: Path, home: Path
) -> None:
    shell = Shell(tmp_path, home)
    printed(shell("--json", "review", "abstract.txt", "--library", "forest.jsonl", "--papers", "5"), "review")
    printed(shell("--json", "library", "nosuch"), "error", 2)
