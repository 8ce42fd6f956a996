"""Volume, issue, pages, publisher, editors and the kind of a work: read from every kind of file, written to every kind of reference list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from litrag.core.imprint import editors, imprint
from litrag.core.types import Paper
from litrag.exports.bibtex import bibliography
from litrag.exports.csl import csl_json
from litrag.exports.facts import kind
from litrag.exports.ris import references_ris
from litrag.exports.styles import AuthorYear
from litrag.retrievers.merging import merge, with_origin
from litrag.retrievers.sources.readers import read_papers

LIBRARY = r"""
@article{bark, title={Bark beetles in spruce}, author={Doe, Jane and Roe, Rick}, journal={Journal of Forests}, volume={12}, number={3},
  pages={45--67}, year={2019}, publisher={Wood Press}}
@inproceedings{roots, title={Roots and water}, author={Ulm, Eva}, crossref={SOIL}, pages={101--110}}
@proceedings{Soil, title={Proceedings of the 3rd Workshop on Soil}, editor={Ng, Ada and Oz, Ben}, year={2020}, publisher={Loam}, volume={7},
  doi={10.1000/whole}}
@phdthesis{leaves, title={On leaves}, author={Zed, Quinn}, school={University of the Fens}, year={2018}}
@book{trees, title={The big book of trees}, author={Mann, Nora}, publisher={Elm \& Sons}, year={2001}}
@incollection{moss, title={Moss}, author={Orr, Pat}, booktitle={Handbook of bark}, editor={Quill, Rae}, pages={1-9}, publisher={Elm}, year=2002}
@techreport{fungi, title={Fungi of the north}, author={Holm, Siv}, institution={Forest Office}, number={17}, year={2011}}
"""


@pytest.fixture
def papers(tmp_path: Path) -> dict[str, Paper]:
    file = tmp_path / "library.bib"
    file.write_text(LIBRARY, encoding="utf-8")
    return {paper.key: paper for paper in read_papers(file, pytest.fail)}


def test_an_entry_takes_from_its_crossref_what_it_lacks(papers: Mapping[str, Paper]) -> None:
    roots = papers["roots"]
    assert roots.venue == "Proceedings of the 3rd Workshop on Soil"
    assert roots.year == 2020
    assert roots.doi == "", "the DOI of the volume is not the paper's"
    assert roots.imprint == {
        "type": "paper-conference",
        "volume": "7",
        "page": "101–110",
        "publisher": "Loam",
        "editor": "Ada Ng; Ben Oz",
    }


def test_kinds_of_works(papers: Mapping[str, Paper]) -> None:
    found = {key: kind(paper) for key, paper in papers.items()}
    assert found == {
        "bark": "journal",
        "roots": "proceedings",
        "Soil": "book",
        "leaves": "thesis",
        "trees": "book",
        "moss": "chapter",
        "fungi": "report",
    }


@pytest.mark.parametrize(
    ("ending", "write"),
    [(".bib", bibliography), (".ris", references_ris), (".json", csl_json)],
    ids=["bib", "ris", "json"],
)
def test_what_is_written_reads_back(
    papers: dict[str, Paper], tmp_path: Path, ending: str, write: Callable[[Mapping[str, Paper]], str]
) -> None:
    file = tmp_path / f"again{ending}"
    file.write_text(write(papers), encoding="utf-8")
    again = {paper.key: paper for paper in read_papers(file, pytest.fail)}
    assert {key: dict(p.imprint) for key, p in again.items()} == {key: dict(p.imprint) for key, p in papers.items()}
    assert {key: p.venue for key, p in again.items()} == {key: p.venue for key, p in papers.items()}


def test_bibtex_names_each_kind(papers: dict[str, Paper]) -> None:
    text = bibliography(papers)
    for entry in ("@article{bark", "@inproceedings{roots", "@phdthesis{leaves", "@book{trees", "@incollection{moss"):
        assert entry in text
    for line in (
        "pages = {45--67}",
        "number = {3}",
        "school = {University of the Fens}",
        "institution = {Forest Office}",
    ):
        assert line in text
    assert "editor = {Ada Ng and Ben Oz}" in text


def test_the_reference_list_says_where(papers: dict[str, Paper]) -> None:
    shown = {each.key: "".join(run.text for run in each.runs) for each in AuthorYear(papers).references}
    assert shown["bark"] == "Jane Doe, Rick Roe (2019). Bark beetles in spruce. Journal of Forests 12(3), 45–67."
    assert "Workshop on Soil 7, 101–110." in shown["roots"]
    assert shown["leaves"] == "Quinn Zed (2018). On leaves. PhD thesis, University of the Fens."
    assert shown["fungi"] == "Siv Holm (2011). Fungi of the north. 17, Forest Office."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("45--67", "45–67"),
        ("45 - 67", "45–67"),
        ("e12—e19", "e12–e19"),
        ("S12-S19", "S12–S19"),
        ("3-12--3-19", "3-12–3-19"),
        ("e-12", "e-12"),
        ("123:1-123:20", "123:1-123:20"),
        ("1-10, 15", "1–10, 15"),
        ("7", "7"),
    ],
)
def test_pages_are_made_alike(given: str, kept: str, tmp_path: Path) -> None:
    assert imprint({"page": given}) == {"page": kept}
    paper = Paper("a", "Roots", venue="Soil", year=2001, key="a", imprint={"page": kept, "type": "article-journal"})
    for ending, text in ((".bib", bibliography({"a": paper})), (".ris", references_ris({"a": paper}))):
        file = tmp_path / f"one{ending}"
        file.write_text(text, encoding="utf-8")
        (again,) = read_papers(file, pytest.fail)
        assert again.imprint["page"] == kept


def test_other_programs_ris(tmp_path: Path) -> None:
    file = tmp_path / "other.ris"
    file.write_text(
        "TY  - CHAP\nTI  - A\nSP  - 45-67\nEP  - 67\nED  - Ng, Ada\nER  - \nTY  - JOUR\nTI  - B\nSP  - 5\nEP  - 5\nER  - \n",
        encoding="utf-8",
    )
    one, other = read_papers(file, pytest.fail)
    assert one.imprint == {"type": "chapter", "page": "45–67", "editor": "Ada Ng"}
    assert other.imprint["page"] == "5"


def test_types_and_many_editors() -> None:
    assert imprint({"type": "journal article", "volume": " 3 "}) == {"volume": "3"}
    assert imprint({"type": "report", "issue": "17"}) == {"type": "report", "number": "17"}
    assert imprint({}) == {}
    many = [f"Firstname{n} Lastname{n}" for n in range(20)]
    assert editors(imprint({}, many)) == many


def test_a_volume_is_of_the_same_publication() -> None:
    long = Paper("a", "Roots and water", abstract="Long " * 20, venue="Soil", doi="10.1000/x", imprint={"volume": "7"})
    same = Paper("b", "Roots and water", venue="Soil Journal", doi="10.1000/X", imprint={"volume": "99", "page": "1–2"})
    other = Paper("c", "Roots and water", abstract="Longer " * 30, venue="arXiv", imprint={"issue": "abs"})
    (found,), _ = merge([with_origin(same, "s"), with_origin(long, "l")])
    assert (found.venue, dict(found.imprint)) == ("Soil", {"volume": "7", "page": "1–2"})
    assert found.provenance["imprint"] == "l"
    (found,), _ = merge([with_origin(long, "l"), with_origin(other, "o")])
    assert (found.venue, dict(found.imprint)) == ("arXiv", {"issue": "abs", "volume": "7"})
    apart = Paper("d", "Roots and water", venue="Earth", imprint={"issue": "5"})
    (found,), _ = merge([with_origin(long, "l"), with_origin(apart, "d")])
    assert dict(found.imprint) == {"volume": "7"}


def test_cross_references(tmp_path: Path) -> None:
    file = tmp_path / "chain.bib"
    file.write_text(
        """
