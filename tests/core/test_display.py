"""What a notebook shows is text of others: papers, queries, replies of models."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fakes.hostile import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.display import Displayed, Html, fold, fragment, items, line, table
from litrag.core.ledger import Ledger
from litrag.core.protocols import Usage
from litrag.core.types import (
    Document,
    Hit,
    Hop,
    Plan,
    PlannedParagraph,
    PlannedSection,
    PlannedSentence,
    Query,
    Ranking,
    Score,
    Trajectory,
)

TAGS = set("div style table thead tbody tr th td b ul li details summary".split())
ATTRIBUTES = {"class", "dir", "open"}


class Seen(HTMLParser):
    """Tags, attributes and the text of each table cell."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def shown(value: object) -> Seen:
    return Seen(value._repr_html_())  # type: ignore[attr-defined]


@given(st.lists(TEXTS, min_size=8, max_size=8))
def test_nothing_that_others_wrote_is_markup(words: list[str]) -> None:
    """A title with `<script>` would run in the notebook of whoever searched for it."""
    a, b, c, d, e, f, g, h = words
    ranking = Ranking(Query(a), (Hit(Document("1", b, c, {"year": d}), (Score(1.0, e, f, 1),)),), placed=0.5)
    plan = Plan((PlannedSection(a, (PlannedParagraph(b, (PlannedSentence(c, (d,)),)),)),))
    for value in (ranking, plan, Trajectory((Hop(a, b, c, (d, e)),), f)):
        seen = shown(value)
        assert seen.tags <= TAGS
        assert seen.attributes <= ATTRIBUTES
    pieces = Seen(fragment(line(g, h, kind="warn"), fold(g, items([h])), table([a], [[b]])))
    assert pieces.tags <= TAGS


def test_nothing_is_loaded_and_no_colour_of_the_page_is_taken_for_granted() -> None:
    """A fixed background is a white slab in a dark notebook."""
    html = fragment(line("x"))
    assert not re.search(r"url\(|@import|<script|src=|http", html)
    assert "background:none" in html
    assert not re.search(r"background:(?!none)|[;{]color:(?!inherit)", html)


def test_a_ranking_shows_each_score_beside_the_one_that_came_before() -> None:
    first = Hit(Document("a", "Fleas", "Fleas\nThey leap.", {"year": 2019}), (Score(7.25, "bm25", "fleas", 1),))
    second = Hit(Document("b", "", "A text that has no title", {}), (Score(1 / 3, "dense", "fleas", 1),))
    assert shown(Ranking(Query("fleas"), (first, second))).rows == [
        ["rank", "title", "year", "bm25", "dense"],
        ["1", "Fleas", "2019", "7.25", "–"],
        ["2", "A text that has no title", "n. d.", "–", "0.3333"],
    ]


def test_of_several_scores_of_one_source_the_best_ranked_stands() -> None:
    """A paper that three queries found has three BM25 scores."""
    scores = tuple(Score(value, "bm25", str(rank), rank) for value, rank in ((2.0, 9), (5.0, 1), (3.0, 4)))
    (_, row) = shown(Ranking(Query("q"), (Hit(Document("a", "T", "t"), scores),))).rows
    assert row[-1] == "5"


def test_a_long_ranking_says_how_much_it_leaves_out() -> None:
    hits = tuple(Hit(Document(str(n), f"T{n}", "t")) for n in range(60))
    html = Ranking(Query("q"), hits)._repr_html_()
    assert "and 10 more" in html
    assert len(Seen(html).rows) == 51


def test_a_trajectory_shows_what_was_thought_searched_and_new() -> None:
    found = shown(Trajectory((Hop("search", "who", "begin", ("d1", "d2")), Hop("search", "when")), "no name left"))
    assert found.rows[1] == ["1", "begin", "search", "who", "d1, d2"]
    assert found.rows[2][:5] == ["2", "–", "search", "when", "nothing newstopped: no name left"]


def test_a_ledger_adds_up_what_each_role_took() -> None:
    ledger = Ledger()
    for tokens in (100, 50):
        row = ledger.sent("write", "openai/gpt-4o-mini", "generate", str(tokens), Usage())
        ledger.done(row, Usage(prompt_tokens=tokens, completion_tokens=10, usd=0.25))
    ledger.cached("write", "openai/gpt-4o-mini", "generate", "50")
    ledger.done(ledger.sent("search", "library", "search", "q", Usage()), Usage())
    rows = shown(ledger).rows
    assert rows[1] == ["write", "openai/gpt-4o-mini", "2", "1", "150", "20", "0.5"]
    assert rows[-1] == ["all", "", "3", "1", "150", "20", "0.5"]
    assert shown(ledger.totals()).rows[1][:6] == ["1", "2", "1", "150", "20", "0.5"]
    assert shown(Ledger()).rows[-1] == ["all", "", "0", "0", "0", "0", "0"]


def test_a_value_that_nobody_taught_to_show_itself_says_so() -> None:
    class Odd(Displayed):
        pass

    with pytest.raises(TypeError, match="Odd does not show itself"):
        Odd()._repr_html_()


def test_the_direction_of_a_title_is_its_own() -> None:
    """Hebrew in a row of numbers must not push them about; marks that turn text around are left out."""
    html = table(["title", "n"], [["\u202eשלום", 1]])
    assert '<td dir="auto">שלום</td>' in html
    assert isinstance(html, Html)
