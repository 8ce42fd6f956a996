"""The recorded reviews replay offline to the same bytes: prompts, parsers and writers still are those they were recorded with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litrag import review

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "examples" / "recorded"


@pytest.mark.parametrize("name", ["budget", "conversation", "claims"])
def test_a_recorded_review_replays_byte_by_byte(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt that was changed without being tried on a model again shows here."""
    monkeypatch.chdir(ROOT)
    made = review(
        RECORDED / name / "abstract.txt",
        library="examples/recorded/library.jsonl",
        model=f"recorded/examples/recorded/{name}/replies.jsonl",
        embed_model="none",
        papers=8,
        out=tmp_path / "out",
    )
    assert made.text == (RECORDED / name / "review.md").read_text(encoding="utf-8")
    assert (made.papers, made.counters["supported"], made.counters["unsupported"]) == (8, _pairs(made.folder), 0)
    assert made.counters["extractive_sentences"] == made.counters["unreadable"] == made.counters["plan_unreadable"] == 0


def _pairs(folder: Path) -> int:
    file = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    return sum(len(claim["keys"]) for claim in file["claims"])
