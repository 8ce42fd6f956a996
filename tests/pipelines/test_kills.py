"""kill -9 at moments by lot, over a model's and a source's loopback servers: whatever was killed when, the resumed review is the same, byte by byte, and
only calls in flight are sent again. LITRAG_KILLS says at how many moments."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fakes.author import reply_to
from fakes.chat import chat_server
from fakes.killed import review_for
from fakes.scholarly import scholarly
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import resume
from litrag.pipelines.runs import list_runs

KILLS = int(os.environ.get("LITRAG_KILLS", "4"))
FILES = ("review.md", "references.bib", "evidence.json", "review.tex", "review.html")
CONCURRENCY = 8


def answered(prompt: str) -> str:
    time.sleep(0.02)  # so that calls are in flight
    return reply_to(prompt)


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_whenever_it_is_killed_the_review_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that bills twice or writes another text after a power cut cannot be trusted with either."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    library = write_library(tmp_path / "forest.jsonl", papers()[:20])
    lot = random.Random(9)
    with chat_server(answered) as model, scholarly(papers()[20:]) as web:
        options: dict[str, Any] = {
            "abstract": f"{TITLE}\n\n{ABSTRACT}",
            "library": str(library),
            "model": "openai/m",
            "api_base": model.url,
            "embed_model": "none",
            "papers": 12,
            "sections": 2,
            "sources": ("semantic-scholar",),
            "source_urls": web.urls(),
            "source_intervals": {"semantic-scholar": 0.0},
            "concurrency": CONCURRENCY,
            "formats": ("md", "tex", "html"),
        }
        done, seconds = review_for(None, made(tmp_path / "whole"), {**options, "out": str(tmp_path / "out")})
        assert done
        whole, asked, killed = outputs(tmp_path / "out"), Counter(model.prompts), 0
        for kill in range(KILLS):
            model.prompts.clear()
            home, out = made(tmp_path / f"home{kill}"), tmp_path / f"out{kill}"
            done, _ = review_for(lot.uniform(0.0, seconds), home, {**options, "out": str(out)})
            if not done:
                with monkeypatch.context() as patch:
                    patch.setenv("LITRAG_HOME", str(home))
                    (run,) = list_runs()
                    status, _ = run.state()
                    assert status in ("interrupted", "done")
                    if status == "interrupted":
                        killed += 1
                        resume(run.id)
            again = Counter(model.prompts) - asked
            record = json.loads((out / "run.json").read_text())["ledger"]
            assert outputs(out) == whole
            assert set(model.prompts) == set(asked)
            assert sum(again.values()) <= record["repeated"] <= CONCURRENCY
            # a call whose reply was kept, but not yet booked, counts as repeated and is not sent again
            assert sum(asked.values()) <= record["calls"] <= sum(asked.values()) + record["repeated"]
        assert 2 * killed >= KILLS, "most moments lie within the run"


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
