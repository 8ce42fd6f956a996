"""Progress: what a long piece of work says while it runs. Consumers are plain callables; nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Event", "Listener", "both", "silent"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step: `stage` is the node or task, `done` of `total` units where they can be counted (0 of 0 where not)."""

    stage: str
    message: str = ""
    kind: Literal["start", "progress", "end", "warning"] = "progress"
    done: int = 0
    total: int = 0


Listener: TypeAlias = Callable[[Event], None]


def both(first: Listener, second: Listener) -> Listener:
    """Tells the one, then the other."""

    def listen(event: Event) -> None:
        first(event)
        second(event)

    return listen


def silent(event: Event) -> None:
    """The listener that listens to nothing."""
