"""`litrag eval rewrite`: texts without a model, rows of models, fusion with the original, seeds, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.beir import write_beir
from fakes.talks import write_talks

from litrag.core.errors import BadInput, UnknownName
from litrag.core.settings import Settings
from litrag.core.types import Query
from litrag.corpora import load
from litrag.evals.results import Results
from litrag.evals.rewrite import REWRITE
from litrag.evals.rewrite_bench import RewriteBench
from litrag.evals.rewrite_rows import ROWS
from litrag.evals.runner import Evaluation, evaluate
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import SEEDS
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend

PLACES = ("bay", "forest", "delta", "ridge")


@pytest.fixture
def talks(tmp_path: Path) -> str:
    """Four pages, a dialogue of four turns each, in CANARD's form."""
    folder = write_talks(tmp_path / "talks", PLACES)
    return f"canard-windows={folder}:all"


async def measured(
    spec: str, names: tuple[str, ...], out: Path, answer: Callable[[ModelRequest], str] = lambda request: ""
) -> Results:
    """A model of the folder's own name: the request cache tells models apart by it."""
    options = EvalOptions(spec, settings=Settings(rewrite_model=f"scripted/{out.name}"))
    bench = RewriteBench(load(spec), ("RR", "R@10"), options, backend=ScriptedBackend(answer=answer))
    systems = tuple(bench.system(ROWS[name]) for name in ("original", *names))
    return await evaluate(Evaluation("rewrite", bench.dataset, systems), out)


def last_question(request: ModelRequest) -> str:
    """The human rewrite of the last question of a prompt, as a good model would write it."""
    prompt = request.messages[-1].content
    place = next(name for name in PLACES if name in prompt)
    return f"Who mapped the {place} in spring and what of snails, tides and storms?"


async def test_texts_that_need_no_model(talks: str, tmp_path: Path, home: Path) -> None:
    results = await measured(talks, ("history", "context", "human"), tmp_path / "out")
    found = {system.name: system for system in results.systems}
    assert found["human"].metrics["RR"].value == 1.0
    assert found["original"].metrics["RR"].value < 1.0
    assert found["context"].metrics["R@10"].value == 1.0
    assert all(system.cost.calls == 0 and system.cost.searches == 1 for system in results.systems)
    assert found["original"].metrics["changed"].value == 0.0
    kept = [json.loads(line) for line in (tmp_path / "out" / "queries.jsonl").read_text().splitlines()]
    assert ["When was the bay mapped?"] in [row["details"]["queries"][0] for row in kept if row["system"] == "human"]


async def test_a_model_is_asked_once_a_turn_and_a_bad_reply_is_the_original(
    talks: str, tmp_path: Path, home: Path
) -> None:
    good = (await measured(talks, ("untrained",), tmp_path / "good", last_question)).systems[1]
    bad = await measured(talks, ("untrained",), tmp_path / "bad", lambda request: "1. 1.1.1.1")
    assert good.metrics["RR"].value > bad.systems[0].metrics["RR"].value
    assert 0 < good.cost.calls < 1, "first turns lean on nothing and are not asked"
    assert good.cost.prompt_tokens > 10
    original, same = bad.systems
    assert same.metrics["RR"].value == original.metrics["RR"].value
    assert same.metrics["changed"].value == 0.0


async def test_fusion_keeps_the_original_search(tmp_path: Path, home: Path) -> None:
    write_beir(tmp_path / "forest")
    results = await measured(str(tmp_path / "forest"), ("statistical", "statistical-fused"), tmp_path / "out")
    original, alone, fused = results.systems
    assert fused.cost.searches > alone.cost.searches
    assert fused.metrics["R@10"].value >= original.metrics["R@10"].value


async def test_seeds_are_averaged_and_variants_share_their_stages(
    talks: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def trained(self: RewriteBench, settings: dict[str, Any]) -> tuple[str, Path]:
        asked.append(settings)
        folder = tmp_path / "runs" / str(settings["seed"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scorer.json").write_text('{"words": 1.0}')
        return "scripted/m", folder

    monkeypatch.setattr(RewriteBench, "trained", trained)
    monkeypatch.setattr("litrag.evals.rewrite_rows._sft", lambda bench, seed, context=True: "scripted/m")
    texts = ["Who mapped the bay?", "What?", "Why did storms move the bay and the delta?"]

    shown: set[bool] = set()

    async def sampled(model: object, query: Query, *, k: int, temperature: float, tokens: int) -> list[str]:
        shown.add(bool(query.context))
        return texts[:k]

    monkeypatch.setattr("litrag.evals.rewrite_rows.sampled", sampled)
    names = ("adaqr", "adaqr-shuffled", "best-of", "one-sample", "best-of-retrieval")
    results = await measured(talks, names, tmp_path / "out")
    assert shown == {True}
    assert [system.name for system in results.systems][1:] == list(names)
    rows = [json.loads(line) for line in (tmp_path / "out" / "queries.jsonl").read_text().splitlines()]
    assert all(len(row["details"]["queries"]) == len(SEEDS) for row in rows if row["system"] != "original")
    shuffled = [settings for settings in asked if settings["own"].get("shuffled")]
    assert [settings["seed"] for settings in shuffled] == list(SEEDS)
    assert all(str(tmp_path / "runs" / str(s["seed"])) == s["own"]["like"] for s in shuffled)
    chosen = {
        name: {text for row in rows if row["system"] == name for (text,) in row["details"]["queries"]} & set(texts)
        for name in ("best-of", "one-sample")
    }
    assert chosen == {"best-of": {texts[2]}, "one-sample": {texts[0]}}
    shown.clear()
    asked.clear()
    await measured(talks, ("adaqr-shuffled-bare", "best-of-bare", "best-of-gold-bare"), tmp_path / "bare")
    assert shown == {False}, "page and section"
    assert all(settings["own"]["context"] is False for settings in asked)


def test_what_learned_from_a_page_is_not_measured_on_it(talks: str) -> None:
    with pytest.raises(UnknownName, match="rewrite method"):
        REWRITE.evaluation(EvalOptions(talks, ("best",)))
    bench = RewriteBench(load(talks), ("RR",), EvalOptions(talks))
    with pytest.raises(BadInput, match="the trained rows learn from"):
        bench.trained({"seed": 0})


def test_the_table_of_the_issue_is_there() -> None:
    rows = ("original", "history", "human", "context", "untrained", "sft", "adaqr", "best-of", "best-of-retrieval")
    assert {*rows, "adaqr-shuffled", "adaqr-gold"} <= set(ROWS)
    learned = ("sft", "adaqr-margin", "adaqr-shuffled", "adaqr-gold", "best-of", "best-of-retrieval")
    assert {"untrained-bare", *(f"{name}-bare" for name in learned)} <= set(ROWS)
    for name in ("sft", "adaqr", "adaqr-shuffled", "adaqr-gold", "adaqr-margin-bare"):
        assert [settings["seed"] for settings in ROWS[name].settings["trained"]] == [0, 1, 2]
