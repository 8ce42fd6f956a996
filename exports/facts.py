"""Facts of a work as every writer takes them: what kind it is, where it can be read, and text without what breaks a
file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from litrag.core.display import clean
from litrag.core.types import Paper

__all__ = ["Kind", "clean", "kind", "link"]

Kind: TypeAlias = Literal["proceedings", "journal", "preprint", "chapter", "book", "thesis", "report"]

_KINDS: Final[Mapping[str, Kind]] = {"chapter": "chapter", "book": "book", "thesis": "thesis", "report": "report"}
_PROCEEDINGS: Final = re.compile(
    r"\b(proceedings|conference|workshop|symposium|meeting|findings|companion volume)\b", re.IGNORECASE
)
_ARXIV: Final = re.compile(r"^(arxiv|corr)\b", re.IGNORECASE)
_URL_SAFE: Final = ":/?#[]@!$&'()*+,;=%~"
_DOI_SAFE: Final = "/:;()._-+,~!*'@$="


def kind(paper: Paper) -> Kind:
    """By its type where that is no article, else by the name of its venue; none, or arXiv, is a preprint."""
    if found := _KINDS.get(paper.imprint.get("type", "")):
        return found
    venue = " ".join(paper.venue.split())
    if not venue or _ARXIV.match(venue):
        return "preprint"
    return "proceedings" if _PROCEEDINGS.search(venue) else "journal"


def link(paper: Paper) -> str:
    """Where the work can be read: by its DOI, else its arXiv id, else its own address if that is http(s); else
    empty."""
    if paper.doi:
        return f"https://doi.org/{quote(clean(paper.doi).strip(), safe=_DOI_SAFE)}"
    if paper.arxiv_id:
        return f"https://arxiv.org/abs/{quote(clean(paper.arxiv_id).strip(), safe='/.-')}"
    url = clean(paper.url).strip()
    return quote(url, safe=_URL_SAFE) if re.match(r"https?://\w", url, re.IGNORECASE) else ""
