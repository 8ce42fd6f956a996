"""What a retriever is trained on: topics with relevant documents of a data set, over a corpus whose vectors are made once and stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from litrag.core.errors import BadInput
from litrag.core.events import Listener
from litrag.core.paths import cache_file
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, place_of
from litrag.core.types import Document, Query
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic, last_day
from litrag.models.gateway import Gateway
from litrag.retrievers.bm25 import bm25_over
from litrag.retrievers.dense import Dense
from litrag.retrievers.exact import ExactIndex
from litrag.retrievers.fusion import Hybrid
from litrag.training.examples import rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from litrag.core.protocols import Vectors

__all__ = ["Collection", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A query to learn from: places of its relevant documents, its own vector before training."""

    query: Query
    positives: tuple[int, ...]
    vector: Vectors
    answers: tuple[str, ...] = ()

    @property
    def place(self) -> float:
        """A number in [0, 1) by the text, of a rewrite by its original's: what is held out stays so when the data set grows."""
        return place_of(self.query.parent or self.query.text)

    def keeping(self, positives: Sequence[int]) -> Self:
        """The same query with fewer relevant documents."""
        return replace(self, positives=tuple(positives))


@dataclass(frozen=True, slots=True)
class Collection:
    """Samples over a corpus; `index.vectors` is (documents, d)."""

    samples: tuple[Sample, ...]
    index: ExactIndex
    base: str

    @classmethod
    async def of(cls, dataset: str, base: str, listen: Listener, *, rewrites: str = "") -> Self:
        """Reads a data set and embeds what its topics may reach; vectors that the cache holds are not made again. `rewrites` is a file of
        {"id": topic, "document": its relevant document, "text": rewritten query}: each is one more query, for that document alone, which the
        topic's others do not stand against. Raises BadInput, UnknownName, ModelFault."""
        data = load(dataset)
        topics = [*data.topics, *(_rewritten(data, rewrites) if rewrites else ())]
        documents = list(data.reachable())
        gateway = Gateway(load_settings(embed_model=base), cache=RequestCache(cache_file()))
        embedder = gateway.embedder()
        try:
            days = [last_day(document) for document in documents]
            index = await ExactIndex.embedded(documents, days, embedder, listen=listen)
            queries = await embedder.embed([topic.query.text for topic in topics], kind="query")
        finally:
            gateway.cache.close()
        samples = []
        for topic, vector in zip(topics, queries, strict=True):
            known = [index.places[n] for n, grade in topic.relevant.items() if grade > 0 and n in index.places]
            if known:
                samples.append(Sample(topic.query, tuple(sorted(known)), vector, topic.answers))
        if not samples:
            raise BadInput(f"data set {dataset}: no topic with a relevant document to learn from")
        return cls(tuple(samples), index, base)

    def document(self, place: int) -> Document:
        """The document at a place."""
        return self.index.documents[place]

    def allowed(self, sample: Sample) -> NDArray[np.bool_]:
        """Which documents the sample's query may get, as a row over the corpus."""
        return self.index.allowed(sample.query)

    async def hybrid_ranks(self, samples: Sequence[Sample], k: int) -> list[list[int]]:
        """Places of the best `k` documents of each sample under BM25 and the untrained vectors, fused."""
        vectors = {sample.query.text: sample.vector for sample in samples}

        class Known:
            async def embed(self, texts: Sequence[str], *, kind: Any) -> Vectors:
                import numpy as np

                return np.stack([vectors[text] for text in texts])

        def fetch(ids: Sequence[str]) -> list[Document]:
            return [self.index.documents[self.index.places[name]] for name in ids]

        words = bm25_over(self.index.documents)
        both = Hybrid((words, Dense(Known(), self.index, fetch, "dense")))
        rankings = await both.retrieve([sample.query for sample in samples], k)
        return [[self.index.places[name] for name in ranking.ids] for ranking in rankings]


def _rewritten(data: Dataset, rewrites: str) -> list[Topic]:
    known = {topic.id: topic for topic in data.topics}
    found = []
    for number, row in rows(Path(rewrites), lambda text: None):
        topic = known.get(str(row.get("id")))
        if topic is None or row.get("document") not in topic.relevant or not row.get("text"):
            raise BadInput(f"{rewrites}, line {number}: no rewrite of a topic of {data.name} with a relevant document")
        others = frozenset(name for name, grade in topic.relevant.items() if grade > 0) - {row["document"]}
        query = replace(
            topic.query, text=row["text"], exclude=topic.query.exclude | others, parent=topic.query.text, history=()
        )
        found.append(replace(topic, query=query, relevant={row["document"]: topic.relevant[row["document"]]}))
    return found
