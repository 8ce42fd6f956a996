"""AdaQR (arXiv 2406.10991): a conversational rewriter taught by a few human rewrites, then by what its own rewrites let a reader answer.

Stages, each kept in the run folder and gone on with: sft/ (learn from human rewrites), candidates.jsonl (k rewrites of other turns, sampled),
rewards.jsonl (`rewriters.answer_reward` of each), scorer.json (the reward model of `rewriters.best_of`, fitted to them), pairs.jsonl (those
that differ by a margin), and the run itself, DPO from sft/ on. agreement.json says how much of its order the reward shares with the ranks of the
passages that are known to be right: a reader that is too small for the task shows there, before DPO learns from it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring, Generates, Retriever
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest, place_of
from litrag.core.sync import run
from litrag.core.types import Query
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.models.gateway import Gateway
from litrag.models.measuring import measure_for
from litrag.retrievers.bm25 import bm25_over
from litrag.rewriters.answer_reward import AnswerReward, Normalisation, preferences
from litrag.rewriters.best_of import FEATURES, features, sampled
from litrag.rewriters.conversational import asked
from litrag.training.choosing import Choice
from litrag.training.config import TrainConfig
from litrag.training.kit import Built, Job, train
from litrag.training.preferences import dpo
from litrag.training.scoring import pairwise_weights
from litrag.training.sft import sft
from litrag.training.stages import each, stage

__all__ = ["AdaqrSettings", "adaqr", "conversations", "reciprocal_ranks"]

# settings of the run that its first stage has too
_OF_BOTH: Final = {
    "seed",
    "batch_size",
    "max_length",
    "tuning",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_targets",
    "device",
}
# own settings of what a variant shares with another run
_SHARED: Final = (
    "sft_turns",
    "sft_steps",
    "sft_rate",
    "sft_warmup",
    "turns",
    "k",
    "sampling",
    "context",
    "choose",
    "history_tokens",
)
_SURE: Final = 0.65  # share of pairs below which a user is told
_MARGINS: Final = (0.0, 0.05, 0.1, 0.2, 0.4)  # of rewards
_OFFERED: Final = 2  # times as many human rewrites as are learned, where they are chosen


class AdaqrSettings(Record):
    """The recipe's own settings (--set)."""

    sft_turns: int = Field(default=200, ge=1, description="Turns whose human rewrite is learned.")
    sft_steps: int = Field(default=60, ge=1, description="Optimiser steps of that.")
    sft_rate: float = Field(default=1e-3, gt=0, description="Peak of its learning rate (AdaQR: 1e-4 at 7B).")
    sft_warmup: int = Field(default=0, ge=0, description="Its steps of linear warm-up.")
    turns: int = Field(default=300, ge=1, description="Other turns that are rewritten and judged.")
    k: int = Field(default=3, ge=2, description="Rewrites of a turn.")
    sampling: float = Field(default=1.0, gt=0, description="Temperature they are sampled at.")
    passages: int = Field(default=3, ge=1, description="Passages of a rewrite that the reader reads (AdaQR: 5).")
    passage_tokens: int = Field(default=150, ge=8, description="Most tokens of each.")
    history_tokens: int = Field(default=300, ge=8, description="Tokens of the history that the rewriter is shown.")
    reader_history_tokens: int = Field(default=200, ge=8, description="Those that the reader is shown.")
    reader: str = Field(default="", description="Model string of the reader; none: the base.")
    temperature: float = Field(default=1.0, gt=0, description="Of the softmax over retrieval scores.")
    normalisation: Normalisation = Field(default="z", description="Of retrieval scores: z, minmax, none.")
    reward: Literal["marginal", "expected-nll", "gold-passage"] = Field(
        default="marginal",
        description="marginal; expected-nll, as the released code; gold-passage: its reciprocal rank.",
    )
    margin: float = Field(default=0.001, ge=0, description="Least difference of rewards of a pair.")
    beta: float = Field(default=0.1, gt=0, description="DPO's.")
    context: bool = Field(default=True, description="Whether page title and section are shown.")
    shuffled: bool = Field(default=False, description="A control: which of a pair is the better one, by chance.")
    like: str = Field(default="", description="Run folder of another such training whose first two stages are shared.")
    choose: Choice = Field(
        default="", description="Human rewrites by effort or influence, of twice as many; none: by hash."
    )


