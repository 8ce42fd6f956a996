from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.texts import papers, write_library

from litrag.core.errors import BadInput, CannotWrite, UnknownName, VectorsInUse
from litrag.core.events import Event
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Query
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.retrievers.sources.library import add_library, list_libraries, open_library, remove_library, update_library
from litrag.retrievers.sources.library_search import LibrarySource, fill_vectors
from litrag.retrievers.vectors import EdgeIndex


def embedder(author: Author | None = None) -> GatewayEmbedder:
    return Gateway(
        Settings(embed_model="scripted/e"), cache=RequestCache(":memory:"), backend=author or Author()
    ).embedder()


@contextmanager
def other_process_holding(folder: Path) -> Iterator[None]:
    script = f"from pathlib import Path; from litrag.retrievers.vectors import EdgeIndex; i = EdgeIndex(Path({str(folder)!r})); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "open"
        yield
        other.communicate("\n")


async def search(library: str, text: str, k: int = 5, **query: object) -> list[str]:
    source = LibrarySource(open_library(library))
    try:
        result = await source.search(Query(text, **query), k)  # type: ignore[arg-type]
    finally:
        source.close()
    assert [paper.id for paper in result.papers] == [p.id for p in result.papers]
    return [paper.id for paper in result.papers]


async def test_a_library_is_searched_as_soon_as_it_was_added(tmp_path: Path) -> None:
    add_library([write_library(tmp_path / "forest.jsonl")]).close()
    assert [(i.name, i.papers, i.vectors, i.added) for i in list_libraries()] == [("forest", 40, 0, True)]
    found = await search("forest", "drones with cameras over the forest")
    assert {name.split("-")[0] for name in found} == {"1"}


async def test_filters_by_date_and_id_hold(tmp_path: Path) -> None:
    from datetime import date

    add_library([write_library(tmp_path / "forest.jsonl")]).close()
    found = await search("forest", "train dogs", 40, before=date(2004, 12, 31), exclude=frozenset({"0-0"}))
    assert set(found) >= {"0-1", "0-2"}
    assert not set(found) & ({"0-0"} | {f"{f}-{i}" for f in range(4) for i in range(3, 10)})


async def test_a_file_is_indexed_when_it_is_named_and_again_when_it_changed(tmp_path: Path) -> None:
    path = write_library(tmp_path / "forest.jsonl", papers()[:3])
    first = open_library(str(path))
    assert (len(first), first.info().added) == (3, False)
    first.close()
    events: list[Event] = []
    open_library(str(path), listen=events.append).close()
    assert events == [], "unchanged: not read again"
    write_library(path, papers()[:7])
    again = open_library(str(path))
    assert len(again) == 7
    again.close()


async def test_vectors_are_filled_resumably_and_paid_once(tmp_path: Path) -> None:
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    author = Author()
    encode = embedder(author)

    def stop(event: Event) -> None:
        if event.done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await fill_vectors(library, encode, batch=10, listen=stop)
    assert 0 < library.info().vectors < 40, "told, but not used: not all are there"
    source = LibrarySource(library, encode)
    assert "of 40 papers have vectors" in (await source.search(Query("soil moisture"), 5)).warnings[0]
    source.close()
    texts = sum(len(request.texts) for request in author.requests)
    assert await fill_vectors(library, encode, batch=10) == 20
    assert sum(len(request.texts) for request in author.requests) == texts + 20 == 40
    assert library.info().vectors == 40
    assert await fill_vectors(library, encode, batch=10) == 0
    library.close()


async def test_a_library_with_vectors_is_searched_with_both_and_keeps_all_scores(tmp_path: Path) -> None:
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    encode = embedder()
    await fill_vectors(library, encode)
    source = LibrarySource(library, encode)
    result = await source.search(Query("predict soil moisture"), 5)
    source.close()
    assert result.warnings == ()
    assert {score.source for score in result.scores[0]} == {"bm25", "dense:scripted-e", "rrf"}
    assert result.papers[0].id.startswith("2-")


async def test_a_library_without_vectors_says_so(tmp_path: Path) -> None:
    source = LibrarySource(add_library([write_library(tmp_path / "forest.jsonl")]), embedder())
    result = await source.search(Query("soil moisture"), 5)
    source.close()
    assert len(result.papers) == 5
    assert "no vectors yet, searched with BM25 only; `litrag library update forest --vectors`" in result.warnings[0]


