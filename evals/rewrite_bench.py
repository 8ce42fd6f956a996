"""What the rows of a rewrite table share: the data, one retriever, models, and the way from rewritten queries to a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from litrag.core.paths import cache_file
from litrag.core.protocols import Retriever
from litrag.core.settings import Settings, load_settings
from litrag.core.store import RequestCache
from litrag.core.types import Query, Ranking
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.metrics import measures_of
from litrag.evals.runner import System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import BASE, other_half, shown, trained
from litrag.models.chat import ChatModel
from litrag.models.counting import Tally
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.retrievers.bm25 import bm25_over
from litrag.retrievers.fusion import MultiQueryFusion

__all__ = ["Ask", "RewriteBench", "Row"]

# a topic -> the queries that stand for it, the tally counting what that took
Ask: TypeAlias = Callable[[Topic, Tally], Awaitable[Sequence[Query]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `asks` gives one way to ask a seed, a metric is the mean over them. `original` is the weight of the ranking of the original
    query beside 1 for each other; 0 leaves it out."""

    name: str
    asks: Callable[[RewriteBench], Sequence[Ask]]
    group: str = ""
    original: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class RewriteBench:
    """The data of one table; `backend` answers in the place of the models' own. Every row searches by BM25, `k` deep."""

    dataset: Dataset
    measures: tuple[str, ...]
    options: EvalOptions = field(default_factory=EvalOptions)
    k: int = 100
    backend: Backend | None = None

    @cached_property
    def retriever(self) -> Retriever:
        """BM25 (k1 .9, b .4, stemmed) over what the topics may get."""
        return bm25_over(self.dataset.reachable())

    @cached_property
    def settings(self) -> Settings:
        """The settings in force, with the embedded language model where none is set for rewriting."""
        found = self.options.settings or load_settings()
        return found if found.role_model("rewrite") else found.model_copy(update={"rewrite_model": BASE})

    @property
    def base(self) -> str:
        """The model string of the rows that are asked as they came."""
        return self.settings.role_model("rewrite") or BASE

    def model(self, name: str, needs: type, seed: int = 0) -> ChatModel:
        """A model that rewrites; `seed` moves what it samples."""
        settings = self.settings.model_copy(update={"rewrite_model": name, "seed": seed})
        return Gateway(settings, cache=RequestCache(cache_file()), backend=self.backend).resolve("rewrite", needs=needs)

    def trained(self, settings: Mapping[str, Any]) -> tuple[str, Path]:
        """Model string and run folder of an AdaQR training on the other half of the pages. Raises BadInput where the topics are that half."""
        source = other_half(self.options.dataset, self.dataset.split)
        # what is learned is the same for both conditions of CANARD: rewards come from passages without the answer
        return trained("adaqr", source.replace("canard-windows", "canard-unanswered"), self.base, settings)

    def system(self, row: Row) -> System:
        """The system of a row."""
        model = {"model": shown(self.base)} if row.group in ("b", "c") else {}
        settings = {"class": row.group, **({"original": row.original} if row.original else {}), **model, **row.settings}
        return System(row.name, lambda: _Asking(self, row, row.asks(self)), settings)

    async def search(self, topic: Topic, queries: Sequence[Query], original: float) -> Ranking:
        """The ranking of one query, or the fusion of several and of the original one by its weight."""
        asked = [_admitted(query, topic.query) for query in queries]
        if original:
            asked = [topic.query, *(query for query in asked if query.text != topic.query.text)]
        if len(asked) == 1:
            (ranking,) = await self.retriever.retrieve(asked, self.k)
            return ranking
        rankings = await self.retriever.retrieve(asked, self.k)
        return MultiQueryFusion(original=original or 1.0).fuse(topic.query, rankings)


def _admitted(query: Query, original: Query) -> Query:
    """The query under the bounds of the original one."""
    return replace(query, before=original.before, exclude=original.exclude, only=original.only)


@dataclass(frozen=True, slots=True)
class _Asking:
    bench: RewriteBench
    row: Row
    asks: Sequence[Ask]

    async def answer(self, topic: Topic) -> Answer:
        answers = [await self._answer(topic, ask) for ask in self.asks]
        metrics = {name: fmean(answer.metrics[name] for answer in answers) for name in answers[0].metrics}
        counts = {name: round(fmean(answer.counts[name] for answer in answers)) for name in answers[0].counts}
        queries = [answer.details["queries"] for answer in answers]
        return Answer(metrics, counts, {"ids": answers[0].details["ids"], "queries": queries})

    async def _answer(self, topic: Topic, ask: Ask) -> Answer:
        tally = Tally()
        queries = await ask(topic, tally) or (topic.query,)
        ranking = await self.bench.search(topic, queries, self.row.original)
        metrics = measures_of(ranking.ids[: self.bench.k], topic.relevant, self.bench.measures)
        texts = [query.text for query in queries]
        metrics["changed"] = float(texts != [topic.query.text])
        # keywords by a model each have their quote; those that statistics gave in its place have none
        metrics["quoted"] = fmean(float(bool(query.reason)) for query in queries)
        counts = {
            "searches": len(texts) + (1 if self.row.original and topic.query.text not in texts else 0),
            "calls": tally.calls,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
        }
        return Answer(metrics, counts, {"ids": list(ranking.ids[: self.bench.k]), "queries": texts})
