from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from litrag.core.errors import BadInput
from litrag.core.names import spoken, surname
from litrag.core.types import Paper
from litrag.exports.bibtex import bibliography
from litrag.exports.ris import references_ris
from litrag.retrievers.sources.pdf import PdfReading
from litrag.retrievers.sources.reading import read_records

BIB = r"""
@string{acl = "Proceedings of the Forest Conference"}
@inproceedings{alv20, title = {Finding {Mushrooms} with D{\"o}gs \& Drones}, author = {{\'A}lvarez, Jos\'e and van den Berg, Bart and {Office of Woods, Fields and Lakes}},
  booktitle = acl, year = 2020, doi = {https://doi.org/10.1000/ABC_d}, abstract = {We train dogs.} }
@article{kim19, title = "Soil Maps", author = "Kim, A.", journal = {Soil}, year = {2019}, eprint = {1901.01234v2}, archiveprefix = {arXiv}}
@misc{broken, title = {No end
@misc{empty, year = {2001}}
@article{alv20, title = {Twice}}
"""


def read(path: Path) -> tuple[list[Paper], list[str]]:
    warnings: list[str] = []
    with PdfReading() as pdfs:
        return [record.paper for record in read_records(path, warnings.append, pdfs)], warnings


def test_bibtex_is_read_with_its_accents_and_a_broken_entry_is_a_warning_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "refs.bib"
    path.write_text(BIB, encoding="utf-8")
    found, warnings = read(path)
    assert found[0] == Paper(
        "alv20",
        "Finding Mushrooms with Dögs & Drones",
        "We train dogs.",
        ("José Álvarez", "Bart van den Berg", "Office of Woods, Fields and Lakes"),
        2020,
        "Proceedings of the Forest Conference",
        "10.1000/abc_d",
        key="alv20",
    )
    assert (found[1].id, found[1].arxiv_id, found[1].venue) == ("kim19", "1901.01234", "Soil")
    assert any("refs.bib" in w and "broken" in w for w in warnings)


def test_csl_json_is_read(tmp_path: Path) -> None:
    item = {
        "id": "x1",
        "title": "Soil <i>Maps</i>",
        "author": [
            {"family": "Berg", "given": "Bart", "non-dropping-particle": "van den"},
            {"literal": "Forest Office"},
        ],
        "issued": {"date-parts": [[2019, 5, 7]]},
        "container-title": "Soil",
        "DOI": "10.1/X",
        "abstract": "<jats:p>We map.</jats:p>",
        "URL": "javascript:alert(1)",
    }
    path = tmp_path / "zotero.json"
    path.write_text(json.dumps([item, "junk", {"id": "no title"}]))
    found, warnings = read(path)
    assert found == [
        Paper(
            "x1",
            "Soil Maps",
            "We map.",
            ("Bart van den Berg", "Forest Office"),
            2019,
            "Soil",
            "10.1/x",
            published=date(2019, 5, 7),
        )
    ]
    path.write_text(json.dumps([{**item, "id": key, "type": "book"} for key in ("Berg_19", "http://a.b/1", 7)]))
    assert [paper.key for paper in read(path)[0]] == ["Berg_19", "", ""], "an id that someone gave is a key"
    path.write_text(json.dumps([{**item, "type": "book", "citation-key": "berg19"}]))
    assert read(path)[0][0].key == "berg19"
    assert warnings == ["zotero.json, record 2: no record; left out", "zotero.json, record 3: no title; left out"]


def test_ris_is_read_and_a_record_without_an_end_ends_where_the_next_begins(tmp_path: Path) -> None:
    path = tmp_path / "zotero.ris"
    path.write_text(
        "\ufeffTY  - JOUR\nID  - kim19\nAU  - van den Berg, Bart\nAU  - Kim, A., Jr.\nTI  - Soil Maps\nT2  - Journal of Soil\n"
        "PY  - 2019/05/07/\nAB  - We map soil.\nDO  - 10.1/X\nUR  - https://example.org/a\nZZ  - odd\n\n"
        "TY  - CONF\nA1  - Forest Office\nT1  - More Maps\nY1  - 2020\nJF  - J. Soil\nN2  - We map more.\nER  - \n\n"
        "TY  - JOUR\nAU  - Nobody\nER  - \n",
        encoding="utf-8",
    )
    found, warnings = read(path)
    assert found[0] == Paper(
        "kim19",
        "Soil Maps",
        "We map soil.",
        ("Bart van den Berg", "A. Kim Jr."),
        2019,
        "Journal of Soil",
        "10.1/x",
        url="https://example.org/a",
        published=date(2019, 5, 7),
        key="kim19",
    )
    assert (found[1].title, found[1].authors, found[1].year) == ("More Maps", ("Forest Office",), 2020)
    assert (found[1].venue, found[1].abstract) == ("J. Soil", "We map more.")
    assert warnings == ["zotero.ris, line 21: no title; left out"]


def test_the_csv_of_zotero_is_read_without_its_notes_and_attachments(tmp_path: Path) -> None:
    path = tmp_path / "zotero.csv"
    path.write_text(
        '\ufeff"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Url","Abstract Note","Date","Extra"\n'
        '"AB12","journalArticle","2019","van den Berg, Bart; Kim, A.","Soil ""Maps""","Soil","10.1/X","https://example.org/a",'
        '"We map\nsoil.","2019-05-07","PMID: 7\nCitation Key: berg19"\n"CD34","attachment","","","A PDF","","","","","",""\n"EF56","book","","","","","","","","",""\n',
        encoding="utf-8",
    )
    found, warnings = read(path)
    assert found == [
        Paper(
            "AB12",
            'Soil "Maps"',
            "We map soil.",
            ("Bart van den Berg", "A. Kim"),
            2019,
            "Soil",
            "10.1/x",
            url="https://example.org/a",
            published=date(2019, 5, 7),
            key="berg19",
        )
    ]
    assert warnings == ["zotero.csv, line 6: no title; left out"]


