"""Zotero's CSV as plain records. Its other exports are BibTeX, RIS and CSL-JSON."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.retrievers.sources.ris import forename_first

if TYPE_CHECKING:
    from litrag.retrievers.sources.readers import Warn

__all__ = ["zotero_records"]

_CITED_AS: Final = re.compile(r"^citation key: *(\S+)", re.IGNORECASE | re.MULTILINE)  # Better BibTeX's
_NEEDED: Final = ("Item Type", "Title")
_VENUES: Final = ("Publication Title", "Proceedings Title", "Conference Name", "Publisher")
_TYPES: Final = {
    "journalArticle": "article-journal",
    "conferencePaper": "paper-conference",
    "bookSection": "chapter",
    "book": "book",
    "thesis": "thesis",
    "report": "report",
}
_NO_WORKS: Final = ("attachment", "note", "annotation")


def zotero_records(path: Path, warn: Warn) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, record) of each row; the keys of a record are those of JSON Lines. Raises BadInput for another CSV, UnicodeDecodeError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            names = rows.fieldnames or ()
            if lacking := [name for name in _NEEDED if name not in names]:
                raise BadInput(f"{path} is no CSV of Zotero (no column {lacking[0]!r}); export it as RIS or BibTeX")
            for row in rows:
                if (row["Item Type"] or "").casefold() not in _NO_WORKS:
                    yield f"{path.name}, line {rows.line_num}", _record({k: v for k, v in row.items() if k and v})
        except csv.Error as error:
            raise BadInput(f"{path} is a damaged CSV (line {rows.line_num}: {error}); export it again") from error


def _record(row: dict[str, str]) -> dict[str, Any]:
    return {
        "id": row.get("Key", ""),
        "key": "".join(_CITED_AS.findall(row.get("Extra", ""))[:1]),
        "title": row.get("Title", ""),
        "abstract": row.get("Abstract Note", ""),
        "authors": [forename_first(name) for name in row.get("Author", "").split(";")],
        "year": row.get("Publication Year") or row.get("Date", ""),
        "published": row.get("Date", ""),
        "venue": next((row[name] for name in _VENUES if row.get(name)), ""),
        "doi": row.get("DOI", ""),
        "url": row.get("Url", ""),
        "type": _TYPES.get(row["Item Type"], ""),
        "volume": row.get("Volume", ""),
        "issue": row.get("Issue", ""),
        "page": row.get("Pages", ""),
        "publisher": row.get("Publisher", ""),
        "editor": [forename_first(name) for name in row.get("Editor", "").split(";") if name.strip()],
    }
