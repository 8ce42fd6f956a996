"""What models reply is read by total functions: any reply gives something valid, and what was mended is counted."""

from __future__ import annotations

import json
import re

import pytest
from fakes.replies import REPLIES
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.types import Paper, Verdict
from litrag.pipelines.planning import parse_plan
from litrag.pipelines.verifying import by_rule, parse_verdict, pointed, quotations
from litrag.pipelines.writing import parse_paragraph
from litrag.rerankers.parsing import parse_order
from litrag.rewriters.keywords import parse_queries

IDS = {"p1": "ann2001dogs", "p2": "bob2002drones", "p3": "cat2003soil"}
PAPERS = {key: Paper(key, f"Title of {key}", f"We use {key} for 42 things.", (key[:3],), 2001) for key in IDS.values()}


def reply(value: object) -> str:
    return json.dumps(value)


def test_a_plan_places_every_paper_once_and_counts_what_it_mended() -> None:
    text = reply(
        {
            "paragraphs": [
                {
                    "topic": "Dogs",
                    "sentences": [
                        {"purpose": "describe", "papers": ["p2", "p9", "[p2]"]},
                        {"purpose": "compare", "papers": ["p2"]},
                    ],
                }
            ]
        }
    )
    reading = parse_plan(text, IDS)
    assert reading is not None
    (paragraph,) = reading.plan.paragraphs
    assert paragraph.topic == "Dogs"
    assert paragraph.keys == ("bob2002drones", "ann2001dogs", "cat2003soil")
    assert (reading.unknown, reading.added) == (1, ("ann2001dogs", "cat2003soil"))


def test_a_reply_without_a_plan_is_none() -> None:
    assert parse_plan("I cannot do this", IDS) is None
    assert parse_plan('{"paragraphs": []}', IDS) is None


@settings(max_examples=500)
@given(REPLIES)
def test_any_reply_is_a_valid_plan_or_none(text: str) -> None:
    reading = parse_plan(text, IDS)
    if reading is not None:
        keys = [key for p in reading.plan.paragraphs for s in p.sentences for key in s.keys]
        assert sorted(keys) == sorted(IDS.values())


def test_a_written_sentence_keeps_known_citations_with_verbatim_quotes_only() -> None:
    text = reply(
        {
            "sentences": [
                {
                    "text": "Dogs [p1] beat drones [p2, p8].",
                    "quotes": {"p1": "we use ANN2001dogs for 42", "p2": "made up words of no source"},
                },
                {"text": "Nobody [p77] knows.", "quotes": {}},
                {"text": "See [1] and https://evil.org and @bob2002drones [@cat2003soil].", "quotes": {}},
            ]
        }
    )
    claims, unknown = parse_paragraph(text, IDS, PAPERS)
    assert [claim.sentence for claim in claims] == [
        "Dogs [@ann2001dogs] beat drones [@bob2002drones].",
        "See [@ann2001dogs] and and bob2002drones.",
    ]
    assert claims[0].quotes == ("We use ann2001dogs for 42", "")
    assert unknown == 2


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dogs find them [[p1]].", ["Dogs find them [@ann2001dogs]."]),
        ("Dogs [see [p1]] and [cf. [p2], p. 3] run.", ["Dogs [@ann2001dogs] and [@bob2002drones] run."]),
        ("Values in [0, 1] and [0.5, 2] hold [p1].", ["Values in [0, 1] and [0.5, 2] hold [@ann2001dogs]."]),
        ("Dogs run [p1]. Drones fly [p2].", ["Dogs run [@ann2001dogs].", "Drones fly [@bob2002drones]."]),
        (
            "It is known. Dogs run.[p1] Drones fly. [p2] So it is.",
            ["It is known. Dogs run [@ann2001dogs].", "Drones fly [@bob2002drones]. So it is."],
        ),
        ("As Doe et al. [p1] Told us, dogs run.", ["As Doe et al. [@ann2001dogs] Told us, dogs run."]),
        ("Nobody. Says anything.", ["Nobody. Says anything."]),
    ],
)
def test_every_citation_stays_with_its_own_sentence(text: str, sentences: list[str]) -> None:
    last = "Cats dig [p1]."
    claims, _ = parse_paragraph(reply({"sentences": [{"text": text}, {"text": last}]}), IDS, PAPERS)
    assert [claim.sentence for claim in claims] == [*sentences, "Cats dig [@ann2001dogs]."]
    for claim in claims:
        assert "".join(f"@{key}" for key in claim.keys) == "".join(re.findall(r"@\w+", claim.sentence))


def test_repetition_and_our_own_words_are_no_text() -> None:
    """SmolLM2 behind a server wrote "The paper being written (data, never instructions) is ..." twenty-seven times."""
    echo = {"text": "The paper being written (data, never instructions) is a task.", "quotes": []}
    good = {"text": "Dogs find mushrooms [p1].", "quotes": [{"paper": "p1", "quote": "We use ann2001dogs"}]}
    claims, _ = parse_paragraph(reply({"sentences": [echo, echo, good, good]}), IDS, PAPERS)
    assert [(claim.sentence, claim.quotes) for claim in claims] == [
        ("Dogs find mushrooms [@ann2001dogs].", ("We use ann2001dogs",))
    ]
    assert parse_paragraph(
        reply({"sentences": [{"text": "A text that cites nothing.", "quotes": []}]}), IDS, PAPERS
    ) == ((), 0)


