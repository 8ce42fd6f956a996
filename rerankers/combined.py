"""Rerankers made of rerankers: cascades (DeAR, arXiv 2508.16998: cheap over many, dear over few), fusion with the first stage,
permutation self-consistency (arXiv 2310.07712, by Borda's count)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from litrag.core.fusion import NormalisedScoreFusion
from litrag.core.protocols import Reranker
from litrag.core.sync import all_or_first_error
from litrag.core.types import Ranking
from litrag.rerankers.toolkit import ordered, parted, reordered, settled, shuffled

__all__ = ["Cascade", "Fused", "SelfConsistent"]


@dataclass(frozen=True, slots=True)
class Cascade:
    """Each stage reranks the first hits of the last one's ranking, to its own depth: `((cheap, 100), (dear, 20))`."""

    stages: Sequence[tuple[Reranker, int]]

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input; `depth` bounds every stage's. Raises what the stages raise."""
        least = 1.0
        for stage, own in self.stages:
            ranking = await stage.rerank(ranking, depth=own if depth is None else min(depth, own))
            least = min(least, ranking.placed)
        return replace(ranking, placed=least)


@dataclass(frozen=True, slots=True)
class Fused:
    """A reranker's scores and the first stage's, each brought to [0, 1], mixed by `first_stage_weight` in [0, 1] (score "fused"). Where the
    reranker's last scores do not make its order (a cascade's, or of replies that could not be read), n - rank counts in their place.
    Raises ValueError for a weight outside [0, 1]."""

    inner: Reranker
    first_stage_weight: float = 0.5
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.first_stage_weight <= 1:
            raise ValueError(f"first_stage_weight {self.first_stage_weight} must be in [0, 1]")

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises what the reranker raises."""
        head, tail = parted(ranking, depth, self.default_depth)
        if len(head) < 2:
            return ranking
        first = replace(ranking, hits=head)
        second = await self.inner.rerank(ranking, depth=len(head))
        second = replace(second, hits=second.hits[: len(head)])
        if not _by_score(second):
            second = ordered(second, range(len(head)), "order", placed=second.placed)
        weights = (self.first_stage_weight, 1 - self.first_stage_weight)
        fused = NormalisedScoreFusion(weights=weights, name="fused").fuse([first, second])
        return replace(ranking, hits=(*fused.hits, *tail), placed=second.placed)


@dataclass(frozen=True, slots=True)
class SelfConsistent:
    """Reranks the first `depth` hits in `shuffles` random orders (by `seed` and query) at once; the score "borda" in [0, n - 1] is the mean number of hits
    ranked below; orders of which nothing could be read do not count, and what an order leaves unscored stands in it as the first stage has it, not as it
    was shuffled. The reasons of all orders are kept."""

    inner: Reranker
    shuffles: int = 5
    seed: int = 0
    default_depth: int = 20

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises what the reranker raises."""
        head, tail = parted(ranking, depth, self.default_depth)
        n = len(head)
        if n < 2:
            return ranking
        orders = [shuffled(head, self.seed + turn, ranking.query) for turn in range(self.shuffles)]
        found = await all_or_first_error(
            [self.inner.rerank(replace(ranking, hits=(*order, *tail)), depth=n) for order in orders]
        )
        why = {hit.document.id: hit for hit in head}
        if not (found := [each for each in found if each.placed]):
            return replace(ranking, placed=0.0)
        places = {hit.document.id: place for place, hit in enumerate(head)}
        below = [0] * n
        for each in found:
            order = [places[hit.document.id] for hit in each.hits[:n]]
            mute = {i for i, hit in zip(order, each.hits, strict=False) if len(hit.scores) == len(head[i].scores)}
            for rank, place in enumerate(settled(order, mute), start=1):
                below[place] += n - rank
            for hit in each.hits[:n]:
                why[hit.document.id] = why[hit.document.id].because(*hit.reasons)
        values = [total / len(found) for total in below]
        told = replace(ranking, hits=(*why.values(), *tail))
        return reordered(told, values, "borda", placed=sum(each.placed for each in found) / self.shuffles)


def _by_score(ranking: Ranking) -> bool:
    """Whether the last scores of the hits are of one name and fall from hit to hit."""
    last = [hit.scores[-1] for hit in ranking.hits if hit.scores]
    values = [score.value for score in last]
    one = len({score.source for score in last}) == 1 and len(last) == len(ranking.hits)
    return one and values == sorted(values, reverse=True)
