"""Intervals and tests over topics: percentile bootstrap, paired sign-flip permutation test, Holm's correction; all seeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "LEVEL",
    "Difference",
    "Interval",
    "bootstrap_interval",
    "holm",
    "paired_difference",
    "paired_differences",
    "permutation_p",
]

LEVEL: Final = (
    0.01  # what tables mark: every table is one of many, so a twentieth of them would be marked for nothing at .05
)
_EXACT: Final = 13  # up to 2^13 sign vectors are tried all, above that they are drawn
_BLOCK: Final = 2_000_000  # numbers held at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % percentile bootstrap interval over topics."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean paired difference with its 95 % percentile bootstrap interval and the two-sided p of the sign-flip test."""

    value: float
    low: float
    high: float
    p: float


def bootstrap_interval(values: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> Interval:
    """The mean of values, one a topic, and its percentile interval (Efron and Tibshirani, 1993, chapter 13). Raises ValueError without
    a value."""
    if not values:
        raise ValueError("no values to average")
    (interval,) = _intervals([values], rounds, seed)
    return interval


def permutation_p(gaps: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of the mean of paired gaps under random sign flips (Smucker et al., CIKM 2007). Up to 13 gaps every flip is counted;
    above, `rounds` are drawn and p is (hits + 1) / (rounds + 1), so never 0. Raises ValueError without a gap."""
    if not gaps:
        raise ValueError("no pairs to compare")
    (p,) = _flipped([gaps], rounds, seed)
    return p


def paired_difference(a: Sequence[float], b: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> Difference:
    """Mean of a - b over pairs, its interval and p. Raises ValueError for sequences of different length or without a pair."""
    (difference,) = paired_differences([(a, b)], rounds=rounds, seed=seed)
    return difference


def paired_differences(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], *, rounds: int = 10_000, seed: int = 0
) -> list[Difference]:
    """`paired_difference` of several pairs over the same topics at once: what is drawn is the same for all. So many sign vectors are drawn, `rounds` at
    least, that the smallest p there can be stays below LEVEL when Holm multiplies it by the number of pairs. Raises ValueError."""
    for a, b in pairs:
        if len(a) != len(b) or not a:
            raise ValueError(f"{len(a)} and {len(b)} values make no pairs")
    gaps = [[x - y for x, y in zip(a, b, strict=True)] for a, b in pairs]
    if not gaps:
        return []
    ps = _flipped(gaps, max(rounds, math.ceil(2 * len(pairs) / LEVEL)), seed)
    return [Difference(i.value, i.low, i.high, p) for i, p in zip(_intervals(gaps, rounds, seed), ps, strict=True)]


def _intervals(columns: Sequence[Sequence[float]], rounds: int, seed: int) -> list[Interval]:
    import numpy as np

    sample = np.asarray(columns, dtype=float).T
    n = len(sample)
    rng = np.random.default_rng(seed)
    parts = []
    for rows in _blocks(rounds, n):
        drawn = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)  # how often a round draws a topic
        parts.append(counts.astype(float) @ sample / n)
    low, high = np.quantile(np.concatenate(parts), (0.025, 0.975), axis=0)
    return [Interval(*map(float, each)) for each in zip(sample.mean(axis=0), low, high, strict=True)]


def _flipped(columns: Sequence[Sequence[float]], rounds: int, seed: int) -> list[float]:
    import numpy as np

    gaps = np.asarray(columns, dtype=float).T
    n = len(gaps)
    bar = np.abs(gaps.sum(axis=0)) - 1e-9 * np.maximum(1.0, np.abs(gaps).sum(axis=0))
    if n <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return [float(p) for p in (np.abs(signs @ gaps) >= bar).mean(axis=0)]
    rng = np.random.default_rng(seed)
    hits = sum((np.abs(_signs(rng, rows, n) @ gaps) >= bar).sum(axis=0) for rows in _blocks(rounds, n))
    return [(int(hit) + 1) / (rounds + 1) for hit in np.atleast_1d(hits)]


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics, 1979), in the order given, each at most 1: an adjusted p below
    a level is significant at that level in the whole family."""
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, ps[index] * (len(ps) - place)))
        adjusted[index] = largest
    return tuple(adjusted)


def _blocks(rounds: int, width: int) -> list[int]:
    """Row counts that sum to `rounds`, each small enough to hold."""
    rows = max(1, _BLOCK // width)
    return [min(rows, rounds - start) for start in range(0, rounds, rows)]


def _signs(rng: np.random.Generator, rows: int, n: int) -> NDArray[np.float64]:
    import numpy as np

    signs: NDArray[np.float64] = rng.integers(0, 2, size=(rows, n)).astype(np.float64) * 2.0 - 1.0
    return signs
