"""What any visitor, of the page or by a tool, may ask for: bounds at most as high as the settings in force, libraries by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from litrag.core.errors import UnknownName
from litrag.core.settings import Settings, stored_settings
from litrag.retrievers.sources.library import list_libraries

__all__ = ["BOUNDS", "LONGEST", "LONGEST_TITLE", "added_libraries", "lowered"]

LONGEST: Final = 100_000  # characters of an abstract or a text to check
LONGEST_TITLE: Final = 1_000
BOUNDS: Final = ("max_searches", "max_calls", "max_tokens", "max_cost", "max_seconds")


def lowered(settings: Settings, asked: Mapping[str, Any]) -> Settings:
    """The settings in force with what was asked for (None: nothing); of two bounds the lower one holds. Raises BadInput."""
    values = settings.model_dump(mode="json")
    for name, value in asked.items():
        if value is None:
            continue
        allowed = values[name] if name in BOUNDS else None
        values[name] = value if allowed is None else min(value, allowed)
    return stored_settings(values)


def added_libraries(names: Sequence[str] | None) -> list[str]:
    """The names, each that of a library which was added; none for all of them. Raises UnknownName: a path is no name."""
    added = [info.name for info in list_libraries() if info.added]
    for name in names or ():
        if name not in added:
            raise UnknownName("library", name[:80], added, remedy="add it with: litrag library add")
    return list(names or ())
