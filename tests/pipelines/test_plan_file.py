"""A plan is a file that people edit: what is written reads back, what was taken out stays out, and a slip is told by its line."""

from __future__ import annotations

import pytest
from fakes.texts import papers
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.core.types import Paper, Plan, PlannedParagraph, PlannedSection, PlannedSentence
from litrag.pipelines.plan_file import assigned, plan_markdown, read_plan

PAPERS = {
    "ann2001dogs": Paper("1", "Dogs That Smell", "Dogs are trained with rewards.", ("A. Ann",), 2001, doi="10.1/dogs"),
    "bob2002drones": Paper("2", "Drones That See", "Drones carry cameras.", ("B. Bob",), 2002, arxiv_id="2001.00001"),
    "cat2003soil": Paper("3", "Soil That Drips", "Moisture of the soil is mapped.", ("C. Cat",), 2003),
}
PLAN = Plan(
    (
        PlannedSection(
            "Animals",
            (
                PlannedParagraph(
                    "dogs",
                    (
                        PlannedSentence("introduce the field"),
                        PlannedSentence("compare both", ("ann2001dogs", "cat2003soil"), 22),
                    ),
                ),
            ),
        ),
        PlannedSection("Machines", (PlannedParagraph("drones", (PlannedSentence("describe", ("bob2002drones",)),)),)),
    )
)


def test_what_is_written_reads_back() -> None:
    text = plan_markdown(PLAN, PAPERS, title="Finding Mushrooms", then="litrag runs resume x-1")
    assert read_plan(text, PAPERS) == PLAN
    assert "litrag runs resume x-1" in text
    assert "- @bob2002drones: Bob (2002). Drones That See" in text


def test_a_paper_taken_out_of_the_plan_is_not_brought_back() -> None:
    text = plan_markdown(PLAN, PAPERS, title="", then="").replace("@ann2001dogs; ", "")
    assert assigned(read_plan(text, PAPERS), PAPERS).keys == ("cat2003soil", "bob2002drones")


def test_a_plan_written_by_hand_may_name_dois_and_arxiv_ids_and_leave_sizes_out() -> None:
    text = "### Seeing and smelling\n\n1. compare [10.1/DOGS, arXiv:2001.00001]\n* what is left [@cat2003soil] (at most 12 words)\n"
    (paragraph,) = read_plan(text, PAPERS).paragraphs
    assert paragraph.topic == "Seeing and smelling"
    assert paragraph.sentences == (
        PlannedSentence("compare", ("ann2001dogs", "bob2002drones")),
        PlannedSentence("what is left", ("cat2003soil",), 12),
    )


def test_however_a_paper_stands_in_brackets_it_is_cited() -> None:
    text = "### a\n- x [ann2001dogs]\n- y (12 words) [see @bob2002drones]\n- z [@cat2003soil] (9 words).\n"
    (paragraph,) = read_plan(text, PAPERS).paragraphs
    assert paragraph.sentences == (
        PlannedSentence("x", ("ann2001dogs",)),
        PlannedSentence("y", ("bob2002drones",), 12),
        PlannedSentence("z", ("cat2003soil",), 9),
    )


def test_an_outline_without_papers_gets_each_where_it_is_most_like() -> None:
    """A researcher writes headings before anything was searched; the papers that are found must come under them."""
    text = "## Finding things\n### dogs trained with rewards for smells\n### aerial pictures taken by drones\n"
    found = {f"k{paper.id}": paper for paper in papers() if paper.id[0] in "01"}
    planned = assigned(read_plan(text, found), found)
    dogs, drones = planned.paragraphs
    assert {key[1] for key in dogs.keys} == {"0"}
    assert {key[1] for key in drones.keys} == {"1"}
    assert sorted(planned.keys) == sorted(found)


def test_an_outline_spreads_papers_that_are_like_nothing_in_it() -> None:
    text = "### x1\n### x2\n### x3\n### x4\n"
    planned = assigned(read_plan(text, PAPERS), PAPERS)
    assert sorted(planned.keys) == sorted(PAPERS)
    assert all(len(paragraph.keys) <= 2 for paragraph in planned.paragraphs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("### a\n- x [@ann2001dog]\n", r'line 2: no paper "@ann2001dog"; did you mean @ann2001dogs\?'),
        ("### a\n\n- x [@zzz]\n", r'line 3: no paper "@zzz"; name a paper of the review'),
        ("<!-- two\nlines -->\njust text\n", 'line 3: "just text" is no part of a plan'),
        ("# Title\n> note\n", "plans no paragraph"),
        ("", "plans no paragraph"),
        ("### a\n- compare @ann2001dogs with others\n", 'line 2: "@ann2001dogs" stands outside brackets'),
        ("### a\n- cite 10.1/dogs\n", 'line 2: "10.1/dogs" stands outside brackets'),
    ],
)
def test_a_slip_is_told_by_file_and_line(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_plan(text, PAPERS)


@pytest.mark.parametrize("key", ["vaswani", "2020.acl-main.1", "DBLP:conf/acl/Doe_20"])
def test_keys_of_any_form_are_cited_in_brackets_and_told_of_outside_them(key: str) -> None:
    known = {key: PAPERS["ann2001dogs"]}
    plan = Plan((PlannedSection("", (PlannedParagraph("dogs", (PlannedSentence("introduce", (key,)),)),)),))
    assert read_plan(plan_markdown(plan, known, title="T", then="x"), known) == plan
    with pytest.raises(BadInput, match="outside brackets"):
        read_plan(f"### dogs\n- introduce @{key} and others", known)
    assert not any(p.keys for p in read_plan("### dogs\n- tell of @mention,2 things", known).paragraphs)


def test_before_papers_are_known_only_the_form_is_checked() -> None:
    assert read_plan("### a\n- x [@anything]\n", None).keys == ("anything",)


@given(st.text(alphabet="#- @[];().\nab1x", max_size=80))
def test_any_file_is_a_plan_over_known_papers_or_bad_input(text: str) -> None:
    plan = _read(text)
    assert set(plan.keys) <= set(PAPERS)
    again = _read(plan_markdown(plan, PAPERS, title="t", then="x"))
    assert again.keys == plan.keys


def _read(text: str) -> Plan:
    try:
        return read_plan(text, PAPERS)
    except BadInput:
        return Plan()


def test_what_is_planned_below_the_papers_is_told_of() -> None:
    """A plan is easily continued at the end of the file, where the papers are listed; in silence it would be lost."""
    plan = "### a\n- compare [@ann2001dogs]\n\n# Papers\n\n- @ann2001dogs: Ann (2001). Dogs\n"
    papers = {"ann2001dogs": Paper("1", "Dogs", authors=("Ann",), year=2001)}
    assert read_plan(plan, papers).keys == ("ann2001dogs",)
    for more in ("- another sentence [@ann2001dogs]", "### another paragraph", "## another section"):
        with pytest.raises(BadInput, match=r'line 7: .* stands below "# Papers"'):
            read_plan(plan + more + "\n", papers)
