"""A full text as a record of a library: the paper it is, by what its first page bears out, and its passages.

A file says much of itself that is not so (a template's title, the account that printed it), so title, authors and year of a PDF's metadata
count only where the first page holds them, too."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from litrag.core.sentences import sentences
from litrag.core.types import Paper, Passage
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in, doi
from litrag.retrievers.sources.page_text import joined_pages, plain
from litrag.retrievers.sources.passages import passages
from litrag.retrievers.sources.pdf import PdfFile

__all__ = ["Record", "of_pdf", "of_text"]

_HEAD: Final = 6000  # characters in which a paper says what it is
_ABSTRACT: Final = re.compile(r"(?:^|(?<=\s))(?:Abstract|ABSTRACT|A BSTRACT)\b[\s.:\u2014\u2013-]*(?=[\"“(]?[A-Z0-9])")
_AFTER: Final = re.compile(
    r"(?:\n|\b(?:1|I)\.?\s+)(?:Introduction|INTRODUCTION)\b|\b(?:Keywords|KEYWORDS|Key words|Index Terms|CCS Concepts|CCS CONCEPTS)\b"
    r"|\n#+ "
)
_DOI: Final = re.compile(r"\b10\.\d{4,9}/[^\s\"<>{}|\\^\[\]]+")
_STAMP: Final = re.compile(r"arXiv:\s*([a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})(?:v\d+)?\s*\[", re.IGNORECASE)
_YEAR: Final = re.compile(r"(?<![\d(.,/-])(?:19[5-9]\d|20\d\d)(?![\d/-])")
_DATED: Final = re.compile(
    r"©|\(c\)|copyright|publish|accepted|received|proceedings|conference|workshop|symposium|findings|journal|transactions|vol\.|volume"
    r"|preprint|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Record:
    """What a file gives: a paper and, where the file holds it, its full text with its passages, whose offsets are offsets into it."""

    paper: Paper
    text: str = ""
    passages: tuple[Passage, ...] = ()


def of_pdf(file: PdfFile) -> Record:
    """The record of a PDF."""
    text, starts = joined_pages(file.pages)
    first = text[: starts[1]] if len(starts) > 1 else text
    told = {name.lstrip("/").casefold(): plain(value) for name, value in file.info.items()}
    facts = {
        "title": _borne_out(told.get("title", ""), first) or _largest(file.pieces),
        "author": told.get("author", ""),
        "doi": next(
            (number for name in ("doi", "wps-articledoi", "subject") if (number := doi(told.get(name, "")))), ""
        ),
        "arxiv": arxiv_id_in(told.get("arxivid", "")),
    }
    made = told.get("creationdate", "").removeprefix("D:")[:4]
    return _record(text, starts, first, facts, year=int(made) if made in _YEAR.findall(first) else 0)


def of_text(text: str, facts: Mapping[str, str]) -> Record:
    """The record of a text without pages, a paragraph a line. `facts` were told beside it: title, author, year, doi, arxiv."""
    year = re.match(r"(?:19|20)\d\d(?!\d)", facts.get("year", "") or facts.get("date", ""))
    return _record(text, (), text[:_HEAD], facts, year=int(year[0]) if year else 0)


def _record(text: str, starts: Sequence[int], first: str, facts: Mapping[str, str], *, year: int) -> Record:
    title = " ".join(facts.get("title", "").split())[:300] or _first_line(text)
    number = doi(facts.get("doi", "")) or _only_doi(first)
    stamp = _STAMP.search(first)
    arxiv = arxiv_id(facts.get("arxiv", "")) or (stamp[1].lower() if stamp else "") or arxiv_id_in(number)
    name = number or (f"arxiv:{arxiv}" if arxiv else hashlib.sha256(text.encode()).hexdigest()[:16])
    paper = Paper(
        id=name,
        title=title,
        abstract=_abstract(text, title),
        authors=_authors(facts.get("author", ""), first),
        year=year or _year_of(arxiv) or _marked_year(first),
        doi=number,
        arxiv_id=arxiv,
    )
    return Record(paper, text, passages(paper.id, text, starts))


def _borne_out(title: str, first: str) -> str:
    """The title, if its words stand on the first page."""
    words = _words(title)
    held = set(_words(first))
    enough = len(words) > 1 and sum(word in held for word in words) >= 0.8 * len(words)
    return title if enough else ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _largest(pieces: Sequence[tuple[str, float, int]]) -> str:
    """The first words in the largest letters of the first page; "" where no letters are larger than the others. What stands across the
    page, such as arXiv's stamp, is no title."""
    letters = [(plain(text), size, turn) for text, size, turn in pieces]
    turns = Counter[int]()
    for text, _, turn in letters:
        turns[turn] += len(text.strip())
    upright = [
        (t, size if t.strip() else None)
        for t, size, turn in letters
        if turn == turns.most_common(1)[0][0] or not t.strip()
    ]
    sizes = [size for text, size in upright if size is not None for _ in text]
    for size in sorted({size for size in sizes if size > 1.1 * median(sizes)}, reverse=True):
        title = _run(upright, size)
        if len(re.findall(r"[^\W\d_]", title)) >= 8:
            return title if len(title) <= 300 else ""
    return ""


