"""Pairwise ranking prompting (PRP, arXiv 2306.17563): a call compares two documents; each pair is asked in both orders."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import Generates
from litrag.core.replies import without_reasoning
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import parted, reordered, shown, worths

__all__ = ["PAIRWISE", "Pairwise"]

PAIRWISE: Final = Prompt("""Which of two passages is more relevant to the query?

<query>
$query
</query>

Passage A: $a

Passage B: $b

Answer with A or B alone.""")
_LETTER: Final = re.compile(r"\b([AB])\b")


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Ranks the first `depth` documents by comparisons. "all" asks every pair, n (n - 1) calls at once: the score "pairwise" is the
    number of pairs won, a half for a pair whose two answers disagree. "sliding" lets the better of two neighbours rise, from the end to
    the start, `passes` times (2 (n - 1) calls each at most): the first `passes` places are then found, with the score n - rank."""

    needs: ClassVar = Generates

    model: Generates
    form: Literal["all", "sliding"] = "all"
    passes: int = 10
    words: int = 150
    default_depth: int = 20

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth or self.default_depth)
        if len(head) < 2:
            return ranking
        values = await (self._all if self.form == "all" else self._sliding)(ranking.query, head)
        return reordered(ranking, values, "pairwise")

    async def _all(self, query: Query, head: Sequence[Hit]) -> list[float]:
        pairs = list(itertools.combinations(range(len(head)), 2))
        won = await all_or_first_error([self._share(query, head[i], head[j]) for i, j in pairs])
        values = [0.0] * len(head)
        for (i, j), share in zip(pairs, won, strict=True):
            values[i] += share
            values[j] += 1 - share
        return values

    async def _sliding(self, query: Query, head: Sequence[Hit]) -> list[float]:
        order = list(range(len(head)))
        for top in range(min(self.passes, len(head) - 1)):
            for low in range(len(order) - 1, top, -1):
                if await self._share(query, head[order[low - 1]], head[order[low]]) < 0.5:
                    order[low - 1], order[low] = order[low], order[low - 1]
        return worths(order)

    async def _share(self, query: Query, first: Hit, second: Hit) -> float:
        """1 where the first is better, 0 where the second is, .5 where the two answers disagree or cannot be read."""
        there, back = await all_or_first_error(
            [self._is_a_better(query, first, second), self._is_a_better(query, second, first)]
        )
        return (there + 1 - back) / 2

    async def _is_a_better(self, query: Query, a: Hit, b: Hit) -> float:
        prompt = PAIRWISE.fill(query=neutralised(query.text), a=shown(a, self.words), b=shown(b, self.words))
        reply = await self.model.generate([Message("user", prompt)], max_tokens=8)
        found = _LETTER.findall(without_reasoning(reply.text))
        return 0.5 if not found else float(found[-1] == "A")
