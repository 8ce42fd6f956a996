"""Whether cited papers exist and still stand: their DOIs are looked up with Crossref, the ids of arXiv with arXiv, once, when the review is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from litrag.core.budget import Budget
from litrag.core.errors import SourceFault
from litrag.core.settings import Settings
from litrag.core.types import Paper
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in, doi
from litrag.retrievers.sources import online_sources

if TYPE_CHECKING:
    from litrag.retrievers.sources.arxiv import ArxivSource
    from litrag.retrievers.sources.crossref import Crossref
    from litrag.retrievers.sources.web import Web

__all__ = ["Online", "Retracted", "check_existence", "check_retractions"]


@dataclass(frozen=True, slots=True)
class Retracted:
    """`papers`: citation key -> what became of the paper; `unknown`: keys whose number nobody registered. `counters` tell how many could be looked up;
    nothing where nobody was asked."""

    papers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def __add__(self, other: Retracted) -> Retracted:
        return Retracted(
            {**self.papers, **other.papers},
            self.warnings + other.warnings,
            {**self.counters, **other.counters},
            self.unknown + other.unknown,
        )


class Online(Protocol):
    """What the look-ups need of whoever asks for them: a run, a check."""

    @property
    def settings(self) -> Settings:
        """Those in force."""

    @property
    def web(self) -> Web | None:
        """Where answers are fetched and kept; None where nobody may be asked."""

    @property
    def budget(self) -> Budget:
        """How much time is left."""

    def say(self, stage: str, message: str) -> None:
        """Reports progress."""


async def check_existence(shop: Online, papers: Mapping[str, Paper]) -> Retracted:
    """What Crossref and arXiv know of the papers (by citation key): DOIs as `check_retractions` says; arXiv ids that arXiv itself did not give, where arXiv is among the
    sources of the review. A look-up that fails is a warning."""
    return await check_retractions(shop, papers) + await _unknown_to_arxiv(shop, papers)


async def _unknown_to_arxiv(shop: Online, papers: Mapping[str, Paper]) -> Retracted:
    ids = {
        key: number
        for key, p in papers.items()
        if "arxiv" not in p.provenance.values() and (number := arxiv_id(p.arxiv_id) or arxiv_id_in(p.doi, p.url))
    }
    if shop.web is None or "arxiv" not in shop.settings.sources or not ids:
        return Retracted()
    arxiv = cast("ArxivSource", online_sources(["arxiv"], shop.settings, shop.web)[0])
    shop.say("export", f"asking arXiv about {len(ids)} ids")
    try:
        async with asyncio.timeout(shop.budget.seconds_left):
            known = await arxiv.papers(list(dict.fromkeys(ids.values())))
    except SourceFault as error:
        return Retracted(warnings=(f"arXiv's ids were not checked: {error}",))
    except TimeoutError:
        return Retracted(warnings=("arXiv's ids were not checked: the run's time is up; raise max_seconds",))
    finally:
        arxiv.close()
    unknown = [key for key, number in ids.items() if number not in known]
    warnings = tuple(f'{key} ("{papers[key].title}"): arXiv has no {ids[key]}; check the reference' for key in unknown)
    counters = {"arxiv_looked_up": len(ids), "arxiv_unknown": len(unknown)}
    return Retracted(warnings=warnings, counters=counters, unknown=tuple(unknown))


async def check_retractions(shop: Online, papers: Mapping[str, Paper]) -> Retracted:
    """Looks up the papers (by citation key) that have a publisher's DOI, if the settings ask for it, in the time that the run has left.
    A look-up that fails is a warning."""
    if shop.web is None or not shop.settings.checks_retractions:
        return Retracted()
    numbers = {key: doi(paper.doi) for key, paper in papers.items() if doi(paper.doi) and not arxiv_id_in(paper.doi)}
    if not numbers:
        return Retracted(counters={"dois_looked_up": 0, "retracted": 0})
    crossref = cast("Crossref", online_sources(["crossref"], shop.settings, shop.web)[0])
    shop.say("export", f"asking Crossref about {len(numbers)} DOIs")
    try:
        async with asyncio.timeout(shop.budget.seconds_left):
            found = await crossref.retractions(list(numbers.values()))
            missing = set(await crossref.missing(list(numbers.values())))
    except SourceFault as error:
        return Retracted(warnings=(f"retractions were not checked: {error}",))
    except TimeoutError:
        return Retracted(warnings=("retractions were not checked: the run's time is up; raise max_seconds",))
    told = {key: str(found[number]) for key, number in numbers.items() if number in found}
    warnings = tuple(
        f'{key} ("{papers[key].title}", {numbers[key]}): {what}; leave it out with --exclude {numbers[key]}, or say so in the text'
        for key, what in told.items()
    )
    unknown = [key for key, number in numbers.items() if number in missing]
    warnings += tuple(
        f'{key} ("{papers[key].title}"): the DOI {numbers[key]} is registered nowhere; check the reference'
        for key in unknown
    )
    counters = {"dois_looked_up": len(numbers), "retracted": len(told), "dois_unknown": len(unknown)}
    return Retracted(told, warnings, counters, tuple(unknown))
