"""What a training is: one record of values, kept in its run folder; the same values, the same weights (on one machine's CPU)."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from litrag.core.errors import BadInput
from litrag.core.options import Option
from litrag.exports.records import Record

__all__ = ["TrainConfig", "train_config"]

R = TypeVar("R", bound=Record)


class TrainConfig(Record):
    """All settings of a training. Defaults of LoRA follow what AdaQR's DPO stage uses (adapters on q and v) at the size of a small model."""

    recipe: str = Field(description="Id of the recipe.")
    base: str = Field(description="Model string of what is trained: local/<id or folder>.")
    dataset: str = Field(description="File of examples, or a data set's name, as the recipe reads it.")
    seed: int = Field(default=0, ge=0, description="Seed of initial weights, order and dropout.")
    max_steps: int = Field(default=200, ge=1, description="Optimiser steps.")
    batch_size: int = Field(default=8, ge=1, description="Examples a step.")
    learning_rate: float = Field(
        default=1e-3, gt=0, description="Peak of the linear schedule; full tuning wants 1e-5 to 1e-4."
    )
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up.")
    max_length: int = Field(
        default=512, ge=8, description="Longest example in tokens; longer ones are left out and counted."
    )
    tuning: Literal["lora", "full", "head"] = Field(
        default="lora", description="An adapter, all weights, or (retriever) a head upon frozen vectors of queries."
    )
    lora_r: int = Field(default=8, ge=1, description="Rank of the adapter (Hu et al., ICLR 2022).")
    lora_alpha: int = Field(default=16, ge=1, description="Scale of the adapter.")
    lora_dropout: float = Field(default=0.05, ge=0, lt=1, description="Dropout before the adapter.")
    lora_targets: tuple[str, ...] = Field(
        default=(),
        description="Modules that get one; none: query and value projections, whatever the model calls them.",
    )
    held_out: float = Field(default=0.1, ge=0, lt=1, description="Share of the examples, by hash, that only measures.")
    save_every: int = Field(default=50, ge=1, description="Steps between checkpoints.")
    device: Literal["auto", "cpu"] = Field(default="auto", description="auto: CUDA where there is one.")
    own: dict[str, Option] = Field(default_factory=dict, description="The recipe's own settings.")

    @property
    def base_model(self) -> str:
        """The base as a model string."""
        return self.base if self.base.startswith("local/") else f"local/{self.base}"

    def of(self, kind: type[R]) -> R:
        """The recipe's own settings. Raises BadInput, naming the setting and those there are."""
        try:
            return kind(**self.own)
        except ValidationError as error:
            problem = error.errors()[0]
            name = ".".join(str(part) for part in problem["loc"])
            known = ", ".join(f"{n} ({f.default})" for n, f in kind.model_fields.items()) or "none"
            raise BadInput(f"recipe {self.recipe}, setting {name}: {problem['msg']}; there is: {known}") from error


def train_config(**values: Any) -> TrainConfig:
    """A config from options; None means not given. Raises BadInput, naming the option."""
    try:
        return TrainConfig(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise BadInput(f"training option {name}: {problem['msg']}") from error
