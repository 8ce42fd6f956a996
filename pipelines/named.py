"""Papers that a user names: those chosen, those that were found and not chosen, and those of the libraries that are searched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from litrag.core.names import citation_keys
from litrag.core.types import Hit, Paper, Ranking
from litrag.pipelines.finding import Selected
from litrag.pipelines.plan_file import KEYED
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import Workshop
from litrag.retrievers.normal_forms import doi

__all__ = ["in_reach", "with_named"]


def with_named(shop: Workshop, state: ReviewState, text: str, selected: tuple[Selected, ...]) -> tuple[Selected, ...]:
    """The selected papers, those of the pool that a plan names by DOI or arXiv id, and those that it names by "@" and what `in_reach` knows."""
    chosen = {item.paper.id for item in selected}
    pool = shop.store.get(state["papers"], tuple[Paper, ...])
    hits = {hit.document.id: hit for hit in shop.store.get(state["ranking"], Ranking).hits}
    numbered = (p for p in pool if any(number and number in text.lower() for number in (doi(p.doi), p.arxiv_id)))
    keys = {item.key for item in selected}
    named = {paper.id: paper for paper in (*numbered, *in_reach(shop, set(KEYED.findall(text)) - keys, pool).values())}
    new = [paper for name, paper in named.items() if name not in chosen]
    given = citation_keys(new, keys)
    return (
        *selected,
        *(Selected(given[paper.id], paper, hits.get(paper.id) or Hit(paper.to_document())) for paper in new),
    )


def in_reach(shop: Workshop, names: Collection[str], pool: Iterable[Paper]) -> dict[str, Paper]:
    """Name -> the paper that goes by it: of the pool, else of the libraries. A paper goes by its owner's key, the key that a bibliography of it alone
    gives it ("li2021fog"), its DOI, its arXiv id, its id. Names of none are left out."""
    left = set(names)
    found: dict[str, Paper] = {}
    for paper in _each(shop, pool):
        if not left:
            break
        found |= dict.fromkeys(_names(paper) & left, paper)
        left -= found.keys()
    return found


def _each(shop: Workshop, pool: Iterable[Paper]) -> Iterator[Paper]:
    yield from pool
    for library in shop.libraries:
        yield from library.papers(library.index.ids)


def _names(paper: Paper) -> set[str]:
    return {paper.key, citation_keys([paper])[paper.id], doi(paper.doi), paper.arxiv_id, paper.id} - {""}
