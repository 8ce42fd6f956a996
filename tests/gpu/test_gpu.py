"""What only a CUDA device can show (`make test-gpu`): the same numbers as on the CPU, a training step of each kind, a server beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.llama_server import GGUF, llama_server
from fakes.recipes import longer_replies

from litrag.core.protocols import Generates
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.local import LocalBackend
from litrag.models.local_loading import prepare_torch
from litrag.models.request import ModelRequest
from litrag.training.config import TrainConfig
from litrag.training.kit import train

pytestmark = pytest.mark.gpu

PROMPTS = ("Name a source of papers.", "What does a reranker do with the documents that a first stage found?")
REPLIES = ("arXiv, for example.", "It sorts them anew.")
_ON_CPU = """
import asyncio, json, sys
sys.path[:0] = json.loads(sys.argv[2])
from gpu_logprobs import logprobs
print("FOUND", json.dumps(asyncio.run(logprobs(sys.argv[1]))))
"""


async def logprobs(model: str) -> list[list[float]]:
    """Log-probabilities of the replies, prompt by prompt."""
    backend = LocalBackend()
    found = []
    for prompt in PROMPTS:
        request = ModelRequest("score", model, "t", messages=(Message("user", prompt),), continuations=REPLIES)
        found += [list(scores.logprobs) for scores in (await backend.send(request)).scores]
    backend.close()
    return found


def on_cpu(model: str, folder: Path) -> list[list[float]]:
    """The same in a process that sees no device."""
    (folder / "gpu_logprobs.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    paths = json.dumps([str(folder), str(Path(__file__).resolve().parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", _ON_CPU, model, paths],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    found: list[list[float]] = json.loads(line.removeprefix("FOUND "))
    return found


async def check_logprobs(model: str, folder: Path) -> None:
    assert prepare_torch().type == "cuda"
    ours, theirs = await logprobs(model), on_cpu(model, folder)
    pairs = [pair for a, b in zip(ours, theirs, strict=True) for pair in zip(a, b, strict=True)]
    assert len(pairs) > 10
    assert max(abs(a - b) for a, b in pairs) < 1e-3


async def test_logprobs_are_those_of_the_cpu(tiny_causal: Path, tmp_path: Path) -> None:
    await check_logprobs(f"local/{tiny_causal}", tmp_path)


@pytest.mark.models
async def test_logprobs_of_a_real_model_are_those_of_the_cpu(tmp_path: Path) -> None:
    await check_logprobs("local/SmolLM2-135M-Instruct", tmp_path)


def config(base: Path, dataset: Path, **more: Any) -> TrainConfig:
    values = {"recipe": "sft", "max_steps": 1, "batch_size": 4, "learning_rate": 1e-1}
    return TrainConfig(base=f"local/{base}", dataset=str(dataset), **{**values, **more})


async def test_a_lora_step_moves_the_model(tiny_chat: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"the cat {i}", "completion": "sat on the mat"} for i in range(20)]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = train(config(tiny_chat, tmp_path / "examples.jsonl", max_steps=5), tmp_path / "run")
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < result.loss_before
    assert await logprobs(result.model) != await logprobs(f"local/{tiny_chat}")


async def test_a_dpo_step_moves_the_model(tiny_chat: Path, tmp_path: Path) -> None:
    """AdaQR's second stage."""
    rows = [{"prompt": f"the cat {i}", "chosen": "sat on the mat", "rejected": "ran"} for i in range(20)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = train(config(tiny_chat, tmp_path / "pairs.jsonl", recipe="dpo", max_steps=3), tmp_path / "run")
    assert await logprobs(result.model) != await logprobs(f"local/{tiny_chat}")


async def test_a_grpo_step_moves_the_model(tiny_chat: Path, tmp_path: Path) -> None:
    result = train(config(tiny_chat, tmp_path / "none"), tmp_path / "run", recipe=longer_replies(tiny_chat))
    assert await logprobs(result.model) != await logprobs(f"local/{tiny_chat}")


@pytest.mark.models
async def test_a_server_answers_beside_it() -> None:
    """llama.cpp with all layers offloaded, where its wheel was built for the device."""
    pytest.importorskip("xllamacpp")
    with llama_server(GGUF, gpu_layers=99) as (base, _):
        settings = Settings(profile="server", model="openai/smol", api_base=base)
        model = Gateway(settings, cache=RequestCache(":memory:")).resolve("write", needs=Generates)
        reply = await model.generate(
            (Message("user", "What is the capital of France? Answer in one word."),), max_tokens=8
        )
    assert "Paris" in reply.text
