"""Rows: what an index over papers holds. A paper's title and abstract are one row, each passage of its full text is another."""

from __future__ import annotations

from dataclasses import dataclass

from litrag.core.types import Paper, Passage
from litrag.retrievers.normal_forms import day_number

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """A text to index under `id`, and what filters ask of `paper`, whose row it is: `day` as YYYYMMDD and `year`, 0 where unknown,
    `venue`, and `source`, the file it was read from."""

    id: str
    paper: str
    text: str
    day: int = 0
    year: int = 0
    venue: str = ""
    source: str = ""

    @classmethod
    def of(cls, paper: Paper, passage: Passage | None = None, *, source: str = "") -> Row:
        """The row of a paper's title and abstract, or of one of its passages."""
        name, text = (paper.id, paper.text) if passage is None else (passage.id, passage.text)
        return cls(name, paper.id, text, day_number(paper.latest_date), paper.year, paper.venue, source)
