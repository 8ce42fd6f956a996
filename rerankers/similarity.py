"""Reranking by the embedder: cosine similarity of query and document, fused by rank with the first-stage order.

It brings the dense signal to libraries that have no vectors yet: only the candidates are embedded, and each only once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from litrag.core.fusion import ReciprocalRankFusion
from litrag.core.protocols import Embedder
from litrag.core.types import Hit, Ranking, Score
from litrag.rerankers.toolkit import parted

__all__ = ["FirstStageOrder", "Similarity", "cosines"]


class FirstStageOrder:
    """Keeps the order of the first stage."""

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """The input."""
        return ranking


async def cosines(embedder: Embedder, text: str, hits: Sequence[Hit]) -> list[float]:
    """Cosine of each hit's document to the text, in [-1, 1]. Raises ModelFault, BudgetSpent."""
    query, documents = await asyncio.gather(
        embedder.embed([text], kind="query"), embedder.embed([hit.document.text for hit in hits], kind="document")
    )
    return [float(value) for value in documents @ query[0]]


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
        values = await cosines(self.embedder, ranking.query.text, head)
        order = sorted(range(n), key=lambda i: (-values[i], i))
        scored: list[Hit] = [
            head[i].scored(Score(values[i], "similarity", ranking.query.text, rank))
            for rank, i in enumerate(order, start=1)
        ]
        fusion = ReciprocalRankFusion(weights=(self.first_stage_weight, self.similarity_weight))
        fused = fusion.fuse([replace(ranking, hits=head), replace(ranking, hits=tuple(scored))])
        return replace(ranking, hits=(*fused.hits, *tail))
