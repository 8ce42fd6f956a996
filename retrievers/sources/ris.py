"""RIS as plain records, by rispy; one broken record is a warning with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.retrievers.normal_forms import own_key

if TYPE_CHECKING:
    from litrag.retrievers.sources.readers import Warn

__all__ = ["forename_first", "ris_records"]

_START: Final = re.compile(r"^TY  ?-", re.MULTILINE)
_END: Final = re.compile(r"^ER  ?-", re.MULTILINE)
_TITLES: Final = ("title", "primary_title", "translated_title", "short_title")
_TYPES: Final = {
    "JOUR": "article-journal",
    "CONF": "paper-conference",
    "CPAPER": "paper-conference",
    "CHAP": "chapter",
    "BOOK": "book",
} | {
    "THES": "thesis",
    "RPRT": "report",
}
_VENUES: Final = ("secondary_title", "journal_name", "alternate_title3", "alternate_title2", "alternate_title1")


def ris_records(path: Path, warn: Warn) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, record) of each reference; the keys of a record are those of JSON Lines. One whose end is missing ends where the next
    begins. Raises UnicodeDecodeError."""
    import rispy

    text = path.read_text(encoding="utf-8-sig")
    starts = [match.start() for match in _START.finditer(text)]
    if not starts and text.strip():
        warn(f"{path.name}, line 1: no RIS (no line begins with 'TY  - '); left out")
    for start, end in pairwise([*starts, len(text)]):
        where = f"{path.name}, line {text.count(chr(10), 0, start) + 1}"
        part = text[start:end]
        part = part if _END.search(part) else f"{part.rstrip()}\nER  - \n"
        try:
            found = rispy.loads(part)
        except Exception as error:  # rispy promises nothing of what it raises for a broken record
            warn(f"{where}: broken record ({str(error)[:80]}); left out")
        else:
            for record in found:
                yield where, _record(record)


def forename_first(name: str) -> str:
    """ "Family, Given" as it is read aloud; "Family, Given, Jr." keeps its end."""
    parts = [part.strip() for part in name.split(",")]
    if len(parts) not in (2, 3) or not all(parts):
        return name.strip()
    return " ".join((parts[1], parts[0], *parts[2:]))


def _record(fields: dict[str, Any]) -> dict[str, Any]:
    def field(*names: str) -> str:
        return next((str(fields[name]) for name in names if fields.get(name)), "")

    authors: Any = fields.get("authors") or fields.get("first_authors") or []
    unknown: Any = fields.get("unknown_tag") or {}
    urls: Any = fields.get("urls") or fields.get("url") or ""
    day = re.match(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", field("date", "year", "publication_year"))
    return {
        "id": field("id"),
        "key": own_key(field("id")),
        "title": field(*_TITLES),
        "abstract": field("abstract", "notes_abstract"),
        "authors": [forename_first(str(name)) for name in (authors if isinstance(authors, list) else [authors])],
        "year": field("year", "publication_year", "date"),
        "published": f"{day[1]}-{int(day[2]):02d}-{int(day[3]):02d}" if day else "",
        "venue": field(*_VENUES),
        "doi": field("doi"),
        "url": str(urls[0] if isinstance(urls, list) else urls),
        "type": _TYPES.get(field("type_of_reference"), ""),
        "volume": field("volume"),
        "issue": field("number"),
        "page": _pages(field("start_page"), field("end_page")),
        "publisher": field("publisher"),
        "genre": field("type_of_work"),
        "editor": [forename_first(str(name)) for name in fields.get("secondary_authors") or unknown.get("ED") or []],
    }


def _pages(first: str, last: str) -> str:
    """From - to, where the first page alone does not say it."""
    whole = not last or last == first or bool(re.search(rf"[-–]\s*{re.escape(last)}$", first))
    return first if whole else f"{first}–{last}"
