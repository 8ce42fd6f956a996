from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.shell import Here, failure
from fakes.texts import ABSTRACT, TITLE, write_library

from litrag.cli.options import listed


def test_formats_may_be_repeated_or_listed_with_commas() -> None:
    assert listed(["md, tex", "docx"]) == ("md", "tex", "docx")
    assert listed(None) is None


@pytest.mark.usefixtures("no_weights")
def test_a_review_is_written_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    write_library(tmp_path / "forest.jsonl")
    assert "gone.csl: no such citation style" in failure(
        litrag("review", "abstract.txt", "--library", "forest.jsonl", "--style", "gone.csl"), 2
    )
    code, out, _ = litrag("--json", "review", "abstract.txt", "--library", "forest.jsonl", "-f", "tex,ris")
    assert code == 0
    run_id = json.loads(out)["run_id"]
    assert {"review.tex", "references.ris"} <= {path.name for path in (tmp_path / "abstract-review").iterdir()}
    code, out, _ = litrag("runs", "export", run_id, "-f", "html", "--style", "numeric", "-o", "elsewhere")
    assert (code, [Path(line).name for line in out.splitlines()]) == (0, ["review.html", "evidence.html"])
    assert "no format named 'pdf'" in failure(litrag("runs", "export", run_id, "-f", "pdf"), 2)
