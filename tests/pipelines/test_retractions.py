"""Cited papers that were retracted: told of when asked for, nobody asked otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.scholarly import FAULTS, Scholarly, scholarly
from fakes.shell import Shell
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.types import Paper
from litrag.pipelines.api import Review

TEXT = f"{TITLE}\n\n{ABSTRACT}"
NOTICE = {"DOI": "10.1/n", "type": "retraction", "source": "retraction-watch"}
RETRACTED = {**NOTICE, "updated": {"date-parts": [[2012, 3, 4]]}}


def works() -> list[Paper]:
    """Eight papers with a publisher's DOI, one with arXiv's, one without."""
    some = [replace(paper, doi=f"10.1000/{paper.id}") for paper in papers()[::4]]
    return [*some[:8], replace(some[8], doi="10.48550/arXiv.0901.00001"), replace(some[9], doi="")]


@pytest.fixture
def server() -> Iterator[Scholarly]:
    with scholarly(works()) as state:
        state.registered = {work.doi: {"updated-by": [RETRACTED]} for work in works()[:1]}
        yield state


def made(server: Scholarly, folder: Path, **more: Any) -> Review:
    library = write_library(folder / "forest.jsonl", works())
    how = {"source_urls": server.urls(), "source_intervals": {"crossref": 0.0}, "source_seconds": 20.0, "papers": 10}
    return review(TEXT, library=library, out=folder / "out", **{**how, **more})


def record(result: Review) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((result.folder / "run.json").read_text())
    return data


def marks(result: Review) -> dict[str, str]:
    rows = json.loads((result.folder / "evidence.json").read_text())["evidence"]
    return {row["paper"]["doi"]: row["paper"]["retracted"] for row in rows if row["paper"]["retracted"]}


def test_a_cited_retraction_is_a_warning_and_a_mark(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """The review that cites it as if nothing had happened is what peer reviewers remember."""
    result = made(server, tmp_path, check_retractions=True)
    (warning,) = [text for text in record(result)["warnings"] if "retract" in text]
    assert works()[0].title in warning
    assert "10.1000/0-0): retraction of 2012-03-04, notice 10.1/n; leave it out with --exclude 10.1000/0-0" in warning
    assert marks(result) == {"10.1000/0-0": "retraction of 2012-03-04, notice 10.1/n"}
    counters = record(result)["counters"]
    assert (counters["dois_looked_up"], counters["retracted"]) == (8, 1), "neither arXiv's nor none"
    (asked,) = server.asked
    assert asked.params["filter"].count("doi:") == 8


def test_a_doi_that_nobody_registered_is_a_warning(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """A reference that does not exist is what reviewers of generated text look for first."""
    server.papers = [work for work in works() if work.doi and work.doi != "10.1000/0-4"]
    result = made(server, tmp_path, check_retractions=True)
    (warning,) = [text for text in record(result)["warnings"] if "registered nowhere" in text]
    assert "the DOI 10.1000/0-4 is registered nowhere" in warning
    assert record(result)["counters"]["dois_unknown"] == 1


def test_nobody_is_asked_unless_it_was_asked_for(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    result = made(server, tmp_path)
    assert server.asked == []
    assert marks(result) == {}
    assert "dois_looked_up" not in record(result)["counters"]


def test_crossref_as_a_source_is_asked_about_retractions(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    assert "10.1000/0-0" in marks(made(server, tmp_path, sources=("crossref",)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_look_up_is_a_warning(fault: str, server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """An outage must not read as good standing, nor cost the review."""
    server.faults = {"crossref": fault}
    result = made(server, tmp_path, check_retractions=True, source_seconds=1.0)
    assert result.stop_reason == "done"
    (warning,) = [text for text in record(result)["warnings"] if "retractions were not checked: Crossref" in text]
    assert "\n" not in warning
    assert marks(result) == {}
    assert "retracted" not in record(result)["counters"]


def test_a_look_up_ends_with_the_runs_time(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """The time is what this machine takes up to the look-up, and some more."""
    server.faults = {"crossref": "stall"}
    (tmp_path / "before").mkdir()
    start = time.monotonic()
    made(server, tmp_path / "before")
    seconds = 2.0 + 2 * (time.monotonic() - start)
    result = made(server, tmp_path, check_retractions=True, source_seconds=600.0, max_seconds=seconds)
    assert any("retractions were not checked: the run's time is up" in text for text in record(result)["warnings"])
    assert result.papers


def test_the_option_of_the_command_and_doctor(server: Scholarly, tmp_path: Path, home: Path, no_weights: None) -> None:
    litrag = Shell(tmp_path, home)
    litrag.env |= {"LITRAG_SOURCE_URLS": json.dumps(server.urls()), "LITRAG_CHECK_RETRACTIONS": "true"}
    _, told, _ = litrag("doctor")
    (line,) = [line for line in told.splitlines() if line.startswith("source    crossref")]
    assert line.endswith("needs no key; DOIs of cited papers are sent there")
    del litrag.env["LITRAG_CHECK_RETRACTIONS"]
    write_library(tmp_path / "forest.jsonl", works())
    (tmp_path / "abstract.txt").write_text(TEXT, encoding="utf-8")
    code, _, err = litrag("review", "abstract.txt", "--library", "forest.jsonl", "--check-retractions")
    assert code == 0
    assert "retraction of 2012-03-04, notice 10.1/n" in err


def test_an_id_that_arxiv_does_not_know_is_a_warning(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """Of two ids in the user's own library arXiv has one; nobody is asked where arXiv is not among the sources."""
    library = [
        *works()[:8],
        replace(works()[8], doi="", arxiv_id="0901.00001"),
        replace(works()[9], arxiv_id="0901.00002"),
    ]
    server.papers = [work for work in library if work.arxiv_id != "0901.00002"]
    path = write_library(tmp_path / "own.jsonl", library)
    how: dict[str, Any] = {"source_urls": server.urls(), "source_intervals": {"arxiv": 0.0}, "papers": 10}
    asked = review(TEXT, library=path, sources=("arxiv",), out=tmp_path / "asked", **how)
    told = [text for text in record(asked)["warnings"] if "arXiv has no" in text]
    assert len(told) == 1, told
    assert "arXiv has no 0901.00002; check the reference" in told[0]
    rows = json.loads((asked.folder / "evidence.json").read_text())["evidence"]
    own = [p for p in (row["paper"] for row in rows) if p["arxiv_id"] and "arxiv" not in p["provenance"].values()]
    assert asked.counters["arxiv_looked_up"] == len(own) >= 1, "what arXiv gave itself is not asked for again"
    assert asked.counters["arxiv_unknown"] == 1
    silent = review(TEXT, library=path, out=tmp_path / "silent", **how)
    assert "arxiv_looked_up" not in silent.counters


