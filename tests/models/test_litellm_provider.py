"""`local/...` through LiteLLM is one request of the gateway, and never enters it twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from litrag.core.budget import Budget, Limits
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.litellm_backend import litellm
from litrag.models.litellm_provider import register
from litrag.models.scripted import ScriptedBackend

ASKED = [{"role": "user", "content": "hello"}]


def gateway(folder: Path, backend: ScriptedBackend, budget: Budget | None = None) -> Gateway:
    opened = Gateway(Settings(model=f"local/{folder}"), cache=RequestCache(":memory:"), backend=backend, budget=budget)
    register(opened)
    return opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    return tmp_path


async def test_one_call_is_one_request_one_ledger_row_and_one_cache_row(folder: Path) -> None:
    backend = ScriptedBackend("hi there")
    opened = gateway(folder, backend)
    for _ in range(2):
        reply = await litellm().acompletion(model=f"local/{folder}", messages=ASKED, max_tokens=7)
        assert reply.choices[0].message.content == "hi there"
    totals = opened.ledger.totals()
    assert (totals.calls, totals.cached, len(backend.requests), opened.cache.counts()["replies"]) == (1, 1, 1, 1)


async def test_the_same_question_through_litellm_and_through_the_gateway_has_one_cache_row(folder: Path) -> None:
    opened = gateway(folder, ScriptedBackend("hi"))
    await litellm().acompletion(model=f"local/{folder}", messages=ASKED, max_tokens=7)
    assert (await opened.model("answer").generate([Message("user", "hello")], max_tokens=7)).cached


async def test_sampling_options_and_usage_are_carried(folder: Path) -> None:
    backend = ScriptedBackend("a b c")
    gateway(folder, backend)
    parts = [{"role": "system", "content": "brief"}, {"role": "user", "content": [{"type": "text", "text": "one two"}]}]
    reply = await litellm().acompletion(
        model=f"local/{folder}", messages=parts, max_tokens=9, n=2, temperature=0.5, stop=["."], seed=4, top_p=0.9
    )
    (request,) = backend.requests
    assert (request.max_tokens, request.n, request.temperature, request.stop, request.seed) == (9, 2, 0.5, (".",), 4)
    assert request.messages == (Message("system", "brief"), Message("user", "one two"))
    assert [choice.finish_reason for choice in reply.choices] == ["stop", "stop"]
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (3, 6, 9)


def test_the_synchronous_call_works_too(folder: Path) -> None:
    gateway(folder, ScriptedBackend("hi"))
    assert litellm().completion(model=f"local/{folder}", messages=ASKED).choices[0].message.content == "hi"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"stream": True}, "stream"),
        ({"model": "local/nowhere"}, "litrag setup"),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "x"}]}, "tool"),
    ],
)
async def test_what_cannot_be_done_is_said_in_litellm_s_own_errors(
    folder: Path, call: dict[str, Any], reason: str
) -> None:
    gateway(folder, ScriptedBackend())
    kinds = litellm().exceptions
    with pytest.raises((kinds.BadRequestError, kinds.NotFoundError), match=reason):
        await litellm().acompletion(**{"model": f"local/{folder}", "messages": ASKED, **call})


async def test_the_budget_holds_at_this_door(folder: Path) -> None:
    backend = ScriptedBackend("hi")
    gateway(folder, backend, Budget(Limits(calls=0)))
    with pytest.raises(litellm().exceptions.BadRequestError, match="budget: calls"):
        await litellm().acompletion(model=f"local/{folder}", messages=ASKED)
    assert backend.requests == []


async def test_embeddings_are_refused_with_the_way_out(folder: Path) -> None:
    gateway(folder, ScriptedBackend())
    with pytest.raises(litellm().exceptions.BadRequestError, match="embedder"):
        await litellm().aembedding(model=f"local/{folder}", input=["a"])


async def test_a_real_model_answers_through_litellm(tiny_llama: Path) -> None:
    opened = Gateway(Settings(model=f"local/{tiny_llama}"), cache=RequestCache(":memory:"))
    register(opened)
    reply = await litellm().acompletion(model=f"local/{tiny_llama}", messages=ASKED, max_tokens=3)
    assert reply.usage.completion_tokens == 3
    assert opened.ledger.totals().completion_tokens == 3
