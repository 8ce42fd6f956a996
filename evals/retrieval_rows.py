"""The rows of `litrag eval retrieval`: each a function from the bench to a `System`, registered in evals.retrieval.METHODS."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from litrag.core.fusion import NormalisedScoreFusion
from litrag.core.protocols import Embedder, Retriever
from litrag.core.sentences import sentences
from litrag.core.types import Query, Ranking
from litrag.evals.retrieval_bench import K1, B, Bench, Counted
from litrag.evals.runner import System
from litrag.evals.trainings import shown
from litrag.retrievers.dense import Dense
from litrag.retrievers.exact import ExactIndex
from litrag.retrievers.fusion import Hybrid, MultiQuery, MultiQueryFusion
from litrag.rewriters.statistical import StatisticalKeywords

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = [
    "DEPTH",
    "bm25",
    "by_fields",
    "dense",
    "fields",
    "hybrid",
    "hybrid_of",
    "maxsim",
    "multi_query",
    "parts_of",
    "random_projection",
    "sentence_queries",
    "svd",
    "titles_of",
]

FIELD_WEIGHTS: Final = (0.3, 0.1, 1.0)  # BM25, BM25 of titles, dense: tuned on acl:train
_DIMENSIONS: Final = 384
DEPTH: Final = 1000


def bm25(bench: Bench) -> System:
    """BM25 (Lucene's variant) over title and text, stemmed, with English stop words left out."""
    return bench.system("bm25", lambda: bench.bm25, k1=K1, b=B, stemmer="english")


def dense(bench: Bench) -> System:
    """Cosine of the embedder in force. MiniLM was trained on S2ORC's title and citation pairs and on MS MARCO, among others."""
    return bench.system("dense", lambda: _dense(bench, bench.embedder()), model=_name(bench))


def random_projection(bench: Bench) -> System:
    """A control: TF-IDF projected to as many dimensions as the embedder's by a random matrix."""

    def build() -> Retriever:
        from sklearn.random_projection import GaussianRandomProjection

        embedder = _Projected(bench, lambda n: GaussianRandomProjection(n, random_state=0))
        return _dense(bench, embedder, bench.embedded(embedder))

    return bench.system("random-projection", build, dimensions=_DIMENSIONS)


def svd(bench: Bench) -> System:
    """A control: TF-IDF reduced to as many dimensions as the embedder's by SVD (latent semantic analysis), fitted on the corpus."""

    def build() -> Retriever:
        from sklearn.decomposition import TruncatedSVD

        embedder = _Projected(bench, lambda n: TruncatedSVD(n, random_state=0))
        return _dense(bench, embedder, bench.embedded(embedder))

    return bench.system("svd", build, dimensions=_DIMENSIONS)


def hybrid(bench: Bench) -> System:
    """BM25 and dense fused by RRF, weights 1:2: what a library with vectors does."""
    return bench.system(
        "hybrid",
        lambda: hybrid_of(bench),
        fusion="rrf",
        weights=[1, 2],
        model=_name(bench),
    )


def fields(bench: Bench) -> System:
    """BM25, BM25 of the title in titles, and dense, fused by z-scores."""
    return bench.system(
        "fields", lambda: by_fields(bench), fusion="z-score", weights=list(FIELD_WEIGHTS), model=_name(bench)
    )


def multi_query(bench: Bench) -> System:
    """The hybrid, asked with the text and its three keyphrases (YAKE), as a review asks."""
    return _several(bench, "multi-query", StatisticalKeywords().rewrite, rewriter="statistical")


def sentence_queries(bench: Bench) -> System:
    """The hybrid, asked with the text, its title and each of its sentences."""
    return _several(bench, "multi-query-sentences", parts_of, rewriter="title and sentences")


def maxsim(bench: Bench) -> System:
    """The hybrid's first 50 reranked by MaxSim over token vectors, the first stage mixed in by halves."""

    def build() -> _Reranked:
        return _Reranked(bench, hybrid_of(bench))

    return bench.ranking("maxsim", build, depth=_Reranked.depth, first_stage_weight=0.5, model=_name(bench))


def by_fields(bench: Bench, embedder: Embedder | None = None) -> Hybrid:
    """The retriever of `fields`, with another embedder of queries where one is given."""
    parts = (bench.bm25, titles_of(bench), _dense(bench, embedder or bench.embedder()))
    return Hybrid(parts, fusion=NormalisedScoreFusion(normalisation="z-score", weights=FIELD_WEIGHTS), depth=DEPTH)


def titles_of(bench: Bench) -> Retriever:
    """BM25 of the query's first line in titles."""
    return _FirstLine(bench.titles)


def _name(bench: Bench) -> str:
    return shown(bench.settings.role_model("embed"))


def _dense(bench: Bench, embedder: Embedder, index: ExactIndex | None = None) -> Dense:
    return Dense(embedder, index or bench.index, bench.fetch, "dense")


def _several(bench: Bench, name: str, derive: Any, **settings: Any) -> System:
    def build() -> Retriever:
        return MultiQuery(hybrid_of(bench), derive, MultiQueryFusion(original=4.0), depth=DEPTH)

    return bench.system(name, build, original=4.0, model=_name(bench), **settings)


def hybrid_of(bench: Bench) -> Retriever:
    """The retriever of `hybrid`."""
    return Hybrid((bench.bm25, _dense(bench, bench.embedder())), depth=DEPTH)


def parts_of(query: Query) -> tuple[Query, ...]:
    """The title and each sentence of a query as queries of their own."""
    title, _, body = query.text.partition("\n")
    parts = [title, *(span.text for span in sentences(body))]
    return tuple(replace(query, text=part, kind="part", parent=query.text) for part in parts if re.search(r"\w", part))


@dataclass(frozen=True, slots=True)
class _FirstLine:
    """A retriever that reads the first line of a query, its title; rankings are of the whole query."""

    inner: Retriever

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        short = [replace(query, text=query.text.partition("\n")[0]) for query in queries]
        found = await self.inner.retrieve(short, k)
        return tuple(replace(ranking, query=query) for ranking, query in zip(found, queries, strict=True))


class _Projected:
    """`Embedder` by TF-IDF and a projection to as many dimensions as MiniLM has, or as there are words; both are fitted on what the
    topics may reach."""

    def __init__(self, bench: Bench, projection: Callable[[int], Any]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
        rows = self._words.fit_transform([document.text for document in bench.reachable])
        self._projection = projection(min(_DIMENSIONS, rows.shape[1] - 1)).fit(rows)

    async def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Vectors:
        import numpy as np

        rows = np.asarray(self._projection.transform(self._words.transform(texts)), dtype=np.float32)
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit


class _Reranked:
    """MaxSim upon a first stage."""

    depth: Final = 50

    def __init__(self, bench: Bench, first: Retriever) -> None:
        from litrag.pipelines.methods import token_store
        from litrag.rerankers.maxsim import MaxSim

        embedder = bench.embedder()
        store = token_store(embedder)
        self._first, self._reranker = first, MaxSim(embedder=embedder, documents=store, first_stage_weight=0.5)

    async def rank(self, query: Query, k: int) -> Counted:
        (ranking,) = await self._first.retrieve([query], k)
        return Counted(await self._reranker.rerank(ranking, depth=self.depth))
