"""FrugalRAG's second stage (arXiv 2507.07634, section 3.2): GRPO (TRL) on whole trajectories, rewarded for the needed documents and for stopping as soon as
they are there.

A trajectory runs through the agent's own code, with the policy as its model. Of each one turn, drawn at random, is learned from with the trajectory's
advantage: over steps that is the mean over turns, and prompt and reply are the very tokens that were sampled. Nothing is cut on the left: the agent
shortens old observations, and a prompt beyond the context ends the trajectory as a bad reply does. What follows a reply's end, or "finish", is not
learned."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.sync import run
from litrag.corpora import load
from litrag.corpora.types import Topic
from litrag.training.frugal import questions_of
from litrag.training.kit import Built, Job, needed
from litrag.training.policies import InProcess, Policy, Served
from litrag.training.rollouts import Bounds, Rollout, World, rolled_out
from litrag.training.stages import stage
from litrag.training.tuning import Tuned, load_tuned

__all__ = ["GrpoSettings", "frugal_grpo", "frugal_reward"]


_FRAME: Final = 900  # tokens of a conversation beside its observations: instructions, thoughts, marks
_LEAST: Final = 100


class GrpoSettings(Bounds):
    """The recipe's own settings (--set)."""

    generations: int = Field(
        default=8, ge=2, description="Trajectories a question; a step's batch is a multiple of it."
    )
    temperature: float = Field(default=0.9, gt=0, description="They are sampled at.")
    reply_tokens: int = Field(default=256, ge=8, description="Most tokens of a reply.")
    prompt_tokens: int = Field(
        default=3000, ge=64, description="Longest prompt with its reply; one beyond it ends the trajectory."
    )
    beta: float = Field(default=0.1, ge=0, description="Weight of the KL divergence from where it started.")
    recall: float = Field(default=0.6, ge=0, le=1, description="Recall that counts as found (tau).")
    reached: bool = Field(
        default=False,
        description="Whether tau is, question by question, what the base itself reaches (the paper).",
    )
    alpha: float = Field(default=2.0, ge=0, description="Bonus for hard questions that were stopped in time.")
    most: float = Field(default=2.0, gt=0, description="Bound of the reward (R_max).")
    form: float = Field(default=1.0, ge=0, description="Weight of the format reward.")
    server: str = Field(
        default="",
        description="Address of a vLLM server of the base that writes the trajectories (`vllm serve`, as TRL wants it); none: the model in process.",
    )


def frugal_reward(
    recalls: Sequence[float], searches: int, *, recall: float = 0.6, alpha: float = 2.0, most: float = 2.0
) -> float:
    """The reward of a trajectory with so many searches allowed, from its recall after each (never empty, never falling).

    With h* the earliest search after which recall does not rise any more and d = |h - h*| / searches: where the last recall reaches `recall`,
    `most` + `alpha` h* / searches for stopping right there, else log((1 - d) / d) cut to [-most, most]; where it does not, h* is the whole budget and
    the same is cut to [-most, 0]. A trajectory that found nothing has failed, whatever `recall` is."""
    taken = len(recalls)
    best = 1 + list(recalls).index(recalls[-1])
    if recalls[-1] < recall or recalls[-1] <= 0:
        return min(0.0, _cut(abs(taken - searches) / searches, most))
    distance = abs(taken - best) / searches
    return most + alpha * best / searches if distance == 0 else _cut(distance, most)


def _cut(distance: float, most: float) -> float:
    if distance <= 0 or distance >= 1:
        return most if distance <= 0 else -most
    return max(-most, min(most, math.log((1 - distance) / distance)))


