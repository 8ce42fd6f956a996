"""`litrag train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import progress, show

__all__ = ["register"]

_WHAT, _HOW, _LORA, _OUT = "What", "How", "Adapter", "Output"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(train)


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="What to train: sft, dpo, adaqr, car, frugal, explore, frugal-grpo, retriever, reranker.",
            autocompletion=choices.recipes,
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            help="sft, dpo: JSON Lines of examples; else data sets, NAME:train (reranker: several by +).",
            autocompletion=choices.examples_to_train,
            rich_help_panel=_WHAT,
        ),
    ],
    base: Annotated[
        str | None,
        typer.Option(
            help="Model to start from: local/<id or folder>.",
            show_default="the embedded one",
            rich_help_panel=_WHAT,
            metavar="MODEL",
            autocompletion=choices.models,
        ),
    ] = None,
    tuning: Annotated[
        str | None,
        typer.Option(
            help="lora, full, or head (retriever).", rich_help_panel=_HOW, autocompletion=choices.closed("tuning")
        ),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimiser steps.", rich_help_panel=_HOW)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step.", rich_help_panel=_HOW)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.", rich_help_panel=_HOW)] = None,
    warmup_steps: Annotated[int | None, typer.Option(help="Steps of warm-up.", rich_help_panel=_HOW)] = None,
    max_length: Annotated[int | None, typer.Option(help="Longest example, tokens.", rich_help_panel=_HOW)] = None,
    held_out: Annotated[float | None, typer.Option(help="Share that only measures.", rich_help_panel=_HOW)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.", rich_help_panel=_HOW)] = None,
    device: Annotated[
        str | None, typer.Option(help="auto or cpu.", rich_help_panel=_HOW, autocompletion=choices.closed("device"))
    ] = None,
    lora_r: Annotated[int | None, typer.Option(help="Rank.", rich_help_panel=_LORA)] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Scale.", rich_help_panel=_LORA)] = None,
    lora_targets: Annotated[str | None, typer.Option(help="Modules, by commas.", rich_help_panel=_LORA)] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(
            "-s", "--set", metavar="NAME=VALUE", help="The recipe's own setting; repeatable.", rich_help_panel=_HOW
        ),
    ] = None,
    save_every: Annotated[int | None, typer.Option(help="Steps between checkpoints.", rich_help_panel=_OUT)] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Run folder.", show_default="./train-<recipe>", rich_help_panel=_OUT),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run.", rich_help_panel=_OUT)] = False,
) -> None:
    """Train a small model of one's own; the result is a model string that every role takes."""
    values = {name: value for name, value in locals().items() if name not in ("out", "resume", "lora_targets", "own")}
    from litrag.core.errors import Interrupted
    from litrag.core.options import own_settings
    from litrag.training import defaults_of
    from litrag.training.config import train_config
    from litrag.training.kit import train as trained

    targets = tuple(name.strip() for name in lora_targets.split(",")) if lora_targets else None
    given = {name: value for name, value in values.items() if value is not None}
    given |= {"lora_targets": targets} if targets else {}
    config = train_config(**{**defaults_of(recipe), **given}, own=own_settings(own or ()))
    folder = out or Path(f"train-{recipe}")
    try:
        with progress() as listen:
            result = trained(config, folder, resume=resume, listen=listen)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; the last checkpoint is in {folder}; go on with the same command and --resume"
        ) from None
    losses = (
        f"held-out loss {result.loss_before:.4f} -> {result.loss_after:.4f}\n"
        if result.loss_before is not None and result.loss_after is not None
        else ""
    )
    facts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result.facts.items())
    show(
        {"folder": str(folder), **result.model_dump(mode="json")},
        f"{result.steps} steps; {facts}\n{losses}model: {result.model}",
        "train",
    )
