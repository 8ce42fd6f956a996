"""Results as a picture: a panel a metric, a dot a system, its interval a line. Shape and grey tell systems apart, not colour alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litrag.core.errors import CannotWrite, MissingExtra
from litrag.evals.results import Results, SystemResult

__all__ = ["draw", "draw_costs", "draw_frugality"]


def draw(results: Results, folder: Path, *, most_panels: int = 4) -> list[Path]:
    """Writes plot.png and plot.svg of the first metrics. Raises MissingExtra, CannotWrite."""
    metrics = list(dict.fromkeys(name for system in results.systems for name in system.metrics))[:most_panels]
    figure = _figure(2.6 * len(metrics) + 1.4, 0.35 * len(results.systems) + 1.6)
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        _panel(axis, results, metric)
    figure.suptitle(f"{results.task}, {results.dataset}, {results.n} topics (95 % intervals)", fontsize=9)
    return _saved(figure, folder, "plot")


def draw_costs(results: Results, folder: Path) -> list[Path]:
    """Writes cost.png and cost.svg: the first metric against tokens a topic, on a scale of powers; systems without a token are lines.
    Raises MissingExtra, CannotWrite."""
    metric = next(iter(results.systems[0].metrics))
    figure = _figure(7.0, 4.5)
    axis = figure.subplots()
    for place, system in enumerate(results.systems):
        tokens, value = system.cost.prompt_tokens + system.cost.completion_tokens, system.metrics[metric].value
        if tokens:
            axis.plot([tokens], [value], marker="os^Dv"[place % 5], color="black", markersize=5)
            axis.annotate(system.name, (tokens, value), (4, 3), textcoords="offset points", fontsize=7)
        else:
            axis.axhline(value, color="0.6", linewidth=1, linestyle="--")
            axis.annotate(
                system.name, (0, value), (2, 2), ("axes fraction", "data"), textcoords="offset points", fontsize=7
            )
    spent = [s.cost.prompt_tokens + s.cost.completion_tokens for s in results.systems]
    if known := [tokens for tokens in spent if tokens]:
        axis.set_xlim(min(known) / 3, max(known) * 6)  # room for the names
    axis.set_xscale("log")
    axis.set_xlabel("tokens a topic, prompt and reply")
    axis.set_ylabel(metric)
    axis.grid(color="0.9")
    axis.set_axisbelow(True)
    figure.suptitle(f"{results.task}, {results.dataset}, {results.n} topics", fontsize=9)
    return _saved(figure, folder, "cost")


def draw_frugality(results: Results, folder: Path) -> list[Path]:
    """Writes frugality.png and frugality.svg: title recall against searches and against documents read, a question's means. Systems whose names
    differ in a last number alone are one line. Raises MissingExtra, CannotWrite."""
    kinds: dict[str, list[SystemResult]] = {}
    for system in results.systems:
        kind, _, number = system.name.rpartition("-")
        kinds.setdefault(kind if number.isdigit() else system.name, []).append(system)
    figure = _figure(10.0, 4.5)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, cost in zip(axes, ("searches", "documents"), strict=True):
        for place, (kind, systems) in enumerate(kinds.items()):
            points = sorted((s.metrics[cost].value, s.metrics["title_recall"].value) for s in systems)
            grey = str(0.65 * (place % 3) / 2)
            axis.plot(
                *zip(*points, strict=True),
                marker="os^Dv*XP"[place % 8],
                color=grey,
                markersize=5,
                linewidth=1,
                label=kind,
            )
        axis.set_xlabel(f"{cost} a question")
        axis.grid(color="0.9")
        axis.set_axisbelow(True)
    axes[0].set_ylabel("title recall")
    axes[1].legend(fontsize=7, loc="lower right")
    figure.suptitle(f"{results.task}, {results.dataset}, {results.n} topics", fontsize=9)
    return _saved(figure, folder, "frugality")


def _figure(width: float, height: float) -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtra("matplotlib", "eval") from error
    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "litrag"  # the same results, the same file
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _saved(figure: Any, folder: Path, name: str) -> list[Path]:
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    try:
        figure.savefig(paths[0], dpi=150)
        figure.savefig(paths[1], metadata={"Date": None})
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error)) from error
    return paths


def _panel(axis: Any, results: Results, metric: str) -> None:
    for row, system in enumerate(results.systems):
        found = system.metrics.get(metric)
        if found is None:
            continue
        axis.plot([found.low, found.high], [row, row], color="0.45", linewidth=1.5, solid_capstyle="butt")
        axis.plot([found.value], [row], marker="o" if row else "s", color="black", markersize=5)
    axis.set_yticks(range(len(results.systems)), [system.name for system in results.systems])
    axis.set_ylim(len(results.systems) - 0.5, -0.5)
    axis.set_xlabel(metric)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
