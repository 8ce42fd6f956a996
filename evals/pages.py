"""Questions over a library in the place of a data set's own paragraphs: all of Wikipedia, say, indexed once (`litrag library add`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from litrag.core.errors import BadInput
from litrag.core.paths import cache_file
from litrag.core.protocols import Retriever
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking
from litrag.corpora.wiki import wiki_id
from litrag.models.gateway import Gateway
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.library import Library, open_library
from litrag.retrievers.sources.library_search import LibrarySource

__all__ = ["Pages"]


@dataclass(frozen=True)
class Pages:
    """A library whose papers are pages of an encyclopedia, known by their titles."""

    library: Library
    settings: Settings

    @classmethod
    def of(cls, name_or_path: str, settings: Settings) -> Self:
        """Raises UnknownName, BadInput."""
        return cls(open_library(name_or_path), settings)

    @property
    def name(self) -> str:
        """What the library is called."""
        return self.library.name

    @property
    def counts(self) -> BM25Index:
        """In how many pages a word stands."""
        return self.library.index

    def __len__(self) -> int:
        return len(self.library)

    def retriever(self, name: str) -> Retriever:
        """bm25, or hybrid with the vectors that the library has by the embedder in force, here or on a Qdrant server; one for all who ask. Raises
        BadInput for another."""
        if name == "bm25":
            return self.words
        if name != "hybrid":
            raise BadInput(f"a library is searched by bm25 or hybrid, not by {name} alone; leave that method out")
        return self.both

    @cached_property
    def words(self) -> Retriever:
        """Its BM25."""
        return _Titled(LibrarySource(self.library))

    @cached_property
    def both(self) -> Retriever:
        """BM25 and vectors."""
        embedder = Gateway(self.settings, cache=RequestCache(cache_file())).embedder()
        return _Titled(LibrarySource(self.library, embedder, url=self.settings.qdrant_url))


@dataclass(frozen=True, slots=True)
class _Titled:
    """Pages by the ids that the questions know them by; the first of those of one title."""

    source: LibrarySource

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking a query. Raises BadInput where vectors are missing: BM25 alone would stand for both."""
        return tuple([await self._one(query, k) for query in queries])

    async def _one(self, query: Query, k: int) -> Ranking:
        found = await self.source.search(query, k)
        if found.warnings:
            raise BadInput(found.warnings[0])
        hits: dict[str, Hit] = {}
        for paper, scores in zip(found.papers, found.scores, strict=True):
            name = wiki_id(paper.title)
            hits.setdefault(name, Hit(Document(name, paper.title, paper.text), scores))
        return Ranking(query, tuple(hits.values()))
