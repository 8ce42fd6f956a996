"""A review that waits: at its papers and at its plan, each a file to edit, and goes on from there in any process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.scholarly import APIS, crossref_doi, scholarly
from fakes.texts import ABSTRACT, TITLE, papers, write_library
from typer.testing import CliRunner

from litrag import resume, review
from litrag.core.errors import BadInput, Waiting
from litrag.core.types import Paper
from litrag.exports.evidence import EvidenceFile
from litrag.pipelines.api import Review
from litrag.pipelines.pausing import papers_markdown, read_papers
from litrag.pipelines.runs import find_run

TEXT = f"{TITLE}\n\n{ABSTRACT}"
MODELS: dict[str, Any] = {"model": "scripted/m", "embed_model": "scripted/e"}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "forest.jsonl")


def waits(library: Path, out: Path, **options: Any) -> Waiting:
    with pytest.raises(Waiting) as pause:
        review(TEXT, library=library, out=out, **{"papers": 8, **options})
    assert find_run(pause.value.run_id).state()[0] == "waiting"
    return pause.value


def cited(result: Review) -> set[str]:
    file = EvidenceFile.model_validate_json((result.folder / "evidence.json").read_text())
    return {item.key for item in file.evidence}


def test_papers_are_dropped_kept_and_added_and_the_review_goes_on(
    library: Path, tmp_path: Path, no_weights: None
) -> None:
    pause = waits(library, tmp_path / "out", pause=("papers",))
    file = Path(pause.file)
    lines = file.read_text().splitlines()
    chosen = [line for line in lines if line.startswith("- [x]")]
    others = [line for line in lines if line.startswith("- [ ]")]
    assert (len(chosen), len(others)) == (8, 30)
    dropped, taken = chosen[0], others[3]
    text = file.read_text().replace(dropped, dropped.replace("[x]", "[ ]")).replace(taken, taken.replace("[ ]", "[x]"))
    file.write_text(text)
    result = resume(pause.run_id)
    key = lambda line: line.split("@")[1].split(":")[0]  # noqa: E731
    assert cited(result) == {key(line) for line in chosen[1:]} | {key(taken)}
    assert result.counters["selected"] == 8


def test_the_plan_is_edited_and_followed(library: Path, tmp_path: Path) -> None:
    author = Author()
    pause = waits(library, tmp_path / "out", pause=("plan",), backend=author, **MODELS)
    before = len(author.requests)
    file = Path(pause.file)
    planned = [line for line in file.read_text().splitlines() if line.startswith("- ") and "[@" in line]
    first = planned[0].split("[")[1].split("]")[0]
    file.write_text(f"## Only this\n\n### one thing\n\n- describe [{first}]\n")
    author = Author()
    result = resume(pause.run_id, backend=author)
    assert cited(result) == {name.strip(" @") for name in first.split(";")}
    assert "## Only this" in result.text
    assert {request.role for request in author.requests} <= {"write", "verify", "embed"}
    assert before > 0
    assert file.read_text().startswith("## Only this"), "what a user wrote is never written over"


def test_a_slip_in_the_file_leaves_the_review_where_it_was(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("plan",))
    file = Path(pause.file)
    right = file.read_text()
    for wrong, told in (("### x\n- y [@nobody]\n", "line 2: no paper"), ("just words\n", "no part of a plan")):
        file.write_text(wrong)
        with pytest.raises(BadInput, match=told) as error:
            resume(pause.run_id)
        assert find_run(pause.run_id).state() == ("waiting", str(error.value)), "what it waits for is that file, mended"
    file.write_text(right)
    assert len(cited(resume(pause.run_id))) == 8


def test_both_pauses_come_one_after_the_other(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("papers", "plan"))
    assert Path(pause.file).name == "papers.md"
    with pytest.raises(Waiting) as second:
        resume(pause.run_id)
    assert Path(second.value.file).name == "plan.md"
    assert len(cited(resume(pause.run_id))) == 8


def test_another_process_goes_on(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("plan",))
    code = "import sys; from litrag import resume; print(resume(sys.argv[1]).papers)"
    done = subprocess.run([sys.executable, "-c", code, pause.run_id], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "8", done.stderr[-2000:]


def test_the_edited_plan_of_another_run_is_not_written_over(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("plan",))
    Path(pause.file).write_text("mine")
    with pytest.raises(BadInput, match="of another run and may have been edited"):
        review(TEXT, library=library, out=tmp_path / "out", papers=8, pause=("plan",))
    assert Path(pause.file).read_text() == "mine"


def test_a_paper_that_nobody_here_knows_needs_a_source(library: Path, tmp_path: Path, no_weights: None) -> None:
    """A line with a DOI is a wish to go online; a review that was started offline must not do so."""
    pause = waits(library, tmp_path / "out", pause=("papers",))
    file = Path(pause.file)
    file.write_text(file.read_text() + "- https://doi.org/10.1000/XYZ\n")
    with pytest.raises(BadInput, match="10.1000/xyz is not among the papers found, and this review asks nobody online"):
        resume(pause.run_id)


def test_a_paper_is_added_by_its_doi_from_the_pool_and_from_online(
    tmp_path: Path, no_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one was found and not chosen, the other nobody here has."""
    known = [replace(paper, doi=f"10.7777/{paper.id}") for paper in papers()]
    library = write_library(tmp_path / "forest.jsonl", known)
    far = Paper("far-1", "Truffle Hounds of the North", "Hounds find truffles under snow.", ("B. Aker",), 2003)
    with scholarly([far]) as server:
        monkeypatch.setenv("LITRAG_SOURCE_URLS", json.dumps(server.urls()))
        monkeypatch.setenv("LITRAG_SOURCE_INTERVALS", json.dumps(dict.fromkeys(APIS, 0.01)))
        pause = waits(library, tmp_path / "out", pause=("papers",), sources=("crossref",))
        file = Path(pause.file)
        left_out = [line for line in file.read_text().splitlines() if line.startswith("- [ ]")][5]
        key = left_out.split("@")[1].split(":")[0]
        named = next(paper for paper in known if paper.title in left_out)
        file.write_text(f"{file.read_text()}- https://doi.org/{named.doi}\n- doi:{crossref_doi(far).upper()}\n")
        result = resume(pause.run_id)
    assert {key} < cited(result)
    assert result.counters["selected"] == 10
    assert "Truffle Hounds of the North" in result.text
    assert "Hounds find truffles under snow" in (result.folder / "evidence.json").read_text()


