"""Rerank models of APIs and servers, through LiteLLM, against a loopback server that answers best first as they do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from litrag.core.errors import CapabilityMissing, ModelFault, ModelOverloaded, ModelUnavailable
from litrag.core.protocols import Generates, NextTokenLogprobs, PairScoring
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.budgeting import estimate
from litrag.models.gateway import Gateway
from litrag.models.litellm_backend import LiteLLMBackend
from litrag.models.powers import powers_of
from litrag.models.prices import Prices
from litrag.models.probing import probe
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend

TEXTS = ("cat", "a longer text", "by")  # the server finds a text as relevant as it is long


class Server(ThreadingHTTPServer):
    status = 200
    lost = 0
    meta: dict[str, Any] = {}
    seen: list[dict[str, Any]]
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"path": self.path, **body})
        texts = body.get("documents") or body.get("texts") or []
        name = "score" if "texts" in body else "relevance_score"
        best = sorted(range(len(texts)), key=lambda i: -len(texts[i]))[: len(texts) - self.server.lost]
        results = [{"index": i, name: float(len(texts[i]))} for i in best]
        data: Any = results if "texts" in body else {"id": "x", "results": results, "data": results, **self.server.meta}
        raw = json.dumps(data if self.server.status == 200 else {"message": "no"}).encode()
        self.send_response(self.server.status)
        for header, value in {"Content-Type": "application/json", "Content-Length": str(len(raw))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.seen, server.meta = [], {"usage": {"total_tokens": 9, "prompt_tokens": 9}}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(model: str, server: Server | None = None, texts: tuple[str, ...] = TEXTS) -> ModelRequest:
    base = f"http://127.0.0.1:{server.server_port}" if server else None
    return ModelRequest(
        "relevance", model, "rerank", (Message("user", "length"),), texts=texts, api_base=base, timeout=60.0
    )


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("hosted_vllm/m", ""),
        ("infinity/m", ""),
        ("huggingface/BAAI/bge-reranker-base", ""),
        ("cohere/rerank-v3.5", "COHERE_API_KEY"),
        ("jina_ai/jina-reranker-v2-base-multilingual", "JINA_AI_API_KEY"),
        ("voyage/rerank-2", "VOYAGE_API_KEY"),
        ("together_ai/Salesforce/Llama-Rank-V1", "TOGETHERAI_API_KEY"),
    ],
)
async def test_results_that_come_best_first_come_back_in_the_order_of_the_texts(
    model: str, key: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key:
        monkeypatch.setenv(key, "k")
    reply = await LiteLLMBackend().send(ask(model, server))
    assert reply.relevance == (3.0, 13.0, 2.0)
    (sent,) = server.seen
    assert sent["query"] == "length"
    assert tuple(sent.get("documents") or sent["texts"]) == TEXTS


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, ModelOverloaded), (503, ModelOverloaded), (401, ModelUnavailable), (404, ModelUnavailable)],
)
async def test_errors_are_those_of_our_tree_and_nothing_retries_below(
    status: int, kind: type[ModelFault], server: Server
) -> None:
    server.status = status
    with pytest.raises(kind) as caught:
        await LiteLLMBackend().send(ask("hosted_vllm/m", server))
    assert type(caught.value) is kind
    assert "hosted_vllm/m" in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "model",
    [
        "cohere/rerank-v3.5",
        "jina_ai/jina-reranker-v2-base-multilingual",
        "voyage/rerank-2",
        "hosted_vllm/m",
        "openai/m",
    ],
)
async def test_what_litellm_refuses_by_itself_is_no_overload(model: str, caplog: pytest.LogCaptureFixture) -> None:
    """It reports a missing key, a missing address and a provider without rerankers as failed connections; those would be tried again."""
    with pytest.raises(ModelUnavailable, match="key") as caught:
        await LiteLLMBackend().send(ask(model))
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert caplog.records == [], "what is raised is not logged, too"


async def test_a_missing_key_for_a_server_is_no_overload_either(server: Server) -> None:
    with pytest.raises(ModelUnavailable, match="COHERE_API_KEY"):
        await LiteLLMBackend().send(ask("cohere/rerank-v3.5", server))
    assert server.seen == []


async def test_scores_for_some_texts_only_are_refused(server: Server) -> None:
    server.lost = 1
    with pytest.raises(ModelUnavailable, match="no score for some of 3 texts"):
        await LiteLLMBackend().send(ask("infinity/m", server))


async def test_tokens_and_searches_are_paid_as_billed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cohere charges by search: without that --max-cost would not bound it."""
    monkeypatch.setenv("COHERE_API_KEY", "k")
    monkeypatch.setenv("VOYAGE_API_KEY", "k")
    voyage = await LiteLLMBackend().send(ask("voyage/rerank-2", server))
    assert (voyage.usage.prompt_tokens, voyage.usage.usd) == (9, Prices().usd("voyage/rerank-2", 9, 0))
    server.meta = {"meta": {"billed_units": {"search_units": 2}}}
    cohere = await LiteLLMBackend().send(ask("cohere/rerank-v3.5", server))
    assert cohere.usage.usd == Prices().usd("cohere/rerank-v3.5", 0, 0, searches=2) > 0


