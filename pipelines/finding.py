"""The first half of a review: rewrite, search, merge, screen, rerank, select. Each function is one node of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from litrag.agents.one_pass import OnePass
from litrag.core.errors import BudgetSpent, NoEvidence, PromptTooLong
from litrag.core.fusion import ReciprocalRankFusion
from litrag.core.names import citation_keys
from litrag.core.protocols import SourceResult
from litrag.core.quotes import APART
from litrag.core.telemetry import span
from litrag.core.types import Hit, Paper, Passage, Query, Ranking, Score, Trajectory, normalised_title
from litrag.pipelines.lacking import nothing_found, unmatched
from litrag.pipelines.literature import gather
from litrag.pipelines.reranked import doubts
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import Workshop
from litrag.rerankers.similarity import FirstStageOrder, Similarity, cosines
from litrag.retrievers.merging import merge, with_origin
from litrag.retrievers.screening import Screened, screen
from litrag.rewriters.statistical import StatisticalKeywords

__all__ = [
    "FAR",
    "FirstSearch",
    "Selected",
    "cited",
    "finding_nodes",
    "merge_results",
    "readable",
    "rerank",
    "rewrite",
    "search",
    "select",
    "with_warnings",
]

_LEAST_COSINE: Final = (
    0.2  # MiniLM cosine of two unrelated abstracts of one field; below, a paper has nothing to do with the text
)
_DEPTH: Final = 100  # papers of a search, where no more are wanted
_HARDLY: Final = 0.5  # share of the papers placed by a reranker below which its order is not taken
_LOOKED_AT: Final = 100  # papers that are measured at once
FAR: Final = "no paper found is near your text"
_ORIGINAL_WEIGHT: Final = 4.0  # three short queries together never outweigh the whole text
_DERIVED_WEIGHT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Selected:
    """A paper chosen for the review under its citation key, with the hit that brought it there, and what was read of its full text."""

    key: str
    paper: Paper
    hit: Hit
    passages: tuple[Passage, ...] = ()

    @property
    def read(self) -> Paper:
        """The paper with all that was read of it as its abstract."""
        told = [self.paper.abstract, *(passage.text for passage in self.passages)]
        return replace(self.paper, abstract=f"\n{APART}\n".join(filter(None, told))) if self.passages else self.paper

    @property
    def pages(self) -> tuple[tuple[int, int], ...]:
        """Where in the text of `read` which page begins."""
        text, found, start = self.read.text, [], len(self.paper.text)
        for passage in self.passages:
            start = text.index(passage.text, start)
            found += [(start, passage.page)] if passage.page else []
            start += len(passage.text)
        return tuple(found)


def with_warnings(shop: Workshop, state: ReviewState, *new: str) -> str:
    """The id of the run's warnings with `new` ones appended, none twice."""
    old = shop.store.get(state["warnings"], tuple[str, ...]) if state.get("warnings") else ()
    return shop.store.put(tuple(dict.fromkeys((*old, *new))), tuple[str, ...])


async def rewrite(shop: Workshop, state: ReviewState) -> ReviewState:
    """Queries from the abstract; the budget spent, those of the statistical rewriter."""
    update: ReviewState = {}
    warnings = [*shop.start_warnings]
    try:
        queries = await _rewritten(shop)
    except BudgetSpent as error:
        update["stop_reason"] = str(error)
        queries = await StatisticalKeywords().rewrite(shop.request.query)
    if len(queries) == 1 and shop.rewriter_id != "none":
        warnings.append(f"rewriter {shop.rewriter_id} made no query; your text alone is searched with")
    update["warnings"] = with_warnings(shop, state, *warnings)
    update["queries"] = shop.store.put(queries, tuple[Query, ...])
    shop.say("rewrite", f"{len(queries)} queries: " + "; ".join(q.text for q in queries[1:]))
    return update


async def _rewritten(shop: Workshop) -> tuple[Query, ...]:
    """The text, then the rewriter's queries; one that reads a conversation gets the title as the question, and what it makes of it joins the text."""
    rewriter, query = shop.rewriter(), shop.request.query
    if not getattr(rewriter, "converses", False):
        return await rewriter.rewrite(query)
    _, *made = await rewriter.rewrite(shop.request.question)
    return (query, *(replace(each, parent=query.text) for each in made))


