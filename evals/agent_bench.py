"""What the rows of a table of agents share: retrievers, trajectories with the whole budget, what stopping earlier would have read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from litrag.agents.entities import WordWeights
from litrag.agents.hops import EntityHops, Feedback
from litrag.agents.loop import Hops, Notes, SearchAgent
from litrag.core.protocols import Retriever
from litrag.core.store import place_of
from litrag.core.sync import run
from litrag.core.types import Document
from litrag.corpora.types import Dataset, Topic
from litrag.evals.answers import support_token_recall
from litrag.evals.journal import Answer
from litrag.evals.retrieval_bench import Bench
from litrag.evals.runner import System
from litrag.evals.tasks import EvalOptions
from litrag.retrievers.dense import Dense
from litrag.retrievers.fusion import Hybrid
from litrag.training.frugal import (
    Trail,
    components,
    fitted_controller,
    stopped_at,
    title_recall,
    titled,
    trails_of,
)

__all__ = ["FOLDS", "AgentBench", "folds", "gold_sentences"]

FOLDS = 5


@dataclass
class AgentBench:
    """The data of one table. `k` documents a hop, at most `searches` of them."""

    dataset: Dataset
    options: EvalOptions = field(default_factory=EvalOptions)
    k: int = 3
    searches: int = 6
    target: float = 0.98
    _trails: dict[str, dict[str, Trail]] = field(default_factory=dict)
    _ends: dict[str, int] = field(default_factory=dict)

    @cached_property
    def bench(self) -> Bench:
        """Documents, indexes and the embedder."""
        return Bench(self.dataset, 100, (), self.options)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The pool by id."""
        return self.bench.documents

    @cached_property
    def idf(self) -> WordWeights:
        """Of the pool."""
        return WordWeights.of(document.text for document in self.documents.values())

    @cached_property
    def words(self) -> Retriever:
        """BM25 with titles counted twice."""
        return titled(self.documents.values())

    @cached_property
    def dense(self) -> Retriever:
        """Cosine of the embedder in force."""
        return Dense(self.bench.embedder(), self.bench.index, self.bench.fetch, "dense")

    @cached_property
    def hybrid(self) -> Retriever:
        """Both, by RRF, weights 1:1."""
        return Hybrid((self.words, self.dense), weights=(1.0, 1.0), depth=100)

    @cached_property
    def entity(self) -> Hops:
        """Hops along names."""
        return EntityHops(self.idf)

    @cached_property
    def feedback(self) -> Hops:
        """The naive hop."""
        return Feedback()

    def trails(self, name: str, hops: Hops, retriever: Retriever) -> Mapping[str, Trail]:
        """Topic id -> its trajectory with the whole budget, made once."""
        if name not in self._trails:
            agent = SearchAgent(retriever, hops, max_searches=self.searches, k=self.k)
            topics, groups = self.dataset.topics, components(self.dataset.topics)
            found = run(trails_of(agent, topics, groups, self.idf))
            self._trails[name] = {topic.id: trail for topic, trail in zip(topics, found, strict=True)}
        return self._trails[name]

    def controlled(self, trails: Mapping[str, Trail]) -> Mapping[str, int]:
        """Topic id -> after how many searches a controller stops that was fitted to the other folds."""
        if self._ends:
            return self._ends
        parts = folds(trails)
        found: dict[str, int] = {}
        for fold in range(FOLDS):
            others = [trail for name, trail in trails.items() if parts[name] != fold]
            controller = fitted_controller(others, target=self.target)
            found |= {name: stopped_at(controller, trail) for name, trail in trails.items() if parts[name] == fold}
        self._ends.update({topic.id: found[topic.id] for topic in self.dataset.topics})
        return self._ends

    def system(self, name: str, ready: Callable[[], Callable[[Topic], tuple[Notes, int]]], **settings: Any) -> System:
        """A row from what gives a topic's notes and the number of searches that are counted."""
        return System(name, lambda: _Row(self, ready()), {"k": self.k, **settings})

    def answered(self, topic: Topic, notes: Notes, searches: float) -> Answer:
        """The metrics of what was read."""
        documents = notes.documents
        metrics = {
            "title_recall": title_recall(topic, notes),
            "all_titles": float(title_recall(topic, notes) == 1.0),
            "support_token_recall": support_token_recall(gold_sentences(topic, self.documents), _lines(documents)),
            "documents": float(len(documents)),
            "searches": float(searches),
        }
        asked = [step.query.text for step in notes.steps]
        return Answer(metrics, {"searches": len(notes.steps)}, {"ids": [d.id for d in documents], "queries": asked})


@dataclass(frozen=True, slots=True)
class _Row:
    bench: AgentBench
    ended: Callable[[Topic], tuple[Notes, int]]

    async def answer(self, topic: Topic) -> Answer:
        notes, searches = self.ended(topic)
        return self.bench.answered(topic, notes, searches)


def gold_sentences(topic: Topic, documents: Mapping[str, Document]) -> list[str]:
    """The supporting facts as text; where a set tells none, the whole needed documents."""
    facts = topic.facts.get("supporting_facts")
    if not facts:
        return [documents[name].text for name in topic.relevant if name in documents]
    found = []
    for title, index in facts:
        name = "_".join(str(title).split())
        if name in documents:
            lines = _lines([documents[name]])
            found += lines[index : index + 1]
    return found


def _lines(documents: Sequence[Document]) -> list[str]:
    """Sentences: lines, which HotPotQA's are, else what the splitter finds."""
    from litrag.core.sentences import sentences

    found: list[str] = []
    for document in documents:
        body = document.text.removeprefix(document.title).strip("\n")
        found += body.split("\n") if "\n" in body else [span.text for span in sentences(body)]
    return found


def folds(trails: Mapping[str, Trail]) -> Mapping[str, int]:
    """Topic id -> its fold, by its group's hash."""
    return {name: int(place_of(trail.group) * FOLDS) for name, trail in trails.items()}
