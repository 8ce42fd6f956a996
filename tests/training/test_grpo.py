"""FrugalRAG's second stage: the reward's values as released, trajectories through the agent's code, a step that moves the weights; and its first
stage: the best decision of several is learned."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from fakes.wiki import write_wiki
from hypothesis import given
from hypothesis import strategies as st

from litrag.agents.react import QUESTION, ReAct, Replies
from litrag.core.errors import BadInput, ModelFault
from litrag.core.lengths import ROUGH
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.corpora import load
from litrag.models.gateway import Gateway
from litrag.models.local_prompts import PromptCoder
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.training.config import TrainConfig
from litrag.training.grpo import frugal_reward
from litrag.training.kit import train
from litrag.training.rollouts import Bounds, World, rolled_out

pytest.importorskip("trl")
pytest.importorskip("dspy")

from litrag.models.dspy_lm import GatewayLM
from litrag.training.explore import Explorer


def path(best: int, taken: int, last: float = 1.0) -> list[float]:
    """Recall after each search, its last rise at `best`."""
    return [last if hop >= best else last / 2 for hop in range(1, taken + 1)]


@pytest.mark.parametrize(("best", "value"), [(1, 2.333), (2, 2.667), (3, 3.0), (6, 4.0)])
def test_stopping_at_once_is_worth_most(best: int, value: float) -> None:
    assert frugal_reward(path(best, best), 6) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(("over", "value"), [(1, 1.609), (2, 0.693), (3, 0.0), (4, -0.693), (5, -1.609)])
def test_each_search_too_many_costs(over: int, value: float) -> None:
    assert frugal_reward(path(1, 1 + over), 6) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(("taken", "value"), [(1, -1.609), (2, -0.693), (3, 0.0), (4, 0.0), (6, 0.0)])
def test_giving_up_early_costs_half_the_budget_nothing(taken: int, value: float) -> None:
    assert frugal_reward(path(1, taken, 0.5), 6) == pytest.approx(value, abs=1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_the_reward_is_bounded(rises: list[float], recall: float) -> None:
    recalls = [max(rises[: i + 1]) for i in range(len(rises))]
    assert -2 <= frugal_reward(recalls, 8, recall=recall) <= 4
    assert frugal_reward([0.0] * len(rises), 8, recall=0.0) <= 0, "nothing found is a failure"


def said(action: str, query: str = "") -> str:
    fields = (("thought", "on"), ("action", action), ("query", query))
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields) + "\n\n[[ ## completed ## ]]"


async def test_a_rollout_is_the_agents_own_trajectory(tmp_path: Path) -> None:
    data = load(f"2wiki={write_wiki(tmp_path / 'w')}")
    world = World.of(data, Bounds(searches=4, k=1, further=1))
    replies = ScriptedBackend(said("search", "Low Harbour band"), said("search", "Esbrund town"), said("finish"))
    found = await rolled_out(world, data.topics[0], replies)
    assert found.stop_reason == "finish"
    assert found.recalls[-1] == 1.0
    assert (len(found.turns), found.form) == (3, 0.5)
    bad = await rolled_out(world, data.topics[0], ScriptedBackend(said("search", "Low Harbour band"), "what?"))
    assert [turn.good for turn in bad.turns] == [True, False]
    assert bad.form == 0.0


class Chatty:
    """Decides by what it was told to try first."""

    def __init__(self, *replies: str) -> None:
        self.left = list(replies)

    async def send(self, request: ModelRequest) -> ModelReply:
        return await ScriptedBackend(self.left.pop(0) if len(self.left) > 1 else self.left[0]).send(request)


def decider(*replies: str) -> ReAct:
    gateway = Gateway(Settings(react_model="scripted/m"), cache=RequestCache(":memory:"), backend=Chatty(*replies))
    return ReAct(GatewayLM(gateway, "react", max_tokens=50), ROUGH, retries=0, replies=Replies())


async def test_the_best_decision_of_each_hop_is_kept(tmp_path: Path) -> None:
    data = load(f"2wiki={write_wiki(tmp_path / 'w')}")
    world, topic = World.of(data, Bounds(searches=4, k=1, further=1)), data.topics[0]
    lost = decider(said("search", "Storm 3"), said("search", "Storm 4"), said("finish"))
    right = decider(said("search", "Low Harbour band"), said("search", "Esbrund town"), said("search", "Storm 5"))
    explorer = Explorer([lost, right], world, topic, decider(""), finishing=True)
    found = await world.agent(explorer).run(topic.query)
    assert [step.query.text for step in found.notes.steps[1:]] == ["Low Harbour band", "Esbrund town"]
    assert found.stop_reason == "finish", "before a search that finds no more"
    taught = [example["messages"] for example in explorer.examples]
    assert [messages[-1]["content"].split("[[ ## query ## ]]")[1].split("\n")[1] for messages in taught[:2]] == [
        "Low Harbour band",
        "Esbrund town",
    ]
    assert all([m["role"] for m in messages[:2]] == ["system", "user"] for messages in taught)
    assert QUESTION.instructions.split()[0] in taught[0][0]["content"]
    never = Explorer([decider(said("finish"))], world, topic, decider(""), finishing=False)
    assert (await world.agent(never).run(topic.query)).searches == 1
    assert never.examples == []


def config(recipe: str, base: Path, folder: Path, **more: Any) -> TrainConfig:
    own = more.pop("own", {})
    values: dict[str, Any] = {"max_steps": 2, "batch_size": 2, "held_out": 0.0, "device": "cpu", "learning_rate": 1e-2}
    return TrainConfig(recipe=recipe, base=f"local/{base}", dataset=f"2wiki={folder}", own=own, **{**values, **more})


def test_a_grpo_step_moves_the_weights(
    wide_chat: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of random weights writes no action; rewards that differ are made up, so that there is something to learn."""
    import torch
    from safetensors.torch import load_file

    from litrag.training import grpo

    made_up = itertools.count()
    monkeypatch.setattr(grpo, "frugal_reward", lambda recalls, searches, **more: float(next(made_up) % 2))
    folder = write_wiki(tmp_path / "w")
    own = {"searches": 2, "generations": 2, "reply_tokens": 8, "k": 1, "prompt_tokens": 4000}
    result = train(config("frugal-grpo", wide_chat, folder, own=own, save_every=1), tmp_path / "run")
    assert result.kind == "adapter"
    weights = load_file(str(tmp_path / "run" / "model" / "adapter_model.safetensors"))
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name), "they begin as zeros"
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {row["step"] for row in rows} == {1, 2}
    assert all("reward" in row for row in rows)
    with pytest.raises(BadInput, match="batch_size 3 must be a multiple of generations, 2"):
        train(config("frugal-grpo", wide_chat, folder, own=own, batch_size=3), tmp_path / "other")
    monkeypatch.setattr(grpo, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="server=http://x: TRL's client needs the package vllm"):
        train(config("frugal-grpo", wide_chat, folder, own={**own, "server": "http://x"}), tmp_path / "served")


