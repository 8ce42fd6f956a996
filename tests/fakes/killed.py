"""A training that kills its own process, in one forked from a server that has imported torch and its kin once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

from litrag.core.events import Event
from litrag.training.config import TrainConfig

__all__ = ["train_and_die"]

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["litrag.training.kit", "litrag.training.sft", "transformers.trainer", "peft", "trl"])


def train_and_die(config: TrainConfig, folder: Path, when: str) -> int | None:
    """The exit code of a training that dies by SIGKILL: after the step `when`, or, for "writing", while a checkpoint is written."""
    process = _PROCESSES.Process(target=_train, args=(config.model_dump_json(), folder, when))
    process.start()
    process.join()
    return process.exitcode


def _train(config: str, folder: Path, when: str) -> None:
    from litrag.training.kit import train

    def listen(event: Event) -> None:
        if when == str(event.done):
            _die()

    if when == "writing":
        threading.Thread(
            target=_watch, args=(folder / "steps" / "checkpoint-6" / "rng_state.pth",), daemon=True
        ).start()
    train(TrainConfig.model_validate_json(config), folder, listen=listen)


def _watch(file: Path) -> None:
    while not file.exists():
        pass
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
