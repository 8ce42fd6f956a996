"""Methods that argue: quotes are looked for on both sides, numbers never shift, what cannot be read is asked again or left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Claim, Document, Draft, DraftParagraph, DraftSection, Hit, Paper, Query, Ranking, Score
from litrag.exports.evidence import evidence_file
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.composing import evidence_table
from litrag.pipelines.finding import Selected
from litrag.rerankers.debate import Debate, parse_debate
from litrag.rerankers.rubric import Rubric, parse_score

TEXTS = {"d1": "Tides move the sand of the bay.", "d2": "Snails graze on rocks.", "d3": "Storms reshape the dunes."}
QUERY = Query("How the coast changes under wind and water.")


def shelf() -> Ranking:
    hits = (
        Hit(Document(n, n, t), (Score(-float(i), "bm25", QUERY.text, i),)) for i, (n, t) in enumerate(TEXTS.items(), 1)
    )
    return Ranking(QUERY, tuple(hits))


def model(answer: Callable[[ModelRequest], str]) -> tuple[Any, ScriptedBackend]:
    backend = ScriptedBackend(answer=answer)
    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)
    return gate.model("rerank"), backend


def argued(number: int, probability: Any, pro: str, contra: str) -> dict[str, Any]:
    return {
        "number": number,
        "for": [{"argument": "yes", "quote": pro}],
        "against": [{"argument": "no", "quote": contra}],
        "probability": probability,
    }


async def test_a_quote_is_looked_for_on_both_sides_and_in_both_texts() -> None:
    rows = [
        argued(1, 20, "move the sand", "words of nobody at all"),
        argued(2, 90, "words of nobody at all", "Snails graze"),
        argued(3, 60, "wind and water", "reshape the dunes"),
    ]
    asked, backend = model(lambda request: json.dumps({"candidates": rows}))
    ranked = await Debate(asked, retries=0).rerank(shelf())
    assert ranked.ids == ("d2", "d3", "d1")
    by_id = {hit.document.id: hit for hit in ranked.hits}
    assert [(r.stance, r.of, r.quote.text) for r in by_id["d1"].reasons] == [("for", "document", "move the sand")]
    assert [(r.stance, r.of) for r in by_id["d2"].reasons] == [("against", "document")]
    assert [(r.stance, r.of) for r in by_id["d3"].reasons] == [("for", "query"), ("against", "document")]
    assert by_id["d2"].score("debate").value == pytest.approx(0.9)
    assert len(backend.requests) == 1


async def test_only_what_failed_is_asked_again_and_what_stays_without_a_quote_is_not_placed() -> None:
    def answer(request: ModelRequest) -> str:
        prompt = request.messages[-1].content
        shown = [name for name, text in TEXTS.items() if text in prompt]
        good = {"d1": "move the sand", "d3": "reshape the dunes"}
        rows = [
            argued(i, 50 + i, good.get(n, "invented words here"), good.get(n, "invented words here"))
            for i, n in enumerate(shown, start=1)
        ]
        return json.dumps({"candidates": rows})

    asked, backend = model(answer)
    ranked = await Debate(asked, retries=2).rerank(shelf())
    assert ranked.ids == ("d3", "d2", "d1"), "the unplaced one stays where it was"
    assert ranked.placed == pytest.approx(2 / 3)
    again = [request.messages[-1].content for request in backend.requests[1:]]
    assert all(TEXTS["d2"] in prompt and TEXTS["d1"] not in prompt for prompt in again)


async def test_a_candidate_that_the_reply_leaves_out_shifts_no_other() -> None:
    rows = [argued(3, 80, "reshape the dunes", "the dunes."), argued(1, 10, "Tides move", "of the bay.")]
    asked, _ = model(lambda request: json.dumps({"candidates": rows}))
    ranked = await Debate(asked, retries=0).rerank(shelf())
    assert ranked.ids == ("d3", "d2", "d1")


async def test_reasons_reach_the_evidence_file() -> None:
    rows = [argued(i, 50, text[:12], text[-11:]) for i, text in enumerate(TEXTS.values(), start=1)]
    asked, _ = model(lambda request: json.dumps({"candidates": rows}))
    ranked = await Debate(asked).rerank(shelf())
    paper = Paper("d1", "d1", TEXTS["d1"], year=2020)
    claim = Claim("Tides move sand [@kim].", ("kim",))
    draft = Draft((DraftSection("", (DraftParagraph((claim,)),)),))
    hit = next(hit for hit in ranked.hits if hit.document.id == "d1")
    (record,) = evidence_file(
        draft, {"kim": paper}, evidence_table(draft, {"kim": Selected("kim", paper, hit)})
    ).evidence
    assert [(reason.stance, reason.quote) for reason in record.reasons] == [
        ("for", TEXTS["d1"][:12]),
        ("against", TEXTS["d1"][-11:]),
    ]


def test_probabilities_in_any_spelling() -> None:
    def read(value: Any) -> float | None:
        return parse_debate(json.dumps({"candidates": [argued(1, value, "a", "b")]}), 1)[0].probability

    assert [read(v) for v in (37, "37 %", 37.5, 250, -3, "much", None, True)] == [
        0.37,
        0.37,
        0.375,
        1.0,
        0.0,
        None,
        None,
        None,
    ]


async def test_what_is_argued_about_is_told() -> None:
    for task, said, other in (("cite", "cite", "answers the query"), ("answer", "answers the query", "cite")):
        for made in (Debate, Rubric):
            asked, backend = model(lambda request: "nothing")
            await made(asked, task=task).rerank(shelf())
            prompt = backend.requests[0].messages[0].content
            assert said in prompt
            assert other not in prompt
    asked, backend = model(lambda request: "nothing")
    await Rubric(asked, definition="It is about snails.").rerank(shelf())
    assert "Relevance here: It is about snails." in backend.requests[0].messages[0].content


async def test_a_rubric_is_the_mean_of_what_can_be_read() -> None:
    replies = {"d1": "<score>40</score>", "d2": "I cannot say", "d3": "<score>10</score> no: <score>90/100</score>"}

    def answer(request: ModelRequest) -> str:
        return next(replies[name] for name, text in TEXTS.items() if text in request.messages[-1].content)

    asked, backend = model(answer)
    ranked = await Rubric(asked, samples=4).rerank(shelf())
    assert ranked.ids == ("d3", "d2", "d1")
    assert ranked.hits[0].score("rubric").value == pytest.approx(0.9)
    assert ranked.placed == pytest.approx(2 / 3)
    assert {(request.n, request.temperature) for request in backend.requests} == {(4, 0.6)}


@settings(max_examples=10_000, deadline=None)
@given(st.text() | st.from_regex(r"\{\"candidates\": \[\{\"number\": .{0,40}", fullmatch=True), st.integers(0, 9))
def test_any_reply_gives_a_debate(reply: str, n: int) -> None:
    for index, said in parse_debate(reply, n).items():
        assert 0 <= index < n
        assert said.probability is None or 0 <= said.probability <= 1


@settings(max_examples=10_000, deadline=None)
@given(st.text() | st.from_regex(r"<score>.{0,9}</score>", fullmatch=True))
def test_any_reply_gives_a_share(reply: str) -> None:
    score = parse_score(reply)
    assert score is None or 0 <= score <= 1
