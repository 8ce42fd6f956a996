"""AdaQR (arXiv 2406.10991): a conversational rewriter taught by a few human rewrites, then by what its own rewrites let a reader answer.

Stages, each kept in the run folder and gone on with: sft/ (learn from human rewrites), candidates.jsonl (k rewrites of other turns, sampled),
rewards.jsonl (`rewriters.answer_reward` of each), pairs.jsonl (those that differ by a margin), and the run itself, DPO from sft/ on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring, Generates
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest
from litrag.core.sync import all_or_first_error, run
from litrag.core.types import Message
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.models.gateway import Gateway
from litrag.retrievers.bm25 import bm25_over
from litrag.rewriters.answer_reward import AnswerReward, Form, Normalisation, preferences
from litrag.rewriters.conversational import conversation_prompt, parse_rewrite
from litrag.training.config import TrainConfig
from litrag.training.kit import Built, Job, train
from litrag.training.preferences import dpo

__all__ = ["AdaqrSettings", "adaqr", "conversations"]

_AT_ONCE: Final = 16  # turns whose candidates or rewards are in the making


class AdaqrSettings(Record):
    """The recipe's own settings (--set)."""

    sft_turns: int = Field(default=200, ge=1, description="Turns whose human rewrite is learned.")
    sft_steps: int = Field(default=60, ge=1, description="Optimiser steps of that.")
    turns: int = Field(default=300, ge=1, description="Other turns that are rewritten and judged.")
    k: int = Field(default=3, ge=2, description="Rewrites of a turn.")
    sampling: float = Field(default=1.0, gt=0, description="Temperature they are sampled at.")
    passages: int = Field(default=3, ge=1, description="Passages of a rewrite that the reader reads (AdaQR: 5).")
    reader: str = Field(default="", description="Model string of the reader; none: the base.")
    temperature: float = Field(default=1.0, gt=0, description="Of the softmax over retrieval scores.")
    normalisation: Normalisation = Field(default="z", description="Of retrieval scores: z, minmax, none.")
    reward: Form = Field(default="marginal", description="marginal, or expected-nll as the released code.")
    margin: float = Field(default=0.001, ge=0, description="Least difference of rewards of a pair.")
    beta: float = Field(default=0.1, gt=0, description="DPO's.")
    context: bool = Field(default=True, description="Whether page title and section are shown.")


def adaqr(job: Job) -> Built:
    """The recipe. `dataset` is a conversational data set with human rewrites and answers (canard:train). Raises BadInput, ModelUnavailable,
    MissingExtra, ModelFault."""
    config, own = job.config, job.config.of(AdaqrSettings)
    base = config.base_model
    data = load(config.dataset)
    human, judged = _parted(data, own)
    learned = _supervised(job, base, human, own)
    folder = job.run.folder
    candidates = _stage(folder / "candidates.jsonl", lambda: run(_candidates(job, learned, judged, own)))
    rewards = _stage(folder / "rewards.jsonl", lambda: run(_rewards(job, base, data, judged, candidates, own)))
    pairs = _stage(folder / "pairs.jsonl", lambda: _pairs(judged, candidates, rewards, own))
    if not pairs:
        raise BadInput(
            f"{config.dataset}: no two rewrites of a turn differ by {own.margin}; sample hotter, or more turns"
        )
    # named in the folder alone, so that a run that was moved is the same run
    second = config.model_copy(
        update={"base": learned, "dataset": str(folder / "pairs.jsonl"), "own": {"beta": own.beta}, "recipe": "dpo"}
    )
    built = dpo(Job(replace(job.run, config=second), job.listen))
    facts = {"sft_turns": len(human), "turns": len(judged), "pairs": len(pairs), **built.facts}
    return replace(built, facts=facts)


def conversations(data: Dataset) -> list[Topic]:
    """The turns that lean on earlier ones and have a human rewrite and an answer. Raises BadInput where there is none."""
    found = [t for t in data.topics if t.query.history and t.answers and str(t.facts.get("rewrite") or "")]
    if not found:
        raise BadInput(f"data set {data.name}: no conversation with rewrites and answers; use canard:train")
    return found


