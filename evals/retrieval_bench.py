"""What the rows of a retrieval table share: data, indexes and vectors, each made once and only when a row needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any, Final, Protocol

from litrag.core.errors import BadInput
from litrag.core.paths import cache_file
from litrag.core.protocols import Embedder, Retriever
from litrag.core.settings import Settings, load_settings
from litrag.core.store import RequestCache
from litrag.core.sync import run
from litrag.core.types import Document, Query, Ranking
from litrag.corpora import split_of
from litrag.corpora.types import Dataset, Topic, last_day
from litrag.evals.journal import Answer
from litrag.evals.metrics import measures_of
from litrag.evals.runner import System
from litrag.evals.tasks import EvalOptions
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.retrievers.bm25 import bm25_over
from litrag.retrievers.exact import ExactIndex

__all__ = ["K1", "B", "Bench", "Counted", "Ranker"]

K1: Final = 0.9  # Anserini's values for passages
B: Final = 0.4


@dataclass(frozen=True, slots=True)
class Counted:
    """A ranking and what it took beyond one search."""

    ranking: Ranking
    counts: Mapping[str, int] = field(default_factory=dict)


class Ranker(Protocol):
    """What a row does with one query."""

    async def rank(self, query: Query, k: int) -> Counted:
        """At most `k` documents, best first."""


@dataclass
class Bench:
    """The data of one table and what its rows are made from."""

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

    @cached_property
    def reachable(self) -> list[Document]:
        """The documents that some topic may get."""
        return list(self.dataset.reachable())

    @cached_property
    def bm25(self) -> Retriever:
        """BM25 over title and text of the whole corpus."""
        return _Kept(bm25_over(self.documents.values(), k1=K1, b=B))

    @cached_property
    def titles(self) -> Retriever:
        """BM25 over titles alone."""
        short = (replace(document, text=document.title) for document in self.documents.values())
        return _Kept(bm25_over(short, k1=K1, b=B, fetch=self.fetch))

    @cached_property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.options.settings or load_settings()

    @property
    def training_part(self) -> str:
        """The data set that trained rows learn from. Raises BadInput where the topics measured are among it."""
        if self.dataset.split in ("train", "all"):
            raise BadInput(
                "the rows that are trained need topics that they were not trained on; evaluate another split than train"
            )
        return f"{split_of(self.options.dataset or 'scifact')[0]}:train"

    def gateway(self, settings: Settings | None = None) -> Gateway:
        """A gateway on the user's cache."""
        return Gateway(settings or self.settings, cache=RequestCache(cache_file()))

    def embedder(self, model: str | None = None) -> GatewayEmbedder:
        """The embedder of a model string, by default the one in force."""
        settings = self.settings if model is None else self.settings.model_copy(update={"embed_model": model})
        return self.gateway(settings).embedder()

    @cached_property
    def index(self) -> ExactIndex:
        """Vectors of what the topics may reach, by the embedder in force."""
        return self.embedded(self.embedder())

    def embedded(self, embedder: Embedder) -> ExactIndex:
        """The same by another embedder."""
        days = [last_day(document) for document in self.reachable]
        return run(ExactIndex.embedded(self.reachable, days, embedder))

    def system(self, name: str, retriever: Callable[[], Retriever], **settings: Any) -> System:
        """A row from what builds a retriever."""
        return self.ranking(name, lambda: _Plain(retriever()), **settings)

    def ranking(self, name: str, ranker: Callable[[], Ranker], **settings: Any) -> System:
        """A row from what builds a ranker."""
        return System(name, lambda: _Searching(self, (ranker(),)), settings)

    def seeded(self, name: str, retrievers: Callable[[], Sequence[Retriever]], **settings: Any) -> System:
        """A row whose metrics are means over retrievers that differ in their seed; it keeps the first one's ranking."""
        return System(name, lambda: _Searching(self, tuple(map(_Plain, retrievers()))), settings)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A retriever that several rows ask the same: its rankings are kept, 0.2 MB each at a depth of 1,000."""

    inner: Retriever
    rankings: dict[tuple[Query, int], Ranking] = field(default_factory=dict)

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        new = [query for query in dict.fromkeys(queries) if (query, k) not in self.rankings]
        if new:
            found = await self.inner.retrieve(new, k)
            self.rankings.update({(query, k): ranking for query, ranking in zip(new, found, strict=True)})
        return tuple(self.rankings[query, k] for query in queries)


@dataclass(frozen=True, slots=True)
class _Plain:
    retriever: Retriever

    async def rank(self, query: Query, k: int) -> Counted:
        (ranking,) = await self.retriever.retrieve([query], k)
        return Counted(ranking)


@dataclass(frozen=True, slots=True)
class _Searching:
    bench: Bench
    rankers: Sequence[Ranker]

    async def answer(self, topic: Topic) -> Answer:
        found = [await ranker.rank(topic.query, self.bench.k) for ranker in self.rankers]
        values = [measures_of(each.ranking.ids, topic.relevant, self.bench.measures) for each in found]
        metrics = {name: fmean(value[name] for value in values) for name in values[0]}
        return Answer(metrics, {"searches": 1, **found[0].counts}, {"ids": list(found[0].ranking.ids)})
