"""Searching a local library: BM25 always, vectors where it has them all; and filling the vectors in."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Protocol

from litrag.core.errors import BudgetSpent, EnvironmentFault
from litrag.core.events import Event, Listener, silent
from litrag.core.protocols import Embedder, Retriever, SourceResult
from litrag.core.types import Query
from litrag.retrievers.bm25 import BM25
from litrag.retrievers.dense import Dense
from litrag.retrievers.fusion import Hybrid
from litrag.retrievers.sources.library import Library
from litrag.retrievers.vectors import EdgeIndex, point_id

__all__ = ["LibrarySource", "NamedEmbedder", "fill_vectors"]


class NamedEmbedder(Embedder, Protocol):
    """An embedder that says which model it is."""

    @property
    def model(self) -> str:
        """The model string."""


class LibrarySource:
    """A library as a `Source`. Scores kept on every paper: bm25, dense:<model>, rrf, as far as they were made."""

    def __init__(self, library: Library, embedder: NamedEmbedder | None = None, *, name: str = "") -> None:
        """`name` tells apart libraries that are called the same."""
        self._library, self._embedder = library, embedder
        self._name = name or library.name
        self._index: EdgeIndex | None = None
        self._retriever: Retriever | None = None
        self._warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name under which evidence and ledger know the library."""
        return self._name

    @property
    def library(self) -> Library:
        """The library."""
        return self._library

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` papers, best first."""
        if self._retriever is None:
            self._retriever = await asyncio.to_thread(self._open)
        warnings = self._warnings
        try:
            (ranking,) = await self._retriever.retrieve([query], k)
        except BudgetSpent as error:
            warnings = (*warnings, f"library {self.name}: {error}; searched with BM25 only")
            (ranking,) = await self._bm25().retrieve([query], k)
        papers = self._library.papers(ranking.ids)
        return SourceResult(self.name, query, papers, tuple(hit.scores for hit in ranking.hits), warnings)

    def close(self) -> None:
        """Closes library and vectors."""
        if self._index is not None:
            self._index.close()
        self._library.close()

    def _bm25(self) -> BM25:
        return BM25(self._library.index, self._library.documents)

    def _open(self) -> Retriever:
        """BM25 alone, or the hybrid where every paper has its vector; why not is a warning."""
        library = self._library
        bm25 = self._bm25()
        if self._embedder is None:
            return bm25
        points = _counted(library, self._embedder.model)
        if points < len(library):
            filled = f"{points:,} of {len(library):,} papers have vectors" if points else "no vectors yet"
            first = "" if library.manifest["added"] else "`litrag library add` it, then "
            self._warnings = (
                f"library {library.name}: {filled}, searched with BM25 only; {first}`litrag library update {library.name} --vectors`"
                " fills them in",
            )
            return bm25
        try:
            self._index = EdgeIndex(_vector_folder(library, self._embedder.model))
        except EnvironmentFault as error:
            self._warnings = (f"library {library.name}: {error}; searched with BM25 only",)
            return bm25
        dense = Dense(self._embedder, self._index, library.documents, f"dense:{_slug(self._embedder.model)}")
        return Hybrid((bm25, dense))


async def fill_vectors(
    library: Library, embedder: NamedEmbedder, *, batch: int = 256, listen: Listener = silent
) -> int:
    """Embeds the papers that have no vector yet; returns how many. Every batch is on disk before the next begins, and every text
    is in the cache, so that a stop costs nothing. Raises ModelFault, EnvironmentFault."""
    folder = _vector_folder(library, embedder.model)
    index: EdgeIndex | None = None
    keep: set[str] = set()
    filled = 0
    try:
        for start in range(0, len(library), batch):
            papers = library.papers(library.index.ids[start : start + batch])
            points = [point_id(paper) for paper in papers]
            keep.update(points)
            if index is None:
                index = await asyncio.to_thread(_opened, folder)
            absent = set(points if index is None else await asyncio.to_thread(index.missing, points))
            fresh = [paper for point, paper in zip(points, papers, strict=True) if point in absent]
            if fresh:
                vectors = await embedder.embed([paper.text for paper in fresh], kind="document")
                index = index or EdgeIndex(folder, int(vectors.shape[1]))
                await asyncio.to_thread(index.upsert, fresh, vectors)
                filled += len(fresh)
            listen(Event("vectors", done=min(start + batch, len(library)), total=len(library)))
        if index is not None:
            await asyncio.to_thread(index.prune, keep)
            await asyncio.to_thread(index.optimise)
            note = {"model": embedder.model, "points": len(index)}
            (folder / "litrag.json").write_text(json.dumps(note), encoding="utf-8")
    finally:
        if index is not None:
            index.close()
    return filled


def _opened(folder: Path) -> EdgeIndex | None:
    try:
        return EdgeIndex(folder)
    except FileNotFoundError:
        return None


def _counted(library: Library, model: str) -> int:
    """Papers with a vector, by the note that a finished filling leaves and a rebuilt library takes away."""
    try:
        return int(json.loads((_vector_folder(library, model) / "litrag.json").read_text(encoding="utf-8"))["points"])
    except (OSError, ValueError, KeyError):
        return 0


def _vector_folder(library: Library, model: str) -> Path:
    return library.folder / "vectors" / _slug(model)


def _slug(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model.removeprefix("local/"))
