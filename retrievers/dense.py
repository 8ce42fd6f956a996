"""Dense retrieval: the query embedded, its nearest vectors found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from litrag.core.protocols import Embedder
from litrag.core.types import Document, Hit, Query, Ranking, Score

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["Dense", "VectorSearch"]


class VectorSearch(Protocol):
    """What dense retrieval asks of an index of vectors."""

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` documents that the query allows, with their cosines."""


@dataclass(frozen=True, slots=True)
class Dense:
    """The retriever over a vector index. `fetch` gives the document of each row, and a document is found by the best of its rows; the score `name`, by custom "dense:<model>", is the
    cosine, in [-1, 1]."""

    embedder: Embedder
    index: VectorSearch
    fetch: Callable[[Sequence[str]], Sequence[Document]]
    name: str

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking a query; equal scores in order of the document ids. A query without text finds nothing."""
        asked = [query for query in queries if query.text.strip()]
        if not asked or k <= 0:
            return tuple(Ranking(query) for query in queries)
        vectors = iter(await self.embedder.embed([query.text for query in asked], kind="query"))
        pairs = [(query, next(vectors) if query.text.strip() else None) for query in queries]
        return await asyncio.to_thread(lambda: tuple(self._one(query, vector, k) for query, vector in pairs))

    def _one(self, query: Query, vector: Vectors | None, k: int) -> Ranking:
        if vector is None:
            return Ranking(query)
        documents: dict[str, tuple[Document, float]] = {}
        asked = k
        while True:
            found = sorted(self.index.search(vector, query, asked), key=lambda item: (-item[1], item[0]))
            rows = self.fetch([name for name, _ in found])
            for document, (_, score) in zip(rows, found, strict=True):
                documents.setdefault(document.id, (document, score))
            if len(documents) >= k or len(found) < asked:
                break
            asked *= 4  # several rows of one paper were among the best
            documents.clear()
        hits = (
            Hit(document, (Score(score, self.name, query.text, rank),))
            for rank, (document, score) in enumerate(list(documents.values())[:k], start=1)
        )
        return Ranking(query, tuple(hits))
