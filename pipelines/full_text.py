"""Reading beyond abstracts: the passages of a cited paper's full text that are nearest to the user's text, with their pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from litrag.agents.entities import WordWeights
from litrag.core.errors import BudgetSpent, SourceFault
from litrag.core.types import Passage
from litrag.pipelines.finding import Selected, with_warnings
from litrag.pipelines.state import ReviewState
from litrag.pipelines.support import Coverage
from litrag.pipelines.workshop import Workshop
from litrag.retrievers.sources.open_texts import OpenTexts

__all__ = ["read"]

_KEPT: Final = 3  # passages of a paper
_LEAST: Final = 30  # words of a passage that says something; page headers and captions have fewer


async def read(shop: Workshop, state: ReviewState) -> ReviewState:
    """The selected papers with passages of their full texts, where the settings ask for it. What cannot be read is a warning."""
    if not shop.settings.full_text:
        return {}
    selected = shop.store.get(state["selected"], tuple[Selected, ...])
    warnings: list[str] = []
    found: list[Selected] = []
    with OpenTexts(shop.libraries, shop.web, shop.settings) as texts:
        for place, item in enumerate(selected, start=1):
            passages: tuple[Passage, ...] = ()
            try:
                async with asyncio.timeout(shop.budget.seconds_left):
                    passages = await _nearest(shop, await texts.passages(item.paper, warnings.append))
            except SourceFault as error:
                warnings.append(f"{item.key}: its full text was not read: {error}")
            except TimeoutError:
                warnings.append(f"{item.key}: its full text was not read: the run's time is up; raise --max-seconds")
            found.append(replace(item, passages=passages))
            shop.say("read", done=place, total=len(selected))
    told = sum(bool(item.passages) for item in found)
    if not told:
        warnings.append(
            "no full text was found: libraries hold them of PDF, Markdown and text files, arXiv and the ACL Anthology of their own papers"
        )
    return {
        "selected": shop.store.put(tuple(found), tuple[Selected, ...]),
        "counters": {**state.get("counters", {}), "full_texts": told},
        "warnings": with_warnings(shop, state, *warnings),
    }


async def _nearest(shop: Workshop, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages nearest to the user's text, in the order of the paper; by words where there is no embedder, or no budget for it."""
    told = [passage for passage in passages if len(passage.text.split()) >= _LEAST]
    if not told:
        return ()
    scores = await _scores(shop, [passage.text for passage in told])
    best = sorted(range(len(told)), key=lambda place: (-scores[place], place))[:_KEPT]
    return tuple(told[place] for place in sorted(best))


async def _scores(shop: Workshop, texts: Sequence[str]) -> Sequence[float]:
    about = shop.request.text
    if shop.embedder is not None:
        try:
            (own,) = await shop.embedder.embed([about], kind="query")
            return [float(value) for value in await shop.embedder.embed(list(texts), kind="document") @ own]
        except BudgetSpent:  # words cost nothing
            pass
    coverage = Coverage(WordWeights.of(texts))
    return [coverage.of(about, text) for text in texts]
