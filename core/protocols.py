"""What the parts of litrag ask of each other. Every protocol has one verb; its docstring states the invariant that one
contract test holds for all implementations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from litrag.core.types import Document, Message, Paper, Passage, Query, Ranking, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

__all__ = [
    "CitationGraph",
    "Completion",
    "Embedder",
    "ForcedScoring",
    "Generates",
    "JsonSchema",
    "LateInteraction",
    "NextTokenLogprobs",
    "PairScoring",
    "Reranker",
    "Retriever",
    "Rewriter",
    "Source",
    "SourceResult",
    "TokenEmbedder",
    "TokenScores",
    "Usage",
]

JsonSchema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call took: tokens in and out (as the provider counts them), US dollars, seconds on the wall."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """`n` replies to one request. `finish` says per reply why it ended: "stop" or "length"."""

    texts: tuple[str, ...]
    model: str
    usage: Usage = Usage()
    finish: tuple[str, ...] = ()
    cached: bool = False

    @property
    def text(self) -> str:
        """The first reply."""
        return self.texts[0]


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Natural-log probability of each token of one forced continuation, in order."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]

    @property
    def total(self) -> float:
        """log P(continuation | messages)."""
        return sum(self.logprobs)

    @property
    def mean(self) -> float:
        """Per-token mean of the log-probabilities; 0 for an empty continuation."""
        return self.total / len(self.logprobs) if self.logprobs else 0.0


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What one source found for one query: papers best first, beside each its scores and, where the source holds full texts, the
    passage that was found (`passages` is empty or parallel to `papers`); and soft failures."""

    source: str
    query: Query
    papers: tuple[Paper, ...] = ()
    scores: tuple[tuple[Score, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    passages: tuple[Passage | None, ...] = ()


class Retriever(Protocol):
    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking of at most `k` hits a query, in the order of the queries; `before` and `exclude` are obeyed."""


class Source(Protocol):
    @property
    def name(self) -> str:
        """The id under which warnings and evidence name the source."""

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` papers, best first. A failing source answers with a warning, it does not raise."""


class CitationGraph(Protocol):
    async def references(self, ids: Sequence[str]) -> Mapping[str, tuple[Paper, ...]]:
        """The papers that each id cites."""

    async def citations(self, ids: Sequence[str]) -> Mapping[str, tuple[Paper, ...]]:
        """The papers that cite each id."""


class Reranker(Protocol):
    async def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """A permutation of its input, always. Below `depth` the order is kept; None means the whole ranking."""


class Rewriter(Protocol):
    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Queries to search with, most faithful first; each names `query.text` as its parent."""


class Generates(Protocol):
    async def generate(
        self,
        messages: Sequence[Message],
        *,
        schema: JsonSchema | None = None,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int,
        stop: Sequence[str] = (),
    ) -> Completion:
        """`n` replies of at most `max_tokens` tokens each. Raises ModelFault, BudgetSpent."""


class NextTokenLogprobs(Protocol):
    async def next_token_logprobs(self, messages: Sequence[Message], tokens: Sequence[str]) -> Mapping[str, float]:
        """Natural log of P(token | messages) of each asked token, which must be one token of the model."""


class ForcedScoring(Protocol):
    async def score(self, messages: Sequence[Message], continuations: Sequence[str]) -> tuple[TokenScores, ...]:
        """log P(continuation | messages) per token, in the order of the continuations."""


class PairScoring(Protocol):
    async def relevance(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """How relevant each text is to the query, greater is more, in the order of the texts. The scale is the model's own: values of
        different models cannot be compared. Raises ModelFault, BudgetSpent."""


class Embedder(Protocol):
    async def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Vectors:
        """(n, d) float32, rows of unit L2 norm, in the order of the texts."""


class TokenEmbedder(Protocol):
    async def embed_tokens(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> tuple[Vectors, ...]:
        """For each text (tokens, d) float32, rows of unit L2 norm, in the order of the words; d is the same for all. Marks that a
        tokenizer puts around a text are no tokens, so a text without a word has none."""


class LateInteraction(Protocol):
    async def scores(self, query: Vectors, documents: Sequence[Document]) -> tuple[float, ...]:
        """MaxSim of a query's (m, d) token vectors with each document: the sum over query tokens of the greatest dot product with one
        of the document's tokens, in [-m, m]; 0 for a document without tokens."""