async def search(shop: Workshop, state: ReviewState) -> ReviewState:
    """Every query to every source, as far as the budget reaches. The paper's own words are searched first."""
    queries = shop.store.get(state["queries"], tuple[Query, ...])
    agent = OnePass(
        shop.sources, shop.recorded_search, tick=lambda done, total: shop.say("search", done=done, total=total)
    )
    found = await agent.run(queries)
    results, warnings = list(found.results), [*found.warnings]
    trajectories = {"queries": found.trajectory}
    stop = found.trajectory.stop_reason
    if stop == "done" and shop.settings.agent != "none":
        pool = lambda query, ids: _pooled(shop, query, ids)[:2]  # noqa: E731
        more = await gather(shop, queries[0], results, pool, lambda linked: _screened(shop, linked).kept)
        results += more.results
        warnings += more.warnings
        trajectories[shop.settings.agent] = more.searched.trajectory
        stop = more.searched.stop_reason if more.spent else "done"
    if stop == "done" and (snowball := shop.snowball) is not None:
        grown = await snowball.grow(
            queries[0], _best(shop, queries[0], results), allowed=lambda linked: _screened(shop, linked).kept
        )
        skipped = f", {grown.skipped} unknown to {snowball.graph_name}" if grown.skipped else ""
        shop.say("snowball", f"{len(grown.papers)} more papers ({grown.trajectory.stop_reason}){skipped}")
        linked = SourceResult(snowball.graph_name, queries[0], grown.papers, grown.scores)
        results.append(shop.store.put(linked, SourceResult))
        warnings += grown.warnings
        trajectories["snowball"] = grown.trajectory
        stop = grown.trajectory.stop_reason if grown.trajectory.stop_reason.startswith("budget") else "done"
    update: ReviewState = {
        "results": results,
        "trajectories": shop.store.put(trajectories, dict[str, Trajectory]),
        "warnings": with_warnings(shop, state, *warnings),
    }
    if stop != "done":
        update["stop_reason"] = state.get("stop_reason") or stop
    return update


