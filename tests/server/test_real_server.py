"""The profile `server` against a real server: llama.cpp with SmolLM2, through LiteLLM and the gateway. The model is small; the API is real."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes.shell import Here, Shell, failure

from litrag.core.errors import CapabilityMissing, ModelOverloaded, ModelUnavailable, PromptTooLong
from litrag.core.protocols import ForcedScoring, Generates, NextTokenLogprobs
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.local import LocalBackend
from litrag.models.probing import probe
from litrag.models.request import ModelRequest

pytestmark = pytest.mark.models

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ASK = (Message("user", "What is the capital of France? Answer in one word."),)


def gateway(base: str, **more: Any) -> Gateway:
    values = {"profile": "server", "model": "openai/smol", "embed_model": "openai/smol", "api_base": base, "retries": 1}
    return Gateway(Settings(**{**values, "timeout": 1200.0, **more}), cache=RequestCache(":memory:"))


async def test_chat_is_greedy_counted_and_kept(served: str) -> None:
    one, other = gateway(served), gateway(served)
    first = await one.resolve("write", needs=Generates).generate(ASK, max_tokens=8)
    second = await other.resolve("write", needs=Generates).generate(ASK, max_tokens=8)
    assert first.text == second.text
    assert "Paris" in first.text
    (row,) = one.ledger.as_rows()
    assert row["model"] == "openai/smol"
    assert row["prompt_tokens"] > 10
    assert 0 < row["completion_tokens"] <= 8
    assert (await one.resolve("write", needs=Generates).generate(ASK, max_tokens=8)).cached


async def test_several_replies_and_their_ends(served: str) -> None:
    model = gateway(served).resolve("write", needs=Generates)
    reply = await model.generate((Message("user", "Name an animal."),), n=3, temperature=1.0, max_tokens=3)
    assert len(reply.texts) == 3
    assert set(reply.finish) <= {"length", "stop"}
    assert "length" in reply.finish


async def test_a_reply_obeys_its_schema(served: str) -> None:
    schema = {
        "type": "object",
        "properties": {
            "queries": {"type": "array", "items": {"type": "string", "maxLength": 30}, "minItems": 2, "maxItems": 2}
        },
        "required": ["queries"],
        "additionalProperties": False,
    }
    model = gateway(served).resolve("rewrite", needs=Generates)
    reply = await model.generate((Message("user", "Two search queries about dogs."),), schema=schema, max_tokens=120)
    data = json.loads(reply.text)
    assert set(data) == {"queries"}
    assert len(data["queries"]) == 2


async def test_logprobs_are_those_of_the_model(served: str) -> None:
    """The server's weights are 4-bit and its kernels others than torch's, which computes with the same weights de-quantised: the two
    agree to a fraction of a nat."""
    tokens = ("Paris", "The", "France")
    theirs = await gateway(served).resolve("rerank", needs=NextTokenLogprobs).next_token_logprobs(ASK, tokens)
    request = ModelRequest("next_token_logprobs", "local/SmolLM2-135M-Instruct", "t", messages=ASK, tokens=tokens)
    ours = (await LocalBackend().send(request)).logprobs
    seen = [token for token in tokens if math.isfinite(theirs[token])]
    assert "The" in seen
    assert sum(math.exp(theirs[token]) for token in seen) <= 1.0
    assert max(abs(theirs[token] - ours[token]) for token in seen) < 0.35


async def test_embeddings_are_unit_rows_in_order(served: str) -> None:
    import numpy as np

    embedder = gateway(served).embedder()
    texts = ["dogs find mushrooms", "a map of soil moisture", "dogs find mushrooms"]
    vectors = await embedder.embed(texts, kind="document")
    assert vectors.shape == (3, 576)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    alone = await gateway(served).embedder().embed([texts[1]], kind="document")
    assert float(vectors[1] @ alone[0]) > 0.999
    assert float(vectors[0] @ vectors[2]) > 0.999 > float(vectors[0] @ vectors[1])


async def test_sixteen_at_once_are_all_answered_and_no_more_than_allowed_are_in_flight(served: str) -> None:
    made = gateway(served, concurrency=4)
    model = made.resolve("write", needs=Generates)
    asked = [(Message("user", f"Count to {i}."),) for i in range(16)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, sum(row["status"] == "sent" for row in made.ledger.as_rows()))
            await asyncio.sleep(0.005)

    watcher = asyncio.create_task(watch())
    replies = await asyncio.gather(*(model.generate(messages, max_tokens=6) for messages in asked))
    watcher.cancel()
    assert len(replies) == 16
    assert all(reply.text for reply in replies)
    assert 1 < most <= 4


async def test_no_server_scores_a_given_text(served: str) -> None:
    with pytest.raises(CapabilityMissing, match="ForcedScoring"):
        gateway(served).resolve("rerank", needs=ForcedScoring)


async def test_a_server_that_is_gone_or_elsewhere_is_named(mortal: tuple[str, subprocess.Popen[str]]) -> None:
    base, process = mortal
    made = gateway(base)
    await made.resolve("write", needs=Generates).generate(ASK, max_tokens=2)
    process.kill()
    process.wait()
    with pytest.raises(ModelOverloaded, match=base) as caught:
        await made.resolve("write", needs=Generates).generate((Message("user", "Still there?"),), max_tokens=2)
    assert "\n" not in str(caught.value)


async def test_a_wrong_path_is_named(served: str) -> None:
    with pytest.raises(ModelUnavailable, match="/v2"):
        await gateway(served.replace("/v1", "/v2")).resolve("write", needs=Generates).generate(ASK, max_tokens=2)


async def test_a_prompt_beyond_the_context_is_refused(served: str) -> None:
    long = (Message("user", "word " * 9000),)
    with pytest.raises(PromptTooLong, match="context|size"):
        await gateway(served).resolve("write", needs=Generates).generate(long, max_tokens=2)


def test_a_review_is_written_with_it(served: str, tmp_path: Path, home: Path) -> None:
    """End to end by the command line. What so small a model writes is mostly replaced; every citation is real all the same."""
    litrag = Shell(tmp_path, home)
    litrag.env["LITRAG_TIMEOUT"] = "1200"
    code, out, err = litrag(
        *(
            "--profile",
            "server",
            "review",
            str(EXAMPLES / "abstract.txt"),
            "--library",
            str(EXAMPLES / "recorded" / "library.jsonl"),
        ),
        *("--model", "openai/smol", "--api-base", served, "--papers", "3", "-o", "out", "--max-calls", "40"),
    )
    assert code == 0, err
    assert "3 papers cited" in out
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    models = {row["model"] for row in record["ledger"]["rows"] if row["operation"] == "generate"}
    assert models == {"openai/smol"}
    assert record["ledger"]["calls"] >= 4
    known = {json.loads(line)["id"] for line in (EXAMPLES / "recorded" / "library.jsonl").read_text().splitlines()}
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert {item["paper"]["id"] for item in evidence["evidence"]} <= known
    text = (tmp_path / "out" / "review.md").read_text()
    assert all(f"#ref-{item['key']}" in text for item in evidence["evidence"])


def test_doctor_asks_the_server(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    options = ("--profile", "server", "--json", "doctor")
    monkeypatch.setenv("LITRAG_MODEL", "openai/smol")
    monkeypatch.setenv("LITRAG_API_BASE", served)
    monkeypatch.setattr("litrag.pipelines.diagnosis.probe", partial(probe, seconds=1200.0))  # a busy CPU takes its time
    code, out, err = litrag(*options)
    assert code == 0, err
    (server,) = json.loads(out)["servers"]
    host = served.removeprefix("http://").removesuffix("/v1")
    assert (server["model"], server["host"]) == ("openai/smol", host)
    assert (server["chat"], server["schema"], server["logprobs"], server["embeddings"]) == ("yes",) * 4
    assert server["context"] == 4096
    shown = litrag("--profile", "server", "doctor")[1]
    assert (
        f"server    openai/smol at {host}: chat yes, JSON schema yes, logprobs yes, embeddings yes, reranking no, context 4,096 tokens"
        in shown
    )
    assert "no model" not in failure(litrag("--profile", "server", "review", "gone.txt"), 2)
