"""Fusion of rankings, by rank or by normalised score: what retrievers, rerankers and the review all do with several rankings of one
query."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, TypeAlias

from litrag.core.errors import LitragError
from litrag.core.types import Hit, Query, Ranking, Score

__all__ = ["Fusion", "Normalisation", "NormalisedScoreFusion", "QueryMismatch", "ReciprocalRankFusion", "stage_scores"]

Normalisation: TypeAlias = Literal["min-max", "z-score"]


class QueryMismatch(LitragError):
    """Rankings of different queries cannot be fused as one."""


class Fusion(Protocol):
    """A way to make one ranking of several."""

    def fuse(self, rankings: Sequence[Ranking]) -> Ranking:
        """One ranking over the union of the documents of rankings of one query; every hit keeps the scores that it has in any of them
        and gets one more; equal sums keep the order in which the documents first appear. Raises QueryMismatch."""


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
        query = _common(rankings)
        weights = self.weights or (1.0,) * len(rankings)
        gains = [
            {hit.document.id: weight / (self.damping + rank) for rank, hit in enumerate(ranking.hits, start=1)}
            for ranking, weight in zip(rankings, weights, strict=True)
        ]
        return _fused(query, rankings, gains, self.name)


@dataclass(frozen=True, kw_only=True)
class NormalisedScoreFusion:
    """Fuses n rankings of one query by the weighted sum of their scores, each made comparable over the hits of its ranking (CombSUM,
    Fox and Shaw, TREC-2, 1994). Equal sums keep the order in which the documents first appear.

    "min-max": (s - min) / (max - min), in [0, 1]; a document that a ranking lacks gets 0 there, as its last hit does; where all scores
    of a ranking are equal, its hits get 1. "z-score": (s - mean) / deviation, of no bounds; a document that a ranking lacks gets that
    ranking's minimum; where all scores are equal, all get 0.

    The score of a hit in a ranking is the one that ordered it (`stage_scores`). `weights`, one a ranking, default to 1; a hit keeps
    its scores and gets the score `name`. Raises QueryMismatch if the queries differ."""

    normalisation: Normalisation = "min-max"
    weights: tuple[float, ...] = ()
    name: str = "score-fusion"

    def fuse(self, rankings: Sequence[Ranking]) -> Ranking:
        """One ranking over the union of the documents."""
        query = _common(rankings)
        names = dict.fromkeys(hit.document.id for ranking in rankings for hit in ranking.hits)
        gains: list[Mapping[str, float]] = []
        for ranking, weight in zip(rankings, self.weights or (1.0,) * len(rankings), strict=True):
            values, missing = _NORMALISED[self.normalisation](stage_scores(ranking))
            gains.append({name: weight * values.get(name, missing) for name in names})
        return _fused(query, rankings, gains, self.name)


def stage_scores(ranking: Ranking, source: str = "") -> dict[str, float]:
    """The score of each document that has one of `source`; by default of the source that ordered the ranking: the last score that its
    first hit got. Where a source scored a document for several queries, the last counts."""
    source = source or (ranking.hits[0].scores[-1].source if ranking.hits and ranking.hits[0].scores else "")
    return {hit.document.id: score.value for hit in ranking.hits for score in hit.scores if score.source == source}


def _min_max(scores: Mapping[str, float]) -> tuple[dict[str, float], float]:
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    span = high - low
    return {name: (value - low) / span if span > 0 else 1.0 for name, value in scores.items()}, 0.0


def _z_score(scores: Mapping[str, float]) -> tuple[dict[str, float], float]:
    n = max(len(scores), 1)
    mean = math.fsum(scores.values()) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in scores.values()) / n)
    found = {name: (value - mean) / deviation if deviation > 0 else 0.0 for name, value in scores.items()}
    return found, min(found.values(), default=0.0)


_NORMALISED: Final = {"min-max": _min_max, "z-score": _z_score}


def _common(rankings: Sequence[Ranking]) -> Query:
    """The one query of all rankings. Raises QueryMismatch."""
    if not rankings:
        raise QueryMismatch("no ranking to fuse")
    query = rankings[0].query
    if any(ranking.query.text != query.text for ranking in rankings):
        raise QueryMismatch(f"rankings of different queries: {sorted({r.query.text[:40] for r in rankings})}")
    return query


def _fused(query: Query, rankings: Sequence[Ranking], gains: Sequence[Mapping[str, float]], source: str) -> Ranking:
    """The union of the rankings, ordered by the sum of each document's gains; a document is taken from the ranking in which
    it stands highest."""
    hits: dict[str, Hit] = {}
    best: dict[str, int] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking.hits, start=1):
            name = hit.document.id
            old = hits.get(name)
            joined = (
                hit
                if old is None
                else old.scored(*(s for s in hit.scores if s not in old.scores)).because(*hit.reasons)
            )
            if rank < best.setdefault(name, rank):
                best[name], joined = rank, replace(joined, document=hit.document)
            hits[name] = joined
    sums = {name: sum(gain.get(name, 0.0) for gain in gains) for name in hits}
    order = sorted(sums, key=lambda name: -sums[name])
    fused = (hits[n].scored(Score(sums[n], source, query.text, rank)) for rank, n in enumerate(order, start=1))
    return Ranking(query, tuple(fused))
