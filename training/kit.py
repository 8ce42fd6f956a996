"""One way to train: any `transformers.Trainer` (TRL's and sentence-transformers' are such) in a run folder, resumed exactly.

Exact means: killed at any step and resumed, the weights are bit for bit those of an undisturbed run, on the CPU with one seed. The Trainer
saves and restores order, dropout, optimiser and schedule; the kit sees to it that only whole checkpoints count, that seeds are set before
anything is built, and that nothing is measured between a checkpoint and its use."""

from __future__ import annotations

import importlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from litrag.core import registry
from litrag.core.errors import CannotWrite, MissingExtra
from litrag.core.events import Event, Listener, silent
from litrag.models.local_loading import prepare_torch
from litrag.training import RECIPES
from litrag.training.artefact import Kind, called
from litrag.training.config import TrainConfig
from litrag.training.run import Trained, TrainingRun

if TYPE_CHECKING:
    from transformers import Trainer

__all__ = ["Built", "Fitted", "Job", "Recipe", "needed", "train"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a recipe gets."""

    run: TrainingRun
    listen: Listener = silent

    @property
    def config(self) -> TrainConfig:
        """The settings."""
        return self.run.config

    def arguments(self, kind: type | None = None, **more: Any) -> Any:
        """The Trainer's arguments for these settings: of `kind`, for trainers that extend them (DPOConfig, GRPOConfig ...), with
        `more` of its own. Raises MissingExtra."""
        transformers = needed("transformers")
        needed("accelerate")
        config = self.config
        values: dict[str, Any] = {
            "output_dir": str(self.run.steps),
            "max_steps": config.max_steps,
            "per_device_train_batch_size": config.batch_size,
            "per_device_eval_batch_size": config.batch_size,
            "learning_rate": config.learning_rate,
            "warmup_steps": config.warmup_steps,
            "seed": config.seed,
            "data_seed": config.seed,
            "save_strategy": "steps",
            "save_steps": config.save_every,
            "save_total_limit": 2,
            "logging_steps": 1,
            "report_to": [],
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            "use_cpu": (on_cpu := config.device == "cpu" or prepare_torch().type == "cpu"),
            "bf16": not on_cpu,  # autocast; weights stay as they were loaded
            **more,
        }
        return (kind or transformers.TrainingArguments)(**values)


@dataclass(frozen=True, slots=True)
class Built:
    """What a recipe gives: a trainer that is ready, how its result is saved into a folder, how its model is called (None: the folder
    itself is the model; else the base that the folder adapts), whether it has held-out examples, its own counts; `file`, where the result is no
    model of language but one file of the folder."""

    trainer: Trainer | Fitted
    save: Callable[[Path], None]
    adapts: str | None = None
    measures: bool = False
    facts: Mapping[str, int] = field(default_factory=dict)
    file: str = ""


class Fitted:
    """The trainer of what was fitted while it was built: it has no steps."""

    def train(self, **more: Any) -> None:
        """Nothing is left to do."""

    def add_callback(self, callback: Any) -> None:
        """Nothing will call it."""

    def remove_callback(self, callback: Any) -> None:
        """There is none."""

    def evaluate(self) -> Mapping[str, float]:
        """It has no loss."""
        return {"eval_loss": 0.0}


Recipe: TypeAlias = Callable[[Job], Built]


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    listen: Listener = silent,
    recipe: Recipe | None = None,
) -> Trained:
    """Trains to the end and returns what came out; a finished run returns at once. `recipe` is for one that has no name. Raises
    UnknownName, BadInput (config, folder, examples), MissingExtra, ModelUnavailable, CannotWrite. After an interruption the last
    checkpoint stays."""
    chosen: Recipe = recipe or registry.find("recipe", RECIPES, config.recipe)
    run = TrainingRun.begin(folder, config, resume=resume)
    if (done := run.trained) is not None:
        return done
    checkpoint = run.checkpoint()
    with _quiet():
        needed("transformers").set_seed(config.seed)
        built = chosen(Job(run, listen))
        built.trainer.remove_callback(needed("transformers").PrinterCallback)  # it prints on stdout, where results go
        built.trainer.add_callback(_callback(run, listen))
        try:
            return _trained(run, built, checkpoint)
        except OSError as error:
            raise CannotWrite(run.folder, error.strerror or str(error)) from error


def needed(module: str) -> Any:
    """A module of the extra `train`. Raises MissingExtra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(module, "train") from error


def _trained(run: TrainingRun, built: Built, checkpoint: Path | None) -> Trained:
    config, trainer = run.config, built.trainer
    if checkpoint is None and built.measures:
        run.log({"step": 0, "eval_loss": _eval_loss(trainer)})
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if built.measures:
        run.log({"step": config.max_steps, "eval_loss": _eval_loss(trainer)})
    part = run.folder / ".model.part"
    shutil.rmtree(part, ignore_errors=True)
    built.save(part)
    shutil.rmtree(run.model, ignore_errors=True)
    part.replace(run.model)
    losses = [row["eval_loss"] for row in run.metrics() if "eval_loss" in row]
    kind: Kind = "file" if built.file else "adapter" if built.adapts else "full"
    base = (built.adapts or "").removeprefix("local/")
    return run.finish(
        Trained(
            recipe=config.recipe,
            model=called(kind, run.folder, base, built.file),
            kind=kind,
            base=base,
            steps=config.max_steps,
            loss_before=losses[0] if losses else None,
            loss_after=losses[-1] if losses else None,
            facts=dict(built.facts),
        )
    )


def _eval_loss(trainer: Trainer | Fitted) -> float:
    return float(trainer.evaluate()["eval_loss"])


def _callback(run: TrainingRun, listen: Listener) -> Any:
    from transformers import TrainerCallback

    class Keeping(TrainerCallback):  # type: ignore[misc]
        """Metrics into the run's file, progress to the listener, markers on whole checkpoints."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            row = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
            if "loss" in row or "reward" in row:
                kept = {name: value for name, value in row.items() if "runtime" not in name and "time" not in name}
                run.log({"step": state.global_step, **kept})
                shown = "loss" if "loss" in row else "reward"
                listen(Event("train", f"{shown} {row[shown]:.4f}", done=state.global_step, total=state.max_steps))

        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            run.mark(state.global_step)

    return Keeping()


@contextmanager
def _quiet() -> Iterator[None]:
    """Trainers talk on stdout and warn of what the kit has settled; both stay here."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging = importlib.import_module("transformers.utils.logging")
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
