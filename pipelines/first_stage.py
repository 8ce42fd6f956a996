"""Reading a first stage's results: JSON Lines with their texts, or a TREC run over a data set that has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from litrag.core.errors import BadInput
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.corpora import load
from litrag.corpora.trec import parse_run
from litrag.corpora.types import Dataset
from litrag.pipelines.reading import read_text

__all__ = ["Candidates", "FirstStage", "read_first_stage"]

_LINE: Final = '{"query": "...", "documents": [{"id": "...", "text": "...", "title": "...", "score": 1.5}]}'
_SOURCE: Final = "first stage"  # who gave the scores of JSON Lines
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a reranker gets for one query, under the query's id."""

    id: str
    ranking: Ranking


@dataclass(frozen=True, slots=True)
class FirstStage:
    """All queries in the order of the input, and what was left out of it."""

    queries: tuple[Candidates, ...]
    warnings: tuple[str, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether any document came with a score."""
        return any(hit.scores for each in self.queries for hit in each.ranking.hits)


def read_first_stage(source: str, *, dataset: str | None = None, stdin: bytes | None = None) -> FirstStage:
    """The results in a file, or in `stdin` for "-": a text that begins with { is JSON Lines, any other a TREC run, whose topics and texts
    are the data set's. Raises BadInput, naming file, line and remedy, and what `corpora.load` raises."""
    text = read_text(source, "the first stage's results", stdin=stdin)
    name = "standard input" if source == "-" else source
    start = text.lstrip()[:1]
    if not start:
        raise BadInput(f"{name} is empty; give JSON Lines, {_LINE}, or a TREC run with --dataset")
    if start == "[":
        raise BadInput(f"{name} holds a JSON list; write one object a line, each a query: {_LINE}")
    lines = text.split("\n")  # JSON strings may hold what str.splitlines takes for the end of a line
    if start != "{":
        return _of_run(lines, name, dataset)
    if dataset is not None:
        raise BadInput(f"{name} is JSON Lines, which bring their own texts; leave --dataset out")
    return FirstStage(tuple(_of_json(lines, name)))


class _Document(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Text
    text: str
    title: str = ""
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @property
    def document(self) -> Document:
        """With the title before the text, as in every corpus; a text that begins with it has it already."""
        whole = self.text if self.text.startswith(self.title) else f"{self.title}\n{self.text}"
        return Document(self.id, self.title, whole)


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    query: Text
    id: Text | None = None
    documents: list[_Document]


def _of_json(lines: Iterable[str], name: str) -> Iterable[Candidates]:
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        row = _row(line, where)
        found = Candidates(row.id or f"q{len(seen) + 1}", _ranking(row, where))
        if found.id in seen:
            raise BadInput(f"{where}: a query with the id {found.id!r} stands above; give each an id of its own")
        seen.add(found.id)
        yield found


def _row(line: str, where: str) -> _Row:
    try:
        return _Row.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise BadInput(f"{where}: {place + ': ' if place else ''}{problem['msg']}; a line is {_LINE}") from error


def _ranking(row: _Row, where: str) -> Ranking:
    """Raises BadInput for documents that stand twice, or of which some have a score and others none."""
    times = Counter(each.id for each in row.documents)
    if twice := next((name for name, count in times.items() if count > 1), None):
        raise BadInput(f"{where}: document {twice!r} stands twice; name each document of a query once")
    bare = [each.id for each in row.documents if each.score is None]
    if bare and len(bare) < len(times):
        raise BadInput(f"{where}: document {bare[0]!r} has no score, others have; give all documents one, or none")
    hits = (
        Hit(each.document, () if each.score is None else (Score(each.score, _SOURCE, row.query, rank),))
        for rank, each in enumerate(row.documents, start=1)
    )
    return Ranking(Query(row.query), tuple(hits))


def _of_run(lines: Iterable[str], name: str, spec: str | None) -> FirstStage:
    tag, run = parse_run(lines, name)
    if spec is None:
        raise BadInput(
            f"{name} is a TREC run, which holds no texts; name the data set that has them: --dataset NAME[:SPLIT], or a"
            " folder in BEIR's layout"
        )
    dataset = load(spec)
    topics = {topic.id: topic.query for topic in dataset.topics}
    known = {topic: scores for topic, scores in run.items() if topic in topics}
    what = f"{dataset.name}:{dataset.split}"
    if not known:
        raise BadInput(f"{name} ranks no topic of {what}; check --dataset, or name another split: --dataset NAME:SPLIT")
    documents = _documents(known, dataset, name)
    queries = (Candidates(topic, _scored(topics[topic], scores, documents, tag)) for topic, scores in known.items())
    left_out = len(run) - len(known)
    warnings = (f"{left_out} of {len(run)} topics of {name} are not in {what} and were left out",) if left_out else ()
    return FirstStage(tuple(queries), warnings)


def _documents(run: Mapping[str, Mapping[str, float]], dataset: Dataset, name: str) -> Mapping[str, Document]:
    """Those of the corpus that the run ranks. Raises BadInput where one is missing."""
    topic_of = {document: topic for topic, scores in run.items() for document in scores}
    found = {document.id: document for document in dataset.corpus() if document.id in topic_of}
    if missing := next((document for document in topic_of if document not in found), None):
        raise BadInput(
            f"{name}: document {missing!r} of topic {topic_of[missing]!r} is not in the corpus of {dataset.name}; check --dataset"
        )
    return found


def _scored(query: Query, scores: Mapping[str, float], documents: Mapping[str, Document], tag: str) -> Ranking:
    hits = (
        Hit(documents[document], (Score(score, tag, query.text, rank),))
        for rank, (document, score) in enumerate(scores.items(), start=1)
    )
    return Ranking(query, tuple(hits))
