"""Papers by the DOI or arXiv id that a person gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from litrag.core.types import Paper
from litrag.retrievers.normal_forms import doi
from litrag.retrievers.sources import online_sources

if TYPE_CHECKING:
    from litrag.core.settings import Settings
    from litrag.retrievers.sources.arxiv import ArxivSource
    from litrag.retrievers.sources.crossref import Crossref
    from litrag.retrievers.sources.semantic_scholar import SemanticScholar
    from litrag.retrievers.sources.web import Web

__all__ = ["look_up"]


async def look_up(names: Sequence[str], settings: Settings, web: Web) -> dict[str, Paper]:
    """The papers of DOIs and arXiv ids, by the name they were asked for; those that nobody knows are left out. Semantic Scholar answers where it is among
    the sources, since it has abstracts; else arXiv for its own ids and Crossref for DOIs. Raises SourceFault."""
    if "semantic-scholar" in settings.sources:
        scholar = cast("SemanticScholar", online_sources(["semantic-scholar"], settings, web)[0])
        ids = {name: f"DOI:{name}" if doi(name) else f"ARXIV:{name}" for name in names}
        told = await scholar.papers(list(ids.values()))
        return {name: told[asked] for name, asked in ids.items() if asked in told}
    found: dict[str, Paper] = {}
    if dois := [name for name in names if doi(name)]:
        found |= await cast("Crossref", online_sources(["crossref"], settings, web)[0]).works(dois)
    if ids_ := [name for name in names if not doi(name)]:
        arxiv = cast("ArxivSource", online_sources(["arxiv"], settings, web)[0])
        try:
            found |= await arxiv.papers(ids_)
        finally:
            arxiv.close()
    return found
