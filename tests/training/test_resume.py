"""Killed at any step and resumed, a training ends with the weights of an undisturbed one, bit for bit; dropout and shuffling included."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from fakes.killed import train_and_die

from litrag.core.errors import BadInput
from litrag.training.config import TrainConfig
from litrag.training.kit import train
from litrag.training.run import TrainingRun

STEPS = 9


def config(base: Path, examples: Path, tuning: Any, **more: Any) -> TrainConfig:
    targets = ("c_attn",) if "gpt2" in base.name else ("q_proj", "v_proj")
    values = {
        "max_steps": STEPS,
        "batch_size": 4,
        "save_every": 3,
        "learning_rate": 1e-2,
        "held_out": 0.2,
        "lora_dropout": 0.1,
    }
    return TrainConfig(
        recipe="sft",
        base=str(base),
        dataset=str(examples),
        tuning=tuning,
        device="cpu",
        lora_targets=targets,
        **{**values, **more},
    )


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (file,) = (folder / "model").glob("*.safetensors")
    return load_file(file)


def same(a: Path, b: Path) -> bool:
    import torch

    first, second = weights(a), weights(b)
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("tuning", "moments"),
    [("full", ("2", "writing")), ("lora", ("3", "8"))],
    ids=["full, before the first checkpoint and while one is written", "lora, at a checkpoint and after two"],
)
def test_a_killed_training_ends_with_the_same_weights(
    tiny_gpt2: Path, examples: Path, tmp_path: Path, tuning: str, moments: tuple[str, ...]
) -> None:
    settings = config(tiny_gpt2, examples, tuning)
    whole = train(settings, tmp_path / "whole")
    for when in moments:
        folder = tmp_path / f"killed-{when}"
        assert train_and_die(settings, folder, when) == -signal.SIGKILL
        assert not (folder / "training.json").exists()
        resumed = train(settings, folder, resume=True)
        assert same(tmp_path / "whole", folder), when
        assert resumed.loss_after == whole.loss_after
        rows = [TrainingRun(f, settings).metrics() for f in (tmp_path / "whole", folder)]
        assert [row["step"] for row in rows[1]] == [0, *range(1, STEPS + 1), STEPS], "each step once"
        assert [row.get("loss") for row in rows[0]] == [row.get("loss") for row in rows[1]]


def test_another_seed_gives_other_weights(tiny_llama: Path, examples: Path, tmp_path: Path) -> None:
    """Or the test above would pass on a trainer that does nothing."""
    for seed in (0, 1):
        train(config(tiny_llama, examples, "full", seed=seed, max_steps=3), tmp_path / str(seed))
    assert not same(tmp_path / "0", tmp_path / "1")


def test_half_a_checkpoint_does_not_count(tiny_llama: Path, examples: Path, tmp_path: Path) -> None:
    settings = config(tiny_llama, examples, "lora")
    folder = tmp_path / "run"
    assert train_and_die(settings, folder, "8") == -signal.SIGKILL
    shutil.copytree(folder / "steps" / "checkpoint-6", folder / "steps" / "checkpoint-7")
    (folder / "steps" / "checkpoint-7" / "complete").unlink()
    assert TrainingRun(folder, settings).checkpoint() == folder / "steps" / "checkpoint-6"
    assert not (folder / "steps" / "checkpoint-7").exists()
    assert max(row["step"] for row in TrainingRun(folder, settings).metrics()) == 6


def test_a_finished_run_stays_and_another_config_is_refused(tiny_llama: Path, examples: Path, tmp_path: Path) -> None:
    settings = config(tiny_llama, examples, "lora", max_steps=2)
    first = train(settings, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    assert train(settings, tmp_path / "run", resume=True) == first
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    with pytest.raises(BadInput, match="go on with it by --resume"):
        train(settings, tmp_path / "run")
    with pytest.raises(BadInput, match="holds another training .max_steps was 2"):
        train(config(tiny_llama, examples, "lora", max_steps=3), tmp_path / "run", resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match="holds other files"):
        train(settings, tmp_path / "full")
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {"config.json", "versions.json", "metrics.jsonl", "training.json", "model"}
    assert json.loads((tmp_path / "run" / "versions.json").read_text())["torch"].startswith("2.")
