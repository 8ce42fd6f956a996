"""Searching in several hops under a hard budget: hop 0 asks the question as it is, a `Hops` makes each further query of what was read, a
`Stops` ends it early. The loop of FrugalRAG (arXiv 2507.07634, section 3) without its model: whatever decides, it runs here.

A hop reads documents that were not read before: the search goes as deep as it must to find as many of them as it may read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from litrag.core.budget import Budget, Spend
from litrag.core.errors import BudgetSpent, PromptTooLong
from litrag.core.protocols import Retriever
from litrag.core.types import Document, Hit, Hop, Query, Ranking, Trajectory

__all__ = ["IN_REPLY", "Hops", "Next", "Notes", "SearchAgent", "Searched", "Step", "Stops"]

NO_QUERY = "no further query"
IN_REPLY = "in the model's reply"  # how reasons end that blame it
_HOP = "hop"


@dataclass(frozen=True, slots=True)
class Step:
    """One search: its query, all that it found, and what of that was read."""

    query: Query
    found: Ranking
    read: tuple[Hit, ...]
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is known when a hop is decided: the question and the steps so far, never later ones."""

    question: Query
    steps: tuple[Step, ...] = ()

    @property
    def documents(self) -> tuple[Document, ...]:
        """What was read, in order."""
        return tuple(hit.document for step in self.steps for hit in step.read)

    @property
    def asked(self) -> frozenset[str]:
        """The queries so far, case folded; what was done with another kind of query counts apart."""
        return frozenset(text for kind, text in self._taken if kind == _HOP)

    def repeats(self, decided: Next) -> bool:
        """Whether a decision was taken before."""
        return (decided.kind, decided.text.strip().casefold()) in self._taken

    @property
    def _taken(self) -> list[tuple[str, str]]:
        """The decisions so far; hop 0 is a search whatever kind of query the question is."""
        return [(step.query.kind if n else _HOP, step.query.text.casefold()) for n, step in enumerate(self.steps)]

    def first(self, hops: int) -> Notes:
        """The notes as they were after so many searches."""
        return Notes(self.question, self.steps[:hops])


@dataclass(frozen=True, slots=True)
class Next:
    """What a hop decided: a query to search with, or none and why; `thought` is kept in the trajectory, `kind` is the query's."""

    text: str = ""
    thought: str = ""
    reason: str = NO_QUERY
    kind: str = _HOP


class Hops(Protocol):
    """What makes the next query."""

    async def next(self, notes: Notes) -> Next:
        """The next query, or that there is none. Notes hold at least one step. Raises ModelFault, BudgetSpent."""


class Stops(Protocol):
    """When to stop early."""

    def stop(self, notes: Notes) -> str:
        """Why to stop now, "" to go on. Reads nothing but the notes."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What an agent brings back: the notes, how many searches it made, and why it stopped ("budget: ...", "finish", a rule's reason); `spent`, whether the
    run's budget did it, and not the agent's own bound."""

    notes: Notes
    stop_reason: str
    spent: bool = False

    @property
    def searches(self) -> int:
        """Hop 0 counts."""
        return len(self.notes.steps)

    @property
    def trajectory(self) -> Trajectory:
        """As the run keeps it."""
        hops = (
            Hop(
                "snowball" if step.query.kind == "snowball" else "search",
                step.query.text,
                step.thought,
                tuple(hit.document.id for hit in step.read),
            )
            for step in self.notes.steps
        )
        return Trajectory(tuple(hops), self.stop_reason)


@dataclass(frozen=True, slots=True)
class SearchAgent:
    """At most `max_searches` searches a question: the first reads `k` documents, each later one `further` unread ones (None: `k`, as in the paper). A
    later query names what is missing, so that one document of it is often enough. `budget` bounds all questions together. Raises ValueError for
    bounds below 1."""

    retriever: Retriever
    hops: Hops
    stops: Sequence[Stops] = ()
    max_searches: int = 4
    k: int = 3
    further: int | None = None
    budget: Budget = field(default_factory=Budget)
    tell: Callable[[Step], None] = lambda step: None

    def __post_init__(self) -> None:
        if self.max_searches < 1 or self.k < 1 or (self.further is not None and self.further < 1):
            raise ValueError(f"max_searches {self.max_searches}, k {self.k}, further {self.further}: each at least 1")

    async def run(self, question: Query) -> Searched:
        """Searches until something stops it; what was read stays whatever that is. Raises what the retriever raises, ModelFault."""
        notes, decided = Notes(question), Next(question.text)
        while True:
            try:
                notes = await self.searched(notes, decided)
                if reason := self._ended(notes):
                    return Searched(notes, reason)
                decided = await self.hops.next(notes)
            except BudgetSpent as error:
                return Searched(notes, str(error), spent=True)
            except PromptTooLong as error:
                return Searched(notes, str(error))
            if not decided.text.strip() or notes.repeats(decided):
                return Searched(notes, decided.reason if not decided.text.strip() else "the same query again")

    def _ended(self, notes: Notes) -> str:
        if len(notes.steps) >= self.max_searches:
            return f"budget: {self.max_searches} searches"
        return next((reason for rule in self.stops if (reason := rule.stop(notes))), "")

    async def searched(self, notes: Notes, decided: Next) -> Notes:
        """The notes after one more search, which counts against the budget. Raises BudgetSpent, what the retriever raises."""
        from dataclasses import replace

        text = decided.text.strip()
        query = (
            notes.question
            if not notes.steps
            else replace(notes.question, text=text, kind=decided.kind, parent=notes.question.text)
        )
        seen = {document.id for document in notes.documents}
        most = self.k if not notes.steps or self.further is None else self.further
        reservation = self.budget.reserve(Spend(searches=1))
        try:
            (found,) = await self.retriever.retrieve([query], most + len(seen))
        finally:
            reservation.settle(Spend(searches=1))
        unread: dict[str, Hit] = {}
        for hit in found.hits:
            if hit.document.id not in seen:
                unread.setdefault(hit.document.id, hit)
        step = Step(query, found, tuple(unread.values())[:most], decided.thought)
        self.tell(step)
        return Notes(notes.question, (*notes.steps, step))
