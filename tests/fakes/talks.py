"""Conversations of our own in CANARD's form: a page a place, a dialogue of four turns each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

__all__ = ["write_talks"]


def write_talks(folder: Path, places: Sequence[str]) -> Path:
    """The folder, which is made."""
    folder.mkdir()
    rows = []
    for place in places:
        said = [f"The {place}", "Survey"]
        turns = (
            ("Who surveyed it?", f"Who surveyed the {place}?", f"Ada mapped the {place}."),
            ("When?", f"When was the {place} mapped?", f"In spring the {place} was mapped."),
            ("What did she find?", f"What did Ada find at the {place}?", f"Snails and tides at the {place}."),
            ("Why?", f"Why did storms move the {place}?", f"Storms had moved the {place}."),
        )
        for number, (question, rewrite, answer) in enumerate(turns, start=1):
            row = {"QuAC_dialog_id": place, "Question": question, "Question_no": number, "Rewrite": rewrite}
            rows.append({"History": list(said), **row})
            said += [question, answer]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
