"""What a reranker is measured and trained on: for each topic the first stage's candidates, and their grades."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.store import place_of
from litrag.core.sync import run
from litrag.core.types import Ranking
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.retrievers.bm25 import bm25_over

__all__ = ["DEPTH", "Judged", "candidates", "judged"]

DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """A topic's candidates, best first, and beside each its grade; what nobody judged counts as 0."""

    ranking: Ranking
    grades: tuple[float, ...]
    dataset: str

    @property
    def place(self) -> float:
        """A number in [0, 1) by the query's text: what is held out stays so when the data set grows."""
        return place_of(self.ranking.query.text)


def candidates(dataset: Dataset, depth: int = DEPTH) -> Mapping[str, Ranking]:
    """Topic id -> its first `depth` candidates: those that the set brings, else BM25's (k1 .9, b .4, stemmed) over its corpus."""
    lacking = [topic for topic in dataset.topics if topic.candidates is None]
    found = _searched(dataset, lacking, depth) if lacking else {}
    for topic in dataset.topics:
        if topic.candidates is not None:
            found[topic.id] = Ranking(topic.query, topic.candidates.hits[:depth])
    return found


def judged(specs: str) -> list[Judged]:
    """The topics with a relevant and another candidate of one or more data sets, joined by "+" (trec-dl20+scifact:train). Raises BadInput,
    UnknownName, EnvironmentFault."""
    found = list(itertools.chain.from_iterable(_judged(spec) for spec in specs.split("+")))
    if not found:
        raise BadInput(f"data set {specs}: no topic has a relevant document among its first {DEPTH} candidates")
    return found


def _judged(spec: str) -> list[Judged]:
    dataset = load(spec)
    known = candidates(dataset)
    rows = [Judged(known[t.id], tuple(t.relevant.get(n, 0) for n in known[t.id].ids), spec) for t in dataset.topics]
    return [row for row in rows if any(grade > 0 for grade in row.grades) and len(set(row.grades)) > 1]


def _searched(dataset: Dataset, topics: Sequence[Topic], depth: int) -> dict[str, Ranking]:
    rankings = run(bm25_over(dataset.reachable()).retrieve([topic.query for topic in topics], depth))
    return {topic.id: ranking for topic, ranking in zip(topics, rankings, strict=True)}
