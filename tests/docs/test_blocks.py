"""Every command and every block of Python in the README and the docs runs, as it is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.chat import chat_server
from fakes.desk import ROOT, answer, write_folder
from fakes.fences import LANGUAGES, Block, blocks, commands
from fakes.scholarly import APIS, scholarly
from fakes.shell import Here
from fakes.texts import papers

from litrag.core.paths import models_folder
from litrag.pipelines.runs import list_runs

PAGES = [
    *(ROOT / name for name in ("README.md", "examples/README.md", "examples/recorded/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
WITH_CODE = [page for page in PAGES if any(block.runs for block in blocks(page))]
SERVER = "http://127.0.0.1:8000/v1"  # where the docs say that a server of one's own is
WEIGHTS = models_folder()  # before a test has a home of its own
# What truly cannot run here, by its reason. The list is meant to stay as short as it is.
NOT_RUN = {
    "installs packages, fetches weights, runs all tests",
    "installs packages and fetches weights",
    "a cross-encoder is no part of the embedded weights",
    "takes hours and the evaluation data",
    "writes into the files of one's own shell",
    "installs packages, needs a collector",
    "needs a model hub",
}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder with the files, scholarly sources and a model server on the loopback, named by variables: commands stay as they are written."""
    write_folder(tmp_path)
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path / "data"))
    with chat_server(answer) as chat, scholarly(papers()) as sources:
        monkeypatch.setenv("LITRAG_API_BASE", chat.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("LITRAG_RETRIES", "1")
        monkeypatch.setenv("LITRAG_SOURCE_URLS", json.dumps(sources.urls()))
        monkeypatch.setenv("LITRAG_SOURCE_INTERVALS", json.dumps(dict.fromkeys(APIS, 0.01)))
        yield tmp_path


@pytest.fixture
def run(world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Block], str]:
    """Runs a block and gives what it printed."""
    here = Here(world, monkeypatch, capsys)

    def stands_for(word: str) -> str:
        if word == "ID":
            return list_runs()[0].id
        return word.replace(SERVER, os.environ["LITRAG_API_BASE"])

    def shell(block: Block) -> str:
        told = []
        for command in commands(block.text, stands_for):
            assert command.words[0] == "litrag", f"only litrag is run here, mark others `not run`: {command.words}"
            if command.words[1] in ("serve", "mcp"):
                told.append(served(command.words, world))
                continue
            stdin = (world / command.stdin).read_text() if command.stdin else ""
            with monkeypatch.context() as patch:
                for variable, value in command.variables.items():
                    patch.setenv(variable, value)
                code, out, err = here(*command.words[1:], stdin=stdin)
            assert code == block.code, f"{' '.join(command.words)}: exit {code}, meant was {block.code}\n{out}\n{err}"
            if command.stdout:
                (world / command.stdout).write_text(out)
            told.append(out + err)
        return "\n".join(told)

    def python(block: Block) -> str:
        exec(compile(block.text, f"line {block.line}", "exec"), {"__name__": "__main__"})
        return "".join(capsys.readouterr())

    return lambda block: (shell if block.language == "sh" else python)(block)


def served(words: list[str], folder: Path) -> str:
    """Starts a server on a free port, waits for its address (a server without one ends with its standard input), ends it as Ctrl-C does; what it said."""
    free = ("--port", "0") if "serve" in words or "--http" in words else ()
    process = subprocess.Popen(
        [sys.executable, "-m", "litrag.cli", *words[1:], *free],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        text=True,
    )
    assert process.stderr
    with process.stderr as errors:
        told = next((line for line in errors if "http://" in line), "")
        process.send_signal(signal.SIGINT)
        told += errors.read()
    assert process.wait(timeout=60) in (0, 130), told
    return told


def pages() -> list[object]:
    """A page with a block that needs the embedded models is marked so."""
    marks = {page: [pytest.mark.models] * any(block.weights for block in blocks(page)) for page in WITH_CODE}
    return [pytest.param(page, id=name(page), marks=marks[page]) for page in WITH_CODE]


@pytest.mark.parametrize("page", pages())
def test_every_block_of_a_page_runs_in_order(
    page: Path, run: Callable[[Block], str], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader copies them one after the other; what is shown as output is output."""
    told = ""
    for block in blocks(page):
        with monkeypatch.context() as patch:
            patch.setenv("LITRAG_MODELS", str(WEIGHTS if block.weights else world / "no-weights"))
            if block.runs:
                told = run(block)
        if "write" in block.marks:
            (world / block.marks["write"]).write_text(block.text)
        if "output" in block.marks or "file" in block.marks:
            held = (world / block.marks["file"]).read_text() if "file" in block.marks else told
            for line in filter(None, block.text.splitlines()):
                assert line in held, f"{name(page)}, line {block.line}: {line!r} is not in\n{held}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_fence_names_its_language(page: Path) -> None:
    """An unnamed fence would be a command that nobody runs."""
    assert [block.line for block in blocks(page) if block.language not in LANGUAGES] == []
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(blocks(page)), "a fence is indented or open"
    for block in blocks(page):
        shown = block.language == "text" and not block.marks
        assert not shown or not re.search(r"^(\$ )?(litrag|python|make|pip) ", block.text, re.MULTILINE)


def test_what_is_not_run_is_listed_here_with_its_reason() -> None:
    found = [block.marks["not run"] for page in PAGES for block in blocks(page) if "not run" in block.marks]
    assert sorted(found) == sorted(NOT_RUN)


def test_the_shell_of_these_tests_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """A block that it misread would pass without having run."""
    line = "A=1 litrag rewrite - -n 2 < in.txt > out.txt  # why"
    (one,) = commands(line, lambda word: word.upper())
    assert (one.variables, one.words, one.stdin, one.stdout) == (
        {"A": "1"},
        ["LITRAG", "REWRITE", "-", "-N", "2"],
        "IN.TXT",
        "OUT.TXT",
    )
    with pytest.raises(ValueError, match="no pipes"):
        list(commands("litrag runs list | head", str))
    (tmp_path / "page.md").write_text("<!-- run: exit 4, weights -->\n```sh\nx\n```\n")
    (block,) = blocks(tmp_path / "page.md")
    assert (block.code, block.weights, block.runs, block.line) == (4, True, True, 2)
