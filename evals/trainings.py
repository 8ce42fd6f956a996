"""Trainings that rows of a table need: made once, kept under the user's data folder, shared by rows that ask for the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litrag.core.errors import BadInput
from litrag.core.paths import home
from litrag.core.store import digest
from litrag.corpora import load, split_of
from litrag.models.weights import resolve_local
from litrag.training import defaults_of
from litrag.training.config import TrainConfig
from litrag.training.kit import train

__all__ = ["BASE", "SEEDS", "other_half", "shown", "trained"]

BASE: Final = "local/SmolLM2-135M-Instruct"  # what rows ask where no model is set, and what they train
SEEDS: Final = (0, 1, 2)


def other_half(spec: str, split: str) -> str:
    """The half of a data set that trained rows learn from where its topics are measured. Raises BadInput where those are that half, or both."""
    body, _ = split_of(spec)
    if split != "test":
        raise BadInput(f"the trained rows learn from {body}:train; evaluate {body}:test")
    return f"{body}:train"


def shown(model: str | None) -> str:
    """A model string as results hold it, "" for none: an adapter goes by a hash of its weights, not by the folder where it lies on this machine. Raises
    ModelUnavailable where there is no such adapter."""
    if not model or "+" not in model or not model.startswith("local/"):
        return model or ""
    adapter = resolve_local(model).adapter
    weights = sorted(adapter.glob("*.safetensors")) if adapter else []
    told = hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()[:12]
    return f"{model.rpartition('+')[0]}+{told}"


def trained(recipe: str, dataset: str, base: str, settings: Mapping[str, Any]) -> tuple[str, Path]:
    """The model string and the run folder of a training from `base` on a data set (several joined by "+"), nothing held out. `settings` are
    `TrainConfig`'s, the recipe's own under "own". Raises what a training raises."""
    from filelock import FileLock

    values = {**defaults_of(recipe), "base": base, "held_out": 0.0, **settings}
    config = TrainConfig(recipe=recipe, dataset=dataset, **values)
    topics = [load(spec).fingerprint for spec in dataset.split("+")]
    folder = home() / "evals" / f"{recipe}-{digest([config.model_dump(mode='json'), topics])[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):  # rows that share it may run side by side
        return train(config, folder, resume=True).model, folder
