"""Passages of a full text: runs of whole sentences, about 150 to 200 words, each of one page unless a sentence goes on over its end."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from litrag.core.sentences import sentences
from litrag.core.types import Passage

__all__ = ["passages"]

_MOST: Final = 200  # words
_TAIL: Final = 60  # fewer words than this at the end of a page join what stands before them
_BLOCK: Final = 8000  # characters in which sentences are found at once
_LETTERS: Final = 8  # a word counts once for each eight characters: not all languages put spaces between words


def passages(paper_id: str, text: str, page_starts: Sequence[int] = ()) -> tuple[Passage, ...]:
    """The passages in order: `text[p.start:p.end] == p.text`, and only white space lies between them. `page_starts` are the offsets at
    which pages 1, 2, ... begin; a passage is of the page on which it begins."""
    spans: list[tuple[int, int, int]] = []  # start, end, page
    sizes: list[int] = []  # words of each
    for start, end in _sentences(text):
        page = bisect_right(page_starts, start)
        words = _words(text[start:end])
        if spans and spans[-1][2] == page and sizes[-1] + words <= _MOST:
            spans[-1] = (spans[-1][0], end, page)
            sizes[-1] += words
            continue
        _join_tail(spans, sizes)
        spans.append((start, end, page))
        sizes.append(words)
    _join_tail(spans, sizes)
    return tuple(
        Passage(f"{paper_id}#p{n}", paper_id, text[start:end], start, end, page or None)
        for n, (start, end, page) in enumerate(spans, start=1)
    )


def _join_tail(spans: list[tuple[int, int, int]], sizes: list[int]) -> None:
    """Joins the last span, which is complete now, to the one before it where it is short, that one is not, and both are of one page."""
    if len(spans) > 1 and sizes[-1] < _TAIL <= sizes[-2] <= _MOST and spans[-1][2] == spans[-2][2]:
        (start, _, page), (_, end, _) = spans[-2], spans.pop()
        spans[-1] = (start, end, page)
        sizes[-1] += sizes.pop()


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Sentences as offsets; one without an end, such as a table, is cut between words."""
    for first, last in _blocks(text):
        for sentence in sentences(text[first:last]):
            start, end = first + sentence.start, first + sentence.end
            if _words(sentence.text) <= _MOST:
                yield start, end
            else:
                yield from _cut(text, start, end)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Paragraphs as offsets; very long ones in parts, since to find sentences takes time as the square of the length."""
    for line in re.finditer(r"[^\n]+", text):
        start, end = line.span()
        while end - start > _BLOCK:
            half = start + _BLOCK // 2
            cut = max(text.rfind(". ", half, start + _BLOCK) + 1, half)
            cut = cut if cut > half else max(text.rfind(" ", half, start + _BLOCK), half)
            yield start, cut
            start = cut
        yield start, end


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Pieces of at most the most words, cut at white space where there is any."""
    first, last, count = start, start, 0
    for word in re.compile(r"\S+").finditer(text, start, end):
        for at in range(word.start(), word.end(), _MOST * _LETTERS):
            until = min(word.end(), at + _MOST * _LETTERS)
            weight = _weight(until - at)
            if count and count + weight > _MOST:
                yield first, last
                count = 0
            if not count:
                first = at
            count += weight
            last = until
    if count:
        yield first, last


def _words(text: str) -> int:
    words = text.split()
    return len(words) if max(map(len, words), default=0) <= 4 * _LETTERS else sum(_weight(len(word)) for word in words)


def _weight(letters: int) -> int:
    """One word, unless it is so long that it must be several."""
    return 1 if letters <= 4 * _LETTERS else letters // _LETTERS