async def test_vectors_in_use_elsewhere_are_a_clear_error_to_writers_and_searched_in_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that is open must not make the reviews beside it worse."""
    (copies := tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    encode = embedder()
    await fill_vectors(library, encode)
    (folder,) = list((library.folder / "vectors").iterdir())
    alone = LibrarySource(library, encode)
    expected = await alone.search(Query("soil moisture"), 5)
    alone.close()
    with other_process_holding(folder):
        with pytest.raises(VectorsInUse, match="in use by another process"):
            EdgeIndex(folder)
        source = LibrarySource(library, encode)
        result = await source.search(Query("soil moisture"), 5)
        assert (result.papers, result.scores, result.warnings) == (expected.papers, expected.scores, ())
        source.close()
        with pytest.raises(VectorsInUse, match="are many to copy"):
            EdgeIndex.copy_of(folder, most=10)
    assert list(copies.iterdir()) == [], "the copy is gone"


async def test_a_copy_that_is_not_what_the_library_holds_is_not_searched(tmp_path: Path) -> None:
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    encode = embedder()
    await fill_vectors(library, encode)
    (folder,) = list((library.folder / "vectors").iterdir())
    index = EdgeIndex(folder)
    index.prune(set())
    index.close()
    with other_process_holding(folder):
        source = LibrarySource(library, encode)
        result = await source.search(Query("soil moisture"), 5)
        assert "in use by another process" in result.warnings[0]
        assert "searched with BM25 only" in result.warnings[0]
        assert len(result.papers) == 5
        source.close()


async def test_two_searches_of_one_process_share_the_vectors(tmp_path: Path) -> None:
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    encode = embedder()
    await fill_vectors(library, encode)
    sources = [LibrarySource(open_library("forest"), encode) for _ in range(2)]
    results = [await source.search(Query("soil moisture"), 5) for source in sources]
    assert results[0].papers == results[1].papers
    assert [result.warnings for result in results] == [(), ()]
    for source in sources:
        source.close()


async def test_an_update_reads_what_changed_and_keeps_the_vectors_of_the_rest(tmp_path: Path) -> None:
    path = write_library(tmp_path / "forest.jsonl", papers()[:20])
    library = add_library([path])
    encode = embedder()
    await fill_vectors(library, encode)
    library.close()
    write_library(path, papers()[5:25])
    library = update_library("forest")
    assert (len(library), library.info().vectors) == (20, 0)
    assert await fill_vectors(library, encode) == 5
    assert library.info().vectors == 20
    library.close()


def test_a_failed_rebuild_leaves_the_library_as_it_was(tmp_path: Path) -> None:
    path = write_library(tmp_path / "forest.jsonl", papers()[:5])
    add_library([path]).close()
    path.write_text("nothing readable\n")
    with pytest.raises(BadInput, match="holds no readable paper"):
        update_library("forest")
    library = open_library("forest")
    assert len(library) == 5
    library.close()
    assert len(list(library.folder.glob("contents-*"))) == 1, "no half-made contents are left"


def test_unknown_damaged_and_gone_libraries_are_one_clear_line(tmp_path: Path, home: Path) -> None:
    path = write_library(tmp_path / "forest.jsonl")
    add_library([path]).close()
    with pytest.raises(UnknownName, match="no library named 'forrest'; there is: forest"):
        open_library("forrest")
    (home / "libraries" / "forest" / "manifest.json").write_text("{}")
    with pytest.raises(BadInput, match="litrag library add FILE... --name forest"):
        open_library("forest")
    with pytest.raises(BadInput, match="no such file"):
        open_library(str(tmp_path / "gone.jsonl"))
    with pytest.raises(BadInput, match="library name"):
        add_library([path], name="a/b")


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LITRAG_HOME", str(tmp_path / "file"))
    with pytest.raises(CannotWrite, match="LITRAG_HOME"):
        add_library([write_library(tmp_path / "forest.jsonl")])


def test_a_removed_library_is_gone_and_its_sources_stay(tmp_path: Path) -> None:
    path = write_library(tmp_path / "forest.jsonl")
    add_library([path]).close()
    remove_library("forest")
    assert list_libraries() == ()
    assert path.is_file()


def test_the_longest_of_records_with_one_id_counts(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "title": "T"},
        {"id": "a", "title": "T", "abstract": "long text"},
        {"id": "a", "title": "T", "abstract": "x"},
    ]
    path = tmp_path / "twice.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    library = add_library([path])
    assert [p.abstract for p in library.papers(["a"])] == ["long text"]
    assert library.warnings == ("2 records share an id with another; the longest of each counts",)
    library.close()


@pytest.mark.data
async def test_sixty_thousand_abstracts_are_indexed_and_searched(data_dir: Path) -> None:
    library = add_library([data_dir / "acl" / "papers.jsonl.gz"], name="acl")
    assert len(library) == 60_416
    source = LibrarySource(library)
    result = await source.search(Query("dense passage retrieval for open-domain question answering"), 10)
    source.close()
    assert "2020.emnlp-main.550" in [paper.id for paper in result.papers]


def test_papers_without_abstract_are_counted(tmp_path: Path) -> None:
    from dataclasses import replace

    known = [replace(paper, abstract="") if n < 3 else paper for n, paper in enumerate(papers()[:8])]
    library = add_library([write_library(tmp_path / "some.jsonl", known)])
    assert (len(library), library.table.bare) == (8, 3)
    library.close()
