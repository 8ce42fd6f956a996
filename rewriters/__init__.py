"""Rewriters: from what the user gave to queries that find. Names are ids of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["REWRITERS"]

REWRITERS: Final = {
    "best-of": "litrag.rewriters.best_of:BestOf",
    "conversational": "litrag.rewriters.conversational:SelfContained",
    "decompose": "litrag.rewriters.expansion:Decomposition",
    "hyde": "litrag.rewriters.expansion:HypotheticalPassage",
    "keywords": "litrag.rewriters.keywords:KeywordQueries",
    "statistical": "litrag.rewriters.statistical:StatisticalKeywords",
    "pseudo-relevant": "litrag.rewriters.contextual:PseudoRelevant",
    "step-back": "litrag.rewriters.expansion:StepBack",
    "none": "litrag.rewriters.statistical:OriginalOnly",
}
