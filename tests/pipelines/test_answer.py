"""`litrag ask`: several searches under a bound, an answer with quotes that stand where they say, with and without a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.shell import Shell, failure
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.agents.answerer import ExtractiveAnswerer, parse_answer
from litrag.agents.entities import WordWeights
from litrag.agents.loop import Notes
from litrag.agents.stops import FEATURES, RULES, SHIPPED, Controller
from litrag.core.errors import BadInput, PromptTooLong, UnknownName
from litrag.core.events import Event
from litrag.core.types import Document, Query
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.answer import AskOptions, ask

PAGES = {
    "Tidal Maps": "Tidal Maps is an album by the band Low Harbour. It was recorded in winter.",
    "Low Harbour": "Low Harbour is a band from Esbjerg. Its singer is Mette Krag.",
    "Esbjerg": "Esbjerg is a seaport town on the west coast of Jutland.",
    "Mette Krag": "Mette Krag is a singer who was born in 1971.",
    **{f"Noise {i}": f"A record of winter storms on coast number {i}." for i in range(6)},
}
QUESTION = "On which coast lies the seaport that the band of Tidal Maps comes from?"
DOCUMENTS = [Document(title, title, f"{title}\n{text}") for title, text in PAGES.items()]


@pytest.fixture
def library(tmp_path: Path, home: Path, no_weights: None) -> Path:
    path = tmp_path / "pages.jsonl"
    path.write_text("".join(json.dumps({"id": t, "title": t, "abstract": a}) + "\n" for t, a in PAGES.items()))
    return path


def test_names_lead_from_page_to_page_within_the_bound(library: Path) -> None:
    found = ask(QUESTION, library=library, options=AskOptions(max_searches=4, k=1))
    assert [hop.action for hop in found.trajectory.hops] == ["search"] * len(found.trajectory.hops)
    assert 2 <= len(found.trajectory.hops) <= 4
    read = [name for hop in found.trajectory.hops for name in hop.new_ids]
    assert read[0] == "Tidal Maps"
    assert "Low Harbour" in read
    assert len(read) == len(set(read)) == found.documents
    assert found.answer.supports, "without a model, sentences answer"
    assert all(support.quote in PAGES[support.id] for support in found.answer.supports)
    once = ask(QUESTION, library=library, options=AskOptions(agent="none", k=2))
    assert (len(once.trajectory.hops), once.documents, once.trajectory.stop_reason) == (1, 2, "one search")


def test_each_search_is_told_as_it_is_made(library: Path) -> None:
    told: list[Event] = []
    found = ask(QUESTION, library=library, options=AskOptions(max_searches=3, k=1), listen=told.append)
    lines = [event.message for event in told if event.stage == "search" and " -> " in event.message]
    assert lines == [f"{hop.query} -> {'; '.join(hop.new_ids) or 'nothing new'}" for hop in found.trajectory.hops], (
        "ids are titles here"
    )


def replies(quote: str) -> Callable[[ModelRequest], str]:
    return lambda request: json.dumps({"answer": "the west coast", "quotes": [{"passage": 2, "quote": quote}]})


def test_a_model_answers_and_a_quote_that_stands_nowhere_is_counted(library: Path) -> None:
    for quote, wrong in (("Tidal Maps is an album by the band Low Harbour.", 0), ("It lies in the east.", 1)):
        backend = ScriptedBackend(answer=replies(quote))
        found = ask(
            QUESTION, library=library, options=AskOptions(k=1), backend=backend, answer_model=f"scripted/{wrong}"
        )
        assert found.answer.text == "the west coast"
        assert found.answer.wrong_quotes == wrong
        assert [support.id for support in found.answer.supports] == ["Tidal Maps"] * (1 - wrong)
        assert "1 model calls" in found.spent


def test_a_model_may_decide_the_hops(library: Path) -> None:
    pytest.importorskip("dspy")

    def answer(request: ModelRequest) -> str:
        if "JSON" in request.messages[-1].content and "passages" in request.messages[-1].content:
            return '{"answer": "the west coast", "quotes": []}'
        fields = {"thought": "which band?", "action": "search", "query": "Low Harbour"}
        if "from Esbjerg" in request.messages[-1].content:
            fields = {"thought": "told", "action": "finish", "query": ""}
        return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items())

    backend = ScriptedBackend(answer=answer)
    options = AskOptions("react", k=1)
    found = ask(QUESTION, library=library, options=options, backend=backend, model="scripted/m")
    assert [hop.query for hop in found.trajectory.hops] == [QUESTION, "Low Harbour"]
    assert found.trajectory.stop_reason == "finish"
    assert found.answer.text == "the west coast"
    with pytest.raises(BadInput, match="react"):
        ask(QUESTION, library=library, options=options)


def test_history_makes_the_question_one_that_stands_alone(library: Path) -> None:
    turns = ("Which band made Tidal Maps?", "Low Harbour.")
    backend = ScriptedBackend(answer=lambda request: "Who is the singer of Low Harbour?")
    options = AskOptions(history=turns, k=1)
    found = ask("Who is its singer?", library=library, options=options, backend=backend, rewrite_model="scripted/m")
    assert (found.question, found.asked) == ("Who is its singer?", "Who is the singer of Low Harbour?")
    assert found.trajectory.hops[0].query == "Who is the singer of Low Harbour?"
    alone = ask("Who is its singer?", library=library, options=options)
    assert any("no model to rewrite" in warning for warning in alone.warnings)


def test_the_classifier_ends_it(library: Path, tmp_path: Path) -> None:
    path = tmp_path / "controller.json"
    path.write_text(Controller({}, {}, {}, 9.0, 0.5).to_json())
    found = ask(QUESTION, library=library, options=AskOptions("frugal", controller=str(path), k=1))
    assert (len(found.trajectory.hops), found.trajectory.stop_reason) == (1, "controller")
    assert set(json.loads(path.read_text())) == {"weights", "means", "deviations", "bias", "threshold"}
    assert len(FEATURES) == 13


def test_litrag_brings_a_classifier(library: Path) -> None:
    own = Controller.load(SHIPPED, WordWeights())
    assert set(own.weights) == set(own.means) == set(own.deviations) == set(FEATURES)
    assert 0 < own.threshold < 1
    found = ask(QUESTION, library=library, options=AskOptions("frugal", max_searches=6, k=1))
    assert 1 <= len(found.trajectory.hops) <= 6
    assert found.trajectory.stop_reason in ("controller", "no further query", "budget: searches")


@pytest.mark.parametrize(
    ("reply", "text", "supports", "wrong"),
    [
        ("", "", 0, 0),
        ("no JSON", "", 0, 0),
        ('{"answer": "unknown", "quotes": []}', "", 0, 0),
        (
            '{"answer": "1971", "quotes": [{"passage": 99, "quote": "Mette Krag is a singer who was born in 1971."}]}',
            "1971",
            1,
            0,
        ),
        ('{"answer": "1971", "quotes": [{"passage": "x", "quote": ""}, 3, null]}', "1971", 0, 3),
        ('{"answer": 1998, "quotes": []}', "1998", 0, 0),
        ('{"answer": true}', "yes", 0, 0),
        ('{"answer": [7]}', "", 0, 0),
        ('<think>hm</think>{"answer": "yes", "quotes": "none"}', "yes", 0, 0),
    ],
)
def test_replies_are_read_strictly(reply: str, text: str, supports: int, wrong: int) -> None:
    found = parse_answer(reply, DOCUMENTS)
    assert (found.text, len(found.supports), found.wrong_quotes) == (text, supports, wrong)


@settings(max_examples=1_000, deadline=None)
@given(st.text())
def test_any_reply_is_an_answer_or_none(reply: str) -> None:
    found = parse_answer(reply, DOCUMENTS)
    assert all(support.quote for support in found.supports)


async def test_sentences_answer_in_the_order_of_what_they_say() -> None:
    found = await ExtractiveAnswerer(n=2).answer(Query("Who is the singer of Low Harbour?"), DOCUMENTS)
    assert found.text == "Its singer is Mette Krag."
    assert len(found.supports) == 2
    assert (await ExtractiveAnswerer().answer(Query("zebra"), DOCUMENTS)).text == ""


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(UnknownName, match="no agent named 'best'"):
        AskOptions("best")
    with pytest.raises(BadInput, match="agent entity takes no stop classifier; leave --controller out"):
        AskOptions("entity", controller="stop.json")
    with pytest.raises(BadInput, match="max_searches 0"):
        AskOptions(max_searches=0)
    with pytest.raises(BadInput, match="give a question"):
        ask("  ")


def test_the_command(library: Path, tmp_path: Path, home: Path) -> None:
    litrag = Shell(tmp_path, home)
    code, out, err = litrag("ask", QUESTION, "--library", "pages.jsonl", "--max-searches", "3", "-k", "1")
    assert code == 0, err
    assert "documents read" in out
    assert "Tidal Maps" in out
    data = json.loads(litrag("--json", "ask", QUESTION, "--library", "pages.jsonl", "-k", "1")[1])
    assert set(data) >= {"question", "answer", "supports", "stop_reason", "searches", "documents"}
    wrong = litrag("ask", "x", "--library", "pages.jsonl", "--agent", "frugal", "--controller", "gone.json")
    assert "no such file" in failure(wrong, 2)


def test_rules_see_the_scores_of_the_search_itself(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One scale for all hops, that of what a stop classifier was fitted to."""
    seen: list[Notes] = []

    class Spy:
        def stop(self, notes: Notes) -> str:
            seen.append(notes)
            return ""

    monkeypatch.setitem(RULES, "score-drop", Spy())
    ask(QUESTION, library=library, options=AskOptions(k=1, max_searches=3, stops=("score-drop",)), retriever="bm25")
    assert len(seen[-1].steps) > 1
    assert {hit.scores[-1].source for step in seen[-1].steps for hit in step.found.hits} == {"bm25"}


