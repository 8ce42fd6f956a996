"""AdaQR's stages on conversations of our own: each leaves its file, a second call goes on, and no page is learned and judged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.shell import Here
from fakes.talks import write_talks

from litrag.core.errors import BadInput
from litrag.core.events import Event, Listener, silent
from litrag.corpora import load
from litrag.rewriters.best_of import FEATURES
from litrag.training.adaqr import AdaqrSettings, _parted, _shared, conversations
from litrag.training.config import TrainConfig
from litrag.training.kit import train
from litrag.training.run import Trained

pytest.importorskip("trl")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

PLACES = ("bay", "forest", "delta", "ridge", "pond", "field")


def talks(folder: Path) -> Path:
    """Six pages, a dialogue of four turns each."""
    return write_talks(folder, PLACES)


@pytest.fixture
def model(write_llama: Callable[..., Path], tmp_path: Path) -> Path:
    """A tiny Llama with room for a conversation."""
    folder = write_llama(tmp_path / "llama", 0, None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}))
    return folder


def trained(
    model: Path, folder: Path, out: Path, tuning: Any = "lora", listen: Listener = silent, **more: Any
) -> Trained:
    own = {"sft_turns": 4, "sft_steps": 2, "turns": 4, "k": 3, "passages": 2, "margin": 0.0001, **more}
    config = TrainConfig(
        recipe="adaqr",
        base=f"local/{model}",
        dataset=f"canard={folder}:all",
        max_steps=2,
        batch_size=2,
        max_length=1024,
        held_out=0.0,
        tuning=tuning,
        device="cpu",
        own=own,
    )
    return train(config, out, resume=True, listen=listen)


async def some(job: Any, model: str, turns: Any, own: Any) -> list[dict[str, Any]]:
    """Rewrites that a model of this size cannot write."""
    return [{"id": t.id, "texts": [str(t.facts["rewrite"]), "snails of the pond", "storms"]} for t in turns]


def test_every_stage_leaves_its_file_and_a_second_call_goes_on(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    folder, out = talks(tmp_path / "talks"), tmp_path / "run"
    result = trained(model, folder, out)
    assert result.model.startswith(f"local/{model}+"), "an adapter of the base itself"
    stages = ("sft.jsonl", "candidates.jsonl", "rewards.jsonl", "pairs.jsonl")
    rows = {name: [json.loads(line) for line in (out / name).read_text().splitlines()] for name in stages}
    assert len(rows["sft.jsonl"]) == 4
    assert all(len(row["texts"]) <= 3 for row in rows["candidates.jsonl"])
    assert [len(row["rewards"]) for row in rows["rewards.jsonl"]] == [len(r["texts"]) for r in rows["candidates.jsonl"]]
    assert all(reward <= 0 for row in rows["rewards.jsonl"] for reward in row["rewards"]), "log-probabilities"
    assert result.facts["pairs"] == len(rows["pairs.jsonl"]) > 0
    kept = {name: (out / name).stat().st_mtime_ns for name in stages}
    first, *_, last = json.loads((out / "agreement.json").read_text())
    assert first["margin"] == 0
    assert first["pairs"] >= last["pairs"]
    assert 0 <= first["agreement"] <= 1
    weights = json.loads((out / "scorer.json").read_text())
    assert set(weights) == set(FEATURES)
    (out / "training.json").unlink()
    again = trained(model, folder, out)
    assert again.facts["pairs"] == result.facts["pairs"]
    assert kept == {name: (out / name).stat().st_mtime_ns for name in stages}, "what was made is not made again"


def test_a_reward_that_is_mostly_wrong_is_told_of(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def backwards(job: Any, base: str, data: Any, turns: Any, candidates: Any, own: Any) -> list[dict[str, Any]]:
        """The human rewrite is first among them, and is held to be the worst."""
        return [{"id": row["id"], "rewards": [-3.0, -2.0, -1.0]} for row in candidates]

    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    told: list[Event] = []
    folder = talks(tmp_path / "talks")
    trained(model, folder, tmp_path / "good", listen=told.append, reward="gold-passage")
    assert not [event for event in told if event.stage == "rewards" and event.kind == "warning"]
    monkeypatch.setattr("litrag.training.adaqr._rewards", backwards)
    trained(model, folder, tmp_path / "bad", listen=told.append)
    (warning,) = [event.message for event in told if event.stage == "rewards" and event.kind == "warning"]
    assert "of the pairs that are learned the reward is right in" in warning


def test_a_moved_run_goes_on_where_it_lies(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    folder, out, moved = talks(tmp_path / "talks"), tmp_path / "run", tmp_path / "elsewhere" / "run"
    trained(model, folder, out)
    (out / "training.json").unlink()
    moved.parent.mkdir()
    out.rename(moved)
    learned = (moved / "sft" / "model" / "adapter_model.safetensors").stat().st_mtime_ns
    assert trained(model, folder, moved).model == f"local/{model}+{moved / 'model'}"
    assert (moved / "sft" / "model" / "adapter_model.safetensors").stat().st_mtime_ns == learned
    again = moved.rename(tmp_path / "last")
    assert trained(model, folder, again).model == f"local/{model}+{again / 'model'}", "a finished one too"
    odd = tmp_path / "c++"
    again.rename(odd)
    assert trained(model, folder, odd).model == f"local/{model}+{odd / 'model'}", "whatever its name"


def test_all_weights_are_tuned_in_both_stages(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first step of DPO policy and reference are the same model, so the loss is log 2."""
    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    out = tmp_path / "run"
    result = trained(model, talks(tmp_path / "talks"), out, tuning="full", sft_rate=1e-2)
    assert result.model == f"local/{out / 'model'}"
    assert (out / "sft" / "model" / "model.safetensors").is_file()
    first, *_ = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)


