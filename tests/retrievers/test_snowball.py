"""Snowballing: along citations, within the budget, never past the date cut, and it ends when nothing new is near."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fakes.texts import ABSTRACT, TITLE, papers

from litrag.agents.one_pass import RecordedGraph, RecordedSearch
from litrag.core.budget import Budget, Limits
from litrag.core.errors import BadInput, BudgetSpent, SourceOverloaded
from litrag.core.ledger import Ledger
from litrag.core.store import Store
from litrag.core.types import Paper, Query
from litrag.retrievers.snowball import Snowball, WordScorer, graph_id
from litrag.retrievers.sources.citation_file import CitationFile, read_citations

QUERY = Query(f"{TITLE}\n{ABSTRACT}")
KNOWN = {paper.id: paper for paper in papers()}
SEEDS = [KNOWN[name] for name in ("0-0", "1-0")]
CITES = {"0-0": ["0-1", "0-2", "1-1"], "1-0": ["1-1"], "0-1": ["0-3", "0-0"], "1-1": ["1-4", "0-3"]}


def graph(cites: Mapping[str, Sequence[str]] = CITES) -> CitationFile:
    rows = [{"id": name, "cites": list(cited), "year": KNOWN[name].year} for name, cited in cites.items()]
    return CitationFile.over(rows, lambda ids: [KNOWN[name] for name in ids if name in KNOWN])


class Likeness:
    """A scorer of one value a paper."""

    def __init__(self, values: Mapping[str, float], other: float = 0.5) -> None:
        self.values, self.other = values, other

    async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
        return [self.values.get(paper.id, self.other) for paper in papers]


def snowball(used: Any, **more: Any) -> Snowball:
    return Snowball(**{"graph": used, "graph_name": "file", "scorer": Likeness({}), **more})


async def test_one_hop_brings_what_the_seeds_cite_and_says_who_led_there() -> None:
    grown = await snowball(graph(), scorer=Likeness({"0-2": 0.9})).grow(QUERY, SEEDS)
    assert [paper.id for paper in grown.papers] == ["0-2", "1-1", "0-1"]
    assert grown.trajectory.stop_reason == "done"
    by_paper = dict(zip((p.id for p in grown.papers), grown.scores, strict=True))
    assert [s.query for s in by_paper["1-1"] if s.source == "snowball:from"] == [SEEDS[0].title, SEEDS[1].title]
    assert by_paper["1-1"][-1].value == pytest.approx(0.5 * (1 + 1) / 2), "both seeds link to it"
    assert by_paper["0-1"][-1].value == pytest.approx(0.5 * (1 + 0.5) / 2), "one of two equal seeds"
    assert by_paper["0-2"][-1].value == pytest.approx(0.9 * (1 + 0.5) / 2)


async def test_the_second_hop_starts_from_what_the_first_brought_and_cycles_end() -> None:
    grown = await snowball(graph(), hops=2).grow(QUERY, SEEDS)
    assert {paper.id for paper in grown.papers} == {"0-1", "0-2", "1-1", "0-3", "1-4"}
    assert [len(hop.new_ids) for hop in grown.trajectory.hops] == [3, 2]


async def test_citations_are_the_other_direction() -> None:
    grown = await snowball(graph(), directions=("citations",)).grow(QUERY, [KNOWN["1-1"]])
    assert {paper.id for paper in grown.papers} == {"0-0", "1-0"}


async def test_it_runs_dry_where_nothing_near_comes() -> None:
    far = Likeness({paper.id: 0.8 for paper in SEEDS}, other=0.1)
    grown = await snowball(graph(), hops=2, scorer=far).grow(QUERY, SEEDS)
    assert grown.trajectory.stop_reason == "dry"
    assert len(grown.trajectory.hops) == 1
    assert len(grown.papers) == 3, "what the hop brought is kept"


async def test_nothing_comes_that_is_too_new_or_excluded_or_known_under_another_id() -> None:
    twin = replace(KNOWN["0-1"], id="elsewhere", doi="10.1000/1")
    query = replace(QUERY, before=date(2002, 6, 1), exclude=frozenset({"1-1"}))
    linked = CitationFile.over([{"id": "0-0", "cites": ["0-1", "0-2", "1-1"]}], lambda ids: [KNOWN[n] for n in ids])
    grown = await snowball(linked).grow(query, [SEEDS[0], twin])
    assert grown.papers == (), "0-1 is of 2002, so of 31 December 2002; 0-2 is newer; 1-1 is excluded"
    undated = CitationFile.over([{"id": "0-0", "cites": ["0-1"]}], lambda ids: [replace(KNOWN[n], year=0) for n in ids])
    assert len((await snowball(undated).grow(query, [SEEDS[0]])).papers) == 1, "no date is no reason"
    assert (await snowball(graph()).grow(QUERY, [SEEDS[0], twin])).papers[0].id != "0-1"


async def test_requests_count_as_searches_and_never_pass_the_budget(tmp_path: Path) -> None:
    for most in (0, 1, 2, 3, 5):
        budget, ledger = Budget(Limits(searches=most)), Ledger()
        recorded = RecordedGraph(graph(), "file", RecordedSearch(budget, ledger, Store(tmp_path / f"{most}.sqlite")))
        grown = await snowball(recorded, hops=2).grow(QUERY, SEEDS)
        assert budget.spent.searches == min(most, 5)
        assert grown.trajectory.stop_reason.startswith("budget: searches") == (most < 5)
        assert bool(grown.papers) == (most > 0), "what was gathered is kept"


async def test_finished_requests_are_not_made_again(tmp_path: Path) -> None:
    budget, store = Budget(), Store(tmp_path / "run.sqlite")
    for _ in range(2):
        recorded = RecordedGraph(graph(), "file", RecordedSearch(budget, Ledger(), store))
        grown = await snowball(recorded).grow(QUERY, SEEDS)
        assert len(grown.papers) == 3
    assert budget.spent.searches == 2


async def test_a_failing_graph_is_a_warning_and_the_rest_is_kept() -> None:
    whole = graph()

    class Half:
        async def references(self, ids: Sequence[str]) -> Mapping[str, tuple[Paper, ...]]:
            if "1-0" in ids:
                raise SourceOverloaded("Semantic Scholar answered 500")
            return await whole.references(ids)

    grown = await snowball(Half()).grow(QUERY, SEEDS)
    assert {paper.id for paper in grown.papers} == {"0-1", "0-2", "1-1"}
    assert grown.warnings == ("snowball: Semantic Scholar answered 500",)


async def test_what_may_not_be_cited_leads_nowhere() -> None:
    """A second hop from the user's own paper would bring its reference list, which is the answer."""
    asked: list[str] = []
    whole = graph({**CITES, "1-1": ["3-3"]})

    class Told:
        async def references(self, ids: Sequence[str]) -> Mapping[str, tuple[Paper, ...]]:
            asked.extend(ids)
            return await whole.references(ids)

    def allowed(linked: Sequence[Paper]) -> list[Paper]:
        return [paper for paper in linked if paper.id != "1-1"]

    grown = await snowball(Told(), hops=2).grow(QUERY, SEEDS, allowed=allowed)
    assert "1-1" not in {*asked, *(paper.id for paper in grown.papers)}
    assert "3-3" not in {paper.id for paper in grown.papers}


