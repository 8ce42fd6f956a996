from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.retrievers.sources.full_texts import Record, of_pdf
from litrag.retrievers.sources.page_text import joined_pages, paragraphs, plain
from litrag.retrievers.sources.passages import passages
from litrag.retrievers.sources.pdf import PdfFile, PdfReading
from litrag.retrievers.sources.reading import read_records

LETTERS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from("  \n\n..-\ufb01\u00ad"), max_size=300
)
WORDS = st.lists(
    st.sampled_from(["owl", "mice", "e.g.", "Berg et al.", "end.", "End.", "3.5", "(see", "x)", "\n", "fi-", "狐" * 30])
)


def read(path: Path, text: str) -> Record:
    path.write_text(text, encoding="utf-8")
    with PdfReading() as pdfs:
        (record,) = read_records(path, lambda _: None, pdfs)
    return record


@given(pages=st.lists(LETTERS | WORDS.map(" ".join), max_size=6))
def test_passages_are_pieces_of_the_text_in_order_and_leave_out_white_space_alone(pages: list[str]) -> None:
    """A quote is shown with its page and offsets: they must hold for whatever a PDF may give."""
    text, starts = joined_pages(pages)
    found = passages("id", text, starts)
    assert all(text[p.start : p.end] == p.text and p.text for p in found)
    assert [p.id for p in found] == [f"id#p{n}" for n in range(1, len(found) + 1)]
    ends = [0, *(p.end for p in found)]
    gaps = [text[end : p.start] for end, p in zip(ends, found, strict=False)] + [text[ends[-1] :]]
    assert not "".join(gaps).strip()
    assert [p.page or 0 for p in found] == [sum(start <= p.start for start in starts) for p in found]
    text.encode()  # else it could not be stored


@given(pages=st.lists(LETTERS, min_size=1, max_size=4))
def test_any_text_makes_a_record(pages: list[str]) -> None:
    record = of_pdf(PdfFile(tuple(pages), {"/Title": pages[0], "/Author": pages[-1], "/CreationDate": pages[0]}, ()))
    assert record.paper.id
    assert len(record.paper.title) <= 320


@given(text=LETTERS)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert not set(plain(text)) & set("\ufb01\t\r\u00a0")
    assert paragraphs(text) == "\n".join(line for line in paragraphs(text).split("\n") if line)


def test_superscripts_and_signs_stay_what_they_are() -> None:
    assert plain("x² + ½ of ﬁve, 10 µm, e\u0301tude, Ｗ") == "x² + ½ of five, 10 µm, étude, Ｗ"


def test_passages_are_of_one_to_two_hundred_words_and_of_whole_sentences() -> None:
    sentence = "This sentence on owls has nine words in it."
    found = passages("id", " ".join([sentence] * 100))
    assert {len(p.text.split()) for p in found[:-1]} == {198}
    assert all(p.text.endswith("in it.") and p.text.startswith("This") for p in found)


def test_a_short_rest_joins_the_passage_before_it_and_a_table_without_an_end_is_cut() -> None:
    found = passages("id", " ".join(["This sentence on owls has nine words in it."] * 23))
    assert [len(p.text.split()) for p in found] == [207]
    found = passages("id", "cell " * 1000)
    assert [len(p.text.split()) for p in found] == [200] * 5
    assert max(len(p.text) for p in passages("id", "狐" * 10_000)) <= 2080, "not all languages put spaces between words"


def test_markdown_is_read_with_its_front_matter_and_without_its_marks(tmp_path: Path) -> None:
    record = read(
        tmp_path / "owls.md",
        "---\ntitle: 'Notes on Owls'\nauthor: Anna Berg and Bo Lund\ndate: 2021-05-03\ndoi: https://doi.org/10.1000/OWL\n---\n"
        "# Where they live\nOwls live in [woods](https://example.org/a_(b)), and ![a picture](x.png) shows\none.\n\n<!-- to do -->\n"
        "* first\n* second\n\nThe End\n=======\nDone.\n",
    )
    paper = record.paper
    assert (paper.id, paper.title, paper.year, paper.doi) == ("10.1000/owl", "Notes on Owls", 2021, "10.1000/owl")
    assert record.text.split("\n") == [
        "Where they live",
        "Owls live in woods, and a picture shows one.",
        "* first",
        "* second",
        "The End",
        "Done.",
    ]
    assert [p.page for p in record.passages] == [None]


def test_the_first_heading_or_line_is_the_title(tmp_path: Path) -> None:
    assert read(tmp_path / "a.md", "Some words.\n\n## Owls by Night ##\ntext").paper.title == "Owls by Night"
    assert read(tmp_path / "a.txt", "Owls by Day\n\nThey sleep\nby day.\n").paper.title == "Owls by Day"
    assert read(tmp_path / "a.txt", "Owls by Day\n\nThey sleep\nby day.\n").text == "Owls by Day\nThey sleep by day."


@pytest.mark.parametrize(
    "piece", ["x", "[", "![", "<!--", "# ", "#", "a-", "a!", " \n", "1 ", ". ", "---\n", "(", "狐", "10.1/"]
)
@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_no_text_takes_longer_than_its_length_warrants(tmp_path: Path, name: str, piece: str) -> None:
    """One file of a million brackets must not hold up the building of a library: these took hours, or would."""
    record = read(tmp_path / name, "Title\n\n" + piece * (1_000_000 // len(piece)))
    assert record.paper.title


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n\n", "holds no text"),
        (b"\xff\xfe\x00a", "UTF-16"),
        (b"caf\xe9", "not UTF-8"),
        (b"a\0b", "is a binary file"),
        (b"%PDF-1.7\n", r"call it a\.pdf"),
    ],
)
def test_a_text_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with PdfReading() as pdfs, pytest.raises(BadInput, match=reason):
        list(read_records(tmp_path / "a.txt", lambda _: None, pdfs))