def test_a_variant_shares_the_first_stages_and_differs_in_its_own(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    folder, first = talks(tmp_path / "talks"), tmp_path / "first"
    trained(model, folder, first)
    pairs = lambda out: [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]  # noqa: E731
    made = {}
    for name, own in (("gold", {"reward": "gold-passage"}), ("chance", {"shuffled": True}), ("again", {})):
        trained(model, folder, tmp_path / name, like=str(first), **own)
        assert not (tmp_path / name / "candidates.jsonl").exists()
        assert not (tmp_path / name / "sft").exists()
        made[name] = pairs(tmp_path / name)
    assert made["again"] == pairs(first)
    flipped = [
        (a["chosen"] == b["rejected"], a["chosen"] == b["chosen"])
        for a, b in zip(made["chance"], pairs(first), strict=True)
    ]
    assert {(True, False), (False, True)} == set(flipped), "some are turned, some stay"
    rewards = [json.loads(line)["rewards"] for line in (tmp_path / "gold" / "rewards.jsonl").read_text().splitlines()]
    assert all(0 <= value <= 1 for row in rewards for value in row)
    assert all(row[0] == max(row) for row in rewards), "the human rewrite finds its passage"
    whole = json.loads((tmp_path / "gold" / "agreement.json").read_text())
    assert {row["agreement"] for row in whole} <= {1.0, None}, "a reward that is the rank agrees with it"
    assert whole[0]["agreement"] == 1.0


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sft_turns": 3}, "its sft_turns was 4"),
        ({"context": False}, "its context was True"),
        ({"k": 2}, "its k was 3"),
    ],
)
def test_stages_of_another_training_are_not_shared(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    own = {"sft_turns": 4, "k": 3}
    config = TrainConfig(recipe="adaqr", dataset="canard:train", base="local/m", own=own)
    first = tmp_path / "first"
    first.mkdir()
    (first / "config.json").write_text(config.model_dump_json())
    assert _shared(config, AdaqrSettings(**own, like=str(first))) == first
    with pytest.raises(BadInput, match=told):
        _shared(config, AdaqrSettings(**{**own, **changed}, like=str(first)))
    with pytest.raises(BadInput, match="its seed was 0, here it is 7"):
        _shared(config.model_copy(update={"seed": 7}), AdaqrSettings(**own, like=str(first)))
    with pytest.raises(BadInput, match="no run folder"):
        _shared(config, AdaqrSettings(**own, like=str(tmp_path / "none")))


def test_turns_without_an_answer_teach_nothing(tmp_path: Path) -> None:
    data = load(f"canard={talks(tmp_path / 'talks')}:all")
    whole = conversations(data)
    mute = replace(data, topics=(replace(whole[0], answers=("I don't know.",)), *whole[1:]))
    assert conversations(mute) == whole[1:]


def test_twice_as_many_human_rewrites_are_offered_where_they_are_chosen(tmp_path: Path) -> None:
    data = load(f"canard={talks(tmp_path / 'talks')}:all")
    human, judged = _parted(data, AdaqrSettings(sft_turns=4, choose="effort"))
    assert len(human) == 8
    assert not {topic.group for topic in human} & {topic.group for topic in judged}


def test_a_model_whose_rewrites_are_all_alike_is_told(model: Path, tmp_path: Path, home: Path) -> None:
    """This one writes noise, which finds nothing."""
    folder = talks(tmp_path / "talks")
    with pytest.raises(BadInput, match="no two rewrites of a turn differ by"):
        trained(model, folder, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "candidates.jsonl").read_text().splitlines()]
    assert len(rows) == 4


