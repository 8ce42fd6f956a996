"""100 questions, 16 at a time, by ReAct over an OpenAI-compatible server on this machine that takes two seconds a reply: the time of all against a greedy list
schedule of the very same trajectories, which gives each question to the first of 16 workers that is free and costs nothing but the server's time. Bound: 1.1."""

from __future__ import annotations

import asyncio
import heapq
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from common import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from fakes.chat import chat_server

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
from litrag.retrievers.bm25 import bm25_over

QUESTIONS, AT_ONCE, LATENCY, MOST, BOUND = 100, 16, 2.0, 8, 1.1
pages = [
    Document(f"d{i}", f"Page {i}", f"Page {i}\nStorm number {i} moved sand along coast {i % 17}.") for i in range(500)
]
topics = tuple(Topic(f"q{i}", Query(f"Which storm moved the sand of coast {i}?"), {}) for i in range(QUESTIONS))


def reply(prompt: str) -> str:
    """Searches on for as many hops as the question's hash says, then finishes."""
    question = re.findall(r"Question: (.*)", prompt)[0]
    hops, done = 1 + int(place_of(question) * (MOST - 2)), prompt.count("[[ ## action ## ]]\nsearch")
    action = ("finish", "") if done >= hops else ("search", f"storm number {done} {question[-30:]}")
    fields = (("thought", "on"), ("action", action[0]), ("query", action[1]))
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields) + "\n\n[[ ## completed ## ]]"


class Agents:
    """Answers by an agent; keeps what it did."""

    def __init__(self, url: str) -> None:
        settings = Settings(react_model="openai/m", api_base=url, concurrency=AT_ONCE)
        gateway = Gateway(settings, cache=RequestCache(":memory:"))
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


os.environ.setdefault("OPENAI_API_KEY", "none")
with (
    tempfile.TemporaryDirectory() as folder,
    chat_server(reply, seconds=LATENCY, join=lambda messages: "\n\n".join(messages)) as server,
):
    agents = Agents(server.url)
    evaluation = Evaluation(
        "questions", Dataset("storms", "all", topics, lambda: iter(pages)), (System("react", lambda: agents),)
    )
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
