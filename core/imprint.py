"""Where in its venue a work stands: volume, issue, pages, publisher, editors, and what kind of work it is, by their names in CSL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["FIELDS", "TYPES", "editors", "imprint"]

FIELDS: Final = ("type", "genre", "volume", "issue", "number", "page", "publisher", "editor")
TYPES: Final = ("article-journal", "paper-conference", "chapter", "book", "thesis", "report")
_BETWEEN: Final = "; "  # names of editors
_RANGE: Final = re.compile(r"(?<=\w)\s*(?:-{2,3}|[–—‒−])\s*(?=\w)")
_HYPHENED: Final = re.compile(r"([A-Za-z]*\d+)\s*[-‐‑]\s*([A-Za-z]*\d+)")
_LONGEST: Final = 300


def imprint(facts: Mapping[str, str], editors: Sequence[str] = ()) -> dict[str, str]:
    """The facts of FIELDS that are there, each one line; pages from - to by an en dash ("12–34"), a type that is none of TYPES left out. `number` is a
    report's own, `genre` what a thesis or report calls itself."""
    found = {name: " ".join(facts.get(name, "").split())[:_LONGEST] for name in FIELDS}
    found["page"] = ", ".join(map(_pages, found["page"].split(","))) if found["page"] else ""
    found["type"] = found["type"] if found["type"] in TYPES else ""
    if found["type"] == "report" and found["issue"]:
        found |= {"number": found["number"] or found["issue"], "issue": ""}
    found["number"] = found["number"] if found["type"] == "report" else ""
    found["editor"] = _BETWEEN.join(name for name in editors if name)
    return {name: value for name, value in found.items() if value}


def editors(facts: Mapping[str, str]) -> list[str]:
    """The names of an imprint's editors, as those of authors."""
    return [name for name in facts.get("editor", "").split(_BETWEEN) if name]


def _pages(text: str) -> str:
    text = _RANGE.sub("–", text.strip())
    alone = None if "–" in text else _HYPHENED.fullmatch(text)
    return f"{alone[1]}–{alone[2]}" if alone else text
