"""Fusion of rankings by rank: what retrievers, rerankers and the review all do with several rankings of one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from litrag.core.errors import LitragError
from litrag.core.types import Hit, Ranking, Score

__all__ = ["QueryMismatch", "ReciprocalRankFusion"]


class QueryMismatch(LitragError):
    """Rankings of different queries cannot be fused as one."""


@dataclass(frozen=True, kw_only=True)
class ReciprocalRankFusion:
    """Fuses n rankings of one query by rank alone (RRF, Cormack et al., SIGIR 2009). Equal sums keep the order in which the
    documents first appear. A document is taken from the ranking in which it stands highest.

    `damping` > 0; the paper uses 60. `weights`, one a ranking, default to 1. A hit keeps the scores it has in all rankings and
    gets the score `name`, in (0, sum(weights) / (damping + 1)], no unit. Raises QueryMismatch if the queries differ."""

    damping: float = 60.0
    weights: tuple[float, ...] = ()
    name: str = "rrf"

    def fuse(self, rankings: Sequence[Ranking]) -> Ranking:
        """One ranking over the union of the documents."""
        if not rankings:
            raise QueryMismatch("no ranking to fuse")
        query = rankings[0].query
        if any(ranking.query.text != query.text for ranking in rankings):
            raise QueryMismatch(f"rankings of different queries: {sorted({r.query.text[:40] for r in rankings})}")
        weights = self.weights or (1.0,) * len(rankings)
        sums: dict[str, float] = {}
        hits: dict[str, Hit] = {}
        best: dict[str, int] = {}
        for ranking, weight in zip(rankings, weights, strict=True):
            for rank, hit in enumerate(ranking.hits, start=1):
                name = hit.document.id
                sums[name] = sums.get(name, 0.0) + weight / (self.damping + rank)
                old = hits.get(name)
                joined = hit if old is None else old.scored(*(s for s in hit.scores if s not in old.scores))
                if rank < best.setdefault(name, rank):
                    best[name], joined = rank, replace(joined, document=hit.document)
                hits[name] = joined
        order = sorted(sums, key=lambda name: -sums[name])
        fused = (hits[n].scored(Score(sums[n], self.name, query.text, rank)) for rank, n in enumerate(order, start=1))
        return Ranking(query, tuple(fused))
