"""Searching a local library: BM25 always, vectors where it has them all; and filling the vectors in."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol

from litrag.core.errors import BudgetSpent, EnvironmentFault, VectorsInUse
from litrag.core.events import Event, Listener, silent
from litrag.core.protocols import Embedder, Retriever, SourceResult
from litrag.core.types import Paper, Passage, Query, Ranking
from litrag.retrievers.bm25 import BM25
from litrag.retrievers.dense import Dense
from litrag.retrievers.fusion import Hybrid
from litrag.retrievers.indexes import VectorPlace
from litrag.retrievers.sources.library import Library
from litrag.retrievers.sources.library_files import VectorNote, cannot_write, write_json
from litrag.retrievers.vectors import VectorIndex, point_id

__all__ = ["WORDS_ALONE", "LibrarySource", "NamedEmbedder", "fill_vectors", "vector_count"]

WORDS_ALONE: Final = "searched with BM25 only"  # what a warning says of a search that vectors were meant for


class NamedEmbedder(Embedder, Protocol):
    """An embedder that says which model it is."""

    @property
    def model(self) -> str:
        """The model string of queries."""

    @property
    def documents_model(self) -> str:
        """The model string of documents: whose vectors the library holds."""


class LibrarySource:
    """A library as a `Source`, for any number of searches at once. Scores kept on every paper: bm25, dense:<model>, rrf, as far as they
    were made. Why vectors are not searched is told once, by the first result."""

    def __init__(
        self, library: Library, embedder: NamedEmbedder | None = None, *, name: str = "", url: str | None = None
    ) -> None:
        """`name` tells apart libraries that are called the same; `url` is the Qdrant server of the vectors, None: they are here."""
        self._library, self._embedder, self._url = library, embedder, url
        self._name = name or library.name
        self._opening = threading.Lock()
        self._index: VectorIndex | None = None
        self._retriever: Retriever | None = None
        self._untold: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name under which evidence and ledger know the library."""
        return self._name

    @property
    def library(self) -> Library:
        """The library."""
        return self._library

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` papers, best first. Raises BadInput where the library is damaged."""
        retriever = self._retriever
        if retriever is None:
            retriever = await asyncio.to_thread(self._opened)
        failed: tuple[str, ...] = ()
        asked = query
        if self.name in query.only.sources:  # all of it is meant
            query = replace(query, only=replace(query.only, sources=frozenset()))
        try:
            (ranking,) = await retriever.retrieve([query], k)
        except (BudgetSpent, EnvironmentFault) as error:
            failed = (f"library {self.name}: {error}; {WORDS_ALONE}",)
            (ranking,) = await self._bm25().retrieve([query], k)
        papers, passages = await asyncio.to_thread(self._fetched, ranking)
        untold, self._untold = self._untold, ()
        scores = tuple(hit.scores for hit in ranking.hits)
        return SourceResult(self.name, asked, papers, scores, (*untold, *failed), passages)

    def close(self) -> None:
        """Closes library and vectors; the next search opens them again."""
        with self._opening:
            if self._index is not None:
                self._index.close()
            self._index = self._retriever = None
            self._library.close()

    def _fetched(self, ranking: Ranking) -> tuple[tuple[Paper, ...], tuple[Passage | None, ...]]:
        """The papers, and where the library holds full texts, the passage that was found beside each; None for its abstract."""
        papers = self._library.papers(ranking.ids)
        if not self._library.manifest.passages:
            return papers, ()
        rows = [hit.document.metadata.get("row") for hit in ranking.hits]
        return papers, tuple(self._library.passage(str(row)) if row else None for row in rows)

    def _bm25(self) -> BM25:
        return BM25(self._library.index, self._library.documents)

    def _opened(self) -> Retriever:
        """BM25 alone, or the hybrid where every paper has its vector; why not is a warning. Opened once, whoever comes first."""
        with self._opening:
            retriever = self._retriever
            if retriever is None:
                _ = self._library.table  # damage shows before anything is searched
                self._retriever = retriever = self._hybrid() or self._bm25()
            return retriever

    def _complete(self, place: VectorPlace) -> bool:
        """Whether every row of the library has its vector there."""
        note = VectorNote.read(place.folder)
        return note is not None and note.complete and note.fingerprint == self._library.manifest.fingerprint

    def _hybrid(self) -> Hybrid | None:
        """BM25 and vectors, or those of a copy where another process holds them."""
        library, embedder = self._library, self._embedder
        if embedder is None:
            return None
        place = VectorPlace(library.folder, embedder.documents_model, self._url or "")
        try:
            if not self._complete(place):
                self._untold = (_why_not(library, VectorNote.read(place.folder), place),)
                return None
            try:
                self._index = place.open()
            except VectorsInUse:
                self._index = place.copied()
                if not self._complete(place) or len(self._index) != library.info().rows:
                    self._index.close()
                    raise
        except FileNotFoundError:
            self._untold = (_why_not(library, None, place),)
            return None
        except EnvironmentFault as error:
            self._index = None
            self._untold = (f"library {library.name}: {error}; {WORDS_ALONE}",)
            return None
        dense = Dense(embedder, self._index, library.documents, f"dense:{place.slug}")
        return Hybrid((self._bm25(), dense))


def vector_count(library: Library, model: str, url: str | None = None) -> int:
    """How many papers and passages of the library, as it is now, have a vector by the model, on the server at `url` or here."""
    note = VectorNote.read(VectorPlace(library.folder, model, url or "").folder)
    return note.papers if note is not None and note.fingerprint == library.manifest.fingerprint else 0


async def fill_vectors(
    library: Library,
    embedder: NamedEmbedder,
    *,
    url: str | None = None,
    batch: int = 256,
    listen: Listener = silent,
) -> int:
    """Embeds the papers and passages that have no vector yet; returns how many. Every batch is on disk before the next begins, and every text
    is in the cache, so that a stop costs nothing. Raises ModelFault, EnvironmentFault."""
    place = VectorPlace(library.folder, embedder.documents_model, url or "")
    total = library.manifest.papers + library.manifest.passages
    index: VectorIndex | None = None
    keep: set[str] = set()
    filled = done = 0
    all_rows = library.table.rows()
    try:
        while rows := await asyncio.to_thread(lambda: list(islice(all_rows, batch))):
            points = [point_id(row) for row in rows]
            keep.update(points)
            if index is None:
                index = await asyncio.to_thread(_existing, place)
            absent = set(points if index is None else await asyncio.to_thread(index.missing, points))
            fresh = [row for point, row in zip(points, rows, strict=True) if point in absent]
            if fresh:
                vectors = await embedder.embed([row.text for row in fresh], kind="document")
                if index is None:
                    index = await asyncio.to_thread(place.open, int(vectors.shape[1]))
                _note(library, place, done)
                await asyncio.to_thread(index.upsert, fresh, vectors)
                filled += len(fresh)
            done += len(rows)
            listen(Event("vectors", done=done, total=total))
        if index is not None:
            await asyncio.to_thread(index.prune, keep)
            await asyncio.to_thread(index.optimise)
            _note(library, place, await asyncio.to_thread(len, index), complete=True)
    finally:
        if index is not None:
            index.close()
    return filled


def _existing(place: VectorPlace) -> VectorIndex | None:
    try:
        return place.open()
    except FileNotFoundError:
        return None


def _note(library: Library, place: VectorPlace, papers: int, *, complete: bool = False) -> None:
    """Says how far the vectors are. What is noted before a batch counts those before it, so it never says more than there is."""
    note = VectorNote(model=place.model, fingerprint=library.manifest.fingerprint, papers=papers, complete=complete)
    try:
        write_json(place.folder / "litrag.json", note)
    except OSError as error:
        raise cannot_write(library.folder, error) from error


def _why_not(library: Library, note: VectorNote | None, place: VectorPlace) -> str:
    if note is None:
        why = "no vectors yet"
    elif note.fingerprint != library.manifest.fingerprint:
        why = "its vectors are of an earlier state"
    else:
        rows, what = (
            len(library) + library.manifest.passages,
            "papers and passages" if library.manifest.passages else "papers",
        )
        why = f"{note.papers:,} of {rows:,} {what} have vectors"
    server = f" --qdrant-url {place.url}" if place.url else ""
    first = "" if library.manifest.added else "`litrag library add` it, then "
    return (
        f"library {library.name}: {why}, {WORDS_ALONE}; {first}`litrag library update {library.name} --vectors{server}`"
        " fills them in"
    )
