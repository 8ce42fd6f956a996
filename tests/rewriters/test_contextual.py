"""Ambiguity by rules and by a model, and rewriting with a document: what counts as a rewrite, what a choice takes, the search it needs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from litrag.core.protocols import Completion, TokenScores
from litrag.core.types import Document, Hit, Message, Query, Ranking
from litrag.rewriters.ambiguity import AmbiguityModel, ambiguous
from litrag.rewriters.contextual import PseudoRelevant, chosen_phrase, rare_terms, with_phrase, written

DOCUMENT = "Dune migration\nWinter storms carry the sand of coastal dunes inland, and marram grass holds it."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dune", True),
        ("sand transport models", True),
        ("Did he publish any more maps of the northern coast and its dunes?", True),
        ("What else happened there?", True),
        ("Marram grass slows the inland migration of coastal dunes in winter.", False),
        ("Storms that move sand inland raise the height of coastal dunes.", False),
        ("", True),
    ],
)
def test_the_judgement_by_rules(text: str, wanted: bool) -> None:
    assert ambiguous(text) is wanted


class Judge:
    async def next_token_logprobs(self, messages: Sequence[Message], tokens: Sequence[str]) -> dict[str, float]:
        return {"yes": -1.0, "no": -2.0} if "dune" in messages[0].content else {"yes": -2.0, "no": -1.0}


async def test_the_judgement_by_a_model() -> None:
    assert await AmbiguityModel(Judge()).judge("dune")
    assert not await AmbiguityModel(Judge()).judge("sand")


class Writer:
    def __init__(self, *replies: str) -> None:
        self.replies, self.prompts = list(replies), list[str]()

    async def generate(self, messages: Sequence[Message], **more: object) -> Completion:
        self.prompts.append(messages[0].content)
        return Completion((self.replies.pop(0),), "writer")


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("dune migration by winter storms\nand more", "dune migration by winter storms"),
        ("<think>hm</think>coastal dune grass", "coastal dune grass"),
        ("dune", ""),
        ("winter storms", ""),
        ("dune desert camel", ""),
        ("", ""),
        ("1. 1.1.1.1", ""),
        ("Write the query anew, in at most 12 words, so that it can only mean that", ""),
    ],
)
async def test_a_rewrite_keeps_the_query_and_takes_from_the_document(reply: str, wanted: str) -> None:
    assert await written(Writer(reply), "dune", DOCUMENT) == wanted


async def test_without_a_document_any_new_word_will_do() -> None:
    writer = Writer("dune desert camel")
    assert await written(writer, "dune", "") == "dune desert camel"
    assert "marram" not in writer.prompts[0]


class Scorer:
    """Likes what holds a word."""

    def __init__(self, word: str) -> None:
        self.word, self.asked = word, list[tuple[str, tuple[str, ...]]]()

    async def score(self, messages: Sequence[Message], continuations: Sequence[str]) -> tuple[TokenScores, ...]:
        self.asked.append((messages[0].content, tuple(continuations)))
        return tuple(TokenScores((text,), (-1.0 if self.word in text else -5.0,)) for text in continuations)


async def test_a_choice_is_the_likeliest_phrase_after_the_document() -> None:
    scorer = Scorer("marram")
    found = await chosen_phrase(scorer, "dune", DOCUMENT)
    assert found.startswith("dune ")
    assert "marram" in found
    ((prompt, options),) = scorer.asked
    assert prompt.startswith("Passage: Dune migration")
    assert len(options) > 2
    assert all(option.startswith(" dune ") for option in options)
    assert await chosen_phrase(scorer, "dune", "dune") == "", "no phrase adds a word"


def test_controls_without_a_model() -> None:
    frequency = {
        "winter": 9,
        "storms": 9,
        "carry": 9,
        "sand": 9,
        "coastal": 9,
        "inland": 1,
        "marram": 0,
        "grass": 9,
        "holds": 9,
    }
    assert rare_terms("dune?", DOCUMENT, frequency, 10, n=2) == "dune dunes marram", "of one worth by the alphabet"
    assert rare_terms("dune", "the dune", {}, 1) == ""
    assert with_phrase("coastal dune?", "Dune Grass of the Coast") == "coastal dune Grass of the Coast"


class Found:
    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = texts, list[tuple[str, int]]()

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        self.asked += [(query.text, k) for query in queries]
        hits = tuple(Hit(Document(str(i), "", text)) for i, text in enumerate(self.texts[:k]))
        return tuple(Ranking(query, hits) for query in queries)


async def test_pseudo_relevant_documents_are_read_one_by_one_and_the_original_stays_first() -> None:
    query = Query("dune", exclude=frozenset({"own"}))
    writer, first = Writer("dune winter storms", "dune", "dune winter storms"), Found(DOCUMENT, DOCUMENT, DOCUMENT, "x")
    original, rewrite = await PseudoRelevant(writer, first, k=3).rewrite(query)
    assert original == query
    assert (rewrite.text, rewrite.kind, rewrite.parent, rewrite.exclude) == (
        "dune winter storms",
        "in-context",
        "dune",
        query.exclude,
    )
    assert first.asked == [("dune", 3)]
    assert len(writer.prompts) == 3
    assert await PseudoRelevant(Writer(), Found()).rewrite(query) == (query,)
