"""Self-ask, IRCoT and the agreement of answers by a scripted model; an answer from a model that writes no JSON."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.agents.answerer import Answer, ModelAnswerer, found_answer
from litrag.agents.hops import Feedback
from litrag.agents.loop import Next, Notes, SearchAgent
from litrag.agents.prompted import Agreement, Interleaved, SelfAsk
from litrag.core.protocols import Completion
from litrag.core.sync import run
from litrag.core.types import Document, Message, Query
from litrag.retrievers.bm25 import BM25, bm25_over

PAGES = {
    "Tidal Maps": "Tidal Maps is an album by the band Low Harbour.",
    "Low Harbour": "Low Harbour is a band from Esbrund.",
    "Esbrund": "Esbrund is a seaport town. It lies on the west coast of the island.",
    **{f"Noise {i}": f"A record of winter storms on coast number {i}." for i in range(6)},
}
QUESTION = Query("On which coast lies the town that the band of Tidal Maps comes from?")
DOCUMENTS = [Document(title, title, f"{title}\n{text}") for title, text in PAGES.items()]


class Says:
    """A model that says one line after the other, and keeps what it was asked."""

    def __init__(self, *lines: str) -> None:
        self.lines, self.asked = list(lines), list[str]()

    async def generate(self, messages: Sequence[Message], **options: object) -> Completion:
        self.asked.append(messages[-1].content)
        return Completion((self.lines.pop(0) if len(self.lines) > 1 else self.lines[0],), "scripted/says")


def pages() -> BM25:
    return bm25_over(DOCUMENTS)


async def test_self_ask_follows_up_until_it_answers() -> None:
    model = Says("Follow up: Where is Low Harbour from?", "Where does Esbrund lie?", "So the final answer is: west")
    found = await SearchAgent(pages(), SelfAsk(model), max_searches=5, k=1).run(QUESTION)
    assert found.stop_reason == "finish"
    assert [step.query.text for step in found.notes.steps[1:]] == [
        "Where is Low Harbour from?",
        "Where does Esbrund lie?",
    ]
    assert [d.title for d in found.notes.documents] == ["Tidal Maps", "Low Harbour", "Esbrund"]
    common = len(model.asked[1]) - len(model.asked[1].lstrip())
    assert (
        model.asked[1][common : model.asked[0].index("Write the next line")]
        == model.asked[0][: model.asked[0].index("Write the next line")]
    )


async def test_ircot_searches_with_what_it_reasons() -> None:
    model = Says(
        "The album is by Low Harbour. It is a band.", "Low Harbour comes from Esbrund.", "So the answer is: west."
    )
    found = await SearchAgent(pages(), Interleaved(model), max_searches=5, k=1).run(QUESTION)
    assert [step.query.text for step in found.notes.steps[1:]] == [
        "The album is by Low Harbour.",
        "Low Harbour comes from Esbrund.",
    ]
    assert "Reasoning so far: The album is by Low Harbour." in model.asked[1]
    assert found.stop_reason == "finish"


async def test_a_reply_that_is_nothing_ends_the_question() -> None:
    found = await SearchAgent(pages(), SelfAsk(Says("I cannot help.")), k=1).run(QUESTION)
    assert (found.searches, found.stop_reason) == (1, "no follow-up question in the model's reply")
    empty = await SearchAgent(pages(), Interleaved(Says("  ")), k=1).run(QUESTION)
    assert empty.stop_reason == "no sentence in the model's reply"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_reply_is_a_query_or_an_end(reply: str) -> None:
    for hops in (SelfAsk(Says(reply)), Interleaved(Says(reply))):
        found = run(SearchAgent(pages(), hops, max_searches=3, k=1).run(QUESTION))
        assert 1 <= found.searches <= 3
        assert found.stop_reason


class Answers:
    """Gives one answer after the other."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.times = texts, 0

    async def answer(self, question: Query, documents: Sequence[Document]) -> Answer:
        self.times += 1
        return Answer(self.texts[min(self.times, len(self.texts)) - 1])


@pytest.mark.parametrize(
    ("texts", "searches", "reason"),
    [
        (("West.", "west"), 2, "answers agree"),
        (("west", "east", "the coast", "east"), 4, "budget: 4 searches"),
        (("", ""), 4, "budget: 4 searches"),
    ],
)
async def test_agreeing_answers_end_it(texts: tuple[str, ...], searches: int, reason: str) -> None:
    answerer = Answers(*texts)
    found = await SearchAgent(pages(), Agreement(Feedback(), answerer), max_searches=4, k=1).run(QUESTION)
    assert (found.searches, found.stop_reason) == (searches, reason)
    assert answerer.times <= searches, "what was read by then is answered once"


class Names:
    """Asks for one storm after the other."""

    async def next(self, notes: Notes) -> Next:
        return Next(f"winter storms on coast {len(notes.steps)}")


async def test_later_searches_read_as_many_as_they_may() -> None:
    found = await SearchAgent(pages(), Names(), max_searches=3, k=3, further=1).run(QUESTION)
    assert [len(step.read) for step in found.notes.steps] == [3, 1, 1]
    with pytest.raises(ValueError, match="further 0: each at least 1"):
        SearchAgent(pages(), Names(), further=0)


async def test_a_model_without_json_is_asked_for_the_answer_alone() -> None:
    model = Says("The answer is clear.", "Answer: the west coast.")
    found = await ModelAnswerer(model).answer(QUESTION, DOCUMENTS)
    assert found.text == "the west coast"
    assert [(s.id, s.quote) for s in found.supports] == [("Esbrund", "It lies on the west coast of the island.")]
    assert "Reply with JSON" in model.asked[0]
    assert "Reply with JSON" not in model.asked[1]
    plain = Says("unknown")
    assert await ModelAnswerer(plain, plain=True).answer(QUESTION, DOCUMENTS) == Answer("")
    assert len(plain.asked) == 1


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_plain_reply_is_an_answer_or_none(reply: str) -> None:
    found = found_answer(reply, DOCUMENTS)
    assert all(any(s.quote in d.text for d in DOCUMENTS) for s in found.supports)
    assert found.text.strip() == found.text
