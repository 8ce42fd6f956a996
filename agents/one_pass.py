"""The agent that does not think: every query to every source, once, as far as the budget of searches reaches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

from litrag.core.budget import Budget, Spend
from litrag.core.errors import BudgetSpent
from litrag.core.ledger import Ledger
from litrag.core.protocols import Source, SourceResult, Usage
from litrag.core.store import Store, digest
from litrag.core.types import Hop, Query, Trajectory

__all__ = ["Found", "OnePass", "RecordedSearch"]


def _no_tick(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an agent brings back: the hops, and per search the id of its SourceResult in the run's store."""

    trajectory: Trajectory
    results: tuple[str, ...]
    warnings: tuple[str, ...] = ()


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
        only = [sorted(part) if isinstance(part, frozenset) else part for part in astuple(query.only)]
        key = digest(["search", source.name, query.text, query.kind, before, sorted(query.exclude), only, k])
        if (kept := self.store.recall(key)) is not None:
            self.ledger.cached("search", source.name, "search", key)
            return kept
        reservation = self.budget.reserve(Spend(searches=1))
        row = self.ledger.sent("search", source.name, "search", key, Usage())
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.budget.seconds_left):
                result = await source.search(query, k)
        except TimeoutError:
            self.ledger.failed(row, Usage(seconds=time.perf_counter() - start))
            limit = self.budget.limits.seconds or 0.0
            raise BudgetSpent("seconds", round(self.budget.seconds, 1), limit) from None
        except BaseException:
            self.ledger.failed(row, Usage(seconds=time.perf_counter() - start))
            raise
        finally:
            reservation.settle(Spend(searches=1))
        kept = self.store.put(result, SourceResult)
        self.store.remember(key, kept)
        self.ledger.done(row, Usage(seconds=time.perf_counter() - start))
        return kept


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
        stop = "done"
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
            hops.append(Hop("search", query.text, new_ids=tuple(new)))
            self.tick(len(hops), len(queries))
            errors = [result for result in found if isinstance(result, BaseException)]
            if any(not isinstance(error, BudgetSpent) for error in errors):
                raise next(error for error in errors if not isinstance(error, BudgetSpent))
            if errors:
                stop = str(errors[0])
                break
        return Found(Trajectory(tuple(hops), stop), tuple(results), tuple(dict.fromkeys(warnings)))
