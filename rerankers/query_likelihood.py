"""Query likelihood by a language model (UPR, arXiv 2204.07496; TRLM's forward form, arXiv 2412.02626): a document is the better the
likelier it makes the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import ForcedScoring
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import fitted, parted, positive, reordered

__all__ = ["QueryLikelihood", "likelihood_prompt"]

_PLAIN: Final = Prompt("""Passage: $passage
Query:""")
_INSTRUCTION: Final = Prompt("""Passage: $passage

Please write a question based on this passage.""")


@dataclass(frozen=True, slots=True)
class QueryLikelihood:
    """Ranks the first `depth` documents by the score "query-likelihood", the mean log P(query token | document, earlier tokens), <= 0 in nats (calibrated,
    without a bound).

    "plain" text is continued without a chat template; "instruction" is UPR's, through it. `calibration` in [0, 1] takes away that share of the mean log P(document | no query), which a generic document has more of; 0 is
    UPR's form, and half the calls. Raises ValueError for a calibration outside [0, 1], other numbers below 1."""

    needs: ClassVar = ForcedScoring
    prompt: ClassVar = _PLAIN

    model: ForcedScoring
    tokens: int = 200
    form: Literal["plain", "instruction"] = "plain"
    calibration: float = 0.0
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.calibration <= 1:
            raise ValueError(f"calibration {self.calibration} must be in [0, 1]")
        positive(tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        if len(head) < 2:
            return ranking
        values = await all_or_first_error([self._value(ranking.query, hit) for hit in head])
        return reordered(ranking, values, "query-likelihood")

    async def _value(self, query: Query, hit: Hit) -> float:
        (passage,) = fitted(self.model, [hit], self.tokens, frame=query.text)
        message, continuation = likelihood_prompt(query, passage, instruction=self.form == "instruction")
        (scores,) = await self.model.score([message], [continuation])
        if not self.calibration:
            return scores.mean
        (own,) = await self.model.score([Message("assistant", "Passage:")], [f" {passage}"])
        return scores.mean - self.calibration * own.mean


def likelihood_prompt(query: Query, passage: str, *, instruction: bool = False) -> tuple[Message, str]:
    """What the query continues, and the query as its continuation."""
    text = neutralised(query.text)
    if instruction:
        return Message("user", _INSTRUCTION.fill(passage=passage)), text
    return Message("assistant", _PLAIN.fill(passage=passage)), f" {text}"
