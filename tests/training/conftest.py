from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

_SAID = (
    ("What do dogs smell?", "Mushrooms under leaves."),
    ("What do drones see?", "Open ground from above."),
    ("Who maps the soil?", "A sensor in the forest floor."),
    ("Who plans the search?", "The one with the least time."),
)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Forty prompts with completions in four kinds, on which a model of any size gets better."""
    path = tmp_path / "examples.jsonl"
    rows = [{"prompt": f"{question} Case {i}.", "completion": answer} for i in range(10) for question, answer in _SAID]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
