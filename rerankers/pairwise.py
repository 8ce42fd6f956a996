"""Pairwise ranking prompting (PRP, arXiv 2306.17563): a call compares two documents; each pair is asked in both orders."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import Generates
from litrag.core.replies import without_reasoning
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import fitted, ordered, parted, positive, refuse_unfit, reordered

__all__ = ["PAIRWISE", "Pairwise", "parse_better"]

PAIRWISE: Final = Prompt("""Which of two passages is more relevant to the query?

<query>
$query
</query>

Passage A: $a

Passage B: $b

Answer with A or B alone.""")
_REPLY: Final = 8  # tokens
_LETTER: Final = re.compile(r"\b([AB])\b")
_FIRST: Final = re.compile(
    r"\W*(?:(?:Passage|Answer)\b\W*)*([AB])\b(?=\W*(?:$|(?:is|answers|because|since)\b)|[.:;!]|\*\*)", re.IGNORECASE
)


def parse_better(reply: str) -> Literal["A", "B"] | None:
    """Which of two passages a reply calls better: the letter that it begins with, else the only one that it names; None where it names both or
    none."""
    text = without_reasoning(reply)
    first = _FIRST.match(text)
    named = {first[1].upper()} if first else set(_LETTER.findall(text))
    return None if len(named) != 1 else "A" if "A" in named else "B"


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Ranks the first `depth` documents by comparisons. "all" asks every pair, n (n - 1) calls at once: the score "pairwise" is the
    number of pairs won, a half for a pair whose two answers disagree. "sliding" lets the better of two neighbours rise, from the end to
    the start, `passes` times (2 (n - 1) calls each at most): the first `passes` places are then found, with the score n - rank. `placed` is the
    share of replies that could be read; one that could not counts as a tie. Raises ValueError for numbers below 1."""

    needs: ClassVar = Generates
    prompt: ClassVar = PAIRWISE

    model: Generates
    form: Literal["all", "sliding"] = "all"
    passes: int = 10
    tokens: int = 200
    default_depth: int = 20

    def __post_init__(self) -> None:
        positive(passes=self.passes, tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent, BadInput (two texts that no prompt can hold)."""
        head, _ = parted(ranking, depth, self.default_depth)
        if len(head) < 2:
            return ranking
        frame = _frame(ranking.query)
        refuse_unfit(self.model, head, 2, self.tokens, frame=frame, reply=_REPLY)
        if self.form == "all":
            values, read = await self._all(ranking.query, head)
            return reordered(ranking, values, "pairwise", placed=read)
        order, read = await self._sliding(ranking.query, head)
        return ordered(ranking, order, "pairwise", placed=read)

    async def _all(self, query: Query, head: Sequence[Hit]) -> tuple[list[float], float]:
        """Pairs won by place, and the share of readable replies."""
        pairs = list(itertools.combinations(range(len(head)), 2))
        won = await all_or_first_error([self._share(query, head[i], head[j]) for i, j in pairs])
        values = [0.0] * len(head)
        for (i, j), (share, _) in zip(pairs, won, strict=True):
            values[i] += share
            values[j] += 1 - share
        return values, statistics.fmean(read for _, read in won)

    async def _sliding(self, query: Query, head: Sequence[Hit]) -> tuple[list[int], float]:
        """Places, best first, and the share of readable replies."""
        order, reads = list(range(len(head))), []
        for top in range(min(self.passes, len(head) - 1)):
            for low in range(len(order) - 1, top, -1):
                share, read = await self._share(query, head[order[low - 1]], head[order[low]])
                reads.append(read)
                if share < 0.5:
                    order[low - 1], order[low] = order[low], order[low - 1]
        return order, statistics.fmean(reads)

    async def _share(self, query: Query, first: Hit, second: Hit) -> tuple[float, float]:
        """1 where the first is better, 0 where the second is, .5 where the two answers disagree or cannot be read; and the share of the
        two that can be."""
        answers = await all_or_first_error([self._better(query, first, second), self._better(query, second, first)])
        there, back = (0.5 if answer is None else float(answer == "A") for answer in answers)
        return (there + 1 - back) / 2, sum(answer is not None for answer in answers) / 2

    async def _better(self, query: Query, a: Hit, b: Hit) -> str | None:
        first, second = fitted(self.model, (a, b), self.tokens, frame=_frame(query), reply=_REPLY)
        prompt = PAIRWISE.fill(query=neutralised(query.text), a=first, b=second)
        reply = await self.model.generate([Message("user", prompt)], max_tokens=_REPLY)
        return parse_better(reply.text)


def _frame(query: Query) -> str:
    return PAIRWISE.fill(query=neutralised(query.text), a="", b="")
