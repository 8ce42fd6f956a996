"""`litrag rerank`: both inputs, every format, each mistake in a line, nothing lost when the budget ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.beir import write_beir
from fakes.shell import Shell, failure

from litrag.core.errors import BadInput, BudgetSpent
from litrag.core.settings import Settings
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.reranking import FORMATS, Reranked, read_given, rerank_all
from litrag.pipelines.reranking_session import RerankingSession, injected

QUERY = {
    "id": "tides",
    "query": "what moves the sand",
    "documents": [
        {"id": "snail", "text": "Snails graze.", "score": 9.0},
        {"id": "tide", "text": "Tides move sand.", "title": "Tides", "score": 4.0},
        {"id": "dune", "text": "Storms move dunes.", "score": 1.0},
    ],
}
LINES = json.dumps(QUERY) + "\n" + json.dumps({**QUERY, "id": "again", "query": "what moves the dunes"}) + "\n"


@pytest.fixture
def litrag(tmp_path: Path, home: Path, no_weights: None) -> Shell:
    (tmp_path / "given.jsonl").write_text(LINES)
    return Shell(tmp_path, home)


def session(answer: Any, **settings: Any) -> tuple[RerankingSession, ScriptedBackend]:
    backend = ScriptedBackend(answer=answer)
    chosen = Settings(rerank_model="scripted/m", reranker="insertrank", **settings)
    return RerankingSession(chosen, backend=backend), backend


async def reranked(shop: RerankingSession, **options: Any) -> tuple[list[Reranked], BudgetSpent | None]:
    found: list[Reranked] = []
    spent = await rerank_all(read_given(LINES, "given"), shop.build(options), found.append)
    return found, spent


async def test_a_model_reorders_and_each_format_tells_it(home: Path) -> None:
    shop, _ = session(lambda request: "<ranking>[2] > [3] > [1]</ranking>")
    (first, second), spent = await reranked(shop)
    assert spent is None
    assert first.ranking.ids == second.ranking.ids == ("tide", "dune", "snail")
    row = json.loads(FORMATS["jsonl"](first, 2))
    assert [(d["id"], d["rank"], d["was"]) for d in row["documents"]] == [("tide", 1, 2), ("dune", 2, 3)]
    assert [s["source"] for s in row["documents"][0]["scores"]] == ["first-stage", "insertrank"]
    assert row["placed"] == 1.0
    assert FORMATS["trec"](first, 9).splitlines()[0] == "tides Q0 tide 1 2 litrag"
    assert "was    2" in FORMATS["table"](first, 9).splitlines()[1]
    assert shop.cost().startswith("2 calls, ")


async def test_scores_and_order_change_what_the_model_sees(home: Path) -> None:
    prompts = {}
    for name, options in {
        "raw": injected("raw", None),
        "rank": injected("rank", None),
        "none": injected("none", None),
        "shuffled": injected(None, "shuffled"),
    }.items():
        shop, backend = session(lambda request: "<ranking>[1]</ranking>")
        await reranked(shop, **options)
        prompts[name] = backend.requests[0].messages[0].content
    assert "(search score 9.00)" in prompts["raw"]
    assert "(search score 3)" in prompts["rank"]
    assert "search score" not in prompts["none"]
    assert len(set(prompts.values())) == 4
    with pytest.raises(BadInput, match="groupwise has no setting 'scale'|groupwise has no setting 'scores'"):
        RerankingSession(Settings(rerank_model="scripted/m", reranker="groupwise")).build(injected("raw", None))
    with pytest.raises(BadInput, match=r"insertrank, setting window: .*its settings are: source \(''\)"):
        shop.build({"window": "wide"})


async def test_a_spent_budget_keeps_what_is_done(home: Path) -> None:
    shop, _ = session(lambda request: "<ranking>[3] > [2] > [1]</ranking>", max_calls=1)
    found, spent = await reranked(shop)
    assert [item.id for item in found] == ["tides"]
    assert spent is not None
    assert "calls" in str(spent)


def test_the_command_reads_a_file_and_a_pipe(litrag: Shell) -> None:
    code, out, err = litrag("rerank", "given.jsonl", "--method", "none", "-f", "trec")
    assert code == 0, err
    assert out.splitlines()[0] == "tides Q0 snail 1 2 litrag"
    assert "0 calls" in err
    piped = litrag("rerank", "-", "--method", "none", "-f", "trec", stdin=LINES)
    assert piped[1] == out
    whole = json.loads(litrag("--json", "rerank", "given.jsonl", "--method", "none", "-k", "1")[1])
    assert [len(query["documents"]) for query in whole["queries"]] == [1, 1]


def test_a_run_gets_its_texts_from_a_data_set(litrag: Shell, tmp_path: Path) -> None:
    write_beir(tmp_path / "forest")
    (tmp_path / "a.run").write_text("q0 Q0 0-3 1 7.5 x\nq0 Q0 1-2 2 3.5 x\n")
    code, out, err = litrag("rerank", "a.run", "--dataset", "forest", "--method", "none", "-f", "jsonl")
    assert code == 0, err
    row = json.loads(out)
    assert (row["query"], [d["id"] for d in row["documents"]]) == ("dog scent training", ["0-3", "1-2"])
    assert row["documents"][0]["scores"][0]["value"] == 7.5


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", (), "is empty; give JSON Lines"),
        ("q0 Q0 d 1 1.0 x\n", (), "name the data set it ranks with --dataset"),
        ("q0 Q0 d 1 1.0\n", ("--dataset", "forest"), "line 1: 5 columns"),
        ("q9 Q0 d 1 1.0 x\n", ("--dataset", "forest"), "ranks no topic of forest"),
        ("q0 Q0 nobody 1 1.0 x\n", ("--dataset", "forest"), "1 documents are not in forest, such as nobody"),
        ('{"query": "x"}\n', (), "line 1: no query or no documents"),
        ('{"query": "x", "documents": [{"id": 1}]}\n', (), "line 1, document 1: write"),
        ('{"query": "x", "documents": [{"id": 1, "text": "t", "score": "high"}]}\n', (), "score 'high' is no number"),
        ('{"query": "x"\n', (), "line 1: no JSON"),
        (LINES, ("--method", "best"), "no reranker named 'best'"),
        (LINES, ("-f", "xml"), "no format named 'xml'"),
        (LINES, ("--order", "up"), "write keep or shuffled"),
        (LINES, ("--method", "none", "-s", "depth=3"), "reranker none has no setting 'depth'"),
        (LINES, ("--method", "insertrank"), "no model for the role rerank"),
    ],
)
def test_a_mistake_is_one_line(
    litrag: Shell, tmp_path: Path, text: str, options: tuple[str, ...], message: str
) -> None:
    write_beir(tmp_path / "forest")
    line = failure(litrag("rerank", "-", *options, stdin=text), 2)
    assert message.lower() in line.lower(), line


def test_a_missing_file_is_named(litrag: Shell) -> None:
    assert "nowhere.run cannot be read" in failure(litrag("rerank", "nowhere.run"), 2)


async def test_a_model_that_cannot_rank_is_told_apart(home: Path) -> None:
    def answer(request: ModelRequest) -> str:
        return "I like them all."

    shop, _ = session(answer)
    (first, _), _ = await reranked(shop)
    assert first.ranking.ids == ("snail", "tide", "dune")
    assert first.ranking.placed == 0.0
