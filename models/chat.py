"""A model in a role: `generate`, `next_token_logprobs`, `score` and `relevance` over the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from litrag.core.errors import ModelUnavailable
from litrag.core.lengths import TextMeasure
from litrag.core.protocols import Completion, JsonSchema, TokenScores
from litrag.core.types import Message
from litrag.models.measuring import measure_for
from litrag.models.request import Backend, ModelRequest

__all__ = ["ChatModel"]


class ChatModel:
    """Implements Generates, NextTokenLogprobs, ForcedScoring and PairScoring; whether the model behind can, its backend says when asked,
    and `Gateway.resolve` before."""

    def __init__(self, blank: Callable[[], ModelRequest], backend: Backend) -> None:
        self._blank, self._backend = blank, backend

    @property
    def model(self) -> str:
        """The model string."""
        return self._blank().model

    @cached_property
    def measure(self) -> TextMeasure:
        """How long texts are for it. Raises ModelUnavailable, MissingExtra."""
        return measure_for(self.model)

    def through(self, wrap: Callable[[Backend], Backend]) -> ChatModel:
        """The same model with something between it and its backend."""
        return ChatModel(self._blank, wrap(self._backend))

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
        request = replace(
            self._blank(),
            operation="generate",
            messages=tuple(messages),
            schema=schema,
            n=n,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=tuple(stop),
        )
        reply = await self._backend.send(request)
        return Completion(reply.texts, request.model, reply.usage, reply.finish, reply.cached)

    async def next_token_logprobs(self, messages: Sequence[Message], tokens: Sequence[str]) -> Mapping[str, float]:
        """Natural log of P(token | messages) of each asked token; -inf where an API did not list it."""
        request = replace(
            self._blank(), operation="next_token_logprobs", messages=tuple(messages), tokens=tuple(tokens)
        )
        return (await self._backend.send(request)).logprobs

    async def score(self, messages: Sequence[Message], continuations: Sequence[str]) -> tuple[TokenScores, ...]:
        """log P(continuation | messages) per token, in the order of the continuations."""
        request = replace(
            self._blank(), operation="score", messages=tuple(messages), continuations=tuple(continuations)
        )
        return (await self._backend.send(request)).scores

    async def relevance(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """How relevant each text is to the query, greater is more, in the order of the texts; without texts nothing is asked. Raises
        ModelFault, BudgetSpent."""
        if not texts:
            return ()
        asked = (Message("user", query),)
        request = replace(self._blank(), operation="relevance", messages=asked, texts=tuple(texts))
        found = (await self._backend.send(request)).relevance
        if len(found) != len(texts):
            raise ModelUnavailable(
                f"{request.model} gave {len(found)} scores for {len(texts)} texts; is it a cross-encoder or a rerank model?"
            )
        return found
