"""Ranking by a cross-encoder, which reads query and document together and gives their relevance as a number (monoBERT, arXiv 1901.04085;
in process or through a rerank API)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from litrag.core.lengths import measure_of
from litrag.core.protocols import PairScoring
from litrag.core.sync import all_or_first_error
from litrag.core.types import Ranking
from litrag.rerankers.toolkit import fitted, parted, reordered

__all__ = ["CrossEncoder"]


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Ranks by the score "cross-encoder", the model's own number (of a local model the raw logit), which compares within one ranking and
    model only. Each document is cut to `tokens` tokens, and to what the query leaves of the model's context; a query is cut to half of it.
    `batch` documents go into a call, all calls at once. A document without a finite score stays at its place.

    Raises ValueError for a batch below 1."""

    needs: ClassVar = PairScoring

    model: PairScoring
    tokens: int = 400
    default_depth: int = 100
    batch: int = 100

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"a batch of {self.batch}: a call takes at least 1 document")

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        measure = measure_of(self.model)
        query = ranking.query.text if measure.context is None else measure.cut(ranking.query.text, measure.context // 2)
        texts = [text for hit in head for text in fitted(self.model, [hit], self.tokens, frame=query)]
        parts = [texts[start : start + self.batch] for start in range(0, len(texts), self.batch)]
        found = await all_or_first_error([self.model.relevance(query, part) for part in parts])
        values = [value if math.isfinite(value) else None for part in found for value in part]
        return reordered(ranking, values, "cross-encoder")
