"""Trajectories of the ReAct agent for training: through the very code that answers questions, over a policy that is a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from litrag.agents.loop import Hops, Next, Notes, SearchAgent
from litrag.agents.react import MALFORMED, ReAct
from litrag.core.errors import PromptTooLong
from litrag.core.lengths import ROUGH
from litrag.core.protocols import Retriever
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.models.dspy_lm import GatewayLM
from litrag.models.gateway import Gateway
from litrag.models.request import Backend, ModelReply, ModelRequest
from litrag.training.frugal import title_recall, titled

__all__ = ["POLICY", "Bounds", "Rollout", "Turn", "World", "rolled_out"]

POLICY = "scripted/policy"  # how the gateway calls a policy that is no model string yet


class Bounds(Record):
    """The settings of a trajectory that both stages of FrugalRAG have."""

    searches: int = Field(default=6, ge=2, description="Most searches of a trajectory.")
    k: int = Field(default=3, ge=1, description="Documents read of the first search.")
    further: int = Field(default=3, ge=1, description="Documents read of each later search.")


@dataclass(frozen=True, slots=True)
class World:
    """Where agents are trained: what they search, and their bounds."""

    retriever: Retriever
    searches: int = 6
    k: int = 3
    further: int | None = None

    @classmethod
    def of(cls, data: Dataset, own: Bounds) -> World:
        """BM25 over a data set, titles counted twice."""
        return cls(titled(data.corpus()), own.searches, own.k, own.further)

    def agent(self, hops: Hops) -> SearchAgent:
        """An agent in it."""
        return SearchAgent(self.retriever, hops, max_searches=self.searches, k=self.k, further=self.further)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request of a trajectory, and whether its reply was an action, and one that ends the search."""

    request: ModelRequest
    reply: str
    good: bool = True
    finishes: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """A trajectory: what the policy was asked, recall after each search, why it ended."""

    turns: tuple[Turn, ...]
    recalls: tuple[float, ...]
    stop_reason: str
    overlong: bool = False

    @property
    def form(self) -> float:
        """The format reward: half for an action, minus half for none or for a prompt that did not fit, the mean over turns (FrugalRAG's released code)."""
        values = [0.5 if turn.good else -0.5 for turn in self.turns] + [-0.5] * self.overlong
        return sum(values) / max(1, len(values))


@dataclass
class _Recorder:
    """A backend that keeps what it is asked, and the hops over it that say what was good."""

    inner: Backend
    hops: Hops | None = None
    turns: list[Turn] = field(default_factory=list)
    overlong: bool = False

    async def send(self, request: ModelRequest) -> ModelReply:
        reply = await self.inner.send(request)
        self.turns.append(Turn(request, reply.texts[0]))
        return reply

    async def next(self, notes: Notes) -> Next:
        assert self.hops is not None
        try:
            found = await self.hops.next(notes)
        except PromptTooLong as error:  # a prompt beyond the context is not cut: the trajectory ends here
            self.overlong = True
            return Next(reason=str(error))
        if self.turns:
            good = found.reason != MALFORMED
            self.turns[-1] = replace(self.turns[-1], good=good, finishes=good and not found.text)
        return found


async def rolled_out(world: World, topic: Topic, policy: Backend, **options: Any) -> Rollout:
    """One trajectory of a question; a bad reply ends it. `options`: seed, temperature, max_tokens, program, and
    tokens, beyond which old observations are shortened. Raises what the policy raises."""
    settings: Mapping[str, Any] = {
        "seed": 0,
        "temperature": 0.0,
        "max_tokens": 200,
        "program": None,
        "tokens": 2000,
        **options,
    }
    recorder = _Recorder(policy)
    free = Settings(
        react_model=POLICY, seed=settings["seed"], max_calls=None, max_tokens=None, max_cost=None, retries=1
    )
    cache = RequestCache(":memory:")
    gateway = Gateway(free, cache=cache, backend=recorder)
    try:
        lm = GatewayLM(gateway, "react", temperature=settings["temperature"], max_tokens=settings["max_tokens"])
        recorder.hops = ReAct(lm, ROUGH, program=settings["program"], tokens=settings["tokens"], retries=0)
        found = await world.agent(recorder).run(topic.query)
    finally:
        cache.close()
    hops = range(1, len(found.notes.steps) + 1)
    recalls = tuple(title_recall(topic, found.notes.first(hop)) for hop in hops)
    return Rollout(tuple(recorder.turns), recalls, found.stop_reason, recorder.overlong)
