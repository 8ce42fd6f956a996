from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes.pdf import Page, bomb, column, encrypted, paragraphs, pdf, picture, two_columns

from litrag.core.errors import BadInput
from litrag.retrievers.sources.full_texts import Record
from litrag.retrievers.sources.pdf import PdfReading
from litrag.retrievers.sources.reading import read_records

TITLE = column("Owls at Night and Their Neighbours", size=18, y=760)
ABSTRACT = (
    "Abstract\nWe study owls at night, and find that they like mice more\nthan they like voles. We count what they eat in two woods, in\n"
    "winter and in summer, and we compare it with what there is.\n1 Introduction\nOwls are birds."
)


def read(path: Path, data: bytes, *, seconds: float = 20.0, characters: int = 5_000_000) -> tuple[Record, list[str]]:
    path.write_bytes(data)
    warnings: list[str] = []
    with PdfReading(seconds=seconds, characters=characters) as pdfs:
        (record,) = read_records(path, warnings.append, pdfs)
    return record, warnings


def test_a_pdf_is_a_paper_with_its_full_text_by_pages(tmp_path: Path) -> None:
    pages = [Page([*TITLE, *column(ABSTRACT)]), Page(column(paragraphs(2, word="zebras", sentences=30)))]
    record, warnings = read(tmp_path / "owls.pdf", pdf(pages))
    assert record.paper.title == "Owls at Night and Their Neighbours"
    assert record.paper.abstract.startswith(
        "We study owls at night, and find that they like mice more than they like voles."
    )
    assert record.paper.abstract.endswith("we compare it with what there is.")
    assert [p.page for p in record.passages] == [1, 2, 2]
    assert all(record.text[p.start : p.end] == p.text for p in record.passages)
    assert record.passages[1].text.startswith("Sentence 0 of part 2 speaks of zebras")
    assert warnings == []


def test_its_id_is_its_doi_else_its_arxiv_id_else_its_words_whatever_the_file_is_called(tmp_path: Path) -> None:
    def id_of(name: str, text: str) -> str:
        return read(tmp_path / name, pdf([Page([*TITLE, *column(text)])]))[0].paper.id

    assert id_of("a.pdf", "https://doi.org/10.1145/ABC.123.\nWords.") == "10.1145/abc.123"
    assert id_of("a.pdf", "arXiv:2305.12345v2 [cs.CL] 3 May 2023\nWords.") == "arxiv:2305.12345"
    assert id_of("a.pdf", "See 10.1000/one and 10.1000/two for more.") not in ("10.1000/one", "10.1000/two")
    assert id_of("a.pdf", "Words.") == id_of("b.pdf", "Words.") != id_of("b.pdf", "Other words.")


def test_what_a_pdf_says_of_itself_counts_where_its_first_page_says_so_too(tmp_path: Path) -> None:
    """Half of all PDFs call themselves after a template, and their author is the account that printed them."""
    page = Page([*TITLE, *column("Anna Berg and Bo Lund\nThe Forest Society, 2019\nOwls are birds.")])
    true = {"Title": "Owls at Night and their neighbours", "Author": "Anna Berg; Bo Lund", "CreationDate": "D:20190102"}
    false = {"Title": "IEEE Paper Template", "Author": "admin", "CreationDate": "D:20240102"}
    borne_out = read(tmp_path / "a.pdf", pdf([page], info=true))[0].paper
    assert (borne_out.title, borne_out.authors, borne_out.year) == (true["Title"], ("Anna Berg", "Bo Lund"), 2019)
    invented = read(tmp_path / "a.pdf", pdf([page], info=false))[0].paper
    assert (invented.title, invented.authors, invented.year) == ("Owls at Night and Their Neighbours", (), 0)


def test_the_stamp_across_the_margin_is_no_title_but_tells_the_year(tmp_path: Path) -> None:
    stamp = "BT /F1 30 Tf 0 1 -1 0 40 200 Tm (arXiv:2305.12345v1 [cs.IR] 3 May 2023) Tj ET"
    record, _ = read(tmp_path / "a.pdf", pdf([Page([*TITLE, *column(ABSTRACT)], extra=stamp)]))
    assert (record.paper.title, record.paper.year) == ("Owls at Night and Their Neighbours", 2023)


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left, right = paragraphs(1, word="owls"), paragraphs(2, word="mice")
    record, _ = read(tmp_path / "a.pdf", pdf([two_columns(left, right)]))
    assert record.text == " ".join(f"{left}\n{right}".split("\n")).replace("\n", " ")


