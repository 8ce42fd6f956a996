"""The LiteLLM backend against a loopback server that answers as an OpenAI-compatible API does, also when it misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from litrag.core.errors import (
    CapabilityMissing,
    ModelAway,
    ModelFault,
    ModelOverloaded,
    ModelUnavailable,
    PromptTooLong,
)
from litrag.core.types import Message
from litrag.models.litellm_backend import LiteLLMBackend, litellm, translated
from litrag.models.request import ModelRequest


class Server(ThreadingHTTPServer):
    status = 200
    headers_out: dict[str, str] = {}
    seen: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"path": self.path, **body})
        if self.server.status != 200:
            data: Any = {"error": {"message": "no", "type": "x", "code": str(self.server.status)}}
        elif self.path.endswith("/embeddings"):
            rows = [
                {"object": "embedding", "index": i, "embedding": [1.0, float(i)]} for i, _ in enumerate(body["input"])
            ]
            data = {"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        else:
            top = [{"token": "yes", "logprob": -0.1, "bytes": None}, {"token": "no", "logprob": -2.5, "bytes": None}]
            logprobs = (
                {"content": [{"token": "yes", "logprob": -0.1, "bytes": None, "top_logprobs": top}]}
                if body.get("logprobs")
                else None
            )
            choice = {"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop", "logprobs": logprobs}
            choices = [{"index": i, **choice} for i in range(body.get("n") or 1)]
            usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
            data = {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": choices,
                "usage": usage,
            }
        raw = json.dumps(data).encode()
        self.send_response(self.server.status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(raw)),
            **self.server.headers_out,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.seen, server.status, server.headers_out = [], 200, {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def request(server: Server, operation: str, **values: Any) -> ModelRequest:
    base = f"http://127.0.0.1:{server.server_port}/v1"
    return ModelRequest(
        operation, "openai/m", "write", messages=(Message("user", "hello"),), api_base=base, timeout=60.0, **values
    )  # type: ignore[arg-type]


async def test_replies_usage_and_sampling_go_through(server: Server) -> None:
    reply = await LiteLLMBackend().send(
        request(server, "generate", n=2, max_tokens=9, temperature=0.5, stop=("x",), schema={"type": "object"})
    )
    assert (reply.texts, reply.finish) == (("hi", "hi"), ("stop", "stop"))
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 2)
    (sent,) = server.seen
    assert (sent["n"], sent["max_tokens"], sent["temperature"], sent["stop"]) == (2, 9, 0.5, ["x"])
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_next_token_logprobs_come_from_the_top_list(server: Server) -> None:
    reply = await LiteLLMBackend().send(request(server, "next_token_logprobs", tokens=("yes", "maybe")))
    assert reply.logprobs == {"yes": -0.1, "maybe": -np.inf}


async def test_embeddings_keep_their_order(server: Server) -> None:
    reply = await LiteLLMBackend().send(request(server, "embed", texts=("a", "b")))
    assert reply.vectors is not None
    assert reply.vectors.tolist() == [[1.0, 0.0], [1.0, 1.0]]


async def test_an_api_cannot_score_a_given_text(server: Server) -> None:
    with pytest.raises(CapabilityMissing, match="in-process"):
        await LiteLLMBackend().send(request(server, "score", continuations=("a",)))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, ModelOverloaded),
        (500, ModelOverloaded),
        (503, ModelOverloaded),
        (401, ModelUnavailable),
        (404, ModelUnavailable),
        (400, ModelUnavailable),
    ],
)
async def test_errors_of_the_api_are_those_of_our_tree_and_nothing_retries_below(
    server: Server, status: int, kind: type[ModelFault]
) -> None:
    """A retry of the client below ours would multiply with it and escape budget and ledger."""
    server.status = status
    with pytest.raises(kind) as caught:
        await LiteLLMBackend().send(request(server, "generate"))
    assert type(caught.value) is kind
    assert "openai/m" in str(caught.value)
    assert "litellm." not in str(caught.value)
    assert len(server.seen) == 1


async def test_retry_after_is_heard(server: Server) -> None:
    server.status, server.headers_out = 429, {"Retry-After": "7"}
    with pytest.raises(ModelOverloaded) as caught:
        await LiteLLMBackend().send(request(server, "generate"))
    assert caught.value.retry_after == 7.0


async def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    from dataclasses import replace

    gone = replace(request(server, "generate"), api_base="http://127.0.0.1:9/v1")
    with pytest.raises(
        ModelAway, match=r"^openai/m at http://127\.0\.0\.1:9/v1: nothing answers there; start it, or check --api-base$"
    ):
        await LiteLLMBackend().send(gone)


async def test_a_key_that_is_missing_and_a_provider_that_is_none_are_told_in_our_words(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for model, told in (
        ("openai/m", "no key; set OPENAI_API_KEY, or"),
        ("anthropic/m", "no key; set ANTHROPIC_API_KEY, or"),
        ("gemini/m", "no key; set GEMINI_API_KEY or GOOGLE_API_KEY, or"),
        ("nonsense/m", "no such provider; name a model as provider/name"),
    ):
        asked = replace(request(server, "generate"), model=model, api_base=None)
        with pytest.raises(ModelUnavailable, match=f"^{model}: {told}") as caught:
            await LiteLLMBackend().send(asked)
        assert "litellm" not in str(caught.value).casefold()


@pytest.mark.parametrize("model", ["ollama/llama3", "bedrock/anthropic.claude-v2", "azure/x"])
def test_a_provider_that_takes_other_proofs_than_a_key_is_not_said_to_lack_one(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile, a role or nothing at all may let one in; the provider's own words say what was wrong."""
    monkeypatch.setenv("AZURE_API_KEY", "k")
    error = litellm().exceptions.RateLimitError("slow down", llm_provider="p", model=model)
    told = translated(error, model, None)
    assert isinstance(told, ModelOverloaded)
    assert "slow down" in str(told)
    assert not isinstance(told, ModelAway)


def test_a_time_out_is_told_without_the_names_of_classes() -> None:
    error = litellm().exceptions.Timeout("APITimeoutError - Request timed out.", llm_provider="openai", model="m")
    assert str(translated(error, "openai/m", "http://127.0.0.1:9/v1")).startswith(
        "openai/m at http://127.0.0.1:9/v1: Request timed out."
    )


def test_every_exception_of_litellm_is_translated() -> None:
    import inspect

    kinds = [k for _, k in inspect.getmembers(litellm().exceptions, inspect.isclass) if issubclass(k, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        error = kind.__new__(kind)
        Exception.__init__(error, "boom")
        error.message = "boom"  # type: ignore[attr-defined]
        try:
            str(error)
        except AttributeError:
            continue
        told = translated(error, "openai/m", None)
        assert isinstance(told, PromptTooLong if kind.__name__ == "ContextWindowExceededError" else ModelFault)


def test_a_key_that_a_provider_repeats_stands_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-walk-123")
    monkeypatch.setenv("SHORT_API_KEY", "none")
    error = RuntimeError("Incorrect API key provided: sk-walk-123; none is none")
    told = str(translated(error, "openai/m", None))
    assert "sk-walk" not in told
    assert "Incorrect API key provided: $OPENAI_API_KEY; none is none" in told
