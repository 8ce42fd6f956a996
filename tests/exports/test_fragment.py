from __future__ import annotations

import re

from fakes.hostile import reviews
from fakes.html import Page
from fakes.reviews import made_up
from hypothesis import given

from litrag.exports.document import Exported
from litrag.exports.fragment import review_fragment

TAGS = set("div style span a b i sup sub ul li details summary blockquote mark p br".split())
LINK = re.compile(r"https?://[!-~]+")


@given(reviews())
def test_text_of_others_is_no_markup_and_no_link_in_a_notebook(document: Exported) -> None:
    """A notebook runs what it shows: a script in a title, or a `javascript:` address, would have the user's kernel."""
    page = Page(review_fragment(document))
    assert set(page.tags) <= TAGS
    assert page.attributes <= set("class dir href rel".split())
    assert all(LINK.fullmatch(link) for link in page.links)


def test_a_click_on_a_citation_opens_the_words_that_the_sentence_rests_on() -> None:
    html = review_fragment(made_up())
    assert html.count('<details class="c">') == 5
    (opened,) = re.findall(
        r'<details class="c"><summary>Álvarez et al\. \(2020\)</summary>.*?</details>', html, re.DOTALL
    )
    assert "<mark>They find 50% of the paths &amp; all of the #bones.</mark>" in opened
    assert 'href="https://doi.org/10.1/a_b"' in opened
    assert "supported (quote)" in opened


def test_a_doubtful_sentence_is_doubtful_in_a_notebook_too() -> None:
    html = review_fragment(made_up())
    assert "unsupported by 李明 and Иванова (2021)" in html
    assert '<div class="warn" dir="auto">unsupported (numbers)</div>' in html
    assert '<div class="warn" dir="auto">Retracted on 2022-01-01 &lt;see the notice&gt;.</div>' in html


def test_two_reviews_in_one_notebook_share_no_anchor() -> None:
    """Ids that stand twice in a page lead to the first."""
    assert " id=" not in review_fragment(made_up())


def test_the_reference_list_is_folded_and_whole() -> None:
    html = review_fragment(made_up())
    assert f"{len(made_up().cited)} references</summary>" in html
    assert html.count("<li ") == len(made_up().cited)
