"""Snowballing (Wohlin, EASE 2014): from papers found to the papers that they cite or that cite them, scored against the query.

The graph is asked for one paper at a time, so a budget around it (`agents.one_pass.RecordedGraph`) holds to the request. A hop's candidates are the
linked papers that are new; the best of them are where the next hop starts."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from litrag.core.errors import BadInput, BudgetSpent, SourceFault, SourceUnknown
from litrag.core.protocols import CitationGraph, Embedder
from litrag.core.types import Hop, Paper, Query, Score, Trajectory
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.merging import merge
from litrag.retrievers.normal_forms import arxiv_id_in

__all__ = ["CandidateScorer", "EmbeddingScorer", "Grown", "Snowball", "WordScorer", "graph_id"]

_DIRECTIONS: Final = ("references", "citations")


class CandidateScorer(Protocol):
    """How near papers are to a query."""

    async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
        """One number in [0, 1] a paper, in their order."""


@dataclass(frozen=True, slots=True)
class EmbeddingScorer:
    """The cosine of title and abstract to the query, negative ones as 0."""

    embedder: Embedder

    async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
        """Raises ModelFault, BudgetSpent."""
        if not papers:
            return ()
        (wanted,) = await self.embedder.embed([query.text], kind="query")
        vectors = await self.embedder.embed([paper.text for paper in papers], kind="document")
        return [min(1.0, max(0.0, float(value))) for value in vectors @ wanted]


class WordScorer:
    """BM25 within the papers given, relative to that of the text itself: for machines without an embedder."""

    async def score(self, query: Query, papers: Sequence[Paper]) -> Sequence[float]:
        """Zeros where no word is shared."""
        return await asyncio.to_thread(_by_words, query.text, papers)


@dataclass(frozen=True, slots=True)
class Grown:
    """New papers, best first, beside each its score "snowball" and one "snowball:from" a paper that led there (`query` is its title, the
    value its likeness to the query); the hops; how many papers the graph could not be asked about or does not know; requests to the graph;
    soft failures."""

    papers: tuple[Paper, ...]
    scores: tuple[tuple[Score, ...], ...]
    trajectory: Trajectory
    skipped: int = 0
    requests: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snowball:
    """Grows a set of papers along `graph`, which goes by the name `graph_name` (`graph_id`).

    `seeds` papers start a hop; `hops` is 1 or 2; at most `most` new papers come back. A candidate's score, in [0, 1], is s (1 + l) / 2: s its
    likeness to the query by `scorer`, l the share of the frontier's likeness that links to it. The search runs dry, and ends, when
    fewer than `dry` of a hop's candidates are at least `near` times as like the query as the median seed. Raises BadInput for numbers out
    of range."""

    graph: CitationGraph
    graph_name: str
    scorer: CandidateScorer
    hops: int = 1
    seeds: int = 10
    most: int = 100
    directions: tuple[str, ...] = ("references",)
    near: float = 0.7
    dry: float = 0.1

    def __post_init__(self) -> None:
        if self.hops not in (1, 2) or self.seeds < 1 or self.most < 1:
            raise BadInput(
                f"snowball: hops {self.hops} must be 1 or 2, seeds {self.seeds} and most {self.most} at least 1"
            )
        if not self.directions or not set(self.directions) <= set(_DIRECTIONS):
            raise BadInput(f"snowball: directions {self.directions} must be among {', '.join(_DIRECTIONS)}")

    async def grow(
        self,
        query: Query,
        papers: Sequence[Paper],
        *,
        allowed: Callable[[Sequence[Paper]], Sequence[Paper]] = lambda linked: linked,
    ) -> Grown:
        """New papers linked to the first of `papers`, published before `query.before` (a year counts as its 31 December, undated ones stay),
        none of `query.exclude`, none that is one of `papers`, and of those what `allowed` leaves: what may not be cited (the user's own
        paper) leads nowhere, either. A failing graph is a warning, a spent budget ends it; what was gathered stays. Raises ModelFault."""
        walk = _Walk(self, query, list(papers), allowed)
        likeness, stopped = await self._likeness(query, papers[: self.seeds])
        if stopped:
            return walk.grown(stopped)
        level = statistics.median(likeness.values()) if likeness else 0.0
        frontier: Sequence[Paper] = papers[: self.seeds]
        stop = "done"
        for _ in range(self.hops):
            found, ended = await walk.hop(frontier, likeness)
            like, stopped = await self._likeness(query, found)
            walk.judge(found, like)
            if ended := ended or stopped:
                stop = ended
                break
            if sum(value >= self.near * level for value in like.values()) < self.dry * max(len(like), 1):
                stop = "dry"
                break
            frontier = sorted(found, key=lambda paper: -walk.scores[paper.id])[: self.seeds]
            likeness = like
        return walk.grown(stop)

    async def _likeness(self, query: Query, papers: Sequence[Paper]) -> tuple[dict[str, float], str]:
        """Id -> likeness, by words where the budget of the scorer is spent, and whether it is: why, or ""."""
        stopped = ""
        try:
            values = await self.scorer.score(query, papers) if papers else ()
        except BudgetSpent as error:
            values, stopped = await WordScorer().score(query, papers), str(error)
        return dict(zip((paper.id for paper in papers), values, strict=True)), stopped


class _Walk:
    """What one snowball has gathered."""

    def __init__(
        self,
        snowball: Snowball,
        query: Query,
        known: list[Paper],
        allowed: Callable[[Sequence[Paper]], Sequence[Paper]],
    ) -> None:
        self._snowball, self._query, self._known, self._allowed = snowball, query, known, allowed
        self.found: dict[str, Paper] = {}
        self.scores: dict[str, float] = {}
        self._links: dict[str, dict[str, tuple[str, float]]] = {}
        self._hops: list[Hop] = []
        self._warnings: list[str] = []
        self._skipped = self._requests = 0

    async def hop(self, frontier: Sequence[Paper], likeness: Mapping[str, float]) -> tuple[list[Paper], str]:
        """New papers that the frontier links to, and why the walk must end, "" where it may go on."""
        asked = [
            (paper, name) for paper in frontier if (name := graph_id(paper, self._snowball.graph_name)) is not None
        ]
        self._skipped += len(frontier) - len(asked)
        calls = [self._linked(name, direction) for _, name in asked for direction in self._snowball.directions]
        self._requests += len(calls)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        owners = [paper for paper, _ in asked for _ in self._snowball.directions]
        total = sum(likeness.get(paper.id, 0.0) for paper, _ in asked) or 1.0
        linked: list[tuple[Paper, Paper]] = []
        unknown: set[str] = set()
        ended = ""
        for owner, answer in zip(owners, answers, strict=True):
            if isinstance(answer, BudgetSpent):
                ended = ended or str(answer)
            elif isinstance(answer, SourceUnknown):
                unknown.add(owner.id)
            elif isinstance(answer, SourceFault):
                self._warnings.append(f"snowball: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                linked += [(owner, paper) for paper in answer if self._may_come(paper)]
        self._skipped += len(unknown)
        if len(unknown) == len(asked) > 0:
            self._warnings.append(f"snowball: {self._snowball.graph_name} knows none of {len(asked)} papers")
        fresh = self._fresh(self._allowed(list({paper.id: paper for _, paper in linked}.values())))
        for owner, paper in linked:
            if (name := fresh.get(paper.id)) is not None:
                weight = likeness.get(owner.id, 0.0) / total
                self._links.setdefault(name, {})[owner.id] = (owner.title, weight)
        new = [self.found[name] for name in dict.fromkeys(fresh.values())]
        self._hops.append(Hop("snowball", f"{len(asked)} papers asked", new_ids=tuple(paper.id for paper in new)))
        return new, ended

    def judge(self, papers: Sequence[Paper], likeness: Mapping[str, float]) -> None:
        """Scores new papers."""
        for paper in papers:
            linking = min(1.0, sum(weight for _, weight in self._links.get(paper.id, {}).values()))
            self.scores[paper.id] = likeness[paper.id] * (1 + linking) / 2

    def grown(self, stop: str) -> Grown:
        """The result."""
        order = sorted(self.scores, key=lambda name: (-self.scores[name], name))[: self._snowball.most]
        text = self._query.text
        scores = []
        for rank, name in enumerate(order, start=1):
            leads = sorted(self._links.get(name, {}).values(), key=lambda lead: (-lead[1], lead[0]))
            came = (
                Score(weight, "snowball:from", title, place) for place, (title, weight) in enumerate(leads, start=1)
            )
            scores.append((*came, Score(self.scores[name], "snowball", text, rank)))
        papers = tuple(self.found[name] for name in order)
        warnings = tuple(dict.fromkeys(self._warnings))
        return Grown(
            papers, tuple(scores), Trajectory(tuple(self._hops), stop), self._skipped, self._requests, warnings
        )

    async def _linked(self, name: str, direction: str) -> Sequence[Paper]:
        graph = self._snowball.graph
        answer = await (graph.references([name]) if direction == "references" else graph.citations([name]))
        return answer.get(name, ())

    def _may_come(self, paper: Paper) -> bool:
        late = (
            self._query.before is not None and paper.latest_date is not None and paper.latest_date >= self._query.before
        )
        admitted = self._query.only.admits(year=paper.year, venue=paper.venue, source=self._snowball.graph_name)
        return not late and paper.id not in self._query.exclude and admitted

    def _fresh(self, papers: Sequence[Paper]) -> dict[str, str]:
        """Given id -> id of the new paper that it is; papers that are known already are left out. New ones join `found`."""
        before = [*self._known, *self.found.values()]
        merged, same = merge([*before, *papers])
        known = {same[paper.id] for paper in before}
        records = {paper.id: paper for paper in merged}
        fresh = {paper.id: same[paper.id] for paper in papers if same[paper.id] not in known}
        self.found |= {name: records[name] for name in fresh.values()}
        return fresh


def graph_id(paper: Paper, graph: str) -> str | None:
    """What a citation graph calls a paper: in Semantic Scholar and OpenAlex its own id, else by DOI or arXiv id; in a file its id. None where
    the graph cannot be asked."""
    ids = (paper.id, *paper.aliases)
    number = paper.doi or (f"10.48550/arxiv.{paper.arxiv_id}" if paper.arxiv_id else "")
    if graph == "semantic-scholar":
        own = next((name for name in ids if name.startswith("s2:")), None)
        arxiv = paper.arxiv_id or arxiv_id_in(paper.doi)
        return own or (f"ARXIV:{arxiv}" if arxiv else f"DOI:{paper.doi}" if paper.doi else None)
    if graph == "openalex":
        own = next((name for name in ids if name.startswith("openalex:")), None)
        return own or (f"doi:{number}" if number else None)
    return paper.id


def _by_words(text: str, papers: Sequence[Paper]) -> list[float]:
    """BM25 of each paper relative to that of the text itself, so that scores of several calls compare."""
    names = [str(place) for place in range(len(papers))]
    rows = ((name, None, paper.text) for name, paper in zip(names, papers, strict=True))
    try:
        index = BM25Index.build([*rows, ("text", None, text)])
    except BadInput:
        return [0.0] * len(papers)
    found = {index.ids[place]: score for place, score in index.search(Query(text), len(papers) + 1)}
    return [min(1.0, found.get(name, 0.0) / found["text"]) if found else 0.0 for name in names]
