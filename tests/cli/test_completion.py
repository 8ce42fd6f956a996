"""Completion: in a real bash, zsh and fish on a pseudo-terminal, as a user installs it; and what it offers, whatever state litrag's folder is in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from fakes.terminal import Terminal

from litrag.cli import choices
from litrag.cli.app import app
from litrag.cli.completing import answer, words_of

SHELLS = ("bash", "zsh", "fish")
Asked = Callable[[str], list[str]]


def furnish(home: Path, folder: Path, data: Path) -> None:
    """Two runs, a library, weights, a data set; files whose names a shell must quote."""
    for name, status in (("forest-aa1111", "done"), ("forest-bb2222", "waiting"), ("meadow-cc3333", "failed")):
        run = home / "runs" / name
        run.mkdir(parents=True)
        (run / "request.json").write_text("{}")
        (run / "status.json").write_text(json.dumps({"status": status, "note": "edit [/plan.md]", "pid": 1}))
    for name in ("woods", "moor@0123456789"):
        (home / "libraries" / name).mkdir(parents=True)
        (home / "libraries" / name / "manifest.json").write_text('{"papers": 1234}')
    (home / "models" / "tiny").mkdir(parents=True)
    (home / "models" / "tiny" / "config.json").write_text("{}")
    (folder / "my papers.bib").write_text("")
    (folder / "it's [1] $HOME.bib").write_text("")
    (folder / "shelf" / "a b").mkdir(parents=True)
    (folder / "mine").mkdir()
    (folder / "mine" / "training.json").write_text(
        '{"recipe": "sft", "model": "local/base+/x/mine/model", "kind": "adapter", "base": "base", "steps": 1, "loss_before": null, "loss_after": null, "facts": {}}'
    )
    (data / "acl").mkdir(parents=True)


@pytest.fixture(scope="module")
def terminals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Terminal]]:
    """A shell by name, opened once."""
    opened: dict[str, Terminal] = {}

    def terminal(shell: str) -> Terminal:
        if shell not in opened:
            root = tmp_path_factory.mktemp(shell)
            (folder := root / "work").mkdir()
            furnish(root / "home", folder, root / "data")
            opened[shell] = Terminal(shell, root, folder)
        return opened[shell]

    yield terminal
    for each in opened.values():
        each.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_in_a_real_shell_names_files_and_options_become_the_words_that_were_meant(
    shell: str, terminals: Callable[[str], Terminal]
) -> None:
    """A colon is a break for bash; a blank, a quotation mark or a bracket is one for every shell that is not told."""
    terminal = terminals(shell)
    meant = {
        "litrag rev": ["review"],
        "litrag runs show forest-a": ["runs", "show", "forest-aa1111"],
        "litrag review a.txt --library=w": ["review", "a.txt", "--library=woods"],
        "litrag review a.txt --library my": ["review", "a.txt", "--library", "my papers.bib"],
        'litrag review a.txt --library "my p': ["review", "a.txt", "--library", "my papers.bib"],
        "litrag review a.txt --library it": ["review", "a.txt", "--library", "it's [1] $HOME.bib"],
        "litrag review a.txt --library shelf/": ["review", "a.txt", "--library", "shelf/a b/"],
        "litrag review my": ["review", "my papers.bib"],
        "litrag eval retrieval --dataset acl:te": ["eval", "retrieval", "--dataset", "acl:test"],
        "litrag eval retrieval --dataset=acl:te": ["eval", "retrieval", "--dataset=acl:test"],
        'litrag eval retrieval --dataset "acl:te': ["eval", "retrieval", "--dataset", "acl:test"],
        "litrag review a.txt --model local/t": ["review", "a.txt", "--model", "local/tiny"],
        "litrag review a.txt -f md,te": ["review", "a.txt", "-f", "md,tex"],
        "litrag runs show nosuch": ["runs", "show", "nosuch"],
    }
    assert {line: terminal.completed(line) for line in meant} == meant


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_lists_runs_and_where_it_can_their_status(
    shell: str, terminals: Callable[[str], Terminal]
) -> None:
    shown = terminals(shell).listed("litrag runs show forest-", "bb2222")
    assert "aa1111" in shown
    assert "meadow" not in shown
    assert shell == "bash" or "done: edit (/plan.md)" in shown


@pytest.fixture
def asked(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What litrag offers for a line, as it tells fish."""
    (folder := tmp_path / "work").mkdir()
    furnish(home, folder, tmp_path / "data")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LITRAG_MODELS", str(home / "models"))
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path / "data"))
    command = typer.main.get_command(app)

    def found(line: str) -> list[str]:
        told = answer("fish", {"_TYPER_COMPLETE_ARGS": line}, command)
        return [row.partition("\t")[0] for row in told.splitlines()]

    return found


