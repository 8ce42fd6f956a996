"""What each way of reranking sends for 100 documents of 300 words, as a share of the documents' own tokens, counted as a server counts: chat
template, instructions and all, by the tokenizer of the model. Bounds: 1.25 for groups of 20 and for the whole list in one call. Beside
them the sliding window's factor, and how far calls that do not depend on each other run side by side: the time of all, over a server that
takes half a second a call, against one call after the other."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from common import machine

from litrag.core.protocols import Usage
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.models.local_loading import load_tokenizer
from litrag.models.local_prompts import PromptCoder
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.weights import ready, resolve_local
from litrag.rerankers.debate import Debate
from litrag.rerankers.groupwise import Groupwise
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.pairwise import Pairwise
from litrag.rerankers.setwise import Setwise

MODEL, LATENCY, BOUND = "local/SmolLM2-135M-Instruct", 0.5, 1.25
WORDS = "tide sand shore river delta storm ridge field forest animal search method sensor sample layer rain wind stone".split()
if not ready("SmolLM2-135M-Instruct"):
    sys.exit("no weights: run `litrag setup`")
coder = PromptCoder(load_tokenizer(MODEL, resolve_local(MODEL))[0])
draw = random.Random(0)
texts = [" ".join(draw.choice(WORDS) for _ in range(300)) for _ in range(100)]
query = Query("how storms and tides move the sand of a shore, and what that does to animals")
ranking = Ranking(
    query,
    tuple(Hit(Document(f"d{i}", "", t), (Score(30 - i / 4, "bm25", query.text, i + 1),)) for i, t in enumerate(texts)),
)
own = sum(len(coder.plain(text)) for text in texts)


class Server:
    """Counts as an OpenAI-compatible server does, or takes its time; replies nothing of use."""

    def __init__(self, latency: float) -> None:
        self.latency, self.calls, self.tokens = latency, 0, 0

    async def send(self, request: ModelRequest) -> ModelReply:
        """One reply."""
        tokens = 0 if self.latency else len(coder.prompt(request.messages))
        self.calls, self.tokens = self.calls + 1, self.tokens + tokens
        await asyncio.sleep(self.latency)
        return ModelReply(Usage(tokens, 1), texts=("A",), finish=("stop",))


def asked(make: Callable[[Any], Any], depth: int, latency: float) -> tuple[Server, float]:
    """The server after one reranking, and the seconds it took."""
    server = Server(latency)
    settings = Settings(rerank_model="scripted/m", concurrency=1000)
    model = Gateway(settings, cache=RequestCache(":memory:"), backend=server).model("rerank")
    start = time.perf_counter()
    asyncio.run(make(model).rerank(ranking, depth=depth))
    return server, time.perf_counter() - start


print(machine())
print(
    f"100 documents of 300 words: {own:,} tokens; tokens sent / documents' tokens, calls, makespan / serial time of {LATENCY * 1000:.0f} ms a call"
)
failed = False
for name, make, depth, bound in (
    ("whole list, scores inserted", lambda m: InsertRank(m, tokens=1000), 100, BOUND),
    ("groups of 20", lambda m: Groupwise(m, tokens=1000), 100, BOUND),
    ("sliding window 20/10", lambda m: InsertRank(m, tokens=1000, window=20, stride=10), 100, None),
    ("debate, batches of 10", lambda m: Debate(m, tokens=1000, retries=0), 100, None),
    ("setwise, the best 10 of 20", lambda m: Setwise(m, tokens=1000), 20, None),
    ("all pairs of 20", lambda m: Pairwise(m, tokens=1000), 20, None),
):
    server, _ = asked(make, depth, 0.0)
    slow, seconds = asked(make, depth, LATENCY)
    mine = own if depth == 100 else sum(len(coder.plain(text)) for text in texts[:depth])
    factor, share = server.tokens / mine, seconds / (slow.calls * LATENCY)
    failed = failed or (bound is not None and factor > bound)
    print(f"{name:30s} {factor:6.2f}{f' (<= {bound})' if bound else '':10s} {server.calls:4d} calls  {share:5.2f}")
sys.exit(failed)
