"""Do the groups of a review belong together? Groups of the works that an ACL paper cites, against shuffled groups of the same sizes.

Three measures of a group's pairs. `cosine` is taken in the space that the grouping used: high by construction, printed so that nobody
takes it for evidence. Two the grouping never saw: `co-cited`, the share of pairs that some *other* paper cites together, and
`same-venue`. Only these count."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.types import Document
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.pipelines.grouping import group, group_count, word_vectors

__all__ = ["COHERENCE", "METHODS", "Citations", "Coherence", "groups", "shuffled"]

METHODS: Final = {"shuffled": "litrag.evals.coherence:shuffled", "groups": "litrag.evals.coherence:groups"}
_LEAST: Final = 8
_SHUFFLES: Final = 200
_Pair: TypeAlias = Callable[[int, int], float]
_Grouping: TypeAlias = Sequence[Sequence[int]]


@dataclass
class Citations:
    """What both rows of the table share. `seed` moves the shuffles, each topic's own."""

    dataset: Dataset
    seed: int = 0
    every: tuple[Topic, ...] = field(default=())

    @cached_property
    def papers(self) -> dict[str, Document]:
        """The cited works by id."""
        wanted = {name for topic in self.dataset.topics for name in topic.relevant}
        return {document.id: document for document in self.dataset.corpus() if document.id in wanted}

    @cached_property
    def together(self) -> Mapping[tuple[str, str], set[str]]:
        """Pair of works, in alphabetical order -> the papers that cite both."""
        together: dict[tuple[str, str], set[str]] = defaultdict(set)
        for topic in self.every:
            for pair in combinations(sorted(topic.relevant), 2):
                together[pair].add(topic.id)
        return together

    def grouped(self, topic: Topic) -> tuple[_Grouping, Mapping[str, _Pair]]:
        """Our groups of a topic's works, as positions, and what is measured of a pair of positions."""
        works = sorted(name for name in topic.relevant if name in self.papers)
        vectors = word_vectors([self.papers[name].text for name in works])
        cosine = vectors @ vectors.T
        venue = [self.papers[name].metadata.get("venue") for name in works]
        measures: dict[str, _Pair] = {
            "co-cited": lambda i, j: float(bool(self.together.get((works[i], works[j]), set()) - {topic.id})),
            "same-venue": lambda i, j: float(venue[i] == venue[j]),
            "cosine": lambda i, j: float(cosine[i, j]),
        }
        return group(vectors, group_count(len(works))), measures


@dataclass(frozen=True, slots=True)
class _Ours:
    citations: Citations

    async def answer(self, topic: Topic) -> Answer:
        ours, measures = self.citations.grouped(topic)
        return Answer({name: _mean(ours, pair) for name, pair in measures.items()})


@dataclass(frozen=True, slots=True)
class _Shuffled:
    citations: Citations

    async def answer(self, topic: Topic) -> Answer:
        ours, measures = self.citations.grouped(topic)
        rng = random.Random(f"{self.citations.seed} {topic.id}")  # noqa: S311
        rounds = [_shuffle(ours, rng) for _ in range(_SHUFFLES)]
        return Answer({name: sum(_mean(r, pair) for r in rounds) / len(rounds) for name, pair in measures.items()})


def groups(citations: Citations) -> System:
    """The groups that `litrag review` makes without a model."""
    return System("groups", lambda: _Ours(citations))


def shuffled(citations: Citations) -> System:
    """The control: the same sizes, the works dealt at random, 200 times over."""
    return System("shuffled", lambda: _Shuffled(citations), {"shuffles": _SHUFFLES})


class Coherence:
    """`litrag eval coherence`."""

    methods: Mapping[str, str] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Citing papers with at least 8 works here. Raises UnknownName, BadInput, EnvironmentFault."""
        if options.runs or options.measures:
            raise BadInput("eval coherence has its own measures and takes no runs; leave --run and --measure out")
        whole = load(options.dataset or "acl")
        topics = tuple(topic for topic in whole.topics if len(topic.relevant) >= _LEAST)
        dataset = replace(whole, topics=topics).sample(options.n, options.seed)
        citations = Citations(dataset, options.seed, whole.topics)
        names = options.methods or tuple(METHODS)
        systems = tuple(registry.find("coherence method", METHODS, name)(citations) for name in names)
        return Evaluation("coherence", dataset, systems, options.seed, {"least": _LEAST})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


COHERENCE: Final = Coherence()


def _mean(grouping: _Grouping, pair: _Pair) -> float:
    values = [pair(min(i, j), max(i, j)) for members in grouping for i, j in combinations(members, 2)]
    return sum(values) / len(values) if values else 0.0


def _shuffle(grouping: _Grouping, rng: random.Random) -> list[list[int]]:
    rows = [row for members in grouping for row in members]
    rng.shuffle(rows)
    left = iter(rows)
    return [[next(left) for _ in members] for members in grouping]