@inproceedings{one, title={One}, crossref={two}}
@proceedings{two, title={Volume two}, crossref={three}, year={2003}}
@proceedings{three, title={The series}, publisher={Loam}}
@article{in, title={In an issue}, journal={Nature}, crossref={issue}}
@misc{issue, title={Special issue}, year={2004}}
@article{self, title={Myself}, crossref={self}}
@article{Same, title={First}}
@article{same, title={Second}}
""",
        encoding="utf-8",
    )
    found = {paper.key: paper for paper in read_papers(file, pytest.fail)}
    assert (found["one"].venue, found["one"].year) == ("Volume two", 2003)
    assert found["one"].imprint["publisher"] == "Loam"
    assert (found["in"].venue, found["in"].year) == ("Nature", 2004)
    assert found["self"].venue == ""
    assert (found["Same"].title, found["same"].title) == ("First", "Second")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("@inproceedings{a, title={T}, booktitle={NeurIPS}}", "proceedings"),
        ("@article{a, title={T}, journal={Proceedings of the National Academy of Sciences}}", "journal"),
        ("@article{a, title={T}, journal={arXiv preprint arXiv:2001.00001}}", "preprint"),
        ("@article{a, title={T}}", "preprint"),
        ("@misc{a, title={T}, booktitle={Proceedings of it}}", "proceedings"),
    ],
)
def test_a_type_goes_before_the_name_of_the_venue(entry: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "one.bib").write_text(entry, encoding="utf-8")
    (paper,) = read_papers(tmp_path / "one.bib", pytest.fail)
    assert kind(paper) == what


def test_a_venue_that_is_its_own_publisher_stays_a_journal(tmp_path: Path) -> None:
    paper = Paper("a", "T", venue="PeerJ", imprint={"type": "article-journal", "publisher": "PeerJ"})
    assert "journal = {PeerJ}" in bibliography({"a": paper})
    thesis = Paper("b", "T", venue="MIT", imprint={"type": "thesis", "publisher": "MIT"})
    assert "T2  -" not in references_ris({"b": thesis})


def test_a_preprint_has_no_volume() -> None:
    paper = Paper("a", "Roots", venue="arXiv", arxiv_id="2001.00001", imprint={"volume": "abs"})
    for text in (bibliography({"a": paper}), references_ris({"a": paper}), csl_json({"a": paper})):
        assert "volume" not in text
        assert "VL  -" not in text


def test_sources_tell_it_each_in_its_own_form() -> None:
    from litrag.retrievers.sources import crossref, openalex, semantic_scholar

    registered = {
        "DOI": "10.1000/x",
        "title": ["Roots"],
        "type": "book-chapter",
        "volume": "7",
        "page": "101–110",
        "publisher": "Loam",
    }
    assert crossref._paper(registered).imprint == {
        "type": "chapter",
        "volume": "7",
        "page": "101–110",
        "publisher": "Loam",
    }
    indexed = {
        "id": "W1",
        "display_name": "Roots",
        "type": "dissertation",
        "biblio": {"volume": "7", "issue": None, "first_page": "101", "last_page": "101"},
    }
    assert openalex._paper(indexed).imprint == {"type": "thesis", "volume": "7", "page": "101"}
    known = {"paperId": "p", "title": "Roots", "journal": {"name": "Soil", "volume": "7", "pages": "\n 101 - 110 "}}
    assert semantic_scholar._paper(known).imprint == {"volume": "7", "page": "101–110"}
    for paper, lacking in (
        (openalex._paper, {"id": "W1", "biblio": None}),
        (semantic_scholar._paper, {"paperId": "p"}),
    ):
        assert paper({"title": "Roots", "display_name": "Roots", **lacking}).imprint == {}