@pytest.mark.parametrize("paid", [0, 1])
async def test_a_scorer_whose_budget_is_spent_ends_it_and_what_came_is_kept(paid: int) -> None:
    class Poor(Likeness):
        left = paid

        async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
            if not self.left:
                raise BudgetSpent("calls", 3, 3)
            self.left -= 1
            return await super().score(query, papers)

    grown = await snowball(graph(), hops=2, scorer=Poor({})).grow(QUERY, SEEDS)
    assert grown.trajectory.stop_reason.startswith("budget: calls: 3 of 3")
    assert len(grown.papers) == 3 * paid, "scored by words"


async def test_the_same_again_in_the_same_order() -> None:
    first = await snowball(graph(), hops=2, scorer=WordScorer()).grow(QUERY, SEEDS)
    assert await snowball(graph(), hops=2, scorer=WordScorer()).grow(QUERY, SEEDS) == first
    values = [scores[-1].value for scores in first.scores]
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)


@pytest.mark.parametrize(
    ("paper", "graph_name", "name"),
    [
        (Paper("s2:abc", "A", doi="10.1/x"), "semantic-scholar", "s2:abc"),
        (Paper("x", "A", aliases=("openalex:W1", "s2:abc")), "semantic-scholar", "s2:abc"),
        (Paper("x", "A", doi="10.1/x"), "semantic-scholar", "DOI:10.1/x"),
        (Paper("x", "A", arxiv_id="1901.00001"), "semantic-scholar", "ARXIV:1901.00001"),
        (Paper("x", "A"), "semantic-scholar", None),
        (Paper("x", "A", aliases=("openalex:W1",)), "openalex", "openalex:W1"),
        (Paper("x", "A", doi="10.1/x"), "openalex", "doi:10.1/x"),
        (Paper("x", "A", arxiv_id="1901.00001"), "openalex", "doi:10.48550/arxiv.1901.00001"),
        (Paper("x", "A"), "openalex", None),
        (Paper("x", "A"), "cites.jsonl", "x"),
    ],
)
def test_what_a_graph_calls_a_paper(paper: Paper, graph_name: str, name: str | None) -> None:
    assert graph_id(paper, graph_name) == name


