"""What the doors to the gateway that others call through (LiteLLM's `local/...` provider, DSPy) share."""

from __future__ import annotations

import asyncio
import atexit
import functools
import threading
from typing import Protocol

from litrag.core.settings import Settings
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["SendsRequests", "blank_request", "send_blocking"]


class SendsRequests(Protocol):
    """The part of `Gateway` that a door needs."""

    @property
    def settings(self) -> Settings:
        """The run's settings."""

    async def send(self, request: ModelRequest) -> ModelReply:
        """One request through all wrappers."""


def blank_request(gateway: SendsRequests, model: str, role: str, api_base: str | None = None) -> ModelRequest:
    """A generate request as the gateway itself would make it, so that one question has one cache row whatever its
    door."""
    fingerprint = ""
    if model.startswith("local/"):
        from litrag.models.weights import resolve_local

        fingerprint = resolve_local(model).fingerprint
    settings = gateway.settings
    return ModelRequest(
        operation="generate",
        model=model,
        role=role,
        seed=settings.seed,
        api_base=api_base,
        fingerprint=fingerprint,
        timeout=settings.timeout,
    )


def send_blocking(gateway: Backend, request: ModelRequest) -> ModelReply:
    """Sends from a thread that cannot await, for callers whose interface is synchronous (any number of threads at
    once).

    A gateway belongs to one event loop, so all of them share one, on a thread of its own; `core.sync.run` would open
    one a call."""
    waiting = asyncio.run_coroutine_threadsafe(gateway.send(request), _loop())
    try:
        return waiting.result()
    except BaseException:
        waiting.cancel()
        raise


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="litrag-doors", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(1.0)
        loop.close()

    atexit.register(end)
    return loop
