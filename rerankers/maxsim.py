"""Late interaction (ColBERT, Khattab and Zaharia, SIGIR 2020): a document's score is the sum, over the tokens of the query, of the
greatest cosine with one of its tokens.

Deviates: the token vectors are those of the embedder in use, which was trained for one vector a text; no [MASK] tokens are added to
queries, and punctuation is kept. Candidates of a first stage are scored, as arXiv 2601.05200 finds best, with that paper's two ways
to score fewer of them: candidate pruning and early exit (up to 1.8 x faster there). Their rules are written from the description."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litrag.core.fusion import NormalisedScoreFusion, stage_scores
from litrag.core.protocols import LateInteraction, TokenEmbedder
from litrag.core.types import Hit, Ranking, Score

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["MaxSim", "Reranked"]


@dataclass(frozen=True, slots=True)
class Reranked:
    """A reranked ranking, and of its first `depth` hits how many were `scored` and how many `pruned` without being scored."""

    ranking: Ranking
    scored: int = 0
    pruned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxSim:
    """Reranks the first `depth` hits by MaxSim; adds the score "maxsim", in [-m, m] for a query of m tokens.

    `alpha` in [0, 1]: hits whose first-stage score (the one that ordered the input) is below `alpha` times the best are not scored; 0
    is off, and so is a first stage whose best score is not positive. `patience`: hits are walked in first-stage order, `chunk` at a
    time, until that many in a row did not enter the best `k`; None is off. With both off the order is exact.

    `first_stage_weight` in [0, 1] mixes the first stage in (min-max normalised, score "maxsim-fused"). What was not scored follows
    below in its old order. Raises ValueError for numbers out of range."""

    embedder: TokenEmbedder
    documents: LateInteraction
    alpha: float = 0.0
    patience: int | None = None
    k: int = 20
    first_stage_weight: float = 0.0
    chunk: int = 16
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not (0 <= self.alpha <= 1 and 0 <= self.first_stage_weight <= 1):
            raise ValueError(f"alpha {self.alpha} and first_stage_weight {self.first_stage_weight} must be in [0, 1]")
        if min(self.k, self.chunk, self.patience or 1) < 1 or self.patience == 0:
            raise ValueError("k, chunk and patience must be 1 or more")

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent, EnvironmentFault."""
        return (await self.rerank_counted(ranking, depth=depth)).ranking

    async def rerank_counted(self, ranking: Ranking, *, depth: int | None = None) -> Reranked:
        """The same, and what it took. A query without a word leaves the ranking as it is."""
        head = ranking.hits[: self.default_depth if depth is None else depth]
        if len(head) < 2:
            return Reranked(ranking)
        (query,) = await self.embedder.embed_tokens([ranking.query.text], kind="query")
        if not len(query):
            return Reranked(ranking)
        walked = self._unpruned(replace(ranking, hits=head))
        values = await self._walk(query, walked)
        best = self._ordered(replace(ranking, hits=walked), values)
        named = set(values)
        rest = (hit for hit in ranking.hits if hit.document.id not in named)
        return Reranked(replace(ranking, hits=(*best, *rest)), len(values), len(head) - len(walked))

    def _unpruned(self, head: Ranking) -> tuple[Hit, ...]:
        """The hits that are worth scoring; one that the first stage gave no score is."""
        first = stage_scores(head)
        best = max(first.values(), default=0.0)
        floor = self.alpha * best if self.alpha and best > 0 else -math.inf
        return tuple(hit for hit in head.hits if first.get(hit.document.id, math.inf) >= floor)

    async def _walk(self, query: Vectors, hits: Sequence[Hit]) -> dict[str, float]:
        """Document id -> MaxSim, as far as the walk went."""
        values: dict[str, float] = {}
        best: list[float] = []
        unchanged = 0
        for start in range(0, len(hits), self.chunk):
            documents = [hit.document for hit in hits[start : start + self.chunk]]
            for document, value in zip(documents, await self.documents.scores(query, documents), strict=True):
                values[document.id] = value
                if len(best) < self.k:
                    heapq.heappush(best, value)
                    unchanged = 0
                else:
                    unchanged = 0 if value > heapq.heappushpop(best, value) else unchanged + 1
            if self.patience is not None and unchanged >= self.patience:
                break
        return values

    def _ordered(self, walked: Ranking, values: Mapping[str, float]) -> tuple[Hit, ...]:
        """The scored hits, best first; equal scores in first-stage order."""
        scored = [hit for hit in walked.hits if hit.document.id in values]
        order = sorted(scored, key=lambda hit: -values[hit.document.id])
        text = walked.query.text
        hits = tuple(
            hit.scored(Score(values[hit.document.id], "maxsim", text, rank)) for rank, hit in enumerate(order, start=1)
        )
        if not self.first_stage_weight:
            return hits
        weights = (self.first_stage_weight, 1 - self.first_stage_weight)
        fusion = NormalisedScoreFusion(weights=weights, name="maxsim-fused")
        return fusion.fuse([replace(walked, hits=tuple(scored)), replace(walked, hits=hits)]).hits