def test_no_page_is_learned_and_judged(tmp_path: Path) -> None:
    data = load(f"canard={talks(tmp_path / 'talks')}:all")
    human, judged = _parted(data, AdaqrSettings(sft_turns=5, turns=100))
    assert len(human) == 5
    assert judged
    assert not {topic.group for topic in human} & {topic.group for topic in judged}
    assert all(topic.query.history for topic in conversations(data)), "first turns lean on nothing"
    with pytest.raises(BadInput, match="all learned from"):
        _parted(data, AdaqrSettings(sft_turns=100))


def test_a_data_set_without_conversations_is_refused(model: Path, tmp_path: Path, home: Path) -> None:
    from fakes.beir import write_beir

    write_beir(tmp_path / "forest")
    config = TrainConfig(recipe="adaqr", base=f"local/{model}", dataset=str(tmp_path / "forest"), device="cpu")
    with pytest.raises(BadInput, match="no conversation with rewrites and answers"):
        train(config, tmp_path / "run")


@pytest.mark.models
def test_the_whole_with_the_embedded_model_in_twenty_steps(tmp_path: Path, home: Path) -> None:
    """Nothing stands in for anything: the model that ten steps taught samples, a reader of the same size judges, ten steps of DPO move the adapter."""
    own = {"sft_turns": 8, "sft_steps": 10, "turns": 6, "history_tokens": 40, "passage_tokens": 40, "passages": 2}
    config = TrainConfig(
        recipe="adaqr",
        base="local/SmolLM2-135M-Instruct",
        dataset=f"canard={talks(tmp_path / 'talks')}:all",
        max_steps=10,
        batch_size=1,
        max_length=256,
        held_out=0.0,
        learning_rate=5e-4,
        device="cpu",
        own=own,
    )
    out = tmp_path / "run"
    result = train(config, out)
    texts = [row["texts"] for row in map(json.loads, (out / "candidates.jsonl").read_text().splitlines())]
    assert sum(len(set(each)) > 1 for each in texts) >= 3, "it writes, and not always the same"
    assert result.facts["pairs"] == len((out / "pairs.jsonl").read_text().splitlines()) > 0
    told = json.loads((out / "model" / "adapter_config.json").read_text())
    assert set(told["target_modules"]) == {"q_proj", "v_proj"}, "AdaQR's own"
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in steps if "loss" in row]
    assert len(losses) == 10
    assert losses[0] == pytest.approx(math.log(2), abs=0.01), "policy and reference are the same at first"
    assert min(losses[1:]) < losses[0]
    before, after = ((out / part / "model" / "adapter_model.safetensors").read_bytes() for part in ("sft", ""))
    assert before != after
    assert AdaqrSettings().beta == 0.1
    assert AdaqrSettings().margin == 0.001


def test_the_commands_train_it_and_measure_what_came_of_it(
    model: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("litrag.training.adaqr._candidates", some)
    litrag = Here(tmp_path, monkeypatch, capsys)
    spec = f"canard={talks(tmp_path / 'talks')}"
    own = [f"--set={value}" for value in ("sft_turns=4", "sft_steps=1", "turns=4", "margin=0.0001")]
    size = ("--max-steps", "1", "--batch-size", "2", "--max-length", "1024", "--held-out", "0", "--device", "cpu")
    code, out, err = litrag(
        "train", "adaqr", "--dataset", f"{spec}:all", "--base", f"local/{model}", *size, *own, "-o", "mine"
    )
    assert code == 0, err
    name = out.splitlines()[-1].removeprefix("model: ")
    assert name == f"local/{model}+{tmp_path / 'mine' / 'model'}"
    monkeypatch.setenv("LITRAG_REWRITE_MODEL", name)
    code, out, err = litrag(
        "eval", "rewrite", "--dataset", f"{spec}:test", "--method", "human", "--method", "untrained", "-o", "measured"
    )
    assert code == 0, err
    results = json.loads((tmp_path / "measured" / "results.json").read_text())
    assert [row["name"] for row in results["systems"]] == ["original", "human", "untrained"]
    assert results["systems"][2]["settings"]["model"].startswith(f"local/{model}+"), "not the base"
    assert results["systems"][2]["cost"]["calls"] > 0, "the artefact is loaded by its model string"
