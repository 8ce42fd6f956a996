"""Each method with a model that knows the right order: the best ranking it can reach, in its paper's number of calls."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.errors import BadInput, ModelUnavailable
from litrag.core.lengths import ROUGH, RoughMeasure
from litrag.core.registry import find
from litrag.core.replies import read_json
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.counting import Tally
from litrag.models.gateway import Gateway
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.estimate import RERANKS
from litrag.rerankers import RERANKERS
from litrag.rerankers.combined import Cascade, Fused, SelfConsistent
from litrag.rerankers.cross_encoder import CrossEncoder
from litrag.rerankers.debate import Debate
from litrag.rerankers.first_token import First, Graded, YesNo
from litrag.rerankers.groupwise import Groupwise, parse_scores
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.pairwise import Pairwise, parse_better
from litrag.rerankers.parsing import parse_order
from litrag.rerankers.query_likelihood import QueryLikelihood
from litrag.rerankers.rubric import Rubric, parse_score
from litrag.rerankers.setwise import Setwise, parse_best
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


def heapsort_calls(given: Ranking, *, ranked_to: int, children: int = 19, **_: int) -> int:
    """Comparisons of Rank-R1's heapsort, counted on its own: every parent is sifted down from the last to the first, then the root after each of the
    best but the last was taken."""
    heap = [int(hit.document.id[1:]) for hit in given.hits]
    calls = 0

    def sift(place: int, end: int) -> None:
        nonlocal calls
        below = range(children * place + 1, min(children * place + 1 + children, end))
        if below:
            calls += 1
            best = max((place, *below), key=lambda i: heap[i])
            if best != place:
                heap[place], heap[best] = heap[best], heap[place]
                sift(best, end)

    for place in range(len(heap) // children, -1, -1):
        sift(place, len(heap))
    for end in range(len(heap) - 1, len(heap) - ranked_to, -1):
        heap[0], heap[end] = heap[end], heap[0]
        sift(0, end)
    return calls


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
        (Pairwise, {"form": "sliding", "passes": 10}, 20, 10, 2 * sum(range(10, 20))),
        (Setwise, {}, 20, 10, 1 + 9),
        (Setwise, {"reasoning": True}, 20, 10, 1 + 9),
        (Setwise, {"children": 3, "k": 20}, 20, 20, 0),
        (Setwise, {"children": 3, "default_depth": 100}, 100, 10, 0),
        (Setwise, {"default_depth": 100}, 100, 10, 0),
        (CrossEncoder, {}, 100, 100, 1),
        (CrossEncoder, {"batch": 30}, 100, 100, 4),
        (Debate, {}, 40, 40, 4),
        (Rubric, {}, 100, 100, 100),
    ],
)
async def test_an_oracle_brings_each_method_to_its_best_order_in_its_paper_s_calls(
    made: Callable[..., Any], options: dict[str, Any], n: int, found: int, calls: int
) -> None:
    backend = ScriptedBackend(answer=oracle)
    given = shelf(n)
    tally = Tally()
    model = gate(backend).resolve("rerank", needs=made.needs).through(tally.around)  # type: ignore[attr-defined]
    ranked = await made(model, **options).rerank(given)
    assert given.ids[:found] != best(n)[:found]
    assert ranked.ids[:found] == best(n)[:found]
    assert sorted(ranked.ids) == sorted(given.ids)
    assert tally.calls == (calls or heapsort_calls(given, ranked_to=found, **options))
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
    assert order.placed == (1 - order.appended / n if n else 1.0)
    scores = parse_scores(reply, n)
    assert all(0 <= index < n and 0 <= score <= 10 for index, score in scores.items())
    chosen = parse_best(reply, n)
    assert chosen is None or 0 <= chosen < n
    assert parse_better(reply) in ("A", "B", None)


@pytest.mark.parametrize(
    ("reply", "better"),
    [
        ("A", "A"),
        (" **B**.", "B"),
        ("Passage B answers it; A does not", "B"),
        ("B is better than A", "B"),
        ("answer: a", "A"),
        ("The first does not answer; B does", "B"),
        ("Passage A", "A"),
        ("A better match is passage B.", None),
        ("A.", "A"),
        ("a", "A"),
        ("A because it says so", "A"),
        ("A & B", None),
        ("A / B", None),
        ("A, B", None),
        ("A nor B", None),
        ("A vs B", None),
        ("Neither. A and B are equal", None),
        ("A and B are equal", None),
        ("<think>A looks weak, so", None),
        ("<think>A looks weak</think>B", "B"),
        ("both", None),
    ],
)
def test_the_better_of_two(reply: str, better: str | None) -> None:
    assert parse_better(reply) == better


def test_what_was_cut_off_while_it_reasoned_has_no_answer() -> None:
    assert parse_order("<think> [3] is off topic, [2] even more so, but [1]", 3).placed == 0.0
    assert parse_order("<think>[3]</think> [2] > [1]", 3).indices == (1, 0, 2)
    assert parse_best("<think> surely <answer>[2]</answer>", 3) is None
    assert parse_score("<think><score>90</score>") is None
    told = '{"a": "R1 emits <think> tokens before it answers", "b": 1}'
    assert read_json(told) == json.loads(told), "what speaks of the tag does not reason"


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("<answer>[2]</answer>", 1),
        ("[1] is good, but the best is [3]", 2),
        ("2", 1),
        ("**3**.", 2),
        ("2\n\nThe answer is: 2", 1),
        ("The answer is 4", None),
        ("The answer is: 1.5 times", None),
        ("1. Dogs dig.\n2. Cats sleep.", None),
        ("3 of them fit", None),
        ("0", None),
        ("", None),
    ],
)
def test_the_best_that_a_reply_names(reply: str, index: int | None) -> None:
    """Small models give the number alone, as they were told to give nothing else."""
    assert parse_best(reply, 3) == index


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (InsertRank, {"window": 6, "stride": 3}),
        (Groupwise, {"shuffles": 2}),
        (Setwise, {"children": 19}),
        (Setwise, {"children": 3, "k": 12}),
        (Pairwise, {"form": "sliding", "passes": 3}),
        (Pairwise, {"form": "all"}),
        (Rubric, {}),
        (Debate, {"retries": 0}),
    ],
)
async def test_a_model_that_says_nothing_readable_leaves_the_order_as_it_was(
    made: Any, options: dict[str, Any]
) -> None:
    given = shelf(20)
    ranked = await built(made, ScriptedBackend(answer=lambda request: "I cannot say"), **options).rerank(given)
    assert (ranked.ids, ranked.placed) == (given.ids, 0.0)


async def test_one_unreadable_comparison_of_a_heap_is_the_first_stage_s() -> None:
    """The rest of the sort goes on from there, and finds what the model knows."""
    given = shelf(20)
    calls = itertools.count()

    def answer(request: ModelRequest) -> Any:
        return "I cannot say" if next(calls) == 0 else oracle(request)

    ranked = await built(Setwise, ScriptedBackend(answer=answer), children=19).rerank(given)
    assert ranked.ids[0] == given.ids[0]
    assert ranked.ids[1:10] == tuple(name for name in best(20) if name != given.ids[0])[:9]
    assert 0 < ranked.placed < 1


@pytest.mark.parametrize("made", [InsertRank, First])
async def test_a_shuffled_list_that_cannot_be_read_is_the_first_stage_s_order(made: Any) -> None:
    """Else the control of order would be one of chance."""

    def answer(request: ModelRequest) -> str | dict[str, float]:
        return dict.fromkeys(request.tokens, -math.inf) if request.tokens else "I cannot say"

    given = shelf(12)
    ranked = await built(made, ScriptedBackend(answer=answer), order="shuffled").rerank(given)
    assert (ranked.ids, ranked.placed) == (given.ids, 0.0)
    consistent = await SelfConsistent(built(made, ScriptedBackend(answer=answer)), shuffles=3).rerank(given)
    assert (consistent.ids, consistent.placed) == (given.ids, 0.0)


async def test_self_consistency_adds_no_noise_of_its_own() -> None:
    """Of each of three shuffled lists a reply names one document; the others stand as the first stage has them, not in three random orders."""
    given = shelf(12)

    def answer(request: ModelRequest) -> str:
        told = oracle(request)
        assert isinstance(told, str)
        return re.sub(r"(\[[0-9]+\]).*</ranking>", r"\1</ranking>", told, flags=re.DOTALL)

    ranked = await SelfConsistent(built(InsertRank, ScriptedBackend(answer=answer)), shuffles=3).rerank(given)
    assert ranked.ids == (best(12)[0], *(name for name in given.ids if name != best(12)[0]))


async def test_of_a_shuffled_list_that_is_read_in_part_the_rest_keeps_the_first_stage_s_order() -> None:
    given = shelf(12)
    backend = ScriptedBackend(answer=lambda request: "<ranking>[3]</ranking>")
    ranked = await built(InsertRank, backend, order="shuffled").rerank(given)
    assert ranked.ids[1:] == tuple(name for name in given.ids if name != ranked.ids[0])
    assert ranked.placed == pytest.approx(1 / 12)


async def test_a_window_wider_than_the_list_is_the_list() -> None:
    backend = ScriptedBackend(answer=oracle)
    model = gate(backend).resolve("rerank", needs=InsertRank.needs)
    model.__dict__["measure"] = RoughMeasure(1600)
    ranked = await InsertRank(model, window=1000).rerank(shelf(5))
    assert (ranked.ids, backend.requests[0].max_tokens) == (best(5), 640)


@pytest.mark.parametrize("mute", [1, 5, 9])
async def test_a_window_that_cannot_be_read_stays_as_it_was(mute: int) -> None:
    """A hundred documents in their best order, of nine replies one unreadable: nothing moves, and the places of what only it showed last are not the
    model's."""
    calls = itertools.count(1)

    def answer(request: ModelRequest) -> str:
        said = oracle(request)
        assert isinstance(said, str)
        return "I cannot say" if next(calls) == mute else said

    given = replace(shelf(100), hits=tuple(sorted(shelf(100).hits, key=lambda hit: -int(hit.document.id[1:]))))
    ranked = await built(InsertRank, ScriptedBackend(answer=answer), window=20, default_depth=100).rerank(given)
    assert ranked.ids == given.ids
    assert ranked.placed == (0.8 if mute == 9 else 0.9)
    assert sum(hit.scores[-1].source == "insertrank" for hit in ranked.hits) == round(100 * ranked.placed)