def _run(pieces: Sequence[tuple[str, float | None]], size: float) -> str:
    """The first run of pieces of a size, white space of any size within it."""
    found = ""
    for text, its in pieces:
        if its is not None and abs(its - size) < 0.3:
            found += text
        elif its is not None and found:
            break
        elif found:
            found += " "
    return " ".join(found.split())


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    if len(line) <= 200:
        return line
    first = sentences(line[:2000])[0].text
    return first if len(first) <= 200 else first[:200].rsplit(None, 1)[0] + " …"


def _abstract(text: str, title: str) -> str:
    """What follows the word Abstract, up to the introduction, else the text's first 200 words or so; whole sentences."""
    head = text[: 2 * _HEAD]
    mark = _ABSTRACT.search(head[:_HEAD])
    if mark:
        body = head[mark.end() :]
        end = _AFTER.search(body)
        found = _opening(body[: end.start()] if end else body, 400 if end else 200)
        if len(found.split()) >= 20:
            return found
    return _opening(head.removeprefix(title), 200)


def _opening(text: str, words: int) -> str:
    """The first sentences, together about so many words."""
    found: list[str] = []
    count = 0
    for sentence in sentences(text):
        parts = sentence.text.split()
        if found and count + len(parts) > words:
            break
        found += parts[:words]
        count += len(parts)
    return " ".join(found)


def _only_doi(first: str) -> str:
    """The DOI of the first page, if there is just one: of several, one is the paper's own, and it is not known which."""
    found = {match[0].rstrip(".,;:)'").lower() for match in _DOI.finditer(first)}
    return found.pop() if len(found) == 1 else ""


def _authors(told: str, first: str) -> tuple[str, ...]:
    """The names, if the first page holds all of them."""
    names = [" ".join(name.split()) for name in re.split(r"\s*[;\n]\s*|\s+and\s+|\s*,\s+(?=\S+\s\S)", told)]
    held = set(_words(first))
    parts = [_words(name) for name in names]
    whole = parts and all(len(part) > 1 and part[-1] in held for part in parts)
    return tuple(names) if whole else ()


def _year_of(arxiv: str) -> int:
    return 2000 + int(arxiv[:2]) if re.match(r"\d{4}\.", arxiv) else 0


def _marked_year(first: str) -> int:
    """The latest year on the first page that stands beside a word for publishing, at its top or bottom; 0 where none does."""
    found = [0]
    for part in (first[:1500], first[1500:][-700:]):
        for match in _YEAR.finditer(part):
            around = part[max(0, match.start() - 60) : match.end() + 30]
            if _DATED.search(around):
                found.append(int(match[0]))
    return max(found)