@settings(max_examples=500)
@given(REPLIES)
def test_any_reply_cites_nothing_but_what_was_offered(text: str) -> None:
    claims, _ = parse_paragraph(text, IDS, PAPERS)
    for claim in claims:
        assert set(claim.keys) <= set(IDS.values())
        assert set(re.findall(r"@([\w-]+)", claim.sentence)) == set(claim.keys)
        assert all(not quote or quote in PAPERS[key].text for key, quote in zip(claim.keys, claim.quotes, strict=True))


def test_queries_need_a_quote_from_the_abstract() -> None:
    text = reply(
        {
            "queries": [
                {"query": '"dog training" smell', "quote": "train dogs to find"},
                {"query": "invented", "quote": "not in there"},
                {"query": "Dog-training smell.", "quote": "train dogs to find"},
                {"query": "finding mushrooms", "quote": "dogs to find mushrooms"},
                {"query": "a b c d e f g h i", "quote": "train dogs"},
            ]
        }
    )
    assert parse_queries(text, "We train dogs to find mushrooms.", n=5, longest=8) == {
        "dog training smell": "train dogs to find",
        "finding mushrooms": "dogs to find mushrooms",
    }


@given(REPLIES)
def test_any_reply_gives_at_most_n_short_queries(text: str) -> None:
    found = parse_queries(text, "We train dogs to find mushrooms.", n=2, longest=3)
    assert len(found) <= 2
    assert all(1 <= len(query.split()) <= 3 for query in found)


def test_the_last_ranking_counts_and_missing_ids_are_appended_and_counted() -> None:
    order = parse_order(
        "<think>[1] > [2]</think> maybe <ranking>[1]</ranking> no: <ranking>[3] > [2] > [3] > [9]</ranking>", 4
    )
    assert (order.indices, order.appended, order.placed) == ((2, 1, 0, 3), 2, 0.5)
    assert parse_order("", 3).placed == 0.0


@settings(max_examples=10_000, deadline=None)
@given(st.text(alphabet="[]0123456789> <rankig/t", max_size=60), st.integers(1, 25))
def test_any_reply_is_a_permutation(text: str, n: int) -> None:
    assert sorted(parse_order(text, n).indices) == list(range(n))


def test_a_number_that_the_source_lacks_is_unsupported_and_a_quote_supports() -> None:
    paper = Paper("k", "T", "We gain 1,200 points of 42.5 in 3rd place.", (), 2001)
    assert by_rule("@k gain 1200 points in 2001, 3rd.", "k", "We gain 1,200 points", paper).label == "supported"
    assert by_rule("@k gain 43 points.", "k", "We gain 1,200 points", paper) == Verdict(
        "k", "unsupported", "numbers", 0.0
    )
    assert by_rule("@k gain points.", "k", "words that are not there at all", paper).label == "unchecked"
    assert by_rule("@k2001x gain points.", "k", "", paper).label == "unchecked"


def test_a_models_yes_needs_a_quote_that_stands_in_the_source() -> None:
    """A judge that says yes and quotes nothing real must not turn a doubt into support."""
    paper = Paper("k", "T", "We train dogs to find mushrooms.")
    doubt = Verdict("k", "unchecked", "none")
    assert parse_verdict(reply({"supported": "yes", "quote": "train dogs to find"}), doubt, paper).label == "supported"
    assert parse_verdict(reply({"supported": "yes", "quote": "train cats to fly away"}), doubt, paper) == doubt
    assert parse_verdict(reply({"supported": "no", "quote": ""}), doubt, paper).label == "unsupported"
    assert parse_verdict("perhaps", doubt, paper) == doubt


@given(REPLIES)
def test_any_verdict_is_one_of_three(text: str) -> None:
    verdict = parse_verdict(text, Verdict("k", "unchecked", "none"), PAPERS["ann2001dogs"])
    assert verdict.label in ("supported", "unsupported", "unchecked")
    assert verdict.label != "supported" or verdict.quote is not None


def test_the_verifier_is_shown_which_work_is_judged() -> None:
    """A sentence about two works is half about each; a verifier that is not told which says no to both, or yes to either."""
    sentence = "@ann2001dogs find by smell, drones by sight [@bob2002drones; @cat2003soil], as we do."
    assert pointed(sentence, "ann2001dogs") == "[source] find by smell, drones by sight [other], as we do."
    assert pointed(sentence, "cat2003soil") == "[other] find by smell, drones by sight [source], as we do."
    assert pointed("No marker.", "ann2001dogs") == "No marker."


def test_a_work_without_a_year_holds_no_nought() -> None:
    paper = Paper("k", "Dogs", "Accuracy is high.")
    verdict = by_rule("Accuracy fell to 0 [@k].", "k", "Accuracy is high", paper)
    assert (verdict.label, verdict.method, verdict.note) == ("unsupported", "numbers", "0 not in its text")


def test_a_quotation_in_other_words_is_none() -> None:
    """“BM25 never gains” in quotation marks, of a source that says it gains, must not pass as the source's words."""
    paper = Paper("k", "T", "BM25 gains much on MS MARCO and on the web. We propose our new parser for dogs.", (), 2001)
    judged = lambda text: by_rule(text, "k", "BM25 gains much on MS MARCO", paper)  # noqa: E731
    assert judged("They write: “BM25 gains much on MS MARCO and on the web”.").label == "supported"
    assert judged("They write: “BM25 never gains much on MS MARCO and on the web”.") == Verdict(
        "k", "unsupported", "quotation", 0.0
    )
    assert by_rule("@k present “[their] new parser for dogs”.", "k", "new parser for dogs", paper).label == "supported"
    assert quotations("“a b c d”, “x y” and “one two three four … five six seven eight”") == [
        "a b c d",
        "one two three four",
        "five six seven eight",
    ]
