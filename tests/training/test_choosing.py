"""Examples chosen by their gradients, and the linear model of preferences."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from litrag.training.choosing import by_effort, by_influence, chosen
from litrag.training.config import TrainConfig
from litrag.training.kit import train
from litrag.training.scoring import pairwise_weights

pytest.importorskip("peft")


def test_effort_keeps_every_region_by_its_share() -> None:
    values = [1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 9.0, 9.0]
    assert by_effort(values, 4) == [2, 4, 6, 7], "shares of 4: .25, .5, 1, 2.25, rounded with what is owed"
    assert by_effort(values, 8) == list(range(8))
    assert by_effort([0.0] * 5, 2) == [3, 4], "no effort anywhere: any will do"
    assert by_influence([3.0, -1.0, 5.0, 4.0], 2) == [2, 3]


def test_influence_prefers_what_lowers_the_others_loss() -> None:
    """A line through the origin: examples with the right slope help the judges, those with the opposite one harm them."""
    import torch

    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> object:
            return type("Out", (), {"loss": ((self.slope * x - y) ** 2).mean()})()

    def batch(rows: object) -> dict[str, torch.Tensor]:
        (row,) = rows  # type: ignore[misc]
        return {"x": torch.tensor([float(row["xy"][0])]), "y": torch.tensor([float(row["xy"][1])])}

    rows = [{"xy": (1, 2)}, {"xy": (1, 2)}, {"xy": (1, -2)}, {"xy": (2, 4)}, {"xy": (1, -1)}, {"xy": (1, 2)}]
    assert chosen(Line(), rows, "influence", 2, batch) == [1, 3]
    assert chosen(Line(), rows, "", 2, batch) == list(range(6))
    assert 3 in chosen(Line(), rows, "effort", 2, batch)


def test_sft_learns_from_the_chosen_half(write_llama: Callable[..., Path], tmp_path: Path, home: Path) -> None:
    model = write_llama(tmp_path / "llama", 0, None)
    lines = [{"prompt": f"ask {i}", "completion": f"say {i}" * (1 + i % 3)} for i in range(12)]
    (tmp_path / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for how in ("effort", "influence"):
        config = TrainConfig(
            recipe="sft",
            base=f"local/{model}",
            dataset=str(tmp_path / "examples.jsonl"),
            max_steps=1,
            batch_size=2,
            held_out=0.0,
            device="cpu",
            own={"choose": how},
        )
        assert train(config, tmp_path / how).facts["learned"] == 6


def test_pairwise_weights_find_what_made_the_difference() -> None:
    draw = random.Random(0)
    gaps = []
    for _ in range(400):
        a, b = draw.gauss(0, 1), draw.gauss(0, 5)
        better = 2 * a - 0.1 * b + draw.gauss(0, 0.5)
        gaps.append([a, b, 0.0] if better > 0 else [-a, -b, 0.0])
    weights = pairwise_weights(gaps, ("a", "b", "none"))
    assert weights["none"] == 0.0
    assert weights["a"] > 0 > weights["b"]
    assert weights["a"] / -weights["b"] == pytest.approx(20, rel=0.35)
    right = sum(weights["a"] * a + weights["b"] * b > 0 for a, b, _ in gaps)
    assert right > 350
