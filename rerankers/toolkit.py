"""What the methods share: the head that is reranked, texts as prompts show them, first-stage scores as text, windows, the way back to a
ranking."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypeVar

from litrag.core.prompt import neutralised
from litrag.core.types import Hit, Ranking, Score

__all__ = ["Control", "Scale", "listed", "parted", "reordered", "score_texts", "shown", "shuffled", "windows", "worths"]

Scale: TypeAlias = Literal["raw", "minmax", "z", "rank"]
T = TypeVar("T")
Control: TypeAlias = Literal["own", "none", "permuted", "constant"]


def parted(ranking: Ranking, depth: int) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """The first `depth` hits, and those below, which keep their order."""
    return ranking.hits[:depth], ranking.hits[depth:]


def shown(hit: Hit, words: int) -> str:
    """The first `words` words of a document as a prompt may show them."""
    text = hit.document.text.split()
    return neutralised(" ".join(text[:words]) + (" …" if len(text) > words else ""))


def shuffled(items: Sequence[T], seed: int) -> list[T]:
    """The items in an order that the seed decides."""
    return random.Random(seed).sample(items, len(items))  # noqa: S311


def listed(hits: Sequence[Hit], words: int) -> str:
    """The documents, one a line, numbered from [1]."""
    return "\n".join(f"[{number}] {shown(hit, words)}" for number, hit in enumerate(hits, start=1))


def reordered(ranking: Ranking, values: Sequence[float | None], source: str) -> Ranking:
    """The ranking with its first len(values) hits by value, greatest first, equal ones in input order, and with the value as a score
    named `source`; those of None follow in input order without one."""
    head, tail = parted(ranking, len(values))
    text = ranking.query.text
    known = sorted((-value, place) for place, value in enumerate(values) if value is not None)
    best = [head[place].scored(Score(-minus, source, text, rank)) for rank, (minus, place) in enumerate(known, start=1)]
    rest = [hit for hit, value in zip(head, values, strict=True) if value is None]
    return replace(ranking, hits=(*best, *rest, *tail))


def worths(order: Sequence[int]) -> list[float]:
    """By place in the input, n - rank: what `reordered` takes to put n hits into this order of their places."""
    values = [0.0] * len(order)
    for rank, place in enumerate(order, start=1):
        values[place] = float(len(order) - rank)
    return values


def windows(n: int, size: int, stride: int) -> Iterator[tuple[int, int]]:
    """Slices of range(n) from its end to its start, `size` long, each `stride` before the last (RankGPT, arXiv 2304.09542): 9 for 100,
    20, 10. Raises ValueError unless 0 < stride <= size."""
    if not 0 < stride <= size:
        raise ValueError(f"a window of {size} cannot move by {stride}")
    end = n
    while True:
        start = max(0, end - size)
        yield start, end
        if start == 0:
            return
        end -= stride


def score_texts(
    hits: Sequence[Hit], source: str, *, scale: Scale = "raw", control: Control = "own", seed: int = 0
) -> tuple[str, ...]:
    """For each hit the text of its best score named `source`; "" where it has none.

    Scales: as it is, to two digits; an integer from 0 to 100 between the least and the greatest; standard deviations from the mean; the
    rank. Controls: "none" shows none, "permuted" the scores of other documents, "constant" the mean for all."""
    found = [max((s.value for s in hit.scores if s.source == source), default=None) for hit in hits]
    known = [value for value in found if value is not None]
    if control == "none" or not known:
        return ("",) * len(hits)
    if control == "constant":
        known = [statistics.fmean(known)] * len(known)
    if control == "permuted":
        known = shuffled(known, seed)
    texts = iter(_scaled(known, scale))
    return tuple("" if value is None else next(texts) for value in found)


def _scaled(values: Sequence[float], scale: Scale) -> list[str]:
    low, high = min(values), max(values)
    if scale == "minmax":
        return [str(round(100 * (value - low) / (high - low)) if high > low else 100) for value in values]
    if scale == "z":
        mean, spread = statistics.fmean(values), statistics.pstdev(values)
        return [f"{(value - mean) / spread if spread else 0:.2f}" for value in values]
    if scale == "rank":
        return [str(1 + sum(other > value for other in values)) for value in values]
    return [f"{value:.2f}" for value in values]