def frugal_grpo(job: Job) -> Built:
    """The recipe. `dataset` is a data set of questions with needed documents (hotpotqa:train); the base may be what the recipe explore made. Raises
    BadInput, ModelUnavailable, MissingExtra."""
    config, own = job.config, job.config.of(GrpoSettings)
    trl = needed("trl")
    if config.batch_size % own.generations:
        raise BadInput(f"batch_size {config.batch_size} must be a multiple of generations, {own.generations}")
    if own.server and find_spec("vllm") is None:
        raise BadInput(
            f"server={own.server}: TRL's client needs the package vllm here, too; install it, or leave server out"
        )
    data = load(config.dataset)
    topics = {topic.query.text: topic for topic in questions_of(data, config.dataset)}
    tuned = load_tuned(config, goes_on=True)
    world = World.of(data, own)
    tokenizer: Any = tuned.loaded.tokenizer
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token

    reached = _reached(job, world, topics, tuned, own) if own.reached else {}

    def rollouts(prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        asked = [topics[str(prompt)] for prompt in prompts]
        policy = _policy(trainer, tuned, own)
        found = run(_rolled(world, asked, policy, own, config.seed + 1000 * trainer.state.global_step))
        drawn = [
            policy.kept.drawn(rollout, [config.seed, trainer.state.global_step, i]) for i, rollout in enumerate(found)
        ]
        return {
            "prompt_ids": [prompt for prompt, _ in drawn],
            "completion_ids": [reply for _, reply in drawn],
            "logprobs": None,
            "recalls": [list(rollout.recalls) for rollout in found],
            "tau": [reached.get(str(prompt), own.recall) for prompt in prompts],
            "form": [rollout.form for rollout in found],
        }

    def frugality(recalls: Sequence[Sequence[float]], tau: Sequence[float], **more: Any) -> list[float]:
        return [
            frugal_reward(each, own.searches, recall=least, alpha=own.alpha, most=own.most)
            for each, least in zip(recalls, tau, strict=True)
        ]

    def well_formed(form: Sequence[float], **more: Any) -> list[float]:
        return list(form)

    trainer = trl.GRPOTrainer(
        model=tuned.model,
        reward_funcs=[frugality, well_formed],
        args=_arguments(job, own, trl.GRPOConfig),
        train_dataset=needed("datasets").Dataset.from_dict({"prompt": list(topics)}),
        processing_class=tokenizer,
        rollout_func=rollouts,
    )
    return Built(trainer, tuned.save, tuned.adapts, facts={"questions": len(topics)})


def _arguments(job: Job, own: GrpoSettings, kind: type) -> Any:
    return job.arguments(
        kind,
        num_generations=own.generations,
        max_completion_length=own.reply_tokens,
        temperature=own.temperature,
        beta=own.beta,
        reward_weights=[1.0, own.form],
        **(_served(own.server) if own.server else {}),
        **({"bf16": False} if job.config.device == "cpu" else {}),
    )


def _served(address: str) -> dict[str, Any]:
    """TRL's arguments for a vLLM server. The log-probabilities of what it wrote are not kept, so nothing can be corrected by them."""
    return {
        "use_vllm": True,
        "vllm_mode": "server",
        "vllm_server_base_url": address,
        "vllm_importance_sampling_correction": False,
    }


def _policy(trainer: Any, tuned: Tuned, own: GrpoSettings) -> Policy:
    if own.server:
        return Served(trainer.vllm_generation.vllm_client, tuned.loaded, own.prompt_tokens)
    return InProcess(trainer.accelerator.unwrap_model(trainer.model), tuned.loaded, own.prompt_tokens)


def _reached(job: Job, world: World, topics: Mapping[str, Topic], tuned: Tuned, own: GrpoSettings) -> dict[str, float]:
    """Question -> the last recall of the base's own greedy trajectory; kept in reached.jsonl."""

    def made() -> list[dict[str, Any]]:
        policy = InProcess(tuned.model, tuned.loaded, own.prompt_tokens)
        greedy = own.model_copy(update={"temperature": 0.0})
        rows: list[dict[str, Any]] = []
        asked = list(topics.values())
        for start in range(0, len(asked), job.config.batch_size):
            batch = asked[start : start + job.config.batch_size]
            found = run(_rolled(world, batch, policy, greedy, job.config.seed))
            rows += [
                {"question": topic.query.text, "recall": rollout.recalls[-1]}
                for topic, rollout in zip(batch, found, strict=True)
            ]
            job.listen(Event("reached", done=len(rows), total=len(asked)))
        return rows

    return {row["question"]: row["recall"] for row in stage(job.run.folder / "reached.jsonl", made)}


async def _rolled(world: World, topics: Sequence[Topic], policy: Policy, own: GrpoSettings, seed: int) -> list[Rollout]:
    """A trajectory a place, all side by side; those of one question differ by their seed."""
    room = max(_LEAST, own.prompt_tokens - own.reply_tokens - _FRAME)
    options = {"temperature": own.temperature, "max_tokens": own.reply_tokens, "tokens": room}
    with policy.at_work() as backend:
        return await asyncio.gather(
            *(rolled_out(world, topic, backend, seed=seed + i, **options) for i, topic in enumerate(topics))
        )
