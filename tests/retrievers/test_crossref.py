"""Crossref's look-ups: works, DOIs that do not exist, retractions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fakes.scholarly import FAULTS, Scholarly, scholarly
from fakes.texts import papers
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.errors import SourceFault
from litrag.core.settings import Settings
from litrag.core.types import Query
from litrag.retrievers.sources import online_sources
from litrag.retrievers.sources.crossref import Crossref, Retraction
from litrag.retrievers.sources.web import Host, Web

SICI = "10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o"


@pytest.fixture
def server() -> Iterator[Scholarly]:
    with scholarly(papers()) as state:
        yield state


@pytest.fixture
def crossref(server: Scholarly, tmp_path: Path) -> Iterator[Crossref]:
    web = Web(tmp_path / "web.sqlite", contact="me@example.org")
    yield made(server, web)
    web.close()


def made(server: Scholarly, web: Web, seconds: float = 20.0) -> Crossref:
    (source,) = online_sources(
        ["crossref"],
        Settings(source_urls=server.urls(), source_intervals={"crossref": 0.0}, source_seconds=seconds),
        web,
    )
    assert isinstance(source, Crossref)
    return source


def update(kind: str, notice: str, *day: int, source: str = "publisher") -> dict[str, Any]:
    return {"DOI": notice, "type": kind, "label": kind, "source": source, "updated": {"date-parts": [list(day)]}}


async def test_works_go_by_the_dois_as_they_were_given_forty_a_request(server: Scholarly, crossref: Crossref) -> None:
    """A hundred citations must not be a hundred requests; the caller knows only its own spelling."""
    server.papers += [replace(papers()[0], id=f"more-{i}", doi=f"10.1000/m{i}") for i in range(80)]
    names = ["https://doi.org/10.5555/0-0", "10.5555/0-1", *(f"10.1000/M{i}" for i in range(80)), "10.5555/none"]
    found = await crossref.works(names)
    assert list(found) == names[:-1]
    assert found["https://doi.org/10.5555/0-0"].doi == "10.5555/0-0"
    assert found["10.5555/0-1"].title == "Dog Training in Practice, Part 1"
    assert [asked.params["rows"] for asked in server.asked] == ["40", "40", "3"]
    assert "mailto:me@example.org" in server.asked[0].headers["user-agent"], "the polite pool"
    assert await crossref.works([]) == {}


async def test_a_doi_that_would_break_a_filter_is_asked_alone(server: Scholarly, crossref: Crossref) -> None:
    server.papers = [replace(papers()[0], doi=SICI), papers()[1]]
    found = await crossref.works([SICI, "10.1000/a,b", "10.5555/0-1"])
    assert set(found) == {SICI, "10.5555/0-1"}
    assert server.asked[0].path == "works"
    assert server.count("crossref") == 3


async def test_missing_is_what_no_agency_registers(server: Scholarly, crossref: Crossref) -> None:
    """A preprint's DOI is not Crossref's; to call it invented would accuse an honest author."""
    server.elsewhere = ("10.48550/arxiv.1901.01234",)
    names = ["10.5555/0-0", "10.48550/arXiv.1901.01234", "10.9999/invented", "not a doi", "10.9999/invented"]
    assert await crossref.missing(names) == ("10.9999/invented", "not a doi")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failure_is_neither_missing_nor_in_good_standing(fault: str, server: Scholarly, tmp_path: Path) -> None:
    server.faults = {"crossref": fault}
    web = Web(tmp_path / "web.sqlite")
    crossref = made(server, web, seconds=1.0)
    for ask in (crossref.works, crossref.missing, crossref.retractions):
        with pytest.raises(SourceFault, match="Crossref"):
            await ask(["10.5555/0-0"])
    web.close()


async def test_a_server_that_knows_no_such_path_is_a_failure(server: Scholarly, tmp_path: Path) -> None:
    """Behind a wrong URL every DOI would be missing."""
    web = Web(tmp_path / "w.sqlite")
    wrong = Crossref(web, url=f"{server.urls()['crossref']}/v9", host=Host("Crossref", 0.0, attempts=1))
    with pytest.raises(SourceFault, match="Crossref"):
        await wrong.missing(["10.5555/0-0"])
    web.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            [
                update("correction", "10.1/c", 2004, 3, 6),
                update("retraction", "10.1/N", 2010, 2, 6, source="retraction-watch"),
            ],
            Retraction("retraction", date(2010, 2, 6), "10.1/n"),
        ),
        (
            [update("Expression of concern", "10.1/e", 2009, 1, 1), update("withdrawal", "10.1/w", 2011)],
            Retraction("withdrawal", None, "10.1/w"),
        ),
        ([update("removal", "", 2012, 5, 4)], Retraction("removal", date(2012, 5, 4))),
        ([update("retraction", "10.1/b", 2012, 1, 1), update("retraction", "10.1/a", 2011, 1, 1)], "10.1/a"),
        ([update("correction", "10.1/c", 2004), update("erratum", "10.1/d", 2005)], None),
        ([update("retraction", "10.1/n", 2010, 2, 6), update("reinstatement", "10.1/r", 2011, 1, 1)], None),
        ([update("reinstatement", "10.1/r", 2011, 1, 1), update("retraction", "10.1/n", 2012, 1, 1)], "10.1/n"),
        ([], None),
    ],
)
async def test_the_gravest_update_counts_and_corrections_do_not(
    said: list[dict[str, Any]], expected: Retraction | str | None, server: Scholarly, crossref: Crossref
) -> None:
    server.registered = {"10.5555/0-0": {"updated-by": said}}
    found = (await crossref.retractions(["10.5555/0-0", "10.5555/0-1", "10.5555/none"])).get("10.5555/0-0")
    assert (found.notice_doi if isinstance(expected, str) and found else found) == expected


async def test_retractions_in_place_by_relation_and_by_a_notice_beside_it(
    server: Scholarly, crossref: Crossref
) -> None:
    """The notice itself is not retracted, though it names a retraction."""
    server.registered = {
        "10.5555/0-0": {"update-to": [update("retraction", "10.5555/0-0", 2010, 2, 6)]},
        "10.5555/0-1": {"relation": {"is-retracted-by": [{"id-type": "doi", "id": "10.1/n"}]}},
        "10.5555/0-2": {"update-to": [update("retraction", "10.5555/0-3", 2011, 1, 2)]},
    }
    found = await crossref.retractions([f"10.5555/0-{i}" for i in range(4)])
    assert {name: str(retraction) for name, retraction in found.items()} == {
        "10.5555/0-0": "retraction of 2010-02-06, notice 10.5555/0-0",
        "10.5555/0-1": "retraction, notice 10.1/n",
        "10.5555/0-3": "retraction of 2011-01-02, notice 10.5555/0-2",
    }


async def test_a_search_gives_neither_notices_nor_figures(server: Scholarly, crossref: Crossref) -> None:
    server.registered = {
        "10.5555/0-0": {"update-to": [update("retraction", "10.5555/0-3", 2011, 1, 2)]},
        "10.5555/0-1": {"type": "component"},
        "10.5555/0-2": {"updated-by": [update("retraction", "10.1/n", 2011, 1, 2)]},
    }
    found = {paper.doi for paper in (await crossref.search(Query("dog training"), 100)).papers}
    assert not {"10.5555/0-0", "10.5555/0-1"} & found
    assert "10.5555/0-2" in found, "a retracted paper is found and told of at the end"


async def test_markup_of_publishers_becomes_text(server: Scholarly, crossref: Crossref) -> None:
    formula = (
        "<jats:alternatives><jats:tex-math>$$a &lt; b$$</jats:tex-math><mml:math><mml:mi>a</mml:mi></mml:math>"
        "</jats:alternatives>"
    )
    server.registered = {
        "10.5555/0-0": {
            "title": ["Soil &amp;amp; H<sub>2</sub>O"],
            "subtitle": ["<i>A</i> Map"],
            "abstract": f"<jats:title>Abstract</jats:title>\n<jats:sec><jats:title>Aim</jats:title><jats:p>If <jats:italic>p</jats:italic>"
            f" &lt; 0.05 and {formula} then\nR&amp;D.</jats:p></jats:sec>",
            "author": [{"family": "Ruiz"}, {"name": "The Soil Group"}, {"given": "José", "family": "Peña"}, {}],
            "issued": {"date-parts": [[2019, 5]]},
        },
        "10.5555/0-1": {"abstract": "&lt;p&gt;We map.&lt;/p&gt;", "issued": {"date-parts": [[None]]}},
    }
    found = await crossref.works(["10.5555/0-0", "10.5555/0-1"])
    paper, other = found.values()
    assert paper.title == "Soil & H2O: A Map"
    assert paper.abstract == "Aim If p < 0.05 and a then R&D."
    assert paper.authors == ("Ruiz", "The Soil Group", "José Peña")
    assert (paper.year, paper.published, paper.latest_date) == (2019, None, date(2019, 12, 31))
    assert (other.abstract, other.year) == ("We map.", 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("10.1/x") | st.just("retraction"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["DOI", "type", "updated", "date-parts", "given", "name", "id"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
NAMES = ["title", "subtitle", "abstract", "author", "issued", "container-title", "type", "URL", "relation"]
FIELDS = st.dictionaries(st.sampled_from([*NAMES, "update-to", "updated-by"]), JSON, max_size=6)


@settings(max_examples=30, deadline=None)
@given(fields=FIELDS)
async def test_no_record_however_odd_breaks_a_look_up(fields: dict[str, Any]) -> None:
    """One broken deposit among forty must not cost the other thirty-nine."""
    with scholarly(papers()[:2]) as server, TemporaryDirectory() as folder:
        server.registered = {"10.5555/0-0": fields}
        web = Web(Path(folder) / "w.sqlite")
        crossref = made(server, web)
        assert "10.5555/0-1" in await crossref.works(["10.5555/0-0", "10.5555/0-1"])
        assert "10.5555/0-1" in {paper.doi for paper in (await crossref.search(Query("dog training"), 9)).papers}
        assert set(await crossref.retractions(["10.5555/0-0", "10.5555/0-1"])) <= {"10.5555/0-0"}
        web.close()
