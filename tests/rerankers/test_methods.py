"""Each method with a model that knows the right order: the best ranking it can reach, in its paper's number of calls."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.errors import ModelUnavailable
from litrag.core.registry import find
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.estimate import RERANKS
from litrag.rerankers import RERANKERS
from litrag.rerankers.combined import Cascade, Fused, SelfConsistent
from litrag.rerankers.cross_encoder import CrossEncoder
from litrag.rerankers.debate import Debate
from litrag.rerankers.first_token import First, Graded, YesNo
from litrag.rerankers.groupwise import Groupwise, parse_scores
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.pairwise import Pairwise
from litrag.rerankers.parsing import parse_order
from litrag.rerankers.query_likelihood import QueryLikelihood
from litrag.rerankers.rubric import Rubric
from litrag.rerankers.setwise import Setwise
from litrag.rerankers.toolkit import score_texts, windows

WORTH = re.compile(r"worth (\d+)\.")
METHODS = {name: place for name, place in RERANKERS.items() if name not in {"none", "similarity", "maxsim"}}


def shelf(n: int, *, seed: int = 0) -> Ranking:
    """n documents whose text tells their worth, in an order that has nothing to do with it."""
    worths = random.Random(seed).sample(range(n), n)
    hits = (
        Hit(Document(f"d{worth}", "T", f"worth {worth}."), (Score(float(n - place), "bm25", "q", place + 1),))
        for place, worth in enumerate(worths)
    )
    return Ranking(Query("the worthiest"), tuple(hits))


def best(n: int) -> tuple[str, ...]:
    return tuple(f"d{worth}" for worth in range(n - 1, -1, -1))


def oracle(request: ModelRequest) -> str | dict[str, float] | list[float]:
    """Answers every prompt of the toolkit by the worths it reads there."""
    prompt = request.messages[-1].content
    worths = [int(worth) for worth in WORTH.findall(prompt)]
    if request.operation == "relevance":
        return [float(WORTH.findall(text)[0]) for text in request.texts]
    if request.operation == "score":
        return [worths[0] - 1000.0] if worths else [-5.0]
    if request.operation == "next_token_logprobs":
        if "yes" in request.tokens:
            return {"yes": worths[0] - 1000.0, "no": -1000.0}
        if "9" in request.tokens:
            return {token: -abs(int(token) - worths[0] / 12) for token in request.tokens}
        return {token: worth - 1000.0 for token, worth in zip(request.tokens, worths, strict=True)}
    order = sorted(range(len(worths)), key=lambda i: -worths[i])
    if "Passage A" in prompt:
        return "AB"[order[0]]
    if "<answer>" in prompt:
        return f"<answer>[{order[0] + 1}]</answer>"
    if "<score>" in prompt:
        return f"<score>{worths[0]}</score>"
    if "probability" in prompt:
        return json.dumps({"candidates": [debated(i + 1, worth) for i, worth in enumerate(worths)]})
    if "JSON" in prompt:
        return json.dumps({str(i + 1): worth / 10 for i, worth in enumerate(worths)})
    return "<ranking>" + " > ".join(f"[{i + 1}]" for i in order) + "</ranking>"


def debated(number: int, worth: int) -> dict[str, Any]:
    side = [{"argument": "its worth", "quote": f"worth {worth}."}]
    return {"number": number, "for": side, "against": side, "probability": worth}


def gate(backend: ScriptedBackend) -> Gateway:
    chosen = Settings(model="scripted/m", embed_model="scripted/e", max_calls=100_000)
    return Gateway(chosen, cache=RequestCache(":memory:"), backend=backend)


def built(made: Callable[..., Any], backend: ScriptedBackend, **settings: Any) -> Any:
    return made(gate(backend).resolve("rerank", needs=made.needs), **settings)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("made", "options", "n", "found", "calls"),
    [
        (InsertRank, {"default_depth": 100}, 100, 100, 1),
        (InsertRank, {"window": 20, "stride": 10, "default_depth": 100}, 100, 10, 9),
        (First, {}, 100, 10, 9),
        (Groupwise, {}, 100, 100, 5),
        (Groupwise, {"shuffles": 4}, 100, 100, 20),
        (QueryLikelihood, {}, 100, 100, 100),
        (YesNo, {}, 100, 100, 100),
        (Graded, {}, 100, 100, 100),
        (Pairwise, {}, 20, 20, 380),
        (Pairwise, {"form": "sliding", "passes": 10}, 20, 10, None),
        (Setwise, {}, 20, 10, 1 + 9),
        (Setwise, {"reasoning": True}, 20, 10, 1 + 9),
        (Setwise, {"children": 3, "k": 20}, 20, 20, None),
        (CrossEncoder, {}, 100, 100, 1),
        (CrossEncoder, {"batch": 30}, 100, 100, 4),
        (Debate, {}, 40, 40, 4),
        (Rubric, {}, 100, 100, 100),
    ],
)
async def test_an_oracle_brings_each_method_to_its_best_order_in_its_paper_s_calls(
    made: Callable[..., Any], options: dict[str, Any], n: int, found: int, calls: int | None
) -> None:
    backend = ScriptedBackend(answer=oracle)
    given = shelf(n)
    ranked = await built(made, backend, **options).rerank(given)
    assert given.ids[:found] != best(n)[:found]
    assert ranked.ids[:found] == best(n)[:found]
    assert sorted(ranked.ids) == sorted(given.ids)
    assert calls is None or len(backend.requests) == calls
    assert [hit.score("bm25").value for hit in ranked.hits] == [
        next(h for h in given.hits if h.document.id == hit.document.id).score("bm25").value for hit in ranked.hits
    ], "first-stage scores stay as they are"


@pytest.mark.parametrize("name", RERANKS)
async def test_what_a_dry_run_plans_bounds_the_calls(name: str) -> None:
    backend = ScriptedBackend(answer=oracle)
    await built(find("reranker", RERANKERS, name), backend).rerank(shelf(100))
    way = RERANKS[name]
    assert len(backend.requests) <= way.calls(min(100, way.depth)) <= 2 * len(backend.requests)


def test_a_dry_run_plans_every_reranker_that_asks_a_language_model() -> None:
    assert set(RERANKS) == set(METHODS) - {"cross-encoder"}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
async def test_small_and_cut_rankings_stay_permutations(name: str, n: int) -> None:
    made = find("reranker", RERANKERS, name)
    given = shelf(n)
    ranked = await built(made, ScriptedBackend(answer=oracle)).rerank(given)
    assert ranked.ids == best(n)
    cut = await built(made, ScriptedBackend(answer=oracle)).rerank(given, depth=3)
    assert cut.ids[3:] == given.ids[3:]
    assert set(cut.ids[:3]) == set(given.ids[:3])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "reply",
    ["", "[9] > [9]", "<think>[1]", "no", "[2]", '{"1": "x", "2": NaN, "99": 3}', "<answer>77</answer>", "A B A"],
)
async def test_any_reply_gives_a_permutation(name: str, reply: str) -> None:
    def answer(request: ModelRequest) -> str | dict[str, float] | list[float]:
        if request.operation == "relevance":
            return [float("nan") if i % 2 else float(i) for i, _ in enumerate(request.texts)]
        if request.operation == "score":
            return [-3.0]
        return dict.fromkeys(request.tokens, -float("inf")) if request.operation == "next_token_logprobs" else reply

    given = shelf(7)
    ranked = await built(find("reranker", RERANKERS, name), ScriptedBackend(answer=answer)).rerank(given)
    assert sorted(ranked.ids) == sorted(given.ids)


@settings(max_examples=10_000, deadline=None)
@given(st.text(st.sampled_from('[]>{}":,0123456789 .-eNa<think/>ranking\n'), max_size=80), st.integers(0, 25))
def test_parsers_are_total(reply: str, n: int) -> None:
    order = parse_order(reply, n)
    assert sorted(order.indices) == list(range(n))
    assert 0 <= order.placed <= 1
    scores = parse_scores(reply, n)
    assert all(0 <= index < n and 0 <= score <= 10 for index, score in scores.items())


async def test_a_document_keeps_its_own_score_beside_it_in_every_window() -> None:
    backend = ScriptedBackend(answer=oracle)
    given = shelf(40)
    own = {hit.document.id: f"{hit.score('bm25').value:.2f}" for hit in given.hits}
    await built(InsertRank, backend, window=20, stride=10, default_depth=40).rerank(given)
    lines = [
        line
        for request in backend.requests
        for line in re.findall(r"worth (\d+)\. \(search score ([\d.]+)\)", request.messages[0].content)
    ]
    assert len(lines) == 60
    assert all(own[f"d{worth}"] == score for worth, score in lines)


def test_scales_and_controls() -> None:
    hits = [Hit(Document(str(i), "T", "x"), (Score(v, "bm25", "q", 1),)) for i, v in enumerate((9.0, 5.0, 4.0))]
    assert score_texts(hits, "bm25") == ("9.00", "5.00", "4.00")
    assert score_texts(hits, "bm25", scale="minmax") == ("100", "20", "0")
    assert score_texts(hits, "bm25", scale="z") == ("1.39", "-0.46", "-0.93")
    assert score_texts(hits, "bm25", scale="rank") == ("1", "2", "3")
    assert score_texts(hits, "bm25", control="constant") == ("6.00",) * 3
    assert score_texts(hits, "bm25", control="none") == ("",) * 3
    permuted = {score_texts(hits, "bm25", control="permuted", seed=seed) for seed in range(20)}
    assert all(sorted(each) == ["4.00", "5.00", "9.00"] for each in permuted)
    assert len(permuted) > 1
    bare = Hit(Document("bare", "T", "x"))
    assert score_texts([*hits[:2], bare], "bm25", scale="minmax") == ("100", "0", "")
    assert score_texts(hits, "dense") == ("",) * 3


async def test_without_scores_the_prompt_speaks_of_none_and_a_shuffled_order_is_shown() -> None:
    given = shelf(12)
    shown = {}
    for name, options in {"own": {}, "none": {"scores": "none"}, "shuffled": {"order": "shuffled"}}.items():
        backend = ScriptedBackend(answer=oracle)
        await built(InsertRank, backend, **options).rerank(given)
        shown[name] = backend.requests[0].messages[0].content
    assert "search engine (bm25)" in shown["own"]
    assert "score" not in shown["none"].split("<query>")[0].lower().replace("best first", "")
    assert WORTH.findall(shown["own"]) == WORTH.findall(shown["none"]) != WORTH.findall(shown["shuffled"])


async def test_the_sliding_form_asks_each_pair_once_since_replies_are_kept() -> None:
    backend = ScriptedBackend(answer=oracle)
    await built(Pairwise, backend, form="sliding", passes=10).rerank(shelf(20))
    asked = [request.messages[0].content for request in backend.requests]
    assert len(asked) == len(set(asked)) <= 2 * sum(19 - turn for turn in range(10))


async def test_a_cross_encoder_s_score_stands_beside_the_others_and_what_has_none_comes_last() -> None:
    def answer(request: ModelRequest) -> list[float]:
        worths = [float(WORTH.findall(text)[0]) for text in request.texts]
        return [float("nan") if worth == 3 else worth for worth in worths]

    ranked = await built(CrossEncoder, ScriptedBackend(answer=answer)).rerank(shelf(4))
    assert ranked.ids == ("d2", "d1", "d0", "d3")
    assert [hit.score("cross-encoder").value for hit in ranked.hits[:3]] == [2.0, 1.0, 0.0]
    assert ranked.placed == 0.75
    with pytest.raises(ValueError, match="a batch of 0"):
        CrossEncoder(gate(ScriptedBackend()).model("rerank"), batch=0)


async def test_a_model_that_scores_too_few_documents_is_told_and_none_is_mixed_up() -> None:
    with pytest.raises(ModelUnavailable, match="2 scores for 3 texts"):
        await built(CrossEncoder, ScriptedBackend([1.0, 2.0])).rerank(shelf(3))


async def test_combined_rerankers() -> None:
    backend = ScriptedBackend(answer=oracle)
    cheap, dear = built(Groupwise, backend), built(Setwise, backend)
    given = shelf(60)
    ranked = await Cascade(((cheap, 60), (dear, 20))).rerank(given)
    assert ranked.ids[:10] == best(60)[:10]
    assert len(backend.requests) == 3 + 10
    whole = await Fused(cheap, first_stage_weight=0.0).rerank(given)
    none = await Fused(cheap, first_stage_weight=1.0).rerank(given)
    assert (whole.ids, none.ids) == (best(60), given.ids)
    half = await Fused(cheap).rerank(given)
    assert half.ids not in (best(60), given.ids)


async def test_self_consistency_mends_a_model_that_favours_what_it_sees_first() -> None:
    """It reads the order right, but leaves the first document where it is."""

    def biased(request: ModelRequest) -> str:
        worths = [int(worth) for worth in WORTH.findall(request.messages[-1].content)]
        rest = sorted(range(1, len(worths)), key=lambda i: -worths[i])
        return " > ".join(f"[{i + 1}]" for i in (0, *rest))

    given = shelf(10, seed=3)
    assert given.ids[0] != "d9"
    inner = built(InsertRank, ScriptedBackend(answer=biased))
    assert (await inner.rerank(given)).ids[0] == given.ids[0]
    assert (await SelfConsistent(inner, shuffles=9).rerank(given)).ids[0] == "d9"


async def test_independent_calls_run_at_once() -> None:
    for made, calls, latency in ((Groupwise, 5, 1.0), (QueryLikelihood, 100, 0.2)):
        backend = ScriptedBackend(answer=oracle, latency=latency)
        start = time.perf_counter()
        await built(made, backend).rerank(shelf(100))
        assert len(backend.requests) == calls
        assert time.perf_counter() - start < calls * latency * 0.5, "half of one after the other"


def test_windows() -> None:
    assert list(windows(100, 20, 10))[:2] == [(80, 100), (70, 90)]
    assert list(windows(100, 20, 10))[-1] == (0, 20)
    assert list(windows(25, 20, 10)) == [(5, 25), (0, 15)]
    assert list(windows(5, 20, 10)) == [(0, 5)]
    with pytest.raises(ValueError, match="cannot move"):
        list(windows(5, 20, 0))
