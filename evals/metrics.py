"""Measures of rankings by ir-measures, under its names (nDCG@10, R@100, RR, AP), one value a topic; and nR@k, normalised recall as in
LitLLM (arXiv 2412.15249): of the relevant documents in the whole ranking, the share that is among the first k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from litrag.core.errors import BadInput, MissingExtra

__all__ = ["check_measures", "cutoff", "measures_of"]


def check_measures(names: Sequence[str], k: int) -> None:
    """Raises BadInput for a name that ir-measures does not know, a cutoff of 0 or beyond rankings of `k` documents, and what cannot be computed on this
    machine."""
    for name in names:
        if cutoff(name) > k:
            raise BadInput(
                f"measure {name} reads deeper than the rankings, which hold {k} documents; take a lesser one, or a greater -k"
            )
        if _normalised(name) is not None:
            continue
        if _measure(name).params.get("cutoff", 1) < 1:
            raise BadInput(f"measure {name}: a cutoff is at least 1")
        try:
            measures_of(["d"], {"d": 1}, [name])
        except Exception as error:  # a provider may call another program, which is not there
            raise BadInput(f"measure {name} cannot be computed here ({' '.join(str(error).split())[:120]})") from error


def cutoff(name: str) -> int:
    """The k of a measure that reads the first k documents (R@100); 0 of one that reads all. Raises BadInput for an unknown name."""
    return _normalised(name) or int(_measure(name).params.get("cutoff", 0))


def measures_of(ids: Sequence[str], relevant: Mapping[str, int], names: Sequence[str]) -> dict[str, float]:
    """The value of each measure for one ranking, best first; 0 where nothing was found. A topic without a relevant document counts as
    0, too (LitLLM drops those topics under nR). Raises BadInput for an unknown name, MissingExtra."""
    import ir_measures

    run = {"topic": {name: float(len(ids) - rank) for rank, name in enumerate(ids)}}
    by_measure = {_measure(name): name for name in names if _normalised(name) is None}
    values = dict.fromkeys(names, 0.0)
    hits = [rank for rank, name in enumerate(ids) if relevant.get(name, 0) > 0]
    values |= {name: sum(rank < k for rank in hits) / len(hits) for name in names if (k := _normalised(name)) and hits}
    if not ids or not relevant:
        return values
    for metric in ir_measures.iter_calc(list(by_measure), {"topic": dict(relevant)}, run) if by_measure else ():
        values[by_measure[metric.measure]] = float(metric.value)
    return values


def _normalised(name: str) -> int | None:
    """The k of nR@k; None for another name."""
    kind, _, k = name.partition("@")
    return int(k) if kind == "nR" and k.isdigit() and int(k) > 0 else None


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
