"""One path for a model call: what every wrapper promises, on a scripted backend."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from litrag.core.budget import Budget, Limits
from litrag.core.errors import (
    BadInput,
    BudgetSpent,
    CapabilityMissing,
    ModelAway,
    ModelOverloaded,
    ModelUnavailable,
    ScriptExhausted,
)
from litrag.core.ledger import Ledger
from litrag.core.protocols import ForcedScoring, Generates, Usage
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.chat import ChatModel
from litrag.models.gateway import Gateway
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.scripted import ScriptedBackend

ASK = [Message("user", "hello")]


def gateway(
    backend: object, *, limits: Limits | None = None, cache: RequestCache | None = None, **settings: object
) -> Gateway:
    values = Settings(model="scripted/m", **settings)  # type: ignore[arg-type]
    return Gateway(values, cache=cache or RequestCache(":memory:"), budget=Budget(limits), backend=backend)  # type: ignore[arg-type]


async def test_the_second_same_call_is_answered_from_the_cache() -> None:
    backend = ScriptedBackend("hi")
    gate = gateway(backend)
    first = await gate.model("write").generate(ASK, max_tokens=5)
    second = await gate.model("write").generate(ASK, max_tokens=5)
    assert (first.text, first.cached, second.text, second.cached) == ("hi", False, "hi", True)
    assert len(backend.requests) == gate.cache.counts()["replies"] == gate.ledger.totals().calls == 1
    assert gate.ledger.totals().cached == 1
    assert gate.budget.spent.calls == 1


async def test_the_same_call_twice_at_once_is_sent_once() -> None:
    backend = ScriptedBackend("hi", latency=0.01)
    model = gateway(backend).model("write")
    replies = await asyncio.gather(*(model.generate(ASK, max_tokens=5) for _ in range(4)))
    assert {reply.text for reply in replies} == {"hi"}
    assert len(backend.requests) == 1


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"max_tokens": 6}, {"n": 2}, {"stop": ("x",)}, {"schema": {"type": "object"}}]
)
async def test_whatever_changes_the_reply_is_another_request(change: dict[str, object]) -> None:
    backend = ScriptedBackend("a", "b")
    model = gateway(backend).model("write")
    await model.generate(ASK, max_tokens=5)
    await model.generate(ASK, **{"max_tokens": 5, **change})  # type: ignore[arg-type]
    assert len(backend.requests) == 2


async def test_a_call_past_the_budget_is_not_sent() -> None:
    backend = ScriptedBackend("a", "b")
    gate = gateway(backend, limits=Limits(calls=1))
    await gate.model("write").generate(ASK, max_tokens=5)
    with pytest.raises(BudgetSpent, match="calls"):
        await gate.model("write").generate([Message("user", "other")], max_tokens=5)
    assert len(backend.requests) == 1
    assert len(gate.ledger.rows()) == 1


async def test_concurrent_calls_do_not_pass_the_budget_of_tokens() -> None:
    backend = ScriptedBackend(answer=lambda r: "word " * 10, latency=0.005)
    gate = gateway(backend, limits=Limits(tokens=100))
    calls = [gate.model("write").generate([Message("user", f"{i}")], max_tokens=20) for i in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert 0 < sum(isinstance(r, BudgetSpent) for r in results) < 10
    assert gate.budget.spent.tokens <= 100


async def test_an_overloaded_provider_is_tried_again_after_the_time_it_asks_for() -> None:
    backend = ScriptedBackend(ModelOverloaded("429", retry_after=0.05), ModelOverloaded("503", retry_after=0.0), "late")
    gate = gateway(backend)
    loop = asyncio.get_running_loop()
    start = loop.time()
    reply = await gate.model("write").generate(ASK, max_tokens=5)
    assert reply.text == "late"
    assert loop.time() - start >= 0.05
    assert gate.ledger.totals().calls == 1, "all attempts of one request are one row"


async def test_what_cannot_be_mended_is_not_tried_again() -> None:
    backend = ScriptedBackend(ModelUnavailable("no such model"), "never")
    gate = gateway(backend)
    with pytest.raises(ModelUnavailable):
        await gate.model("write").generate(ASK, max_tokens=5)
    assert [row.status for row in gate.ledger.rows()] == ["failed"]
    assert len(backend.requests) == 1


async def test_attempts_end() -> None:
    backend = ScriptedBackend(*[ModelOverloaded("429", retry_after=0.0)] * 3)
    with pytest.raises(ModelOverloaded):
        await gateway(backend, retries=3).model("write").generate(ASK, max_tokens=5)
    assert len(backend.requests) == 3


async def test_what_is_away_is_tried_three_times() -> None:
    """A dropped line comes back in a moment; a server that was not started does not come at all."""
    backend = ScriptedBackend(*[ModelAway("nothing answers there")] * 5)
    with pytest.raises(ModelAway):
        await gateway(backend, retries=5).model("write").generate(ASK, max_tokens=5)
    assert len(backend.requests) == 3


async def test_no_more_calls_are_in_flight_than_allowed() -> None:
    flying = peak = 0

    class Counting:
        async def send(self, request: ModelRequest) -> ModelReply:
            nonlocal flying, peak
            flying += 1
            peak = max(peak, flying)
            await asyncio.sleep(0.002)
            flying -= 1
            return ModelReply(texts=("x",), finish=("stop",))

    model = gateway(Counting(), concurrency=3).model("write")
    await asyncio.gather(*(model.generate([Message("user", f"{i}")], max_tokens=5) for i in range(12)))
    assert peak == 3


async def test_a_request_is_booked_before_it_is_answered() -> None:
    """What was in flight at a kill must be known afterwards."""
    ledger = Ledger()

    class Looking:
        async def send(self, request: ModelRequest) -> ModelReply:
            assert [row.status for row in ledger.rows()] == ["sent"]
            assert ledger.rows()[0].completion_tokens == 5, "the estimate"
            return ModelReply(Usage(3, 1), texts=("x",), finish=("stop",))

    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), ledger=ledger, backend=Looking())
    await gate.model("write").generate(ASK, max_tokens=5)
    assert [(row.status, row.prompt_tokens, row.completion_tokens) for row in ledger.rows()] == [("done", 3, 1)]


async def test_scores_and_logprobs_survive_the_cache() -> None:
    backend = ScriptedBackend({"a": -0.5}, [-1.0, -2.0])
    model = gateway(backend).model("verify")
    for _ in range(2):
        assert await model.next_token_logprobs(ASK, ["a"]) == {"a": -0.5}
        assert [s.total for s in await model.score(ASK, ["x", "y"])] == [-1.0, -2.0]
    assert len(backend.requests) == 2


async def test_an_exhausted_script_raises() -> None:
    with pytest.raises(ScriptExhausted):
        await gateway(ScriptedBackend()).model("write").generate(ASK, max_tokens=5)


def test_a_role_without_a_model_and_a_name_without_a_provider_are_one_clear_line() -> None:
    gate = Gateway(Settings(), cache=RequestCache(":memory:"))
    with pytest.raises(BadInput, match="--write-model"):
        gate.model("write")
    with pytest.raises(BadInput, match="openai/gpt-4o"):
        Gateway(Settings(model="gpt-4o"), cache=RequestCache(":memory:")).model("write")


def test_a_component_that_needs_a_power_fails_when_it_is_built() -> None:
    with pytest.raises(CapabilityMissing, match="in-process language models"):
        Gateway(Settings(model="openai/x"), cache=RequestCache(":memory:")).resolve("verify", needs=ForcedScoring)
    assert isinstance(gateway(ScriptedBackend()).resolve("write", needs=Generates), ChatModel)


class Hashing:
    """Vectors from the letters of a text; counts the texts it embeds."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def send(self, request: ModelRequest) -> ModelReply:
        self.texts.extend(request.texts)
        rows = [[float(text.count(c)) + 0.1 for c in "abcdefgh"] for text in request.texts]
        return ModelReply(Usage(len(request.texts)), vectors=np.asarray(rows, dtype=np.float32))


