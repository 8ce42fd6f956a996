"""Rewriters: from what the user gave to queries that find. Names are ids of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["REWRITERS"]

REWRITERS: Final = {
    "keywords": "litrag.rewriters.keywords:KeywordQueries",
    "statistical": "litrag.rewriters.statistical:StatisticalKeywords",
    "none": "litrag.rewriters.statistical:OriginalOnly",
}
