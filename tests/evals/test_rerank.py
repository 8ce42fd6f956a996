"""`litrag eval rerank`: the input's row, counts, what a model decided, and rows that say nothing marked as such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.beir import write_beir

from litrag.core.errors import BadInput, UnknownName
from litrag.core.protocols import Generates
from litrag.core.settings import Settings
from litrag.corpora import load
from litrag.evals.rerank import METHODS, RERANK
from litrag.evals.rerank_bench import RerankBench, Row
from litrag.evals.rerank_rows import ROWS
from litrag.evals.results import Results
from litrag.evals.runner import Evaluation, evaluate
from litrag.evals.tables import markdown_table, terminal_table
from litrag.evals.tasks import EvalOptions
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.rerankers.insertrank import InsertRank


@pytest.mark.data
@pytest.mark.parametrize(("dataset", "value", "n"), [("trec-dl19", 0.5058, 43), ("trec-dl20", 0.4796, 54)])
async def test_the_inputs_row_is_trecs(dataset: str, value: float, n: int, tmp_path: Path) -> None:
    evaluation = RERANK.evaluation(EvalOptions(dataset, ("bm25",)))
    results = await evaluate(evaluation, tmp_path / "out")
    (bm25,) = results.systems
    assert results.n == n
    assert bm25.metrics["nDCG@10"].value == pytest.approx(value, abs=5e-5)
    assert (bm25.metrics["placed"].value, bm25.metrics["tau"].value) == (1.0, 1.0)


@pytest.mark.data
def test_the_pooled_set_is_both_years_and_each_learns_from_the_other() -> None:
    from litrag.evals.rerank_bench import _trained_on

    pooled = load("trec-dl")
    assert len(pooled.topics) == 43 + 54
    specs = {topic.id: _trained_on(pooled, topic) for topic in pooled.topics}
    for year in ("trec-dl19", "trec-dl20"):
        assert not any(f"{year}+" in specs[topic.id] for topic in load(year).topics)
    known = [document.id for document in pooled.corpus()]
    assert len(known) == len(set(known))


async def measured(tmp_path: Path, answer: Callable[[ModelRequest], str]) -> Results:
    """InsertRank by a scripted model over four topics."""
    write_beir(tmp_path / "forest")
    options = EvalOptions(str(tmp_path / "forest"), settings=Settings(rerank_model="scripted/m"))
    backend = ScriptedBackend(answer=answer)
    bench = RerankBench(load(options.dataset), ("nDCG@10", "RR", "AP"), options, backend)
    row = Row("insertrank", lambda model: InsertRank(model), Generates, depth=5)
    systems = (METHODS["bm25"](bench), bench.system(row))
    return await evaluate(Evaluation("rerank", bench.dataset, systems), tmp_path / "out")


async def test_calls_tokens_and_what_the_model_decided_are_counted(tmp_path: Path, home: Path) -> None:
    results = await measured(tmp_path, lambda request: "<ranking>[5] > [4] > [3] > [2] > [1]</ranking>")
    bm25, insertrank = results.systems
    assert insertrank.cost.calls == 1.0
    assert insertrank.cost.prompt_tokens > 50
    assert insertrank.cost.completion_tokens == 9.0
    assert insertrank.metrics["tau"].value == pytest.approx(-1.0)
    assert insertrank.metrics["placed"].value == 1.0
    assert bm25.cost.calls == 0
    assert "(b) insertrank |" in markdown_table(results)
    assert "invalid" not in terminal_table(results)


async def test_a_row_whose_model_cannot_rank_is_marked(tmp_path: Path, home: Path) -> None:
    results = await measured(tmp_path, lambda request: "they are all fine")
    bm25, insertrank = results.systems
    assert insertrank.metrics["nDCG@10"].value == bm25.metrics["nDCG@10"].value, "it looks like its input"
    assert insertrank.metrics["placed"].value == 0.0
    for table in (markdown_table(results), terminal_table(results)):
        assert "insertrank (invalid)" in table
        assert "a model that cannot rank looks like the input" in table


async def test_a_local_model_end_to_end_and_again_from_the_cache(tmp_path: Path, home: Path, tiny_gpt2: Path) -> None:
    write_beir(tmp_path / "forest")
    chosen = Settings(rerank_model=f"local/{tiny_gpt2}")
    options = EvalOptions(str(tmp_path / "forest"), ("query-likelihood", "query-likelihood-fused"), settings=chosen)
    tables = []
    for name in ("one", "two"):
        evaluation = RERANK.evaluation(options)
        results = await evaluate(evaluation, tmp_path / name)
        names = {path.name for path in RERANK.finish(evaluation, tmp_path / name)}
        assert names == {
            "bm25.run",
            "query-likelihood.run",
            "query-likelihood-fused.run",
            "cost.png",
            "cost.svg",
            "cost.csv",
        }
        tables.append([(s.name, s.metrics, s.cost.calls, s.cost.prompt_tokens) for s in results.systems])
    assert tables[0] == tables[1], "counts do not depend on what the cache holds"
    assert tables[0][1][2] == 10.0


def test_unknown_rows_and_a_leak_are_refused(tmp_path: Path) -> None:
    write_beir(tmp_path / "forest")
    assert (
        RERANK.evaluation(EvalOptions(str(tmp_path / "forest"), ("cross-encoder",))).systems[1].settings["class"] == "a"
    )
    with pytest.raises(UnknownName, match="rerank method"):
        RERANK.evaluation(EvalOptions(str(tmp_path / "forest"), ("best",)))


@pytest.mark.data
async def test_what_was_trained_on_a_split_is_not_measured_on_it(tmp_path: Path, home: Path) -> None:
    evaluation = RERANK.evaluation(EvalOptions("scifact:train", ("trained-likelihood",), n=1))
    with pytest.raises(BadInput, match="have learned from scifact:train"):
        await evaluate(evaluation, tmp_path / "out")


def test_the_rows_of_the_score_experiment_have_three_seeds_and_all_controls() -> None:
    for form in ("first", "yes-no"):
        rows = {
            name.removeprefix(f"trained-{form}"): row
            for name, row in ROWS.items()
            if name.startswith(f"trained-{form}")
        }
        controls = {"-scores", "-scores-permuted", "-scores-constant", "-scores-none"}
        assert {"", "-fused-.3", "-fused-.5", *controls} <= set(rows)
        assert form == "yes-no" or "-scores-shuffled" in rows
        assert all([own["seed"] for own in row.trained] == [0, 1, 2] for row in rows.values())
        with_, without = rows["-scores"].trained, rows[""].trained
        for own, bare in zip(with_, without, strict=True):
            assert own["own"]["scores"] == "own"
            assert {**own, "own": {k: v for k, v in own["own"].items() if k != "scores"}} == bare, (
                "same data, same steps"
            )
