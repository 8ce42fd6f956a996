"""Sentences with their offsets, by pySBD (rule-based; knows "et al.", "e.g.", decimals)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from litrag.core.types import Span

if TYPE_CHECKING:
    import pysbd

__all__ = ["sentences"]

_LONGEST = 20_000  # characters; pySBD is quadratic in places, and no abstract is longer


@functools.lru_cache(maxsize=2048)
def sentences(text: str) -> tuple[Span, ...]:
    """The sentences in order, white space at their ends left out; `text[s.start:s.end] == s.text` for each."""
    found: list[Span] = []
    at = 0
    for piece in _segmenter().segment(text[:_LONGEST]):
        plain = piece.strip()
        start = text.find(plain, at) if plain else -1
        if start >= 0:
            found.append(Span(start, start + len(plain), plain))
            at = start + len(plain)
    return tuple(found)


@functools.cache
def _segmenter() -> pysbd.Segmenter:
    import pysbd

    return pysbd.Segmenter(language="en", clean=False)
