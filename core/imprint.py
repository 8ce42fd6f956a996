"""Where in its venue a work stands: volume, issue, pages, publisher, editors, and what kind of work it is, by their names in CSL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["FIELDS", "TYPES", "imprint"]

FIELDS: Final = ("type", "volume", "issue", "page", "publisher", "editor")
TYPES: Final = ("article-journal", "paper-conference", "chapter", "book", "thesis", "report")
_DASH: Final = re.compile(r"(?<=\w)\s*(?:-{1,3}|[–—‐‑−])\s*(?=\w)")
_LONGEST: Final = 300


def imprint(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts of FIELDS that are there, each one line; pages with a hyphen ("12-34"); a type that is none of TYPES is left out."""
    found = {name: " ".join(facts.get(name, "").split())[:_LONGEST] for name in FIELDS}
    found["page"] = _DASH.sub("-", found["page"])
    found["type"] = found["type"] if found["type"] in TYPES else ""
    return {name: value for name, value in found.items() if value}
