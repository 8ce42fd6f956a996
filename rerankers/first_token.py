"""Ranking by the probabilities of the next token, one forward pass a call: FIRST (arXiv 2406.15657) over windows of lettered documents,
yes or no a document (ProRank, arXiv 2506.03487), and the expectation over grades (ERank, arXiv 2509.00520)."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import NextTokenLogprobs
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import (
    Control,
    Scale,
    fitted,
    ordered,
    parted,
    positive,
    refuse_unfit,
    reordered,
    scores_beside,
    settled,
    shuffled,
    windows,
)

__all__ = ["First", "Graded", "YesNo", "first_prompt", "yes_no_prompt"]

_LETTERS: Final = string.ascii_uppercase

_FIRST: Final = Prompt("""Passages, each with a letter:
$candidates

<query>
$query
</query>

Which passage is most relevant to the query? Answer with its letter alone.""")
_YES_NO: Final = Prompt("""Passage: $passage

<query>
$query
</query>

Is the passage relevant to the query? Answer with yes or no alone.""")
_GRADED: Final = Prompt("""Passage: $passage

<query>
$query
</query>

How relevant is the passage to the query, from 0 (not at all) to 9 (fully)? Answer with the digit alone.""")


@dataclass(frozen=True, slots=True)
class First:
    """Sorts each window of lettered documents by the log-probabilities of their letters as the first token: one call a window, windows
    from the end to the start. The score "first" is n - rank, since letters of different windows do not compare. `tokens` is each document's share of
    the prompt. With `scores` other than "none" the first stage's score stands beside each document, by `scale`; these controls and `order` are
    InsertRank's. Raises ValueError for windows below 2 or above 26, other numbers below 1."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = _FIRST

    model: NextTokenLogprobs
    window: int = 20
    stride: int = 10
    tokens: int = 100
    scale: Scale = "minmax"
    scores: Control = "none"
    order: Literal["given", "shuffled"] = "given"
    seed: int = 0
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.window <= 26:
            raise ValueError(f"a window of {self.window}: letters go from 2 to 26")
        positive(stride=self.stride, tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        n = len(head)
        if n < 2:
            return ranking
        beside = scores_beside(ranking, n, scale=self.scale, control=self.scores, seed=self.seed)
        frame = first_prompt(ranking.query, ())
        refuse_unfit(self.model, head, self.window, self.tokens, frame=frame, reply=1, beside=beside)
        order = list(range(n)) if self.order == "given" else shuffled(range(n), self.seed, ranking.query)
        open_, never = set[int](), set(range(n))
        for start, end in windows(n, self.window, min(self.stride, self.window)):
            part = order[start:end]
            letters = _LETTERS[: len(part)]
            hits, notes = [head[i] for i in part], [beside[i] for i in part]
            shown = fitted(self.model, hits, self.tokens, frame=frame, reply=1, beside=notes)
            prompt = first_prompt(ranking.query, shown)
            found = await self.model.next_token_logprobs([Message("user", prompt)], tuple(letters))
            values = [_known(found.get(letter, -math.inf)) for letter in letters]
            order[start:end] = [part[i] for i in sorted(range(len(part)), key=lambda i: -values[i])]
            mute = {i for i, value in zip(part, values, strict=True) if value == -math.inf}
            open_, never = (open_ - set(part)) | mute, never - (set(part) - mute)
        return ordered(ranking, settled(order, never), "first", placed=1 - len(open_) / n)


def first_prompt(query: Query, texts: Sequence[str]) -> str:
    """The prompt of `First` over texts with what stands beside them."""
    lines = (f"{letter}: {text}" for letter, text in zip(_LETTERS, texts, strict=False))
    return _FIRST.fill(candidates="\n".join(lines), query=neutralised(query.text))


@dataclass(frozen=True, slots=True)
class YesNo:
    """Ranks by the score "yes-no", log P(yes) - log P(no) in nats, one call a document, all at once. Of a word that a model does not list (APIs
    list their first 20) 1 less than the least log-probability counts that was listed for any of the documents; a document for which neither is listed gets
    no score and stays at its place. `scores` and `scale` are `First`'s. Raises ValueError for numbers below 1."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = _YES_NO

    model: NextTokenLogprobs
    tokens: int = 200
    scale: Scale = "minmax"
    scores: Control = "none"
    seed: int = 0
    default_depth: int = 100

    def __post_init__(self) -> None:
        positive(tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        beside = scores_beside(ranking, len(head), scale=self.scale, control=self.scores, seed=self.seed)
        frame = yes_no_prompt(ranking.query, "")
        texts = _texts(self.model, head, self.tokens, frame, beside)
        found = await _each(self.model, [yes_no_prompt(ranking.query, text) for text in texts], ("yes", "no"))
        return reordered(ranking, _differences([(each["yes"], each["no"]) for each in found]), "yes-no")


def yes_no_prompt(query: Query, text: str) -> str:
    """The prompt of `YesNo` for a text with what stands beside it."""
    return _YES_NO.fill(passage=text, query=neutralised(query.text))


@dataclass(frozen=True, slots=True)
class Graded:
    """Ranks by the score "graded", the expected grade from 0 to 9 given that the model answers with a grade, one call a document, all at once. ERank takes
    0 to 10; ten grades are one token each in every model. Raises ValueError for numbers below 1."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = _GRADED

    model: NextTokenLogprobs
    tokens: int = 200
    default_depth: int = 100

    def __post_init__(self) -> None:
        positive(tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        query = neutralised(ranking.query.text)
        texts = _texts(self.model, head, self.tokens, _GRADED.fill(passage="", query=query), [""] * len(head))
        prompts = [_GRADED.fill(passage=text, query=query) for text in texts]
        found = await _each(self.model, prompts, tuple(string.digits))
        return reordered(ranking, [_expected(each) for each in found], "graded")


def _texts(model: NextTokenLogprobs, head: Sequence[Hit], tokens: int, frame: str, beside: Sequence[str]) -> list[str]:
    """The documents as prompts of one document each show them."""
    return [
        text
        for hit, note in zip(head, beside, strict=True)
        for text in fitted(model, [hit], tokens, frame=frame, reply=1, beside=[note])
    ]


async def _each(model: NextTokenLogprobs, prompts: Sequence[str], tokens: tuple[str, ...]) -> list[Mapping[str, float]]:
    """The log-probabilities of the tokens after each prompt, all asked at once."""
    return await all_or_first_error(
        [model.next_token_logprobs([Message("user", prompt)], tokens) for prompt in prompts]
    )


def _known(value: float) -> float:
    """A log-probability; one that is no number is none that was listed."""
    return -math.inf if math.isnan(value) else value


def _differences(found: Sequence[tuple[float, float]]) -> list[float | None]:
    pairs = [(_known(yes), _known(no)) for yes, no in found]
    least = min((value for pair in pairs for value in pair if value > -math.inf), default=0.0) - 1
    return [None if yes == no == -math.inf else max(yes, least) - max(no, least) for yes, no in pairs]


def _expected(logprobs: Mapping[str, float]) -> float | None:
    weights = {int(token): math.exp(_known(value)) for token, value in logprobs.items()}
    whole = sum(weights.values())
    return sum(grade * weight for grade, weight in weights.items()) / whole if whole else None
