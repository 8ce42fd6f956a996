"""Reranking what somebody else retrieved: JSON Lines with texts, or a TREC run over a data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litrag.core.errors import BadInput, BudgetSpent
from litrag.core.events import Event, Listener, silent
from litrag.core.protocols import Reranker
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.corpora import load
from litrag.corpora.trec import read_scored_run

__all__ = ["FORMATS", "Given", "Reranked", "read_given", "rerank_all"]

FIRST_STAGE: Final = "first-stage"


@dataclass(frozen=True, slots=True)
class Given:
    """A query's candidates under the id that the results get."""

    id: str
    ranking: Ranking


@dataclass(frozen=True, slots=True)
class Reranked:
    """A query's candidates in their new order, and at which rank each stood before, by id."""

    id: str
    ranking: Ranking
    was: Mapping[str, int]


def read_given(text: str, name: str, dataset: str = "") -> list[Given]:
    """The candidates in a text: JSON Lines of {"query", "documents": [{"id", "text", "title"?, "score"?}, ...], "id"?}, or a TREC run, whose
    topics and texts are those of `dataset`. `name` is what errors call the text. Raises BadInput, naming the line."""
    if not text.strip():
        raise BadInput(f"{name} is empty; give JSON Lines of queries with documents, or a TREC run")
    if text.lstrip().startswith("{"):
        return [_row(line, f"{name}, line {n}", n) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not dataset:
        raise BadInput(f"{name} is a TREC run, which holds no texts; name the data set it ranks with --dataset")
    return _of_run(text, name, dataset)


async def rerank_all(
    given: Sequence[Given],
    reranker: Reranker,
    done: Callable[[Reranked], None],
    *,
    depth: int | None = None,
    listen: Listener = silent,
) -> BudgetSpent | None:
    """Reranks query by query and hands each on as soon as it is ready; the error that ended it before the last one. Raises ModelFault,
    BadInput."""
    for number, item in enumerate(given, start=1):
        try:
            ranking = await reranker.rerank(item.ranking, depth=depth)
        except BudgetSpent as error:
            return error
        done(Reranked(item.id, ranking, {name: rank for rank, name in enumerate(item.ranking.ids, start=1)}))
        listen(Event("rerank", done=number, total=len(given)))
    return None


def _row(line: str, where: str, number: int) -> Given:
    form = 'write {"query": "...", "documents": [{"id": "...", "text": "..."}]}'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: no JSON; {form}") from error
    query, documents = (row.get("query"), row.get("documents")) if isinstance(row, dict) else (None, None)
    if not isinstance(query, str) or not query.strip() or not isinstance(documents, list):
        raise BadInput(f"{where}: no query or no documents; {form}")
    hits = [_hit(document, query, rank, where) for rank, document in enumerate(documents, start=1)]
    try:
        return Given(str(row.get("id") or f"q{number}"), Ranking(Query(query), tuple(hits)))
    except ValueError as error:
        raise BadInput(f"{where}: {error}; give each document once") from error


def _hit(row: Any, query: str, rank: int, where: str) -> Hit:
    if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("text"), str):
        raise BadInput(
            f'{where}, document {rank}: write {{"id": "...", "text": "..."}}, with "title" and "score" if you like'
        )
    score = row.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        raise BadInput(f"{where}, document {rank}: score {score!r} is no number")
    title = str(row.get("title") or "")
    text = f"{title}\n{row['text']}" if title and not row["text"].startswith(title) else row["text"]
    scores = () if score is None else (Score(float(score), FIRST_STAGE, query, rank),)
    return Hit(Document(str(row["id"]), title, text), scores)


def _of_run(text: str, name: str, dataset: str) -> list[Given]:
    data = load(dataset)
    queries = {topic.id: topic.query for topic in data.topics}
    run = {topic: rows for topic, rows in read_scored_run(text, name)[1].items() if topic in queries}
    if not run:
        raise BadInput(f"{name} ranks no topic of {data.name}; check --dataset")
    wanted = {document for rows in run.values() for document, _ in rows}
    texts = {document.id: document for document in data.corpus() if document.id in wanted}
    if lost := sorted(wanted - set(texts)):
        raise BadInput(f"{name}: {len(lost)} documents are not in {data.name}, such as {lost[0]}; check --dataset")
    return [
        Given(
            topic,
            Ranking(
                queries[topic],
                tuple(
                    Hit(texts[document], (Score(score, FIRST_STAGE, queries[topic].text, rank),))
                    for rank, (document, score) in enumerate(rows, start=1)
                ),
            ),
        )
        for topic, rows in run.items()
    ]


def _table(item: Reranked, k: int) -> str:
    lines = [f"{item.id}  {' '.join(item.ranking.query.text.split())[:100]}"]
    for rank, hit in enumerate(item.ranking.hits[:k], start=1):
        value = f"{hit.scores[-1].value:.3f}" if hit.scores and hit.scores[-1].source != FIRST_STAGE else "-"
        words = " ".join((hit.document.title or hit.document.text).split())[:70]
        lines.append(f"{rank:>4}  was {item.was[hit.document.id]:>4}  {value:>9}  {hit.document.id}  {words}")
    return "\n".join(lines)


def _jsonl(item: Reranked, k: int) -> str:
    documents = [
        {
            "id": hit.document.id,
            "rank": rank,
            "was": item.was[hit.document.id],
            "title": hit.document.title,
            "scores": [{"source": s.source, "value": s.value, "rank": s.rank} for s in hit.scores],
            "reasons": [{"stance": r.stance, "text": r.text, "quote": r.quote.text, "of": r.of} for r in hit.reasons],
        }
        for rank, hit in enumerate(item.ranking.hits[:k], start=1)
    ]
    row = {"id": item.id, "query": item.ranking.query.text, "placed": item.ranking.placed, "documents": documents}
    return json.dumps(row, ensure_ascii=False)


def _trec(item: Reranked, k: int) -> str:
    from litrag.corpora.trec import run_lines

    return "".join(run_lines(item.id, item.ranking.ids[:k], "litrag")).rstrip("\n")


# format -> a query's result as text: (result, documents to show)
FORMATS: Final[Mapping[str, Callable[[Reranked, int], str]]] = {"table": _table, "jsonl": _jsonl, "trec": _trec}
