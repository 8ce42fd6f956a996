from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes.pdf import Page, column, encrypted, paragraphs, pdf, picture
from fakes.texts import papers, write_library

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.retrievers.sources.library import Library, add_library, open_library, update_library


def folder(tmp_path: Path) -> Path:
    """Three papers in a file of references, one in a Markdown file, one in a PDF below."""
    made = tmp_path / "shelf"
    (made / "sub").mkdir(parents=True)
    write_library(made / "refs.jsonl", papers()[:3])
    (made / "notes.md").write_text("# Notes on owls\nOwls eat mice.\n")
    (made / "sub" / "zebras.pdf").write_bytes(pdf([Page(column(paragraphs(1, word="zebras")))]))
    return made


def titles(library: Library) -> list[str]:
    library.close()
    return [paper.title for paper in library.papers(library.index.ids)]


class Reads:
    """A listener that knows which files were read."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.said: list[str] = []

    def __call__(self, event: Event) -> None:
        self.said.append(event.message)
        if event.message.endswith(": reading"):
            self.files.append(event.message.removesuffix(": reading"))


def test_a_folder_is_a_source_with_all_that_is_in_it(tmp_path: Path) -> None:
    library = add_library([folder(tmp_path)])
    assert (library.name, len(library), library.info().files, library.info().passages) == ("shelf", 5, 3, 2)
    assert library.info().sources == (str(tmp_path / "shelf"),)
    assert library.warnings == ()
    assert "Notes on owls" in titles(library)
    library.close()


def test_hidden_files_and_links_in_a_circle_are_passed_by_and_unknown_kinds_are_counted(tmp_path: Path) -> None:
    shelf = folder(tmp_path)
    (shelf / ".git").mkdir()
    (shelf / ".git" / "a.md").write_text("hidden")
    (shelf / ".hidden.md").write_text("hidden")
    (shelf / "sub" / "up").symlink_to(shelf)
    (shelf / "itself.md").symlink_to(shelf / "itself.md")
    (shelf / "gone.md").symlink_to(shelf / "nowhere.md")
    os.mkfifo(shelf / "pipe.md")
    for name in ("a.docx", "b.DOCX", "Makefile"):
        (shelf / name).write_text("")
    library = add_library([shelf])
    assert len(library) == 5
    assert library.warnings == ("left out, being of kinds that litrag does not read: 2 .docx, 1 no suffix",)
    library.close()


def test_a_broken_file_in_a_folder_is_a_warning_with_its_name_and_stays_known(tmp_path: Path) -> None:
    """Of a thousand PDFs three are always broken: they must neither stop the others nor be forgotten."""
    shelf = folder(tmp_path)
    (shelf / "scan.pdf").write_bytes(pdf([picture()]))
    (shelf / "locked.pdf").write_bytes(encrypted(pdf([Page(column("text"))]), user="secret"))
    (shelf / "empty.txt").write_text("")
    (shelf / "package.json").write_text('{"name": "no paper"}')
    (shelf / "table.csv").write_text("a,b\n1,2\n")
    reasons = {
        "scan.pdf holds no text, only pictures; run OCR on it",
        "locked.pdf is encrypted; save it without a password",
        "empty.txt holds no text",
        "package.json holds no readable paper",
        "table.csv is no CSV of Zotero (no column 'Item Type')",
    }
    library = add_library([shelf])
    assert len(library) == 5
    for told in (library.warnings, library.info().notes, open_library("shelf").info().notes):
        assert len(told) == 5
        assert all(any(reason in line for line in told) for reason in reasons)
    library.close()


def test_a_name_that_is_no_text_is_a_warning(tmp_path: Path) -> None:
    """Old archives hold names in other encodings; no JSON and no database can hold them."""
    shelf = folder(tmp_path)
    odd = Path(os.fsdecode(os.fsencode(shelf) + b"/caf\xe9.md"))
    odd.write_text("# Coffee\n")
    library = add_library([shelf])
    assert len(library) == 5
    assert library.warnings == (f"{shelf}/caf?.md: its name is not UTF-8; rename it",)
    assert library.info().notes == library.warnings
    library.close()
    with pytest.raises(BadInput, match="its name is not UTF-8; rename it"):
        add_library([odd], name="odd")


def test_a_text_that_is_longer_than_a_book_is_cut_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("Long\n\n" + "x" * 5_000_000)
    library = add_library([tmp_path / "long.txt"])
    assert library.warnings == ("long.txt: only its first 5,000,000 characters are read",)
    library.close()


@pytest.mark.parametrize("name", ["broken.pdf", "broken.txt", "broken.csv", "broken.ris"])
def test_a_broken_file_that_was_named_by_itself_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInput, match=name):
        add_library([folder(tmp_path), tmp_path / name], name="mine")


def test_a_folder_with_nothing_to_read_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    with pytest.raises(BadInput, match=r"shelf.* holds no file that litrag reads; give one of \.jsonl"):
        add_library([tmp_path / "shelf"])
    (tmp_path / "shelf" / "scan.pdf").write_bytes(pdf([picture()]))
    with pytest.raises(BadInput, match=r"shelf.* holds no readable file; .*scan\.pdf holds no text, only pictures"):
        add_library([tmp_path / "shelf"])


def test_an_update_finds_what_is_new_changed_and_gone_and_reads_nothing_else(tmp_path: Path) -> None:
    shelf = folder(tmp_path)
    add_library([shelf]).close()
    (shelf / "sub" / "zebras.pdf").unlink()
    (shelf / "notes.md").write_text("# Notes on more owls\nOwls eat voles.\n")
    (shelf / "new.ris").write_text("TY  - JOUR\nTI  - A New Paper\nER  - \n")
    reads = Reads()
    library = update_library("shelf", listen=reads)
    assert reads.files == ["new.ris", "notes.md"]
    assert titles(library) == ["A New Paper", "Notes on more owls", *(paper.title for paper in papers()[:3])]
    library.close()


def test_of_two_hundred_files_the_one_that_was_touched_is_read(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for i in range(200):
        (shelf / f"{i:03}.md").write_text(f"# Note {i}\nIt speaks of thing {i}.\n")
    add_library([shelf]).close()
    (shelf / "077.md").write_text("# Note 77\nIt speaks of another thing.\n")
    reads = Reads()
    library = update_library("shelf", listen=reads)
    assert reads.files == ["077.md"]
    assert len(library) == 200
    library.close()
    again = Reads()
    update_library("shelf", listen=again).close()
    assert again.said == [], "nothing changed: nothing is built"


def test_a_folder_may_be_named_once_and_is_looked_through_again_each_time(tmp_path: Path) -> None:
    shelf = folder(tmp_path)
    library = open_library(str(shelf))
    assert (len(library), library.info().added) == (5, False)
    library.close()
    (shelf / "more.md").write_text("# More\nMore words.\n")
    library = open_library(str(shelf))
    assert len(library) == 6
    library.close()


def test_a_file_that_two_sources_name_counts_once(tmp_path: Path) -> None:
    shelf = folder(tmp_path)
    library = add_library([shelf, shelf / "sub", shelf / "refs.jsonl"])
    assert (len(library), library.info().files, library.warnings) == (5, 3, ())
    library.close()


def test_a_source_that_is_gone_is_an_error_and_the_library_stays(tmp_path: Path) -> None:
    shelf = folder(tmp_path)
    add_library([shelf]).close()
    shelf.rename(tmp_path / "moved")
    with pytest.raises(BadInput, match="shelf: a source of the library is gone; put it back"):
        update_library("shelf")
    library = open_library("shelf")
    assert len(library) == 5
    library.close()


def test_the_full_text_belongs_to_the_paper_of_its_id_whichever_file_says_most_of_it(tmp_path: Path) -> None:
    """References know the authors, the PDF has the text: one paper, with both."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    record = '{"id": "10.1000/owl", "title": "Owls", "abstract": "%s", "authors": ["A. Berg"], "year": 2019}' % (
        "long " * 400
    )
    (shelf / "refs.jsonl").write_text(record)
    (shelf / "owl.md").write_text("# Owls\nhttps://doi.org/10.1000/owl\n\nOwls eat mice.\n")
    library = add_library([shelf])
    assert [paper.authors for paper in library.papers(["10.1000/owl"])] == [("A. Berg",)]
    assert "Owls eat mice." in library.full_text("10.1000/owl")
    passage = library.passage("10.1000/owl#p1")
    assert library.full_text("10.1000/owl")[passage.start : passage.end] == passage.text
    library.close()
