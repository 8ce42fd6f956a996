from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.texts import papers, write_library

from litrag.core.protocols import SourceResult
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Filter, Query
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.rows import Row
from litrag.retrievers.sources.library import add_library, open_library, update_library
from litrag.retrievers.sources.library_search import LibrarySource, fill_vectors

FILL = "Nothing else is said here of any other matter. " * 25


def note(title: str, year: int, *parts: str) -> str:
    return f"---\ntitle: {title}\ndate: {year}\n---\n{title} opens.\n\n" + "\n\n".join(
        f"{part} {FILL}" for part in parts
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Two long texts, of which one speaks of walruses in several passages, beside forty papers without full text."""
    made = tmp_path / "shelf"
    (made / "sub").mkdir(parents=True)
    write_library(made / "refs.jsonl", papers())
    (made / "sub" / "ice.md").write_text(
        note("On Ice", 2011, "", "Walruses rest on ice.", "Walruses and walruses.", "A walrus.")
    )
    (made / "sea.md").write_text(note("At Sea", 2021, "Whales sing.", "A walrus hears whales."))
    return made


@pytest.fixture
def embedder() -> Iterator[GatewayEmbedder]:
    gateway = Gateway(Settings(embed_model="scripted/e"), cache=RequestCache(":memory:"), backend=Author())
    yield gateway.embedder()
    gateway.cache.close()


async def search(query: Query, k: int = 5, embedder: GatewayEmbedder | None = None) -> SourceResult:
    source = LibrarySource(open_library("shelf"), embedder)
    try:
        return await source.search(query, k)
    finally:
        source.close()


async def test_a_paper_is_found_by_its_best_passage_which_comes_with_it(shelf: Path) -> None:
    """What a paper's abstract does not say may be all that a review needs of it."""
    library = add_library([shelf])
    result = await search(Query("walruses"))
    assert [paper.title for paper in result.papers] == ["On Ice", "At Sea"], "each paper once"
    found = result.passages[0]
    assert found is not None
    assert "Walruses and walruses." in found.text
    assert found.id.startswith(f"{result.papers[0].id}#p")
    assert library.full_text(found.document_id)[found.start : found.end] == found.text
    library.close()


async def test_where_the_abstract_is_best_no_passage_is_named(shelf: Path) -> None:
    add_library([shelf]).close()
    result = await search(Query("detect caps in aerial pictures"), 3)
    assert result.passages == (None, None, None)


async def test_a_library_without_full_texts_names_no_passages(tmp_path: Path) -> None:
    add_library([write_library(tmp_path / "shelf.jsonl")]).close()
    assert (await search(Query("soil moisture"))).passages == ()


@pytest.mark.parametrize("with_vectors", [False, True])
@pytest.mark.parametrize(
    ("query", "titles"),
    [
        (Query("walruses"), {"On Ice", "At Sea"}),
        (Query("walruses", before=date(2015, 1, 1)), {"On Ice"}),
        (Query("walruses", only=Filter(first_year=2015)), {"At Sea"}),
        (Query("walruses", only=Filter(last_year=2015)), {"On Ice"}),
        (Query("walruses", only=Filter(sources=frozenset({"sub/ice.md"}))), {"On Ice"}),
        (Query("walruses", only=Filter(sources=frozenset({"shelf"}))), {"On Ice", "At Sea"}),
        (Query("walruses", only=Filter(sources=frozenset({"elsewhere"}))), set()),
        (Query("walruses", only=Filter(venues=frozenset({"nowhere"}))), set()),
    ],
)
async def test_filters_hold_for_passages_as_for_their_papers(
    shelf: Path, embedder: GatewayEmbedder, query: Query, titles: set[str], with_vectors: bool
) -> None:
    library = add_library([shelf])
    if with_vectors:
        await fill_vectors(library, embedder)
    library.close()
    result = await search(query, 42, embedder if with_vectors else None)
    assert {paper.title for paper in result.papers} & {"On Ice", "At Sea"} == titles
    assert result.query == query
    everything = await search(Query("walruses"), 42)
    for paper in everything.papers[:2]:
        left = await search(Query("walruses", exclude=frozenset({paper.id})), 42, embedder if with_vectors else None)
        assert paper.id not in {p.id for p in left.papers}


async def test_venues_are_matched_by_a_part_of_their_name(shelf: Path) -> None:
    add_library([shelf]).close()
    result = await search(Query("dogs walruses", only=Filter(venues=frozenset({"FOREST conf"}), first_year=2005)), 50)
    assert {paper.venue for paper in result.papers} == {"Proceedings of the Forest Conference"}
    assert min(paper.year for paper in result.papers) == 2005


async def test_with_vectors_every_row_has_one_and_a_page_of_passages_leaves_room_for_other_papers(
    shelf: Path, embedder: GatewayEmbedder
) -> None:
    library = add_library([shelf])
    rows = len(library) + library.manifest.passages
    assert await fill_vectors(library, embedder) == rows
    assert (library.info().vectors, library.info().rows) == (rows, rows)
    library.close()
    result = await search(Query("walruses on ice"), 42, embedder)
    assert result.warnings == ()
    assert len(result.papers) == len({paper.id for paper in result.papers}) == 42
    assert {s.source for scores in result.scores for s in scores} == {"bm25", "dense:scripted-e", "rrf"}


async def test_after_an_edit_only_the_rows_that_changed_are_embedded(shelf: Path, embedder: GatewayEmbedder) -> None:
    library = add_library([shelf])
    await fill_vectors(library, embedder)
    library.close()
    (shelf / "new.md").write_text("# News\nA walrus was seen.\n")
    library = update_library("shelf")
    assert await fill_vectors(library, embedder) == 2, "its paper, and its one passage"
    (shelf / "new.md").rename(shelf / "old.md")
    library.close()
    library = update_library("shelf")
    assert await fill_vectors(library, embedder) == 2, "filters ask for the file, so its rows are stored anew"
    library.close()


def test_passages_do_not_change_how_papers_without_them_are_ranked() -> None:
    """Scores of a library of abstracts are those of the papers that were measured."""
    documents = [(paper.id, paper.latest_date, paper.text) for paper in papers()]
    plain = BM25Index.build(documents)
    rows = BM25Index.of_rows(Row.of(paper, source="a.jsonl") for paper in papers())
    for text in ("train dogs", "soil moisture", "the order of search areas"):
        assert plain.search(Query(text), 40) == rows.search(Query(text), 40)


def test_an_index_is_the_same_after_it_was_saved(tmp_path: Path) -> None:
    rows = [
        Row("a", "a", "owls"),
        Row("b", "b", "mice", year=2001, venue="V", source="s"),
        Row("b#p1", "b", "owls owls"),
        Row("b#p2", "b", "x"),
    ]
    index = BM25Index.of_rows(rows)
    index.save(tmp_path / "bm25")
    again = BM25Index.load(tmp_path / "bm25")
    for query in (Query("owls"), Query("owls", only=Filter(venues=frozenset({"v"}))), Query("mice x")):
        assert index.search(query, 5) == again.search(query, 5)
    assert [again.row(at) for at, _ in again.search(Query("owls"), 5)] == ["b#p1", "a"]
