"""Reranking by the embedder: cosine similarity of query and document, fused by rank with the first-stage order.

It brings the dense signal to libraries that have no vectors yet: only the candidates are embedded, and each only once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from litrag.core.fusion import ReciprocalRankFusion
from litrag.core.protocols import Embedder
from litrag.core.types import Hit, Ranking, Score
from litrag.rerankers.toolkit import parted

__all__ = ["FirstStageOrder", "Similarity"]


class FirstStageOrder:
    """Keeps the order of the first stage."""

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """The input."""
        return ranking


@dataclass(frozen=True, slots=True)
class Similarity:
    """Reciprocal rank fusion of the input order and the cosine order. Adds the scores "similarity" (cosine, in [-1, 1]) and
    "rrf". Default weights 1:2, as hybrid retrieval."""

    embedder: Embedder
    first_stage_weight: float = 1.0
    similarity_weight: float = 2.0
    default_depth: int = 100

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, tail = parted(ranking, depth, self.default_depth)
        n = len(head)
        if n < 2:
            return ranking
        query, documents = await asyncio.gather(
            self.embedder.embed([ranking.query.text], kind="query"),
            self.embedder.embed([hit.document.text for hit in head], kind="document"),
        )
        cosines = [float(value) for value in documents @ query[0]]
        order = sorted(range(n), key=lambda i: (-cosines[i], i))
        scored: list[Hit] = [
            head[i].scored(Score(cosines[i], "similarity", ranking.query.text, rank))
            for rank, i in enumerate(order, start=1)
        ]
        fusion = ReciprocalRankFusion(weights=(self.first_stage_weight, self.similarity_weight))
        fused = fusion.fuse([replace(ranking, hits=head), replace(ranking, hits=tuple(scored))])
        return replace(ranking, hits=(*fused.hits, *tail))
