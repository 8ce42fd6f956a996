"""A whole review on a scripted model of fixed latency: makespan against the critical path of its calls (bound 1.1), and the CPU that
orchestration takes for each call (bound 5 ms). The calls themselves cost no CPU here."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests")]
from common import machine, ratio  # noqa: E402
from fakes.author import Author  # noqa: E402
from fakes.texts import ABSTRACT, TITLE, write_library  # noqa: E402

LATENCY = 0.4  # seconds a call
ROUNDS = 7
count = 0


class Timed(Author):
    """Notes when each call starts and ends."""

    def __init__(self) -> None:
        super().__init__(latency=LATENCY)
        self.spans: list[tuple[float, float]] = []

    async def send(self, request):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        reply = await super().send(request)
        self.spans.append((start, time.perf_counter()))
        return reply


def review_once() -> tuple[float, float, float, int]:
    """Makespan, critical path, CPU seconds, number of calls."""
    global count
    count += 1
    from litrag.pipelines.api import review_async

    with tempfile.TemporaryDirectory() as folder:
        os.environ["LITRAG_HOME"] = folder
        library = write_library(Path(folder) / "forest.jsonl")
        author = Timed()
        text = f"{TITLE} {count}\n\n{ABSTRACT}"
        options = {"model": "scripted/m", "embed_model": "scripted/e", "papers": 30, "embed_at_once": 0}
        start, cpu = time.perf_counter(), time.process_time()
        asyncio.run(review_async(text, library=library, out=Path(folder) / "out", backend=author, **options))
        makespan, spent = time.perf_counter() - start, time.process_time() - cpu
        json.loads((Path(folder) / "out" / "run.json").read_text())
    return makespan, critical(author.spans), spent, len(author.spans)


def critical(spans: list[tuple[float, float]]) -> float:
    """The longest chain of calls of which each starts after the one before ended: what a perfect orchestrator would take."""
    chains: list[tuple[float, float]] = []
    for start, end in sorted(spans, key=lambda span: span[1]):
        chains.append((end, LATENCY + max((length for done, length in chains if done <= start), default=0.0)))
    return max(length for _, length in chains)


review_once()  # imports, and the library's first indexing
runs = [review_once() for _ in range(ROUNDS)]
left, right = iter([r[0] for r in runs]), iter([r[1] for r in runs])
found = ratio(lambda: next(left), lambda: next(right), rounds=ROUNDS)
calls = runs[0][3]
cpu = sorted(1000 * r[2] / r[3] for r in runs)[ROUNDS // 2]
print(
    f"makespan / critical path: {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]  ({found.a:.2f} s / {found.b:.2f} s, {calls} calls of {LATENCY} s; {machine()})"
)
print(f"CPU a call, whole review / calls: {cpu:.1f} ms (searching, clustering and writing included)")
