"""The agent that does not think: every query to every source, once, as far as the budget of searches reaches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from litrag.core.budget import Budget, Spend
from litrag.core.errors import BudgetSpent, SourceUnknown
from litrag.core.ledger import Ledger
from litrag.core.protocols import CitationGraph, Source, SourceResult, Usage
from litrag.core.store import Store, digest
from litrag.core.telemetry import Span, Value, span
from litrag.core.types import Hop, Paper, Query, Trajectory
from litrag.retrievers.sources import SOURCES

__all__ = ["Found", "OnePass", "RecordedGraph", "RecordedSearch"]

T = TypeVar("T")


def _no_tick(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an agent brings back: the hops, and per search the id of its SourceResult in the run's store; `spent` is the budget that ended it."""

    trajectory: Trajectory
    results: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    spent: BudgetSpent | None = None


@dataclass(frozen=True, slots=True)
class RecordedSearch:
    """A search that is budgeted, booked in the ledger and kept in the run's store: the same search is never made twice in a
    run, also not after a resume."""

    budget: Budget
    ledger: Ledger
    store: Store

    async def search(self, source: Source, query: Query, k: int) -> str:
        """The store id of the SourceResult. Raises BudgetSpent, also for a search that is under way when the run's time is up."""
        before = query.before.isoformat() if query.before else None
        key = digest(
            ["search", source.name, query.text, query.kind, before, sorted(query.exclude), query.only.parts, k]
        )
        with _searched("search", source.name) as span:
            span.add_text(query=query.text)
            kept = await self.kept("search", source.name, key, lambda: source.search(query, k), SourceResult)
            if span.recording:
                span.add({"litrag.results": len(self.store.get(kept, SourceResult).papers)})
        return kept

    async def kept(
        self, what: str, name: str, key: str, call: Callable[[], Coroutine[Any, Any, T]], kind: Hashable
    ) -> str:
        """The store id of what `call` gives, which is made once a run under `key`, counts as one search and is booked as `what` of
        `name`. Raises BudgetSpent, and what the call raises."""
        if (kept := self.store.recall(key)) is not None:
            self.ledger.cached("search", name, what, key)
            return kept
        reservation = self.budget.reserve(Spend(searches=1))
        row = self.ledger.sent("search", name, what, key, Usage())
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.budget.seconds_left):
                result = await call()
        except TimeoutError:
            self.ledger.failed(row, Usage(seconds=time.perf_counter() - start))
            limit = self.budget.limits.seconds or 0.0
            raise BudgetSpent("seconds", round(self.budget.seconds, 1), limit) from None
        except BaseException:
            self.ledger.failed(row, Usage(seconds=time.perf_counter() - start))
            raise
        finally:
            reservation.settle(Spend(searches=1))
        kept = self.store.put(result, kind)
        self.store.remember(key, kept)
        self.ledger.done(row, Usage(seconds=time.perf_counter() - start))
        return kept


@contextmanager
def _searched(what: str, name: str) -> Iterator[Span]:
    """The span of a search, one that the run had made before among them. A library's name is its user's word; that of a source on the web is not."""
    online = name in SOURCES
    shown = name if online else "library"
    facts: dict[str, Value] = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": shown,
        "litrag.what": what,
    }
    with span(f"retrieval {shown}", facts, client=online) as one:
        one.add_text(library="" if online else name)
        yield one


@dataclass(frozen=True, slots=True)
class _Links:
    """A graph's answer about one paper; `unknown` is what it said where it does not know the paper."""

    papers: tuple[Paper, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class RecordedGraph:
    """A `CitationGraph` whose answers are budgeted, booked and kept like searches, paper by paper."""

    graph: CitationGraph
    name: str
    recorded: RecordedSearch

    async def references(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """What each id cites. Raises BudgetSpent, SourceFault; SourceUnknown, which is an answer and kept, too."""
        return {name: await self._links("references", name, self.graph.references) for name in ids}

    async def citations(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """What cites each id. Raises BudgetSpent, SourceFault."""
        return {name: await self._links("citations", name, self.graph.citations) for name in ids}

    async def _links(
        self,
        what: str,
        name: str,
        asked: Callable[[Sequence[str]], Coroutine[Any, Any, Mapping[str, tuple[Paper, ...]]]],
    ) -> tuple[Paper, ...]:
        async def call() -> _Links:
            try:
                return _Links((await asked([name])).get(name, ()))
            except SourceUnknown as error:
                return _Links(unknown=str(error))

        with _searched(what, self.name) as span:
            found = await self.recorded.kept(what, self.name, digest([what, self.name, name]), call, _Links)
            links = self.recorded.store.get(found, _Links)
            span.add({"litrag.results": len(links.papers)})
        if links.unknown:
            raise SourceUnknown(links.unknown)
        return links.papers


@dataclass(frozen=True, slots=True)
class OnePass:
    """Searches in order of the queries; `k` papers each. Stops at the budget and says so."""

    sources: Sequence[Source]
    recorded: RecordedSearch
    k: int = 100
    tick: Callable[[int, int], None] = _no_tick

    async def run(self, queries: Sequence[Query]) -> Found:
        """All searches that the budget allows; those of one query run side by side."""
        results: list[str] = []
        hops: list[Hop] = []
        seen: set[str] = set()
        warnings: list[str] = []
        spent: BudgetSpent | None = None
        for query in queries:
            found = await asyncio.gather(
                *(self.recorded.search(source, query, self.k) for source in self.sources), return_exceptions=True
            )
            kept = [result for result in found if isinstance(result, str)]
            new: list[str] = []
            for result_id in kept:
                result = self.recorded.store.get(result_id, SourceResult)
                warnings.extend(result.warnings)
                new.extend(dict.fromkeys(paper.id for paper in result.papers if paper.id not in seen))
                seen.update(new)
            results.extend(kept)
            hops.append(Hop("search", query.text, query.reason, tuple(new)))
            self.tick(len(hops), len(queries))
            errors = [result for result in found if isinstance(result, BaseException)]
            for error in errors:
                if not isinstance(error, BudgetSpent):
                    raise error
                spent = spent or error
            if spent:
                break
        stop = str(spent) if spent else "done"
        return Found(Trajectory(tuple(hops), stop), tuple(results), tuple(dict.fromkeys(warnings)), spent)
