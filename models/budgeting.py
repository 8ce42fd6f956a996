"""Reserves an upper bound before a request leaves and settles what it took."""

from __future__ import annotations

from litrag.core.budget import Budget, Spend, asks_nobody
from litrag.core.protocols import Usage
from litrag.models.prices import Prices
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Budgeted", "estimate"]

_SEARCH, _PIECE = 100, 500  # rerank APIs that charge by search: so many documents, of so many tokens with the query


def estimate(request: ModelRequest, prices: Prices) -> Usage:
    """An upper bound of what a request takes: half a token a byte of the prompt (English prose has a quarter), and every
    reply at its full length. For relevance the query counts once a text."""
    prompt = sum(len(m.content.encode()) // 2 + 8 for m in request.messages)
    texts = [len(text.encode()) // 2 + 2 for text in (*request.continuations, *request.texts)]
    searches = 0
    if request.operation == "relevance":
        searches = -(-sum(-(-(prompt + text) // _PIECE) for text in texts) // _SEARCH)
        prompt *= len(texts)
    prompt += sum(texts)
    if request.operation == "score":
        prompt *= max(1, len(request.continuations))
    completion = request.n * request.max_tokens if request.operation == "generate" else 0
    return Usage(prompt, completion, prices.usd(request.model, prompt, completion, searches=searches))


class Budgeted:
    """Raises BudgetSpent instead of sending a request that would pass the budget. What asks nobody counts for its time alone."""

    def __init__(self, inner: Backend, budget: Budget, prices: Prices) -> None:
        self._inner, self._budget, self._prices = inner, budget, prices

    async def send(self, request: ModelRequest) -> ModelReply:
        """Sends within the budget. A call that failed is settled as one call and no tokens."""
        if asks_nobody(request.operation, request.model):
            self._budget.reserve(Spend()).settle(Spend())
            return await self._inner.send(request)
        bound = estimate(request, self._prices)
        reservation = self._budget.reserve(
            Spend(calls=1, tokens=bound.prompt_tokens + bound.completion_tokens, cost=bound.usd)
        )
        spent = Spend(calls=1)
        try:
            reply = await self._inner.send(request)
            usage = reply.usage
            spent = Spend(calls=1, tokens=usage.prompt_tokens + usage.completion_tokens, cost=usage.usd)
        finally:
            reservation.settle(spent)
        return reply