def test_a_plan_given_from_the_start_is_followed(library: Path, tmp_path: Path, no_weights: None) -> None:
    plan = tmp_path / "mine.md"
    plan.write_text(
        "## Noses\n### dogs trained with rewards for smells\n## Wings\n### aerial pictures taken by drones\n"
    )
    result = review(TEXT, library=library, out=tmp_path / "out", papers=12, plan=plan)
    assert "## Noses" in result.text
    assert "## Wings" in result.text
    plan.write_text("no plan\n")
    with pytest.raises(BadInput, match=r"mine.md, line 1: .no plan. is no part of a plan"):
        review(TEXT, library=library, out=tmp_path / "other", plan=plan)


def test_the_command_line_stops_at_the_plan_and_says_how_to_go_on(
    library: Path, tmp_path: Path, no_weights: None
) -> None:
    from litrag.cli.app import app

    abstract = tmp_path / "a.txt"
    abstract.write_text(TEXT)
    out = str(tmp_path / "o")
    found = CliRunner().invoke(
        app, ["--json", "-q", "review", str(abstract), "--library", str(library), "-o", out, "--plan-only"]
    )
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["waiting_for"] == str(tmp_path / "o" / "plan.md")
    done = CliRunner().invoke(app, ["--json", "-q", "runs", "resume", told["run_id"]])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["papers"] > 0


def test_a_waiting_run_takes_what_was_edited_to_another_folder(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("plan",))
    file = Path(pause.file)
    first = next(line for line in file.read_text().splitlines() if "[@" in line).split("[")[1].split("]")[0]
    file.write_text(f"### one thing\n- describe [{first}]\n")
    find_run(pause.run_id).redirect(str(tmp_path / "new"), force=False)
    result = resume(pause.run_id)
    assert result.folder == tmp_path / "new"
    assert cited(result) == {name.strip(" @") for name in first.split(";")}


