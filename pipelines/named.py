"""Papers that a user names in a plan: those chosen, and those that were found and not chosen."""

from __future__ import annotations

import re

from litrag.core.names import citation_keys
from litrag.core.types import Hit, Paper, Ranking
from litrag.pipelines.finding import Selected
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import Workshop
from litrag.retrievers.normal_forms import doi

__all__ = ["with_named"]


def with_named(shop: Workshop, state: ReviewState, text: str, selected: tuple[Selected, ...]) -> tuple[Selected, ...]:
    """The selected papers and those of the pool that a plan names by DOI, arXiv id or their owner's key."""
    chosen = {item.paper.id for item in selected}
    pool = shop.store.get(state["papers"], tuple[Paper, ...])
    hits = {hit.document.id: hit for hit in shop.store.get(state["ranking"], Ranking).hits}
    named = [
        paper
        for paper in pool
        if paper.id not in chosen
        and (
            any(number and number in text.lower() for number in (doi(paper.doi), paper.arxiv_id))
            or (paper.key and re.search(rf"@{re.escape(paper.key)}(?![\w:.+/-]*\w)", text))
        )
    ]
    keys = citation_keys(named, [item.key for item in selected])
    return (
        *selected,
        *(Selected(keys[paper.id], paper, hits.get(paper.id) or Hit(paper.to_document())) for paper in named),
    )
