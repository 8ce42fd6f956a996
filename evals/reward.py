"""Whether AdaQR's reward prefers the rewrite that searches better: of two rewrites of a question whose relevant passages have unlike ranks, does it
put the one with the better rank first? By temperature, normalisation and form of the reward, over what the trained rows of `litrag eval rewrite`
sampled on the training half. A coin agrees in half of the pairs; `retrieval` prefers the rewrite with the best-scored passage and reads no answer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from litrag.core.errors import UnknownName
from litrag.core.protocols import Retriever
from litrag.core.sync import run
from litrag.corpora import load, split_of
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.rewrite_bench import RewriteBench
from litrag.evals.rewrite_rows import answer_reward, best_scores, whole
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import SEEDS
from litrag.models.counting import Tally
from litrag.retrievers.bm25 import bm25_over
from litrag.rewriters.answer_reward import AnswerReward
from litrag.training.adaqr import reciprocal_ranks

__all__ = ["REWARD", "Reward"]

# row -> the reward's settings; the first is AdaQR's by default
METHODS: Final[Mapping[str, Mapping[str, Any]]] = {
    "marginal": {},
    **{f"temperature-{value}": {"temperature": value} for value in (0.25, 0.5, 2.0, 4.0)},
    "minmax": {"normalisation": "minmax"},
    "raw-scores": {"normalisation": "none"},
    "expected-nll": {"form": "expected-nll"},
    "retrieval": {},
}


@dataclass
class _Bench:
    """Turns of the training half, a topic a turn and seed whose rewrites' relevant passages have unlike ranks; `facts` hold both."""

    bench: RewriteBench

    @cached_property
    def taught(self) -> Dataset:
        """The half that was learned from."""
        return load(f"{split_of(self.bench.options.dataset)[0]}:train")

    @cached_property
    def retriever(self) -> Retriever:
        """That of the training."""
        return bm25_over(self.taught.corpus())

    def dataset(self) -> Dataset:
        """The trainings are made where they are not there yet. Raises what a training raises."""
        known = {topic.id: topic for topic in self.taught.topics}
        found: list[Topic] = []
        for seed in SEEDS:
            _, folder = self.bench.trained(whole(seed))
            for line in (folder / "candidates.jsonl").read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                topic = known[row["id"]]
                ranks = run(reciprocal_ranks(self.retriever, topic, row["texts"]))
                if len(set(ranks)) > 1:
                    facts = {"texts": row["texts"], "ranks": ranks}
                    found.append(replace(topic, id=f"{topic.id}/{seed}", facts=facts))
        return Dataset(self.taught.name, "train-rewrites", tuple(found), self.taught.corpus)

    def reward(self, settings: Mapping[str, Any], tally: Tally) -> AnswerReward:
        """As the training makes it."""
        return answer_reward(self.bench, self.retriever, tally, **settings)


@dataclass(frozen=True, slots=True)
class _Preferring:
    bench: _Bench
    name: str

    async def answer(self, topic: Topic) -> Answer:
        tally = Tally()
        texts, ranks = topic.facts["texts"], topic.facts["ranks"]
        if self.name == "retrieval":
            values = await best_scores(self.bench.retriever, topic, texts)
        else:
            values = list(await self.bench.reward(METHODS[self.name], tally).of(topic.query, texts, topic.answers[0]))
        pairs = [(i, j) for i, j in itertools.combinations(range(len(texts)), 2) if ranks[i] != ranks[j]]
        right = [
            0.5 if values[i] == values[j] else float((values[i] > values[j]) == (ranks[i] > ranks[j])) for i, j in pairs
        ]
        best = max(range(len(texts)), key=lambda place: values[place])
        counts = {"calls": tally.calls, "prompt_tokens": tally.prompt_tokens}
        return Answer({"agreement": fmean(right), "RR_best": ranks[best]}, counts)


class Reward:
    """`litrag eval reward`."""

    methods: Mapping[str, object] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Forms of the reward over sampled rewrites. Raises UnknownName, BadInput, EnvironmentFault, what a training raises."""
        options = replace(options, dataset=options.dataset or "canard-unanswered:test")
        names = tuple(dict.fromkeys(("marginal", *(options.methods or METHODS))))
        for name in names:
            if name not in METHODS:
                raise UnknownName("form of the reward", name, METHODS)
        bench = _Bench(RewriteBench(load(options.dataset), (), options))
        dataset = bench.dataset().sample(options.n, options.seed)
        systems = [System(name, lambda name=name: _Preferring(bench, name), METHODS[name]) for name in names]  # type: ignore[misc]
        return Evaluation("reward", dataset, tuple(systems), options.seed, {"seeds": list(SEEDS)})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


REWARD: Final = Reward()
