"""What the methods share: the head that is reranked, texts as prompts show them, first-stage scores as text, windows, the way back to a
ranking."""

from __future__ import annotations

import random
import statistics
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypeVar

from litrag.core.errors import BadInput, PromptTooLong
from litrag.core.lengths import measure_of
from litrag.core.prompt import neutralised
from litrag.core.types import Hit, Query, Ranking, Score

__all__ = [
    "Control",
    "Scale",
    "Task",
    "first_source",
    "fitted",
    "listed",
    "ordered",
    "parted",
    "positive",
    "refuse_unfit",
    "reordered",
    "score_texts",
    "scores_beside",
    "settled",
    "shuffled",
    "windows",
]

Scale: TypeAlias = Literal["raw", "minmax", "z", "rank"]
T = TypeVar("T")
_LEAST = 32  # tokens of a text below which a prompt says too little of it
_TEMPLATE = 48  # what a chat template puts around a prompt
_NUMBERING = 12  # a text's number, its ellipsis, its line break
Control: TypeAlias = Literal["own", "none", "permuted", "constant"]
Task: TypeAlias = Literal["cite", "answer"]


def parted(ranking: Ranking, depth: int | None, default: int) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """The first `depth` hits (of None the first `default`), and those below, which keep their order."""
    n = default if depth is None else depth
    return ranking.hits[:n], ranking.hits[n:]


def positive(**settings: int) -> None:
    """Raises ValueError for a setting below 1, naming it."""
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name} {value} must be 1 or more")


def fitted(
    model: object, hits: Sequence[Hit], tokens: int, *, frame: str = "", reply: int = 0, beside: Sequence[str] = ()
) -> list[str]:
    """The documents' texts as one prompt of `model` may show them: each at most `tokens` tokens, and where the prompt (its other text is
    `frame`) and a reply of `reply` tokens would pass the model's context, all under one lower bound; what is cut ends in "…". What stands
    `beside` each text follows it whole.

    Raises PromptTooLong where that bound would be below 32 tokens: a prompt is never cut silently."""
    measure = measure_of(model)
    texts = [neutralised(" ".join(hit.document.text.split())) for hit in hits]
    notes = list(beside) or [""] * len(texts)
    lengths = [measure.count(text) for text in texts]
    bound = tokens
    if measure.context is not None:
        room = measure.context - measure.count(frame) - reply - _TEMPLATE - _NUMBERING * len(texts)
        bound = _even(lengths, tokens, room - sum(measure.count(note) for note in notes if note))
        if bound < min(tokens, _LEAST, max(lengths, default=0)):
            raise PromptTooLong(
                f"{len(texts)} documents do not fit the context of {measure.context} tokens of"
                f" {getattr(model, 'model', 'the model')}; rank fewer at a time (a window, a group), or use a model with more"
            )
    shown = (measure.cut(text, bound) + " …" if n > bound else text for text, n in zip(texts, lengths, strict=True))
    return [text + note for text, note in zip(shown, notes, strict=True)]


def refuse_unfit(
    model: object, hits: Sequence[Hit], size: int, tokens: int, *, frame: str, reply: int, beside: Sequence[str] = ()
) -> None:
    """Raises PromptTooLong, before anything was sent, where some `size` of the documents would not fit a prompt together."""
    measure = measure_of(model)
    if measure.context is None:
        return
    notes = list(beside) or [""] * len(hits)
    needs = [
        min(_LEAST, measure.count(hit.document.text)) + measure.count(note)
        for hit, note in zip(hits, notes, strict=True)
    ]
    worst = sorted(range(len(hits)), key=lambda place: -needs[place])[:size]
    fitted(model, [hits[i] for i in worst], tokens, frame=frame, reply=reply, beside=[notes[place] for place in worst])


def _even(lengths: Sequence[int], most: int, room: int) -> int:
    """The greatest bound, at most `most`, under which the lengths sum to at most `room`; what short texts leave goes to the long ones."""
    left = room
    for place, length in enumerate(by_length := sorted(lengths)):
        share = left // (len(by_length) - place)
        if length > share:
            return min(most, share)
        left -= min(length, most)
    return most


def shuffled(items: Sequence[T], seed: int, query: Query) -> list[T]:
    """The items in an order that the seed and the query decide, so that not all queries of a run get one and the same."""
    return random.Random(f"{seed} {query.text}").sample(items, len(items))  # noqa: S311


def listed(texts: Sequence[str]) -> str:
    """Texts, one a line, numbered from [1]."""
    return "\n".join(f"[{number}] {text}" for number, text in enumerate(texts, start=1))


