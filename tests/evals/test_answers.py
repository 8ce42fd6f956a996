"""Measures of answers by hand-made cases of their definitions."""

from __future__ import annotations

import pytest

from litrag.evals.answers import (
    PRF,
    answer_f1,
    exact_match,
    joint,
    matched,
    normalised_answer,
    support_token_recall,
    supporting_facts,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Sand-Ridge!", "sandridge"),
        ("an Apple a day", "apple day"),
        ("theme", "theme"),
        ("A", ""),
        ("", ""),
        ("U.S.", "us"),
    ],
)
def test_normalised(text: str, plain: str) -> None:
    assert normalised_answer(text) == plain


@pytest.mark.parametrize(
    ("answer", "gold", "em", "f1"),
    [
        ("the Sand Ridge", "Sand Ridge.", 1.0, 1.0),
        ("Sand", "Sand Ridge", 0.0, 2 / 3),
        ("in the year 1971", "1971", 0.0, 0.5),
        ("yes", "yes", 1.0, 1.0),
        ("yes, it is", "yes", 0.0, 0.0),
        ("no", "yes", 0.0, 0.0),
        ("no dunes", "dunes of no man", 0.0, 2 * (1.0 * 0.5) / 1.5),
        ("", "yes", 0.0, 0.0),
        ("blue blue", "blue", 0.0, 2 / 3),
    ],
)
def test_answers(answer: str, gold: str, em: float, f1: float) -> None:
    assert exact_match(answer, gold) == em
    found = answer_f1(answer, gold)
    assert found.em == em
    assert found.f1 == pytest.approx(f1)


def test_yes_and_no_are_words_like_others_where_the_set_has_no_such_questions() -> None:
    assert answer_f1("no man's land", "no") == PRF()
    open_ = answer_f1("no man's land", "no", closed=False)
    assert (open_.em, open_.f1) == (0.0, pytest.approx(0.5))
    assert answer_f1("", "no", closed=False) == PRF()


def test_supporting_facts_and_joint() -> None:
    gold = [("A", 0), ("B", 2)]
    assert supporting_facts(gold, gold) == PRF(1.0, 1.0, 1.0, 1.0)
    half = supporting_facts([("A", 0), ("A", 1), ("C", 0), ("D", 0)], gold)
    assert (half.em, half.precision, half.recall) == (0.0, 0.25, 0.5)
    assert half.f1 == pytest.approx(1 / 3)
    assert supporting_facts([], gold) == PRF()
    both = joint(PRF(1.0, 0.8, 2 / 3, 1.0), half)
    assert both.em == 0.0
    assert (both.precision, both.recall) == (pytest.approx(1 / 6), 0.5)
    assert both.f1 == pytest.approx(2 * (1 / 6) * 0.5 / (1 / 6 + 0.5))
    assert joint(PRF(1, 1, 1, 1), PRF(1, 1, 1, 1)).em == 1.0


def test_matched() -> None:
    assert matched("It lies in Esbjerg, Jutland.", ["Esbjerg"]) == 1.0
    assert matched("It lies in Esbjergs", ["Esbjerg"]) == 0.0
    assert matched("no", ["", "the"]) == 0.0


def test_more_sentences_never_lower_the_recall_of_support() -> None:
    gold = ["Low Harbour is a band.", "Esbjerg is a town."]
    one = support_token_recall(gold, ["Low Harbour is a band."])
    assert one == pytest.approx((1.0 + 2 / 7) / 2), "of the second, 'is' alone: one of its three tokens, and of four"
    assert support_token_recall(gold, ["Low Harbour is a band.", "noise", *gold]) == 1.0
    assert support_token_recall(gold, []) == 0.0
    assert support_token_recall([], ["x"]) == 1.0
