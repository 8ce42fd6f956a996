"""Rows in processes of their own give the results of one process, and go on where they were."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes.beir import write_beir

from litrag.evals.parallel import RowFailed, alone, joined, run_rows
from litrag.evals.retrieval import RETRIEVAL
from litrag.evals.runner import Evaluation, evaluate
from litrag.evals.tasks import EvalOptions


def evaluation(folder: Path) -> Evaluation:
    run = folder / "other.run"
    run.write_text("q0 Q0 0-2 1 1.0 other\nq1 Q0 1-3 1 1.0 other\n")
    return RETRIEVAL.evaluation(EvalOptions(str(folder / "forest"), ("bm25",), runs=(run,), measures=("RR",)))


async def test_rows_apart_and_joined_are_the_whole(tmp_path: Path, home: Path) -> None:
    write_beir(tmp_path / "forest")
    whole = await evaluate(evaluation(tmp_path), tmp_path / "whole")
    for name in ("bm25", "other"):
        await evaluate(alone(evaluation(tmp_path), name), tmp_path / "rows" / name)
    joined(evaluation(tmp_path), tmp_path / "rows", tmp_path / "together")
    together = await evaluate(evaluation(tmp_path), tmp_path / "together", resume=True)
    assert together.systems[0].metrics == whole.systems[0].metrics
    assert together.comparisons == whole.comparisons
    texts = [(tmp_path / name / "queries.jsonl").read_text() for name in ("whole", "together")]
    assert texts[0] == texts[1]


async def test_a_row_that_fails_is_named_after_the_others_have_ended(tmp_path: Path, capsys: object) -> None:
    code = (
        "import argparse, sys; from pathlib import Path\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--row'), parser.add_argument('--into')\nchosen = parser.parse_args()\n"
        "if chosen.row == 'bad': sys.exit('no model')\nPath(chosen.into).touch()"
    )
    with pytest.raises(RowFailed, match="1 of 3 rows failed; bad: no model"):
        await run_rows([sys.executable, "-c", code], ["bad", "-good", "better"], tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"-good", "better"}
