"""Queries beside the original one that say the same otherwise: an invented passage (HyDE, arXiv 2212.10496), a more general question
(step-back, arXiv 2310.06117), the questions that a question is made of (decomposition for several hops, arXiv 2210.03350)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import Generates, JsonSchema
from litrag.core.replies import TEXT, list_of, one_line, read_json, record, strings, without_reasoning
from litrag.core.types import Message, Query

__all__ = ["DECOMPOSE", "HYDE", "STEP_BACK", "Decomposition", "HypotheticalPassage", "StepBack"]

HYDE: Final = Prompt("""Write the passage of at most $words words that a searcher would be happiest to find for the query. Invent it: it
is used to search, never shown.

<query>
$query
</query>

Reply with the passage alone.""")
STEP_BACK: Final = Prompt("""Ask one more general question whose answer is needed to understand the query below: its principle, its field,
its history.

<query>
$query
</query>

Reply with the question alone.""")
DECOMPOSE: Final = Prompt("""Split the question below into at most $n simple questions, each of which one document can answer. Each can be
understood without the others; where one needs the answer of an earlier one, describe the thing that is looked for.

<query>
$query
</query>

Reply with JSON only: {"questions": ["...", "..."]}""")
_QUESTIONS: Final[JsonSchema] = record(questions=list_of(TEXT))
_LONGEST: Final = 60  # words of a question


@dataclass(frozen=True, slots=True)
class HypotheticalPassage:
    """The original query and an invented passage of at most `words` words (kind "passage")."""

    needs: ClassVar = Generates
    prompt: ClassVar = HYDE

    model: Generates
    words: int = 120

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where the reply says nothing new. Raises ModelFault, BudgetSpent."""
        prompt = HYDE.fill(words=str(self.words), query=neutralised(query.text))
        reply = await self.model.generate([Message("user", prompt)], max_tokens=2 * self.words + 20)
        passage = " ".join(without_reasoning(reply.text).split()[: self.words])
        return _beside(query, "passage", () if HYDE.echoed(passage) else (passage,))


@dataclass(frozen=True, slots=True)
class StepBack:
    """The original query and a more general one (kind "step-back")."""

    needs: ClassVar = Generates
    prompt: ClassVar = STEP_BACK

    model: Generates

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where the reply is no question. Raises ModelFault, BudgetSpent."""
        prompt = STEP_BACK.fill(query=neutralised(query.text))
        reply = await self.model.generate([Message("user", prompt)], max_tokens=100)
        return _beside(query, "step-back", _line(reply.text, STEP_BACK))


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The original query and up to `n` simple ones (kind "part")."""

    needs: ClassVar = Generates
    prompt: ClassVar = DECOMPOSE

    model: Generates
    n: int = 4

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where the reply holds no question. Raises ModelFault, BudgetSpent."""
        prompt = DECOMPOSE.fill(n=str(self.n), query=neutralised(query.text))
        reply = await self.model.generate([Message("user", prompt)], schema=_QUESTIONS, max_tokens=80 * self.n)
        value = read_json(reply.text)
        found = strings(value.get("questions")) if isinstance(value, dict) else ()
        short = [text for text in found if len(text.split()) <= _LONGEST and not DECOMPOSE.echoed(text)]
        return _beside(query, "part", short[: self.n])


def _line(reply: str, prompt: Prompt) -> tuple[str, ...]:
    """The first line of a reply as a query; () where it is of no use or the prompt's own words."""
    text = one_line(reply, longest=_LONGEST)
    return (text,) if text and not prompt.echoed(text) else ()


def _beside(query: Query, kind: str, texts: tuple[str, ...] | list[str]) -> tuple[Query, ...]:
    """The query, then others of its filters, none twice, none without a letter."""
    known = {query.text.casefold()}
    found = []
    for text in texts:
        if text.casefold() not in known and any(c.isalpha() for c in text):
            known.add(text.casefold())
            found.append(replace(query, text=text, kind=kind, parent=query.text, history=(), context=""))
    return (query, *found)
