"""CPU of `litrag serve` while a browser follows a review, over the CPU of that review's own process. Bound: .05.

The review is the demo's, on the embedded models; the page's own start and its imports, which happen once, are not counted."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from common import machine
from fakes.served import serve

from litrag.core.paths import models_folder
from litrag.pipelines.reading import read_abstract
from litrag.retrievers.sources.library import add_library

EXAMPLES = Path(__file__).parent.parent / "examples"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> tuple[float, float]:
    """Seconds of CPU: of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    own, ended = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return own / TICKS, ended / TICKS


abstract = read_abstract(str(EXAMPLES / "abstract.txt"))
with tempfile.TemporaryDirectory() as folder:
    os.environ |= {"LITRAG_MODELS": str(models_folder()), "LITRAG_HOME": folder}
    add_library([EXAMPLES / "library.jsonl"], name="demo").close()
    with serve(Path(folder)) as server, httpx.Client(base_url=server.url, timeout=600) as page:
        token = re.findall(r'name="csrf" value="(\w+)"', page.get("/").text)[0]
        page.post("/runs", data={"csrf": token})  # refused: what a form needs is imported
        before = cpu(server.process.pid)
        begun = page.post("/runs", data={"csrf": token, "title": abstract.title, "abstract": abstract.text})
        run = begun.headers["location"]
        with page.stream("GET", f"{run}/events") as events:
            lines = sum(1 for _ in events.iter_lines())
        followed = cpu(server.process.pid)[0] - before[0]
        page.get(run)
        after = cpu(server.process.pid)
own, review = after[0] - before[0], after[1] - before[1]
print(
    f"page and events / review: {own / review:.3f}  ({own:.2f} s, {followed:.2f} of them the events, / {review:.1f} s of CPU, {lines} lines; {machine()})"
)
sys.exit(own > 0.05 * review)
