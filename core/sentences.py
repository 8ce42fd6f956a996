"""Sentences with their offsets, by pySBD (rule-based; knows "et al.", "e.g.", decimals; Sadvilkar and Neumann, NLP-OSS 2020).

Mends what pySBD does to abstracts: a list "(1) ... (2) ..." stays in its sentence, "ends.And begins" is two sentences, and what
pySBD drops or changes is kept as it stands in the text. Long texts are cut into blocks, since pySBD is quadratic."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from litrag.core.types import Span

if TYPE_CHECKING:
    import pysbd

__all__ = ["sentences"]

_BLOCK: Final = 4000  # characters; an abstract is shorter
_ENDED: Final = re.compile(r"[.!?…。！？][\"”’')\]]*$")
_GLUED: Final = re.compile(r"(?<=[\w)\]]{2}[.!?])(?=[A-Z][a-z]*[ ,])")
_ABBREVIATED: Final = re.compile(r"\b(?:al|cf|e\.g|i\.e|vs|resp|approx|Fig|Eq|Sec|Tab|Dr|Prof)\.$")


@functools.lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[Span, ...]:
    """The sentences in order, white space at their ends left out: `text[s.start:s.end] == s.text`, and nothing else is left out."""
    bounds = [0, *(end for start, block in _blocks(text) for end in _ends(block, start)), len(text)]
    found: list[Span] = []
    start = 0
    for end in sorted(set(bounds))[1:]:
        piece = text[start:end]
        if end < len(text) and not _complete(piece, text[end:]):
            continue
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            last = start + len(piece.rstrip())
            found.append(Span(first, last, text[first:last]))
        start = end
    return tuple(found)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = start + _BLOCK
        if end < len(text):
            cut = max(text.rfind(". ", start, end) + 1, text.rfind("\n", start, end))
            end = cut if cut > start else end
        yield start, text[start:end]
        start = end


def _ends(block: str, offset: int) -> Iterator[int]:
    """Where sentences may end, as offsets into the text."""
    at = 0
    for piece in _segmenter().segment(block):
        plain = piece.strip()
        start = block.find(plain, at) if plain else -1
        if start >= 0:
            at = start + len(plain)
            yield offset + at
    for match in _GLUED.finditer(block):
        yield offset + match.start()


def _complete(piece: str, rest: str) -> bool:
    """Whether a sentence ends between the two: at a line break, or after a full stop that closes no abbreviation or bracket."""
    if not rest.strip() or re.match(r"[ \t\r]*\n", rest):
        return True
    plain = piece.rstrip()
    following = rest.lstrip()
    if plain.count("(") > plain.count(")") or (following[0].islower() and rest[0] == " "):
        return False
    return bool(_ENDED.search(plain)) and not _ABBREVIATED.search(plain)


@functools.cache
def _segmenter() -> pysbd.Segmenter:
    import pysbd

    return pysbd.Segmenter(language="en", clean=False)
