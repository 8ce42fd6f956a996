"""What a work itself says that is nearest to the user's text: the sentence to quote where no clause tells its contribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from litrag.agents.entities import WordWeights
from litrag.core.protocols import Embedder
from litrag.core.quotes import APART
from litrag.core.sentences import sentences
from litrag.core.types import Paper
from litrag.pipelines.contributions import quotable
from litrag.pipelines.support import Coverage

__all__ = ["by_cosine", "by_words", "spoken", "statement"]

_LEAST: Final = 6  # words of a sentence that says something
_BEST: Final = 3  # sentences of which a short one is taken rather than the beginning of the first


def spoken(paper: Paper) -> tuple[str, ...]:
    """The sentences of the abstract that can be quoted, without their full stops."""
    told = (
        " ".join(span.text.split()).rstrip(".!?").strip()
        for part in paper.abstract.split(APART)
        for span in sentences(part)
    )
    return tuple(dict.fromkeys(text for text in told if len(text.split()) >= _LEAST and quotable(text)))


def by_words(papers: Mapping[str, Paper], about: Paper) -> dict[str, tuple[str, ...]]:
    """The sentences of each work, those first that hold most of the text's worth in words."""
    coverage = Coverage(WordWeights.of(paper.text for paper in papers.values()))
    return {
        key: tuple(sorted(spoken(paper), key=lambda text: -coverage.of(about.text, text)))
        for key, paper in papers.items()
    }


async def by_cosine(papers: Mapping[str, Paper], about: Paper, embedder: Embedder) -> dict[str, tuple[str, ...]]:
    """The sentences of each work, those first that are nearest to the text. Raises ModelFault, BudgetSpent."""
    told = {key: spoken(paper) for key, paper in papers.items()}
    texts = list(dict.fromkeys(text for group in told.values() for text in group))
    if not texts:
        return told
    (own,) = await embedder.embed([about.text], kind="document")
    near = dict(zip(texts, (float(value) for value in await embedder.embed(texts, kind="document") @ own), strict=True))
    return {key: tuple(sorted(group, key=lambda text: -near[text])) for key, group in told.items()}


def statement(ranked: Sequence[str], *, words: int) -> str:
    """The first of the best sentences with at most `words` words; the beginning of the first, ended by "…", where none is so short; "" where none can be."""
    short = next((text for text in ranked[:_BEST] if len(text.split()) <= words), "")
    if short or not ranked or words <= _LEAST:
        return short
    return " ".join(ranked[0].split()[: words - 1]).rstrip(",;:–—-") + " …"
