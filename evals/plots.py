"""Results as pictures: intervals, quality against cost, the frugality curve, recall by stage of a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from litrag.core.display import clean
from litrag.core.errors import BadInput, UnknownName
from litrag.evals.pictures import SERIES, Look, Picture, drawing, new_figure, place_names, saved, tidy
from litrag.evals.results import Cost, Results, SystemResult

__all__ = ["CURVE", "STAGES", "draw", "draw_costs", "draw_frugality", "draw_stages"]

STAGES: Final = {
    "recall_pool": "found",
    "recall_reranked": "reranked",
    "recall_selected": "selected",
    "recall_planned": "planned",
    "recall_cited": "cited",
}
CURVE: Final = ("title_recall", "searches", "documents")  # what a frugality curve needs of a system


@drawing()
def draw(results: Results, folder: Path, *, most_panels: int = 4) -> Picture:
    """`plot`: a panel for each of the first metrics, a mark a system, its interval a line. Raises MissingExtra, CannotWrite."""
    metrics = list(dict.fromkeys(name for system in results.systems for name in system.metrics))[:most_panels]
    figure = new_figure(2.6 * len(metrics) + 1.4, 0.3 * len(results.systems) + 1.4)
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        _panel(axis, results, metric)
    _title(figure, results, " (95 % intervals)")
    rows = [(s.name, name, m.value, m.low, m.high) for s in results.systems for name, m in s.metrics.items()]
    return saved(figure, folder, "plot", ("system", "metric", "value", "low", "high"), rows)


@drawing()
def draw_costs(results: Results, folder: Path) -> Picture:
    """`cost`: the first metric with its interval against what a topic took: tokens, or searches where no system has a token and searches differ, or else seconds.
    Tokens and seconds are on a scale of powers, left of which a system that takes none stands at 0. The grey line runs along the best that each cost buys. A run that another program wrote
    took nobody knows what: it is named below, where others' costs are known. Raises MissingExtra, CannotWrite."""
    metric = next(name for system in results.systems for name in system.metrics)
    unit, costs = _costs(results)
    measured = [(system, cost) for system, cost in zip(results.systems, costs, strict=True) if metric in system.metrics]
    known = [(system, cost) for system, cost in measured if "run" not in system.settings]
    unknown = [system.name for system, _ in measured if "run" in system.settings] if known else []
    having = known or measured
    points = [(cost, system.metrics[metric].value) for system, cost in having]
    figure = new_figure(7.0, 4.5)
    axis = figure.subplots()
    _cost_axis(axis, unit, [cost for cost, _ in points])
    axis.step(*zip(*_frontier(points), strict=True), where="post", color="0.75", linewidth=1, zorder=1)
    for (system, cost), look in zip(having, _looks(len(having)), strict=True):
        found = system.metrics[metric]
        axis.plot([cost, cost], [found.low, found.high], color=look.color, linewidth=0.8, alpha=0.6)
        axis.plot([cost], [found.value], marker=look.marker, color=look.color, markersize=6)
    axis.set_xlabel(f"{unit} a topic" + (f" (unknown: {', '.join(map(clean, unknown))})" if unknown else ""))
    axis.set_ylabel(f"{metric}, mean of {results.n} topics")
    tidy(axis)
    _title(figure, results, " (95 % intervals)")
    place_names(axis, points, [system.name for system, _ in having])
    rows = [
        (s.name, metric, s.metrics[metric].value, s.metrics[metric].low, s.metrics[metric].high, c) for s, c in having
    ]
    return saved(figure, folder, "cost", ("system", "metric", "value", "low", "high", f"{unit} a topic"), rows)


@drawing()
def draw_frugality(results: Results, folder: Path, *, named: Sequence[str] = ()) -> Picture:
    """`frugality`: title recall against searches and against documents read, a question's means. Systems whose names differ in a last number alone are one line.
    Seven kinds are told apart: those in `named`, else the ones with most points; the others are grey. Raises MissingExtra, CannotWrite, BadInput (other results),
    UnknownName."""
    having = [s for s in results.systems if all(name in s.metrics for name in CURVE)]
    if not having:
        raise BadInput(f"{results.task}, {results.dataset}: no system has {', '.join(CURVE)}; no frugality curve")
    kinds: dict[str, list[SystemResult]] = {}
    for system in having:
        kinds.setdefault(_kind(system.name), []).append(system)
    chosen = _chosen({kind: len(systems) for kind, systems in kinds.items()}, named)
    figure = new_figure(10.0, 4.5)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, cost in zip(axes, ("searches", "documents"), strict=True):
        for kind, systems in kinds.items():
            points = sorted((s.metrics[cost].value, s.metrics["title_recall"].value) for s in systems)
            _line(axis, points, kind, chosen.get(kind))
        axis.set_xlabel(f"{cost} a question, mean" if cost == "searches" else "documents read a question, mean")
        tidy(axis)
    axes[0].set_ylabel(f"title recall, mean of {results.n} questions")
    _legend(axes[1], len(kinds) - len(chosen))
    _title(figure, results)
    rows = [(s.name, _kind(s.name), *(getattr(s.metrics[m], e) for m in CURVE for e in _EDGES)) for s in having]
    head = [f"{name} {edge}" for name in CURVE for edge in _EDGES]
    return saved(figure, folder, "frugality", ("system", "kind", *head), rows)