def test_what_follows_a_finish_is_not_learned(wide_chat: Path) -> None:
    from litrag.models.local_loading import load_causal
    from litrag.models.weights import resolve_local
    from litrag.training.policies import Kept

    name = f"local/{wide_chat}"
    loaded = load_causal(name, resolve_local(name))
    kept_of, coder = Kept(loaded.tokenizer), PromptCoder(loaded.tokenizer)
    for reply, kept in (
        (said("finish") + " and so on", said("finish").split("finish")[0] + "finish"),
        (said("Finish."), said("Finish.").split("Finish")[0] + "Finish"),
        (said("search", "how to finish"), said("search", "how to finish")),
        ("finish", "finish"),
    ):
        ids = coder.plain(reply)
        assert loaded.tokenizer.decode(ids[: kept_of.finished(ids)]) == kept


class Vllm:
    """TRL's client: the token ids of a script, with the end of a reply."""

    def __init__(self, coder: PromptCoder, end: int, *said: str) -> None:
        self.coder, self.end, self.said = coder, end, list(said)
        self.asked: list[tuple[list[int], dict[str, Any]]] = []

    def generate(self, prompts: list[list[int]], **sampling: Any) -> dict[str, Any]:
        self.asked.append((prompts[0], sampling))
        return {"completion_ids": [[*self.coder.plain(self.said.pop(0)), self.end]]}


