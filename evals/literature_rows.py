"""Rows of a retrieval table that ask several times: in one pass, with parts of the text or its keyphrases, and as the agent of a review does, with what
was found (`agents.hops.MoreLikeThis`). A row makes the number of searches in its name; all rankings hold as many documents, so that recall compares at
equal documents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from litrag.agents.hops import MoreLikeThis
from litrag.agents.loop import SearchAgent
from litrag.core.keyphrases import keyphrases
from litrag.core.protocols import Retriever
from litrag.core.types import Query, Ranking
from litrag.evals.retrieval_bench import Bench, Counted
from litrag.evals.retrieval_rows import DEPTH, hybrid_of, parts_of
from litrag.evals.runner import System
from litrag.retrievers.fusion import MultiQueryFusion

__all__ = ["ORIGINAL", "WAYS", "row"]

ORIGINAL: Final = 4.0  # weight of the text's own ranking beside 1 of each other, as in a review
_READ: Final = 20  # documents of a search that the agent reads
_Way: TypeAlias = Callable[[Retriever, Query, int], Awaitable[Sequence[Ranking]]]


async def _parts(retriever: Retriever, query: Query, n: int) -> Sequence[Ranking]:
    """The text, its title, its first sentences."""
    return await retriever.retrieve([query, *parts_of(query)][:n], DEPTH)


async def _keyphrases(retriever: Retriever, query: Query, n: int) -> Sequence[Ranking]:
    phrases = await asyncio.to_thread(keyphrases, query.text, n - 1)
    asked = [replace(query, text=phrase, kind="keywords", parent=query.text) for phrase in phrases]
    return await retriever.retrieve([query, *asked], DEPTH)


async def _agent(retriever: Retriever, query: Query, n: int) -> Sequence[Ranking]:
    found = await SearchAgent(_Deep(retriever), MoreLikeThis(), max_searches=n, k=_READ).run(query)
    return [step.found for step in found.notes.steps]


async def _review(retriever: Retriever, query: Query, n: int) -> Sequence[Ranking]:
    """As in a review: half of the searches are the rewriter's, fused, and from what they found the agent goes on."""
    first = await _keyphrases(retriever, query, n // 2)
    begun = MultiQueryFusion(original=ORIGINAL).fuse(query, first)
    agent = SearchAgent(_Begun(_Deep(retriever), [begun]), MoreLikeThis(), max_searches=1 + n - len(first), k=_READ)
    found = await agent.run(query)
    return [*first, *(step.found for step in found.notes.steps[1:])]


WAYS: Final[dict[str, _Way]] = {"parts": _parts, "keyphrases": _keyphrases, "agent": _agent, "review": _review}


@dataclass(frozen=True, slots=True)
class _Deep:
    """A retriever whose rankings are as deep as the fusion reads, however few documents are read."""

    inner: Retriever

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        return await self.inner.retrieve(queries, max(k, DEPTH))


@dataclass(frozen=True, slots=True)
class _Begun:
    """A retriever whose first search was made already."""

    inner: Retriever
    begun: list[Ranking]

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        return (self.begun.pop(),) if self.begun else await self.inner.retrieve(queries, k)


@dataclass(frozen=True, slots=True)
class _Several:
    """A ranker that fuses several searches."""

    retriever: Retriever
    way: _Way
    searches: int

    async def rank(self, query: Query, k: int) -> Counted:
        rankings = await self.way(self.retriever, query, self.searches)
        fused = MultiQueryFusion(original=ORIGINAL).fuse(query, rankings)
        return Counted(replace(fused, hits=fused.hits[:k]), {"searches": len(rankings)})


def row(way: str, searches: int, words: bool, bench: Bench) -> System:
    """A way of WAYS with so many searches by the hybrid, or by words (BM25) alone."""
    name = f"{'words-' * words}{way}-{searches}"
    made = lambda: _Several(bench.bm25 if words else hybrid_of(bench), WAYS[way], searches)  # noqa: E731
    return bench.ranking(name, made, searches=searches, original=ORIGINAL)


words_parts_4 = partial(row, "parts", 4, True)
words_keyphrases_4 = partial(row, "keyphrases", 4, True)
words_keyphrases_8 = partial(row, "keyphrases", 8, True)
words_review_8 = partial(row, "review", 8, True)
words_agent_2 = partial(row, "agent", 2, True)
words_agent_4 = partial(row, "agent", 4, True)
words_agent_8 = partial(row, "agent", 8, True)
parts_4 = partial(row, "parts", 4, False)
keyphrases_4 = partial(row, "keyphrases", 4, False)
agent_4 = partial(row, "agent", 4, False)
keyphrases_8 = partial(row, "keyphrases", 8, False)
review_8 = partial(row, "review", 8, False)
