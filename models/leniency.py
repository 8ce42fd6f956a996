"""What becomes of a prompt that a model's context cannot hold, where a run is to go on without that reply."""

from __future__ import annotations

from litrag.core.errors import PromptTooLong
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Lenient"]


class Lenient:
    """Answers such a prompt by nothing, which every component reads as a reply without an answer; `noted` keeps what to tell the user, the first of each role.
    What is no text (a score, an embedding) has no such answer and fails as it would."""

    def __init__(self, inner: Backend, noted: dict[str, str]) -> None:
        self._inner, self._noted = inner, noted

    async def send(self, request: ModelRequest) -> ModelReply:
        """The inner reply, or empty texts."""
        try:
            return await self._inner.send(request)
        except PromptTooLong as error:
            if request.operation != "generate":
                raise
            self._noted.setdefault(request.role, f"{request.role}: {error}")
            return ModelReply(texts=("",) * request.n, finish=("length",) * request.n)
