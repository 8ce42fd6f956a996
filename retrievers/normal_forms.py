"""DOIs, arXiv ids and days as they stand in the wild, brought to one form each, so that they can be compared."""

from __future__ import annotations

import re
from datetime import date
from typing import Final
from urllib.parse import unquote

__all__ = ["anthology_id_in", "arxiv_id", "arxiv_id_in", "day_number", "doi", "own_key"]

_DOI: Final = re.compile(r"\b10\.\d+(?:\.\d+)*/\S+")
_NUMBER: Final = r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?"
_BARE: Final = re.compile(rf"(?:arxiv:\s*)?{_NUMBER}", re.IGNORECASE)
_MARKED: Final = re.compile(
    rf"(?:arxiv\.org/(?:abs|pdf)/|10\.48550/arxiv\.|arxiv:\s*|arxiv preprint (?:arxiv:)?|corr,?\s+(?:vol\. )?abs/){_NUMBER}",
    re.IGNORECASE,
)
_ANTHOLOGY: Final = re.compile(
    r"(?:aclanthology\.org/|aclweb\.org/anthology/|10\.18653/v1/)([a-z]\d{2}-\d{4}|\d{4}\.[a-z0-9]+-[a-z0-9]+\.\d+)",
    re.IGNORECASE,
)


def doi(text: str) -> str:
    """The DOI in a text or URL, in lower case; "" where there is none ("n/a" is none)."""
    match = _DOI.search((unquote(text) if "doi.org/" in text.lower() else text).lower())
    return match[0].rstrip(".,;") if match else ""


def own_key(name: object) -> str:
    """The id of a reference where it is a citation key that someone gave; "" for a number, an address or nothing."""
    text = str(name or "")
    return "" if "://" in text or not re.search("[A-Za-z]", text) else text


def arxiv_id(text: str) -> str:
    """The arXiv id, version-less, of a text that is meant to be one: an id with or without its prefix, or a URL."""
    match = _BARE.fullmatch(text.strip())
    return match[1].lower() if match else arxiv_id_in(text)


def arxiv_id_in(*texts: str) -> str:
    """The first arXiv id that a text, a URL or a DOI marks as such; "" where none does."""
    return next((match[1].lower() for text in texts if (match := _MARKED.search(text))), "")


def anthology_id_in(*texts: str) -> str:
    """The first id of the ACL Anthology that a URL of it or a DOI names (P19-1001, 2020.acl-main.740); "" where none does."""
    found = next((match[1] for text in texts if (match := _ANTHOLOGY.search(text))), "")
    return found.lower() if "." in found else found.upper()


def day_number(day: date | None) -> int:
    """A day as YYYYMMDD, which sorts as days do; 0 for None."""
    return day.year * 10_000 + day.month * 100 + day.day if day else 0
