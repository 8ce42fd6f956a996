from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.shell import Here, failure
from fakes.texts import ABSTRACT, TITLE, write_library

pytest.importorskip("matplotlib")


@pytest.mark.usefixtures("no_weights")
def test_a_review_is_drawn_by_its_run_or_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    write_library(tmp_path / "forest.jsonl")
    code, out, _ = litrag("--json", "review", "abstract.txt", "--library", "forest.jsonl")
    assert code == 0
    review = json.loads(out)
    code, out, _ = litrag("plot", review["run_id"], "-o", "map")
    assert (code, [Path(line).name for line in out.splitlines()]) == (0, ["map.png", "map.svg", "map.csv"])
    code, out, _ = litrag("--json", "plot", "abstract-review", "-o", "again")
    assert code == 0
    lines = (tmp_path / "again" / "map.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + review["papers"]
    assert (tmp_path / "map" / "map.csv").read_text(encoding="utf-8").splitlines() == lines
    assert "no systems to name" in failure(litrag("plot", "abstract-review", "--system", "bm25"), 2)


def test_what_is_no_result_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    (tmp_path / "results.json").write_text("{}")
    assert "results.json is no results.json" in failure(litrag("plot", "results.json"), 2)
    assert "gone.json cannot be read" in failure(litrag("plot", "gone.json"), 2)
    assert "no run named 'gone'" in failure(litrag("plot", "gone"), 2)