async def test_no_list_of_the_same_year_or_a_later_one_is_read() -> None:
    """A list of the query's own year tells what its field has just read: a leak."""
    whole = graph({"0-5": ["0-1"], "0-3": ["0-1"], "0-2": ["0-1"]})
    for year in range(2001, 2008):
        seen = whole.before(date(year, 1, 1))
        found = (await seen.citations(["0-1"]))["0-1"]
        assert {paper.year for paper in found} == {y for y in (2003, 2004, 2006) if y < year}
        for name in ("0-5", "0-3", "0-2"):
            listed = (await seen.references([name]))[name]
            assert bool(listed) == (KNOWN[name].year < year)
    undated = CitationFile.over([{"id": "0-0", "cites": ["0-1"]}], lambda ids: [KNOWN[n] for n in ids])
    assert (await undated.before(date(2020, 1, 1)).references(["0-0"]))["0-0"] == ()
    mistyped = CitationFile.over([{"id": "0-0", "cites": ["0-1"], "year": 20011}], lambda ids: [KNOWN[n] for n in ids])
    assert (await mistyped.before(date(2020, 1, 1)).references(["0-0"]))["0-0"] == ()


def test_a_citation_file_tells_its_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "cites.jsonl"
    path.write_text(
        '{"id": "a", "cites": ["b"]}\nnonsense\n{"id": "c"}\n\n' + json.dumps({"id": 7, "cites": [1], "year": 2001})
    )
    warnings: list[str] = []
    rows = read_citations(path, warnings.append)
    assert [row["id"] for row in rows] == ["a", 7]
    assert [w.split(":")[0] for w in warnings] == ["cites.jsonl, line 2", "cites.jsonl, line 3"]
    with pytest.raises(BadInput, match="no such file; name a citation file, semantic-scholar or openalex"):
        read_citations(tmp_path / "gone.jsonl", warnings.append)
    path.write_text("{}\n")
    with pytest.raises(BadInput, match="holds no citations"):
        read_citations(path, warnings.append)


def test_numbers_out_of_range_are_refused() -> None:
    for wrong in ({"hops": 3}, {"seeds": 0}, {"directions": ("up",)}):
        with pytest.raises(BadInput, match="snowball"):
            snowball(graph(), **wrong)
