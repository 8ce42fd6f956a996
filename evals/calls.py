"""Measuring from Python: `from litrag import evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litrag.core import registry, sync
from litrag.core.settings import load_settings
from litrag.evals import EVALS
from litrag.evals.results import Results
from litrag.evals.runner import evaluate as evaluated
from litrag.evals.tasks import EvalOptions, EvalTask

__all__ = ["evaluate"]


def evaluate(
    task: str,
    dataset: str | Path,
    out: str | Path,
    *,
    methods: Sequence[str] = (),
    n: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> Results:
    """Measures methods of an eval on a data set (a name or a folder, as `litrag eval` takes it) and writes results.json and queries.jsonl into `out`; `n` topics
    of it, None for all. Raises LitragError, BadInput among it where `out` holds another eval."""
    chosen: EvalTask = registry.find("eval", EVALS, task)
    options = EvalOptions(str(dataset), tuple(methods), n, seed, settings=load_settings(**settings))
    return sync.run(evaluated(chosen.evaluation(options), Path(out)))