def test_ligatures_and_hyphens_at_line_ends_are_undone_and_real_hyphens_stay(tmp_path: Path) -> None:
    """Else "deﬁne" and "repre- sentation" are found by nobody, and a quote of them is in no source."""
    lines = (
        "We de\ufb01ne the \ufb02ow of e\ufb03cient and di\ufb00erent repre-\nsentations of the BERT-\nbased kind, as in GPT-3-\nlike and"
        " state-of-the-\nart work of Kullback-\nLeibler, on co-operation and co-\noperation with a long-\ner text than before."
    )
    record, _ = read(tmp_path / "a.pdf", pdf([Page(column(lines))]))
    assert record.text == (
        "We define the flow of efficient and different representations of the BERT-based kind, as in GPT-3-like and"
        " state-of-the-art work of Kullback-Leibler, on co-operation and co-operation with a longer text than before."
    )


def test_headers_footers_and_page_numbers_are_left_out_and_a_sentence_goes_on_over_them(tmp_path: Path) -> None:
    words = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    heads = ["Night owls", "A. Berg and B. Lund"] * 4
    texts = [
        f"{h}\nThe {w} part begins and it\ngoes on with {w} to its end." for h, w in zip(heads, words, strict=True)
    ]
    texts[6] = f"{heads[6]}\nThe eta part begins and it\ngoes on with eta"
    texts[7] = f"{heads[7]}\nto the end of the whole text."
    pages = [Page(column(f"{text}\n{number}")) for number, text in enumerate(texts, start=31)]
    record, _ = read(tmp_path / "a.pdf", pdf(pages))
    assert (
        record.text.split("\n")
        == [
            "Night owls",  # the first page keeps what may be its title
            *(f"The {word} part begins and it goes on with {word} to its end." for word in words[:6]),
            "The eta part begins and it goes on with eta to the end of the whole text.",
        ]
    )
    assert [p.page for p in record.passages] == [1, 2, 3, 4, 5, 6, 7], "a sentence is of the page on which it begins"


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_rotated_page_is_read_like_any_other(tmp_path: Path, turned: int) -> None:
    record, _ = read(tmp_path / "a.pdf", pdf([Page(column(paragraphs(1)), turned=turned)]))
    assert record.text == paragraphs(1).replace("\n", " ")


def test_a_pdf_that_is_encrypted_for_nobody_is_read(tmp_path: Path) -> None:
    data = encrypted(pdf([Page(column(paragraphs(1)))]), user="")
    assert read(tmp_path / "a.pdf", data)[0].text == paragraphs(1).replace("\n", " ")


WHOLE = pdf([Page(column(paragraphs(i))) for i in range(3)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted(WHOLE, user="secret"), "is encrypted; save it without a password"),
        (pdf([]), "holds no page"),
        (pdf([picture(), picture()]), "holds no text, only pictures; run OCR on it"),
        (WHOLE[: len(WHOLE) // 2], "is damaged"),
        (WHOLE[:-300], "is damaged"),
        (b"%PDF-1.7", "is damaged"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "is damaged"),
        (WHOLE.replace(b"/Pages", b"/Pagan"), "is damaged|holds no"),
        (b"<html>Not found</html>", "is not a PDF, whatever its name says; fetch it again"),
        (b"", "is not a PDF"),
    ],
)
def test_a_pdf_that_gives_no_text_is_one_line_with_its_name_and_the_reason(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        read(tmp_path / "a.pdf", data)
    assert "a.pdf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_page_that_never_ends_costs_that_page(tmp_path: Path) -> None:
    """A file from the web may hold forms that draw forms without end; the night's indexing must not stand still there."""
    record, warnings = read(
        tmp_path / "a.pdf", pdf([Page(column("First.")), bomb(), Page(column("Third."))]), seconds=3
    )
    assert record.text == "First.\nThird."
    assert [p.page for p in record.passages] == [1, 3]
    assert warnings == ["a.pdf, page 2: takes too long to read; left out"]


def test_a_pdf_of_which_no_page_can_be_read_is_not_taken_for_a_scan(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.pdf is damaged \(no page can be read: it takes too long\)"):
        read(tmp_path / "a.pdf", pdf([bomb()]), seconds=3)


def test_five_hundred_pages_are_read_and_a_book_beyond_the_limit_is_cut_with_a_word(tmp_path: Path) -> None:
    data = pdf([Page(column(paragraphs(i, sentences=3))) for i in range(500)])
    record, warnings = read(tmp_path / "a.pdf", data)
    assert {p.page for p in record.passages} == set(range(1, 501))
    assert warnings == []
    record, warnings = read(tmp_path / "a.pdf", data, characters=2000)
    assert len(record.text) <= 2100
    assert warnings == ["a.pdf: only its first 12 of 500 pages are read"]


def test_the_reading_process_loads_nothing_of_litrag(tmp_path: Path) -> None:
    """It starts anew after each page that hangs, so it must start quickly; and it must find pypdf wherever litrag does."""
    import subprocess

    from litrag.retrievers.sources import pdf_worker

    code = f"import runpy, sys; runpy.run_path({pdf_worker.__file__!r}); print([m for m in sys.modules if m.startswith(('litrag', 'numpy'))])"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
