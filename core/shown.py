"""Rankings, plans, trajectories and ledgers as a notebook shows them (`core.display`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Final, Protocol

from litrag.core.display import Html, fold, fragment, items, line, table, text
from litrag.core.ledger import Ledger, Totals
from litrag.core.types import Hit, Plan, Ranking, Trajectory

__all__ = ["LedgerRowLike", "html_of", "ledger_table", "plan_list", "ranking_table", "trajectory_table"]

_MOST: Final = 50  # rows of a ranking that are shown


class LedgerRowLike(Protocol):
    """What a table of costs needs of a call."""

    @property
    def role(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def cached(self) -> bool: ...  # noqa: D102
    @property
    def prompt_tokens(self) -> int: ...  # noqa: D102
    @property
    def completion_tokens(self) -> int: ...  # noqa: D102
    @property
    def usd(self) -> float: ...  # noqa: D102


@singledispatch
def html_of(value: object) -> str:
    """The HTML of a value that shows itself. Raises TypeError for one that nobody said how to show."""
    raise TypeError(f"{type(value).__name__} does not show itself")


@html_of.register
def _(value: Ranking) -> str:
    doubt = () if value.placed == 1 else (line(f"a model placed {value.placed:.0%} of this order", kind="quiet"),)
    return fragment(line(Html(f"<b>{text(value.query.text)}</b>")), *doubt, ranking_table(value.hits))


@html_of.register
def _(value: Trajectory) -> str:
    return fragment(trajectory_table(value))


@html_of.register
def _(value: Plan) -> str:
    return fragment(plan_list(value))


@html_of.register
def _(value: Totals) -> str:
    facts = {"searches": value.searches, "model calls": value.calls, "from the cache": value.cached}
    tokens = {"tokens read": value.prompt_tokens, "tokens written": value.completion_tokens}
    return fragment(
        table(
            [*facts, *tokens, "US $", "seconds"],
            [[*facts.values(), *tokens.values(), value.usd, round(value.seconds, 1)]],
        )
    )


@html_of.register
def _(value: Ledger) -> str:
    return fragment(ledger_table(value.rows()))


def ranking_table(hits: Sequence[Hit], *, was: Sequence[str] = ()) -> Html:
    """A row a hit: rank, the rank in `was` (ids of an earlier order) where that is given, title, year and every score, of several of one source the one with the
    best rank."""
    sources = tuple(dict.fromkeys(score.source for hit in hits for score in hit.scores))
    before = {name: rank for rank, name in enumerate(was, start=1)}
    rows: list[list[object]] = []
    for rank, hit in enumerate(hits[:_MOST], start=1):
        found = {s.source: s.value for s in sorted(hit.scores, key=lambda s: -s.rank)}
        moved = [before.get(hit.document.id, "–")] if before else []
        year = hit.document.metadata.get("year") or "n. d."
        title = hit.document.title or hit.document.text[:80]
        rows.append([rank, *moved, title, year, *(found.get(source, "–") for source in sources)])
    head = ["rank", *(["was"] if before else []), "title", "year", *sources]
    more = len(hits) - len(rows)
    return Html(table(head, rows) + (line(f"and {more} more", kind="quiet") if more else ""))


def trajectory_table(trajectory: Trajectory) -> Html:
    """A row a hop: what was thought, done and searched, and what was new."""
    rows = [
        [number, hop.thought or "–", hop.action, hop.query or "–", ", ".join(hop.new_ids) or "nothing new"]
        for number, hop in enumerate(trajectory.hops, start=1)
    ]
    told = line(f"stopped: {trajectory.stop_reason}", kind="quiet")
    return Html(table(["hop", "thought", "action", "query", "new documents"], rows) + told)


def plan_list(plan: Plan) -> Html:
    """Sections, paragraphs and what each sentence is for, with the keys that it cites."""
    parts: list[str] = []
    for section in plan.sections:
        parts += [line(Html(f"<b>{text(section.heading)}</b>"))] if section.heading else []
        for paragraph in section.paragraphs:
            told = [f"{s.purpose} [{', '.join(s.keys)}]" if s.keys else s.purpose for s in paragraph.sentences]
            works = f"{len(paragraph.keys)} work{'s' * (len(paragraph.keys) != 1)}"
            parts.append(fold(f"{paragraph.topic} ({works})", items(told), opened=True))
    return Html("".join(parts))


def ledger_table(rows: Iterable[LedgerRowLike]) -> Html:
    """What each role took of which model, and the sum."""
    sums: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        sent = not row.cached
        took = (sent, row.cached, row.prompt_tokens * sent, row.completion_tokens * sent, row.usd * sent)
        old = sums.get((row.role, row.model), [0.0] * len(took))
        sums[row.role, row.model] = [a + b for a, b in zip(old, took, strict=True)]
    total = [sum(column) for column in zip(*sums.values(), strict=True)] or [0.0] * 5
    lines = [[*name, *_counts(took)] for name, took in sums.items()]
    head = ["role", "model", "requests", "from the cache", "tokens read", "tokens written", "US $"]
    return table(head, [*lines, [Html("<b>all</b>"), "", *_counts(total)]])


def _counts(took: Sequence[float]) -> list[object]:
    return [*map(int, took[:-1]), took[-1]]
