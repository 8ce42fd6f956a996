"""Keyword queries without a model: the keyphrases of YAKE (Campos et al., Information Sciences 2020), unsupervised, one text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from litrag.core.keyphrases import keyphrases
from litrag.core.types import Query

__all__ = ["OriginalOnly", "StatisticalKeywords"]


class OriginalOnly:
    """Searches with the original query alone."""

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """The query itself."""
        return (query,)


@dataclass(frozen=True, slots=True)
class StatisticalKeywords:
    """The original query and `n` keyphrases of up to `words` words each."""

    n: int = 3
    words: int = 3

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; fewer keyphrases where the text has fewer."""
        phrases = await asyncio.to_thread(keyphrases, query.text, self.n, self.words)
        return (query, *(replace(query, text=phrase, kind="keywords", parent=query.text) for phrase in phrases))
