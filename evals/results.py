"""results.json: what an eval found. The same fields for every task, so that tables and plots need no more than this file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from litrag.core.display import fragment, line, table
from litrag.core.errors import BadInput
from litrag.evals.significance import bootstrap_interval, holm, paired_differences
from litrag.exports.records import Record

__all__ = ["Comparison", "Cost", "Metric", "Results", "SystemResult", "compare", "measured", "read_results"]


class Metric(Record):
    """A mean over topics with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Cost(Record):
    """What a system took: counts are means a topic, `seconds` the sum over topics of the wall clock of each."""

    searches: float = 0
    calls: float = 0
    prompt_tokens: float = 0
    completion_tokens: float = 0
    seconds: float = 0


class SystemResult(Record):
    """One row of a table."""

    name: str
    settings: dict[str, Any]
    metrics: dict[str, Metric] = Field(description="By ir-measures' names where it has one.")
    cost: Cost


class Comparison(Record):
    """a - b over the same topics. `p` is the two-sided paired permutation test's, `p_holm` is corrected over all pairs of the table
    under one metric."""

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


class Results(Record):
    """The whole file."""

    task: str
    dataset: str = Field(description="Name, with its split where that is not the whole: scifact:test.")
    n: int = Field(description="Topics that were evaluated.")
    seed: int
    versions: dict[str, str]
    settings: dict[str, Any]
    systems: list[SystemResult]
    comparisons: list[Comparison]

    def _repr_html_(self) -> str:
        metrics = list(dict.fromkeys(name for system in self.systems for name in system.metrics))
        rows = (
            [system.name, *(_shown(system.metrics.get(name)) for name in metrics), *_costs(system.cost, self.n)]
            for system in self.systems
        )
        costs = ["searches", "model calls", "tokens", "seconds"]
        told = f"{self.task}, {self.dataset}: means over {self.n} topics with 95 % intervals; costs are a topic's"
        return fragment(line(told), table(["system", *metrics, *costs], rows))

    def to_json(self) -> str:
        """The file's text: the same results, the same bytes."""
        return self.model_dump_json(indent=1) + "\n"

    def comparisons_csv(self) -> str:
        """All pairs compared, a line each, under a head of the fields' names."""
        text = io.StringIO()
        table = csv.DictWriter(text, list(Comparison.model_fields), lineterminator="\n")
        table.writeheader()
        table.writerows(pair.model_dump() for pair in self.comparisons)
        return text.getvalue()


def _shown(metric: Metric | None) -> str:
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]" if metric else "–"


def _costs(cost: Cost, topics: int) -> list[float]:
    tokens = cost.prompt_tokens + cost.completion_tokens
    return [
        *(round(value, 1) for value in (cost.searches, cost.calls, tokens)),
        round(cost.seconds / max(topics, 1), 2),
    ]


def read_results(path: Path) -> Results:
    """Reads a results.json. Raises BadInput."""
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise BadInput(f"{path} is no results.json ({where}: {problem['msg']}); run the eval again") from error


def measured(values: Mapping[str, Sequence[float]], *, seed: int) -> dict[str, Metric]:
    """Metric -> mean and interval, from one value a topic."""
    found = {name: bootstrap_interval(column, seed=seed) for name, column in values.items()}
    return {name: Metric(value=i.value, low=i.low, high=i.high) for name, i in found.items()}


def compare(values: Mapping[str, Mapping[str, Sequence[float]]], *, seed: int) -> list[Comparison]:
    """All pairs of systems under every metric that both have: system -> metric -> one value a topic, topics in one order. The later
    system of a pair is `a`, so that a gain over the first is positive."""
    metrics = dict.fromkeys(metric for columns in values.values() for metric in columns)
    found: list[Comparison] = []
    for metric in metrics:
        having = [name for name, columns in values.items() if metric in columns]
        pairs = [(a, b) for b, a in combinations(having, 2)]
        gaps = paired_differences([(values[a][metric], values[b][metric]) for a, b in pairs], seed=seed)
        corrected = holm([gap.p for gap in gaps])
        found += [
            Comparison(
                a=a, b=b, metric=metric, difference=gap.value, low=gap.low, high=gap.high, p=gap.p, p_holm=p_holm
            )
            for (a, b), gap, p_holm in zip(pairs, gaps, corrected, strict=True)
        ]
    return found
