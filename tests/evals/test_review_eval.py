"""`litrag eval review`: stages, leaks, controls, on small texts of our own and, where it is there, on the real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.acl import write_acl, year
from fakes.scholar import answers

from litrag.core.errors import BadInput, UnknownName
from litrag.core.sync import run
from litrag.corpora import load
from litrag.evals.review import REVIEW
from litrag.evals.review_pipeline import PIPELINES, PipelineBench
from litrag.evals.review_writing import WRITERS
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions
from litrag.retrievers.sources.citation_file import CitationFile


@pytest.fixture
def spec(tmp_path: Path) -> str:
    return f"acl={write_acl(tmp_path / 'acl')}:all"


def rows(spec: str, folder: Path, *names: str, n: int | None = 4) -> dict[str, dict[str, float]]:
    results = run(evaluate(REVIEW.evaluation(EvalOptions(spec, names, n=n)), folder))
    return {system.name: {name: m.value for name, m in system.metrics.items()} for system in results.systems}


def test_no_stage_finds_what_the_one_before_lost(spec: str, tmp_path: Path, no_weights: None) -> None:
    found = rows(spec, tmp_path / "out", "full", "-snowball", "-plan", "searches-1")
    for row in found.values():
        stages = [row[f"recall_{stage}"] for stage in ("pool", "selected", "planned", "cited")]
        assert stages == sorted(stages, reverse=True)
        assert 0 < row["recall_cited"] <= 1
        assert 0 < row["precision_cited"] <= 1
        assert row["supported"] == 1.0
    lines = [json.loads(line) for line in (tmp_path / "out" / "queries.jsonl").read_text().splitlines()]
    searches = {line["system"]: line["counts"]["searches"] for line in lines}
    assert searches["searches-1"] == 1 < searches["-snowball"] < searches["full"]


def test_the_graph_knows_no_list_of_the_papers_own_year(spec: str) -> None:
    """The citing paper's own list is the answer; those of its year were read with it."""
    bench = PipelineBench(load(spec), EvalOptions(spec))
    kept = [json.loads(line) for line in (bench.folder / "citations.jsonl").read_text().splitlines()]
    graph = CitationFile.over(kept, lambda ids: [])
    for topic in load(spec).topics:
        assert topic.query.before is not None
        known = graph.before(topic.query.before)
        lists = {name for name in graph.lists if known._counts(name)}
        assert lists == {name for name in graph.lists if year(name) < year(topic.id)}


def test_every_row_is_a_setting_that_there_is() -> None:
    from litrag.core.settings import load_settings

    for changes in PIPELINES.values():
        load_settings(**{name: value for name, value in changes.items() if name != "plan"})


@pytest.mark.models
def test_writers_are_measured_beside_the_expert(tmp_path: Path) -> None:
    scholar = f"scholarqa-multi={answers(tmp_path / 'a')}:test"
    names = [name for name in WRITERS if not name.endswith("generate")]
    found = rows(scholar, tmp_path / "out", *names, n=None)
    for name, row in found.items():
        assert 0 <= row["relevance"] <= 1
        assert 0 <= row["rouge2"] <= row["rouge1"] <= 1
        if name.startswith("given"):
            assert row["citation_recall"] == 1.0
        if "adherence" in row:
            assert row["adherence"] == 1.0
    assert found["given"]["citation_recall"] >= found["extractive"]["citation_recall"]


def test_methods_of_the_one_data_set_are_not_those_of_the_other(spec: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no method named 'extractive'"):
        REVIEW.evaluation(EvalOptions(spec, ("extractive",)))
    with pytest.raises(BadInput, match="searches the data set alone"):
        rows_with_a_source(spec, tmp_path)


def rows_with_a_source(spec: str, folder: Path) -> None:
    from litrag.core.settings import load_settings

    options = EvalOptions(spec, ("full",), n=1, settings=load_settings(sources=("arxiv",)))
    run(evaluate(REVIEW.evaluation(options), folder / "web"))
