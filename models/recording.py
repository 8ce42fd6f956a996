"""Books every request in the ledger before it is sent and again when it is answered, with a span around it; puts price and latency on the reply."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from litrag.core.ledger import Ledger
from litrag.core.protocols import Usage
from litrag.models.budgeting import estimate
from litrag.models.prices import Prices
from litrag.models.request import Backend, ModelReply, ModelRequest
from litrag.models.tracing import model_call, tell_usage

__all__ = ["Recorded"]


class Recorded:
    """One row a request, whatever the number of attempts it takes."""

    def __init__(self, inner: Backend, ledger: Ledger, prices: Prices) -> None:
        self._inner, self._ledger, self._prices = inner, ledger, prices

    async def send(self, request: ModelRequest) -> ModelReply:
        """Sends and books."""
        bound = estimate(request, self._prices)
        row = self._ledger.sent(request.role, request.model, request.operation, request.key, bound)
        start = time.perf_counter()
        with model_call(request) as span:
            try:
                reply = await self._inner.send(request)
            except asyncio.CancelledError:
                raise  # on its way, and perhaps paid for: the row stays at its upper bound, as after a kill
            except BaseException:
                self._ledger.failed(row, Usage(seconds=time.perf_counter() - start))
                raise
            usage = reply.usage
            priced = replace(
                usage,
                usd=usage.usd or self._prices.usd(request.model, usage.prompt_tokens, usage.completion_tokens),
                seconds=time.perf_counter() - start,
            )
            tell_usage(span, priced)
            span.add_text(reply="\n\n".join(reply.texts))
        self._ledger.done(row, priced)
        return replace(reply, usage=priced)
