"""What `litrag plot` draws: of results their four pictures as far as they have the figures for them, of a review its map of papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from litrag.core.errors import BadInput
from litrag.evals.paper_map import draw_map
from litrag.evals.pictures import Picture
from litrag.evals.plots import CURVE, STAGES, draw, draw_costs, draw_frugality, draw_stages
from litrag.evals.results import Results, read_results
from litrag.evals.runner import RESULTS
from litrag.pipelines.api import Review
from litrag.pipelines.exporting import read_record
from litrag.pipelines.runs import find_run

__all__ = ["plot"]


def plot(
    source: Results | Review | str | Path, out: str | Path = ".", *, named: Sequence[str] = ()
) -> dict[str, Picture]:
    """Draws results (or their file, or the folder that holds it) or a review (or its folder, or its run's id) into the folder `out`; returns the pictures by name:
    plot, cost, frugality, stages; map. `named` are systems to tell apart where there are more than seven. Raises BadInput, UnknownName, MissingExtra, CannotWrite."""
    found = source if isinstance(source, Results | Review) else _read(Path(source).expanduser())
    folder = Path(out)
    if isinstance(found, Review):
        if named:
            raise BadInput("a review has no systems to name; leave --system out")
        return {"map": draw_map(found.plan, found.cited, folder)}
    return _drawn(found, folder, named)


def _read(path: Path) -> Results | Review:
    if path.suffix == ".json" or (path / RESULTS).is_file():
        return read_results(path / RESULTS if path.is_dir() else path)
    if (path / "run.json").is_file():
        return Review.of(find_run(read_record(path).run_id))
    if path.exists():
        raise BadInput(
            f"{path} holds neither {RESULTS} of an eval nor run.json of a review; give one of them, or a run's id"
        )
    return Review.of(find_run(str(path)))


def _drawn(results: Results, folder: Path, named: Sequence[str]) -> dict[str, Picture]:
    if not results.systems:
        raise BadInput(f"{results.task}, {results.dataset}: no system, nothing to draw")
    measured = {name for system in results.systems for name in system.metrics}
    if not measured:
        raise BadInput(f"{results.task}, {results.dataset}: no system was measured, nothing to draw")
    pictures = {"plot": draw(results, folder)}
    if any(system.metrics.keys() >= set(CURVE) for system in results.systems):
        pictures["frugality"] = draw_frugality(results, folder, named=named)
    else:
        pictures["cost"] = draw_costs(results, folder)
    if len(measured & STAGES.keys()) > 1:
        pictures["stages"] = draw_stages(results, folder, named=named)
    return pictures
