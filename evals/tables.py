"""Results as a table: for a terminal, and for the docs, which hold nothing typed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litrag.core.errors import UnknownName
from litrag.evals.results import Metric, Results, SystemResult
from litrag.evals.significance import LEVEL

__all__ = ["difference", "figure", "markdown_table", "terminal_table"]

_MARK = f"* differs from the first row at p < {LEVEL} (paired permutation test, Holm over all pairs of the table)"


PLACED: Final = 0.9  # below it a row says nothing of its method
_INVALID = f"(invalid): the model placed less than {PLACED:.0%} of what it was to place; a model that cannot rank looks like the input"


def terminal_table(results: Results) -> str:
    """One row a system, one column a metric with its interval, then what it cost."""
    metrics = _metrics(results)
    head = ["", *metrics, "searches", "calls", "tokens", "seconds"]
    body = [
        [
            _label(system, results.n),
            *(_cell(results, system.name, name, system.metrics.get(name)) for name in metrics),
            f"{system.cost.searches:.1f}",
            f"{system.cost.calls:.1f}",
            f"{system.cost.prompt_tokens + system.cost.completion_tokens:,.0f}",
            f"{system.cost.seconds:.1f}",
        ]
        for system in results.systems
    ]
    title = f"{results.task}, {results.dataset}, {results.n} topics, seed {results.seed}; 95 % bootstrap intervals"
    return "\n".join([title, *_aligned([head, *body]), *_note(results)])


def markdown_table(results: Results, metrics: Sequence[str] = ()) -> str:
    """The same for Markdown, without the costs of the machine it ran on; `metrics` picks columns."""
    chosen = [name for name in _metrics(results) if not metrics or name in metrics]
    lines = [f"| {results.dataset}, n = {results.n} | {' | '.join(chosen)} |", "|---" * (len(chosen) + 1) + "|"]
    for system in results.systems:
        cells = [_cell(results, system.name, name, system.metrics.get(name)) for name in chosen]
        lines.append(f"| {_label(system, results.n)} | {' | '.join(cells)} |")
    return "\n".join([*lines, *(line for note in _note(results) for line in ("", note))])


def figure(results: Results, system: str, metric: str, *, interval: bool = False) -> str:
    """One value as the tables print it, ".538", and with `interval` its bounds: ".538 [.485, .591]". Raises UnknownName."""
    rows = {row.name: row.metrics for row in results.systems}
    if system not in rows:
        raise UnknownName(f"system of {results.task} on {results.dataset}", system, rows)
    found = rows[system].get(metric)
    if found is None:
        raise UnknownName(f"metric of {system}", metric, rows[system])
    return f"{_short(found.value)} [{_short(found.low)}, {_short(found.high)}]" if interval else _short(found.value)


def difference(results: Results, a: str, b: str, metric: str, *, interval: bool = False, p: bool = False) -> str:
    """a - b as prose has it: "+.012", with `interval` "+.012 [-.013, +.037]", with `p` Holm's adjusted p behind it: "+.075, p .005". Raises UnknownName for a
    pair that was not compared under the metric."""
    for found in results.comparisons:
        if found.metric == metric and {found.a, found.b} == {a, b}:
            sign = 1.0 if found.a == a else -1.0
            low, high = sorted((sign * found.low, sign * found.high))
            bounds = f" [{_signed(low)}, {_signed(high)}]" if interval else ""
            chance = f", p {_short(found.p_holm)}" if found.p_holm >= 0.0005 else ", p < .001"
            return f"{_signed(sign * found.difference)}{bounds}{chance if p else ''}"
    pairs = (f"{each.a} {each.b} {each.metric}" for each in results.comparisons)
    raise UnknownName(f"comparison of {results.task} on {results.dataset}", f"{a} {b} {metric}", pairs)


def _signed(value: float) -> str:
    shown = _short(abs(value))
    return f"{'-' if value < 0 and float(shown) else '+'}{shown}"


def _label(system: SystemResult, n: int) -> str:
    """The system's name, its class before it where it has one, and a mark where its model decided too little of the order to be judged, or a run lacks some of
    the `n` topics, which count as 0."""
    kind = system.settings.get("class")
    placed = system.metrics.get("placed")
    mark = " (invalid)" if placed is not None and placed.value < PLACED else ""
    topics = system.settings.get("topics") if "run" in system.settings else None
    part = f" ({topics} of {n} topics)" if topics is not None and topics < n else ""
    return f"{f'({kind}) ' if kind else ''}{system.name}{mark}{part}"


def _metrics(results: Results) -> list[str]:
    return list(dict.fromkeys(name for system in results.systems for name in system.metrics))


def _cell(results: Results, system: str, name: str, metric: Metric | None) -> str:
    if metric is None:
        return "-"
    star = "*" if _differs(results, system, name) else ""
    return f"{_short(metric.value)}{star} [{_short(metric.low)}, {_short(metric.high)}]"


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def _differs(results: Results, system: str, metric: str) -> bool:
    first = results.systems[0].name
    return any(
        comparison.p_holm < LEVEL
        for comparison in results.comparisons
        if comparison.metric == metric and {comparison.a, comparison.b} == {first, system} and system != first
    )


def _note(results: Results) -> list[str]:
    notes = [f"Pool: {pool}"] if (pool := results.settings.get("pool")) else []
    notes += [_MARK] if len(results.systems) > 1 else []
    return notes + ([_INVALID] if any("(invalid)" in _label(system, results.n) for system in results.systems) else [])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
