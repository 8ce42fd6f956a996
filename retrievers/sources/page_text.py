"""What a PDF does to a text, undone: ligatures, hyphens and breaks at line ends, headers and footers. Pages in, one text out."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

__all__ = ["joined_pages", "paragraphs", "plain"]

_LIGATURES: Final = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
_SPACES: Final = dict.fromkeys([*"\t\x0b\x0c\x85\u00a0\u1680\u202f\u205f\u3000", *map(chr, range(0x2000, 0x200B))], " ")
_NOTHING: Final = dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "")
_NEWLINES: Final = {"\r": "\n", "\u2028": "\n", "\u2029": "\n"}
_TABLE: Final = str.maketrans({**_LIGATURES, **_SPACES, **_NOTHING, **_NEWLINES})
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_COMPOUND: Final = re.compile(r"(?<!\w)\w{1,40}-\w{1,40}")  # bounded, or a line without a space takes hours
_HYPHENS: Final = "-\u2010\u00ad"
_NUMBER: Final = re.compile(
    r"^(?:page\s+)?\d+(?:\s*(?:/|of)\s*\d+)?\b|\b(?:page\s+)?\d+(?:\s*(?:/|of)\s*\d+)?$", re.IGNORECASE
)
_EDGE: Final = 2  # lines at the top and at the bottom of a page that may be its header and footer
_LEAST_PAGES: Final = 3
_MOST_PAGES: Final = 0.4  # a header that stands on every other page is one
_SHORT: Final = 0.7  # of a page's usual line: a shorter line may end a paragraph
_ENDED: Final = (".", "!", "?", ":", ";")


def plain(text: str) -> str:
    """The text without control characters, broken surrogates and ligatures, accents composed, every space a space and every end of a
    line a newline. NFKC is not used: it would turn x² into x2."""
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode().translate(_TABLE)
    return unicodedata.normalize("NFC", _CONTROL.sub("", text))


def joined_pages(pages: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """One text of all pages and the offset at which each begins; a paragraph is a line of it. A sentence that goes on over the end of a
    page stays one."""
    lines = _without_edges([[_line(line) for line in plain(page).split("\n")] for page in pages])
    compounds = _compounds(line for page in lines for line in page)
    starts: list[int] = []
    parts: list[str] = []
    length, last = 0, ""
    for page in lines:
        text = _paragraphs(page, compounds)
        if not text:
            starts.append(length)
            continue
        if last:
            kept, between = _seam(last, text, compounds)
            between = "\n" if between and not text[0].islower() else between
            if kept != last:
                parts[-1] = kept
                length -= len(last) - len(kept)
            parts.append(between)
            length += len(between)
        starts.append(length)
        parts.append(text)
        length += len(text)
        last = text
    return "".join(parts), tuple(starts)


def paragraphs(text: str) -> str:
    """A text whose paragraphs are set apart by empty lines, a paragraph a line."""
    blocks = [[_line(line) for line in block.split("\n")] for block in re.split(r"\n\s*\n", plain(text))]
    compounds = _compounds(line for block in blocks for line in block)
    return "\n".join(filter(None, (_paragraphs([line for line in block if line], compounds) for block in blocks)))


def _compounds(lines: Iterable[str]) -> set[str]:
    """What the document writes with a hyphen within a line."""
    return {word.casefold() for line in lines for word in _COMPOUND.findall(line)}


def _line(line: str) -> str:
    """A line with single spaces; a soft hyphen within it was for another line's end."""
    line = " ".join(line.split())
    return line[:-1].replace("\u00ad", "") + line[-1:]


def _without_edges(pages: list[list[str]]) -> list[list[str]]:
    """The pages without the lines at their top and bottom that many of them share, page numbers put aside. The first page keeps its
    top: what is the header of others is its title."""
    pages = [[line for line in page if line] for page in pages]
    if len(pages) < _LEAST_PAGES:
        return pages
    counts = Counter(name for page in pages for name in {_unnumbered(line) for line in _edges(page)})
    least = max(_LEAST_PAGES, _MOST_PAGES * len(pages))
    shared = {name for name, count in counts.items() if count >= least}
    found = []
    for number, page in enumerate(pages):
        top = 0
        while number and top < min(_EDGE, len(page)) and _unnumbered(page[top]) in shared:
            top += 1
        bottom = len(page)
        while bottom > max(top, len(page) - _EDGE) and _unnumbered(page[bottom - 1]) in shared:
            bottom -= 1
        found.append(page[top:bottom])
    return found


def _edges(page: Sequence[str]) -> Sequence[str]:
    return [*page[:_EDGE], *page[-_EDGE:]]


def _unnumbered(line: str) -> str:
    return _NUMBER.sub("#", line.casefold()).strip()


def _paragraphs(lines: Sequence[str], compounds: set[str]) -> str:
    """The lines of a page as paragraphs, one a line."""
    if not lines:
        return ""
    usual = median(len(line) for line in lines)
    text = [lines[0]]
    for line, following in pairwise(lines):
        if len(line) < _SHORT * usual and _ends_here(line, following):
            text.append("\n" + following)
        else:
            text[-1], between = _seam(text[-1], following, compounds)
            text.append(between + following)
    return "".join(text)


def _ends_here(line: str, following: str) -> bool:
    """Whether a short line ends a paragraph, or is a heading."""
    return line.endswith(_ENDED) or (not following[0].islower() and line[-1] not in f",{_HYPHENS}")


def _seam(text: str, following: str, compounds: set[str]) -> tuple[str, str]:
    """What stays of a text when another goes on after it, and what comes between the two."""
    if text[-1] not in _HYPHENS or not text[:-1] or text[-2].isspace():
        return text, " "
    if text[-1] == "\u00ad":
        return text[:-1], ""
    return (text, "") if _is_real(text, following, compounds) else (text[:-1], "")


def _is_real(text: str, following: str, compounds: set[str]) -> bool:
    """Whether a hyphen at the end of a line is the word's own: of a compound, a number, a name, or of a word that the document writes
    with it elsewhere."""
    *before, word = text[-80:-1].split()
    first = re.match(r"\w*", following)
    next_word = first[0] if first else ""
    if not word.isalpha() or not next_word or not next_word[0].islower():
        return True
    if any(letter.isupper() for letter in word[1:]) or f"{word}-{next_word}".casefold() in compounds:
        return True
    return word[0].isupper() and bool(before) and before[-1][-1] not in '.!?:"”'