def _parted(data: Dataset, own: AdaqrSettings) -> tuple[list[Topic], list[Topic]]:
    """Turns to learn from and turns to judge, in an order by hash, no page in both."""
    turns = sorted(conversations(data), key=lambda topic: digest(topic.id))
    pages: dict[str, list[Topic]] = {}
    for topic in turns:
        pages.setdefault(topic.group, []).append(topic)
    human: list[Topic] = []
    judged: list[Topic] = []
    for page in pages.values():
        (human if len(human) < own.sft_turns else judged).extend(page)
    if not judged:
        raise BadInput(f"data set {data.name}: {len(human)} turns are all learned from; lower sft_turns")
    return human[: own.sft_turns], judged[: own.turns]


def _asked(topic: Topic, own: AdaqrSettings) -> str:
    query = topic.query if own.context else replace(topic.query, context="")
    return conversation_prompt(query, query.history[-6:])


def _supervised(job: Job, base: str, turns: Sequence[Topic], own: AdaqrSettings) -> str:
    """The model string of the first stage."""
    examples = job.run.folder / "sft.jsonl"
    _stage(examples, lambda: [{"prompt": _asked(t, own), "completion": str(t.facts["rewrite"])} for t in turns])
    config = TrainConfig(
        **{
            **job.config.model_dump(include={"seed", "batch_size", "max_length", "lora_r", "lora_alpha", "device"}),
            "recipe": "sft",
            "base": base,
            "dataset": str(examples),
            "max_steps": own.sft_steps,
            "learning_rate": 1e-3,
            "held_out": 0.0,
        }
    )
    return train(config, job.run.folder / "sft", resume=True, listen=job.listen).model


async def _candidates(job: Job, model: str, turns: Sequence[Topic], own: AdaqrSettings) -> list[dict[str, Any]]:
    """The human rewrite is not among them: what is preferred is the model's own."""
    gateway = _gateway(model, job.config.seed)
    writer = gateway.resolve("rewrite", needs=Generates)

    async def one(topic: Topic) -> dict[str, Any]:
        reply = await writer.generate(
            [Message("user", _asked(topic, own))], n=own.k, temperature=own.sampling, max_tokens=64, stop=("\n",)
        )
        texts = dict.fromkeys(text for text in map(parse_rewrite, reply.texts) if text)
        return {"id": topic.id, "texts": list(texts)}

    return await _each(job, "candidates", turns, one, gateway)


async def _rewards(
    job: Job,
    base: str,
    data: Dataset,
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> list[dict[str, Any]]:
    gateway = _gateway(own.reader or base, job.config.seed)
    reward = AnswerReward(
        gateway.resolve("rewrite", needs=ForcedScoring),
        bm25_over(data.corpus()),
        k=own.passages,
        temperature=own.temperature,
        normalisation=own.normalisation,
        form=own.reward,
    )
    texts = {row["id"]: row["texts"] for row in candidates}

    async def one(topic: Topic) -> dict[str, Any]:
        found = await reward.of(topic.query, texts[topic.id], topic.answers[0]) if texts[topic.id] else ()
        return {"id": topic.id, "rewards": [max(value, -1e9) for value in found]}

    return await _each(job, "rewards", turns, one, gateway)


def _pairs(
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    rewards: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> list[dict[str, Any]]:
    found = []
    for topic, said, judged in zip(turns, candidates, rewards, strict=True):
        for pair in preferences(said["texts"], judged["rewards"], margin=own.margin):
            chosen, rejected = said["texts"][pair.chosen], said["texts"][pair.rejected]
            found.append({"prompt": _asked(topic, own), "chosen": chosen, "rejected": rejected})
    return found


async def _each(
    job: Job, stage: str, turns: Sequence[Topic], one: Callable[[Topic], Any], gateway: Gateway
) -> list[dict[str, Any]]:
    """The rows of a stage, some turns at a time; what was answered before a kill comes from the request cache."""
    rows: list[dict[str, Any]] = []
    try:
        for start in range(0, len(turns), _AT_ONCE):
            rows += await all_or_first_error([one(topic) for topic in turns[start : start + _AT_ONCE]])
            job.listen(Event(stage, done=len(rows), total=len(turns)))
    finally:
        gateway.cache.close()
    return rows


def _gateway(model: str, seed: int) -> Gateway:
    return Gateway(load_settings(rewrite_model=model, seed=seed), cache=RequestCache(cache_file()))


def _stage(path: Path, make: Callable[[], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows in a file, made and written at once where it is not there yet."""
    if not path.is_file():
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in make()), encoding="utf-8")
        part.replace(path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
