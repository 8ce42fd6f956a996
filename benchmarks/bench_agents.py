"""100 questions, 16 at a time, by ReAct over a model that takes half a second a reply: the time of all against a greedy list schedule of the very same
trajectories, which gives each question to the first of 16 workers that is free and costs nothing but the model's time. Bound: 1.1."""

from __future__ import annotations

import asyncio
import heapq
import sys
import tempfile
import time
from pathlib import Path

from common import machine

from litrag.agents.loop import SearchAgent, Searched
from litrag.agents.react import ReAct
from litrag.core.lengths import ROUGH
from litrag.core.settings import Settings
from litrag.core.store import RequestCache, place_of
from litrag.core.types import Document, Query
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.runner import Evaluation, System, evaluate
from litrag.models.dspy_lm import GatewayLM
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.retrievers.bm25 import bm25_over

QUESTIONS, AT_ONCE, LATENCY, MOST, BOUND = 100, 16, 0.5, 8, 1.1
pages = [
    Document(f"d{i}", f"Page {i}", f"Page {i}\nStorm number {i} moved sand along coast {i % 17}.") for i in range(500)
]
topics = tuple(Topic(f"q{i}", Query(f"Which storm moved the sand of coast {i}?"), {}) for i in range(QUESTIONS))


def reply(request: ModelRequest) -> str:
    """Searches on for as many hops as the question's hash says, then finishes."""
    question = next(m.content for m in request.messages if "Question: " in m.content)
    hops, done = 1 + int(place_of(question) * (MOST - 2)), sum(m.role == "assistant" for m in request.messages)
    action = ("finish", "") if done >= hops else ("search", f"storm number {done} {question[-30:]}")
    fields = (("thought", "on"), ("action", action[0]), ("query", action[1]))
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields) + "\n\n[[ ## completed ## ]]"


class Agents:
    """Answers by an agent; keeps what it did."""

    def __init__(self) -> None:
        settings = Settings(react_model="scripted/m", concurrency=AT_ONCE)
        backend = ScriptedBackend(answer=reply, latency=LATENCY)
        gateway = Gateway(settings, cache=RequestCache(":memory:"), backend=backend)
        hops = ReAct(GatewayLM(gateway, "react", max_tokens=100), ROUGH, retries=0)
        self.agent = SearchAgent(bm25_over(pages), hops, max_searches=MOST)
        self.found: list[Searched] = []

    async def answer(self, topic: Topic) -> Answer:
        """One question."""
        found = await self.agent.run(topic.query)
        self.found.append(found)
        return Answer({"searches": float(found.searches)}, {}, {})


def greedy(lengths: list[float]) -> float:
    """When the last of AT_ONCE workers is done that take the next question as they get free."""
    free = [0.0] * AT_ONCE
    for length in lengths:
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


agents = Agents()
evaluation = Evaluation(
    "questions", Dataset("storms", "all", topics, lambda: iter(pages)), (System("react", lambda: agents),)
)
with tempfile.TemporaryDirectory() as folder:
    asyncio.run(agents.agent.run(topics[0].query))  # imports and the index are not measured
    start = time.perf_counter()
    asyncio.run(evaluate(evaluation, Path(folder), concurrency=AT_ONCE))
    seconds = time.perf_counter() - start
calls = {found.notes.question.text: found.searches - (found.stop_reason != "finish") for found in agents.found}
ideal = greedy([calls[topic.query.text] * LATENCY for topic in topics])
print(machine())
print(f"{QUESTIONS} questions, {sum(calls.values())} calls of {LATENCY * 1000:.0f} ms, {AT_ONCE} at once")
print(
    f"makespan / greedy schedule {seconds / ideal:.2f} (<= {BOUND}); serial / makespan {sum(calls.values()) * LATENCY / seconds:.1f}"
)
sys.exit(seconds / ideal > BOUND)