@drawing()
def draw_stages(results: Results, folder: Path, *, named: Sequence[str] = ()) -> Picture:
    """`stages`: the share of the papers that the authors cite which is left after each stage of a review; seven systems (those in `named`, else the first) are
    told apart, with intervals, the others are grey. Raises MissingExtra, CannotWrite, BadInput (other results), UnknownName."""
    stages = [name for name in STAGES if any(name in system.metrics for system in results.systems)]
    having = [system for system in results.systems if stages and all(name in system.metrics for name in stages)]
    if len(stages) < 2:
        raise BadInput(f"{results.task}, {results.dataset}: no system has recall by stage; draw results of `review`")
    chosen = _chosen({system.name: 1 for system in having}, named)
    figure = new_figure(7.5, 4.5)
    axis = figure.subplots()
    for system in having:
        look, found = chosen.get(system.name), [system.metrics[name] for name in stages]
        shift = 0.06 * (list(chosen).index(system.name) - (len(chosen) - 1) / 2) if look else 0.0
        _line(axis, [(at + shift, metric.value) for at, metric in enumerate(found)], system.name, look)
        for at, metric in enumerate(found if look else ()):
            axis.plot([at + shift] * 2, [metric.low, metric.high], color=look and look.color, linewidth=0.8, alpha=0.6)
    axis.set_xticks(range(len(stages)), [STAGES[name] for name in stages])
    axis.set_xlabel("stage of the review")
    axis.set_ylabel(f"recall of what the authors cite, mean of {results.n} reviews")
    axis.set_ylim(bottom=0)
    tidy(axis, only="y")
    _legend(axis, len(having) - len(chosen))
    _title(figure, results, " (95 % intervals)")
    rows = [(s.name, STAGES[m], *(getattr(s.metrics[m], e) for e in _EDGES)) for s in having for m in stages]
    return saved(figure, folder, "stages", ("system", "stage", "recall", "low", "high"), rows)


_EDGES: Final = ("value", "low", "high")


def _costs(results: Results) -> tuple[str, list[float]]:
    """What a topic took of what tells the systems apart, and its name."""
    kinds: Mapping[str, Any] = {
        "tokens, prompt and reply,": lambda cost: cost.prompt_tokens + cost.completion_tokens,
        "searches": lambda cost: cost.searches,
        "seconds": lambda cost: cost.seconds / max(results.n, 1),
    }
    costs: list[Cost] = [system.cost for system in results.systems]
    unit = next((name for name, of in kinds.items() if len({of(cost) for cost in costs}) > 1), "seconds")
    return unit, [float(kinds[unit](cost)) for cost in costs]


def _cost_axis(axis: Any, unit: str, costs: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    known = sorted(cost for cost in costs if cost > 0)
    if unit == "searches":
        axis.set_xlim(0, max(costs) * 1.3)  # room for the names
    elif len(known) < len(costs) and known:
        axis.set_xscale("symlog", linthresh=known[0] / 2, linscale=0.6)
        axis.set_xlim(-known[0] / 8, known[-1] * 6)
    elif known:
        axis.set_xscale("log")
        axis.set_xlim(known[0] / 1.5, known[-1] * 3)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if known[-1] < 100 * known[0] else (1,)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no cheaper one equals, by cost."""
    best: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or value > best[-1][1]:
            best.append((cost, value))
    return [*best, (max(cost for cost, _ in points), best[-1][1])]


def _kind(name: str) -> str:
    kind, _, number = name.rpartition("-")
    return kind if number.isdigit() and kind else name


def _chosen(sizes: Mapping[str, int], named: Sequence[str]) -> dict[str, Look]:
    """The series that are told apart, in the order of the results, and how each looks."""
    for name in named:
        if name not in sizes:
            raise UnknownName("system", name, sizes)
    first = set(named or sorted(sizes, key=lambda name: -sizes[name])[: len(SERIES)])
    order = [name for name in sizes if name in first]
    return dict(zip(order, _looks(len(order)), strict=True))


def _looks(n: int) -> list[Look]:
    """Looks of n series: after the seventh, colours come again with another mark."""
    return [Look(SERIES[i % 7].color, SERIES[(i + i // 7) % 7].marker, SERIES[(i + i // 7) % 7].line) for i in range(n)]


def _line(axis: Any, points: Sequence[tuple[float, float]], name: str, look: Look | None) -> None:
    if look is None:
        axis.plot(*zip(*points, strict=True), marker="o", color="0.8", markersize=3, linewidth=0.7, zorder=1)
        return
    style = {"marker": look.marker, "color": look.color, "linestyle": look.line}
    axis.plot(*zip(*points, strict=True), **style, markersize=5, linewidth=1.3, label=name)


def _legend(axis: Any, others: int) -> None:
    if others:
        axis.plot([], [], marker="o", color="0.8", markersize=3, linewidth=0.7, label=f"{others} others")
    axis.figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)


def _title(figure: Any, results: Results, more: str = "") -> None:
    figure.suptitle(f"{results.task}, {results.dataset}, {results.n} topics{more}", fontsize=10)


def _panel(axis: Any, results: Results, metric: str) -> None:
    for row, system in enumerate(results.systems):
        found = system.metrics.get(metric)
        if found is None:
            continue
        look = SERIES[0 if row == 0 else 2]
        axis.plot(
            [found.low, found.high], [row, row], color=look.color, linewidth=1.5, alpha=0.6, solid_capstyle="butt"
        )
        axis.plot([found.value], [row], marker="s" if row == 0 else "o", color=look.color, markersize=5)
    axis.set_yticks(range(len(results.systems)), [system.name for system in results.systems])
    axis.set_ylim(len(results.systems) - 0.5, -0.5)
    axis.set_xlabel(metric)
    tidy(axis, only="x")
