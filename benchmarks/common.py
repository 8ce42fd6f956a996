"""What the benchmarks share: ratios of two things measured in turn in one run, with a bootstrap interval."""

from __future__ import annotations

import os
import platform
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Ratio", "machine", "ratio"]


@dataclass(frozen=True)
class Ratio:
    """The ratio of medians with its 95 % bootstrap interval; `a` and `b` are the medians, in the unit measured."""

    value: float
    low: float
    high: float
    a: float
    b: float


def ratio(a: Callable[[], float], b: Callable[[], float], *, rounds: int = 15, seed: int = 0) -> Ratio:
    """Measures a and b in turn `rounds` times; each returns what it took."""
    pairs = [(a(), b()) for _ in range(rounds)]
    rng = random.Random(seed)
    draws = sorted(_of(rng.choices(pairs, k=len(pairs))) for _ in range(2000))
    return Ratio(
        _of(pairs),
        draws[50],
        draws[1949],
        statistics.median(x for x, _ in pairs),
        statistics.median(y for _, y in pairs),
    )


def _of(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(x for x, _ in pairs) / statistics.median(y for _, y in pairs)


def machine() -> str:
    """The machine, in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