def reordered(ranking: Ranking, values: Sequence[float | None], source: str, *, placed: float | None = None) -> Ranking:
    """The ranking with its first len(values) hits by value, greatest first, equal ones in input order, and with the value as a score
    named `source`. Those of None, of which the model said nothing readable, stay at their places, without a score. `placed` in [0, 1]
    says how much the model decided; by default the share of the hits with a value."""
    n = len(values)
    hits = list(ranking.hits[:n])
    known = sorted((-value, place) for place, value in enumerate(values) if value is not None)
    open_places = (place for place, value in enumerate(values) if value is not None)
    for to, (minus, place) in zip(open_places, known, strict=True):
        hits[to] = ranking.hits[place].scored(Score(-minus, source, ranking.query.text, to + 1))
    share = len(known) / n if n else 1.0
    return replace(ranking, hits=(*hits, *ranking.hits[n:]), placed=share if placed is None else placed)


def ordered(ranking: Ranking, order: Sequence[int], source: str, *, placed: float, but: Container[int] = ()) -> Ranking:
    """The ranking with its first n = len(order) hits in an order of their places, each with the score n - rank, named `source`; the places
    in `but` go without."""
    n, text = len(order), ranking.query.text
    hits = (
        hit if place in but else hit.scored(Score(float(n - rank), source, text, rank))
        for rank, place in enumerate(order, start=1)
        for hit in ranking.hits[place : place + 1]
    )
    return replace(ranking, hits=(*hits, *ranking.hits[n:]), placed=placed)


def settled(order: Sequence[int], never: Collection[int]) -> list[int]:
    """The order, in which the places that no reply ever named stand in first-stage order among themselves: a shuffled list that cannot be read is no
    ranking."""
    left = iter(sorted(never))
    return [next(left) if place in never else place for place in order]


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


def first_source(ranking: Ranking, source: str = "") -> str:
    """The name of the first-stage score to show: `source`, else that which comes first on most hits; "" where none carries any. Raises BadInput
    where `source` is given and no hit has it."""
    names = list(dict.fromkeys(score.source for hit in ranking.hits for score in hit.scores))
    if source and names and source not in names:
        raise BadInput(f"no candidate has a score named {source!r}; source can be: {', '.join(names)}")
    first = [hit.scores[0].source for hit in ranking.hits if hit.scores]
    return source or max(names, key=first.count, default="")


def score_texts(
    ranking: Ranking, n: int, source: str = "", *, scale: Scale = "raw", control: Control = "own", seed: int = 0
) -> tuple[str, ...]:
    """For each of the first n hits its first-stage score as text, that of `first_source`; "" where it has none. Where several queries left
    one, the ranking's own query's counts, since scores of different queries do not compare; if it left none to any of the n, the best.

    Scales, over the whole ranking, so that a document's text is the same at any depth and in any window: as it is, to two digits (four where all are below 1); an integer from
    0 to 100 between the least and the greatest; standard deviations from the mean; the rank. Controls: "none" shows none, "permuted" the scores of
    other documents of the n, "constant" their mean for all, as a scale of equal scores writes it. Raises BadInput as `first_source`."""
    if control == "none":
        return ("",) * len(ranking.hits[:n])
    values = _first_stage(ranking, n, first_source(ranking, source))
    known = [value for value in values if value is not None]
    shown = [value for value in values[:n] if value is not None]
    if not shown:
        return ("",) * len(values[:n])
    if control == "constant":
        shown = known = [statistics.fmean(shown)] * len(shown)
    if control == "permuted":
        shown = shuffled(shown, seed, ranking.query)
    texts = iter(_scaled(shown, known, scale))
    return tuple("" if value is None else next(texts) for value in values[:n])


def scores_beside(
    ranking: Ranking, n: int, source: str = "", *, scale: Scale = "raw", control: Control = "own", seed: int = 0
) -> list[str]:
    """`score_texts` as they stand beside the texts of the first n hits; nothing where there is none."""
    texts = score_texts(ranking, n, source, scale=scale, control=control, seed=seed)
    return [f" (search score {text})" if text else "" for text in texts]


def _first_stage(ranking: Ranking, n: int, source: str) -> list[float | None]:
    found = [[score for score in hit.scores if score.source == source] for hit in ranking.hits]
    text = ranking.query.text
    own = any(score.query == text for scores in found[:n] for score in scores)
    return [max((score.value for score in scores if not own or score.query == text), default=None) for scores in found]


def _scaled(shown: Sequence[float], known: Sequence[float], scale: Scale) -> list[str]:
    low, high = min(known), max(known)
    if scale == "minmax":
        return [str(round(100 * (value - low) / (high - low)) if high > low else 100) for value in shown]
    if scale == "z":
        mean, spread = statistics.fmean(known), statistics.pstdev(known)
        return [f"{(value - mean) / spread if spread else 0:.2f}" for value in shown]
    if scale == "rank":
        return [str(1 + sum(other > value for other in known)) for value in shown]
    digits = ".2f" if max(map(abs, known)) >= 1 else ".4f"
    return [f"{value:{digits}}" for value in shown]
