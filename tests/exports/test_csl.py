"""Citation styles: our own, and CSL's by citeproc-py with what we mend."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.csl import author_date, numbered
from fakes.hostile import reviews
from fakes.reviews import made_up
from hypothesis import HealthCheck, given, settings

from litrag.core.errors import BadInput, MissingExtra
from litrag.core.types import Paper
from litrag.exports.document import Exported
from litrag.exports.markdown import review_markdown
from litrag.exports.markers import Citation
from litrag.exports.page import review_html
from litrag.exports.styles import Run, Style, check_style, style_of
from litrag.exports.word import review_docx

PAPERS = {
    "berg2020": Paper("1", "SciBERT in the Wild", authors=("Bart van den Berg", "Ana Roe"), year=2020, venue="Dogs"),
    "kim2019b": Paper("2", "Soil Maps.", authors=("Kang-il Kim",), year=2019, venue="Soil"),
    "kim2019a": Paper("3", "Clay: what?", authors=("Kang-il Kim",), year=2019, venue="Soil"),
    "anon": Paper("4", "No Author Here", year=2001, venue="Soil"),
}


def shown(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)


def cited(style: Style, *keys: str, textual: bool = False) -> str:
    return shown(style.cite(Citation(keys, textual)))


def test_numbers_follow_the_order_of_first_citation() -> None:
    style = style_of("numeric", PAPERS)
    assert cited(style, "kim2019a", "kim2019b") == "[2, 3]"
    assert cited(style, "berg2020", textual=True) == "van den Berg and Roe [1]"
    assert [shown(entry.runs)[:4] for entry in style.references] == ["[1] ", "[2] ", "[3] ", "[4] "]


def test_works_that_look_alike_get_letters_in_the_order_of_the_references(tmp_path: Path) -> None:
    """citeproc-py prints (Kim, 2019; Kim, 2019): a reader could not tell which is which."""
    style = style_of(author_date(tmp_path), PAPERS)
    assert cited(style, "kim2019b", "kim2019a") == "(Kim, 2019a; Kim, 2019b)"
    clay, soil = (shown(entry.runs) for entry in style.references if entry.key.startswith("kim"))
    assert clay.startswith("Kim, K. 2019a. “Clay: what?”")
    assert soil.startswith("Kim, K. 2019b. “Soil maps.” Soil.")


def test_parts_of_a_word_are_words_to_title_case(tmp_path: Path) -> None:
    """As pandoc has it; citeproc-py sees the first letter alone."""
    title = "Multi-hop Chain-of-thought Re-ranking with S2-based one-in-all BERTs"
    papers = {"kim2019": Paper("1", title, authors=("Kang-il Kim",), year=2019, venue="Soil")}
    for case, want in (
        ("title", "Multi-Hop Chain-of-Thought Re-Ranking with S2-Based One-in-All BERTs"),
        ("none", title),
        ("sentence", "Multi-hop chain-of-thought re-ranking with S2-based one-in-all BERTs"),
    ):
        style = Path(author_date(tmp_path))
        style.write_text(style.read_text().replace('text-case="sentence"', f'text-case="{case}"'))
        (entry,) = style_of(str(style), papers).references
        assert want in shown(entry.runs)
    style.write_text(style.read_text().replace("S2-based", ""))
    names = {"kim2019": Paper("1", "A Kullback-Leibler U-Net of Bradley-Terry", authors=("Kang-il Kim",), year=2019)}
    (entry,) = style_of(str(style), names).references
    assert "A Kullback-Leibler U-Net of Bradley-Terry" in shown(entry.runs), "names keep their capitals"


def test_a_title_in_a_sentence_has_its_hyphens(tmp_path: Path) -> None:
    cite = '<text variable="title" text-case="title"/><text value=", "/><date variable="issued" form="text" date-parts="year"/>'
    papers = {"kim2019": Paper("1", "Multi-hop search", authors=("Kang-il Kim",), year=2019, venue="Soil")}
    style = style_of(author_date(tmp_path, cite=cite), papers)
    assert cited(style, "kim2019", textual=True) == "Multi-Hop Search (2019)"


def test_keys_of_any_letters_are_cited_as_others_are(tmp_path: Path) -> None:
    """citeproc-py makes keys small."""
    own = {f"DBLP:{key.upper()}_1/x": paper for key, paper in PAPERS.items()}
    for name in (author_date(tmp_path), numbered(tmp_path)):
        style, plain = style_of(name, own), style_of(name, PAPERS)
        assert [shown(entry.runs) for entry in style.references] == [shown(entry.runs) for entry in plain.references]
        assert {entry.key for entry in style.references} == set(own)
        assert cited(style, *own) == cited(plain, *PAPERS)
        assert {run.key for run in style.cite(Citation(tuple(own), textual=False)) if run.key} == set(own)


def test_a_work_named_in_the_sentence_has_its_year_alone_in_brackets(tmp_path: Path) -> None:
    style = style_of(author_date(tmp_path), PAPERS)
    assert cited(style, "berg2020") == "(van den Berg & Roe, 2020)"
    assert cited(style, "berg2020", textual=True) == "van den Berg and Roe (2020)"
    assert style.cite(Citation(("berg2020",), textual=True)) == (Run("van den Berg and Roe (2020)", "berg2020"),)


def test_each_part_of_a_citation_belongs_to_its_work(tmp_path: Path) -> None:
    runs = style_of(author_date(tmp_path), PAPERS).cite(Citation(("berg2020", "kim2019a"), textual=False))
    assert {run.key: run.text for run in runs if run.key} == {
        "berg2020": "van den Berg & Roe, 2020",
        "kim2019a": "Kim, 2019a",
    }


def test_sentence_case_keeps_names_with_capitals_within(tmp_path: Path) -> None:
    """citeproc-py alone writes "Scibert in the wild"."""
    entries = {entry.key: shown(entry.runs) for entry in style_of(author_date(tmp_path), PAPERS).references}
    assert "“SciBERT in the wild.” Dogs." in entries["berg2020"]
    assert entries["anon"].startswith("No Author Here 2001. ")


def test_numbers_of_a_csl_style_stand_apart_from_their_reference(tmp_path: Path) -> None:
    style = style_of(numbered(tmp_path), PAPERS)
    assert style.numeric
    assert cited(style, "berg2020", textual=True) == "van den Berg and Roe [1]"
    assert cited(style, "berg2020", "kim2019b") == "[1]; [2]"
    assert shown(style.references[0].runs).startswith("[1] van den Berg, B. & Roe, A. 2020.")


def test_the_writers_take_a_csl_style(tmp_path: Path) -> None:
    document = Exported(draft=made_up().draft, papers=made_up().papers, style=author_date(tmp_path))
    text = review_markdown(document)
    assert "([Kim, 2019a](#ref-kim2019clay); [Kim, 2019b](#ref-kim2019soil))" in text
    assert "*Soil*" in text
    assert "<i>Soil</i>" in review_html(document)
    assert review_docx(document)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=reviews())
def test_any_text_passes_through_a_csl_style(tmp_path: Path, document: Exported) -> None:
    """citeproc-py may raise for odd facts; the review is written all the same."""
    for path in (author_date(tmp_path), numbered(tmp_path)):
        text = review_html(replace(document, style=path))
        assert text.count('href="#ref-k"') >= 2
        assert text.count('id="ref-k"') == 1
        assert "<script" not in text
        assert not any(0xE000 <= ord(c) <= 0xF8FF or ord(c) >= 0xF0000 for c in text)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("<style", "is no CSL style"),
        ("<html/>", "is no CSL style"),
        ("", "is no CSL style"),
    ],
)
def test_a_broken_style_is_one_line(made: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.csl").write_text(made)
    with pytest.raises(BadInput, match=message) as caught:
        check_style(str(tmp_path / "s.csl"))
    assert "\n" not in str(caught.value)


def test_what_litrag_cannot_write_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="footnotes"):
        check_style(author_date(tmp_path, cls="note"))
    with pytest.raises(BadInput, match=r"use that one: apa$"):
        check_style(author_date(tmp_path, link='<link href="http://x/apa" rel="independent-parent"/>'))
    with pytest.raises(BadInput, match="no such citation style"):
        check_style(str(tmp_path / "gone.csl"))
    with pytest.raises(BadInput, match="there is: author-year, numeric"):
        check_style("no-such-style")
    check_style(author_date(tmp_path))


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "citeproc", None)
    with pytest.raises(MissingExtra, match=r"pip install 'litrag\[export\]'"):
        check_style(author_date(tmp_path))
    check_style("numeric")
