"""Query likelihood by a language model (UPR, arXiv 2204.07496; TRLM's forward form, arXiv 2412.02626): a document is the better the
likelier it makes the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import ForcedScoring
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import parted, reordered, shown

__all__ = ["QUERY_LIKELIHOOD", "QueryLikelihood"]

QUERY_LIKELIHOOD: Final = Prompt("""Passage: $passage

Please write a question based on this passage.""")


@dataclass(frozen=True, slots=True)
class QueryLikelihood:
    """Ranks the first `depth` documents by the score "query-likelihood", the mean log P(query token | document, earlier tokens), <= 0.

    `calibration` in [0, 1] takes away that share of the mean log P(document | no query), which a generic document has more of; 0 is
    UPR's form, and half the calls."""

    needs: ClassVar = ForcedScoring

    model: ForcedScoring
    words: int = 150
    calibration: float = 0.0
    default_depth: int = 100

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        if len(head) < 2:
            return ranking
        values = await all_or_first_error([self._value(ranking.query, hit) for hit in head])
        return reordered(ranking, values, "query-likelihood")

    async def _value(self, query: Query, hit: Hit) -> float:
        passage = shown(hit, self.words)
        prompt = QUERY_LIKELIHOOD.fill(passage=passage)
        (scores,) = await self.model.score([Message("user", prompt)], [neutralised(query.text)])
        if not self.calibration:
            return scores.mean
        (own,) = await self.model.score([Message("user", "Write a passage.")], [passage])
        return scores.mean - self.calibration * own.mean
