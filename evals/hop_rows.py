"""The rows of a table of agents that need no model: one search, so many searches along a way, and what ends them early."""

from __future__ import annotations

import random
from collections.abc import Mapping
from statistics import fmean
from typing import Final

from litrag.agents.loop import Notes, Step
from litrag.agents.stops import RULES
from litrag.core.sync import run
from litrag.corpora.types import Topic
from litrag.evals.agent_bench import WAYS, AgentBench, Ended, Read
from litrag.evals.journal import Answer
from litrag.evals.runner import System
from litrag.models.counting import Tally
from litrag.training.frugal import Trail

__all__ = [
    "SEARCHES",
    "controller",
    "equal",
    "fixed",
    "interpolated",
    "oracle",
    "random_stop",
    "ruled",
    "shipped",
    "shipped_interpolated",
    "single",
]

SEARCHES: Final = range(1, 9)


def single(name: str, n: int, bench: AgentBench) -> System:
    """One search, the first `n` documents read."""
    return bench.system(f"{name}-{n}", lambda: _one_search(bench, name, dict.fromkeys(_ids(bench), n)), documents=n)


def equal(way: str, n: int, bench: AgentBench) -> System:
    """One hybrid search, of which each question reads as many documents as `n` searches of a way read."""

    def ready() -> Ended:
        many = {name: len(trail.notes.first(n).documents) for name, trail in bench.trails(way).items()}
        return _one_search(bench, "hybrid", many)

    return bench.system(f"hybrid-equal-{way}-{n}", ready, documents=f"as {way}-{n}")


def _ids(bench: AgentBench) -> list[str]:
    return [topic.id for topic in bench.dataset.topics]


def _one_search(bench: AgentBench, name: str, many: Mapping[str, int]) -> Ended:
    topics = bench.dataset.topics
    rankings = run(bench.retriever(name).retrieve([topic.query for topic in topics], max(many.values())))
    found = {topic.id: ranking for topic, ranking in zip(topics, rankings, strict=True)}

    async def ended(topic: Topic, tally: Tally) -> Read:
        ranking = found[topic.id]
        return Read(Notes(topic.query, (Step(topic.query, ranking, ranking.hits[: many[topic.id]]),)), 1)

    return ended


def _cut(trails: Mapping[str, Trail], ends: Mapping[str, int]) -> Ended:
    """Each trail up to a number of searches, or its own end."""

    async def ended(topic: Topic, tally: Tally) -> Read:
        notes = trails[topic.id].notes.first(ends[topic.id])
        return Read(notes, len(notes.steps))

    return ended


def _settings(way: str) -> dict[str, object]:
    found = WAYS[way]
    return {"hops": found.hops, "retriever": found.retriever, "k": found.k, "further": found.further}


def fixed(way: str, n: int, bench: AgentBench) -> System:
    """So many searches, whatever is found."""
    ready = lambda: _cut(bench.trails(way), dict.fromkeys(_ids(bench), n))  # noqa: E731
    return bench.system(f"{way}-{n}", ready, searches=n, **_settings(way))


def ruled(way: str, name: str, bench: AgentBench) -> System:
    """Hops until a rule ends them."""

    def end(trail: Trail) -> int:
        hops = range(1, len(trail.recalls) + 1)
        return next((hop for hop in hops if RULES[name].stop(trail.notes.first(hop))), len(trail.recalls))

    def ready() -> Ended:
        trails = bench.whole(way)
        return _cut(trails, {topic: end(trail) for topic, trail in trails.items()})

    return bench.system(f"{way}-stop-{name}", ready, **_settings(way))


def controller(way: str, bench: AgentBench) -> System:
    """Hops until the classifier of the other folds ends them."""
    ready = lambda: _cut(bench.whole(way), bench.controlled(way))  # noqa: E731
    return bench.system(
        f"{way}-controller", ready, target=bench.target, folds="by shared gold documents", **_settings(way)
    )


def shipped(way: str, bench: AgentBench) -> System:
    """Hops until the classifier that comes with litrag ends them."""
    return bench.system(f"{way}-shipped", lambda: _cut(bench.whole(way), bench.shipped(way)), **_settings(way))


def oracle(way: str, bench: AgentBench) -> System:
    """Hops until nothing needed would come any more: known only to who knows the answer."""

    def ready() -> Ended:
        trails = bench.whole(way)
        return _cut(trails, {topic: 1 + trail.recalls.index(trail.recalls[-1]) for topic, trail in trails.items()})

    return bench.system(f"{way}-oracle-stop", ready, **_settings(way))


def random_stop(way: str, bench: AgentBench) -> System:
    """The controller's numbers of searches, dealt at random to other questions."""

    def ready() -> Ended:
        ends = bench.controlled(way)
        dealt = random.Random(bench.options.seed).sample(list(ends.values()), len(ends))  # noqa: S311
        return _cut(bench.whole(way), dict(zip(ends, dealt, strict=True)))

    return bench.system(f"{way}-random-stop", ready, **_settings(way))


class _Interpolated:
    """The curve of fixed numbers of searches at a classifier's mean: between the two nearest, in its proportion."""

    def __init__(self, way: str, bench: AgentBench, ends: Mapping[str, int]) -> None:
        self._bench, self._found = bench, bench.whole(way)
        self.mean = fmean(min(ends[name], len(trail.recalls)) for name, trail in self._found.items())

    async def answer(self, topic: Topic) -> Answer:
        trail = self._found[topic.id]
        # a question that ended before B searches counts as what it took: the curve's own mean must be the controller's
        low = self._at()
        share = self._share(low)
        one, two = (trail.notes.first(n) for n in (low, low + 1))
        below, above = (self._bench.measured(topic, notes, len(notes.steps)) for notes in (one, two))
        metrics = {name: (1 - share) * below[name] + share * above[name] for name in below}
        return Answer(metrics, {"searches": round(metrics["searches"])}, {"ids": [d.id for d in two.documents]})

    def _mean(self, n: int) -> float:
        return fmean(min(n, len(trail.recalls)) for trail in self._found.values())

    def _at(self) -> int:
        return max(n for n in range(1, self._bench.whole_searches) if n == 1 or self._mean(n) <= self.mean)

    def _share(self, low: int) -> float:
        width = self._mean(low + 1) - self._mean(low)
        return min(1.0, max(0.0, (self.mean - self._mean(low)) / width)) if width else 0.0


def interpolated(way: str, bench: AgentBench) -> System:
    """What a fixed number of searches would reach at the controller's mean."""
    return System(f"{way}-interpolated", lambda: _Interpolated(way, bench, bench.controlled(way)), _settings(way))


def shipped_interpolated(way: str, bench: AgentBench) -> System:
    """The same at the mean of the classifier that comes with litrag."""
    ready = lambda: _Interpolated(way, bench, bench.shipped(way))  # noqa: E731
    return System(f"{way}-shipped-interpolated", ready, _settings(way))
