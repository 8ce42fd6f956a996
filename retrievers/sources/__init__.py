"""Sources of papers: local libraries, and scholarly APIs by id of the command line."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from litrag.core import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litrag.core.protocols import Source
    from litrag.core.settings import Settings
    from litrag.retrievers.sources.web import Web

__all__ = ["KEYS", "SOURCES", "key_of", "online_sources"]

SOURCES: Final = {
    "arxiv": "litrag.retrievers.sources.arxiv:ArxivSource",
    "semantic-scholar": "litrag.retrievers.sources.semantic_scholar:SemanticScholar",
    "openalex": "litrag.retrievers.sources.openalex:OpenAlex",
    "crossref": "litrag.retrievers.sources.crossref:Crossref",
}


# source -> the variables that may hold its key, first come first served
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "arxiv": (),
    "semantic-scholar": ("SEMANTIC_SCHOLAR_API_KEY", "S2_API_KEY"),
    "openalex": ("OPENALEX_API_KEY",),
    "crossref": (),
}


def online_sources(ids: Sequence[str], settings: Settings, web: Web) -> tuple[Source, ...]:
    """The sources of ids, each with its key from the environment. Raises UnknownName."""
    built = []
    for name in dict.fromkeys(ids):
        made: Any = registry.find("source", SOURCES, name)
        seconds = settings.source_seconds
        host = replace(
            made.host,
            interval=settings.source_intervals.get(name, made.host.interval),
            stall=min(made.host.stall, seconds / 2),
            first_wait=min(made.host.first_wait, seconds / 20),
        )
        url = settings.source_urls.get(name, "")
        built.append(made(web, url=url, key=key_of(KEYS.get(name, ())), seconds=seconds, host=host))
    return tuple(built)


def key_of(variables: Sequence[str]) -> str:
    """The first key that is set; keys are never kept in settings, runs or caches."""
    return next((value for name in variables if (value := os.environ.get(name, "").strip())), "")
