"""Rankings joined: of several retrievers for one query (hybrid), of several queries that stand for one (multi-query)."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from litrag.core.errors import UnknownName
from litrag.core.fusion import Fusion, NormalisedScoreFusion, QueryMismatch, ReciprocalRankFusion
from litrag.core.protocols import Retriever
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Query, Ranking, Score

__all__ = ["FUSIONS", "Derives", "Hybrid", "MultiQuery", "MultiQueryFusion"]

FUSIONS: Final[dict[str, Callable[[tuple[float, ...]], Fusion]]] = {
    "rrf": lambda weights: ReciprocalRankFusion(weights=weights),
    "min-max": lambda weights: NormalisedScoreFusion(weights=weights),
    "z-score": lambda weights: NormalisedScoreFusion(normalisation="z-score", weights=weights),
}
Derives: TypeAlias = Callable[[Query], Awaitable[tuple[Query, ...]] | tuple[Query, ...]]


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Several retrievers, their rankings fused. For BM25 and MiniLM weights of 1:2 measured best on ACL abstracts (RRF).

    `fusion` is a name of FUSIONS, which then has these `weights`, or an object, which has its own. Every retriever is asked for
    max(k, `depth`) hits: a document that is 30th for both may belong into the first 20. Raises ValueError unless there is one weight a
    retriever, UnknownName for a fusion that there is not."""

    retrievers: Sequence[Retriever]
    weights: tuple[float, ...] = (1.0, 2.0)
    fusion: str | Fusion = "rrf"
    depth: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.fusion, str):
            return
        if self.fusion not in FUSIONS:
            raise UnknownName("fusion", self.fusion, FUSIONS)
        if len(self.weights) != len(self.retrievers):
            raise ValueError(f"{len(self.weights)} weights for {len(self.retrievers)} retrievers")

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One fused ranking of at most `k` hits a query."""
        if k <= 0:
            return tuple(Ranking(query) for query in queries)
        deep = max(k, self.depth)
        found = await all_or_first_error([retriever.retrieve(queries, deep) for retriever in self.retrievers])
        fusion = FUSIONS[self.fusion](self.weights) if isinstance(self.fusion, str) else self.fusion
        return tuple(_cut(fusion.fuse(rankings), k) for rankings in zip(*found, strict=True))


@dataclass(frozen=True, kw_only=True)
class MultiQueryFusion:
    """Fuses the rankings of a query and of queries derived from it into one ranking of the query (RRF, as in RAG-Fusion, 2024).

    Adds the score "multi-query", so that the "rrf" of each hybrid ranking stays unambiguous, and for every query that found the
    document a score "multi-query:share" under that query's text: the part of the fused score that it gave, in (0, 1], in sum 1 a
    document; its rank is the best that the query gave the document. `original` and `derived` are the weights of a ranking, relative to
    each other; a ranking of weight 0 has no share."""

    original: float = 2.0
    derived: float = 1.0
    damping: float = 60.0

    def fuse(self, query: Query, rankings: Sequence[Ranking]) -> Ranking:
        """The union of the rankings' documents under `query`. Raises QueryMismatch for a ranking of a query that is neither `query`
        nor names it as its parent."""
        strangers = [r.query.text[:40] for r in rankings if query.text not in (r.query.text, r.query.parent)]
        if strangers:
            raise QueryMismatch(f"rankings of queries that do not come from {query.text[:40]!r}: {strangers}")
        weights = tuple(self.original if r.query.text == query.text else self.derived for r in rankings)
        fusion = ReciprocalRankFusion(damping=self.damping, weights=weights, name="multi-query")
        fused = fusion.fuse([replace(ranking, query=query) for ranking in rankings])
        gains: dict[str, dict[str, float]] = defaultdict(dict)
        ranks: dict[tuple[str, str], int] = {}
        for ranking, weight in zip(rankings, weights, strict=True):
            for rank, hit in enumerate(ranking.hits, start=1):
                name, text = hit.document.id, ranking.query.text
                gains[name][text] = gains[name].get(text, 0.0) + weight / (self.damping + rank)
                ranks[name, text] = min(rank, ranks.get((name, text), rank))
        return replace(fused, hits=tuple(_shared(hit, gains[hit.document.id], ranks) for hit in fused.hits))


@dataclass(frozen=True, slots=True)
class MultiQuery:
    """A retriever that searches with a query and with queries derived from it, all in one batch, and fuses what they find.

    `derive` is a function or the `rewrite` of a Rewriter; what it gives keeps the dates, exclusions and filters of its query. Each
    search is for max(k, `depth`) hits."""

    retriever: Retriever
    derive: Derives
    fusion: MultiQueryFusion = field(default_factory=MultiQueryFusion)
    depth: int = 100

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One fused ranking of at most `k` hits a query. Raises what `derive` and the retriever raise."""
        if k <= 0:
            return tuple(Ranking(query) for query in queries)
        families = await all_or_first_error([self._family(query) for query in queries])
        asked = [member for family in families for member in family]
        found = iter(await self.retriever.retrieve(asked, max(k, self.depth)))
        return tuple(
            _cut(self.fusion.fuse(query, [next(found) for _ in family]), k)
            for query, family in zip(queries, families, strict=True)
        )

    async def _family(self, query: Query) -> tuple[Query, ...]:
        """The query, then those derived from it, no text twice."""
        given = self.derive(query)
        derived = await given if inspect.isawaitable(given) else given
        family = {query.text: query}
        for other in derived:
            family.setdefault(
                other.text,
                replace(other, parent=query.text, before=query.before, exclude=query.exclude, only=query.only),
            )
        return tuple(family.values())


def _cut(ranking: Ranking, k: int) -> Ranking:
    return replace(ranking, hits=ranking.hits[:k])


def _shared(hit: Hit, gains: dict[str, float], ranks: dict[tuple[str, str], int]) -> Hit:
    """The hit with each query's share of its score; none where no query counts. The score that orders the ranking stays the last."""
    total = sum(gains.values())
    shares = (
        Score(gain / total, "multi-query:share", text, ranks[hit.document.id, text])
        for text, gain in gains.items()
        if gain > 0
    )
    return replace(hit, scores=(*hit.scores[:-1], *shares, hit.scores[-1]))