def test_what_is_offered_fits_the_place(asked: Asked) -> None:
    assert {"review", "runs", "library"} <= set(asked("litrag "))
    assert asked("litrag --profile ") == ["local", "api", "server"]
    assert asked("litrag --json --profile server run") == ["runs"]
    assert asked("litrag runs ") == ["list", "show", "resume", "stop", "mark", "export", "remove"]
    assert sorted(asked("litrag runs resume ")) == ["forest-aa1111", "forest-bb2222", "meadow-cc3333"]
    assert asked("litrag runs resume forest-aa1111 ") == []
    assert asked("litrag library remove ") == ["woods"]
    assert asked("litrag search x --source a") == ["arxiv"]
    assert asked("litrag review a.txt --model local/") == [
        "local/tiny",
        f"local/base+{Path('mine/model').absolute()}",  # by where it lies, whatever it was called
        *local_files(),
    ]
    assert asked("litrag review a.txt --model recorded/my") == ["recorded/my papers.bib"]
    assert "openai/" in asked("litrag ask x --answer-model ")
    assert asked("litrag eval retrieval --dataset ")[0] == "acl"
    assert asked("litrag train reranker --dataset acl:train+acl:te") == ["acl:train+acl:test"]
    assert asked("litrag eval --method cov") == []
    assert asked("litrag setup SmolLM2-135M-Instruct all") == ["all-MiniLM-L6-v2"]
    assert asked("litrag nosuch ") == []
    assert asked("litrag review -- --") == []


def local_files() -> list[str]:
    return ["local/it's [1] $HOME.bib", "local/mine/", "local/my papers.bib", "local/shelf/"]


def test_an_option_that_was_given_is_not_offered_again_unless_it_may_be(asked: Asked) -> None:
    offered = asked("litrag review a.txt --papers 3 --source arxiv --")
    assert "--papers" not in offered
    assert {"--source", "--help", "--words"} <= set(offered)


def test_no_state_of_litrags_folder_breaks_completion(asked: Asked, home: Path) -> None:
    """What a shell's script prints stands in the middle of what the user types."""
    (home / "runs" / "forest-aa1111" / "status.json").write_text("[1]")
    (home / "runs" / "forest-bb2222" / "status.json").write_bytes(b"\xff\x00")
    (home / "libraries" / "woods" / "manifest.json").write_text("{")
    assert sorted(asked("litrag runs show f")) == ["forest-aa1111", "forest-bb2222"]
    assert asked("litrag library update ") == ["woods"]
    (home / "runs").rename(home / "away")
    (home / "runs").write_text("no folder")
    assert asked("litrag runs show ") == []
    assert answer("zsh", {"_TYPER_COMPLETE_ARGS": "litrag runs show "}, None) == "_files"
    assert answer("bash", {"COMP_WORDS": "litrag", "COMP_CWORD": "none"}, None) == ""


def test_what_zsh_runs_holds_nothing_that_a_name_could_make_it_run(asked: Asked, home: Path) -> None:
    (Path() / "';touch gone; $(touch gone)`touch gone`.bib").write_text("")
    told = answer("zsh", {"_TYPER_COMPLETE_ARGS": "litrag review a --library \"'"}, typer.main.get_command(app))
    assert told.startswith("local -a litrag_items; litrag_items=( $'\\x27\\x3btouch\\x20gone\\x3b\\x20\\x24\\x28touch")


