"""Snowballing along Semantic Scholar and OpenAlex as they answer, and as they fail, on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fakes.scholarly import FAULTS, Scholarly, scholarly
from fakes.texts import ABSTRACT, TITLE, papers

from litrag.agents.one_pass import RecordedGraph, RecordedSearch
from litrag.core.budget import Budget
from litrag.core.ledger import Ledger
from litrag.core.settings import Settings
from litrag.core.store import Store
from litrag.core.types import Paper, Query
from litrag.pipelines.snowballing import GRAPHS
from litrag.retrievers.snowball import Grown, Snowball, WordScorer
from litrag.retrievers.sources import online_sources
from litrag.retrievers.sources.web import Web

QUERY = Query(f"{TITLE}\n{ABSTRACT}")
ODD = "10.1002/1097-0142(20010101)91:1<1::aid-cncr1>3.0.co;2-#"
FIRST = replace(papers()[0], doi="10.1000/first")
PREPRINT = replace(papers()[1], arxiv_id="0301.00001")
STRANGE = replace(papers()[2], doi=ODD)
SEEDS = [FIRST, PREPRINT, STRANGE]
Grow = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[Scholarly]:
    """The seeds cite 1-0, 1-1 and 1-2, which cite 2-0 (and the first seed: a cycle)."""
    with scholarly([*SEEDS, *papers()[3:]]) as state:
        state.cites = {"0-0": ["1-0"], "0-1": ["1-1"], "0-2": ["1-2"], "1-0": ["2-0", "0-0"], "1-1": ["2-0"]}
        yield state


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path / "web.sqlite")
    yield made
    made.close()


def graph_of(name: str, server: Scholarly, web: Web, seconds: float = 20.0) -> Any:
    settings = Settings(source_urls=server.urls(), source_intervals={name: 0.0}, source_seconds=seconds)
    (graph,) = online_sources([name], settings, web)
    return graph


@pytest.fixture
def grow(server: Scholarly, web: Web) -> Grow:
    async def grown(name: str, query: Query = QUERY, seeds: Sequence[Paper] = SEEDS, **more: Any) -> Grown:
        how = {"graph": graph_of(name, server, web), "graph_name": name, "scorer": WordScorer(), "dry": 0.0}
        return await asyncio.wait_for(Snowball(**{**how, **more}).grow(query, seeds), 120)

    return grown


def titles(grown: Grown) -> list[str]:
    return sorted(paper.title.rpartition(" in ")[0] + paper.title[-2:] for paper in grown.papers)


@pytest.mark.parametrize("name", GRAPHS)
async def test_papers_of_arxiv_and_of_libraries_are_asked_for_by_arxiv_id_and_by_doi(name: str, grow: Grow) -> None:
    """Also by a DOI of the nineties, whose "#" would end a URL."""
    one = await grow(name)
    assert titles(one) == ["Drone Imaging 0", "Drone Imaging 1", "Drone Imaging 2"]
    assert (one.skipped, one.warnings) == (0, ())


@pytest.mark.parametrize("name", GRAPHS)
async def test_two_hops_end_in_a_cycle(name: str, grow: Grow) -> None:
    two = await grow(name, hops=2)
    assert titles(two) == ["Drone Imaging 0", "Drone Imaging 1", "Drone Imaging 2", "Soil Maps 0"]


@pytest.mark.parametrize("name", GRAPHS)
async def test_graphs_know_no_date_so_what_is_too_new_is_left_out_and_leads_nowhere(
    name: str, grow: Grow, server: Scholarly
) -> None:
    server.cites["1-2"] = ["2-1"]
    query = replace(QUERY, before=date(2003, 1, 1))
    grown = await grow(name, query, hops=2)
    assert titles(grown) == ["Drone Imaging 0", "Drone Imaging 1", "Soil Maps 0"], "Drone Imaging 2 is of 2003"


@pytest.mark.parametrize("name", GRAPHS)
async def test_a_paper_that_the_graph_does_not_know_is_counted_and_no_failure(name: str, grow: Grow) -> None:
    """Half a library is often unknown: ten warnings of 404 would hide a true one."""
    grown = await grow(name, seeds=[FIRST, Paper("x", "Unknown", doi="10.9/none"), Paper("y", "Without any id")])
    assert titles(grown) == ["Drone Imaging 0"]
    assert (grown.skipped, grown.warnings) == (2, ())
    none = await grow(name, seeds=[Paper("x", "Unknown", doi="10.9/none")])
    assert (none.skipped, none.warnings) == (1, (f"snowball: {name} knows none of 1 papers",))


@pytest.mark.parametrize("name", GRAPHS)
async def test_that_a_paper_is_unknown_is_not_asked_twice_in_a_run(
    name: str, server: Scholarly, web: Web, tmp_path: Path
) -> None:
    graph, budget, store = graph_of(name, server, web), Budget(), Store(tmp_path / "run.sqlite")
    for _ in range(2):
        recorded = RecordedGraph(graph, name, RecordedSearch(budget, Ledger(), store))
        snowball = Snowball(graph=recorded, graph_name=name, scorer=WordScorer())
        assert (await snowball.grow(QUERY, [Paper("x", "Unknown", doi="10.9/none")])).skipped == 1
    assert (budget.spent.searches, server.count(name)) == (1, 1)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_failure_of_a_graph_is_a_warning_and_the_first_hop_is_kept(
    name: str, fault: str, grow: Grow, server: Scholarly, web: Web
) -> None:
    patient, hasty = (graph_of(name, server, web, seconds) for seconds in (20.0, 1.0))

    class Graph:
        """Has time while the server is well."""

        async def references(self, ids: Sequence[str]) -> Any:
            return await (hasty if server.faults else patient).references(ids)

    class Breaking(WordScorer):
        """The server breaks when the first hop has come back."""

        async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
            if papers[0].id != FIRST.id:
                server.faults = {name: fault}
            return await super().score(query, papers)

    grown = await grow(name, hops=2, graph=Graph(), scorer=Breaking())
    assert titles(grown) == ["Drone Imaging 0", "Drone Imaging 1", "Drone Imaging 2"]
    assert grown.warnings
    assert all(warning.startswith("snowball: ") and "\n" not in warning for warning in grown.warnings)
