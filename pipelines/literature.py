"""The agent of a review: after the rewriter's queries it reads what came and searches on, in the same loop as for questions (`agents.loop`), within
`agent_searches` and the run's budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from litrag.agents.hops import MoreLikeThis
from litrag.agents.loop import Hops, Notes, SearchAgent, Searched, Step
from litrag.agents.one_pass import OnePass
from litrag.core.lengths import measure_of
from litrag.core.protocols import Generates, SourceResult
from litrag.core.types import Paper, Query, Ranking, normalised_title
from litrag.pipelines.workshop import Workshop

__all__ = ["Gathered", "gather", "hops_of"]

# what may be cited of some results, by id, and their fused ranking
Pool: TypeAlias = Callable[[Query, Sequence[str]], tuple[dict[str, Paper], Ranking]]
_READ = 20  # titles a search


@dataclass(frozen=True, slots=True)
class Gathered:
    """The results of the agent's own searches, how it went, and whether the run's budget ended it."""

    searched: Searched
    results: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    spent: bool = False


async def gather(
    shop: Workshop,
    query: Query,
    results: Sequence[str],
    pool: Pool,
    allowed: Callable[[Sequence[Paper]], Sequence[Paper]],
) -> Gathered:
    """Searches on from the results of a query; `allowed` leaves of linked papers those that may be cited. Raises ModelFault, what a source raises."""
    sources = _Sources(shop, pool, allowed, list(results))
    agent = SearchAgent(
        sources,
        hops_of(shop),
        (sources,),
        max_searches=1 + shop.settings.agent_searches,
        k=_READ,
        tell=lambda step: _told(shop, step),
    )
    searched = await agent.run(query)
    shop.say("search", f"agent {shop.settings.agent}: {searched.stop_reason}")
    return Gathered(
        searched, tuple(sources.new), tuple(dict.fromkeys(sources.warnings)), bool(sources.spent) or searched.spent
    )


def hops_of(shop: Workshop) -> Hops:
    """The agent in force. Raises BadInput, CapabilityMissing where its model cannot be had."""
    if shop.settings.agent != "react":
        return MoreLikeThis()
    model = shop.gateway.resolve("react", needs=Generates)
    from dataclasses import replace

    from litrag.agents.react import PAPERS, ReAct
    from litrag.models.dspy_lm import GatewayLM

    task = PAPERS if shop.snowball is not None else replace(PAPERS, actions=("search", "finish"))
    return ReAct(GatewayLM(shop.gateway, "react", max_tokens=300), measure_of(model), task=task)


def _told(shop: Workshop, step: Step) -> None:
    if step.query.parent is not None:
        shop.say("search", f"{step.thought or step.query.text}: {len(step.read)} more papers")


@dataclass(slots=True)
class _Sources:
    """The run's sources as a retriever that keeps its results, and the rule that ends it with the budget. The first search is the one whose results are
    there already."""

    shop: Workshop
    pool: Pool
    allowed: Callable[[Sequence[Paper]], Sequence[Paper]]
    known: list[str]
    new: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent: str = ""
    begun: bool = False

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """The ranking of one query's own results."""
        (query,) = queries
        if not self.begun:
            self.begun = True
            return (self._cut(query, self.known, k),)
        found = await (self._snowballed(query) if query.kind == "snowball" else self._searched(query))
        self.new += found
        return (self._cut(query, found, k),)

    def stop(self, notes: Notes) -> str:
        """Why the budget ends it."""
        return self.spent

    def _cut(self, query: Query, results: Sequence[str], k: int) -> Ranking:
        _, ranking = self.pool(query, results)
        return Ranking(query, ranking.hits[:k])

    async def _searched(self, query: Query) -> list[str]:
        found = await OnePass(self.shop.sources, self.shop.recorded_search).run([query])
        self.warnings += found.warnings
        self.spent = "" if found.trajectory.stop_reason == "done" else found.trajectory.stop_reason
        return list(found.results)

    async def _snowballed(self, query: Query) -> list[str]:
        """What the paper of a title cites, nearest to the abstract first; nothing where no paper found has the title."""
        snowball, asked = (
            self.shop.snowball,
            Query(query.parent or query.text, before=query.before, exclude=query.exclude),
        )
        kept, ranking = self.pool(asked, [*self.known, *self.new])
        wanted = normalised_title(query.text)
        named = [kept[name] for name in ranking.ids if normalised_title(kept[name].title) == wanted]
        if snowball is None or not named:
            return []
        grown = await snowball.grow(asked, named[:1], allowed=self.allowed)
        self.warnings += grown.warnings
        reason = grown.trajectory.stop_reason
        self.spent = reason if reason.startswith("budget") else ""
        result = SourceResult(snowball.graph_name, query, grown.papers, grown.scores)
        return [self.shop.store.put(result, SourceResult)]