@pytest.mark.parametrize(
    ("text", "words", "quote"),
    [
        ("litrag ", ("litrag", ""), ""),
        ("litrag a\\ b", ("litrag", "a b"), ""),
        ("litrag 'a b' \"c d", ("litrag", "a b", "c d"), '"'),
        ("litrag 'it'\\''s'", ("litrag", "it's"), ""),
        ("litrag '' x", ("litrag", "", "x"), ""),
        ("litrag a\\", ("litrag", "a"), ""),
    ],
)
def test_a_line_is_read_as_a_shell_reads_it(text: str, words: tuple[str, ...], quote: str) -> None:
    assert words_of(text) == (words, quote)


def test_completing_loads_nothing_heavy(asked: Asked) -> None:
    lines = ("litrag ", "litrag runs show ", "litrag review a --library ", "litrag review a --model ", "litrag setup ")
    lines += ("litrag eval retrieval --method ", "litrag eval retrieval --dataset ", "litrag rerank x --method ")
    lines += ("litrag train ", "litrag search x --source ", "litrag rewrite x --method ", "litrag review a --style ")
    script = (
        "import sys, typer; from litrag.cli.app import app; from litrag.cli.completing import answer\n"
        f"for line in {lines!r}: assert answer('fish', {{'_TYPER_COMPLETE_ARGS': line}}, typer.main.get_command(app)), line\n"
        "heavy = ('torch', 'transformers', 'sentence_transformers', 'dspy', 'litellm', 'langgraph', 'sklearn', 'numpy', 'pydantic', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def literal(name: str) -> tuple[Any, ...]:
    from litrag.core.settings import Settings

    return get_args(Settings.model_fields[name].annotation)


def test_choices_are_those_of_the_code() -> None:
    """A name that completion offers and a command refuses is worse than none."""
    from litrag.core.settings import Format, Profile
    from litrag.exports.styles import OWN_STYLES
    from litrag.pipelines import answer as asking
    from litrag.pipelines import reranked, reranking, searching
    from litrag.pipelines.snowballing import GRAPHS
    from litrag.training.config import TrainConfig

    fixed: dict[str, Any] = {name: literal(name) for name in ("agent", "writer", "unsupported", "retriever")}
    fixed |= {name: get_args(TrainConfig.model_fields[name].annotation) for name in ("tuning", "device")}
    fixed |= {"profile": get_args(Profile), "format": get_args(Format), "style": OWN_STYLES, "graph": GRAPHS}
    fixed |= {"ask agent": asking.AGENTS, "stop": asking.STOPS, "order": reranking._ORDERS, "scores": reranking._SCORES}
    fixed |= {"search format": searching.FORMATS, "rerank format": reranked.FORMATS}
    assert {name: tuple(values) for name, values in fixed.items()} == {
        name: values for name, values in choices.CLOSED.items() if name != "measure"
    }


def test_measures_that_are_offered_are_measures() -> None:
    import ir_measures

    assert [str(ir_measures.parse_measure(name)) for name in choices.CLOSED["measure"]] == list(
        choices.CLOSED["measure"]
    )


def test_splits_are_those_of_the_data_sets(data_dir: Path) -> None:
    from litrag.core.errors import BadInput
    from litrag.corpora import DATASETS, load
    from litrag.corpora.parts import _PARTS
    from litrag.corpora.questions import _TYPES

    assert set(choices.SPLITS) == {name for name in DATASETS if not name.startswith("trec")}
    for name in ("scifact", "acl", "acl-keyphrases"):
        with pytest.raises(BadInput, match="there is: " + ", ".join(choices.SPLITS[name])):
            load(f"{name}:nosuch")
    assert choices.SPLITS["canard"] == _PARTS
    assert choices.SPLITS["hotpotqa"] == (*_PARTS, *_TYPES)


def test_eval_methods_are_those_of_the_evals() -> None:
    from litrag.core import registry
    from litrag.evals import EVALS
    from litrag.evals.method_names import METHOD_NAMES

    assert {name: tuple(registry.find("eval", EVALS, name).methods) for name in EVALS} == METHOD_NAMES