@pytest.mark.parametrize(("most", "made"), [(0, 0), (1, 1)])
def test_the_runs_budget_of_searches_ends_the_hops(library: Path, most: int, made: int) -> None:
    found = ask(QUESTION, library=library, options=AskOptions(k=1, max_searches=4), max_searches=most)
    assert found.trajectory.stop_reason.startswith(f"budget: searches: {made} of {most} spent")
    assert len(found.trajectory.hops) == made
    assert found.spent.startswith(f"{made} searches")


def test_what_a_source_warns_of_is_told(library: Path, tmp_path: Path) -> None:
    from fakes.scholarly import scholarly

    with scholarly([]) as server:
        server.faults = {"semantic-scholar": "500"}
        how = {"source_urls": server.urls(), "source_intervals": {"semantic-scholar": 0.0}, "source_seconds": 2.0}
        found = ask(QUESTION, library=library, sources=("semantic-scholar",), options=AskOptions(k=1), **how)
    assert any("semantic-scholar" in warning.casefold() or "Semantic Scholar" in warning for warning in found.warnings)
    assert found.answer.text


def test_a_spent_budget_leaves_the_question_as_it_is(library: Path) -> None:
    turns = ("Which band made Tidal Maps?", "Low Harbour.")
    options = AskOptions(history=turns, k=1, max_searches=1)
    found = ask(
        "Who is its singer?",
        library=library,
        options=options,
        backend=ScriptedBackend("never"),
        rewrite_model="scripted/m",
        max_calls=0,
    )
    assert found.asked == "Who is its singer?"
    assert any("searched as it is" in warning for warning in found.warnings)
    assert len(found.trajectory.hops) == 1


def test_documents_that_no_model_can_read_at_once_are_answered_by_a_sentence(library: Path) -> None:
    class Full(ScriptedBackend):
        async def send(self, request: ModelRequest) -> ModelReply:
            raise PromptTooLong("the prompt has 9,000 tokens, the context 8,192: lower -k")

    found = ask(QUESTION, library=library, options=AskOptions(k=1), backend=Full(), answer_model="scripted/m")
    assert found.answer.text
    assert any("answered by a sentence" in warning for warning in found.warnings)