async def test_what_no_reply_scored_stays_where_it_was() -> None:
    """One of five groups cannot be read: its documents, the best of the first stage among them, do not fall behind all others."""
    calls = itertools.count(1)

    def answer(request: ModelRequest) -> str:
        said = oracle(request)
        assert isinstance(said, str)
        return "I cannot say" if next(calls) == 1 else said

    given = shelf(100)
    ranked = await built(Groupwise, ScriptedBackend(answer=answer)).rerank(given)
    mute = [place for place, hit in enumerate(ranked.hits) if hit.scores[-1].source != "groupwise"]
    assert len(mute) == 20
    assert [ranked.ids[place] for place in mute] == [given.ids[place] for place in mute]
    rest = [int(name[1:]) for place, name in enumerate(ranked.ids) if place not in mute]
    assert rest == sorted(rest, reverse=True)


async def test_groups_are_even_and_no_document_is_scored_alone() -> None:
    backend = ScriptedBackend(answer=oracle)
    await built(Groupwise, backend).rerank(shelf(21))
    assert sorted(len(WORTH.findall(request.messages[0].content)) for request in backend.requests) == [10, 11]


async def test_yes_and_no_that_are_not_listed() -> None:
    """An API lists its likeliest tokens alone: what it leaves out is no likelier than the least that it lists, and no sure thing; what is no number is
    nothing."""
    listed = {
        0: {"yes": -5.0, "no": -math.inf},
        1: {"yes": -0.1, "no": -9.0},
        2: {"yes": -math.inf, "no": -0.1},
        3: {"yes": -math.inf, "no": -math.inf},
        4: {"yes": math.nan, "no": -1.0},
    }

    def answer(request: ModelRequest) -> dict[str, float]:
        return listed[int(WORTH.findall(request.messages[-1].content)[0])]

    given = shelf(5)
    ranked = await built(YesNo, ScriptedBackend(answer=answer)).rerank(given)
    values = {hit.document.id: hit.scores[-1].value for hit in ranked.hits if hit.scores[-1].source == "yes-no"}
    assert values == pytest.approx({"d0": 5.0, "d1": 8.9, "d2": -9.9, "d4": -9.0})
    assert ranked.ids.index("d3") == given.ids.index("d3")
    assert ranked.placed == 0.8


