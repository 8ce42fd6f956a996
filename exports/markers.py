"""Citation markers in a drafted sentence, taken apart once for every export."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from litrag.core.names import KEY

__all__ = ["Citation", "rendered", "segments"]

_MARKER: Final = re.compile(rf"\[@({KEY}(?:; ?@{KEY})*)\]|@({KEY})")


@dataclass(frozen=True, slots=True)
class Citation:
    """Keys cited together; `textual` where the work is named as a word of the sentence."""

    keys: tuple[str, ...]
    textual: bool


def segments(sentence: str, keys: Collection[str]) -> Iterator[str | Citation]:
    """Text and citations in order. A marker of an unknown key is text without its sign: it never becomes a citation."""
    start = 0
    for match in _MARKER.finditer(sentence):
        named = [name.strip(" @") for name in (match[1] or match[2]).split(";")]
        known = tuple(name for name in named if name in keys)
        if sentence[start : match.start()]:
            yield sentence[start : match.start()]
        if known:
            yield Citation(known, textual=match[2] is not None)
        elif match[2] is not None:
            yield match[2]
        start = match.end()
    if sentence[start:]:
        yield sentence[start:]


def rendered(
    sentence: str, keys: Collection[str], cite: Callable[[Citation], str], text: Callable[[str], str] = str
) -> str:
    """The sentence with every citation given to `cite` and every run of text to `text`."""
    return "".join(cite(part) if isinstance(part, Citation) else text(part) for part in segments(sentence, keys))