async def test_a_text_is_embedded_once_and_order_and_norm_hold(no_weights: None) -> None:
    backend = Hashing()
    gate = gateway(backend, embed_model="scripted/e")
    embedder = gate.embedder()
    texts = ["abc", "a", "hh", "abc"]
    first = await embedder.embed(texts, kind="document")
    assert sorted(backend.texts) == ["a", "abc", "hh"]
    assert np.allclose(np.linalg.norm(first, axis=1), 1)
    assert np.array_equal(first[0], first[3])
    again = await embedder.embed(["hh", "a"], kind="document")
    assert np.array_equal(again, first[[2, 1]])
    assert len(backend.texts) == 3
    await embedder.embed(["a"], kind="query")
    assert len(backend.texts) == 4, "a query is no document"
    assert (gate.ledger.totals().calls, gate.ledger.totals().cached) == (2, 1)


def test_one_gateway_serves_several_event_loops() -> None:
    """A semaphore that waited in one loop cannot be used in another: a second asyncio.run would raise under contention."""
    gate = gateway(ScriptedBackend(answer=lambda r: "x", latency=0.001), concurrency=2)

    async def many(run: int) -> None:
        model = gate.model("write")
        await asyncio.gather(*(model.generate([Message("user", f"{run}-{i}")], max_tokens=5) for i in range(6)))

    for run in range(2):
        asyncio.run(many(run))
    assert gate.ledger.totals().calls == 12


async def test_a_call_that_was_interrupted_may_have_been_paid_and_counts_so() -> None:
    """Ctrl-C while a request is on its way: the row stays at its upper bound, and the same request later is a repetition."""
    backend = ScriptedBackend(answer=lambda r: "late", latency=30)
    gate = gateway(backend)
    call = asyncio.create_task(gate.model("write").generate(ASK, max_tokens=5))
    await asyncio.sleep(0.1)
    assert backend.requests
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (row,) = gate.ledger.rows()
    assert row.status == "sent"
    assert row.prompt_tokens + row.completion_tokens > 0
    assert gate.ledger.totals().calls == 1