def test_the_estimate_bounds_tokens_and_searches() -> None:
    """A pair is read whole: the query costs as often as there are documents; a long document is several for a search."""
    price = Prices().usd("cohere/rerank-v3.5", 0, 0, searches=1)
    one, many = estimate(ask("cohere/rerank-v3.5", None, ("word ",)), Prices()), ("word " * 20,) * 100
    assert one.usd == price
    assert estimate(ask("cohere/rerank-v3.5", None, many), Prices()).usd == price
    assert estimate(ask("cohere/rerank-v3.5", None, ("word " * 500,) * 100), Prices()).usd == 3 * price
    assert estimate(ask("local/m", None, ("word ",) * 7), Prices()).prompt_tokens == 7 * one.prompt_tokens


async def test_a_cached_reply_costs_nothing_and_survives(server: Server) -> None:
    chosen = Settings(rerank_model="hosted_vllm/m", api_bases={"rerank": f"http://127.0.0.1:{server.server_port}"})
    gate = Gateway(chosen, cache=RequestCache(":memory:"))
    model = gate.resolve("rerank", needs=PairScoring)
    assert [await model.relevance("length", TEXTS) for _ in range(2)] == [(3.0, 13.0, 2.0)] * 2
    assert len(server.seen) == gate.budget.spent.calls == gate.ledger.totals().calls == gate.ledger.totals().cached == 1
    assert gate.budget.spent.tokens == 9


async def test_a_script_answers_relevance() -> None:
    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=ScriptedBackend([0.5, -2.0]))
    assert await gate.resolve("rerank", needs=PairScoring).relevance("q", ["a", "b"]) == (0.5, -2.0)


def test_powers_of_api_models() -> None:
    """By LiteLLM's table where it knows the model, else by provider and name; where both may be, the call decides."""
    writes, pairs = {Generates, NextTokenLogprobs}, {PairScoring}
    known = {
        "openai/gpt-4o-mini": writes,
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": writes,
        "cohere/rerank-v3.5": pairs,
        "voyage/rerank-2": pairs,
        "huggingface/BAAI/bge-reranker-base": pairs,
        "hosted_vllm/Qwen/Qwen3-Reranker-0.6B": pairs,
        "infinity/m": pairs,
        "hosted_vllm/m": writes | pairs,
    }
    assert {model: powers_of(model) for model in known} == known
    gate = Gateway(Settings(rerank_model="openai/gpt-4o-mini"), cache=RequestCache(":memory:"))
    with pytest.raises(CapabilityMissing, match="openai/gpt-4o-mini cannot give PairScoring; .*cross-encoders.*rerank"):
        gate.resolve("rerank", needs=PairScoring)


async def test_doctor_sees_a_server_that_reranks(server: Server) -> None:
    reranker, chat = await probe(
        [(name, f"http://127.0.0.1:{server.server_port}") for name in ("infinity/m", "openai/m")], seconds=120
    )
    assert (reranker.reranking, chat.reranking) == ("yes", "no")
