"""Token vectors of documents for late interaction: computed when first asked for and kept in Qdrant Edge, or computed every time.

One multivector a text, float16, on disk. Measured (100 documents of 168 tokens x 384, a query of 20, one thread): the engine scores
given ids in 11-15 ms, with sums that differ from float32 by less than 0.001; fetching the vectors takes 270 ms, and numpy then 9 ms.
So the engine scores. A document takes 0.16 MB of disk and, once, 30 to 90 ms of embedding on two cores."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litrag.core.errors import EnvironmentFault
from litrag.core.paths import made
from litrag.core.protocols import TokenEmbedder
from litrag.core.types import Document
from litrag.retrievers.vectors import EdgeIndex

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["InMemoryTokens", "TokenStore", "maxsim"]


def maxsim(query: Vectors, document: Vectors) -> float:
    """The sum over the rows of (m, d) of the greatest dot product with a row of (n, d); 0 for n = 0."""
    return float((query @ document.T).max(axis=1).sum()) if len(document) else 0.0


class InMemoryTokens:
    """Implements `LateInteraction`; nothing is kept."""

    def __init__(self, embedder: TokenEmbedder) -> None:
        self._embedder = embedder

    async def scores(self, query: Vectors, documents: Sequence[Document]) -> tuple[float, ...]:
        """MaxSim of (m, d) token vectors with each document. Raises ModelFault, BudgetSpent."""
        vectors = await self._embedder.embed_tokens([document.text for document in documents], kind="document")
        return await asyncio.to_thread(lambda: tuple(maxsim(query, found) for found in vectors))


class TokenStore:
    """Implements `LateInteraction`; a text is embedded once, `batch` texts at a time, each batch on disk before the next begins.

    Where the store cannot be opened (another process has it, it is damaged) vectors are computed and not kept, which `warnings` tell."""

    def __init__(self, folder: Path, embedder: TokenEmbedder, *, batch: int = 32) -> None:
        """`folder` belongs to one embedder and its weights. Nothing is opened yet."""
        self._folder, self._embedder, self._batch = folder, embedder, batch
        self._opening = threading.Lock()
        self._shard: _TokenShard | None = None
        self._fallback: InMemoryTokens | None = None
        self.warnings: tuple[str, ...] = ()

    async def scores(self, query: Vectors, documents: Sequence[Document]) -> tuple[float, ...]:
        """MaxSim of (m, d) token vectors with each document. Raises ModelFault, BudgetSpent, EnvironmentFault."""
        shard = await asyncio.to_thread(self._opened, int(query.shape[1]))
        if shard is None:
            return await (self._fallback or InMemoryTokens(self._embedder)).scores(query, documents)
        texts = {_point(document.text): document.text for document in documents}
        missing = await asyncio.to_thread(shard.missing, list(texts))
        for start in range(0, len(missing), self._batch):
            points = missing[start : start + self._batch]
            vectors = await self._embedder.embed_tokens([texts[point] for point in points], kind="document")
            await asyncio.to_thread(shard.keep, points, vectors)
        found = await asyncio.to_thread(shard.scores, query, set(texts))
        return tuple(found[_point(document.text)] for document in documents)

    def close(self) -> None:
        """Lets go of the store; the next use opens it again."""
        with self._opening:
            if self._shard is not None:
                self._shard.close()
            self._shard = None

    def _opened(self, dimensions: int) -> _TokenShard | None:
        with self._opening:
            if self._shard is None and self._fallback is None:
                try:
                    self._shard = _TokenShard(self._folder, dimensions)
                except EnvironmentFault as error:
                    self._fallback = InMemoryTokens(self._embedder)
                    self.warnings = (f"{error}; token vectors were computed and not kept",)
            return self._shard


class _TokenShard(EdgeIndex):
    """A shard whose points are multivectors; shared within the process, and errors translated, as every shard is."""

    def _open(self, dimensions: int | None) -> Any:
        edge = self._edge
        if (self._folder / "edge_config.json").is_file():
            return edge.EdgeShard.load(str(self._folder))
        vectors = edge.EdgeVectorParams(
            size=dimensions,
            distance=edge.Distance.Dot,
            multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
            datatype=edge.VectorStorageDatatype.Float16,
            on_disk=True,
        )
        return edge.EdgeShard.create(str(made(self._folder)), edge.EdgeConfig(vectors=vectors))

    def keep(self, points: Sequence[str], vectors: Sequence[Vectors]) -> None:
        """Stores (tokens, d) arrays and flushes. A text without tokens is one zero vector: the engine refuses an empty one."""
        import numpy as np

        rows = [
            self._edge.Point(point, found if len(found) else np.zeros((1, found.shape[1]), dtype=np.float32), {})
            for point, found in zip(points, vectors, strict=True)
        ]
        self._update(self._edge.UpdateOperation.upsert_points(rows))

    def scores(self, query: Vectors, points: set[str]) -> dict[str, float]:
        """MaxSim of the query with each of the points."""
        edge = self._edge
        request = edge.QueryRequest(
            limit=len(points),
            query=edge.Query.Nearest(query),
            filter=edge.Filter(must=[edge.HasIdCondition(points)]),
            params=edge.SearchParams(exact=True),
        )
        found = self._translated(partial(self._shard.query, request)) if points else []
        return {str(point.id): float(point.score) for point in found}


def _point(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))
