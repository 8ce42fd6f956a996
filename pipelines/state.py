"""What a review is asked, and the state of its graph: ids, counters and the stage's name; bodies live in the run's store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, TypedDict

from litrag.core.sentences import sentences
from litrag.core.types import Filter, Paper, Query

__all__ = ["PAUSES", "ReviewRequest", "ReviewState"]

_OPENING: Final = "What is the paper about?"
PAUSES: Final = {"papers": "papers.md", "plan": "plan.md"}  # where a review waits -> the file that its user edits


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """One review, or one search. `name` is the input's, `out` the folder of its files; `settings` are those in force, so that a resumed
    run goes on as it began. `only` filters what is found; `own` says that the text is a paper's, which then is left out; `plan` is the text of a
    plan file that the user gave, "" for none."""

    name: str
    title: str
    abstract: str
    out: str
    libraries: tuple[str, ...] = ()
    before: date | None = None
    strict_dates: bool = False
    exclude: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    force: bool = False
    only: Filter = field(default_factory=Filter)
    own: bool = True
    plan: str = ""

    @property
    def query(self) -> Query:
        """What is searched, with the request's filters."""
        return Query(self.text, before=self.before, exclude=frozenset(self.exclude), only=self.only)

    @property
    def question(self) -> Query:
        """The title as the last question of a conversation about the abstract, for rewriters that make a question stand by itself; without a title the
        last sentence of the abstract is that question. No history where there is one sentence alone."""
        parts = [span.text for span in sentences(self.abstract)]
        asked = self.title or (parts.pop() if parts else "")
        return replace(self.query, text=asked, history=(_OPENING, " ".join(parts)) if parts else ())

    @property
    def about(self) -> Paper:
        """The user's own work."""
        return Paper("about", self.title, self.abstract)

    @property
    def text(self) -> str:
        """Title and abstract: what is searched with."""
        return f"{self.title}\n{self.abstract}".strip()


class ReviewState(TypedDict, total=False):
    """Ids into the run's store: `queries` tuple[Query], `results` list of SourceResult ids, `trajectories` dict of Trajectory by agent, `pool` and `ranking` Ranking,
    `papers` tuple[Paper] of the pool, `selected` tuple[(key, Paper, Hit)], `offered` the same with more to choose from, `plans` tuple[Plan],
    `draft` Draft, `warnings` tuple[str]. `plan` is the Plan that was written."""

    stage: str
    queries: str
    results: list[str]
    trajectories: str
    papers: str
    pool: str
    ranking: str
    selected: str
    offered: str
    plans: str
    plan: str
    draft: str
    warnings: str
    stop_reason: str
    counters: dict[str, int]
