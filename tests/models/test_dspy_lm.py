"""DSPy programs run on the gateway: one call, one request; DSPy's caches and retries stay off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litrag.core.budget import Budget, Limits
from litrag.core.errors import BadInput, BudgetSpent, ModelUnavailable
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend

dspy = pytest.importorskip("dspy")

from litrag.models.dspy_lm import GatewayLM  # noqa: E402

CHAT = "[[ ## answer ## ]]\n{}\n\n[[ ## completed ## ]]"


def paris(request: ModelRequest) -> str:
    return '{"answer": "Paris"}' if request.schema else CHAT.format("Paris")


def opened(backend: ScriptedBackend, budget: Budget | None = None, model: str = "scripted/x") -> Gateway:
    return Gateway(Settings(model=model, seed=7), cache=RequestCache(":memory:"), backend=backend, budget=budget)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a DSPy module, through either door."""

    async def ask(module: Any, **inputs: Any) -> Any:
        return await module.acall(**inputs) if request.param == "async" else module(**inputs)

    return ask


async def test_predict_is_one_request_one_ledger_row_and_one_cache_row(call: Callable[..., Any]) -> None:
    backend = ScriptedBackend(answer=paris)
    gateway = opened(backend)
    with dspy.context(lm=GatewayLM(gateway, "answer", max_tokens=50), track_usage=True):
        first = await call(dspy.Predict("question -> answer"), question="Capital of France?")
        again = await call(dspy.Predict("question -> answer"), question="Capital of France?")
    assert first.answer == again.answer == "Paris"
    totals = gateway.ledger.totals()
    assert (len(backend.requests), totals.calls, totals.cached, gateway.cache.counts()["replies"]) == (1, 1, 1, 1)
    used = first.get_lm_usage()["scripted/x"]
    assert (used["prompt_tokens"], used["completion_tokens"]) == (totals.prompt_tokens, totals.completion_tokens)
    assert not any(again.get_lm_usage()["scripted/x"][key] for key in ("prompt_tokens", "completion_tokens"))
    (request,) = backend.requests
    assert (request.role, request.max_tokens, request.temperature, request.seed) == ("answer", 50, 0.0, 7)
    assert [message.role for message in request.messages] == ["system", "user"]


async def test_several_completions_are_one_request(call: Callable[..., Any]) -> None:
    backend = ScriptedBackend(answer=paris)
    gateway = opened(backend)
    with dspy.context(lm=GatewayLM(gateway, "answer"), track_usage=True):
        found = await call(dspy.Predict("question -> answer", n=3, temperature=0.9), question="Capital of France?")
    assert found.completions.answer == ["Paris"] * 3
    (request,) = backend.requests
    assert (request.n, request.temperature) == (3, 0.9)
    assert found.get_lm_usage()["scripted/x"]["completion_tokens"] == gateway.ledger.totals().completion_tokens


async def test_the_json_adapter_asks_for_its_schema(call: Callable[..., Any]) -> None:
    backend = ScriptedBackend(answer=paris)
    with dspy.context(lm=GatewayLM(opened(backend), "answer"), adapter=dspy.JSONAdapter()):
        found = await call(dspy.Predict("question -> answer"), question="Capital of France?")
    assert found.answer == "Paris"
    schema = backend.requests[0].schema
    assert schema is not None
    assert list(schema["properties"]) == ["answer"]


async def test_a_reply_that_the_chat_adapter_cannot_read_is_asked_for_as_json(call: Callable[..., Any]) -> None:
    backend = ScriptedBackend("no headers at all", '{"answer": "Paris"}')
    with dspy.context(lm=GatewayLM(opened(backend), "answer")):
        assert (await call(dspy.Predict("question -> answer"), question="?")).answer == "Paris"
    assert len(backend.requests) == 2


async def test_rollouts_differ_in_their_seed(call: Callable[..., Any]) -> None:
    """Otherwise litrag's cache would give DSPy's optimizers the same sample again and again."""
    backend = ScriptedBackend(answer=paris)
    lm = GatewayLM(opened(backend), "answer")
    for rollout in (1, 2):
        with dspy.context(lm=lm.copy(rollout_id=rollout, temperature=1.0)):
            await call(dspy.Predict("question -> answer"), question="?")
    assert [request.seed for request in backend.requests] == [8, 9]


async def test_errors_arrive_as_litrag_s_own(call: Callable[..., Any]) -> None:
    """BudgetSpent must reach the run that stops on it."""
    backend = ScriptedBackend(ModelUnavailable("gone"))
    with dspy.context(lm=GatewayLM(opened(backend, Budget(Limits(calls=1))), "answer")):
        with pytest.raises(ModelUnavailable, match="gone"):
            await call(dspy.Predict("question -> answer"), question="?")
        with pytest.raises(BudgetSpent):
            await call(dspy.Predict("question -> answer"), question="again?")
    assert len(backend.requests) == 1


async def test_options_that_the_gateway_does_not_carry_are_refused(call: Callable[..., Any]) -> None:
    with dspy.context(lm=GatewayLM(opened(ScriptedBackend()), "answer")), pytest.raises(BadInput, match="top_p"):
        await call(dspy.Predict("question -> answer", top_p=0.5), question="?")


async def test_the_cache_row_is_that_of_the_gateway_itself() -> None:
    backend = ScriptedBackend("hi")
    gateway = opened(backend)
    assert GatewayLM(gateway, "answer", max_tokens=9)("hello", stop=["."]) == ["hi"]
    assert (await gateway.model("answer").generate([Message("user", "hello")], max_tokens=9, stop=["."])).cached


def test_many_threads_share_one_gateway() -> None:
    """DSPy's evaluators call from threads; a gateway and its limits belong to one event loop."""
    gateway = opened(ScriptedBackend(answer=paris, latency=0.005))
    lm, answers = GatewayLM(gateway, "answer"), []
    predict = dspy.Predict(
        "question -> answer"
    )  # once: CPython before 3.11.8 cannot parse strings in many threads at once

    def ask(i: int) -> None:
        with dspy.context(lm=lm):
            answers.append(predict(question=f"{i}?").answer)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == ["Paris"] * 30
    assert gateway.ledger.totals().calls == 30


async def test_dspy_caches_nothing_in_memory_or_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "dspy"))
    backend = ScriptedBackend("one", "two")
    lm = GatewayLM(opened(backend), "answer")
    assert (lm.cache, lm.num_retries) == (False, 0)
    assert lm("hello", cache=True, max_tokens=3) == ["one"]
    lm.engine.gateway.cache.clear()
    assert lm("hello", cache=True, max_tokens=3) == ["two"]
    assert not (tmp_path / "dspy").exists()


async def test_an_in_process_model_answers_dspy(tiny_llama: Path) -> None:
    gateway = Gateway(Settings(model=f"local/{tiny_llama}"), cache=RequestCache(":memory:"))
    lm = GatewayLM(gateway, "answer", max_tokens=3)
    assert not lm.supports_response_schema
    assert len(await lm.acall("hello", n=2, temperature=1.0)) == 2
    assert gateway.ledger.totals().calls == 1