async def test_yes_and_no_where_one_of_them_is_listed_each_time() -> None:
    def answer(request: ModelRequest) -> dict[str, float]:
        worth = int(WORTH.findall(request.messages[-1].content)[0])
        return {"yes": -0.01, "no": -math.inf} if worth % 2 else {"yes": -math.inf, "no": -0.01}

    ranked = await built(YesNo, ScriptedBackend(answer=answer)).rerank(shelf(6))
    assert {int(name[1:]) % 2 for name in ranked.ids[:3]} == {1}


@pytest.mark.parametrize("name", METHODS)
async def test_a_depth_of_nought_asks_nobody(name: str) -> None:
    backend = ScriptedBackend(answer=oracle)
    given = shelf(5)
    ranked = await built(find("reranker", RERANKERS, name), backend).rerank(given, depth=0)
    assert (ranked.ids, backend.requests) == (given.ids, [])


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (InsertRank, {"default_depth": 30}),
        (InsertRank, {"window": 12, "stride": 6, "default_depth": 30}),
        (First, {"scores": "own"}),
        (YesNo, {"scores": "own"}),
        (Groupwise, {}),
        (Setwise, {"default_depth": 20}),
        (Pairwise, {"default_depth": 5}),
        (Debate, {"default_depth": 10}),
        (Rubric, {}),
        (Graded, {}),
        (QueryLikelihood, {}),
    ],
)
@pytest.mark.parametrize("context", [250, 1000, 4000])
async def test_no_prompt_passes_the_context_and_what_cannot_fit_is_refused_before_anything_is_sent(
    made: Callable[..., Any], options: dict[str, Any], context: int
) -> None:
    """Also with scores beside the texts; and a later window is not refused after earlier ones were paid."""
    hits = tuple(
        Hit(
            Document(f"d{i}", "T", f"worth {i}. " + "words of a longer text " * 60),
            (Score(31.0 - i, "bm25", "q", i + 1),),
        )
        for i in range(30)
    )
    backend = ScriptedBackend(answer=oracle)
    model = gate(backend).resolve("rerank", needs=made.needs)  # type: ignore[attr-defined]
    model.__dict__["measure"] = RoughMeasure(context)
    reranker = made(model, **options)
    try:
        await reranker.rerank(Ranking(Query("the worthiest of all"), hits))
    except BadInput as error:
        refused = str(error)
    else:
        refused = ""
    assert bool(refused) == (not backend.requests), "all or nothing is sent"
    assert "do not fit" in refused or not refused
    assert not refused or context < 4000
    if backend.requests:
        assert max(ROUGH.count(_whole(request)) + request.max_tokens for request in backend.requests) <= context


