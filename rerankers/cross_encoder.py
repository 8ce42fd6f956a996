"""Reranking by a cross-encoder (monoBERT, arXiv 1901.04085, and what followed): a local sequence-classification model, or an API that
reranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from litrag.core.protocols import PairScoring
from litrag.core.sync import all_or_first_error
from litrag.core.types import Ranking
from litrag.rerankers.toolkit import fitted, parted, reordered

__all__ = ["CrossEncoder"]


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Ranks the first `depth` documents by the score "cross-encoder", on the model's own scale, `batch` documents a call, all at once."""

    needs: ClassVar = PairScoring

    model: PairScoring
    batch: int = 100
    tokens: int = 400
    default_depth: int = 100

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        if len(head) < 2:
            return ranking
        texts = [text for hit in head for text in fitted(self.model, [hit], self.tokens, frame=ranking.query.text)]
        parts = [texts[start : start + self.batch] for start in range(0, len(texts), self.batch)]
        found = await all_or_first_error([self.model.relevance(ranking.query.text, part) for part in parts])
        return reordered(ranking, [score for scores in found for score in scores], "cross-encoder")
