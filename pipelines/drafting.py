"""Which of several drafts to keep. Diverse plans, one draft each, beat diverse samples of one plan (EDU plan-guided reranking, arXiv 2305.17779).

Deviates: the paper ranks with a trained model (BRIO); here a draft's worth is how well its sources say what its sentences say, plus how alike the works
of a paragraph are, each in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from litrag.core.types import Draft, Paper
from litrag.pipelines.grouping import word_vectors
from litrag.pipelines.support import Support

__all__ = ["best_draft", "cohesion", "supported"]


async def best_draft(drafts: Sequence[Draft], papers: Mapping[str, Paper], support: Support) -> int:
    """The place of the best draft, the first of equals. Raises what a model raises."""
    if len(drafts) < 2:
        return 0
    worth = [await supported(draft, papers, support) + cohesion(draft, papers) for draft in drafts]
    return max(range(len(drafts)), key=lambda place: (worth[place], -place))


async def supported(draft: Draft, papers: Mapping[str, Paper], support: Support) -> float:
    """The mean score of sentence-citation pairs; 0 for a draft without any."""
    pairs = [(claim.sentence, papers[key].text) for claim in draft.claims for key in claim.keys]
    return fmean(await support.score(pairs)) if pairs else 0.0


def cohesion(draft: Draft, papers: Mapping[str, Paper]) -> float:
    """The mean likeness by words of two works of one paragraph, over paragraphs that have two; 0 where none has."""
    keys = list(papers)
    rows = word_vectors([papers[key].text for key in keys])
    means = []
    for section in draft.sections:
        for paragraph in section.paragraphs:
            cited = sorted({keys.index(key) for claim in paragraph.claims for key in claim.keys})
            if len(cited) > 1:
                inside = rows[cited]
                likeness = inside @ inside.T
                n = len(cited)
                means.append(float((likeness.sum() - likeness.trace()) / (n * (n - 1))))
    return fmean(means) if means else 0.0
