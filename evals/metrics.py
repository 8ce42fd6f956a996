"""Measures of rankings by ir-measures, under its names (nDCG@10, R@100, RR, AP), one value a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from litrag.core.errors import BadInput, MissingExtra

__all__ = ["check_measures", "measures_of"]


def check_measures(names: Sequence[str]) -> None:
    """Raises BadInput for a name that ir-measures does not know."""
    for name in names:
        _measure(name)


def measures_of(ids: Sequence[str], relevant: Mapping[str, int], names: Sequence[str]) -> dict[str, float]:
    """The value of each measure for one ranking, best first; 0 where nothing was found. A topic without a relevant document counts as
    0, too. Raises BadInput for an unknown name, MissingExtra."""
    import ir_measures

    run = {"topic": {name: float(len(ids) - rank) for rank, name in enumerate(ids)}}
    by_measure = {_measure(name): name for name in names}
    values = dict.fromkeys(names, 0.0)
    if not ids or not relevant:
        return values
    for metric in ir_measures.iter_calc(list(by_measure), {"topic": dict(relevant)}, run):
        values[by_measure[metric.measure]] = float(metric.value)
    return values


@cache
def _measure(name: str) -> Any:
    try:
        import ir_measures
    except ImportError as error:
        raise MissingExtra("ir-measures", "eval") from error
    try:
        return ir_measures.parse_measure(name)
    except (NameError, ValueError, SyntaxError) as error:
        raise BadInput(f"no measure {name!r}; use ir-measures' names, such as nDCG@10, R@100, RR, AP") from error
