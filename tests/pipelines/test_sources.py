"""Reviews over scholarly sources: whichever fails, and however, the review ends with what the others gave and says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.scholarly import APIS, FAULTS, Scholarly, scholarly
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.errors import NoEvidence
from litrag.core.events import Event
from litrag.core.types import Paper
from litrag.pipelines.api import Review, review_async

TEXT = f"{TITLE}\n\n{ABSTRACT}"
OTHERS = {
    "semantic-scholar": Paper(
        "s-1", "Smelling Dogs Trained", "We train dogs by smell in new woods.", ("S. Only",), 2003
    ),
    "openalex": Paper("o-1", "Drones Finding Mushrooms", "We fly drones over mushrooms.", ("O. Only",), 2004),
    "arxiv": Paper("a-1", "Trained Noses Finding Dogs", "We train noses of dogs.", ("A. Only",), 2005),
    "crossref": Paper("c-1", "Finding Trained Handlers", "We find handlers for dogs.", ("C. Only",), 2006),
}


@pytest.fixture
def server() -> Iterator[Scholarly]:
    with scholarly(papers()) as state:
        yield state


def options(server: Scholarly, **more: Any) -> dict[str, Any]:
    return {
        "sources": APIS,
        "source_urls": server.urls(),
        "source_intervals": dict.fromkeys(APIS, 0.0),
        "source_seconds": 20.0,
        "papers": 12,
        **more,
    }


def run_record(result: Review) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((result.folder / "run.json").read_text())
    return data


def evidence(result: Review) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((result.folder / "evidence.json").read_text())["evidence"]
    return rows


def test_all_sources_and_a_library_make_one_review_of_one_record_a_paper(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    library = write_library(tmp_path / "forest.jsonl", papers()[:20])
    result = review(TEXT, library=library, out=tmp_path / "out", **options(server))
    assert result.stop_reason == "done"
    titles = [item["paper"]["title"] for item in evidence(result)]
    assert len(titles) == len(set(titles)) == 12
    assert all(server.count(api) for api in APIS)
    given = {source for item in evidence(result) for source in item["paper"]["provenance"].values()}
    assert given & set(APIS)
    rows = run_record(result)["ledger"]["rows"]
    assert {row["model"] for row in rows if row["operation"] == "search"} == {"forest", *APIS}


def test_records_of_one_paper_merge_field_by_field_with_provenance(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    """arXiv knows the abstract and the id, the library the venue; one work is cited, and each field says whose it is."""
    work = Paper("w", TITLE.replace("Finding", "Locating Old"), "", ("Ada Ruiz",), 2004, "Forest Letters", "10.1000/w")
    server.papers = [replace(work, abstract="We train dogs to locate old mushrooms.", doi="", arxiv_id="0401.00001")]
    library = write_library(tmp_path / "forest.jsonl", [work])
    result = review(TEXT, library=library, out=tmp_path / "out", **options(server, sources=("arxiv",)))
    (item,) = evidence(result)
    paper = item["paper"]
    assert (paper["venue"], paper["arxiv_id"]) == ("arXiv", "0401.00001")
    assert item["passage"].endswith("We train dogs to locate old mushrooms.")
    assert (paper["provenance"]["abstract"], paper["provenance"]["doi"]) == ("arxiv", "forest")
    assert paper["provenance"]["arxiv_id"] == "arxiv"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", [*FAULTS, "bare", "twice"])
def test_each_source_fails_in_each_way_and_the_review_ends(
    api: str, fault: str, server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    server.papers = [*papers(), *OTHERS.values()]
    if fault in ("bare", "twice"):
        setattr(server, fault, True)
    else:
        server.faults = {api: fault}
    how = {"source_seconds": 2.0, "rewriter": "none"} if fault in FAULTS else {}
    start = time.monotonic()
    result = review(TEXT, library=(), out=tmp_path / "out", **options(server, **how))
    assert time.monotonic() - start < 120
    assert result.stop_reason == "done"
    assert result.papers == 12
    named = [warning for warning in run_record(result)["warnings"] if warning.startswith(f"source {api}: ")]
    assert bool(named) == (fault in FAULTS)
    others = {source for item in evidence(result) for source in item["paper"]["provenance"].values()}
    assert others <= set(APIS) - ({api} if fault in FAULTS else set())
    assert others


def test_a_source_that_stalls_ends_with_the_runs_time(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    """The run's own limit cuts a search that is under way; what the library gave is kept. The limit is what this machine takes with
    the library alone, and some more."""
    server.faults = dict.fromkeys(APIS, "stall")
    library = write_library(tmp_path / "forest.jsonl")
    start = time.monotonic()
    review(TEXT, library=library, out=tmp_path / "before", **options(server, sources=()))
    seconds = 3.0 + 2 * (time.monotonic() - start)
    start = time.monotonic()
    result = review(
        TEXT, library=library, out=tmp_path / "out", **options(server, source_seconds=600.0, max_seconds=seconds)
    )
    assert time.monotonic() - start < seconds + 50, "a source would have stalled for more than a minute"
    assert "seconds" in result.stop_reason
    assert result.papers == 12


def test_all_sources_failing_is_no_evidence_and_says_what_was_asked(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    server.faults = dict.fromkeys(APIS, "500")
    with pytest.raises(NoEvidence, match="no source answered: .*arxiv.*; .*semantic-scholar"):
        review(TEXT, library=(), out=tmp_path / "out", **options(server, source_seconds=1.0))


@pytest.mark.parametrize("deaf", [False, True])
def test_no_paper_after_the_date_cut_appears_whichever_source_gives_it(
    deaf: bool, server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    server.deaf = deaf
    cut = date(2004, 6, 1)
    days = (date(2004, 6, 1), date(2004, 12, 31), date(2009, 1, 1), date(2004, 7, 1))
    late = [replace(p, published=day, year=day.year) for p, day in zip(OTHERS.values(), days, strict=True)]
    server.papers = [
        *papers(),
        *late,
        replace(OTHERS["arxiv"], id="fine", title="Fine Dogs Trained", published=date(2004, 5, 31), year=2004),
    ]
    result = review(TEXT, library=(), out=tmp_path / "out", before=cut, **options(server, papers=100))
    cited = [item["paper"] for item in evidence(result)]
    assert "Fine Dogs Trained" in {paper["title"] for paper in cited}
    assert not {paper["title"] for paper in cited} & {paper.title for paper in late}
    assert all(paper["year"] <= 2003 or paper["title"] == "Fine Dogs Trained" for paper in cited)


def test_undated_papers_stay_with_a_warning_unless_dates_are_strict(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    undated = replace(OTHERS["openalex"], year=0)
    server.papers = [*papers()[:5], undated]
    more = options(server, sources=APIS[1:])
    loose = review(TEXT, library=(), out=tmp_path / "a", before=date(2012, 1, 1), **more)
    assert undated.title in {item["paper"]["title"] for item in evidence(loose)}
    assert any("without a date were kept" in warning for warning in run_record(loose)["warnings"])


def test_the_own_paper_never_comes_back_under_three_titles_and_two_versions(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    own = Paper("own", TITLE, ABSTRACT, ("My Self",), 2008, arxiv_id="0801.00001")
    titles = (TITLE, f"{TITLE.upper()}.", "Man's Best Friend and the Fungi of the Forest")
    server.papers = [
        *papers(),
        *(replace(own, id=f"own{i}", title=title, arxiv_id=f"0801.{i:05d}") for i, title in enumerate(titles)),
    ]
    server.twice = True  # arXiv gives two versions of everything
    result = review(TEXT, library=(), out=tmp_path / "out", **options(server, papers=100))
    cited = [item["paper"]["title"] for item in evidence(result)]
    assert len(cited) == len(set(cited))
    assert not set(cited) & set(titles)
    assert run_record(result)["counters"]["own"] == 2, "two of the titles are one"


def test_a_second_review_asks_nobody_and_replay_needs_nobody(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    first = review(TEXT, library=(), out=tmp_path / "a", **options(server))
    asked = len(server.asked)
    review(TEXT, library=(), out=tmp_path / "b", **options(server))
    assert len(server.asked) == asked, "kept for a week"
    server.faults = dict.fromkeys(APIS, "500")
    third = review(TEXT, library=(), out=tmp_path / "c", **options(server, replay=True, source_days=0.0))
    assert len(server.asked) == asked
    assert third.text.split("## References")[1] == first.text.split("## References")[1]


async def test_fifty_reviews_at_once_keep_the_rate_of_each_source(
    server: Scholarly, tmp_path: Path, no_weights: None
) -> None:
    """50 reviews with other texts, measured at the server, which is one host for all: a busy machine holds requests up, and lets none
    come before its turn."""
    interval = 0.05
    more = options(
        server, source_intervals=dict.fromkeys(APIS, interval), source_seconds=600.0, papers=5, rewriter="none"
    )

    searching: list[float] = []

    def listen(event: Event) -> None:
        if event.stage == "search":
            searching.append(time.monotonic())

    async def one(i: int) -> Review:
        text = f"Trained dogs number {i}\n\n{ABSTRACT}"
        return await review_async(text, library=(), out=tmp_path / f"r{i}", listen=listen, **more)

    results = await asyncio.gather(*(one(i) for i in range(50)))
    assert {result.stop_reason for result in results} == {"done"}
    times = sorted(asked.at for asked in server.asked)
    assert all(at - searching[0] >= turn * interval * 0.97 for turn, at in enumerate(times))
    for api in APIS:
        searches = [a for a in server.asked if a.api == api and not a.params.get("filter", "").startswith("doi:")]
        assert len(searches) == 50
    assert all(
        not run_record(result)["warnings"] or "no embedding" in run_record(result)["warnings"][0] for result in results
    )


def test_an_author_writes_over_sources(server: Scholarly, tmp_path: Path) -> None:
    models = {"model": "scripted/m", "embed_model": "scripted/e", "verify_model": "scripted/v"}
    result = review(TEXT, library=(), out=tmp_path / "out", backend=Author(), **models, **options(server))
    assert result.papers >= 5
    assert run_record(result)["ledger"]["calls"] > 3


def test_the_header_says_where_papers_were_found(server: Scholarly, tmp_path: Path, no_weights: None) -> None:
    online = review(TEXT, library=(), out=tmp_path / "online", **options(server, sources=("openalex", "arxiv")))
    assert "Papers were found at openalex and arxiv; every" in online.text.replace(
        "arxiv and openalex", "openalex and arxiv"
    )
    library = write_library(tmp_path / "forest.jsonl")
    both = review(TEXT, library=library, out=tmp_path / "both", **options(server, sources=("openalex",)))
    assert "Papers were found with BM25 in libraries, and at openalex; every" in both.text
