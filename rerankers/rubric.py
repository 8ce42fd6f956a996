"""Pointwise scores by a rubric (Retro*, arXiv 2509.24869): relevance is defined, split into five bands, reasoned about and scored from 0 to
100; the mean of several samples is finer than one."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import Generates
from litrag.core.replies import without_reasoning
from litrag.core.sync import all_or_first_error
from litrag.core.types import Hit, Message, Query, Ranking
from litrag.rerankers.toolkit import Task, fitted, parted, positive, reordered

__all__ = ["RUBRIC", "Rubric", "parse_score"]

_DEFINITIONS: Final[Mapping[Task, str]] = {
    "cite": """A document is relevant if a paper with this abstract would cite it in its related-work section: it shares the task,
the method or the data, or the paper builds on it or argues with it.""",
    "answer": "A document is relevant if it answers the query, or a part of it.",
}

RUBRIC: Final = Prompt("""How relevant is the document to the query?

Relevance here: $definition

Bands:
81-100: relevant at the core; leaving it out would be a fault
61-80: clearly relevant
41-60: relevant in part, or to a side of it
21-40: the same field, little more
0-20: not relevant

<query>
$query
</query>

<document>
$passage
</document>

Say in a few sentences what the query asks and what the document gives, choose the band, then the number within it:
<score>0 to 100</score>""")
_SCORE: Final = re.compile(r"<score>\s*(\d{1,3})(?:\.\d+)?\s*(?:/\s*100\s*)?</score>", re.IGNORECASE)


def parse_score(reply: str) -> float | None:
    """The last number from 0 to 100 within <score> of a reply, as a share in [0, 1]; None where there is none."""
    found = [int(text) for text in _SCORE.findall(without_reasoning(reply)) if int(text) <= 100]
    return found[-1] / 100 if found else None


@dataclass(frozen=True, slots=True)
class Rubric:
    """Ranks the first `depth` documents by the score "rubric" in [0, 1], the mean of the readable ones of `samples` replies at `temperature`
    (paper: 4 or 16 at .6, top-k 40, which is not asked for here), all documents at once. One that no reply scored gets no score and stays at its
    place; an unreadable sample is not a 0. What relevance means says `task` (as InsertRank's), or `definition` where it is given. Raises ValueError for
    numbers below 1."""

    needs: ClassVar = Generates
    prompt: ClassVar = RUBRIC

    model: Generates
    task: Task = "cite"
    definition: str = ""
    samples: int = 1
    temperature: float = 0.6
    tokens: int = 400
    default_depth: int = 100

    def __post_init__(self) -> None:
        positive(samples=self.samples, tokens=self.tokens, default_depth=self.default_depth)

    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of the input. Raises ModelFault, BudgetSpent."""
        head, _ = parted(ranking, depth, self.default_depth)
        if len(head) < 2:
            return ranking
        found = await all_or_first_error([self._scores(ranking.query, hit) for hit in head])
        values = [statistics.fmean(scores) if scores else None for scores in found]
        placed = sum(map(len, found)) / (self.samples * len(head))
        return reordered(ranking, values, "rubric", placed=placed)

    async def _scores(self, query: Query, hit: Hit) -> list[float]:
        frame = {"definition": self.definition or _DEFINITIONS[self.task], "query": neutralised(query.text)}
        (passage,) = fitted(self.model, [hit], self.tokens, frame=RUBRIC.fill(**frame, passage=""), reply=300)
        heat = self.temperature if self.samples > 1 else 0.0
        reply = await self.model.generate(
            [Message("user", RUBRIC.fill(**frame, passage=passage))], n=self.samples, temperature=heat, max_tokens=300
        )
        return [score for score in map(parse_score, reply.texts) if score is not None]