@dataclass(frozen=True, slots=True)
class FirstSearch:
    """The run's sources as a retriever: a search that the review makes again is not made twice. `warnings` are those of the sources."""

    shop: Workshop
    warnings: list[str] = field(default_factory=list)

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking of at most `k` hits a query. Raises BudgetSpent where none of its searches could be made."""
        agent = OnePass(self.shop.sources, self.shop.recorded_search, max(k, _DEPTH))
        rankings = []
        for query in queries:
            found = await agent.run([query])
            self.warnings.extend(found.warnings)
            if found.spent and not found.results:
                raise found.spent
            ranking = _pooled(self.shop, query, found.results)[1]
            rankings.append(replace(ranking, hits=ranking.hits[:k]))
        return tuple(rankings)


def _best(shop: Workshop, query: Query, results: Sequence[str]) -> list[Paper]:
    """The papers found so far in fused order, those left out that may not be cited."""
    kept, ranking, _ = _pooled(shop, query, results)
    return [kept[name] for name in ranking.ids]


async def merge_results(shop: Workshop, state: ReviewState) -> ReviewState:
    """One record a paper, one fused ranking; own paper, excluded and too new ones out. Raises NoEvidence."""
    kept, ranking, screened = _pooled(shop, Query(shop.request.text, before=shop.request.before), state["results"])
    if not ranking.hits:
        raise NoEvidence(nothing_found(shop, state["results"], screened.newer))
    found = sum(map(len, (screened.kept, screened.own, screened.newer, screened.excluded)))
    shop.say("merge", f"{found} papers, {len(kept)} after screening")
    names = ", ".join(unmatched(shop, screened.excluded))
    idle = (f"--exclude {names}: no paper has such an id, DOI or whole title",) if names else ()
    return {
        "papers": shop.store.put(tuple(kept.values()), tuple[Paper, ...]),
        "pool": shop.store.put(ranking, Ranking),
        "warnings": with_warnings(shop, state, *screened.warnings, *idle),
        "counters": {
            "found": found,
            "own": len(screened.own),
            "newer": len(screened.newer),
            "excluded": len(screened.excluded),
            "pool": len(kept),
        },
    }


async def rerank(shop: Workshop, state: ReviewState) -> ReviewState:
    """The pool reranked; the budget spent, in the fused order."""
    pool = shop.store.get(state["pool"], Ranking)
    update: ReviewState = {}
    warnings: list[str] = []
    try:
        with span("rerank", {"litrag.method": shop.reranker_id, "litrag.documents": len(pool.hits)}):
            ranking = await _reranked(shop, pool, warnings)
    except BudgetSpent as error:
        ranking, update["stop_reason"] = pool, state.get("stop_reason") or str(error)
    warnings += shop.tokens.warnings if shop.tokens else ()
    if warnings:
        update["warnings"] = with_warnings(shop, state, *warnings)
    update["ranking"] = shop.store.put(ranking, Ranking)
    return update


async def _reranked(shop: Workshop, pool: Ranking, warnings: list[str]) -> Ranking:
    """By the reranker in force; where it cannot take these papers (a prompt longer than the model's context), or says of less than half of them where they
    belong, by similarity. Raises ModelFault, BudgetSpent."""
    try:
        ranking = await shop.reranker().rerank(pool)
        doubt = doubts({"the papers found": ranking})
    except PromptTooLong as error:
        ranking, doubt = replace(pool, placed=0.0), str(error)
    instead = ranking.placed < _HARDLY
    if instead:
        how = "as they were found" if shop.embedder is None else "by their similarity to your text"
        doubt = f"{doubt}; they are ordered {how} instead"
    warnings += [f"reranker {shop.reranker_id}: {doubt}"] if doubt else []
    by = FirstStageOrder() if shop.embedder is None else Similarity(shop.embedder)
    return await by.rerank(pool) if instead else ranking


async def select(shop: Workshop, state: ReviewState) -> ReviewState:
    """The best papers under their citation keys; what has nothing to do with the abstract stays out."""
    ranking = shop.store.get(state["ranking"], Ranking)
    papers = {paper.id: paper for paper in shop.store.get(state["papers"], tuple[Paper, ...])}
    ranking, related = await _near(shop, ranking)
    hits = (related or list(ranking.hits))[: shop.settings.papers]
    keys = citation_keys([papers[hit.document.id] for hit in hits])
    selected = tuple(Selected(keys[hit.document.id], papers[hit.document.id], hit) for hit in hits)
    shop.say("select", f"{len(selected)} papers to cite")
    update: ReviewState = {}
    notes: list[str] = []
    if bare := [item.key for item in selected if not item.paper.abstract.strip()]:
        notes.append(
            f"{len(bare)} of {len(selected)} papers to cite have no abstract and are known by their titles alone: {', '.join(bare[:5])}{' …' * (len(bare) > 5)}"
        )
    if related and len(related) < min(shop.settings.papers, len(ranking.hits)) / 2:
        notes.append(
            f"{len(related)} of {len(ranking.hits)} papers found are near your text, and only they are cited; is it about what you search, and in its language?"
        )
    if hits and not related:
        closest = max(value for hit in ranking.hits for value in _cosines(hit))
        far = f"{FAR} (the closest has a cosine of {closest:.2f}); they are cited for want of others: add papers on its subject"
        notes.append(far)
    if notes:
        update["warnings"] = with_warnings(shop, state, *notes)
    if "papers" in shop.settings.pause:
        from litrag.pipelines.pausing import offer_papers

        offered = offer_papers(shop, selected, ranking, papers)
        update["offered"] = shop.store.put(offered, tuple[Selected, ...])
    return {
        **update,
        "selected": shop.store.put(selected, tuple[Selected, ...]),
        "counters": {
            **state.get("counters", {}),
            "unrelated": sum(not _related(hit) for hit in ranking.hits),
            "selected": len(selected),
        },
    }


finding_nodes: Final = {
    "rewrite": rewrite,
    "search": search,
    "merge": merge_results,
    "rerank": rerank,
    "select": select,
}


def _pooled(shop: Workshop, query: Query, ids: Sequence[str]) -> tuple[dict[str, Paper], Ranking, Screened]:
    """The papers of some results that may be cited, by id, one record each; their fused ranking; what became of the others."""
    results = _told_apart([shop.store.get(name, SourceResult) for name in ids])
    papers, same = merge([with_origin(paper, result.source) for result in results for paper in result.papers])
    screened = _screened(shop, papers)
    kept = {paper.id: paper for paper in screened.kept}
    return kept, _fused(query, results, kept, same), screened


def _screened(shop: Workshop, papers: Sequence[Paper]) -> Screened:
    request = shop.request
    return screen(
        papers,
        title=request.title if request.own else "",
        abstract=request.abstract if request.own else "",
        before=request.before,
        exclude=frozenset(request.exclude),
        strict_dates=request.strict_dates,
    )


def _told_apart(results: Sequence[SourceResult]) -> list[SourceResult]:
    """The results with ids that mean one paper each: two libraries may both number theirs from 1."""
    owner: dict[str, tuple[str, str]] = {}
    renamed: list[SourceResult] = []
    for result in results:
        papers = []
        for paper in result.papers:
            mine = (result.source, normalised_title(paper.title))
            first = owner.setdefault(paper.id, mine)
            clash = first[0] != mine[0] and first[1] != mine[1]
            papers.append(replace(paper, id=f"{paper.id}@{result.source}") if clash else paper)
        renamed.append(replace(result, papers=tuple(papers)))
    return renamed


def _fused(
    query: Query, results: Sequence[SourceResult], kept: Mapping[str, Paper], same: Mapping[str, str]
) -> Ranking:
    rankings: list[Ranking] = []
    weights: list[float] = []
    for result in results:
        hits: dict[str, Hit] = {}
        for paper, scores in zip(result.papers, result.scores, strict=True):
            name = same.get(paper.id, paper.id)
            if name in kept and name not in hits:
                hits[name] = Hit(kept[name].to_document(), scores)
        rankings.append(Ranking(query, tuple(hits.values())))
        weights.append(_ORIGINAL_WEIGHT if result.query.parent is None else _DERIVED_WEIGHT)
    if not rankings:
        return Ranking(query)
    if len(rankings) == 1:  # nothing to fuse: its own scores stay the last ones
        return replace(rankings[0], query=query)
    # by the greatest: of searches of one kind the scores are the same whatever kind it is
    return ReciprocalRankFusion(weights=tuple(weight / max(weights) for weight in weights)).fuse(rankings)


async def _near(shop: Workshop, ranking: Ranking) -> tuple[Ranking, list[Hit]]:
    """The ranking with a cosine to the text on each hit that was looked at, which no reranker but `similarity` leaves there, and of those the related ones:
    from the top, until there are as many as may be cited. Without an embedder, or the budget for it, all are."""
    hits, near = list(ranking.hits), list[Hit]()
    for start in range(0, len(hits), _LOOKED_AT):
        part = slice(start, start + _LOOKED_AT)
        hits[part] = await _measured(shop, hits[part])
        near += filter(_related, hits[part])
        if len(near) >= shop.settings.papers:
            break
    return replace(ranking, hits=tuple(hits)), near


async def _measured(shop: Workshop, hits: Sequence[Hit]) -> list[Hit]:
    bare = [hit for hit in hits if not _cosines(hit)]
    if shop.embedder is None or not bare:
        return list(hits)
    text = shop.request.text
    try:
        values = await cosines(shop.embedder, text, bare)
    except (BudgetSpent, PromptTooLong):
        return list(hits)
    order = sorted(range(len(bare)), key=lambda place: -values[place])
    scores = {
        bare[place].document.id: Score(values[place], "similarity", text, rank)
        for rank, place in enumerate(order, start=1)
    }
    return [hit.scored(scores[hit.document.id]) if hit.document.id in scores else hit for hit in hits]


def _cosines(hit: Hit) -> list[float]:
    return [score.value for score in hit.scores if score.source == "similarity"]


def _related(hit: Hit) -> bool:
    """Whether the embedder, where it was asked about the whole abstract, sees any relation."""
    found = _cosines(hit)
    return not found or max(found) >= _LEAST_COSINE


def cited(selected: Sequence[Selected]) -> dict[str, Paper]:
    """Citation key -> paper, best first."""
    return {item.key: item.paper for item in selected}


def readable(selected: Sequence[Selected]) -> dict[str, Paper]:
    """The same with all that was read of each: what is written from and checked against."""
    return {item.key: item.read for item in selected}
