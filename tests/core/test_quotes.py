from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litrag.core.quotes import APART, find_quote

TEXT = "We propose a  neural “model” for parsing that uses self-attention over characters. It reaches 93.2 F1."


def test_an_exact_quote_has_its_offsets() -> None:
    match = find_quote("for parsing", TEXT)
    assert match is not None
    assert (match.method, match.score, TEXT[match.span.start : match.span.end]) == ("exact", 1.0, "for parsing")


def test_case_space_and_typography_do_not_matter() -> None:
    match = find_quote('A neural "Model" FOR parsing', TEXT)
    assert match is not None
    assert (match.method, match.span.text) == ("normalised", "a  neural “model” for parsing")


def test_a_slip_of_the_pen_is_found_fuzzily() -> None:
    match = find_quote("neural modle for parsing that uses self attention", TEXT)
    assert match is not None
    assert match.method == "fuzzy"
    assert 0.9 <= match.score < 1
    assert match.span.text.startswith("neural")


def test_a_quote_with_an_omission_reaches_over_it() -> None:
    match = find_quote("We propose … self-attention", TEXT)
    assert match is not None
    assert match.span.text == TEXT[: TEXT.index(" over")]


def test_what_is_not_there_is_not_found() -> None:
    """A made-up quote that passes is a made-up citation that passes."""
    assert find_quote("a statistical model for tagging that uses counts of words", TEXT) is None
    assert find_quote("F2", TEXT) is None
    assert find_quote("", TEXT) is None
    assert find_quote("self-attention … We propose", TEXT) is None


@given(st.text(max_size=200), st.data())
def test_offsets_always_point_at_the_matched_text(text: str, data: st.DataObject) -> None:
    quote = data.draw(
        st.text(max_size=30)
        | st.sampled_from([text[i:j] for i in range(0, len(text), 7) for j in range(i, len(text), 11)] or [""])
    )
    match = find_quote(quote, text)
    if match is not None:
        assert text[match.span.start : match.span.end] == match.span.text
        assert 0 < match.score <= 1
    elif quote.strip() and quote in text and "..." not in quote and "…" not in quote:
        raise AssertionError("a verbatim part of the text was not found")


def test_no_quote_reaches_over_the_gap_between_two_pieces() -> None:
    """Passages of pages 3 and 9 stand side by side for a model; what it stitches together of both stands nowhere."""
    text = f"It fails on all cats.\n{APART}\nIt is the best that was ever measured on dogs."
    assert find_quote("fails on all cats. It is the best that was ever measured", text) is None
    found = find_quote("It is the best that was ever measured", text)
    assert found is not None
    assert text[found.span.start : found.span.end] == found.span.text == "It is the best that was ever measured"


def test_a_form_feed_that_the_quote_holds_itself_is_text() -> None:
    """Hypothesis found it: a verbatim part of any text is in it."""
    found = find_quote("0\f0", "1 0\f0 1")
    assert found is not None
    assert found.span.text == "0\f0"
