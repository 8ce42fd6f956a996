"""Answers of our own in ScholarQA-Multi's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["answers"]


def answers(folder: Path) -> Path:
    """Eight questions with three passages each, of which the answer cites two."""
    folder.mkdir()
    rows: list[dict[str, Any]] = []
    kinds = ("tides", "dogs", "kites", "soils", "bells", "looms", "moths", "ferns")
    for i, kind in enumerate(kinds):
        ctxs = [
            {"title": f"On {kind} {j}", "text": f"{kind} {word} the {word} place."}
            for j, word in enumerate(("move", "find", "hold"))
        ]
        output = f"It is told that {kind} move the place [0]. It is told that {kind} find the place [1]."
        row = {"id": f"a{i}", "input": f"What of {kind}?", "ctxs": ctxs, "output": output}
        rows.append({**row, "subject": "x", "annotator": "y"})
    (folder / "human_answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
