"""Formats and styles of a review: asked for with the review, or written later from its run."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from fakes.csl import author_date
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.errors import BadInput, UnknownName
from litrag.pipelines.api import Review
from litrag.pipelines.exporting import export_run
from litrag.pipelines.runs import find_run, list_runs

pytestmark = pytest.mark.usefixtures("no_weights")


def run(tmp_path: Path, **options: object) -> Review:
    library = write_library(tmp_path / "forest.jsonl")
    return review(f"{TITLE}\n\n{ABSTRACT}", library=library, out=tmp_path / "out", papers=6, **options)


def vouched(folder: Path) -> dict[str, str]:
    files: dict[str, str] = json.loads((folder / "run.json").read_text())["files"]
    return files


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_review_writes_the_formats_asked_for_and_vouches_for_them(tmp_path: Path) -> None:
    result = run(tmp_path, formats=("docx", "html"), style="numeric")
    files = vouched(result.folder)
    assert set(files) == {"review.md", "references.bib", "evidence.json", "review.docx", "review.html", "evidence.html"}
    assert all(sha(result.folder / name) == known for name, known in files.items())
    assert r"\[[1](#ref-" in result.text or "[1]](#ref-" in result.text.replace("\\", "")


def test_the_keys_of_a_bibliography_of_one_s_own_are_those_of_every_export(tmp_path: Path) -> None:
    """The text is pasted into a paper whose .bib is there already."""
    own = {paper.id: f"DBLP:{paper.id}_{n}/abs-1706-0376{n}" for n, paper in enumerate(papers())}
    rows = (
        f'{{"id": "{p.id}", "key": "{own[p.id]}", "title": "{p.title}", "abstract": "{p.abstract}"}}' for p in papers()
    )
    library = tmp_path / "own.jsonl"
    library.write_text("\n".join(rows))
    done = review(f"{TITLE}\n\n{ABSTRACT}", library=library, out=tmp_path / "out", papers=6, formats=("tex", "html"))
    verdicts = [
        v for claim in json.loads((done.folder / "evidence.json").read_text())["claims"] for v in claim["verdicts"]
    ]
    assert len(verdicts) > 3
    assert all(verdict["label"] == "supported" for verdict in verdicts), "digits of a key are no numbers of the text"
    cited = set(re.findall(r"@\w+\{([^,]+),", (done.folder / "references.bib").read_text()))
    assert len(cited) > 3
    assert cited <= set(own.values())
    told = re.findall(r"\\cite[pt]\{([^}]+)\}", (done.folder / "review.tex").read_text())
    assert {key for group in told for key in group.split(",")} == cited
    page = (done.folder / "review.html").read_text()
    assert all(f'href="#ref-{key}"' in page and f'id="ref-{key}"' in page for key in cited)


def test_a_style_that_is_not_there_is_found_before_anything_is_spent(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such citation style"):
        run(tmp_path, style=str(tmp_path / "gone.csl"))
    (only,) = list_runs()
    assert not only.database.exists()


def test_an_unknown_format_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"formats\.0.*'docx'"):
        run(tmp_path, formats=("pdf",))


def test_the_same_review_in_another_format_may_be_written_over_it(tmp_path: Path) -> None:
    run(tmp_path)
    again = run(tmp_path, formats=("ris",), style="numeric")
    assert "references.ris" in vouched(again.folder)


def test_no_format_of_an_earlier_review_stays_beside_a_new_one(tmp_path: Path) -> None:
    """A review.docx of last week would be sent for the text of today."""
    run(tmp_path, formats=("docx", "ris"))
    (tmp_path / "out" / "references.ris").write_text("edited")
    again = run(tmp_path, force=True)
    assert not (again.folder / "review.docx").exists()
    assert (again.folder / "references.ris").read_text() == "edited"


def test_a_file_that_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    """Someone's own review.docx lies in the folder."""
    run(tmp_path)
    (tmp_path / "out" / "review.docx").write_text("mine")
    with pytest.raises(BadInput, match=r"review\.docx is not of litrag's making"):
        run(tmp_path, formats=("docx",))


def test_a_finished_run_is_written_in_more_formats_without_a_call(tmp_path: Path) -> None:
    result = run(tmp_path)
    done = find_run(result.run_id)
    paths = export_run(done, ("docx", "html"), style=author_date(tmp_path))
    assert [path.name for path in paths] == ["review.docx", "review.html", "evidence.html"]
    assert all(vouched(result.folder)[path.name] == sha(path) for path in paths)
    assert [path.parent for path in export_run(done, ("md",), out=str(tmp_path / "x"))] == [tmp_path / "x"]
    assert (tmp_path / "x" / "review.md").read_text() == result.text


def test_an_export_keeps_what_was_edited(tmp_path: Path) -> None:
    result = run(tmp_path, formats=("docx",))
    (result.folder / "review.docx").write_bytes(b"edited")
    with pytest.raises(BadInput, match="was edited since"):
        export_run(find_run(result.run_id), ("docx",))
    export_run(find_run(result.run_id), ("docx",), force=True)
    assert vouched(result.folder)["review.docx"] == sha(result.folder / "review.docx")


def test_an_unfinished_run_and_an_unknown_format_cannot_be_exported(tmp_path: Path) -> None:
    done = find_run(run(tmp_path).run_id)
    with pytest.raises(UnknownName, match="no format named 'pdf'"):
        export_run(done, ("pdf",))
    done.mark("running", "write")
    with pytest.raises(BadInput, match="holds no finished review"):
        export_run(done, ("md",))