def adaqr(job: Job) -> Built:
    """The recipe. `dataset` is a conversational data set with human rewrites and answers (canard-unanswered:train). Raises BadInput, ModelUnavailable,
    MissingExtra, ModelFault."""
    config, own = job.config, job.config.of(AdaqrSettings)
    base = config.base_model
    data = load(config.dataset)
    human, judged = _parted(data, own)
    folder = job.run.folder
    first = _shared(config, own) if own.like else folder
    learned = _supervised(job, first, base, human, own)
    candidates = stage(first / "candidates.jsonl", lambda: run(_candidates(job, learned, judged, own)))
    rewards = stage(folder / "rewards.jsonl", lambda: run(_rewards(job, base, data, judged, candidates, own)))
    _scorer(job, judged, candidates, rewards, own)
    pairs = stage(folder / "pairs.jsonl", lambda: _pairs(base, judged, candidates, rewards, own))
    _agreement(job, data, judged, candidates, rewards, own)
    if not pairs:
        raise BadInput(
            f"{config.dataset}: no two rewrites of a turn differ by {own.margin}; sample hotter, or more turns"
        )
    # named in the folder alone, so that a run that was moved is the same run
    second = config.model_copy(
        update={"base": learned, "dataset": str(folder / "pairs.jsonl"), "own": {"beta": own.beta}, "recipe": "dpo"}
    )
    built = dpo(Job(replace(job.run, config=second), job.listen))
    taught = len(human) // _OFFERED if own.choose else len(human)
    facts = {"sft_turns": taught, "turns": len(judged), "pairs": len(pairs), **built.facts}
    return replace(built, facts=facts)


def _shared(config: TrainConfig, own: AdaqrSettings) -> Path:
    """The run folder whose first two stages are shared. Raises BadInput where they are not those of this training."""
    folder = Path(own.like).expanduser().absolute()
    try:
        other = TrainConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
        theirs = other.of(AdaqrSettings)
    except (OSError, ValueError) as error:
        raise BadInput(f"like={own.like}: no run folder of `litrag train adaqr` ({error})") from error
    for name in ("dataset", "base_model", "seed"):
        if getattr(other, name) != getattr(config, name):
            raise BadInput(
                f"like={own.like}: its {name} was {getattr(other, name)}, here it is {getattr(config, name)}"
            )
    for name in _SHARED:
        if getattr(theirs, name) != getattr(own, name):
            raise BadInput(
                f"like={own.like}: its {name} was {getattr(theirs, name)!r}; give the same, or leave like out"
            )
    return folder


def conversations(data: Dataset) -> list[Topic]:
    """The turns that lean on earlier ones and have a human rewrite and an answer, which "I don't know." is not. Raises BadInput where there is none."""
    found = [t for t in data.topics if t.query.history and _answered(t) and str(t.facts.get("rewrite") or "")]
    if not found:
        raise BadInput(f"data set {data.name}: no conversation with rewrites and answers; use canard-unanswered:train")
    return found


def _answered(topic: Topic) -> bool:
    return bool(topic.answers) and topic.answers[0].strip().casefold().rstrip(".") not in (
        "i don't know",
        "cannotanswer",
    )


def _parted(data: Dataset, own: AdaqrSettings) -> tuple[list[Topic], list[Topic]]:
    """Turns to learn from and turns to judge, in an order by hash, no page in both."""
    turns = sorted(conversations(data), key=lambda topic: digest(topic.id))
    pages: dict[str, list[Topic]] = {}
    for topic in turns:
        pages.setdefault(topic.group, []).append(topic)
    wanted = own.sft_turns * (_OFFERED if own.choose else 1)
    human: list[Topic] = []
    judged: list[Topic] = []
    for page in pages.values():
        (human if len(human) < wanted else judged).extend(page)
    if not judged:
        raise BadInput(f"data set {data.name}: {len(human)} turns are all learned from; lower sft_turns")
    return human[:wanted], judged[: own.turns]


def _shown(topic: Topic, own: AdaqrSettings) -> Query:
    return topic.query if own.context else replace(topic.query, context="")


def _asked(base: str, topic: Topic, own: AdaqrSettings) -> str:
    return asked(measure_for(base), _shown(topic, own), tokens=own.history_tokens)


def _supervised(job: Job, folder: Path, base: str, turns: Sequence[Topic], own: AdaqrSettings) -> str:
    """The model string of the first stage."""
    examples = folder / "sft.jsonl"
    stage(examples, lambda: [{"prompt": _asked(base, t, own), "completion": str(t.facts["rewrite"])} for t in turns])
    config = TrainConfig(
        **{
            **job.config.model_dump(include=_OF_BOTH),
            "recipe": "sft",
            "base": base,
            "dataset": examples.name,  # no path: a run that was moved is the same run
            "max_steps": own.sft_steps,
            "learning_rate": own.sft_rate,
            "warmup_steps": own.sft_warmup,
            "held_out": 0.0,
            "own": {"choose": own.choose, "share": 1 / _OFFERED} if own.choose else {},
        }
    )

    def recipe(first: Job) -> Built:
        named = first.config.model_copy(update={"dataset": str(examples)})
        return sft(Job(replace(first.run, config=named), first.listen))

    return train(config, folder / "sft", resume=True, listen=job.listen, recipe=recipe).model


async def _candidates(job: Job, model: str, turns: Sequence[Topic], own: AdaqrSettings) -> list[dict[str, Any]]:
    """The human rewrite is not among them: what is preferred is the model's own."""
    gateway = _gateway(model, job.config.seed)
    writer = gateway.resolve("rewrite", needs=Generates)

    async def one(topic: Topic) -> dict[str, Any]:
        texts = await sampled(writer, _shown(topic, own), k=own.k, temperature=own.sampling, tokens=own.history_tokens)
        return {"id": topic.id, "texts": texts}

    return await each(job, "candidates", turns, one, gateway)