def _whole(request: ModelRequest) -> str:
    return " ".join([*(message.content for message in request.messages), *request.continuations])


@pytest.mark.models
async def test_scores_beside_sixty_abstracts_leave_room_for_the_reply() -> None:
    """Numbers and scores take tokens of their own; counted by the model's tokenizer in its chat template."""
    from transformers import AutoTokenizer

    from litrag.models.local_prompts import PromptCoder
    from litrag.models.measuring import measure_for
    from litrag.models.weights import resolve_local

    name = "local/SmolLM2-135M-Instruct"
    hits = tuple(
        Hit(
            Document(f"d{i}", "T", f"worth {i}. " + "tides reshape sandy dunes " * 40),
            (Score(31.0 - i / 3, "bm25", "q", i + 1),),
        )
        for i in range(60)
    )
    backend = ScriptedBackend(answer=oracle)
    model = gate(backend).resolve("rerank", needs=InsertRank.needs)
    model.__dict__["measure"] = measure_for(name)
    await InsertRank(model).rerank(Ranking(Query("the worthiest of all"), hits))
    (request,) = backend.requests
    coder = PromptCoder(AutoTokenizer.from_pretrained(resolve_local(name).path))
    assert 7500 < len(coder.prompt(list(request.messages))) + request.max_tokens <= 8192


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
    def found(*hits: Hit, query: str = "q") -> Ranking:
        return Ranking(Query(query), hits)

    hits = [Hit(Document(str(i), "T", "x"), (Score(v, "bm25", "q", 1),)) for i, v in enumerate((9.0, 5.0, 4.0))]
    three = found(*hits)
    assert score_texts(three, 3, "bm25") == ("9.00", "5.00", "4.00")
    assert score_texts(three, 3, scale="minmax") == ("100", "20", "0")
    assert score_texts(three, 3, scale="z") == ("1.39", "-0.46", "-0.93")
    assert score_texts(three, 3, scale="rank") == ("1", "2", "3")
    assert score_texts(three, 3, control="constant") == ("6.00",) * 3
    assert score_texts(three, 3, control="none") == ("",) * 3
    permuted = {score_texts(three, 3, control="permuted", seed=seed) for seed in range(20)}
    assert all(sorted(each) == ["4.00", "5.00", "9.00"] for each in permuted)
    assert len(permuted) > 1
    queries = {score_texts(found(*hits, query=f"q{i}"), 3, control="permuted") for i in range(20)}
    assert len(queries) > 1, "not one permutation for all queries"
    bare = Hit(Document("bare", "T", "x"))
    assert score_texts(found(*hits[:2], bare), 3, scale="minmax") == ("100", "0", "")
    assert score_texts(found(bare, *hits[:2]), 3) == ("", "9.00", "5.00")
    assert score_texts(found(bare), 1) == ("",)
    with pytest.raises(BadInput, match="no candidate has a score named 'dense'; source can be: bm25"):
        score_texts(three, 3, "dense")
    for scale in ("raw", "minmax", "z", "rank"):
        assert score_texts(three, 2, scale=scale) == score_texts(three, 3, scale=scale)[:2], "at any depth"


