"""A stop classifier for `agents.loop`: what FrugalRAG (arXiv 2507.07634) learns by reinforcement, read off features that are known at a hop.

From trajectories with the whole budget, each hop before the last is an example: its features, and whether stopping there would have lost a document
that a later hop found. A logistic regression gives the probability that it would not; the threshold is the one with the fewest searches that keeps a
share `target` of the recall of the whole budget, on the very trajectories. It trains in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean

from litrag.agents.entities import WordWeights
from litrag.agents.loop import Notes
from litrag.agents.stops import FEATURES, Controller, features

__all__ = ["Trail", "fitted_controller", "stopped_at"]


@dataclass(frozen=True)
class Trail:
    """A question's whole trajectory and its recall after each search, never falling; `group` is what questions with a gold document in common
    share, `idf` what `features` take."""

    notes: Notes
    recalls: tuple[float, ...]
    group: str = ""
    idf: WordWeights = field(default_factory=WordWeights, repr=False)

    @cached_property
    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The features after each search but the last, each from the notes as they were then."""
        return tuple(features(self.notes.first(hop), self.idf) for hop in range(1, len(self.recalls)))


def fitted_controller(trails: Sequence[Trail], *, target: float = 0.98, penalty: float = 1.0) -> Controller:
    """The classifier, with its threshold. Raises ValueError without two trails of more than one search, or a target outside (0, 1]."""
    import numpy as np
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    if not 0 < target <= 1:
        raise ValueError(f"target {target} must be in (0, 1]")
    rows = [row for trail in trails for row in trail.rows]
    safe = [trail.recalls[hop - 1] >= trail.recalls[-1] for trail in trails for hop in range(1, len(trail.recalls))]
    if len(rows) < 2:
        raise ValueError(f"{len(trails)} trajectories with {len(rows)} hops to decide: give more questions or searches")
    values, labels = np.asarray(rows, dtype=float), np.asarray(safe, dtype=float)
    means, spread = values.mean(axis=0), values.std(axis=0)
    scaled = np.hstack([(values - means) / np.where(spread > 0, spread, 1.0), np.ones((len(values), 1))])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = scaled @ weights
        total = np.logaddexp(0, margins).sum() - (labels * margins).sum()
        pulled = np.append(weights[:-1], 0.0)  # the bias is free
        chances = 1 / (1 + np.exp(-margins))
        return float(total + penalty / 2 * (pulled**2).sum()), scaled.T @ (chances - labels) + penalty * pulled

    weights = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    named, mean, deviation = (
        {name: float(value) for name, value in zip(FEATURES, part, strict=True)}
        for part in (weights[:-1], means, spread)
    )
    plain = Controller(named, mean, deviation, float(weights[-1]), 1.0, trails[0].idf)
    return _with_threshold(plain, trails, target)


def stopped_at(controller: Controller, trail: Trail) -> int:
    """After how many searches of the trail the controller stops."""
    safe = (hop for hop, row in enumerate(trail.rows, start=1) if controller.chance_of(row) >= controller.threshold)
    return next(safe, len(trail.recalls))


def _with_threshold(plain: Controller, trails: Sequence[Trail], target: float) -> Controller:
    chances = [[plain.chance_of(row) for row in trail.rows] for trail in trails]
    wanted = target * fmean(trail.recalls[-1] for trail in trails)
    best, searches = 2.0, float("inf")  # 2: never stops
    for threshold in sorted({chance for row in chances for chance in row}):
        ends = [next((hop for hop, c in enumerate(row, 1) if c >= threshold), len(row) + 1) for row in chances]
        if fmean(t.recalls[end - 1] for t, end in zip(trails, ends, strict=True)) >= wanted and fmean(ends) < searches:
            best, searches = threshold, fmean(ends)
    return replace(plain, threshold=best)
