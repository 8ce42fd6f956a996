"""Answers from the request cache; the same request asked twice at once is sent once."""

from __future__ import annotations

import asyncio

from litrag.core.ledger import Ledger
from litrag.core.store import RequestCache
from litrag.models.request import Backend, ModelReply, ModelRequest
from litrag.models.tracing import model_call

__all__ = ["Cached"]


class Cached:
    """Outermost wrapper: a hit costs no budget and is one ledger row marked as cached. Embeddings are cached text by text
    in `models.embedding` and pass through; token vectors, which are hundreds a text, are kept by who needs them again."""

    def __init__(self, inner: Backend, cache: RequestCache, ledger: Ledger) -> None:
        self._inner, self._cache, self._ledger = inner, cache, ledger
        self._waiting: dict[str, asyncio.Future[ModelReply]] = {}

    async def send(self, request: ModelRequest) -> ModelReply:
        """Answers from the cache, from a twin in flight, or from the inner backend."""
        if request.operation in ("embed", "embed_tokens"):
            return await self._inner.send(request)
        key = request.key
        if (stored := self._cache.reply(key)) is not None:
            self._book(request, key)
            return ModelReply.from_json(stored)
        if (twin := self._waiting.get(key)) is not None:
            reply = await asyncio.shield(twin)
            self._book(request, key)
            return reply
        return await self._fetch(request, key)

    def _book(self, request: ModelRequest, key: str) -> None:
        with model_call(request, cached=True):
            self._ledger.cached(request.role, request.model, request.operation, key)

    async def _fetch(self, request: ModelRequest, key: str) -> ModelReply:
        twin = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._inner.send(request)
            self._cache.keep_reply(key, reply.to_json())
            twin.set_result(reply)
        except BaseException as error:
            twin.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            twin.exception()  # a twin that nobody waits for is no unhandled error
            raise
        finally:
            del self._waiting[key]
        return reply