def test_what_was_not_set_when_it_began_is_not_taken_from_todays_environment(
    library: Path, tmp_path: Path, no_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyless review that is resumed from another shell must not send the user's text to the model that is set there."""
    pause = waits(library, tmp_path / "out", pause=("plan",))
    monkeypatch.setenv("LITRAG_MODEL", "openai/gpt-4o")
    monkeypatch.setenv("LITRAG_WORDS", "40")
    result = resume(pause.run_id)
    assert "without a language model" in result.text
    assert result.papers == 8


def test_nothing_edited_counts_as_nothing_dropped(library: Path, tmp_path: Path, no_weights: None) -> None:
    pause = waits(library, tmp_path / "out", pause=("papers",))
    text = Path(pause.file).read_text()
    Path(pause.file).write_text(f"{text}\n- [ ] 10.1000/xyz\n")
    counters = resume(pause.run_id).counters
    assert (counters["dropped_by_user"], counters["added_by_user"]) == (0, 0)


def test_a_plan_may_name_a_paper_of_the_pool_by_its_doi(tmp_path: Path, no_weights: None) -> None:
    from dataclasses import replace

    works = [replace(paper, doi=f"10.1000/{paper.id}") for paper in papers()[:12]]
    library = write_library(tmp_path / "forest.jsonl", works)
    plan = tmp_path / "mine.md"
    plain = review(TEXT, library=library, out=tmp_path / "plain", papers=3)
    beyond = next(p for p in works if p.doi not in (plain.folder / "references.bib").read_text())
    plan.write_text(f"### dogs\n- describe [{beyond.doi}]\n")
    result = review(TEXT, library=library, out=tmp_path / "out", papers=3, plan=plan)
    assert beyond.doi in (result.folder / "references.bib").read_text()
    assert result.papers == 1


OFFERED = {p.id.replace("-", "x"): p for p in papers()[:4]}


def test_the_file_of_papers_reads_back() -> None:
    text = papers_markdown(list(OFFERED)[:2], OFFERED, title="T", then="litrag runs resume x")
    assert read_papers(text, OFFERED) == (tuple(OFFERED)[:2], ())
    more = f"{text}\n10.1000/Abc\n- arXiv:2401.00001\n* [x] https://doi.org/10.5/Q\n"
    assert read_papers(more, OFFERED)[1] == ("10.1000/abc", "2401.00001", "10.5/q")
    assert read_papers("- [x] @nobody: X\n- [ ] @noone: Y\n- @li2021fog\n", OFFERED) == ((), ("nobody", "li2021fog"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- [ ] @0x0: X\n", "no paper is checked"),
        ("# T\n\nsome words\n", 'line 3: "some words" is neither'),
    ],
)
def test_a_slip_in_the_papers_is_told_by_its_line(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_papers(text, OFFERED)


def test_keys_of_what_is_added_are_their_own() -> None:
    from litrag.core.names import citation_keys

    taken = {"kim2020soil"}
    assert citation_keys([Paper("x", "Soil", "", ("A. Kim",), 2020)], taken) == {"x": "kim2020soil-a"}


def test_a_plan_may_name_by_its_owners_key_what_was_found_and_not_chosen(tmp_path: Path, no_weights: None) -> None:
    known = [replace(paper, key=f"own{n}") for n, paper in enumerate(papers())]
    bib = "\n".join(
        f"@article{{{p.key}, title={{{p.title}}}, author={{{' and '.join(p.authors)}}}, year={{{p.year}}}, abstract={{{p.abstract}}}}}"
        for p in known
    )
    (tmp_path / "mine.bib").write_text(bib)
    pause = waits(tmp_path / "mine.bib", tmp_path / "out", pause=("plan",), papers=5)
    file = Path(pause.file)
    chosen = set(re.findall(r"@(own\d+)", file.read_text()))
    other = next(p.key for p in known if p.key not in chosen)
    file.write_text(f"## One\n\n### mine\n\n- describe [@{other}]\n- compare [@{min(chosen)}]\n")
    result = resume(pause.run_id)
    assert cited(result) == {other, min(chosen)}


def test_a_paper_of_the_library_that_was_not_found_goes_by_the_key_that_a_bibliography_gives_it(
    library: Path, tmp_path: Path, no_weights: None
) -> None:
    far = Paper("far-1", "Truffle Hounds of the North", "Quiet hills.", ("B. Aker",), 2003)
    whole = write_library(tmp_path / "whole.jsonl", [*papers(), far])
    pause = waits(whole, tmp_path / "papers", pause=("papers",))
    file = Path(pause.file)
    assert "Truffle Hounds" not in file.read_text()
    file.write_text(file.read_text() + "- @aker2003truffle\n")
    assert "aker2003truffle" in cited(resume(pause.run_id))
    pause = waits(whole, tmp_path / "plan", pause=("plan",), papers=5)
    chosen = min(re.findall(r"- @(\w+):", Path(pause.file).read_text()))
    Path(pause.file).write_text(f"## One\n\n### mine\n\n- describe [@far-1]\n- compare [@{chosen}]\n")
    assert cited(resume(pause.run_id)) == {"aker2003truffle", chosen}
    pause = waits(library, tmp_path / "none", pause=("papers",))
    Path(pause.file).write_text(Path(pause.file).read_text() + "- [x] @aker2003truffle\n")
    with pytest.raises(BadInput, match='no paper "@aker2003truffle" was found, and no library of this review has it'):
        resume(pause.run_id)


def test_few_that_are_near_and_titles_without_abstracts_are_told_of(tmp_path: Path) -> None:
    bare = [replace(paper, abstract="") if n < 2 else paper for n, paper in enumerate(papers()[:8])]
    result = review(
        TEXT, library=write_library(tmp_path / "a.jsonl", bare), out=tmp_path / "a", papers=8, embed_model=None
    )
    told = json.loads((result.folder / "run.json").read_text())["warnings"]
    (line,) = [line for line in told if "have no abstract" in line]
    assert line.startswith("2 of 8 papers to cite have no abstract and are known by their titles alone: ")
