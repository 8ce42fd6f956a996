"""Keyword queries without a model: the keyphrases of YAKE (Campos et al., Information Sciences 2020), unsupervised, one text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from litrag.core.types import Query

__all__ = ["OriginalOnly", "StatisticalKeywords", "keyphrases"]


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


def keyphrases(text: str, n: int, words: int = 3) -> tuple[str, ...]:
    """The `n` best keyphrases, best first, none contained in another."""
    import yake

    found = yake.KeywordExtractor(lan="en", n=words, top=n * 6, dedupLim=0.7).extract_keywords(text)
    chosen: list[str] = []
    for phrase, _ in sorted(found, key=lambda item: (item[1], item[0])):
        plain = phrase.casefold()
        if not any(plain in other.casefold() or other.casefold() in plain for other in chosen):
            chosen.append(phrase)
    return tuple(chosen[:n])
