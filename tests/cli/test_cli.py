"""The command line as a user has it: a process, its two streams, its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes.scholarly import Scholarly, scholarly
from fakes.shell import Shell, failure
from fakes.texts import ABSTRACT, TITLE, papers, write_library


@pytest.fixture
def litrag(tmp_path: Path, home: Path, no_weights: None) -> Shell:
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    write_library(tmp_path / "forest.jsonl")
    return Shell(tmp_path, home)


@contextmanager
def held_up(litrag: Shell, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Scholarly]]:
    """A review in the middle: it waits for the first answer of a source."""
    with scholarly(papers()) as web:
        web.faults, web.times = {"openalex": "stall"}, 1
        litrag.env["LITRAG_SOURCE_URLS"] = json.dumps(web.urls())
        process = litrag.start(
            "review", "abstract.txt", "--library", "forest.jsonl", "--source", "openalex", *arguments
        )
        end = time.monotonic() + 300
        while not web.asked:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        yield process, web


def test_the_bare_command_with_nothing_to_search_says_what_to_do(litrag: Shell) -> None:
    assert "litrag library add papers.bib" in failure(litrag("review", "abstract.txt"), 3)
    assert not (litrag.folder / "abstract-review" / "review.md").exists()


def test_the_bare_command_searches_the_users_libraries_and_names_setup_where_weights_lack(litrag: Shell) -> None:
    assert litrag("library", "add", "forest.jsonl")[0] == 0
    code, out, err = litrag("review", "abstract.txt")
    assert code == 0
    assert out.splitlines()[0] == "30 papers cited"
    assert out.splitlines()[-1] == str(litrag.folder / "abstract-review" / "review.md")
    assert "0 model calls" in out
    assert "litrag setup" in err
    assert sorted(p.name for p in (litrag.folder / "abstract-review").iterdir()) == [
        "evidence.json",
        "references.bib",
        "review.md",
        "run.json",
    ]


def test_standard_input_and_json(litrag: Shell) -> None:
    code, out, _ = litrag("--json", "review", "-", "--library", "forest.jsonl", "--papers", "10", stdin=ABSTRACT)
    assert code == 0
    data = json.loads(out)
    assert (data["papers"], data["stop_reason"], Path(data["folder"]).name) == (10, "done", "stdin-review")


def test_a_dry_run_prints_the_plan_and_sends_and_writes_nothing(litrag: Shell) -> None:
    code, out, _ = litrag(
        "review", "abstract.txt", "--library", "forest.jsonl", "--model", "openai/gpt-4o-mini", "--dry-run"
    )
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:-1]] == ["rewrite", "rerank", "plan", "write", "verify"]
    assert "$0." in out
    assert "nothing was sent" in out
    assert not (litrag.folder / "abstract-review").exists()
    assert "no runs yet" in litrag("runs", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "content", "code", "line"),
    [
        (["review", "nosuch.txt"], None, 2, "nosuch.txt: no such file"),
        (["review", "bad.txt"], b"", 2, "empty"),
        (["review", "bad.txt"], b"%PDF-1.7 x", 2, "bad.txt is a PDF"),
        (["review", "bad.txt"], b"\xff\xfe\xfa" * 9, 2, "not UTF-8"),
        (["review", "."], None, 2, "folder"),
        (["review", "abstract.txt", "--library", "nosuch"], None, 2, "no library named 'nosuch'"),
        (["review", "abstract.txt", "--library", "bad.docx"], b"x", 2, "give one of .jsonl"),
        (["review", "abstract.txt", "--library", "bad.bib"], b"@article{x, title = {T", 2, "holds no readable paper"),
        (["review", "abstract.txt", "--library", "forest.jsonl", "--model", "gpt-4o"], None, 2, "openai/gpt-4o"),
        (["review", "abstract.txt", "--library", "forest.jsonl", "--model", "local/nosuch"], None, 3, "litrag setup"),
        (["review", "abstract.txt", "--library", "forest.jsonl", "--writer", "best"], None, 2, "writer"),
        (
            ["review", "abstract.txt", "--library", "forest.jsonl", "--rewriter", "best"],
            None,
            2,
            "no rewriter named 'best'",
        ),
        (["review", "abstract.txt", "--library", "forest.jsonl", "--before", "1900-01-01"], None, 5, "no paper found"),
        (["review", "abstract.txt", "--library", "forest.jsonl", "-o", "forest.jsonl"], None, 3, "cannot write"),
        (["runs", "resume", "nosuch"], None, 2, "no run named 'nosuch'"),
        (["runs", "show", "../x"], None, 2, "no run named"),
        (["library", "add", "nosuch.bib"], None, 2, "no such file"),
        (["library", "info", "nosuch"], None, 2, "no library named"),
        (["--config", "nosuch.toml", "doctor"], None, 2, "no such settings file"),
        (["setup", "nosuch"], None, 2, "no weights named 'nosuch'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_the_right_exit_code(
    litrag: Shell, arguments: list[str], content: bytes | None, code: int, line: str
) -> None:
    for name in ("bad.txt", "bad.docx", "bad.bib"):
        if content is not None and name in arguments:
            (litrag.folder / name).write_bytes(content)
    assert line in failure(litrag(*arguments), code)


def test_an_unknown_option_and_a_missing_argument_exit_2(litrag: Shell) -> None:
    assert litrag("review", "abstract.txt", "--nosuch")[0] == 2
    assert litrag("review")[0] == 2
    assert litrag("review", "abstract.txt", "--before", "soon")[0] == 2


def test_a_key_that_is_missing_is_named_and_the_run_is_kept(litrag: Shell) -> None:
    litrag.env["LITRAG_RETRIES"] = "1"
    result = litrag("review", "abstract.txt", "--library", "forest.jsonl", "--model", "openai/gpt-4o-mini")
    assert "openai/gpt-4o-mini: no key; set OPENAI_API_KEY, or pass another model" in failure(result, 3)
    assert "litrag runs resume abstract-" in result[2]


def test_a_server_that_is_not_there_is_named(litrag: Shell) -> None:
    litrag.env["LITRAG_RETRIES"] = "1"
    result = litrag(
        "--profile",
        "server",
        "review",
        "abstract.txt",
        "--library",
        "forest.jsonl",
        "--model",
        "openai/m",
        "--api-base",
        "http://127.0.0.1:9/v1",
    )
    assert "127.0.0.1:9" in failure(result, 3)


def test_a_broken_entry_is_a_warning_and_the_rest_is_there(litrag: Shell) -> None:
    (litrag.folder / "refs.bib").write_text(
        "@article{a, title={Soil}, year=2001}\n@article{b, title={No end\n@article{c, title={Dogs}}\n"
    )
    code, out, err = litrag("library", "add", "refs.bib")
    assert code == 0
    assert "papers ready for BM25" in out
    assert "refs.bib, line" in err


def test_a_folder_is_added_and_what_was_left_out_is_told_again_by_info(litrag: Shell) -> None:
    shelf = litrag.folder / "shelf"
    shelf.mkdir()
    write_library(shelf / "forest.jsonl")
    (shelf / "notes.md").write_text("# Notes on owls\nOwls eat mice.\n")
    (shelf / "broken.pdf").write_bytes(b"no PDF")
    (shelf / "table.xlsx").write_bytes(b"")
    code, out, err = litrag("library", "add", "shelf", "--no-vectors")
    assert code == 0
    assert "shelf: 41 papers and 1 passages ready for BM25" in out
    assert "warning: " in err
    assert "broken.pdf is not a PDF" in err
    info = litrag("library", "info", "shelf")[1]
    assert "41 papers and 1 passages of 2 files" in info
    assert "broken.pdf is not a PDF" in info
    assert "1 .xlsx" in info
    (shelf / "broken.pdf").unlink()
    assert litrag("library", "update", "shelf", "--no-vectors")[0] == 0
    assert json.loads(litrag("--json", "library", "info", "shelf")[1])["notes"] == [
        "left out, being of kinds that litrag does not read: 1 .xlsx"
    ]
    assert litrag("review", "abstract.txt", "--library", "shelf", "--papers", "5")[0] == 0


def test_libraries_and_runs_are_listed_shown_and_removed(litrag: Shell) -> None:
    assert litrag("library", "add", "forest.jsonl", "--name", "woods")[0] == 0
    assert "woods" in litrag("library", "list")[1]
    info = json.loads(litrag("--json", "library", "info", "woods")[1])
    assert (info["papers"], info["vectors"]) == (40, 0)
    assert litrag("review", "abstract.txt", "--papers", "10")[0] == 0
    (run,) = json.loads(litrag("--json", "runs", "list")[1])["runs"]
    assert (run["status"], run["note"]) == ("done", "done")
    assert "0 calls" in litrag("runs", "show", run["id"])[1]
    assert litrag("library", "update", "woods")[0] == 0
    assert litrag("runs", "remove", run["id"])[0] == 0
    assert litrag("library", "remove", "woods")[0] == 0
    assert "no libraries yet" in litrag("library", "list")[1]


def test_a_spent_budget_exits_4_with_a_whole_review(litrag: Shell) -> None:
    code, out, _ = litrag("review", "abstract.txt", "--library", "forest.jsonl", "--max-searches", "1")
    assert code == 4
    assert out.startswith(
        "stopped early: budget: searches: 1 of 1 spent; raise --max-searches and run it again (a review with --force): no call is paid twice\n30 papers cited"
    )


def test_doctor_tells_roles_hosts_and_that_nothing_leaves_the_machine(litrag: Shell) -> None:
    litrag.env["SOME_API_KEY"] = "secret"
    code, out, _ = litrag("doctor")
    assert code == 0
    assert "embed     local/all-MiniLM-L6-v2" in out
    assert "this machine" in out
    assert "SOME_API_KEY" in out
    assert "secret" not in out
    data = (
        json.loads(litrag("--json", "--profile", "server", "doctor")[1])
        if litrag("--profile", "server", "doctor")[0] == 0
        else {}
    )
    assert data == {}, "the server profile needs a model"
    litrag.env |= {"LITRAG_MODEL": "openai/m", "LITRAG_API_BASE": "http://gpu.example:8000/v1"}
    assert json.loads(litrag("--json", "--profile", "server", "doctor")[1])["roles"]["write"] == {
        "model": "openai/m",
        "host": "gpu.example",
    }


def test_models_and_cache_tell_what_is_there(litrag: Shell) -> None:
    assert "local/all-MiniLM-L6-v2" in litrag("models", "list")[1]
    assert "embed    local/all-MiniLM-L6-v2" in litrag("models", "show")[1]
    assert "0 replies, 0 vectors" in litrag("cache", "info")[1]
    assert litrag("cache", "clear", "--yes")[0] == 0


def test_ctrl_c_saves_prints_the_resume_line_and_the_resumed_run_writes_the_same(litrag: Shell) -> None:
    with held_up(litrag, "-o", "out") as (process, _):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 130, err
        assert "[rewrite]" in err
        (line,) = [line for line in err.splitlines() if line.startswith("litrag: interrupted")]
        run_id = line.rpartition(" ")[2]
        assert line.endswith(f"go on with: litrag runs resume {run_id}")
        assert f"{run_id}" in litrag("runs", "list")[1]
        assert "interrupted" in litrag("runs", "list")[1]
        assert litrag("runs", "resume", run_id)[0] == 0
        whole = ("review", "abstract.txt", "--library", "forest.jsonl", "--source", "openalex", "-o", "whole")
        assert litrag(*whole)[0] == 0
    for name in ("review.md", "references.bib", "evidence.json"):
        assert (litrag.folder / "out" / name).read_bytes() == (litrag.folder / "whole" / name).read_bytes()


def test_a_folder_that_fills_up_at_the_end_loses_nothing(litrag: Shell) -> None:
    """The output folder becomes unwritable after the start; the run is resumed into another one."""
    with held_up(litrag, "-o", "out") as (process, web):
        (litrag.folder / "out").rmdir()
        (litrag.folder / "out").write_text("in the way")
        web.over.set()
        _, err = process.communicate(timeout=300)
        assert process.returncode == 3, err
        (line,) = [line for line in err.splitlines() if line.startswith("litrag: cannot write")]
        run_id = line.split("litrag runs resume ")[1].split()[0]
        code, out, _ = litrag("runs", "resume", run_id, "-o", "elsewhere")
    assert code == 0
    assert out.splitlines()[-1] == str(litrag.folder / "elsewhere" / "review.md")


@pytest.mark.models
def test_the_second_run_makes_no_model_call_and_imports_no_torch(tmp_path: Path, home: Path) -> None:
    """What was embedded once is never embedded again, and a cached review starts in a second."""
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    write_library(tmp_path / "forest.jsonl", papers())
    script = (
        "import sys; sys.argv = ['litrag', '--json', 'review', 'abstract.txt', '--library', 'forest.jsonl']\n"
        "import litrag.cli.app as a\n"
        "try: a.main()\n"
        "finally: print('HEAVY', [m for m in ('torch', 'transformers', 'sentence_transformers', 'litellm', 'dspy') if m in sys.modules], file=sys.stderr)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (json.loads(run.stdout)["ledger"] for run in runs)
    assert first["calls"] > 0
    assert "'torch'" in runs[0].stderr
    assert (second["calls"], second["usd"]) == (0, 0.0)
    assert second["cached"] > 0
    assert "HEAVY []" in runs[1].stderr


@pytest.mark.data
@pytest.mark.models
def test_a_review_over_sixty_thousand_abstracts(data_dir: Path, tmp_path: Path, home: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    shell = Shell(tmp_path, home)
    command = (
        "--json",
        "review",
        str(root / "examples" / "abstract.txt"),
        "--library",
        str(data_dir / "acl" / "papers.jsonl.gz"),
        "--before",
        "2019-01-01",
    )
    code, out, err = shell(*command)
    assert code == 0, err
    assert json.loads(out)["papers"] == 30
    assert "no vectors yet" in err
    assert json.loads(shell(*command)[1])["ledger"]["calls"] == 0
