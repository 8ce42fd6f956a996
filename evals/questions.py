"""Questions that take several documents: what agents read within how many searches (HotPotQA, MuSiQue).

The pool is the union of the questions' own paragraphs and their distractors, chosen by TF-IDF: far easier than all of Wikipedia, and not comparable
with it. `hybrid-N` reads the first N documents of one search: what several searches have to beat at equal documents."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Final

from litrag.agents.loop import Notes, Step, Stops
from litrag.agents.stops import Covered, NothingNew, ScoreDrop
from litrag.core.errors import UnknownName
from litrag.core.protocols import Retriever
from litrag.core.sync import run
from litrag.corpora import load
from litrag.corpora.types import Topic
from litrag.evals.agent_bench import AgentBench
from litrag.evals.journal import Answer
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.training.frugal import Trail

__all__ = ["HOTPOTQA", "METHODS", "MUSIQUE", "Questions"]

_Row = Callable[[AgentBench], System]
DEPTHS: Final = (3, 6, 9, 12, 15, 18, 21, 24)
RULES: Final[Mapping[str, Stops]] = {
    "stop-score-drop": ScoreDrop(),
    "stop-nothing-new": NothingNew(),
    "stop-covered": Covered(),
}


def _single(name: str, n: int, bench: AgentBench) -> System:
    """One search, the first `n` documents read."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        retrievers: dict[str, Retriever] = {"bm25": bench.words, "dense": bench.dense, "hybrid": bench.hybrid}
        topics = bench.dataset.topics
        rankings = run(retrievers[name].retrieve([topic.query for topic in topics], n))
        found = {t.id: Notes(t.query, (Step(t.query, r, r.hits[:n]),)) for t, r in zip(topics, rankings, strict=True)}
        return lambda topic: (found[topic.id], 1)

    return bench.system(f"{name}-{n}", ready, documents=n)


def _entity(bench: AgentBench) -> Mapping[str, Trail]:
    return bench.trails("entity", bench.entity, bench.words)


def _entity_hybrid(bench: AgentBench) -> Mapping[str, Trail]:
    return bench.trails("entity-hybrid", bench.entity, bench.hybrid)


def _feedback(bench: AgentBench) -> Mapping[str, Trail]:
    return bench.trails("feedback", bench.feedback, bench.words)


def _fixed(name: str, n: int, trails: Callable[[AgentBench], Mapping[str, Trail]], bench: AgentBench) -> System:
    """So many searches, whatever is found."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        found = trails(bench)
        return lambda topic: _first(found[topic.id], n)

    return bench.system(name, ready, searches=n)


def _first(trail: Trail, n: int) -> tuple[Notes, int]:
    notes = trail.notes.first(n)
    return notes, len(notes.steps)


def _ruled(name: str, bench: AgentBench) -> System:
    """Entity hops until a rule ends them."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        found, rule = _entity(bench), RULES[name]

        def ended(topic: Topic) -> tuple[Notes, int]:
            trail = found[topic.id]
            hops = range(1, len(trail.recalls) + 1)
            return _first(trail, next((hop for hop in hops if rule.stop(trail.notes.first(hop))), len(trail.recalls)))

        return ended

    return bench.system(name, ready)


def _controller(bench: AgentBench) -> System:
    """Entity hops until the classifier of the other folds ends them."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        found = _entity(bench)
        ends = bench.controlled(found)
        return lambda topic: _first(found[topic.id], ends[topic.id])

    return bench.system("controller", ready, target=bench.target, folds="by shared gold documents")


def _oracle(bench: AgentBench) -> System:
    """Entity hops until nothing needed would come any more: known only to who knows the answer."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        found = _entity(bench)
        return lambda topic: _first(found[topic.id], 1 + found[topic.id].recalls.index(found[topic.id].recalls[-1]))

    return bench.system("oracle-stop", ready)


