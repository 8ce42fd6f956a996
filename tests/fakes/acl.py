"""A literature data set of our own in ACL's layout: the forty papers, years 2012 to 2021; papers of 2017 and later cite older ones of
their field."""

from __future__ import annotations

import json
from pathlib import Path

from fakes.texts import papers

__all__ = ["cites", "write_acl", "year"]

_LATER = 11


def year(name: str) -> int:
    """The year of a paper."""
    return {paper.id: paper.year for paper in papers()}[name] + _LATER


def cites() -> dict[str, list[str]]:
    """Citing id -> cited ids: the papers 5 to 9 of a field cite its first five, the last one also the paper before it."""
    return {
        f"{f}-{i}": [f"{f}-{j}" for j in range(5)] + ([f"{f}-{i - 1}"] if i == 9 else [])
        for f in range(4)
        for i in range(5, 10)
    }


def write_acl(folder: Path, *, few_words: bool = False) -> Path:
    """papers.jsonl and citations.jsonl. `few_words`: titles of the words that the tiny embedder knows, abstracts empty."""
    folder.mkdir(parents=True)
    rows = [
        {
            "id": p.id,
            "title": _known(p.id) if few_words else p.title,
            "abstract": "" if few_words else p.abstract,
            "year": p.year + _LATER,
            "authors": list(p.authors),
            "venue": p.venue,
        }
        for p in papers()
    ]
    (folder / "papers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lists = [{"id": name, "cites": works} for name, works in cites().items()]
    (folder / "citations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lists))
    return folder


def _known(name: str) -> str:
    field, place = map(int, name.split("-"))
    words = (
        "the cat sat on mat",
        "and dog log that it",
        "a query is searched fused",
        "retrieval cites papers read what",
    )[field].split()
    return " ".join(words[(place + step) % 5] for step in range(1 + place % 4))
