"""What the rows of a table of agents share: retrievers, trajectories with the whole budget, what stopping earlier would have read, models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

from litrag.agents.answerer import ModelAnswerer
from litrag.agents.entities import WordWeights
from litrag.agents.hops import EntityHops, Feedback
from litrag.agents.loop import Hops, Notes, SearchAgent
from litrag.agents.stops import SHIPPED, Controller
from litrag.core.errors import BadInput
from litrag.core.paths import cache_file
from litrag.core.protocols import Generates, Retriever
from litrag.core.settings import Role, Settings, load_settings
from litrag.core.store import RequestCache, place_of
from litrag.core.sync import run
from litrag.core.types import Document
from litrag.corpora.types import Dataset, Topic
from litrag.corpora.wiki import wiki_id
from litrag.evals.answers import (
    PRF,
    Fact,
    answer_f1,
    exact_match,
    joint,
    matched,
    support_token_recall,
    supporting_facts,
)
from litrag.evals.journal import Answer
from litrag.evals.pages import Pages
from litrag.evals.retrieval_bench import Bench
from litrag.evals.runner import System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import BASE, other_half, trained
from litrag.models.chat import ChatModel
from litrag.models.counting import Tally
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
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

__all__ = ["FOLDS", "WAYS", "AgentBench", "Ended", "Read", "Row", "Way", "folds", "gold_sentences", "lines_of"]

FOLDS: Final = 5
_POOL: Final = "the questions' own paragraphs, with distractors chosen by TF-IDF; not comparable with all of Wikipedia"


@dataclass(frozen=True, slots=True)
class Way:
    """How a trajectory comes about: what makes its queries and answers them, and how many documents are read, first and then."""

    hops: str
    retriever: str
    k: int = 3
    further: int | None = None


WAYS: Final[Mapping[str, Way]] = {
    "fixed": Way("entity", "bm25"),
    "fixed-hybrid": Way("entity", "hybrid"),
    "narrow": Way("entity", "hybrid", 6, 1),
    "words": Way("entity", "bm25", 6, 1),
    "feedback": Way("feedback", "bm25"),
}


@dataclass(frozen=True, slots=True)
class Read:
    """What a system read for a topic; `searches` is what the metric counts, `more` are metrics of its own."""

    notes: Notes
    searches: float
    more: Mapping[str, float] = field(default_factory=dict)


Ended: TypeAlias = Callable[[Topic, Tally], Awaitable[Read]]


@dataclass
class AgentBench:
    """The data of one table. A trajectory has at most `searches` searches, those of models `model_searches`; `backend` answers in the place of the
    models' own."""

    dataset: Dataset
    options: EvalOptions = field(default_factory=EvalOptions)
    searches: int = 6
    whole_searches: int = 6
    model_searches: int = 4
    target: float = 0.98
    backend: Backend | None = None
    _trails: dict[str, dict[str, Trail]] = field(default_factory=dict)
    _ends: dict[str, dict[str, int]] = field(default_factory=dict)

    @cached_property
    def bench(self) -> Bench:
        """Documents, indexes and the embedder."""
        return Bench(self.dataset, 100, (), self.options)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The pool by id."""
        return self.bench.documents

    @cached_property
    def pages(self) -> Pages | None:
        """The library that is searched, if any."""
        return Pages.of(self.options.library, self.bench.settings) if self.options.library else None

    @property
    def searched(self) -> dict[str, Any]:
        """What is searched, for the settings of an evaluation."""
        return {"library": self.pages.name, "pages": len(self.pages)} if self.pages else {"pool": _POOL}

    @cached_property
    def idf(self) -> WordWeights:
        """Of the pool."""
        if self.pages:
            return WordWeights.over([self.pages.counts])
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

    def retriever(self, name: str) -> Retriever:
        """bm25, dense or hybrid. Raises BadInput for dense alone over a library."""
        if self.pages:
            return self.pages.retriever(name)
        if name == "bm25":
            return self.words
        return self.dense if name == "dense" else self.hybrid

    def agent(self, way: Way, hops: Hops | None = None, searches: int = 0) -> SearchAgent:
        """An agent that goes a way, its own hops replaced where others are given."""
        own: Hops = EntityHops(self.idf) if way.hops == "entity" else Feedback()
        most = searches or self.searches
        return SearchAgent(self.retriever(way.retriever), hops or own, max_searches=most, k=way.k, further=way.further)

    def trails(self, name: str) -> Mapping[str, Trail]:
        """Topic id -> its trajectory by a way of WAYS with the whole budget, made once."""
        if name not in self._trails:
            agent = self.agent(WAYS[name])
            topics, groups = self.dataset.topics, components(self.dataset.topics)
            found = run(trails_of(agent, topics, groups, self.idf))
            self._trails[name] = {topic.id: trail for topic, trail in zip(topics, found, strict=True)}
        return self._trails[name]

    def whole(self, name: str) -> Mapping[str, Trail]:
        """The trajectories of a way with the budget that ends are decided in, however far the sweeps beside them go."""
        most = self.whole_searches
        return {
            topic: replace(trail, notes=trail.notes.first(most), recalls=trail.recalls[:most])
            for topic, trail in self.trails(name).items()
        }

    def controlled(self, name: str) -> Mapping[str, int]:
        """Topic id -> after how many searches of a way a controller stops that was fitted to the other folds."""
        if name in self._ends:
            return self._ends[name]
        trails = self.whole(name)
        parts = folds(trails)
        found: dict[str, int] = {}
        for fold in range(FOLDS):
            others = [trail for name, trail in trails.items() if parts[name] != fold]
            try:
                controller = fitted_controller(others, target=self.target)
            except ValueError as error:
                raise BadInput(f"{self.dataset.name}: {error}") from error
            found |= {name: stopped_at(controller, trail) for name, trail in trails.items() if parts[name] == fold}
        self._ends[name] = {topic.id: found[topic.id] for topic in self.dataset.topics}
        return self._ends[name]

    def shipped(self, name: str) -> Mapping[str, int]:
        """The same by the classifier that comes with litrag. Raises BadInput over the questions that it was fitted to."""
        if self.dataset.name.startswith("hotpotqa") and self.dataset.split != "test":
            raise BadInput("litrag's stop classifier was fitted to hotpotqa:train; evaluate hotpotqa:test")
        controller = Controller.load(SHIPPED, self.idf)
        return {topic: stopped_at(controller, trail) for topic, trail in self.whole(name).items()}

    @cached_property
    def settings(self) -> Settings:
        """The settings in force, with the embedded language model where none is set."""
        found = self.options.settings or load_settings()
        return found if found.model else found.model_copy(update={"model": BASE})

    @cached_property
    def gateway(self) -> Gateway:
        """Models by role, on the user's cache."""
        return self._gateway(self.settings)

    def gateway_of(self, react: str) -> Gateway:
        """The same with another model that decides."""
        return self._gateway(self.settings.model_copy(update={"react_model": react}))

    def _gateway(self, settings: Settings) -> Gateway:
        return Gateway(settings, cache=RequestCache(cache_file()), backend=self.backend)

    def trained(self, recipe: str, settings: Mapping[str, Any], base: str = "") -> tuple[str, Path]:
        """Model string and run folder of a training on the other half of the questions, from the model in force or from `base`. Raises BadInput where
        the topics are that half."""
        source = other_half(self.options.dataset or self.dataset.name, self.dataset.split)
        return trained(recipe, source, base or self.settings.role_model("react") or BASE, settings)

    def model(self, role: Role, tally: Tally) -> ChatModel:
        """The model of a role, counted."""
        return self.gateway.resolve(role, needs=Generates).through(tally.around)

    def system(self, name: str, ready: Callable[[], Ended], **settings: Any) -> System:
        """A row from what reads for a topic."""
        return System(name, lambda: Row(self, ready()), settings)

    def measured(self, topic: Topic, notes: Notes, searches: float) -> dict[str, float]:
        """The metrics of what was read."""
        documents = notes.documents
        numbered = bool(topic.facts.get("supporting_facts")) and not self.pages
        read = lines_of(documents, numbered=numbered)
        return {
            "title_recall": title_recall(topic, notes),
            "all_titles": float(title_recall(topic, notes) == 1.0),
            "support_token_recall": support_token_recall(gold_sentences(topic, self.documents), read),
            "documents": float(len(documents)),
            "searches": float(searches),
        }

    async def written(self, topic: Topic, notes: Notes, tally: Tally) -> tuple[str, dict[str, float]]:
        """The answer of the model of the role `answer` to what was read, with the measures of it and of the sentences that it quotes."""
        writer = ModelAnswerer(self.model("answer", tally), tokens=150, plain=self._plain)
        found = await writer.answer(topic.query, notes.documents)
        gold = topic.facts.get("supporting_facts")
        scored = [answer_f1(found.text, answer, closed=bool(gold)) for answer in topic.answers]
        best = max(scored, key=lambda each: each.f1, default=PRF())
        em = max((exact_match(found.text, answer) for answer in topic.answers), default=0.0)
        metrics = {"em": em, "f1": best.f1, "match": matched(found.text, topic.answers)}
        if gold:
            wanted = {(str(title), int(index)) for title, index in gold}
            facts = supporting_facts({fact for s in found.supports for fact in self._facts(s.id, s.quote)}, wanted)
            both = joint(best, facts)
            metrics |= {"sp_em": facts.em, "sp_f1": facts.f1, "joint_em": both.em, "joint_f1": both.f1}
        else:  # MuSiQue's supports are whole paragraphs
            quoted, needed = (
                {s.id for s in found.supports},
                {name for name, grade in topic.relevant.items() if grade > 0},
            )
            metrics["support_f1"] = supporting_facts({(n, 0) for n in quoted}, {(n, 0) for n in needed}).f1
        return found.text, metrics

    @property
    def _plain(self) -> bool:
        """The embedded model cannot write JSON; what it cannot do is not paid for."""
        return self.settings.role_model("answer") == BASE

    def _facts(self, name: str, quote: str) -> list[Fact]:
        """The sentences of a document that a quote covers or stands in; of a library's page that the data set has not, one that is not wanted."""
        if name not in self.documents:
            return [(name, 0)]
        lines = lines_of([self.documents[name]], numbered=True)
        title = self.documents[name].title
        return [(title, i) for i, line in enumerate(lines) if line.strip() and (line.strip() in quote or quote in line)]


