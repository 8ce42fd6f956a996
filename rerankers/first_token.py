"""Ranking by the probabilities of the next token, one forward pass a call: FIRST (arXiv 2406.15657) over windows of lettered documents,
yes or no a document (ProRank, arXiv 2506.03487), and the expectation over grades (ERank, arXiv 2509.00520)."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import NextTokenLogprobs
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import Control, Scale, fitted, parted, positive, reordered, score_texts, windows, worths

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
    from the end to the start. The score "first" is n - rank. `tokens` is each document's share of the prompt. With `scores` other than
    "none" the first stage's score stands beside each document, by `scale`, as in InsertRank. Raises ValueError for windows of more
    than 26."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = _FIRST

    model: NextTokenLogprobs
    window: int = 20
    stride: int = 10
    tokens: int = 100
    scale: Scale = "minmax"
    scores: Control = "none"
    seed: int = 0
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.window <= 26:
            raise ValueError(f"a window of {self.window}: letters go from 2 to 26")
        positive(stride=self.stride, tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        n = len(head)
        if n < 2:
            return ranking
        texts = score_texts(head, scale=self.scale, control=self.scores, seed=self.seed)
        order, open_ = list(range(n)), set[int]()
        for start, end in windows(n, self.window, min(self.stride, self.window)):
            part = order[start:end]
            letters = string.ascii_uppercase[: len(part)]
            shown = fitted(self.model, [head[i] for i in part], self.tokens, frame=ranking.query.text, reply=1)
            prompt = first_prompt(ranking.query, shown, [texts[i] for i in part])
            found = await self.model.next_token_logprobs([Message("user", prompt)], tuple(letters))
            values = [found.get(letter, -math.inf) for letter in letters]
            order[start:end] = [part[i] for i in sorted(range(len(part)), key=lambda i: -values[i])]
            open_ = (open_ - set(part)) | {i for i, value in zip(part, values, strict=True) if value == -math.inf}
        return reordered(ranking, worths(order), "first", placed=1 - len(open_) / n)


def first_prompt(query: Query, texts: Sequence[str], scores: Sequence[str]) -> str:
    """The prompt of `First` over texts, each with its score as text or ""."""
    lines = (f"{letter}: {text}{_beside(score)}" for letter, text, score in zip(_LETTERS, texts, scores, strict=False))
    return _FIRST.fill(candidates="\n".join(lines), query=neutralised(query.text))


@dataclass(frozen=True, slots=True)
class YesNo:
    """Ranks by the score "yes-no", log P(yes) - log P(no), one call a document, all at once. `scores` and `scale` are `First`'s."""

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
        head, _ = parted(ranking, depth or self.default_depth)
        beside = score_texts(head, scale=self.scale, control=self.scores, seed=self.seed)
        prompts = [
            yes_no_prompt(ranking.query, text, score)
            for text, score in zip(_texts(self.model, head, ranking.query, self.tokens), beside, strict=True)
        ]
        found = await _each(self.model, prompts, ("yes", "no"))
        return reordered(ranking, [_difference(each["yes"], each["no"]) for each in found], "yes-no")


def yes_no_prompt(query: Query, text: str, score: str = "") -> str:
    """The prompt of `YesNo` for a text, with its score as text or ""."""
    return _YES_NO.fill(passage=text + _beside(score), query=neutralised(query.text))


@dataclass(frozen=True, slots=True)
class Graded:
    """Ranks by the score "graded", the expected grade from 0 to 9 given that the model answers with a grade. ERank takes 0 to 10; ten
    grades are one token each in every model."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = _GRADED

    model: NextTokenLogprobs
    tokens: int = 200
    default_depth: int = 100

    def __post_init__(self) -> None:
        positive(tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        query = neutralised(ranking.query.text)
        texts = _texts(self.model, head, ranking.query, self.tokens)
        prompts = [_GRADED.fill(passage=text, query=query) for text in texts]
        found = await _each(self.model, prompts, tuple(string.digits))
        return reordered(ranking, [_expected(each) for each in found], "graded")


def _texts(model: NextTokenLogprobs, head: Sequence[Hit], query: Query, tokens: int) -> list[str]:
    """The documents as prompts of one document each show them."""
    return [text for hit in head for text in fitted(model, [hit], tokens, frame=query.text, reply=1)]


async def _each(model: NextTokenLogprobs, prompts: Sequence[str], tokens: tuple[str, ...]) -> list[Mapping[str, float]]:
    """The log-probabilities of the tokens after each prompt, all asked at once."""
    return await all_or_first_error(
        [model.next_token_logprobs([Message("user", prompt)], tokens) for prompt in prompts]
    )


def _beside(score: str) -> str:
    return f" (search score {score})" if score else ""


def _difference(yes: float, no: float) -> float | None:
    """None where the model knows neither."""
    return None if yes == no == -math.inf else max(-1e9, min(1e9, yes - no))


def _expected(logprobs: Mapping[str, float]) -> float | None:
    weights = {int(token): math.exp(value) for token, value in logprobs.items()}
    whole = sum(weights.values())
    return sum(grade * weight for grade, weight in weights.items()) / whole if whole else None
