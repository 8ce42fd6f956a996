from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fakes.hostile import reviews
from fakes.html import Page
from fakes.reviews import made_up
from hypothesis import given

from litrag.exports.document import Exported
from litrag.exports.evidence import PageRecord
from litrag.exports.evidence_page import evidence_html
from litrag.exports.languages import language_tag
from litrag.exports.page import review_html

TAGS = set(
    "html head meta title style body h1 h2 p div a span i b sup sub ol li details summary blockquote mark br".split()
)
LINK = re.compile(r"#ref-k|review\.html(#ref-k)?|evidence\.html|https?://[!-~]+")


@given(reviews())
def test_text_of_others_is_no_markup_no_link_and_no_citation(document: Exported) -> None:
    """A title with `<script>` or a `javascript:` address would run in the reader's browser."""
    page, evidence = Page(review_html(document)), Page(evidence_html(document))
    assert set(page.tags) | set(evidence.tags) <= TAGS
    assert page.attributes | evidence.attributes <= set(
        "lang charset http-equiv content name class id href rel".split()
    )
    assert all(LINK.fullmatch(link) for link in (*page.links, *evidence.links))
    assert page.links.count("#ref-k") == 2


def test_a_page_loads_nothing_from_elsewhere() -> None:
    text = review_html(made_up())
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not re.search(r"\bsrc=|@import|url\(", text)


def test_the_evidence_of_a_citation_marks_the_quote_where_it_stands() -> None:
    """One click away: the verdict, the passage, the words."""
    text = evidence_html(made_up())
    assert "Drones follow dogs. <mark>They find 50% of the paths &amp; all of the #bones.</mark></blockquote>" in text
    assert '<summary>李明 and Иванова (2021): <span class="unsupported">unsupported</span> (numbers)</summary>' in text
    assert "Retracted on 2022-01-01 &lt;see the notice&gt;." in text
    assert 'href="https://doi.org/10.1/a_b"' in text
    assert text.count("<details>") == 5


def test_of_a_full_text_what_stands_around_the_quote_is_shown() -> None:
    document = made_up()
    assert document.evidence
    (first, *others), text = document.evidence.evidence, "a " * 40_000
    long = first.model_copy(update={"passage": f"{text}{first.quote}{text}", "start": len(text)})
    file = document.evidence.model_copy(update={"evidence": (long, *others)})
    page = evidence_html(replace(document, evidence=file))
    assert len(page) < 25_000
    assert "a <mark>They find 50% of the paths" in page


def test_a_quote_of_a_full_text_names_its_page() -> None:
    document = made_up()
    assert document.evidence is not None
    (first, *rest) = document.evidence.evidence
    pages = (PageRecord(page=2, start=0), PageRecord(page=7, start=first.start), PageRecord(page=8, start=first.end))
    file = document.evidence.model_copy(update={"evidence": (first.model_copy(update={"pages": pages}), *rest)})
    assert evidence_html(replace(document, evidence=file)).count("On page 7:") >= 1
    assert "On page" not in evidence_html(document)


def test_an_address_that_is_not_of_the_web_is_no_link() -> None:
    assert "javascript:alert(1)</li>" in review_html(made_up())
    assert 'href="javascript' not in review_html(made_up()) + evidence_html(made_up())


def test_unsupported_sentences_that_are_to_be_kept_are_not_marked() -> None:
    document = made_up()
    kept = Exported(draft=document.draft, papers=document.papers, marks=False)
    assert "unsupported by" in review_html(document)
    assert "unsupported by" not in review_html(kept)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("English", "en"),
        ("German", "de"),
        (" portuguese ", "pt"),
        ("pt-BR", "pt-BR"),
        ("Chinese", "zh"),
        ("de", "de"),
        ("Klingon", ""),
        ("plain English, please", ""),
        ('en" onload="x', ""),
        ("C", ""),
        ("", ""),
    ],
)
def test_a_page_says_in_which_language_it_is(name: str, tag: str) -> None:
    """A screen reader would read German as if it were English."""
    assert language_tag(name) == tag
    assert f'<html lang="{tag}">' in review_html(replace(made_up(), language=name))
