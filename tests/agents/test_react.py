"""ReAct by a scripted model: one request a hop, prompts that grow at their end, old observations shortened first, bad replies counted."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.agents.loop import Next, Notes, SearchAgent, Searched
from litrag.core.budget import Budget, Limits
from litrag.core.errors import PromptTooLong
from litrag.core.lengths import ROUGH
from litrag.core.settings import Settings
from litrag.core.store import RequestCache, place_of
from litrag.core.types import Document, Query
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.retrievers.bm25 import BM25, bm25_over

pytest.importorskip("dspy")

from litrag.agents.react import ReAct, parse_action
from litrag.models.dspy_lm import GatewayLM

PAGES = {
    "Tidal Maps": "Tidal Maps is an album by the band Low Harbour.",
    "Low Harbour": "Low Harbour is a band from Esbjerg.",
    "Esbjerg": "Esbjerg is a seaport town on the west coast of Jutland.",
    **{
        f"Noise {i}": f"A record of winter storms on coast number {i}. " + "Storms move the sand inland. " * 12
        for i in range(6)
    },
}
QUESTION = Query("On which coast lies the town that the band of Tidal Maps comes from?")


def pages() -> BM25:
    return bm25_over(Document(title, title, f"{title}\n{text}") for title, text in PAGES.items())


def said(thought: str, action: str, query: str = "") -> str:
    fields = (("thought", thought), ("action", action), ("query", query))
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields) + "\n\n[[ ## completed ## ]]"


async def run(
    answer: Callable[[ModelRequest], str], *, tokens: int = 3000, most: int = 5, limits: Limits | None = None
) -> tuple[Searched, ReAct, ScriptedBackend]:
    backend = ScriptedBackend(answer=answer)
    gateway = Gateway(
        Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=backend, budget=Budget(limits or Limits())
    )
    hops = ReAct(GatewayLM(gateway, "answer", max_tokens=100), ROUGH, tokens=tokens)
    return await SearchAgent(pages(), hops, max_searches=most, k=1).run(QUESTION), hops, backend


def follows(request: ModelRequest) -> str:
    text = request.messages[-1].content
    if "Esbjerg is a seaport" in text:
        return said("the west coast is told", "finish")
    if "from Esbjerg" in text:
        return said("where is Esbjerg?", "search", "Esbjerg town coast")
    return said("which band?", "search", "Low Harbour band")


async def test_it_searches_until_it_finishes() -> None:
    found, hops, backend = await run(follows)
    assert [document.title for document in found.notes.documents] == ["Tidal Maps", "Low Harbour", "Esbjerg"]
    assert found.stop_reason == "finish"
    assert [hop.thought for hop in found.trajectory.hops] == ["", "which band?", "where is Esbjerg?"]
    assert (hops.replies.good, hops.replies.repaired, hops.replies.malformed) == (3, 0, 0)
    assert len(backend.requests) == 3, "a request a decision, none for hop 0"


async def test_prompts_grow_at_their_end() -> None:
    _, _, backend = await run(follows)
    prompts = [[(m.role, m.content) for m in request.messages] for request in backend.requests]
    for before, after in itertools.pairwise(prompts):
        shared = sum(one == other for one, other in zip(before, after, strict=False))
        assert shared >= len(before) - 1, "but for the last turn, which asks for the reply"
        assert before[0] == after[0], "the instructions stay"


async def test_old_observations_are_shortened_first_and_the_question_never() -> None:
    replies = iter(f"winter storms {i}" for i in range(9))
    _, _, long = await run(lambda request: said("more", "search", next(replies)), tokens=10_000)
    replies = iter(f"winter storms {i}" for i in range(9))
    _, _, short = await run(lambda request: said("more", "search", next(replies)), tokens=250)
    one, other = (sum(len(m.content) for m in backend.requests[-1].messages) for backend in (long, short))
    assert other < one
    text = "\n".join(m.content for m in short.requests[-1].messages)
    assert QUESTION.text in text
    assert all(f"winter storms {i}" in text for i in range(3)), "queries stay"
    assert "Storms move the sand inland" in short.requests[-1].messages[-1].content, "the last observation is whole"


@pytest.mark.parametrize(
    "bad", ["", "no fields", said("x", "dance", "y"), said("x", "search", " "), "[[ ## action ## ]]\nsearch"]
)
async def test_a_reply_that_is_no_action_is_asked_again_and_then_counted(bad: str) -> None:
    found, hops, backend = await run(lambda request: bad)
    assert (found.searches, found.stop_reason) == (1, "no action in the model's reply")
    assert (hops.replies.good, hops.replies.repaired, hops.replies.malformed) == (0, 0, 1)
    assert hops.replies.bad == 3, "every one is counted"
    assert len(backend.requests) == 3, "two more tries"
    left = [bad, said("x", "finish")]
    found, hops, _ = await run(lambda request: left.pop(0))
    assert (found.stop_reason, hops.replies.repaired) == ("finish", 1)


async def test_budgets_end_it() -> None:
    replies = iter(f"winter storms {i}" for i in range(99))
    answer = lambda request: said("more", "search", next(replies))  # noqa: E731
    found, _, _ = await run(answer, most=3)
    assert (found.searches, found.stop_reason) == (3, "budget: 3 searches")
    found, _, backend = await run(answer, most=9, limits=Limits(calls=2))
    assert len(backend.requests) == 2
    assert "calls" in found.stop_reason
    assert found.searches == 3


@settings(max_examples=1_000, deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_fields_are_an_action_or_none(thought: str, action: str, query: str) -> None:
    found = parse_action(thought, action, query)
    assert found is None or (len(found.text) <= 300 and "\n" not in found.text and "\n" not in found.thought)


FINISH = said("it is told", "finish")
SAID = st.one_of(
    st.sampled_from(
        [
            FINISH,
            *(said("more", "search", text) for text in ("Low Harbour band", "winter storms 1", "Esbjerg", "zebra")),
            said("x", "dance", "y"),
            said("x", "search", ""),
            "[[ ## action ## ]]\nsearch",
            "",
        ]
    ),
    st.text(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SAID, min_size=1, max_size=20), st.integers(1, 6))
def test_whatever_a_model_says_bounds_hold_and_finish_ends(replies: Sequence[str], most: int) -> None:
    left = list(replies)
    found, hops, backend = asyncio.run(run(lambda request: left.pop(0) if left else FINISH, most=most))
    assert 1 <= found.searches <= most, "hop 0 counts"
    names = [document.id for document in found.notes.documents]
    assert len(names) == len(set(names)), "no document twice"
    told = hops.replies
    decisions = told.good + told.repaired + told.malformed
    assert decisions == found.searches - 1 + (not found.stop_reason.startswith("budget"))
    assert len(backend.requests) <= 3 * decisions
    said_so_far = [*replies, *[FINISH] * 99][: len(backend.requests)]
    if FINISH in said_so_far:
        assert said_so_far.index(FINISH) == len(said_so_far) - 1, "nothing is asked after a finish"
        assert found.stop_reason == "finish"


async def test_six_hundred_questions_by_a_model_that_is_often_wrong() -> None:
    """To the end with no crash, every reply counted: a third of them are no action."""

    def answer(request: ModelRequest) -> str:
        draw = place_of("\n".join(m.content for m in request.messages) + str(request.seed))
        if draw < 1 / 3:
            return ("", said("x", "dance", "y"), "I would search for it.", said("x", "search", " "))[int(draw * 12)]
        return FINISH if draw > 0.8 else said("more", "search", f"storms of coast {int(draw * 1000)}")

    backend = ScriptedBackend(answer=answer)
    gateway = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)
    hops = ReAct(GatewayLM(gateway, "answer", max_tokens=100), ROUGH, retries=1)
    agent = SearchAgent(pages(), hops, max_searches=4, k=1)
    found: list[Searched] = []
    for start in range(0, 600, 50):
        questions = [Query(f"On which coast lies town number {i}?") for i in range(start, start + 50)]
        found += await asyncio.gather(*map(agent.run, questions))
    assert len(found) == 600
    assert all(1 <= each.searches <= 4 for each in found)
    by = [each.stop_reason for each in found]
    told = hops.replies
    ended = sum(not reason.startswith("budget") for reason in by)
    assert told.good + told.repaired + told.malformed == sum(each.searches - 1 for each in found) + ended
    assert told.malformed == by.count("no action in the model's reply") > 30
    assert told.repaired > 100
    assert min(by.count("finish"), by.count("budget: 4 searches")) > 30


@pytest.mark.parametrize("what", ["calls", "tokens", "cost", "seconds"])
async def test_one_budget_holds_for_many_agents_at_once(what: str) -> None:
    """Money, tokens, calls: never passed. Time: nothing is begun once it is up."""
    limits = {
        "calls": Limits(calls=9),
        "tokens": Limits(tokens=6_000),
        "cost": Limits(cost=0.002),
        "seconds": Limits(seconds=60),
    }[what]
    now = [0.0]

    def answer(request: ModelRequest) -> str:
        now[0] += 7
        return said("more", "search", f"storms of coast {len(backend.requests)}")

    backend = ScriptedBackend(answer=answer, latency=0.002)
    budget = Budget(limits, clock=lambda: now[0])
    gateway = Gateway(
        Settings(model="openai/gpt-4o-mini"), cache=RequestCache(":memory:"), backend=backend, budget=budget
    )
    hops = ReAct(GatewayLM(gateway, "answer", max_tokens=100), ROUGH)
    agent = SearchAgent(pages(), hops, max_searches=8, k=1, budget=budget)
    found = await asyncio.gather(*(agent.run(Query(f"coast of town {i}")) for i in range(8)))
    assert any(each.spent and what in each.stop_reason for each in found)
    assert all(each.searches >= 1 for each in found), "what was read stays"
    assert len(backend.requests) > 2
    if what == "seconds":
        assert len(backend.requests) <= 60 / 7 + 8, "those in flight"
    else:
        assert 0 < getattr(budget.spent, what) <= getattr(limits, what)


async def test_a_prompt_that_does_not_fit_ends_the_hops_with_what_was_read() -> None:
    class Short:
        async def next(self, notes: Notes) -> Next:
            raise PromptTooLong("the prompt has 9,000 tokens, the context 8,192: lower -k")

    found = await SearchAgent(pages(), Short(), max_searches=5, k=1).run(QUESTION)
    assert found.searches == 1
    assert "lower -k" in found.stop_reason
    assert not found.spent
