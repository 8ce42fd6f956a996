"""Training from Python: `from litrag import train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litrag.core.options import Option
from litrag.training import defaults_of
from litrag.training.config import train_config
from litrag.training.kit import train as trained
from litrag.training.run import Trained

__all__ = ["train"]


def train(
    recipe: str,
    dataset: str | Path,
    out: str | Path,
    *,
    own: Mapping[str, Option] | None = None,
    resume: bool = False,
    **config: Any,
) -> Trained:
    """Trains a small model by a recipe of RECIPES in the run folder `out`; `config` are fields of TrainConfig (`max_steps=`, `base=` ...), `own` the recipe's own
    settings. The result's `model` is a model string that every role takes. Raises LitragError."""
    given = {"recipe": recipe, "dataset": str(dataset), **defaults_of(recipe), **config}
    return trained(train_config(**given, own=dict(own or {})), Path(out), resume=resume)
