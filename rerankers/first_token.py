"""Ranking by the probabilities of the next token, one forward pass a call: FIRST (arXiv 2406.15657) over windows of lettered documents,
yes or no a document (ProRank, arXiv 2506.03487), and the expectation over grades (ERank, arXiv 2509.00520)."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import NextTokenLogprobs
from litrag.core.sync import all_or_first_error
from litrag.core.types import Message, Ranking
from litrag.rerankers.toolkit import parted, reordered, shown, windows, worths

__all__ = ["First", "Graded", "YesNo"]

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
    from the end to the start. The score "first" is n - rank. `words` is each document's share of the prompt. Raises ValueError for
    windows of more than 26."""

    needs: ClassVar = NextTokenLogprobs

    model: NextTokenLogprobs
    window: int = 20
    stride: int = 10
    words: int = 80
    default_depth: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.window <= 26:
            raise ValueError(f"a window of {self.window}: letters go from 2 to 26")

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        n = len(head)
        if n < 2:
            return ranking
        order = list(range(n))
        for start, end in windows(n, self.window, min(self.stride, self.window)):
            part = order[start:end]
            letters = string.ascii_uppercase[: len(part)]
            lines = (f"{letter}: {shown(head[i], self.words)}" for letter, i in zip(letters, part, strict=True))
            prompt = _FIRST.fill(candidates="\n".join(lines), query=neutralised(ranking.query.text))
            found = await self.model.next_token_logprobs([Message("user", prompt)], tuple(letters))
            by_letter = sorted(range(len(part)), key=lambda i: -found.get(letters[i], -math.inf))
            order[start:end] = [part[i] for i in by_letter]
        return reordered(ranking, worths(order), "first")


@dataclass(frozen=True, slots=True)
class YesNo:
    """Ranks by the score "yes-no", log P(yes) - log P(no), one call a document, all at once."""

    needs: ClassVar = NextTokenLogprobs

    model: NextTokenLogprobs
    words: int = 150
    default_depth: int = 100

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        found = await _each(self.model, _YES_NO, ("yes", "no"), ranking, depth or self.default_depth, self.words)
        return reordered(ranking, [_difference(each["yes"], each["no"]) for each in found], "yes-no")


@dataclass(frozen=True, slots=True)
class Graded:
    """Ranks by the score "graded", the expected grade from 0 to 9 given that the model answers with a grade. ERank takes 0 to 10; ten
    grades are one token each in every model."""

    needs: ClassVar = NextTokenLogprobs

    model: NextTokenLogprobs
    words: int = 150
    default_depth: int = 100

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        found = await _each(self.model, _GRADED, tuple(string.digits), ranking, depth or self.default_depth, self.words)
        return reordered(ranking, [_expected(each) for each in found], "graded")


async def _each(
    model: NextTokenLogprobs, prompt: Prompt, tokens: tuple[str, ...], ranking: Ranking, depth: int, words: int
) -> list[Mapping[str, float]]:
    """For each of the first `depth` hits, `words` words of it, the log-probabilities of the tokens."""
    head, _ = parted(ranking, depth)
    query = neutralised(ranking.query.text)
    asked = [Message("user", prompt.fill(passage=shown(hit, words), query=query)) for hit in head]
    return await all_or_first_error([model.next_token_logprobs([message], tokens) for message in asked])


def _difference(yes: float, no: float) -> float | None:
    """None where the model knows neither."""
    return None if yes == no == -math.inf else max(-1e9, min(1e9, yes - no))


def _expected(logprobs: Mapping[str, float]) -> float | None:
    weights = {int(token): math.exp(value) for token, value in logprobs.items()}
    whole = sum(weights.values())
    return sum(grade * weight for grade, weight in weights.items()) / whole if whole else None