@dataclass(frozen=True, slots=True)
class Row:
    """A system over a bench; `answers` adds an answer by a model."""

    bench: AgentBench
    ended: Ended
    answers: bool = False

    async def answer(self, topic: Topic) -> Answer:
        """What was read, measured."""
        tally = Tally()
        read = await self.ended(topic, tally)
        notes = read.notes
        metrics = {**self.bench.measured(topic, notes, read.searches), **read.more}
        details: dict[str, Any] = {
            "ids": [document.id for document in notes.documents],
            "queries": [step.query.text for step in notes.steps],
        }
        if self.answers:
            details["answer"], more = await self.bench.written(topic, notes, tally)
            metrics |= more
        counts = {
            "searches": len(notes.steps),
            "calls": tally.calls,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
        }
        return Answer(metrics, counts, details)

    def answering(self) -> Row:
        """The same with answers."""
        return replace(self, answers=True)


def gold_sentences(topic: Topic, documents: Mapping[str, Document]) -> list[str]:
    """The supporting facts as text; where a set tells none, the whole needed documents."""
    facts = topic.facts.get("supporting_facts")
    if not facts:
        return [documents[name].text for name in topic.relevant if name in documents]
    found = []
    for title, index in facts:
        name = wiki_id(str(title))
        if name in documents:
            lines = lines_of([documents[name]], numbered=True)
            found += lines[index : index + 1]
    return found


def lines_of(documents: Sequence[Document], *, numbered: bool) -> list[str]:
    """The documents' sentences: lines where the data set numbers them so, as HotPotQA does, else what the splitter finds."""
    from litrag.core.sentences import sentences

    found: list[str] = []
    for document in documents:
        body = document.text.removeprefix(f"{document.title}\n")
        found += body.split("\n") if numbered else [span.text for span in sentences(body)]
    return found


def folds(trails: Mapping[str, Trail]) -> Mapping[str, int]:
    """Topic id -> its fold, by its group's hash."""
    return {name: int(place_of(trail.group) * FOLDS) for name, trail in trails.items()}
