"""Tries again what was overloaded (429, 5xx, time-outs): exponential back-off with jitter by stamina, or what the server asked. Where nothing
answers at all, two more tries tell a dropped line from a server that is not there."""

from __future__ import annotations

from typing import Final

import stamina

from litrag.core.errors import ModelAway, ModelOverloaded
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Retrying"]

_AWAY: Final = 3  # attempts


class Retrying:
    """The only retries there are: those of LiteLLM, DSPy and LangGraph are off. `longest` caps one wait, in seconds."""

    def __init__(self, inner: Backend, *, attempts: int = 5, first_wait: float = 0.5, longest: float = 60.0) -> None:
        self._inner, self._attempts, self._first, self._longest = inner, attempts, first_wait, longest

    async def send(self, request: ModelRequest) -> ModelReply:
        """Sends up to `attempts` times; the last failure is raised."""
        away = 0

        def wish(error: Exception) -> bool | float:
            nonlocal away
            away += isinstance(error, ModelAway)
            if not isinstance(error, ModelOverloaded) or away >= _AWAY:
                return False
            return True if error.retry_after is None else min(error.retry_after, self._longest)

        async for attempt in stamina.retry_context(
            on=wish,
            attempts=self._attempts,
            timeout=None,
            wait_initial=self._first,
            wait_max=self._longest,
            wait_jitter=self._first,
        ):
            with attempt:
                return await self._inner.send(request)
        raise AssertionError("stamina leaves its loop by return or by raise")