def test_the_score_shown_is_of_the_ranking_s_own_query() -> None:
    """Scores of different queries do not compare: a document found by a keyword alone has none to show."""
    both = Hit(Document("a", "T", "x"), (Score(3.0, "bm25", "q", 2), Score(12.0, "bm25", "kw", 1)))
    other = Hit(Document("b", "T", "x"), (Score(9.0, "bm25", "kw", 2),))
    assert score_texts(Ranking(Query("q"), (both, other)), 2) == ("3.00", "")
    assert score_texts(Ranking(Query("nobody asked this"), (both, other)), 2) == ("12.00", "9.00")


def test_small_scores_are_told_apart() -> None:
    hits = tuple(Hit(Document(str(i), "T", "x"), (Score(1 / (61 + i), "rrf", "q", i + 1),)) for i in range(8))
    texts = score_texts(Ranking(Query("q"), hits), 8)
    assert texts[0] == "0.0164"
    assert len(set(texts)) == 8


async def test_without_scores_the_prompt_speaks_of_none_and_a_shuffled_order_is_shown() -> None:
    given = shelf(12)
    shown = {}
    for name, options in {"own": {}, "none": {"scores": "none"}, "shuffled": {"order": "shuffled"}}.items():
        backend = ScriptedBackend(answer=oracle)
        await built(InsertRank, backend, **options).rerank(given)
        shown[name] = backend.requests[0].messages[0].content
    assert "search engine (bm25)" in shown["own"]
    assert "cite" in shown["own"]
    asked = ScriptedBackend(answer=oracle)
    await built(InsertRank, asked, task="answer").rerank(given)
    assert "cite" not in asked.requests[0].messages[0].content
    assert "score" not in shown["none"].split("<query>")[0].lower().replace("best first", "")
    assert WORTH.findall(shown["own"]) == WORTH.findall(shown["none"]) != WORTH.findall(shown["shuffled"])


async def test_rank_r1_reasons_where_it_is_told_to() -> None:
    for reasoning, tokens in ((True, 600), (False, 20)):
        backend = ScriptedBackend(answer=oracle)
        await built(Setwise, backend, reasoning=reasoning).rerank(shelf(5))
        assert ("within <think>" in backend.requests[0].messages[0].content) == reasoning
        assert backend.requests[0].max_tokens == tokens


async def test_calibration_takes_a_share_of_the_passage_s_own_likelihood_away() -> None:
    """By hand: d1 makes the query likelier by 1, and is itself likelier by 5: a generic text."""
    known = {"worth 0.": (-3.0, -9.0), "worth 1.": (-2.0, -4.0)}

    def answer(request: ModelRequest) -> list[float]:
        texts = (request.messages[0].content, request.continuations[0])
        name = next(name for name in known if any(name in text for text in texts))
        return [known[name][name in texts[1]]]

    for calibration, values in ((0.0, {"d1": -2.0, "d0": -3.0}), (0.25, {"d0": -0.75, "d1": -1.0})):
        ranked = await built(QueryLikelihood, ScriptedBackend(answer=answer), calibration=calibration).rerank(shelf(2))
        assert {hit.document.id: hit.scores[-1].value for hit in ranked.hits} == pytest.approx(values)
        assert list(ranked.ids) == list(values)


