"""The scripts of examples/: each runs as it stands, in any folder, without key or network, and prints what it is there to show."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all scripts, as a user has it: the library is indexed and embedded once."""
    return tmp_path_factory.mktemp("examples-home")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITRAG_HOME", str(shared_home))


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def test_each_of_the_ten_is_shorter_than_25_lines_and_says_what_it_does() -> None:
    assert len(SCRIPTS) == 10
    for name in SCRIPTS:
        lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) < 25, name
        assert lines[0].startswith('"""'), name


def test_a_script_runs_as_a_program() -> None:
    """`python examples/NAME.py` is what a user types; where it is called from does not matter."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "rewrite_a_query.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    blocks = done.stdout.split("\nconversational: ")
    assert blocks[1].endswith("    Which retrievers does CONQRR work with?\n")
    methods = [line.split(":")[0] for line in blocks[0].splitlines() if not line.startswith(" ")]
    assert methods == ["statistical", "keywords", "step-back", "decompose", "hyde"]


@pytest.mark.models
def test_first_review(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("first_review", capsys)
    assert out.startswith("# Related work")
    assert "12 papers cited, 12 citations supported" in out
    assert out.endswith("evidence.json, references.bib, review.md, run.json\n")


def test_review_with_a_budget(capsys: pytest.CaptureFixture[str]) -> None:
    """Its recorded replies are those of the recorded review: the same text comes out, within the budget."""
    out = printed("review_with_a_budget", capsys)
    recorded = (EXAMPLES / "recorded" / "budget" / "review.md").read_text(encoding="utf-8")
    paragraphs = [block for block in recorded.split("\n\n") if "](#ref-" in block]
    assert len(paragraphs) == 2
    assert all(paragraph in out for paragraph in paragraphs)
    assert out.endswith("done: 8 papers cited, 13 model calls, $0.0000\n")


@pytest.mark.models
def test_search_to_bibtex(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("search_to_bibtex", capsys)
    entries = Path("found.bib").read_text(encoding="utf-8")
    assert entries.count("\n@") + entries.startswith("@") == 5
    assert "CONQRR" in entries
    assert out.count("dense:all-MiniLM-L6-v2 0.") == 5


def test_ask_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    """The second hop must be there: the paper that is asked about does not hold the number."""
    out = printed("ask_a_question", capsys)
    assert "search 3: HotpotQA" in out
    assert "earlier models?\nabout 113 thousand\n" in out
    assert '    "We introduce HotpotQA, a question answering data set of about 113 thousand' in out


@pytest.mark.models
def test_rerank_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = printed("rerank_a_list", capsys).split("1 of 1 queries")
    assert len(blocks) == 5
    assert "(was 4)" in blocks[1]
    assert len({block.partition("\n")[2] for block in blocks[1:]}) > 1  # not all have the order of the first stage
    assert "0 model calls" in blocks[1]
    assert "8 model calls" in blocks[4]


@pytest.mark.models
def test_verify_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("verify_a_text", capsys)
    labels = [line.split()[0] for line in out.splitlines()[:6]]
    assert labels == ["supported", "unsupported", "unsupported", "unchecked", "unsupported", "missing"]
    assert "4 of 6 citations are at fault" in out


def test_edit_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """What was cut from the plan is not cited; what was left is."""
    plan, _, made = printed("edit_a_plan", capsys).partition("# Related work")
    first, second = (set(part.split("\n\n# ")[0].split("[@")[1:]) for part in plan.split("\n### ")[1:3])
    assert first
    assert second
    assert all(f"#ref-{entry.partition(']')[0]})" in made for entry in first)
    assert not any(f"#ref-{entry.partition(']')[0]})" in made for entry in second)


def test_export_a_review(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("export_a_review", capsys)
    files = {path.name for path in Path("exported-review").iterdir()}
    assert {"review.docx", "review.html", "evidence.html", "review.tex", "references.csl.json"} <= files
    assert r"\cite" in out


@pytest.mark.models
def test_evaluate_methods(capsys: pytest.CaptureFixture[str]) -> None:
    """A title finds its abstract among eighty mostly first, by words as by vectors."""
    out = printed("evaluate_methods", capsys)
    assert "40 topics" in out
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["bm25", "dense", "hybrid"]
    assert all(float(line.split()[1]) > 0.8 for line in out.splitlines()[2:5])
