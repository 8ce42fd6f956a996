"""What the sources on the web share: from a query to the words an API takes, and from its records to a SourceResult."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final

from litrag.core.errors import SourceFault
from litrag.core.protocols import SourceResult
from litrag.core.types import Paper, Query, Score

__all__ = ["answered", "day", "last_day", "text_of", "words_of"]

_LONGEST_TITLE: Final = 25
_EMPTY: Final = frozenset(
    "a an and are as at be by can do for from has have how in into is it its not of on or our that the their these this to using via was"
    " we what when which while with".split()
)


def words_of(query: Query, most: int) -> tuple[str, ...]:
    """What is asked of a keyword search: such APIs find nothing for a whole abstract, so of a long text it is the title (the first
    line), else the content words of its first sentence. At most `most` words, none twice, in their order."""
    line = query.text.strip().split("\n", 1)[0]
    if len(line.split()) > _LONGEST_TITLE:
        line = re.split(r"(?<=[.!?])\s", line)[0]
    words = re.findall(r"\w+(?:'\w+)?", line.replace("’", "'"))
    content = [word for word in words if word.lower() not in _EMPTY and (len(word) > 1 or word.isdigit())]
    return tuple(dict.fromkeys(content or words))[:most]


async def answered(name: str, query: Query, k: int, papers: Callable[[], Awaitable[Iterable[Paper]]]) -> SourceResult:
    """The result of a search: at most `k` papers that the query allows (date, exclusions, filter), none twice; a failure is a warning. A year
    without a day counts as its 31 December; papers without a date stay, the screening tells of them."""
    try:
        found = await papers()
    except SourceFault as error:
        return SourceResult(name, query, warnings=(f"source {name}: {error}",))
    kept: dict[str, Paper] = {}
    for paper in found:
        latest = paper.latest_date
        late = query.before is not None and latest is not None and latest >= query.before
        admitted = query.only.admits(year=paper.year, venue=paper.venue, source=name)
        if not late and admitted and paper.id not in query.exclude and len(kept) < k:
            kept.setdefault(paper.id, paper)
    scores = tuple((Score(1.0 / rank, name, query.text, rank),) for rank in range(1, len(kept) + 1))
    return SourceResult(name, query, tuple(kept.values()), scores)


def last_day(query: Query) -> date | None:
    """The last day that `query.before` allows, for servers whose filters are inclusive."""
    return date.fromordinal(query.before.toordinal() - 1) if query.before else None


def day(value: object) -> date | None:
    """A day as APIs write it (2019-05-07, with or without a time); None for anything else."""
    with suppress(ValueError, TypeError):
        return date.fromisoformat(str(value)[:10])
    return None


def text_of(record: Mapping[str, Any], name: str) -> str:
    """A text field on one line; "" where it is missing, null or no text."""
    value = record.get(name)
    return " ".join(value.split()) if isinstance(value, str) else ""