def _random(bench: AgentBench) -> System:
    """The controller's numbers of searches, dealt at random to other questions."""

    def ready() -> Callable[[Topic], tuple[Notes, int]]:
        found = _entity(bench)
        ends = bench.controlled(found)
        dealt = random.Random(bench.options.seed).sample(list(ends.values()), len(ends))  # noqa: S311
        chosen = dict(zip(ends, dealt, strict=True))
        return lambda topic: _first(found[topic.id], min(chosen[topic.id], len(found[topic.id].recalls)))

    return bench.system("random-stop", ready)


class _Interpolated:
    """The curve of fixed numbers of searches at the controller's mean: between the two nearest, in its proportion."""

    def __init__(self, bench: AgentBench) -> None:
        self._bench, self._found = bench, _entity(bench)
        self.mean = fmean(bench.controlled(self._found).values())

    async def answer(self, topic: Topic) -> Answer:
        trail = self._found[topic.id]
        # a question that ended before B searches counts as what it took: the curve's own mean must be the controller's
        low = self._at()
        share = self._share(low)
        one, two = (self._bench.answered(topic, *_first(trail, n)) for n in (low, low + 1))
        metrics = {name: (1 - share) * one.metrics[name] + share * two.metrics[name] for name in one.metrics}
        return Answer(metrics, {"searches": round(metrics["searches"])}, {"ids": two.details["ids"]})

    def _mean(self, n: int) -> float:
        return fmean(min(n, len(trail.recalls)) for trail in self._found.values())

    def _at(self) -> int:
        return max(n for n in range(1, self._bench.searches) if n == 1 or self._mean(n) <= self.mean)

    def _share(self, low: int) -> float:
        width = self._mean(low + 1) - self._mean(low)
        return min(1.0, max(0.0, (self.mean - self._mean(low)) / width)) if width else 0.0


def _interpolated(bench: AgentBench) -> System:
    return System("fixed-interpolated", lambda: _Interpolated(bench), {"k": bench.k})


METHODS: Final[Mapping[str, _Row]] = {
    **{f"{name}-{n}": partial(_single, name, n) for name in ("bm25", "dense", "hybrid") for n in DEPTHS},
    **{f"fixed-{n}": partial(_fixed, f"fixed-{n}", n, _entity) for n in range(1, 9)},
    **{f"fixed-hybrid-{n}": partial(_fixed, f"fixed-hybrid-{n}", n, _entity_hybrid) for n in range(1, 9)},
    **{f"feedback-{n}": partial(_fixed, f"feedback-{n}", n, _feedback) for n in range(1, 9)},
    **{name: partial(_ruled, name) for name in RULES},
    "controller": _controller,
    "fixed-interpolated": _interpolated,
    "random-stop": _random,
    "oracle-stop": _oracle,
}


class Questions:
    """`litrag eval hotpotqa|musique`."""

    methods: Mapping[str, object] = METHODS

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods over a sample of the questions. Raises UnknownName, BadInput, EnvironmentFault."""
        dataset = load(options.dataset or self._dataset).sample(options.n, options.seed)
        names = options.methods or (
            "bm25-3",
            "bm25-18",
            *(f"fixed-{n}" for n in range(1, 7)),
            "controller",
            "random-stop",
        )
        for name in names:
            if name not in METHODS:
                raise UnknownName("method", name, METHODS)
        most = max(
            (
                int(name.rsplit("-", 1)[1])
                for name in names
                if name.startswith(("fixed-", "feedback-")) and name[-1].isdigit()
            ),
            default=6,
        )
        bench = AgentBench(dataset, options, searches=max(6, most))
        systems = tuple(METHODS[name](bench) for name in dict.fromkeys(names))
        return Evaluation(self._dataset, dataset, systems, options.seed, {"documents_a_hop": bench.k})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


HOTPOTQA: Final = Questions("hotpotqa")
MUSIQUE: Final = Questions("musique")
