"""The run's budget: an estimate is reserved before a call and settled after it, so concurrent calls never pass a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from litrag.core.errors import BudgetSpent

__all__ = ["Budget", "Limits", "Reservation", "Spend", "asks_nobody"]


@dataclass(frozen=True, slots=True)
class Spend:
    """Amounts: searches and calls are counts, tokens are prompt plus completion, cost is US dollars."""

    searches: int = 0
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spend) -> Spend:
        return Spend(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: Spend) -> Spend:
        return Spend(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


def asks_nobody(operation: str, model: str) -> bool:
    """Whether a request is an embedding on this machine: a library that has no vectors yet would use up what a user bounds a language model with."""
    return operation in ("embed", "embed_tokens") and model.startswith("local/")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a run may spend; None is no limit. Seconds are wall-clock, summed over the run's sessions."""

    searches: int | None = None
    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


class Reservation:
    """A part of the budget held for one call. Settle it with what the call took, or release it; both only once."""

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: Budget, held: Spend) -> None:
        self._budget, self._held = budget, held

    def settle(self, actual: Spend) -> None:
        """Turns the reservation into spend."""
        self._budget._settle(self._held, actual)
        self._held = Spend()

    def release(self) -> None:
        """Gives the reservation back: the call was never made."""
        self.settle(Spend())


class Budget:
    """Thread-safe. `spent` and `seconds_before` carry over what earlier sessions of a resumed run spent.

    Invariant: spent + reserved <= limit after every `reserve`. A call that turns out dearer than its estimate is
    booked in full, so estimates must be upper bounds."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        spent: Spend | None = None,
        seconds_before: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self._spent = spent or Spend()
        self._reserved = Spend()
        self._clock = clock
        self._started = clock() - seconds_before
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spend:
        """What settled calls took."""
        return self._spent

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the run so far, earlier sessions included."""
        return self._clock() - self._started

    @property
    def seconds_left(self) -> float | None:
        """Wall-clock seconds that the run may still take; None without a limit."""
        return None if self.limits.seconds is None else max(0.0, self.limits.seconds - self.seconds)

    def reserve(self, estimate: Spend) -> Reservation:
        """Holds `estimate`. Raises BudgetSpent, which names the first limit that the call would pass; nothing is held then."""
        with self._lock:
            if self.limits.seconds is not None and self.seconds >= self.limits.seconds:
                raise BudgetSpent("seconds", round(self.seconds, 1), self.limits.seconds)
            planned = self._spent + self._reserved + estimate
            for what in ("searches", "calls", "tokens", "cost"):
                limit = getattr(self.limits, what)
                if limit is not None and getattr(estimate, what) > 0 and getattr(planned, what) > limit:
                    used, held, asked = (getattr(part, what) for part in (self._spent, self._reserved, estimate))
                    raise BudgetSpent(what, used, limit, held=held, asked=asked)
            self._reserved = self._reserved + estimate
        return Reservation(self, estimate)

    def _settle(self, held: Spend, actual: Spend) -> None:
        with self._lock:
            self._reserved = self._reserved - held
            self._spent = self._spent + actual