def test_a_text_is_checked_for_works_that_fell_or_never_were(server: Scholarly, tmp_path: Path, home: Path) -> None:
    known = [
        f"@article{{w{n}, title={{{work.title}}}, doi={{{work.doi}}}, year=2001}}" for n, work in enumerate(works()[:2])
    ]
    nowhere = "@article{lie, title={A work that was never written}, doi={10.1000/never}, year=2001}"
    (tmp_path / "refs.bib").write_text("\n".join([*known, nowhere]))
    (tmp_path / "text.md").write_text("One says so [@w0]. Another does [@w1]. A third, too [@lie].")
    litrag = Shell(tmp_path, home)
    litrag.env |= {
        "LITRAG_SOURCE_URLS": json.dumps(server.urls()),
        "LITRAG_SOURCE_INTERVALS": json.dumps({"crossref": 0.0}),
        "LITRAG_SUPPORT": "none",
    }
    asked = ("--json", "verify", "text.md", "--bib", "refs.bib")
    code, out, err = litrag(*asked)
    assert (code, json.loads(out)["faults"]) == (0, 0), err
    assert server.asked == []
    code, out, err = litrag(*asked, "--check-retractions")
    assert (code, json.loads(out)["faults"]) == (1, 2), err
    told = "\n".join(json.loads(out)["warnings"])
    assert "10.1000/never is registered nowhere" in told
    assert f'w0 ("{works()[0].title}"' in told
    assert "w1 (" not in told
