"""At most so many requests in flight."""

from __future__ import annotations

import asyncio

from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Limited"]


class Limited:
    """Requests beyond `concurrency` wait their turn, first come first served."""

    def __init__(self, inner: Backend, concurrency: int) -> None:
        self._inner, self._slots = inner, asyncio.Semaphore(concurrency)

    async def send(self, request: ModelRequest) -> ModelReply:
        """Sends when a slot is free."""
        async with self._slots:
            return await self._inner.send(request)
