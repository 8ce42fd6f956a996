"""Finds a quote in a text: exactly, then after normalisation (case, white space, quotation marks, dashes), then fuzzily.

The fuzzy step is rapidfuzz's best partial alignment, LitLLM's edit-distance check (arXiv 2412.15249, section 3.2) without its
quadratic scan. Offsets always point into the original text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from litrag.core.types import Span

__all__ = ["APART", "QuoteMatch", "find_quote"]

APART: Final = "\f"  # between pieces of a text that do not follow upon each other

_SAME = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "`": "'",
        "–": "-",
        "—": "-",
        "‐": "-",
        "−": "-",
    }
)
_ELLIPSIS = re.compile(r"\[(?:\.\.\.|…)\]|\.\.\.|…")


@dataclass(frozen=True, slots=True)
class QuoteMatch:
    """Where a quote stands, how it was found, and how well: `score` in [0, 1], 1 for exact and normalised matches."""

    span: Span
    method: Literal["exact", "normalised", "fuzzy"]
    score: float


def find_quote(quote: str, text: str, *, least: float = 0.9, fuzzy_from: int = 16) -> QuoteMatch | None:
    """The best place of `quote` in `text`, or None. No quote reaches over an APART that it does not hold itself.

    A quote with an ellipsis is found when all its parts are, in order; the span then reaches from the first to the last.
    `least` in [0, 1] is the similarity (1 - normalised indel distance) that a fuzzy match needs; quotes shorter than
    `fuzzy_from` characters are matched exactly or normalised only, since a short string is similar to everything."""
    if APART in text and APART not in quote:
        return _in_one(quote, text, least, fuzzy_from)
    parts = _parts(quote)
    if not parts:
        return None
    matches: list[QuoteMatch] = []
    start = 0
    for part in parts:
        match = _find(part, text, start, least, fuzzy_from)
        if match is None:
            return None
        matches.append(match)
        start = match.span.end
    first, last = matches[0].span.start, matches[-1].span.end
    weakest = min(matches, key=lambda match: (match.score, match.method == "normalised"))
    method = next((m.method for m in matches if m.method == "fuzzy"), weakest.method)
    return QuoteMatch(Span(first, last, text[first:last]), method, weakest.score)


def _in_one(quote: str, text: str, least: float, fuzzy_from: int) -> QuoteMatch | None:
    """The best place within one of the pieces of a text: what is quoted across two of them stands nowhere."""
    best: QuoteMatch | None = None
    start = 0
    for piece in text.split(APART):
        found = find_quote(quote, piece, least=least, fuzzy_from=fuzzy_from)
        if found is not None and (best is None or found.score > best.score):
            span = Span(found.span.start + start, found.span.end + start, found.span.text)
            best = QuoteMatch(span, found.method, found.score)
        start += len(piece) + len(APART)
    return best


def _parts(quote: str) -> list[str]:
    return [part.strip() for part in _ELLIPSIS.split(quote) if part.strip()]


def _find(quote: str, text: str, start: int, least: float, fuzzy_from: int) -> QuoteMatch | None:
    at = text.find(quote, start)
    if at >= 0:
        return QuoteMatch(Span(at, at + len(quote), quote), "exact", 1.0)
    plain, offsets = _normalised(text, start)
    wanted, _ = _normalised(quote, 0)
    wanted = wanted.strip()
    if not wanted:
        return None
    at = plain.find(wanted)
    if at >= 0:
        return QuoteMatch(_span(text, offsets, at, at + len(wanted)), "normalised", 1.0)
    if len(wanted) < fuzzy_from or len(plain) < len(wanted) * least:
        return None
    from rapidfuzz import fuzz

    found = fuzz.partial_ratio_alignment(wanted, plain, score_cutoff=least * 100)
    if found is None or found.dest_end - found.dest_start < len(wanted) * least:
        return None
    first, last = _whole_words(plain, found.dest_start, found.dest_end)
    return QuoteMatch(_span(text, offsets, first, last), "fuzzy", found.score / 100)


def _normalised(text: str, start: int) -> tuple[str, list[int]]:
    """The text from `start` on in plain form, and for each of its characters the offset of its origin."""
    plain: list[str] = []
    offsets: list[int] = []
    for at in range(start, len(text)):
        if text[at] == "\u00ad":
            continue
        for c in unicodedata.normalize("NFKC", text[at]).translate(_SAME).casefold():
            if c.isspace():
                if not plain or plain[-1] == " ":
                    continue
                c = " "
            plain.append(c)
            offsets.append(at)
    return "".join(plain), offsets


def _whole_words(plain: str, first: int, last: int) -> tuple[int, int]:
    while first > 0 and plain[first - 1].isalnum() and plain[first].isalnum():
        first -= 1
    while last < len(plain) and plain[last - 1].isalnum() and plain[last].isalnum():
        last += 1
    return first, last


def _span(text: str, offsets: list[int], first: int, last: int) -> Span:
    start, end = offsets[first], offsets[last - 1] + 1
    return Span(start, end, text[start:end])