async def test_the_sliding_form_asks_each_pair_once_since_replies_are_kept() -> None:
    backend = ScriptedBackend(answer=oracle)
    await built(Pairwise, backend, form="sliding", passes=10).rerank(shelf(20))
    asked = [request.messages[0].content for request in backend.requests]
    assert len(asked) == len(set(asked)) <= 2 * sum(19 - turn for turn in range(10))


async def test_a_cross_encoder_s_score_stands_beside_the_others_and_what_has_none_stays() -> None:
    def answer(request: ModelRequest) -> list[float]:
        worths = [float(WORTH.findall(text)[0]) for text in request.texts]
        return [float("nan") if worth == 3 else worth for worth in worths]

    given = shelf(4)
    ranked = await built(CrossEncoder, ScriptedBackend(answer=answer)).rerank(given)
    assert ranked.ids.index("d3") == given.ids.index("d3")
    scored = [hit for hit in ranked.hits if hit.document.id != "d3"]
    assert [(hit.document.id, hit.score("cross-encoder").value) for hit in scored] == [
        ("d2", 2.0),
        ("d1", 1.0),
        ("d0", 0.0),
    ]
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
    both = Cascade(((cheap, 60), (dear, 20)))
    assert (await Fused(both, first_stage_weight=0.0).rerank(given)).ids == ranked.ids, (
        "what the dear one never saw keeps the cheap one's order"
    )
    worst = ScriptedBackend(
        answer=lambda request: {"yes": -float(WORTH.findall(request.messages[-1].content)[0]), "no": -50.0}
    )
    twice = Cascade(((built(YesNo, backend), 60), (built(YesNo, worst), 5)))
    order = (await twice.rerank(given)).ids
    assert order[:5] == tuple(reversed(best(60)[:5]))
    assert (await Fused(twice, first_stage_weight=0.0).rerank(given)).ids == order, (
        "also where both call their score the same"
    )
    with pytest.raises(ValueError, match="must be in"):
        Fused(cheap, first_stage_weight=1.5)


async def test_self_consistency_keeps_the_reasons() -> None:
    ranked = await SelfConsistent(built(Debate, ScriptedBackend(answer=oracle)), shuffles=3).rerank(shelf(4))
    assert ranked.ids == best(4)
    assert [len(hit.reasons) for hit in ranked.hits] == [2, 2, 2, 2]


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


@pytest.mark.parametrize(
    ("made", "options", "n"),
    [
        (Groupwise, {}, 100),
        (QueryLikelihood, {}, 20),
        (YesNo, {}, 20),
        (Graded, {}, 20),
        (Pairwise, {}, 5),
        (Debate, {}, 40),
        (Rubric, {}, 20),
        (CrossEncoder, {"batch": 10}, 100),
        (SelfConsistent, {"shuffles": 5}, 10),
    ],
)
async def test_independent_calls_run_at_once(made: Callable[..., Any], options: dict[str, Any], n: int) -> None:
    """All of a server's places are taken, as far as there are calls."""
    flying, most = 0, 0

    class Watched(ScriptedBackend):
        async def send(self, request: ModelRequest) -> ModelReply:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(0.05)
            flying -= 1
            return await super().send(request)

    backend = Watched(answer=oracle)
    settings = Settings(model="scripted/m", concurrency=8)
    model = Gateway(settings, cache=RequestCache(":memory:"), backend=backend).resolve(
        "rerank", needs=getattr(made, "needs", InsertRank.needs)
    )
    await made(InsertRank(model) if made is SelfConsistent else model, **options).rerank(shelf(n))
    assert most == min(8, len(backend.requests)) > 1


def test_windows() -> None:
    assert list(windows(100, 20, 10))[:2] == [(80, 100), (70, 90)]
    assert list(windows(100, 20, 10))[-1] == (0, 20)
    assert list(windows(25, 20, 10)) == [(5, 25), (0, 15)]
    assert list(windows(5, 20, 10)) == [(0, 5)]
    with pytest.raises(ValueError, match="cannot move"):
        list(windows(5, 20, 0))