async def test_a_vllm_server_writes_trajectories_in_the_tokens_that_are_learned(
    wide_chat: Path, tmp_path: Path
) -> None:
    from litrag.models.local_loading import load_causal
    from litrag.models.weights import resolve_local
    from litrag.training.policies import Served

    name = f"local/{wide_chat}"
    loaded = load_causal(name, resolve_local(name))
    coder = PromptCoder(loaded.tokenizer)
    data = load(f"2wiki={write_wiki(tmp_path / 'w')}")
    world = World.of(data, Bounds(searches=4, k=1, further=1))
    client = Vllm(coder, loaded.tokenizer.eos_token_id, said("search", "Low Harbour band"), said("finish") + " more")
    policy = Served(client, loaded, 8000)
    with policy.at_work() as backend:
        found = await rolled_out(world, data.topics[0], backend, temperature=0.9, max_tokens=77)
    assert found.stop_reason == "finish"
    assert [turn.reply for turn in found.turns] == [said("search", "Low Harbour band"), said("finish") + " more"]
    assert [(s["temperature"], s["max_tokens"]) for _, s in client.asked] == [(0.9, 77)] * 2
    turns = {tuple(prompt): reply for prompt, reply in (policy.kept.drawn(found, [i]) for i in range(20))}
    assert set(turns) == {tuple(prompt) for prompt, _ in client.asked}, "each turn is drawn some time"
    last = loaded.tokenizer.decode(turns[tuple(client.asked[1][0])])
    assert last.endswith("finish")
    short = await rolled_out(world, data.topics[0], Served(client, loaded, 100))
    assert (short.overlong, short.turns) == (True, ())


async def test_a_server_that_fails_is_no_bad_reply(wide_chat: Path, tmp_path: Path) -> None:
    from litrag.models.local_loading import load_causal
    from litrag.models.weights import resolve_local
    from litrag.training.policies import Served

    loaded = load_causal(f"local/{wide_chat}", resolve_local(f"local/{wide_chat}"))
    client = Vllm(PromptCoder(loaded.tokenizer), loaded.tokenizer.eos_token_id, said("search", "Low Harbour band"))
    data = load(f"2wiki={write_wiki(tmp_path / 'w')}")
    world = World.of(data, Bounds(searches=4, k=1, further=1))
    with pytest.raises(ModelFault, match="the vLLM server gave no reply"):
        await rolled_out(world, data.topics[0], Served(client, loaded, 8000), max_tokens=77)


async def test_a_reply_that_is_no_finish_is_learned_whole(wide_chat: Path, tmp_path: Path) -> None:
    """Of one that lacks a field, what it lacks is what costs it; of one that names two actions, the first was done."""
    from litrag.models.local_loading import load_causal
    from litrag.models.weights import resolve_local
    from litrag.training.policies import Served

    loaded = load_causal(f"local/{wide_chat}", resolve_local(f"local/{wide_chat}"))
    coder, data = PromptCoder(loaded.tokenizer), load(f"2wiki={write_wiki(tmp_path / 'w')}")
    world = World.of(data, Bounds(searches=2, k=1, further=1))
    for reply, good in (
        ("[[ ## thought ## ]]\non\n\n[[ ## action ## ]]\nfinish and so on", False),
        (f"{said('search', 'Low Harbour band')}\n[[ ## action ## ]]\nfinish", True),
    ):
        policy = Served(Vllm(coder, loaded.tokenizer.eos_token_id, reply), loaded, 8000)
        found = await rolled_out(world, data.topics[0], policy, max_tokens=77)
        assert [(turn.good, turn.finishes) for turn in found.turns] == [(good, False)]
        _, learned = policy.kept.drawn(found, [0])
        assert learned == [*coder.plain(reply), loaded.tokenizer.eos_token_id]