async def _rewards(
    job: Job,
    base: str,
    data: Dataset,
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> list[dict[str, Any]]:
    gateway = _gateway(own.reader or base, job.config.seed)
    found = bm25_over(data.corpus())
    texts = {row["id"]: row["texts"] for row in candidates}
    reward = None
    if own.reward != "gold-passage":
        reader = gateway.resolve("rewrite", needs=ForcedScoring)
        reward = AnswerReward(
            reader,
            found,
            k=own.passages,
            temperature=own.temperature,
            normalisation=own.normalisation,
            form=own.reward,
            tokens=own.passage_tokens,
            history_tokens=own.reader_history_tokens,
        )

    async def one(topic: Topic) -> dict[str, Any]:
        if reward is None:
            values = await reciprocal_ranks(found, topic, texts[topic.id])
        else:
            values = await reward.of(topic.query, texts[topic.id], topic.answers[0]) if texts[topic.id] else ()
        return {"id": topic.id, "rewards": [max(value, -1e9) for value in values]}

    return await each(job, "rewards", turns, one, gateway)


def _agreement(
    job: Job,
    data: Dataset,
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    rewards: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> None:
    """Writes by margin how many pairs there are whose relevant passages have unlike ranks, and the share that the reward orders as they do."""
    found = bm25_over(data.corpus())

    async def ranks() -> list[tuple[float, ...]]:
        return [
            await reciprocal_ranks(found, topic, said["texts"]) for topic, said in zip(turns, candidates, strict=True)
        ]

    signs: list[tuple[float, bool]] = []
    for known, judged in zip(run(ranks()), rewards, strict=True):
        for i, j in itertools.combinations(range(len(known)), 2):
            gap = judged["rewards"][i] - judged["rewards"][j]
            if known[i] != known[j] and gap:
                signs.append((abs(gap), (known[i] > known[j]) == (gap > 0)))
    rows = []
    for margin in _MARGINS:
        right = [agrees for gap, agrees in signs if gap >= margin]
        share = round(sum(right) / len(right), 4) if right else None
        rows.append({"margin": margin, "pairs": len(right), "agreement": share})
    job.run.write("agreement.json", json.dumps(rows, indent=1) + "\n")
    if signs:
        told = ", ".join(
            f"{row['agreement']:.0%} of {row['pairs']} from {row['margin']}" for row in rows if row["pairs"]
        )
        job.listen(Event("rewards", f"pairs in the order of their passages' ranks: {told}"))
    learned = [agrees for gap, agrees in signs if gap >= own.margin]
    if learned and sum(learned) < _SURE * len(learned):
        job.listen(
            Event(
                "rewards",
                f"of the pairs that are learned the reward is right in {sum(learned) / len(learned):.0%}; raise margin, or take a larger reader",
                "warning",
            )
        )


async def reciprocal_ranks(retriever: Retriever, topic: Topic, texts: Sequence[str], k: int = 100) -> tuple[float, ...]:
    """Of each rewrite of a topic's question 1 / rank of its first relevant passage among `k`, 0 where it finds none."""
    rankings = await retriever.retrieve([replace(topic.query, text=text) for text in texts], k) if texts else ()
    ranks = [next((r for r, n in enumerate(ranking.ids, 1) if topic.relevant.get(n, 0) > 0), 0) for ranking in rankings]
    return tuple(1 / rank if rank else 0.0 for rank in ranks)


def _pairs(
    base: str,
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    rewards: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> list[dict[str, Any]]:
    found = []
    for topic, said, judged in zip(turns, candidates, rewards, strict=True):
        for pair in preferences(said["texts"], judged["rewards"], margin=own.margin):
            chosen, rejected = said["texts"][pair.chosen], said["texts"][pair.rejected]
            if own.shuffled and place_of(f"{topic.id} {chosen} {rejected}") < 0.5:
                chosen, rejected = rejected, chosen
            found.append({"prompt": _asked(base, topic, own), "chosen": chosen, "rejected": rejected})
    return found


def _scorer(
    job: Job,
    turns: Sequence[Topic],
    candidates: Sequence[Mapping[str, Any]],
    rewards: Sequence[Mapping[str, Any]],
    own: AdaqrSettings,
) -> None:
    """Fits the reward model of best-of-K to pairs; where none differ, none is written."""
    gaps = []
    for topic, said, judged in zip(turns, candidates, rewards, strict=True):
        rows = features(_shown(topic, own), said["texts"])
        pairs = preferences(said["texts"], judged["rewards"], margin=own.margin)
        gaps += [[a - b for a, b in zip(rows[p.chosen], rows[p.rejected], strict=True)] for p in pairs]
    if gaps:
        job.run.write("scorer.json", json.dumps(pairwise_weights(gaps, FEATURES), indent=1) + "\n")


def _gateway(model: str, seed: int) -> Gateway:
    return Gateway(load_settings(rewrite_model=model, seed=seed), cache=RequestCache(cache_file()))
