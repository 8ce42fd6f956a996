"""A reader's marks: kept with the run, shown in every export, taken back without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.csl import author_date
from fakes.shell import Here
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.errors import BadInput, UnknownName
from litrag.pipelines.exporting import edited, export_run, written_anew
from litrag.pipelines.marking import Mark, mark, read_marks
from litrag.pipelines.runs import Run, find_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    library = write_library(tmp_path / "forest.jsonl", papers()[:12])
    done = review(
        f"{TITLE}\n\n{ABSTRACT}",
        library=library,
        model="scripted/author",
        embed_model="none",
        papers=6,
        out=tmp_path / "out",
        backend=Author(),
        formats=("md", "html"),
    )
    return find_run(done.run_id)


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(run.request.out).iterdir()}


def test_a_mark_leaves_each_file_in_the_style_it_was_exported_in(run: Run) -> None:
    export_run(run, ["html"], style="numeric", force=True)
    key = json.loads(files(run)["evidence.json"])["evidence"][0]["key"]
    before = files(run)
    assert json.loads(before["run.json"])["styles"] == {"review.html": "numeric", "evidence.html": "numeric"}
    mark(run, key)
    written_anew(run)
    assert "unsupported" in files(run)["review.html"].decode()
    mark(run, key, wrong=False)
    written_anew(run)
    assert files(run) == before
    export_run(run, ["html"], force=True)
    assert json.loads(files(run)["run.json"])["styles"] == {}


def test_a_mark_is_kept_and_told_where_the_review_was_edited(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    assert edited(run) == ()
    review = Path(run.request.out) / "review.md"
    review.write_text(review.read_text() + "My own sentence.\n")
    assert edited(run) == ("review.md",)
    key = json.loads(files(run)["evidence.json"])["evidence"][0]["key"]
    code, out, err = litrag("runs", "mark", run.id, key)
    assert (code, out.partition(" in ")[0]) == (0, "marked"), err
    assert f"the files stay as they are; with the mark, elsewhere: litrag runs export {run.id} -f md -o DIR" in err
    assert "My own sentence." in review.read_text()
    code, _, err = litrag("runs", "export", run.id, "-f", "tex", "-o", "elsewhere")
    assert code == 0
    assert "not what was edited since in review.md" in err
    assert "marked as wrong" in (tmp_path / "elsewhere" / "review.tex").read_text()


def test_the_style_of_the_bibliography_is_not_that_of_the_text(run: Run) -> None:
    """review.tex and a bare export of references.bib share a file."""
    export_run(run, ["tex"], force=True)
    tex = files(run)["review.tex"]
    export_run(run, ["bib"], style="numeric", force=True)
    key = json.loads(files(run)["evidence.json"])["evidence"][0]["key"]
    for wrong in (True, False):
        mark(run, key, wrong=wrong)
        written_anew(run)
    assert files(run)["review.tex"] == tex


def test_a_csl_file_is_found_again_from_another_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export_run(run, ["html"], style=author_date(tmp_path).removeprefix(f"{tmp_path}/"), force=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    mark(run, json.loads(files(run)["evidence.json"])["evidence"][0]["key"])
    assert written_anew(run)


def test_a_marked_citation_shows_in_every_file_and_unmarking_restores_them(run: Run) -> None:
    before = files(run)
    claims = json.loads(before["evidence.json"])["claims"]
    number, key = next((n, c["keys"][0]) for n, c in enumerate(claims, start=1) if c["keys"])
    assert mark(run, key, sentence=number, note="It says the opposite.") == (number,)
    assert {path.name for path in written_anew(run)} == {
        "review.md",
        "references.bib",
        "review.html",
        "evidence.html",
        "evidence.json",
    }
    assert read_marks(run) == (Mark(number, key, "It says the opposite."),)
    after = files(run)
    assert b"(marked as wrong by a reader: " in after["review.md"]
    assert b"(marked" not in before["review.md"]
    assert b"(unsupported" not in after["review.md"]
    (verdict,) = (v for v in json.loads(after["evidence.json"])["claims"][number - 1]["verdicts"] if v["key"] == key)
    assert (verdict["label"], verdict["method"]) == ("unsupported", "reader")
    assert b"unsupported</span> (reader)" in after["evidence.html"]
    (docx,) = export_run(run, ["tex"])[:1]
    assert "marked as wrong by a reader: \\citet" in docx.read_text(encoding="utf-8")
    mark(run, key, wrong=False)
    written_anew(run)
    unmarked = files(run)
    assert {name: unmarked[name] for name in before if name != "run.json"} == {
        name: data for name, data in before.items() if name != "run.json"
    }


def test_only_what_is_cited_where_it_is_cited_can_be_marked(run: Run) -> None:
    claims = json.loads(files(run)["evidence.json"])["claims"]
    key = next(c["keys"][0] for c in claims if c["keys"])
    other = next(n for n, c in enumerate(claims, start=1) if key not in c["keys"])
    with pytest.raises(UnknownName, match="cited work"):
        mark(run, "nobody2020")
    with pytest.raises(BadInput, match=f"sentence {other} does not cite {key}"):
        mark(run, key, sentence=other)
    with pytest.raises(BadInput, match="at most 2000"):
        mark(run, key, note="x" * 2001)
    assert read_marks(run) == ()


def test_an_edited_review_is_not_written_over(run: Run) -> None:
    """The mark is kept; the user's words are, too."""
    text = Path(run.request.out) / "review.md"
    text.write_text(text.read_text(encoding="utf-8") + "My own words.\n", encoding="utf-8")
    key = next(c["keys"][0] for c in json.loads(files(run)["evidence.json"])["claims"] if c["keys"])
    mark(run, key)
    with pytest.raises(BadInput, match="edited"):
        written_anew(run)
    assert "My own words." in text.read_text(encoding="utf-8")
