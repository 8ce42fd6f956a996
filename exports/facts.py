"""Facts of a work as every writer takes them: what kind it is, where it can be read, and text without what breaks a
file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from litrag.core.display import clean
from litrag.core.types import Paper

__all__ = ["Kind", "clean", "container", "kind", "link"]

Kind: TypeAlias = Literal["proceedings", "journal", "preprint", "chapter", "book", "thesis", "report"]

_KINDS: Final[Mapping[str, Kind]] = {"chapter": "chapter", "book": "book", "thesis": "thesis", "report": "report"}
_ARTICLES: Final[Mapping[str, Kind]] = {"article-journal": "journal", "paper-conference": "proceedings"}
_PROCEEDINGS: Final = re.compile(
    r"\b(proceedings|conference|workshop|symposium|meeting|findings|companion volume)\b", re.IGNORECASE
)
_ARXIV: Final = re.compile(r"^(arxiv|corr)\b", re.IGNORECASE)
_URL_SAFE: Final = ":/?#[]@!$&'()*+,;=%~"
_DOI_SAFE: Final = "/:;()._-+,~!*'@$="


def kind(paper: Paper) -> Kind:
    """By its type, if it has one, else by the name of its venue; an article without a venue, or in arXiv, is a preprint."""
    told = paper.imprint.get("type", "")
    if told in _KINDS:
        return _KINDS[told]
    venue = " ".join(paper.venue.split())
    if not venue or _ARXIV.match(venue):
        return "preprint"
    return _ARTICLES.get(told) or ("proceedings" if _PROCEEDINGS.search(venue) else "journal")


def container(paper: Paper) -> str:
    """What the work stands in: its venue, but for a book's, a thesis's or a report's that is its publisher once more."""
    alone = kind(paper) in ("book", "thesis", "report") and paper.venue == paper.imprint.get("publisher")
    return "" if alone else clean(paper.venue).strip()


def link(paper: Paper) -> str:
    """Where the work can be read: by its DOI, else its arXiv id, else its own address if that is http(s); else
    empty."""
    if paper.doi:
        return f"https://doi.org/{quote(clean(paper.doi).strip(), safe=_DOI_SAFE)}"
    if paper.arxiv_id:
        return f"https://arxiv.org/abs/{quote(clean(paper.arxiv_id).strip(), safe='/.-')}"
    url = clean(paper.url).strip()
    return quote(url, safe=_URL_SAFE) if re.match(r"https?://\w", url, re.IGNORECASE) else ""
