"""Retrieval: first-stage rankings of a whole corpus, measured against relevance judgements.

bm25 is the floor of every table. A new method is one entry of METHODS: a function from the bench to a `System`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.protocols import Retriever
from litrag.core.types import Document
from litrag.corpora import load
from litrag.corpora.trec import read_run, write_run
from litrag.corpora.types import Dataset, Topic, last_day
from litrag.evals.journal import Answer, Journal
from litrag.evals.metrics import check_measures, measures_of
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.retrievers.bm25 import BM25, BM25Index

__all__ = ["MEASURES", "METHODS", "RETRIEVAL", "Bench", "Retrieval", "bm25"]

METHODS: Final = {"bm25": "litrag.evals.retrieval:bm25"}
MEASURES: Final = ("nDCG@10", "R@10", "R@20", "R@50", "R@100", "R@500", "RR", "AP")
_K1: Final = 0.9  # Anserini's values for passages
_B: Final = 0.4


@dataclass
class Bench:
    """What the methods of one table share: the data, and a corpus that is read once and only when a method needs it."""

    dataset: Dataset
    k: int
    measures: tuple[str, ...]
    options: EvalOptions = field(default_factory=EvalOptions)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The corpus by id. Raises BadInput where an id stands twice."""
        documents: dict[str, Document] = {}
        for document in self.dataset.corpus():
            if document.id in documents:
                raise BadInput(f"data set {self.dataset.name}: document {document.id} stands twice in its corpus")
            documents[document.id] = document
        return documents

    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """The documents of ids, in their order."""
        return [self.documents[name] for name in ids]

    def system(self, name: str, retriever: Callable[[], Retriever], **settings: Any) -> System:
        """A row of the table from what builds a retriever."""
        return System(name, lambda: _Searching(self, retriever()), settings)


@dataclass(frozen=True, slots=True)
class _Searching:
    bench: Bench
    retriever: Retriever

    async def answer(self, topic: Topic) -> Answer:
        (ranking,) = await self.retriever.retrieve([topic.query], self.bench.k)
        metrics = measures_of(ranking.ids, topic.relevant, self.bench.measures)
        return Answer(metrics, {"searches": 1}, {"ids": list(ranking.ids)})


@dataclass(frozen=True, slots=True)
class _FromRun:
    """A run that another program wrote; a topic it lacks counts as found nothing."""

    bench: Bench
    run: Mapping[str, Sequence[str]]

    async def answer(self, topic: Topic) -> Answer:
        ids = self.run.get(topic.id, ())[: self.bench.k]
        return Answer(measures_of(ids, topic.relevant, self.bench.measures), {}, {"ids": list(ids)})


def bm25(bench: Bench) -> System:
    """BM25 (Lucene's variant) over title and text, stemmed, with English stop words left out."""

    def build() -> Retriever:
        rows = ((d.id, last_day(d), d.text) for d in bench.documents.values())
        return BM25(BM25Index.build(rows, k1=_K1, b=_B), bench.fetch)

    return bench.system("bm25", build, k1=_K1, b=_B, stemmer="english")


class Retrieval:
    """`litrag eval retrieval`."""

    methods: Mapping[str, str] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods and TREC runs over a sample of a data set. Raises UnknownName, BadInput, EnvironmentFault."""
        measures = options.measures or MEASURES
        check_measures(measures)
        if options.k < 1:
            raise BadInput(f"k {options.k}: rank at least one document")
        dataset = load(options.dataset or "scifact").sample(options.n, options.seed)
        bench = Bench(dataset, options.k, measures, options)
        names = options.methods or (() if options.runs else tuple(METHODS))
        systems = [registry.find("retrieval method", METHODS, name)(bench) for name in names]
        systems += [_system_of_run(bench, path) for path in options.runs]
        return Evaluation(
            "retrieval", dataset, tuple(systems), options.seed, {"k": options.k, "measures": list(measures)}
        )

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes a TREC run a system."""
        with Journal(folder, evaluation.config, resume=True) as journal:
            written = []
            for system in evaluation.systems:
                ids = {t.id: journal.lines[system.name, t.id].details["ids"] for t in evaluation.dataset.topics}
                path = folder / f"{system.name}.run"
                write_run(path, ids, f"litrag-{system.name}")
                written.append(path)
        return written


def _system_of_run(bench: Bench, path: Path) -> System:
    tag, run = read_run(path)
    known = {topic.id for topic in bench.dataset.topics}
    if not known & set(run):
        raise BadInput(f"{path} ranks no topic of {bench.dataset.name}; check --run and --dataset")
    return System(tag, lambda: _FromRun(bench, run), {"run": path.name, "topics": len(known & set(run))})


RETRIEVAL: Final = Retrieval()
