"""arXiv, Semantic Scholar, OpenAlex and Crossref against their shapes on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fakes.scholarly import APIS, FAULTS, Scholarly, scholarly
from fakes.texts import ABSTRACT, TITLE, papers
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import SourceRefused, UnknownName
from litrag.core.settings import Settings
from litrag.core.types import Paper, Query
from litrag.retrievers.sources import SOURCES, online_sources
from litrag.retrievers.sources.arxiv import search_query
from litrag.retrievers.sources.online import words_of
from litrag.retrievers.sources.web import Web

EXACT = Paper(
    "x1",
    "Truffle Hounds: 50% & More",
    "Hounds find truffles. They dig.",
    ("Ada Ruiz", "Bo Lin"),
    2005,
    "Forest Letters",
    "10.1000/x1",
    "0503.12345",
    published=date(2005, 3, 9),
)
SPEED = {"source_intervals": dict.fromkeys(APIS, 0.0), "source_seconds": 30.0}


@pytest.fixture
def server() -> Iterator[Scholarly]:
    with scholarly([*papers(), EXACT]) as state:
        yield state


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path / "web.sqlite")
    yield made
    made.close()


def source(name: str, server: Scholarly, web: Web, **settings: Any) -> Any:
    (made,) = online_sources([name], Settings(source_urls=server.urls(), **{**SPEED, **settings}), web)
    return made


@pytest.mark.parametrize("name", APIS)
async def test_a_record_keeps_all_its_facts(name: str, server: Scholarly, web: Web) -> None:
    result = await source(name, server, web).search(Query("truffle hounds"), 1)
    (paper,) = result.papers
    assert paper.title == EXACT.title
    assert paper.abstract == EXACT.abstract
    assert paper.authors == EXACT.authors
    assert (paper.year, paper.doi, paper.arxiv_id) == (2005, "10.1000/x1", "0503.12345")
    assert paper.published == EXACT.published
    assert paper.venue == ("arXiv" if name == "arxiv" else "Forest Letters")
    assert (result.source, result.warnings) == (name, ())
    assert [(s.source, s.rank) for s in result.scores[0]] == [(name, 1)]


@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("deaf", [False, True])
async def test_no_paper_after_the_cut_comes_back(name: str, deaf: bool, server: Scholarly, web: Web) -> None:
    """Also from a server that ignores the date. A year counts as its 31 December."""
    server.deaf = deaf
    result = await source(name, server, web).search(Query("soil moisture truffle hounds", before=date(2005, 3, 9)), 100)
    assert result.papers
    assert max(paper.year for paper in result.papers) == 2004
    later = await source(name, server, web).search(Query("soil moisture truffle hounds", before=date(2005, 3, 10)), 100)
    assert {paper.title for paper in later.papers if paper.year == 2005} == {EXACT.title}, (
        "its day is known, the others' is not"
    )


@pytest.mark.parametrize("name", APIS[1:])
async def test_a_paper_without_a_date_stays(name: str, server: Scholarly, web: Web) -> None:
    server.papers = [replace(EXACT, year=0, published=None)]
    (paper,) = (await source(name, server, web).search(Query("truffle", before=date(2000, 1, 1)), 5)).papers
    assert paper.latest_date is None


@pytest.mark.parametrize("name", APIS)
async def test_papers_given_twice_and_without_abstract(name: str, server: Scholarly, web: Web) -> None:
    server.twice = server.bare = True
    result = await source(name, server, web).search(Query("soil moisture"), 20)
    assert len({paper.id for paper in result.papers}) == len(result.papers) >= 10
    assert {paper.abstract for paper in result.papers} == {""}


@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_failure_is_a_warning_that_names_the_source(
    name: str, fault: str, server: Scholarly, web: Web
) -> None:
    server.faults = {name: fault}
    result = await asyncio.wait_for(source(name, server, web, source_seconds=1.0).search(Query("dogs"), 5), 120)
    assert result.papers == ()
    (warning,) = result.warnings
    assert warning.startswith(f"source {name}: ")
    assert "\n" not in warning


async def test_openalex_tells_no_credits_from_too_fast(server: Scholarly, web: Web) -> None:
    server.credits = 0
    result = await source("openalex", server, web).search(Query("dogs"), 5)
    assert "no credits left for 2.0 hours; a free key gives more (OPENALEX_API_KEY)" in result.warnings[0]
    assert server.count("openalex") == 1, "no other try"
    server.credits, server.faults, server.times = 10, {"openalex": "429"}, 1
    result = await source("openalex", server, web).search(Query("drones"), 5)
    assert result.warnings == ()
    assert server.count("openalex") == 3, "too fast: tried again"


async def test_a_title_goes_to_the_servers_and_keys_come_from_the_environment(
    server: Scholarly, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2_API_KEY", "k1")
    monkeypatch.setenv("OPENALEX_API_KEY", "k2")
    query = Query(f"{TITLE}\n{ABSTRACT}", before=date(2006, 1, 1))
    for name in APIS:
        await source(name, server, web).search(query, 5)
    arxiv, s2, openalex, crossref = server.asked
    assert (
        arxiv.params["search_query"]
        == "(all:Finding AND all:Mushrooms AND all:Trained AND all:Dogs) AND submittedDate:[199101010000 TO 200512312359]"
    )
    assert (s2.params["query"], s2.params["publicationDateOrYear"]) == ("Finding Mushrooms Trained Dogs", ":2005-12-31")
    assert s2.headers["x-api-key"] == "k1"
    assert openalex.params["filter"] == "to_publication_date:2005-12-31"
    assert openalex.params["api_key"] == "k2"
    assert "x-api-key" not in openalex.headers
    assert crossref.params["query.bibliographic"] == "Finding Mushrooms Trained Dogs"
    assert crossref.params["filter"] == "until-pub-date:2005-12-31"


async def test_semantic_scholars_other_calls(server: Scholarly, web: Web) -> None:
    server.cites = {"x1": ["0-0", "0-1"], "1-0": ["x1"]}
    s2 = source("semantic-scholar", server, web)
    (x1,) = (await s2.search(Query("truffle hounds"), 1)).papers
    cited = (await s2.references([x1.id]))[x1.id]
    assert [paper.title for paper in cited] == ["Dog Training in Practice, Part 0", "Dog Training in Practice, Part 1"]
    assert [p.title for p in (await s2.citations([x1.id]))[x1.id]] == ["Drone Imaging in Practice, Part 0"]
    found = await s2.papers([x1.id, "unknown", *(p.id for p in cited)])
    assert set(found) == {x1.id, *(p.id for p in cited)}
    assert found[x1.id] == x1
    assert len(await s2.recommendations([cited[0].id], 4)) == 4
    bulk = await s2.bulk(Query("soil moisture"), 8)
    assert len(bulk.papers) == 8
    assert sum("bulk" in asked.path for asked in server.asked) == 3, "three a page here"
    with pytest.raises(SourceRefused, match="Semantic Scholar answered 404"):
        await s2.references(["s2:unknown"])


async def test_more_than_500_ids_are_several_batches(server: Scholarly, web: Web) -> None:
    assert await source("semantic-scholar", server, web).papers([f"n{i}" for i in range(1001)]) == {}
    assert [len(asked.body["ids"]) for asked in server.asked] == [500, 500, 1]


async def test_openalexs_citation_graph(server: Scholarly, web: Web) -> None:
    server.cites = {"x1": ["0-0", "0-1"], "1-0": ["x1"]}
    openalex = source("openalex", server, web)
    (x1,) = (await openalex.search(Query("truffle hounds"), 1)).papers
    assert len((await openalex.references([x1.id]))[x1.id]) == 2
    assert [p.title for p in (await openalex.citations([x1.id]))[x1.id]] == ["Drone Imaging in Practice, Part 0"]


async def test_many_arxiv_searches_at_once_do_not_block_each_other(server: Scholarly, web: Web) -> None:
    """Each holds a thread while its page waits for one: with one pool for both all would wait for ever."""
    arxiv = source("arxiv", server, web)
    results = await asyncio.wait_for(asyncio.gather(*(arxiv.search(Query(f"soil map {i}"), 3) for i in range(40))), 120)
    assert all(len(result.papers) == 3 for result in results)
    arxiv.close()


def test_an_unknown_source_lists_those_there_are(web: Web) -> None:
    with pytest.raises(
        UnknownName, match="no source named 'scopus'; there is: arxiv, crossref, openalex, semantic-scholar"
    ):
        online_sources(["scopus"], Settings(), web)
    assert set(SOURCES) == set(APIS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{TITLE}\n{ABSTRACT}", ("Finding", "Mushrooms", "Trained", "Dogs")),
        ("cross-lingual relation extraction", ("cross", "lingual", "relation", "extraction")),
        ("What is this?", ("What", "is", "this")),
        ("The dog's nose " + "and more of the dog " * 9 + ". Second sentence.", ("dog's", "nose", "more", "dog")),
        ("", ()),
    ],
)
def test_a_keyword_search_gets_the_title_or_the_first_sentence(text: str, words: tuple[str, ...]) -> None:
    assert words_of(Query(text), 20) == words


@given(st.text(max_size=300))
def test_no_text_can_break_out_of_an_arxiv_query(text: str) -> None:
    query = search_query(Query(text, before=date(2020, 1, 1)))
    assert query.endswith(") AND submittedDate:[199101010000 TO 201912312359]")
    inner = query[1 : query.rindex(") AND submittedDate")]
    assert all(c.isalnum() or c in "_:' " for c in inner)
