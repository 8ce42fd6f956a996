"""What a run may spend on models: everything but embeddings on this machine, which count for its time alone."""

from __future__ import annotations

import pytest

from litrag.core.budget import Budget, Limits
from litrag.core.errors import BudgetSpent
from litrag.core.types import Message
from litrag.models.budgeting import Budgeted
from litrag.models.prices import Prices
from litrag.models.request import ModelReply, ModelRequest


class Counting:
    """A backend that counts what reaches it."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, request: ModelRequest) -> ModelReply:
        self.sent += 1
        return ModelReply()


EMBED = ModelRequest("embed", "local/all-MiniLM-L6-v2", "embed", texts=("a forest " * 400,))


async def test_embeddings_on_this_machine_use_up_no_calls_and_no_tokens() -> None:
    budget, backend = Budget(Limits(calls=1, tokens=500)), Counting()
    models = Budgeted(backend, budget, Prices())
    for _ in range(5):
        await models.send(EMBED)
    await models.send(ModelRequest("generate", "local/m", "write", (Message("user", "Which trees?"),), max_tokens=8))
    assert backend.sent == 6
    with pytest.raises(BudgetSpent, match="calls"):
        await models.send(ModelRequest("generate", "local/m", "write", (Message("user", "Why?"),), max_tokens=8))
    assert backend.sent == 6


@pytest.mark.parametrize(
    ("request_", "limits", "what"),
    [
        (ModelRequest("embed", "openai/e", "embed", texts=("oak",)), Limits(calls=0), "calls"),
        (ModelRequest("score", "local/m", "verify", continuations=("oak",)), Limits(calls=0), "calls"),
        (EMBED, Limits(seconds=0.0), "seconds"),
    ],
)
async def test_others_are_bounded_and_so_is_time(request_: ModelRequest, limits: Limits, what: str) -> None:
    backend = Counting()
    with pytest.raises(BudgetSpent, match=what):
        await Budgeted(backend, Budget(limits), Prices()).send(request_)
    assert backend.sent == 0