def test_a_server_s_arguments_are_ones_that_trl_takes() -> None:
    """Without log-probabilities TRL's correction by them would end the first step."""
    import trl

    from litrag.training.grpo import _served

    names = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
    given = _served("http://127.0.0.1:8000")
    assert given.keys() <= names
    assert given["vllm_importance_sampling_correction"] is False


def test_what_counts_as_found_may_be_what_the_base_finds(
    wide_chat: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litrag.training import grpo

    asked: list[float] = []

    def reward(recalls: Any, searches: int, *, recall: float, **more: Any) -> float:
        asked.append(recall)
        return float(len(asked) % 2)

    monkeypatch.setattr(grpo, "frugal_reward", reward)
    own = {"searches": 2, "generations": 2, "reply_tokens": 8, "k": 1, "prompt_tokens": 4000, "reached": True}
    result = train(config("frugal-grpo", wide_chat, write_wiki(tmp_path / "w"), own=own, max_steps=1), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "reached.jsonl").read_text().splitlines()]
    assert len(rows) == result.facts["questions"]
    assert {row["recall"] for row in rows} >= set(asked)
    assert len(set(asked)) == 1, "both trajectories of one question"
    assert 0.6 not in asked


def test_exploring_writes_examples_that_are_learned(
    wide_chat: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litrag.training import explore as module

    def answer(request: ModelRequest) -> str:
        text = request.messages[-1].content
        if "It lies on the" in text:
            return said("finish")
        for mark, kind in (("by the band ", "band"), ("is a band from ", "seaport town")):
            if mark in text:
                return said("search", f"{text.split(mark)[1].split('.')[0]} {kind}")
        return said("search", "album songs")

    backend = ScriptedBackend(answer=answer)

    def scripted(job: Any, own: Any) -> Gateway:
        return Gateway(Settings(react_model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)

    monkeypatch.setattr(module, "_gateway", scripted)
    own = {"questions": 4, "searches": 5, "k": 1, "further": 1, "bootstrap": 4, "candidates": 2, "finishing": 0.5}
    result = train(
        config("explore", wide_chat, write_wiki(tmp_path / "w"), own=own, max_length=4000, max_steps=1),
        tmp_path / "run",
    )
    assert result.kind == "adapter"
    examples = [json.loads(line) for line in (tmp_path / "run" / "examples.jsonl").read_text().splitlines()]
    assert len(examples) >= 4
    assert all(example["messages"][-1]["role"] == "assistant" for example in examples)
    programs = json.loads((tmp_path / "run" / "programs.json").read_text())
    assert programs, "good trajectories became demonstrations"
    assert {"observation", "action", "query", "thought", "history"} <= set(programs[0][0])


def test_names_teach_where_no_model_can(wide_chat: Path, tmp_path: Path, home: Path) -> None:
    """The teacher entity: its searches, and a finish where a search would find no more, as replies of the learner."""
    own = {"teacher": "entity", "questions": 4, "searches": 4, "k": 1, "further": 1, "finishing": 1.0}
    train(
        config("explore", wide_chat, write_wiki(tmp_path / "w"), own=own, max_length=4000, max_steps=1),
        tmp_path / "run",
    )
    assert not (tmp_path / "run" / "programs.json").exists(), "no prompt was sought"
    told = [json.loads(line)["messages"] for line in (tmp_path / "run" / "examples.jsonl").read_text().splitlines()]
    actions = [messages[-1]["content"].split("[[ ## action ## ]]\n")[1].split("\n")[0] for messages in told]
    assert {"search", "finish"} == set(actions)
    assert actions[-1] == "finish"
    assert all(QUESTION.instructions.split()[0] in messages[0]["content"] for messages in told)
