from __future__ import annotations

import io
import re
import sys
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import docx
import pytest
from docx.oxml.ns import qn
from fakes.hostile import reviews
from fakes.reviews import made_up
from hypothesis import given, settings

from litrag.core.errors import MissingExtra
from litrag.exports.document import Exported
from litrag.exports.word import review_docx


def body(data: bytes) -> ET.Element:
    return ET.fromstring(zipfile.ZipFile(io.BytesIO(data)).read("word/document.xml"))


@settings(max_examples=30)
@given(reviews())
def test_any_text_gives_a_file_that_opens_with_our_citations_alone(document: Exported) -> None:
    """One control character makes Word refuse the whole file."""
    data = review_docx(document)
    assert docx.Document(io.BytesIO(data)).paragraphs[-1].text
    anchors = [link.get(qn("w:anchor")) for link in body(data).iter(qn("w:hyperlink")) if link.get(qn("w:anchor"))]
    assert anchors == ["ref_1", "ref_1"]


def test_a_citation_jumps_to_the_bookmark_of_its_reference() -> None:
    tree = body(review_docx(made_up()))
    places = [mark.get(qn("w:name")) for mark in tree.iter(qn("w:bookmarkStart"))]
    anchors = {link.get(qn("w:anchor")) for link in tree.iter(qn("w:hyperlink"))} - {None}
    assert places == [f"ref_{n}" for n in range(1, 6)]
    assert anchors == set(places)


def test_an_unsupported_sentence_is_marked_in_bold_red() -> None:
    runs = [run for p in docx.Document(io.BytesIO(review_docx(made_up()))).paragraphs for run in p.runs]
    (mark,) = [run for run in runs if run.text.startswith("(unsupported by")]
    assert mark.text == "(unsupported by 李明 and Иванова (2021))"
    assert (mark.bold, str(mark.font.color.rgb)) == (True, "B00020")


def test_the_file_tells_no_clock() -> None:
    archive = zipfile.ZipFile(io.BytesIO(review_docx(made_up())))
    assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingExtra, match=r"pip install 'litrag\[export\]'"):
        review_docx(made_up())


def test_word_checks_the_text_by_its_own_language() -> None:
    def languages(document: Exported) -> set[str]:
        with zipfile.ZipFile(io.BytesIO(review_docx(document))) as archive:
            return set(re.findall(r'<w:lang [^>]*w:val="([^"]+)"', archive.read("word/styles.xml").decode()))

    assert languages(made_up()) == {"en-US"}
    assert languages(replace(made_up(), language="German")) == {"de"}
    assert languages(replace(made_up(), language="Klingon")) == {"en-US"}
