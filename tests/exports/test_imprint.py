"""Volume, issue, pages, publisher, editors and the kind of a work: read from every kind of file, written to every kind of reference list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from litrag.core.imprint import imprint
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
        "page": "101-110",
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
    ("ending", "write"), [(".bib", bibliography), (".ris", references_ris), (".json", csl_json)], ids=lambda x: str(x)
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


def test_pages_and_types_are_made_alike() -> None:
    assert imprint({"page": "45 – 67", "type": "journal article", "volume": " 3 "}) == {"page": "45-67", "volume": "3"}
    assert imprint({"page": "e12–e19", "type": "thesis"}) == {"page": "e12-e19", "type": "thesis"}
    assert imprint({}) == {}


def test_a_volume_is_that_of_the_venue_it_stands_beside() -> None:
    long = Paper("a", "Roots and water", abstract="Long " * 20, venue="Soil", doi="10.1000/x", imprint={"volume": "7"})
    short = Paper("b", "Roots and water", venue="Earth", doi="10.1000/x", imprint={"volume": "99", "page": "1-2"})
    bare = Paper("c", "Roots and water", abstract="Longer " * 30, doi="10.1000/x")
    (found,), _ = merge([with_origin(short, "s"), with_origin(long, "l"), with_origin(bare, "b")])
    assert (found.venue, dict(found.imprint)) == ("Soil", {"volume": "7"})
    assert found.provenance["imprint"] == "l"


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
        "page": "101-110",
        "publisher": "Loam",
    }
    assert crossref._paper(registered).imprint == {
        "type": "chapter",
        "volume": "7",
        "page": "101-110",
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
    assert semantic_scholar._paper(known).imprint == {"volume": "7", "page": "101-110"}
    for paper, lacking in (
        (openalex._paper, {"id": "W1", "biblio": None}),
        (semantic_scholar._paper, {"paperId": "p"}),
    ):
        assert paper({"title": "Roots", "display_name": "Roots", **lacking}).imprint == {}
