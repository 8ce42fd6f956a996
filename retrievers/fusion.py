"""Rankings joined by rank: of several retrievers for one query (hybrid), of several queries that stand for one (multi-query)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from litrag.core.fusion import QueryMismatch, ReciprocalRankFusion
from litrag.core.protocols import Retriever
from litrag.core.sync import all_or_first_error
from litrag.core.types import Query, Ranking

__all__ = ["Hybrid", "MultiQueryFusion"]


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Several retrievers, their rankings fused by RRF. For BM25 and MiniLM weights of 1:2 measured best on ACL abstracts.

    Raises ValueError unless there is one weight a retriever."""

    retrievers: Sequence[Retriever]
    weights: tuple[float, ...] = (1.0, 2.0)

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.retrievers):
            raise ValueError(f"{len(self.weights)} weights for {len(self.retrievers)} retrievers")

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One fused ranking of at most `k` hits a query."""
        found = await all_or_first_error([retriever.retrieve(queries, k) for retriever in self.retrievers])
        fusion = ReciprocalRankFusion(weights=self.weights)
        fused = [fusion.fuse(rankings) for rankings in zip(*found, strict=True)]
        return tuple(replace(ranking, hits=ranking.hits[:k]) for ranking in fused)


@dataclass(frozen=True, kw_only=True)
class MultiQueryFusion:
    """Fuses the rankings of a query and of queries derived from it into one ranking of the query (RRF, as in RAG-Fusion, 2024).

    Adds the score "multi-query", so that the "rrf" of each hybrid ranking stays unambiguous. `original` and `derived` are the weights
    of a ranking, relative to each other."""

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
        return fusion.fuse([replace(ranking, query=query) for ranking in rankings])
