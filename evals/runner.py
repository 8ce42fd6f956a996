"""Running systems over topics: bounded side by side, resumed where it was killed, ended with results.json."""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from litrag.core.errors import BadInput, CannotWrite
from litrag.core.events import Event, Listener, silent
from litrag.core.versions import versions
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer, Journal, Line
from litrag.evals.results import Cost, Results, SystemResult, compare, measured

__all__ = ["COMPARISONS", "RESULTS", "Evaluation", "Prepared", "System", "evaluate"]

RESULTS: Final = "results.json"
COMPARISONS: Final = "comparisons.csv"
_AHEAD: Final = 8  # answers that may wait for a slow one before them, times the concurrency
_PACKAGES: Final = ("litrag", "numpy", "bm25s", "ir-measures", "torch", "transformers", "sentence-transformers")


class Prepared(Protocol):
    """A system that is ready to answer."""

    async def answer(self, topic: Topic) -> Answer:
        """Its answer to one topic; called side by side."""


@dataclass(frozen=True, slots=True)
class System:
    """One row of a table. `prepare` builds what is dear (an index) and runs only when an answer is still missing."""

    name: str
    prepare: Callable[[], Prepared]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One eval: a task, a sample of a data set, systems (the first is what the others are compared with), the settings they share."""

    task: str
    dataset: Dataset
    systems: tuple[System, ...]
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [system.name for system in self.systems]
        if len(set(names)) != len(names) or not names:
            raise BadInput(f"systems {names}: name each method once, and at least one")
        if not self.dataset.topics:
            raise BadInput(f"data set {self.dataset.name}:{self.dataset.split} has no topic to evaluate")

    @property
    def config(self) -> dict[str, Any]:
        """What two runs must share to be one."""
        return {
            "task": self.task,
            "dataset": f"{self.dataset.name}:{self.dataset.split}",
            "topics": self.dataset.fingerprint,
            "n": len(self.dataset.topics),
            "seed": self.seed,
            "settings": dict(self.settings),
            "systems": [[system.name, dict(system.settings)] for system in self.systems],
        }


async def evaluate(
    evaluation: Evaluation,
    folder: Path,
    *,
    resume: bool = False,
    concurrency: int = 4,
    listen: Listener = silent,
) -> Results:
    """Runs what is missing, writes queries.jsonl as it goes, in order of the topics, and results.json and comparisons.csv at the end. An error ends it; what was written is
    kept, and `resume` goes on there. Raises BadInput (folder), CannotWrite, and whatever a system raises."""
    with Journal(folder, evaluation.config, resume=resume) as journal:
        for system in evaluation.systems:
            left = [t for t in evaluation.dataset.topics if (system.name, t.id) not in journal.lines]
            done = len(evaluation.dataset.topics) - len(left)
            if not left:
                continue
            listen(Event(system.name, "getting ready", "start"))  # indexes, vectors, a training: it may take minutes
            prepared = await asyncio.to_thread(system.prepare)
            async for line in _answers(system.name, prepared, left, concurrency):
                journal.write(line)
                done += 1
                listen(Event(system.name, "measuring", done=done, total=len(evaluation.dataset.topics)))
        results = _results(evaluation, journal.lines)
    try:
        (folder / RESULTS).write_text(results.to_json(), encoding="utf-8")
        (folder / COMPARISONS).write_text(results.comparisons_csv(), encoding="utf-8")
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error)) from error
    return results


async def _answers(name: str, prepared: Prepared, topics: Sequence[Topic], concurrency: int) -> AsyncIterator[Line]:
    """The answers in order of the topics, at most `concurrency` in the making: a slow one holds up the order, not those behind it."""
    waiting: list[asyncio.Task[Answer]] = []
    left = iter(topics)
    turns = asyncio.Semaphore(concurrency)
    try:
        for topic in topics:
            while len(waiting) < _AHEAD * concurrency and (following := next(left, None)) is not None:
                waiting.append(asyncio.create_task(_timed(prepared, following, turns)))
            yield Line(name, topic.id, await waiting.pop(0))
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _timed(prepared: Prepared, topic: Topic, turns: asyncio.Semaphore) -> Answer:
    async with turns:
        start = time.perf_counter()
        answer = await prepared.answer(topic)
        return replace(answer, seconds=time.perf_counter() - start)


def _results(evaluation: Evaluation, lines: Mapping[tuple[str, str], Answer]) -> Results:
    topics = evaluation.dataset.topics
    answers = {system.name: [lines[system.name, topic.id] for topic in topics] for system in evaluation.systems}
    values = {name: _columns(rows) for name, rows in answers.items()}
    split = evaluation.dataset.split
    return Results(
        task=evaluation.task,
        dataset=evaluation.dataset.name + (f":{split}" if split != "all" else ""),
        n=len(topics),
        seed=evaluation.seed,
        versions={"python": platform.python_version(), **versions(_PACKAGES), **_device()},
        settings={**evaluation.settings, "topics": evaluation.dataset.fingerprint},
        systems=[
            SystemResult(
                name=system.name,
                settings=dict(system.settings),
                metrics=measured(values[system.name], seed=evaluation.seed),
                cost=_cost(answers[system.name]),
            )
            for system in evaluation.systems
        ],
        comparisons=compare(values, seed=evaluation.seed),
    )


def _device() -> dict[str, str]:
    """The device that local models ran on, where it was no CPU: last digits may differ there."""
    torch = sys.modules.get("torch")
    return {"device": torch.cuda.get_device_name()} if torch is not None and torch.cuda.is_available() else {}


def _columns(rows: Sequence[Answer]) -> dict[str, list[float]]:
    """The values of each metric, of the topics that have it."""
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    return {name: [row.metrics[name] for row in rows if name in row.metrics] for name in names}


def _cost(rows: Sequence[Answer]) -> Cost:
    names = dict.fromkeys(name for row in rows for name in row.counts)
    means = {name: sum(row.counts.get(name, 0) for row in rows) / len(rows) for name in names}
    return Cost(**means, seconds=round(sum(row.seconds for row in rows), 3))
