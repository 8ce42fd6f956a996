"""A model that replies from a script: for tests, replays and benchmarks. A public part of litrag."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from litrag.core.errors import ScriptExhausted
from litrag.core.protocols import TokenScores, Usage
from litrag.models.request import ModelReply, ModelRequest

__all__ = ["ScriptedBackend"]


class ScriptedBackend:
    """Replies in order from a sequence, or from a function of the request. Raises ScriptExhausted when asked for more.

    `latency` is slept before each reply (seconds). `requests` keeps what was asked. A reply of type Exception is raised;
    a mapping answers next_token_logprobs; a sequence of floats answers score, one token a continuation, and relevance, a value a text."""

    def __init__(
        self,
        *replies: str | Exception | dict[str, float] | Sequence[float],
        answer: Callable[[ModelRequest], str | dict[str, float] | Sequence[float]] | None = None,
        latency: float = 0.0,
    ) -> None:
        self._replies = list(replies)
        self._answer = answer
        self._latency = latency
        self.requests: list[ModelRequest] = []

    async def send(self, request: ModelRequest) -> ModelReply:
        """The next reply of the script."""
        self.requests.append(request)
        if self._latency:
            await asyncio.sleep(self._latency)
        reply = self._next(request)
        usage = Usage(prompt_tokens=sum(len(m.content.split()) for m in request.messages))
        if isinstance(reply, str):
            usage = Usage(usage.prompt_tokens, len(reply.split()) * request.n)
            return ModelReply(usage, texts=(reply,) * request.n, finish=("stop",) * request.n)
        if isinstance(reply, dict):
            return ModelReply(usage, logprobs=reply)
        if request.operation == "relevance":
            return ModelReply(usage, relevance=tuple(reply))
        scores = (TokenScores((text,), (value,)) for text, value in zip(request.continuations, reply, strict=True))
        return ModelReply(usage, scores=tuple(scores))

    def _next(self, request: ModelRequest) -> str | dict[str, float] | Sequence[float]:
        if self._answer is not None:
            return self._answer(request)
        if not self._replies:
            raise ScriptExhausted(
                f"the script holds {len(self.requests) - 1} replies, one more was asked: {request.messages[-1:]}"
            )
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply
