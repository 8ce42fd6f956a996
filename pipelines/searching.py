"""One search: the first nodes of a review (rewrite, search, merge, rerank) and nothing after them; no run is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from litrag.core import sync
from litrag.core.display import Html, fold, fragment, items, line, text
from litrag.core.events import Listener, silent
from litrag.core.names import citation_keys, spoken
from litrag.core.protocols import SourceResult
from litrag.core.settings import load_settings
from litrag.core.shown import ranking_table
from litrag.core.types import Filter, Hit, Paper, Passage, Query, Ranking
from litrag.exports.bibtex import bibliography
from litrag.models.request import Backend
from litrag.pipelines.api import absolute
from litrag.pipelines.finding import merge_results, rerank, rewrite, search
from litrag.pipelines.runs import new_run
from litrag.pipelines.state import ReviewRequest, ReviewState
from litrag.pipelines.workshop import Workshop, open_workshop

__all__ = ["FORMATS", "Found", "find", "find_async", "shown"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: papers best first, beside each its hit with all scores and, of full texts, the passage that was found;
    `topic` is what a TREC run calls the query."""

    query: str
    queries: tuple[str, ...]
    papers: tuple[Paper, ...]
    hits: tuple[Hit, ...]
    passages: tuple[Passage | None, ...]
    warnings: tuple[str, ...]
    stop_reason: str = "done"
    topic: str = "q1"

    @property
    def ranking(self) -> Ranking:
        """The hits as a reranker takes them."""
        return Ranking(Query(self.query), self.hits)

    def _repr_html_(self) -> str:
        told = [line(warning, kind="warn") for warning in self.warnings]
        searched = fold(f"{len(self.queries)} queries searched", items(self.queries)) if len(self.queries) > 1 else ""
        return fragment(line(Html(f"<b>{text(self.query)}</b>")), searched, ranking_table(self.hits), *told)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a paper."""
        return [
            {
                "rank": rank,
                "id": paper.id,
                "title": paper.title,
                "authors": list(paper.authors),
                "year": paper.year or None,
                "venue": paper.venue,
                "doi": paper.doi,
                "arxiv_id": paper.arxiv_id,
                "url": paper.url,
                "abstract": paper.abstract,
                "page": passage.page if passage else None,
                "passage": passage.text if passage else "",
                "scores": [
                    {"source": s.source, "value": s.value, "query": s.query, "rank": s.rank} for s in hit.scores
                ],
            }
            for rank, (paper, hit, passage) in enumerate(zip(self.papers, self.hits, self.passages, strict=True), 1)
        ]


def find(query: str, **options: Any) -> Found:
    """Searches; see `find_async`."""
    return sync.run(find_async(query, **options))


async def find_async(
    query: str,
    *,
    k: int = 20,
    library: str | Path | Sequence[str | Path] = (),
    before: date | None = None,
    only: Filter | None = None,
    backend: Backend | None = None,
    listen: Listener = silent,
    **settings: Any,
) -> Found:
    """The best `k` papers for a query over libraries (all added ones by default) and the sources in the settings. The query is searched as
    it is and its order is the first stage's, unless `rewriter` and `reranker` say otherwise. Raises LitragError, NoEvidence among it."""
    asked = load_settings(**{"rewriter": "none", "reranker": "none", **settings})
    names = absolute([library] if isinstance(library, str | Path) else library)
    request = ReviewRequest(
        name="search",
        title="",
        abstract=query,
        out="",
        libraries=names,
        before=before,
        settings=asked.model_dump(mode="json"),
        only=only or Filter(),
        own=False,
    )
    with tempfile.TemporaryDirectory(prefix="litrag-search-") as folder:
        shop = await open_workshop(new_run(request, parent=Path(folder)), listen=listen, backend=backend)
        try:
            return await _found(shop, k)
        finally:
            shop.close()


def shown(found: Found, form: str) -> str:
    """The findings as text in one of FORMATS. Raises KeyError."""
    return FORMATS[form](found)


async def _found(shop: Workshop, k: int) -> Found:
    state: ReviewState = {}
    for node in (rewrite, search, merge_results, rerank):
        state.update(await node(shop, state))
    ranking = shop.store.get(state["ranking"], Ranking)
    hits = ranking.hits[:k]
    papers = {paper.id: paper for paper in shop.store.get(state["papers"], tuple[Paper, ...])}
    passages: dict[str, Passage] = {}
    for name in state["results"]:
        result = shop.store.get(name, SourceResult)
        for passage in filter(None, result.passages):
            passages.setdefault(passage.document_id, passage)
    return Found(
        query=shop.request.text,
        queries=tuple(query.text for query in shop.store.get(state["queries"], tuple[Query, ...])),
        papers=tuple(papers[hit.document.id] for hit in hits),
        hits=hits,
        passages=tuple(passages.get(hit.document.id) for hit in hits),
        warnings=shop.store.get(state["warnings"], tuple[str, ...]),
        stop_reason=state.get("stop_reason", "done"),
    )


def _table(found: Found) -> str:
    lines = []
    for row in found.rows():
        authors = row["authors"]
        by = (spoken(authors[0]) + (" et al." if len(authors) > 1 else "")) if authors else "?"
        page = f", page {row['page']}" if row["page"] else ""
        lines.append(f"{row['rank']:>3}  {row['title']}")
        lines.append(
            f"     {by}, {row['year'] or 'n. d.'}{', ' + row['venue'] if row['venue'] else ''}{page}  [{row['id']}]"
        )
    return "\n".join(lines)


def _json_lines(found: Found) -> str:
    import json

    return "\n".join(json.dumps(row, ensure_ascii=False) for row in found.rows())


def _trec(found: Found) -> str:
    """One topic; the score is n - rank, as in every run that litrag writes."""
    n = len(found.papers)
    names = ["_".join(paper.id.split()) for paper in found.papers]
    return "\n".join(f"{found.topic} Q0 {name} {rank} {n - rank} litrag" for rank, name in enumerate(names, start=1))


def _bib(found: Found) -> str:
    keys = citation_keys(found.papers)
    return bibliography({keys[paper.id]: paper for paper in found.papers}).rstrip()


FORMATS: Final[Mapping[str, Callable[[Found], str]]] = {
    "table": _table,
    "jsonl": _json_lines,
    "trec": _trec,
    "bib": _bib,
}
