"""What one piece of work asks of its models: calls and tokens, as if nothing had been cached."""

from __future__ import annotations

from dataclasses import dataclass

from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts the requests of the models that it is put around. A cached reply counts like the call that it saves, so that an eval's
    counts are the same in its second run."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def around(self, inner: Backend) -> Backend:
        """The backend, counted."""
        return _Counted(inner, self)


@dataclass(frozen=True, slots=True)
class _Counted:
    inner: Backend
    tally: Tally

    async def send(self, request: ModelRequest) -> ModelReply:
        reply = await self.inner.send(request)
        self.tally.calls += 1
        self.tally.prompt_tokens += reply.usage.prompt_tokens
        self.tally.completion_tokens += reply.usage.completion_tokens
        return reply
