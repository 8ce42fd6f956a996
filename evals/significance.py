"""Permutation test and bootstrap interval, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Difference", "paired_difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean paired difference with its 95 % percentile bootstrap interval and the two-sided p of the sign-flip test."""

    value: float
    low: float
    high: float
    p: float


def paired_difference(a: Sequence[float], b: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> Difference:
    """Mean of a - b over pairs; p by random sign flips (Smucker et al., CIKM 2007), never 0: (hits + 1) / (rounds + 1).

    Raises ValueError for sequences of different length or without a pair."""
    import numpy as np

    if len(a) != len(b) or not a:
        raise ValueError(f"{len(a)} and {len(b)} values make no pairs")
    rng = np.random.default_rng(seed)
    gaps = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    flips = rng.choice((-1.0, 1.0), size=(rounds, len(gaps)))
    hits = int((np.abs((flips * gaps).mean(axis=1)) >= abs(gaps.mean()) - 1e-12).sum())
    means = gaps[rng.integers(0, len(gaps), size=(rounds, len(gaps)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Difference(float(gaps.mean()), float(low), float(high), (hits + 1) / (rounds + 1))