def test_json_lines_of_many_habits_are_read(tmp_path: Path) -> None:
    lines = [
        '{"id": 7, "title": "A", "year": "2018", "authors": [{"name": "A. B"}, "C. D"], "journal": "J"}',
        "not json",
        '{"title": "B", "authors": "A. B; C. D", "year": null, "url": "https://example.org/b"}',
        "",
        "[1]",
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(lines))
    found, warnings = read(path)
    assert (found[0].id, found[0].year, found[0].authors, found[0].venue) == ("7", 2018, ("A. B", "C. D"), "J")
    assert (found[1].year, found[1].authors, found[1].url) == (0, ("A. B", "C. D"), "https://example.org/b")
    assert len(found[1].id) == 16, "a record without an id gets one made of its facts"
    assert [w.split(":")[0] for w in warnings] == ["x.jsonl, line 2", "x.jsonl, line 5"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.docx", b"PK", r"no kind that litrag reads; give one of \.jsonl"),
        ("a.jsonl", b"\xff\xfe\x00", "not UTF-8"),
        ("a.jsonl", b"%PDF-1.7 \n text", "is a PDF, whatever its name says; call it a.pdf"),
        ("a.jsonl", b"plain words", "holds no readable paper .a.jsonl, line 1: no JSON"),
        ("a.bib", b"@a{\0}", "is a binary file"),
        ("a.jsonl.gz", b"\x1f\x8bbroken", "damaged gzip"),
        ("a.jsonl.gz", b"plain", "damaged gzip"),
        ("a.json", b"{", "export it again as CSL-JSON"),
        ("a.bib", b"@article{broken", "holds no readable paper"),
        ("a.bib", b"", "holds no readable paper"),
        ("a.ris", b"plain words", "holds no readable paper .a.ris, line 1: no RIS"),
        ("a.csv", b"a,b\n1,2\n", "is no CSV of Zotero .no column 'Item Type'"),
        ("a.csv", b"Item Type,Title\nbook," + b"x" * 200_000, "is a damaged CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, match: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=match) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r"improves by 5% over R&D, at $3 and $4", "improves by 5% over R&D, at $3 and $4"),
        (r"5\% of R\&D with \emph{very} small caf\'e", "5% of R&D with very small café"),
        (r"see \href{https://example.org/a%20b}{our page} for 5% more", "see our page for 5% more"),
        (r"an $O(n \log n)$ method; # 1 of 2", "an O(n log n) method; # 1 of 2"),
        (r"broken \begin{itemize} and 7% more", "broken"),
    ],
)
def test_no_word_of_a_bibtex_abstract_is_lost(tmp_path: Path, field: str, text: str) -> None:
    """Quoted evidence rests on these texts: read as LaTeX, a bare % would cut the abstract there."""
    path = tmp_path / "a.bib"
    path.write_text("@article{a, title = {A study}, abstract = {%s}, year = 2020}" % field, encoding="utf-8")  # noqa: UP031
    (paper,), warnings = read(path)
    assert text in paper.abstract.replace("𝑂", "O").replace("log n", "log n")
    assert paper.abstract.split()[-1] in (field.split()[-1], "café"), "its end is there, too"
    assert warnings == []


NAMES = r"""
@article{a, title = {One}, year = 2020, abstract = {Dogs dig.},
 author = {\L{}ukasz Kaiser and \L{}ukasz Kowalski and \O{}rsted, Hans and \c{C}elik, Ali and {\'A}lvarez, Jo and {The BigScience Team}
   AND {Barnes and Noble} and King, Jr., Martin Luther and Garc{\'\i}a M{\'a}rquez, Gabriel and {Google}}}
"""


def test_names_in_latex_organisations_and_suffixes(tmp_path: Path) -> None:
    (tmp_path / "names.bib").write_text(NAMES)
    ((paper,), _) = read(tmp_path / "names.bib")
    assert paper.authors == (
        *("Łukasz Kaiser", "Łukasz Kowalski", "Hans Ørsted", "Ali Çelik", "Jo Álvarez", "The BigScience Team,"),
        *("Barnes and Noble,", "Martin Luther King Jr.", "García Márquez, Gabriel", "Google"),
    )
    assert [spoken(name) for name in paper.authors[5:9]] == [
        *("The BigScience Team", "Barnes and Noble"),
        *("Martin Luther King Jr.", "Gabriel García Márquez"),
    ]
    assert [surname(name) for name in paper.authors[4:8]] == [
        "Álvarez",
        "The BigScience Team",
        "Barnes and Noble",
        "King",
    ]
    written = bibliography({"k": paper})
    (tmp_path / "again.bib").write_text(written)
    ((again,), _) = read(tmp_path / "again.bib")
    assert again.authors == paper.authors, written
    ris = references_ris({"k": paper})
    assert "AU  - The BigScience Team\n" in ris
    assert "AU  - King, Martin Luther, Jr." in ris
    assert ris.startswith("TY  - "), "no number before a record"


def test_a_missing_comma_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.bib").write_text("@article{b,\n title = {Dogs dig}\n author = {Doe, Jane},\n year = 2001}\n")
    ((paper,), told) = read(tmp_path / "bad.bib")
    assert paper.authors == ()
    assert told == ["bad.bib, line 1, entry b: field title holds “author = …”; is a comma missing before it?"]
