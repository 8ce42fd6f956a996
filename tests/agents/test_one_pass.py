from __future__ import annotations

import pytest

from litrag.agents.one_pass import OnePass, RecordedSearch
from litrag.core.budget import Budget, Limits
from litrag.core.ledger import Ledger
from litrag.core.protocols import SourceResult
from litrag.core.store import Store
from litrag.core.types import Filter, Paper, Query


class Shelf:
    """A source with one paper a query."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.searched: list[str] = []

    async def search(self, query: Query, k: int) -> SourceResult:
        self.searched.append(query.text)
        if query.text == "boom":
            raise RuntimeError("bug")
        paper = Paper(f"{self.name}-{query.text}", query.text)
        return SourceResult(self.name, query, (paper, Paper("common", "Common")), ((), ()), (f"{self.name} is slow",))


def searching(limit: int | None, store: Store) -> RecordedSearch:
    return RecordedSearch(Budget(Limits(searches=limit)), Ledger(), store)


async def test_every_query_goes_to_every_source_and_new_papers_are_told_from_known_ones() -> None:
    shelves = [Shelf("a"), Shelf("b")]
    store = Store(":memory:")
    found = await OnePass(shelves, searching(None, store)).run([Query("x"), Query("y")])
    assert [shelf.searched for shelf in shelves] == [["x", "y"], ["x", "y"]]
    assert [hop.new_ids for hop in found.trajectory.hops] == [("a-x", "common", "b-x"), ("a-y", "b-y")]
    assert found.trajectory.stop_reason == "done"
    assert found.warnings == ("a is slow", "b is slow")
    assert len(found.results) == 4


async def test_the_budget_of_searches_holds_and_is_named_and_what_was_found_is_kept() -> None:
    shelves = [Shelf("a"), Shelf("b")]
    found = await OnePass(shelves, searching(3, Store(":memory:"))).run([Query("x"), Query("y"), Query("z")])
    assert sum(len(shelf.searched) for shelf in shelves) == 3
    assert "searches: 3 of 3" in found.trajectory.stop_reason
    assert len(found.results) == 3


async def test_the_same_search_is_made_once_in_a_run() -> None:
    shelf, store = Shelf("a"), Store(":memory:")
    for _ in range(2):
        await OnePass([shelf], searching(1, store)).run([Query("x")])
    assert shelf.searched == ["x"]


async def test_a_search_with_another_filter_is_another_search() -> None:
    """A resumed run must not answer "only 2020" with what was found for all years."""
    shelf, store = Shelf("a"), Store(":memory:")
    for only in (Filter(), Filter(first_year=2020), Filter(venues=frozenset({"x", "y"})), Filter(first_year=2020)):
        await OnePass([shelf], searching(3, store)).run([Query("x", only=only)])
    assert shelf.searched == ["x", "x", "x"]


async def test_a_bug_in_a_source_is_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="bug"):
        await OnePass([Shelf("a")], searching(None, Store(":memory:"))).run([Query("boom")])
