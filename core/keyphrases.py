"""Keyphrases of one text without a model: YAKE (Campos et al., Information Sciences 2020), unsupervised."""

from __future__ import annotations

__all__ = ["keyphrases"]


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
