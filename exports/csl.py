"""references.csl.json: the cited works as CSL-JSON, which Zotero, Pandoc and citation processors read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from litrag.core.imprint import editors
from litrag.core.names import name_parts
from litrag.core.types import Paper
from litrag.exports.facts import Kind, clean, container, kind, link

__all__ = ["csl_items", "csl_json"]

_TYPES: Final[Mapping[Kind, str]] = {
    "proceedings": "paper-conference",
    "journal": "article-journal",
    "preprint": "article",
    "chapter": "chapter",
    "book": "book",
    "thesis": "thesis",
    "report": "report",
}


def csl_json(papers: Mapping[str, Paper]) -> str:
    """The file, works sorted by key."""
    return json.dumps(csl_items({key: papers[key] for key in sorted(papers)}), indent=1, ensure_ascii=False) + "\n"


def csl_items(papers: Mapping[str, Paper]) -> list[dict[str, Any]]:
    """The items in the order given; empty fields are left out."""
    return [{name: value for name, value in _item(key, paper).items() if value} for key, paper in papers.items()]


def _item(key: str, paper: Paper) -> dict[str, Any]:
    what = kind(paper)
    arxiv = clean(paper.arxiv_id).strip()
    published = [paper.published.year, paper.published.month, paper.published.day] if paper.published else [paper.year]
    facts: dict[str, Any] = {
        "id": key,
        "type": _TYPES[what],
        "title": clean(paper.title).strip(),
        "author": [name for author in paper.authors if (name := _name(author))],
        "issued": {"date-parts": [published if published[0] == paper.year else [paper.year]]} if paper.year else None,
        "DOI": clean(paper.doi).strip(),
        "URL": "" if paper.doi else link(paper),
    }
    if what == "preprint":
        return facts | {"publisher": "arXiv" if arxiv else "", "number": f"arXiv:{arxiv}" if arxiv else ""}
    told = {name: clean(value) for name, value in paper.imprint.items()}
    facts |= {name: told.get(name, "") for name in ("volume", "issue", "number", "page", "publisher", "genre")}
    facts["editor"] = [found for name in editors(paper.imprint) if (found := _name(name))]
    return facts | {"container-title": container(paper)}


def _name(author: str) -> dict[str, str]:
    parts = name_parts(clean(author).strip())
    if not parts.given and not parts.particle:
        return {"literal": f"{parts.family} {parts.suffix}".strip()} if parts.family else {}
    facts = {
        "family": parts.family,
        "given": parts.given,
        "non-dropping-particle": parts.particle,
        "suffix": parts.suffix,
    }
    return {name: value for name, value in facts.items() if value}
