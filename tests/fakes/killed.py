"""Processes that die by SIGKILL, forked from a server that has imported what is slow to import once: a training at a step, a review at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from litrag.core.events import Event
from litrag.training.config import TrainConfig

__all__ = ["review_for", "train_and_die"]

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "litrag.training.kit",
        "litrag.training.sft",
        "transformers.trainer",
        "peft",
        "trl",
        "litrag.pipelines.api",
        "litellm",
    ]
)


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

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith("checkpoint-6/trainer_state.json"):  # after the weights
            _die()

    if when == "writing":
        sys.addaudithook(watch)
    train(TrainConfig.model_validate_json(config), folder, listen=listen)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def review_for(seconds: float | None, home: Path, options: dict[str, Any]) -> tuple[bool, float]:
    """Runs a review in a process of its own, which is killed so many seconds after its first stage began; whether it came to its end before, and how long
    after that beginning it ended."""
    process = _PROCESSES.Process(target=_review, args=(str(home), options))
    begun = home / "begun"
    begun.unlink(missing_ok=True)
    process.start()
    while not begun.exists() and process.is_alive():
        time.sleep(0.001)
    start = time.monotonic()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return process.exitcode == 0, time.monotonic() - start


def _review(home: str, options: dict[str, Any]) -> None:
    os.environ |= {"LITRAG_HOME": home, "OPENAI_API_KEY": "none"}
    from litrag import review

    review(**options, listen=lambda event: (Path(home) / "begun").touch())
