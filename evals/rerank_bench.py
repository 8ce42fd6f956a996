"""What the rows of a rerank table share: candidates, models, and the way from a reranker to a row with its counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, Final, TypeAlias

from litrag.core.errors import BadInput
from litrag.core.paths import cache_file
from litrag.core.protocols import Reranker
from litrag.core.settings import Settings, load_settings
from litrag.core.store import RequestCache
from litrag.core.types import Ranking
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.metrics import measures_of
from litrag.evals.runner import System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import BASE, shown, trained
from litrag.models.chat import ChatModel
from litrag.models.counting import Tally
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.rerankers.toolkit import Task
from litrag.training.judged import DEPTH, candidates

__all__ = ["Maker", "RerankBench", "Row"]

# a reranker from the model that its row asks, counted; of a row that is `tasked` also from the task
Maker: TypeAlias = Callable[..., Reranker]
# data sets whose relevant documents are those that a paper cites; those of all others answer a query
_CITING: Final = ("acl", "acl-keyphrases")
# what a topic's year may be ranked by: what was trained on the other year
_OTHER: Final = {"trec-dl19": "trec-dl20", "trec-dl20": "trec-dl19"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: how its reranker is made, what power of a model it needs, how deep it goes, which class of the table it belongs to. `trained`
    are the settings of a training for each seed, () for the model as it came; the topics of one year are ranked by what learned from the
    other, and a metric is the mean over the seeds. A `tasked` one is told whether the data set asks for citations or answers."""

    name: str
    make: Maker
    needs: type
    depth: int = DEPTH
    group: str = "b"
    trained: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    tasked: bool = False


@dataclass
class RerankBench:
    """The data of one table and what its rows are made from; `backend` answers in the place of the models' own."""

    dataset: Dataset
    measures: tuple[str, ...]
    options: EvalOptions = field(default_factory=EvalOptions)
    backend: Backend | None = None

    @cached_property
    def candidates(self) -> Mapping[str, Ranking]:
        """Topic id -> the ranking that every row gets."""
        return candidates(self.dataset)

    @cached_property
    def settings(self) -> Settings:
        """The settings in force, with the embedded language model where none is set for reranking."""
        found = self.options.settings or load_settings()
        return found if found.role_model("rerank") else found.model_copy(update={"rerank_model": BASE})

    @property
    def base(self) -> str:
        """The model string of the rows that are asked as they came."""
        return self.settings.role_model("rerank") or BASE

    @property
    def task(self) -> Task:
        """What makes a document of the data set relevant."""
        return "cite" if self.dataset.name in _CITING else "answer"

    @cached_property
    def gateway(self) -> Gateway:
        """A gateway on the user's cache, for models that embed."""
        return self._gateway(self.base)

    def system(self, row: Row) -> System:
        """The system of a row."""
        kept = {"class": row.group, "depth": row.depth, "model": shown(self.base), **row.settings}
        if row.tasked:
            kept["task"] = self.task
        if row.trained:
            kept["trained"] = [dict(settings) for settings in row.trained]
        return System(row.name, lambda: _Ready(self, row, self._models(row)), kept)

    def answered(self, topic: Topic, ranked: Ranking, depth: int, counts: Mapping[str, int]) -> Answer:
        """The metrics of a ranking of a topic's candidates: measures, the share that the model placed, Kendall's tau to the input."""
        given = self.candidates[topic.id].ids[:depth]
        metrics = measures_of(ranked.ids, topic.relevant, self.measures)
        metrics |= {"placed": ranked.placed, "tau": _tau(given, ranked.ids[: len(given)])}
        return Answer(metrics, counts, {"ids": list(ranked.ids)})

    def _models(self, row: Row) -> Mapping[str, Sequence[ChatModel]]:
        """Group of topics -> the models, one a seed."""
        if not row.trained:
            return {"": [self._model(self.base, row.needs)]}
        groups = dict.fromkeys(_trained_on(self.dataset, topic) for topic in self.dataset.topics)
        return {
            spec: [self._model(trained("reranker", spec, self.base, own)[0], row.needs) for own in row.trained]
            for spec in groups
        }

    def _model(self, name: str, needs: type) -> ChatModel:
        return self._gateway(name).resolve("rerank", needs=needs)

    def _gateway(self, name: str) -> Gateway:
        settings = self.settings.model_copy(update={"rerank_model": name})
        return Gateway(settings, cache=RequestCache(cache_file()), backend=self.backend)


def _trained_on(dataset: Dataset, topic: Topic) -> str:
    """The data sets that a topic's reranker may have learned from."""
    if topic.group in _OTHER:
        return f"{_OTHER[topic.group]}+scifact:train"
    if dataset.name == "scifact" and dataset.split == "train":
        raise BadInput("the trained rows have learned from scifact:train; evaluate scifact:test or scifact:new")
    return "trec-dl19+trec-dl20+scifact:train"


@dataclass(frozen=True, slots=True)
class _Ready:
    bench: RerankBench
    row: Row
    models: Mapping[str, Sequence[ChatModel]]

    async def answer(self, topic: Topic) -> Answer:
        models = self.models.get("") or self.models[_trained_on(self.bench.dataset, topic)]
        answers = [await self._answer(topic, model) for model in models]
        if len(answers) == 1:
            return answers[0]
        metrics = {name: fmean(answer.metrics[name] for answer in answers) for name in answers[0].metrics}
        counts = {name: round(fmean(answer.counts[name] for answer in answers)) for name in answers[0].counts}
        return Answer(metrics, counts, {"ids": answers[0].details["ids"]})

    async def _answer(self, topic: Topic, model: ChatModel) -> Answer:
        tally = Tally()
        told = {"task": self.bench.task} if self.row.tasked else {}
        reranker = self.row.make(model.through(tally.around), **told)
        ranked = await reranker.rerank(self.bench.candidates[topic.id], depth=self.row.depth)
        counts = {
            "calls": tally.calls,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
        }
        return self.bench.answered(topic, ranked, self.row.depth, counts)


def _tau(given: Sequence[str], found: Sequence[str]) -> float:
    """Kendall's tau between two orders of the same documents, in [-1, 1]; 1 for fewer than two."""
    if len(given) < 2:
        return 1.0
    from scipy.stats import kendalltau  # type: ignore[import-untyped]

    ranks = {name: rank for rank, name in enumerate(found)}
    return float(kendalltau(range(len(given)), [ranks[name] for name in given]).statistic)
