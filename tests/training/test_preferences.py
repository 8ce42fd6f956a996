"""DPO moves the model towards what is preferred, from a base or from an adapter, in tokens of inference."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
from fakes.killed import train_and_die

from litrag.core.errors import BadInput
from litrag.core.types import Message
from litrag.models.local import LocalBackend
from litrag.models.request import ModelRequest
from litrag.training.config import TrainConfig
from litrag.training.kit import train

pytest.importorskip("trl")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def pairs(folder: Path) -> Path:
    """Of two replies the one about dogs is always better."""
    rows = [
        {"prompt": f"the cat sat, case {i}", "chosen": "and the dog sat", "rejected": "on the mat"} for i in range(16)
    ]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"prompt": "x", "chosen": "y", "rejected": "y"}]))
    return path


def config(base: str, dataset: Path, **more: Any) -> TrainConfig:
    values = {"recipe": "dpo", "max_steps": 6, "batch_size": 4, "learning_rate": 2e-2, "held_out": 0.0, "device": "cpu"}
    return TrainConfig(base=base, dataset=str(dataset), **{**values, **more})


async def margin(model: str) -> float:
    """log P(chosen) - log P(rejected) after a prompt that was not shown."""
    asked = (Message("user", "the cat sat, case 99"),)
    request = ModelRequest("score", model, "t", messages=asked, continuations=("and the dog sat", "on the mat"))
    good, bad = (await LocalBackend().send(request)).scores
    return good.total - bad.total


async def test_it_prefers_what_is_preferred_and_goes_on_from_its_own_adapter(tiny_chat: Path, tmp_path: Path) -> None:
    base, warnings = f"local/{tiny_chat}", []
    first = train(config(base, pairs(tmp_path)), tmp_path / "one", listen=lambda event: warnings.append(event.message))
    assert any("line 17: no pair" in text for text in warnings)
    assert first.facts == {"learned": 16, "held_out": 0, "too_long": 0}
    assert first.model.startswith(f"{base}+")
    assert await margin(first.model) > await margin(base) + 0.1
    second = train(config(first.model, pairs(tmp_path)), tmp_path / "two")
    assert second.model == f"{base}+{(tmp_path / 'two' / 'model').absolute()}", (
        "an adapter of the base, not of an adapter"
    )
    assert await margin(second.model) > await margin(first.model)
    assert not (tmp_path / "two" / "model" / "ref").exists()


def test_it_gives_the_same_weights_twice(tiny_chat: Path, tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        train(config(f"local/{tiny_chat}", pairs(tmp_path), max_steps=3), tmp_path / name)
        weights.append((tmp_path / name / "model" / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_merged_adapter_is_its_own_reference(tiny_chat: Path, tmp_path: Path) -> None:
    """TRL by itself would take the adapter's base: then the loss does not begin at log 2."""
    first = train(config(f"local/{tiny_chat}", pairs(tmp_path)), tmp_path / "one")
    train(config(first.model, pairs(tmp_path), tuning="full", learning_rate=1e-3, max_steps=2), tmp_path / "two")
    row, *_ = [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_killed_one_ends_with_the_same_weights(tiny_chat: Path, tmp_path: Path, tuning: str) -> None:
    """The reference of what is resumed is what was loaded at the beginning, not the checkpoint."""
    settings = config(f"local/{tiny_chat}", pairs(tmp_path), tuning=tuning, save_every=2, lora_dropout=0.1)
    train(settings, tmp_path / "whole")
    assert train_and_die(settings, tmp_path / "killed", "5") == -signal.SIGKILL
    assert not (tmp_path / "killed" / "training.json").exists()
    train(settings, tmp_path / "killed", resume=True)
    whole, killed = (next((tmp_path / name / "model").glob("*.safetensors")) for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()


def test_a_file_without_pairs_says_what_a_pair_is(tiny_chat: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"prompt": "x", "completion": "y"}\n')
    with pytest.raises(BadInput, match="holds no pair; each line needs"):
        train(config(f"local/{tiny_chat}", tmp_path / "none.jsonl"), tmp_path / "out")
