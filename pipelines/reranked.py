"""What reranking made of a first stage's results: as a table for people, as JSON Lines, as a TREC run."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from litrag.core.display import Html, fragment, line, text
from litrag.core.errors import LitragError, UnknownName
from litrag.core.ledger import Totals
from litrag.core.shown import ranking_table
from litrag.core.types import Hit, Ranking, Reason
from litrag.corpora.trec import run_lines
from litrag.pipelines.first_stage import FirstStage

__all__ = ["FORMATS", "Outcome", "Reranked", "Writer", "doubts", "writer"]

_WIDTH: Final = 80  # letters of a query, of a document in the table
_SHOWN: Final = 10  # documents of a query in the table
_DOUBTFUL: Final = 0.9  # share of the order below which a model has said too little of it
_NAMED: Final = 3  # queries that a warning names


def doubts(rankings: Mapping[str, Ranking]) -> str:
    """What to know of rankings, by the name of each, of which the model decided too little; "" where it decided enough."""
    low = {name: ranking.placed for name, ranking in rankings.items() if ranking.placed < _DOUBTFUL}
    if not low:
        return ""
    more = f" and {len(low) - _NAMED} more" if len(low) > _NAMED else ""
    return (
        f"the model placed only {statistics.fmean(low.values()):.0%} of what it was shown for"
        f" {', '.join(list(low)[:_NAMED])}{more}: a model that cannot rank looks like its input"
    )


@dataclass(frozen=True, slots=True)
class Reranked:
    """One query's ranking, and the one that it was made of."""

    id: str
    given: Ranking
    ranking: Ranking

    def row(self, method: str, k: int | None = None) -> dict[str, Any]:
        """As JSON, with its first `k` documents: a line that `read_first_stage` takes, its scores being the first stage's still."""
        ranks = {name: rank for rank, name in enumerate(self.given.ids, start=1)}
        scores = {hit.document.id: hit.scores[0].value for hit in self.given.hits if hit.scores}
        documents = []
        for rank, hit in enumerate(self.ranking.hits[:k], start=1):
            name = hit.document.id
            documents.append(
                {"rank": rank, "was": ranks[name], "id": name, "title": hit.document.title, "text": hit.document.text}
                | ({"score": scores[name]} if name in scores else {})
                | {"scores": [{"source": s.source, "value": s.value, "rank": s.rank} for s in hit.scores]}
                | ({"reasons": [_reason(reason) for reason in hit.reasons]} if hit.reasons else {})
            )
        head = {"id": self.id, "query": self.ranking.query.text, "method": method, "placed": self.ranking.placed}
        return {**head, "documents": documents}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The queries that were reranked, in the order of the input, and what that took. `error` says why `left` others were not."""

    method: str
    queries: tuple[Reranked, ...]
    totals: Totals
    warnings: tuple[str, ...] = ()
    left: int = 0
    error: LitragError | None = None

    def rows(self, k: int | None = None) -> list[dict[str, Any]]:
        """One JSON object a query."""
        return [each.row(self.method, k) for each in self.queries]

    def data(self, k: int | None = None) -> dict[str, Any]:
        """All of it as one JSON object."""
        stop = str(self.error) if self.error else "done"
        return {"method": self.method, "stop_reason": stop, "queries": self.rows(k), "ledger": asdict(self.totals)}

    @property
    def ranking(self) -> Ranking:
        """The ranking of the one query that was asked. Raises what kept it from being made; ValueError where there were several."""
        if self.error is not None:
            raise self.error
        (only,) = self.queries
        return only.ranking

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for each in self.queries:
            parts += [line(Html(f"<b>{text(each.ranking.query.text)}</b>"))]
            parts += [ranking_table(each.ranking.hits, was=each.given.ids)]
        told = [line(warning, kind="warn") for warning in (*self.warnings, *([self.error] if self.error else []))]
        return fragment(*parts, *told, line(self.spent, kind="quiet"))

    @property
    def spent(self) -> str:
        """What it took, as a line."""
        t = self.totals
        return (
            f"{self.method}: {len(self.queries)} of {len(self.queries) + self.left} queries; {t.calls} model calls"
            f" ({t.cached} more from the cache), {t.prompt_tokens + t.completion_tokens:,} tokens, ${t.usd:.4f}"
        )


def _reason(reason: Reason) -> dict[str, str]:
    return {"stance": reason.stance, "text": reason.text, "quote": reason.quote.text, "of": reason.of}


Writer: TypeAlias = Callable[[Outcome, int | None], str]


def writer(form: str, first: FirstStage) -> Writer:
    """What writes an outcome in one of FORMATS; the first stage is asked before anything is spent. Raises UnknownName, BadInput for ids
    that the format cannot hold."""
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if form == "trec":
        run_lines({each.id: each.ranking.ids for each in first.queries}, "litrag")
    return FORMATS[form]


def _table(outcome: Outcome, k: int | None) -> str:
    blocks = []
    for each in outcome.queries:
        ranks = {hit.document.id: (rank, len(hit.scores)) for rank, hit in enumerate(each.given.hits, start=1)}
        lines = [f"{each.id}  {_cut(each.ranking.query.text)}", "rank  was      score  document"]
        for rank, hit in enumerate(each.ranking.hits[: k or _SHOWN], start=1):
            was, before = ranks[hit.document.id]
            score = f"{hit.scores[-1].value:.4g}" if len(hit.scores) > before else "-"
            lines.append(f"{rank:>4} {was:>4} {score:>10}  {_cut(_label(hit))}  [{hit.document.id}]")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _label(hit: Hit) -> str:
    return hit.document.title or hit.document.text


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1].rstrip() + "…"


def _json_lines(outcome: Outcome, k: int | None) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in outcome.rows(k))


def _trec(outcome: Outcome, k: int | None) -> str:
    run = {each.id: each.ranking.ids[:k] for each in outcome.queries}
    return "".join(run_lines(run, f"litrag-{outcome.method}")).rstrip("\n")


FORMATS: Final[Mapping[str, Writer]] = {"table": _table, "jsonl": _json_lines, "trec": _trec}
