"""references.ris by rispy: the cited works for reference managers that read RIS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litrag.core.imprint import editors
from litrag.core.names import name_parts
from litrag.core.types import Paper
from litrag.exports.facts import Kind, clean, container, kind, link

__all__ = ["references_ris"]

_TYPES: Final[Mapping[Kind, str]] = {
    "proceedings": "CONF",
    "journal": "JOUR",
    "preprint": "UNPB",
    "chapter": "CHAP",
    "book": "BOOK",
    "thesis": "THES",
    "report": "RPRT",
}


def references_ris(papers: Mapping[str, Paper]) -> str:
    """The file, works sorted by key."""
    import rispy

    class Plain(rispy.RisWriter):  # type: ignore[misc]
        """Without a number before each record, which is no part of the format."""

        def set_header(self, count: int) -> str:
            return ""

    records = [_record(key, papers[key]) for key in sorted(papers)]
    text: str = rispy.dumps(records, implementation=Plain)
    return text.rstrip("\n") + "\n" if text else ""


def _record(key: str, paper: Paper) -> dict[str, Any]:
    what = kind(paper)
    authors = [name for author in paper.authors if (name := _name(author))]
    arxiv = clean(paper.arxiv_id).strip()
    record: dict[str, Any] = {
        "type_of_reference": _TYPES[what],
        "id": key,
        "title": clean(paper.title).strip(),
        "authors": authors,
        "year": str(paper.year or ""),
        "secondary_title": "" if what == "preprint" else container(paper),
        "doi": clean(paper.doi).strip(),
        "accession_number": f"arXiv:{arxiv}" if arxiv else "",
        "urls": [url] if (url := link(paper)) else [],
    }
    if what != "preprint":
        facts = {name: clean(value) for name, value in paper.imprint.items()}
        first, _, last = facts.get("page", "").partition("–")
        record |= {
            "volume": facts.get("volume", ""),
            "number": facts.get("number") or facts.get("issue", ""),
            "start_page": first,
            "end_page": last,
            "publisher": facts.get("publisher", ""),
            "type_of_work": facts.get("genre", ""),
            "secondary_authors": [_name(name) for name in editors(paper.imprint)],
        }
    if paper.published and paper.published.year == paper.year:
        record["date"] = paper.published.strftime("%Y/%m/%d")
    return {name: value for name, value in record.items() if value}


def _name(author: str) -> str:
    """Family, Given, Suffix."""
    parts = name_parts(clean(author).strip())
    return ", ".join(part for part in (f"{parts.particle} {parts.family}".strip(), parts.given, parts.suffix) if part)
