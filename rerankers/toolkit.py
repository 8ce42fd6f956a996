"""What the methods share: the head that is reranked, texts as prompts show them, first-stage scores as text, windows, the way back to a
ranking."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypeVar

from litrag.core.errors import BadInput
from litrag.core.lengths import measure_of
from litrag.core.prompt import neutralised
from litrag.core.types import Hit, Ranking, Score

__all__ = [
    "Control",
    "Scale",
    "fitted",
    "listed",
    "parted",
    "positive",
    "reordered",
    "score_texts",
    "shuffled",
    "windows",
    "worths",
]

Scale: TypeAlias = Literal["raw", "minmax", "z", "rank"]
T = TypeVar("T")
_LEAST = 32  # tokens of a text below which a prompt says too little of it
_TEMPLATE = 48  # what a chat template puts around a prompt
_NUMBERING = 12  # a text's number, its score, its line break
Control: TypeAlias = Literal["own", "none", "permuted", "constant"]


def parted(ranking: Ranking, depth: int) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """The first `depth` hits, and those below, which keep their order."""
    return ranking.hits[:depth], ranking.hits[depth:]


def positive(**settings: int) -> None:
    """Raises ValueError for a setting below 1, naming it."""
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name} {value} must be 1 or more")


def fitted(model: object, hits: Sequence[Hit], tokens: int, *, frame: str = "", reply: int = 0) -> list[str]:
    """The documents' texts as one prompt of `model` may show them: each at most `tokens` tokens, and where the prompt (its other text is
    `frame`) and a reply of `reply` tokens would pass the model's context, all under one lower bound; what is cut ends in "…".

    Raises BadInput where that bound would be below 32 tokens: a prompt is never cut silently."""
    measure = measure_of(model)
    texts = [neutralised(" ".join(hit.document.text.split())) for hit in hits]
    lengths = [measure.count(text) for text in texts]
    bound = tokens
    if measure.context is not None:
        room = measure.context - measure.count(frame) - reply - _TEMPLATE - _NUMBERING * len(texts)
        bound = _even(lengths, tokens, room)
        if bound < min(tokens, _LEAST, max(lengths, default=0)):
            raise BadInput(
                f"{len(texts)} documents do not fit the context of {measure.context} tokens of"
                f" {getattr(model, 'model', 'the model')}; rank fewer at a time (a window, a group), or use a model with more"
            )
    cut = (measure.cut(text, bound) + " …" if n > bound else text for text, n in zip(texts, lengths, strict=True))
    return list(cut)


def _even(lengths: Sequence[int], most: int, room: int) -> int:
    """The greatest bound, at most `most`, under which the lengths sum to at most `room`; what short texts leave goes to the long ones."""
    left = room
    for place, length in enumerate(ordered := sorted(lengths)):
        share = left // (len(ordered) - place)
        if length > share:
            return min(most, share)
        left -= min(length, most)
    return most


def shuffled(items: Sequence[T], seed: int) -> list[T]:
    """The items in an order that the seed decides."""
    return random.Random(seed).sample(items, len(items))  # noqa: S311


def listed(texts: Sequence[str]) -> str:
    """Texts, one a line, numbered from [1]."""
    return "\n".join(f"[{number}] {text}" for number, text in enumerate(texts, start=1))


def reordered(ranking: Ranking, values: Sequence[float | None], source: str, *, placed: float | None = None) -> Ranking:
    """The ranking with its first len(values) hits by value, greatest first, equal ones in input order, and with the value as a score
    named `source`; those of None follow in input order without one. `placed` in [0, 1] says how much the model decided; by default the share
    of the hits with a value."""
    head, tail = parted(ranking, len(values))
    text = ranking.query.text
    known = sorted((-value, place) for place, value in enumerate(values) if value is not None)
    best = [head[place].scored(Score(-minus, source, text, rank)) for rank, (minus, place) in enumerate(known, start=1)]
    rest = [hit for hit, value in zip(head, values, strict=True) if value is None]
    share = len(best) / len(head) if head else 1.0
    return replace(ranking, hits=(*best, *rest, *tail), placed=share if placed is None else placed)


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
    hits: Sequence[Hit], source: str = "", *, scale: Scale = "raw", control: Control = "own", seed: int = 0
) -> tuple[str, ...]:
    """For each hit the text of its best score named `source` ("": the first that the first hit carries); "" where it has none.

    Scales: as it is, to two digits; an integer from 0 to 100 between the least and the greatest; standard deviations from the mean; the
    rank. Controls: "none" shows none, "permuted" the scores of other documents, "constant" the mean for all."""
    source = source or next((score.source for hit in hits[:1] for score in hit.scores), "")
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
