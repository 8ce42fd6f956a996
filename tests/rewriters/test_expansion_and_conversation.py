"""Rewriters beside the keywords: the original always first, filters kept, and no reply so bad that it reaches a search."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from fakes.shell import Shell, failure
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.core.registry import find
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Query
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.rewriting import rewritten
from litrag.rewriters import REWRITERS
from litrag.rewriters.conversational import SelfContained, parse_rewrite
from litrag.rewriters.expansion import Decomposition, HypotheticalPassage, StepBack

QUERY = Query("which storms move the dunes", before=date(2020, 1, 1), exclude=frozenset({"x"}))
TALK = Query("When did they meet?", history=("Who were the surveyors?", "Ada and Bo.", "Where?", "At the bay."))


def by(made: object, reply: str, **options: object) -> tuple[object, ScriptedBackend]:
    """The model stops where it is asked to, as real ones do."""

    def stopped(request: ModelRequest) -> str:
        return min((reply.partition(stop)[0] for stop in request.stop), key=len, default=reply)

    backend = ScriptedBackend(answer=stopped)
    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)
    return made(gate.model("rewrite"), **options), backend  # type: ignore[operator]


@pytest.mark.parametrize(
    ("made", "reply", "kind", "texts"),
    [
        (
            HypotheticalPassage,
            "<think>hm</think>Winter storms carry\nsand inland.",
            "passage",
            ["Winter storms carry sand inland."],
        ),
        (StepBack, '"How does wind move sand?"\nBecause ...', "step-back", ["How does wind move sand?"]),
        (
            Decomposition,
            json.dumps(
                {"questions": ["Which storms hit the coast?", "which storms move the dunes", "What moves dunes?"]}
            ),
            "part",
            ["Which storms hit the coast?", "What moves dunes?"],
        ),
    ],
)
async def test_what_is_found_stands_beside_the_original(made: object, reply: str, kind: str, texts: list[str]) -> None:
    rewriter, _ = by(made, reply)
    first, *others = await rewriter.rewrite(QUERY)  # type: ignore[attr-defined]
    assert first == QUERY
    assert [query.text for query in others] == texts
    assert {(q.kind, q.parent, q.before, q.exclude) for q in others} == {
        (kind, QUERY.text, QUERY.before, QUERY.exclude)
    }


@pytest.mark.parametrize("made", [HypotheticalPassage, StepBack, Decomposition, SelfContained])
@pytest.mark.parametrize(
    "reply", ["", "1. 1.1.1.1", "<think>", "{}", '{"questions": [3, null]}', "which storms move the dunes"]
)
async def test_a_reply_of_no_use_leaves_the_original_alone(made: object, reply: str) -> None:
    rewriter, _ = by(made, reply)
    query = QUERY if made is not SelfContained else Query(QUERY.text, history=("a", "b"))
    found = await rewriter.rewrite(query)  # type: ignore[attr-defined]
    assert found[0] == query
    assert len(found) == 1 or made is HypotheticalPassage, "a passage may be anything with words in it"


async def test_the_prompts_own_words_are_no_reply() -> None:
    rewriter, _ = by(StepBack, "Ask one more general question whose answer is needed to understand the query below")
    assert await rewriter.rewrite(QUERY) == (QUERY,)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "reply",
    ["Who was Ada?", "Rewrite: Who was Ada?", "**Rewrite:** Who was Ada?", "rewritten question: Who was Ada?\nmore"],
)
def test_a_label_is_no_part_of_a_rewrite(reply: str) -> None:
    assert parse_rewrite(reply) == "Who was Ada?"
    assert parse_rewrite("Rewrite history: who may?") == "Rewrite history: who may?"


async def test_a_question_gets_what_it_leans_on_from_the_latest_turns() -> None:
    rewriter, backend = by(SelfContained, "When did Ada and Bo meet at the bay?\nQuestion: more")
    original, rewrite = await rewriter.rewrite(TALK)  # type: ignore[attr-defined]
    assert original == TALK
    assert (rewrite.text, rewrite.kind, rewrite.history) == ("When did Ada and Bo meet at the bay?", "rewrite", ())
    prompt = backend.requests[0].messages[0].content
    assert prompt.index("Who were the surveyors?") < prompt.index("At the bay.") < prompt.index("When did they meet?")
    short, backend = by(SelfContained, "x", tokens=6)
    await short.rewrite(TALK)  # type: ignore[attr-defined]
    prompt = backend.requests[0].messages[0].content
    assert "At the bay." in prompt
    assert "surveyors" not in prompt, "the oldest turns go first"


@pytest.mark.parametrize(
    "reply",
    [
        "\nWhen did Ada and Bo meet?",
        "<think>\nwho are they?\n</think>\n\nWhen did Ada and Bo meet?",
        "Rewrite:\nWhen did Ada and Bo meet?",
        'Here is the rewritten question:\n\n"When did Ada and Bo meet?"',
        "When did Ada and Bo meet?\nQuestion: And then?",
    ],
)
async def test_a_reply_may_begin_as_models_begin(reply: str) -> None:
    rewriter, _ = by(SelfContained, reply)
    _, rewrite = await rewriter.rewrite(TALK)  # type: ignore[attr-defined]
    assert rewrite.text == "When did Ada and Bo meet?"


async def test_without_a_history_nothing_is_asked() -> None:
    rewriter, backend = by(SelfContained, "anything")
    assert await rewriter.rewrite(QUERY) == (QUERY,)  # type: ignore[attr-defined]
    assert backend.requests == []


@settings(max_examples=2_000, deadline=None)
@given(st.text())
def test_any_reply_is_a_line_or_nothing(reply: str) -> None:
    text = parse_rewrite(reply)
    assert "\n" not in text
    assert len(text.split()) <= 60


def test_every_rewriter_is_built_by_its_id(home: Path) -> None:
    backend = ScriptedBackend(answer=lambda request: "What moves sand?")
    for name in set(REWRITERS) - {"pseudo-relevant"}:
        assert find("rewriter", REWRITERS, name)
        found = rewritten(
            "which storms move the dunes", Settings(model="scripted/m", rewriter=name), {}, backend=backend
        )
        assert found.method == name
        assert found.queries[0].text == "which storms move the dunes"


def test_what_needs_a_first_search_says_where_to_have_it(home: Path) -> None:
    backend = ScriptedBackend(answer=lambda request: "x")
    with pytest.raises(BadInput, match="litrag search --rewriter pseudo-relevant"):
        rewritten("dunes", Settings(model="scripted/m", rewriter="pseudo-relevant"), {}, backend=backend)
    with pytest.raises(BadInput, match="rewriter best-of: k 0"):
        rewritten("dunes", Settings(model="scripted/m", rewriter="best-of"), {"k": 0}, backend=backend)


def test_the_command(tmp_path: Path, home: Path, no_weights: None) -> None:
    litrag = Shell(tmp_path, home)
    (tmp_path / "turns.txt").write_text("Who?\nAda.\n")
    (tmp_path / "odd.txt").write_text("Who?\n")
    code, out, err = litrag("rewrite", "Drones map the moisture of the soil in old forests.", "-n", "2")
    assert code == 0, err
    assert out.splitlines()[0].startswith("Drones map")
    assert len(out.splitlines()) == 3
    piped = json.loads(litrag("--json", "rewrite", "-", "--method", "none", stdin="dunes\n")[1])
    assert piped == {
        "schema": "litrag/rewrite/1",
        "method": "none",
        "queries": [{"kind": "original", "text": "dunes", "reason": ""}],
    }
    assert "nothing to rewrite" in failure(litrag("rewrite", " "), 2)
    assert "no setting 'depth'; there is: n (3), words (3)" in failure(litrag("rewrite", "x", "-s", "depth=2"), 2)
    assert "needs its answer" in failure(litrag("rewrite", "x", "--history", "odd.txt"), 2)
    assert "no model for the role rewrite" in failure(
        litrag("rewrite", "x", "--method", "conversational", "--history", "turns.txt"), 2
    )
