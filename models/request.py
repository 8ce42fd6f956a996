"""What goes to a backend and what comes back: one request type for all operations, so that every wrapper is one method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from litrag.core.protocols import JsonSchema, TokenScores, Usage
from litrag.core.store import digest
from litrag.core.types import Message

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["Backend", "ModelReply", "ModelRequest", "Operation"]

Operation: TypeAlias = Literal["generate", "next_token_logprobs", "score", "relevance", "embed", "embed_tokens"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. `role` says who asks and is no part of the key; `fingerprint` tells apart weights under one name.

    `tokens` belong to next_token_logprobs, `continuations` to score, `texts` to relevance, whose query is the one message; `texts` and
    `kind` to embed and embed_tokens."""

    operation: Operation
    model: str
    role: str
    messages: tuple[Message, ...] = ()
    schema: JsonSchema | None = None
    n: int = 1
    temperature: float = 0.0
    max_tokens: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 0
    tokens: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    kind: Literal["query", "document"] = "document"
    api_base: str | None = None
    fingerprint: str = ""
    timeout: float | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """SHA-256 of everything that can change the reply."""
        return digest(
            {
                "operation": self.operation,
                "model": self.model,
                "fingerprint": self.fingerprint,
                "api_base": self.api_base,
                "messages": [[m.role, m.content] for m in self.messages],
                "schema": self.schema,
                "sampling": [self.n, self.temperature, self.max_tokens, list(self.stop), self.seed],
                "tokens": self.tokens,
                "continuations": self.continuations,
                "texts": self.texts,
                "kind": self.kind,
            }
        )


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One reply: `texts` and `finish` of generate, `logprobs` of next_token_logprobs, `scores` of score, `relevance` of relevance (a value a
    text), `vectors` of embed (a row a text), `token_vectors` of embed_tokens (an array a text)."""

    usage: Usage = field(default_factory=Usage)
    texts: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    logprobs: Mapping[str, float] = field(default_factory=dict)
    scores: tuple[TokenScores, ...] = ()
    relevance: tuple[float, ...] = ()
    vectors: Vectors | None = None
    token_vectors: tuple[Vectors, ...] = ()
    cached: bool = False

    def to_json(self) -> dict[str, Any]:
        """The reply as JSON; vectors are cached apart and never stand in it."""
        return {
            "usage": [self.usage.prompt_tokens, self.usage.completion_tokens, self.usage.usd, self.usage.seconds],
            "texts": list(self.texts),
            "finish": list(self.finish),
            "logprobs": dict(self.logprobs),
            "scores": [[list(s.tokens), list(s.logprobs)] for s in self.scores],
            "relevance": list(self.relevance),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelReply:
        """The inverse of `to_json`, marked as cached."""
        return cls(
            usage=Usage(*data["usage"]),
            texts=tuple(data["texts"]),
            finish=tuple(data["finish"]),
            logprobs=data["logprobs"],
            scores=tuple(TokenScores(tuple(tokens), tuple(values)) for tokens, values in data["scores"]),
            relevance=tuple(data.get("relevance", ())),
            cached=True,
        )


class Backend(Protocol):
    """Where requests go. Wrappers for cache, budget, ledger, concurrency and retries are backends around a backend."""

    async def send(self, request: ModelRequest) -> ModelReply:
        """Answers one request. Raises ModelOverloaded where another try may help, ModelFault where not."""
