"""The rows of the retrieval table on small data: each runs, and those that learn from citations read nothing of their own year."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from fakes.acl import cites, write_acl, year
from fakes.beir import write_beir
from fakes.talks import write_talks

from litrag.core.errors import BadInput
from litrag.core.settings import Settings
from litrag.core.types import Query
from litrag.corpora import load
from litrag.evals.citation_rows import lists_before
from litrag.evals.metrics import measures_of
from litrag.evals.retrieval import METHODS, RETRIEVAL
from litrag.evals.retrieval_bench import Bench
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions
from litrag.retrievers.citing import CitingPapers, ReferenceList

pytest.importorskip("sentence_transformers")
DEAR = {"dense-sufficiency", "maxsim", "dense-lora"}
ASKED = {
    "car",
    "car-three",
    "car-written",
    "car-random",
    "car-alone",
}  # a language model rewrites for minutes: tests/training/test_car.py has a tiny one


async def test_every_row_ranks_only_what_the_topic_may_get(tiny_embedder: Path, tmp_path: Path) -> None:
    acl = f"acl={write_acl(tmp_path / 'acl')}"
    names = tuple(name for name in METHODS if name not in DEAR | ASKED)
    options = EvalOptions(
        f"{acl}:test", names, k=50, measures=("R@10", "nR@10"), settings=Settings(embed_model=f"local/{tiny_embedder}")
    )
    evaluation = RETRIEVAL.evaluation(options)
    results = await evaluate(evaluation, tmp_path / "out")
    assert [system.name for system in results.systems] == list(names)
    RETRIEVAL.finish(evaluation, tmp_path / "out")
    before = {topic.id: topic.query.before for topic in evaluation.dataset.topics}
    for name in names:
        for line in (tmp_path / "out" / f"{name}.run").read_text().splitlines():
            topic, _, document, *_ = line.split()
            assert document != topic
            assert date(year(document), 12, 31) < before[topic], name  # type: ignore[operator]


async def test_a_reranked_row_and_one_without_dates(tiny_embedder: Path, tmp_path: Path) -> None:
    forest = write_beir(tmp_path / "forest")
    settings = Settings(embed_model=f"local/{tiny_embedder}")
    options = EvalOptions(str(forest), ("bm25", "maxsim"), k=20, measures=("R@10",), settings=settings)
    results = await evaluate(RETRIEVAL.evaluation(options), tmp_path / "out")
    assert results.systems[1].metrics["R@10"].value > 0
    wrong = EvalOptions(str(forest), ("popularity",), settings=settings)
    with pytest.raises(BadInput, match="has no citation lists; use acl"):
        await evaluate(RETRIEVAL.evaluation(wrong), tmp_path / "wrong")


def test_lists_of_the_query_s_own_year_are_never_read(tmp_path: Path) -> None:
    """The graph as each year's queries may know it."""
    import numpy as np

    acl = f"acl={write_acl(tmp_path / 'acl')}"
    bench = Bench(load(f"{acl}:test"), 10, ("R@10",), EvalOptions(f"{acl}:test"))
    lists = lists_before(bench)
    assert {item.id for item in lists} == set(cites()), "all lists are there, the year decides"
    papers = CitingPapers(lists, np.eye(len(lists), 8, dtype=np.float32))
    for now in range(2016, 2024):
        known = [name for name in cites() if year(name) < now]
        counts: dict[str, float] = {}
        for name in known:
            for work in cites()[name]:
                counts[work] = counts.get(work, 0) + 1
        assert papers.popularity(Query("x"), date(now, 1, 1)) == counts


def test_neighbours_weigh_lists_by_likeness_and_leave_the_query_s_own_out() -> None:
    import numpy as np

    lists = [
        ReferenceList(name, date(2017, 12, 31), works)
        for name, works in (("a", ("x", "y")), ("b", ("y",)), ("q", ("z",)))
    ]
    papers = CitingPapers(lists, np.asarray([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]], dtype=np.float32))
    query, vector = Query("q", exclude=frozenset({"q"})), np.asarray([1.0, 0.0], dtype=np.float32)
    found = papers.neighbours(query, vector, date(2018, 1, 1), power=2.0)
    assert found == pytest.approx({"x": 1 / 1.36, "y": 1.0})
    assert papers.neighbours(query, vector, date(2017, 12, 31), power=2.0) == {}
    assert papers.popularity(query, date(2018, 1, 1)) == {"x": 1, "y": 2}


def test_normalised_recall_is_the_share_of_what_the_ranking_holds() -> None:
    relevant = {"a": 1, "b": 1, "c": 1, "d": 0}
    ids = ["a", "d", "x", "b"]
    assert measures_of(ids, relevant, ("nR@1", "nR@3", "nR@4", "R@4")) == pytest.approx(
        {"nR@1": 0.5, "nR@3": 0.5, "nR@4": 1.0, "R@4": 2 / 3}
    )
    assert measures_of(["x"], relevant, ("nR@1",)) == {"nR@1": 0.0}


@pytest.mark.parametrize("split", ["", ":train", ":all"])
@pytest.mark.parametrize("row", ["trained", "car"])
def test_a_trained_row_is_not_measured_on_what_taught_it(
    tmp_path: Path, tiny_embedder: Path, row: str, split: str
) -> None:
    acl = f"acl={write_acl(tmp_path / 'acl')}"
    options = EvalOptions(f"{acl}{split}", (row,), settings=Settings(embed_model=f"local/{tiny_embedder}"))
    (system,) = RETRIEVAL.evaluation(options).systems
    with pytest.raises(BadInput, match="evaluate another split"):
        system.prepare()


@pytest.mark.parametrize("row", ["bm25", "dense"])
async def test_rows_see_of_a_conversation_what_its_turn_may_get(
    row: str, tiny_embedder: Path, tmp_path: Path, home: Path
) -> None:
    """Windows without the turn's answer are told apart by their source: a row that does not know it finds nothing, or the answer."""
    folder = write_talks(tmp_path / "talks", ("bay", "forest", "delta", "ridge"))
    settings = Settings(embed_model=f"local/{tiny_embedder}")
    options = EvalOptions(f"canard-unanswered={folder}:all", (row,), k=20, measures=("R@10",), settings=settings)
    evaluation = RETRIEVAL.evaluation(options)
    results = await evaluate(evaluation, tmp_path / "out")
    RETRIEVAL.finish(evaluation, tmp_path / "out")
    assert results.systems[0].metrics["R@10"].value > 0
    allowed = {topic.id: topic.query.only.sources for topic in evaluation.dataset.topics}
    sources = {document.id: document.metadata.get("source") for document in evaluation.dataset.corpus()}
    found = [line.split() for line in (tmp_path / "out" / f"{row}.run").read_text().splitlines()]
    assert found
    assert all(not allowed[topic] or sources[document] in allowed[topic] for topic, _, document, *_ in found)
