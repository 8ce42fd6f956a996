"""What every eval is to the command line: from options to systems, and what it leaves beside results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from litrag.core.settings import Settings
from litrag.evals.runner import Evaluation

__all__ = ["EvalOptions", "EvalTask"]


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What the user asked. `dataset` is a spec of `evals.data.load` ("" is the task's own), `methods` and `measures` default to the
    task's, `n` None is every topic, `runs` are files of TREC runs that join the table, `k` is how deep a ranking goes; `library` is searched
    in the place of the data set's own documents, by the tasks whose `over_libraries` is true."""

    dataset: str = ""
    methods: tuple[str, ...] = ()
    n: int | None = None
    seed: int = 0
    k: int = 1000
    measures: tuple[str, ...] = ()
    runs: tuple[Path, ...] = ()
    settings: Settings | None = None
    library: str = ""


class EvalTask(Protocol):
    """One eval: the value behind a name of EVALS."""

    @property
    def methods(self) -> Mapping[str, object]:
        """Its methods, in the order of its table, by name."""

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """The systems over the topics. Raises UnknownName, BadInput, EnvironmentFault."""

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes what the task gives beyond results.json; returns the files."""
