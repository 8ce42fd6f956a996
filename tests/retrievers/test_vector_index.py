"""The contract of a vector index, held by all: in process, and on a server. qdrant-client's own local mode stands in for the server
(the same calls, answered in memory); a real one is asked where LITRAG_TEST_QDRANT_URL names it."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from fakes.author import Author
from fakes.qdrant import LastingClient
from fakes.texts import write_library
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from litrag.core.errors import BadInput, EnvironmentFault
from litrag.core.settings import Settings, load_settings
from litrag.core.store import RequestCache
from litrag.core.types import Filter, Query
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.retrievers.indexes import VectorPlace
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.qdrant_server import ServerIndex
from litrag.retrievers.rows import Row
from litrag.retrievers.sources.library import add_library
from litrag.retrievers.sources.library_search import LibrarySource, fill_vectors, vector_count
from litrag.retrievers.vectors import EdgeIndex, VectorIndex, point_id

# Payload indexes are made on every server; the local mode has none and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

Opens = Callable[[int | None], VectorIndex]
INDEXES = ["edge", "server-in-memory", pytest.param("server", marks=pytest.mark.qdrant)]
VENUES = ("Findings of NAACL", "Proceedings of ACL", "Soil", "ÉTUDES", "")
ROWS = [
    Row(f"r{i}", f"p{i % 7}", f"text {i}", 20_000_101 + i % 5 * 10_000, 2000 + i % 5, VENUES[i % 5], f"{i % 3}.pdf")
    for i in range(20)
] + [Row("undated", "p99", "text", venue="Soil", source="0.pdf")]


def directions(n: int, dimensions: int = 4) -> np.ndarray:
    """Unit vectors that turn away from the first axis, one by one."""
    angles = np.arange(n) / (2 * n)
    found = np.zeros((n, dimensions), dtype=np.float32)
    found[:, 0], found[:, 1] = np.cos(angles), np.sin(angles)
    return found


FIRST_AXIS = directions(1)[0]


@pytest.fixture(params=INDEXES, scope="module")
def opens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opens]:
    """Opens one and the same index, again and again."""
    if request.param == "edge":
        folder = tmp_path_factory.mktemp("vectors") / "shard"
        yield lambda dimensions: EdgeIndex(folder, dimensions)
        return
    url = os.environ["LITRAG_TEST_QDRANT_URL"] if request.param == "server" else "http://in-memory:6333"
    client = QdrantClient(url=url) if request.param == "server" else QdrantClient(":memory:")
    name = f"litrag-test-{uuid.uuid4().hex}"
    yield lambda dimensions: ServerIndex(url, name, dimensions, client=client, batch=8)
    client.delete_collection(name)
    client.close()


@pytest.fixture
def index(opens: Opens) -> Iterator[VectorIndex]:
    """The index, holding all ROWS."""
    found = opens(4)
    if missing := set(found.missing([point_id(row) for row in ROWS])):
        assert len(missing) == len(ROWS)
        found.upsert(ROWS, directions(len(ROWS)))
        found.optimise()
    yield found
    found.close()


def test_what_is_not_there_is_no_empty_index(opens: Opens, tmp_path: Path) -> None:
    """An index that was never filled must not look like one in which nothing is found."""
    with pytest.raises(FileNotFoundError):
        opens(None)


def test_the_nearest_come_first_with_their_cosines(index: VectorIndex) -> None:
    found = index.search(FIRST_AXIS, Query("x"), 3)
    assert [name for name, _ in found] == ["r0", "r1", "r2"]
    assert [score for _, score in found] == pytest.approx(np.cos(np.arange(3) / (2 * len(ROWS))).tolist(), abs=1e-5)
    assert index.search(FIRST_AXIS, Query("x", only=Filter(venues=frozenset({"no such venue"}))), 3) == []


def test_what_was_stored_is_stored_once_and_found_after_reopening(opens: Opens, index: VectorIndex) -> None:
    """Building is resumable: what a killed run had stored is known to the next one."""
    index.upsert(ROWS[:3], directions(len(ROWS))[:3])
    assert len(index) == len(ROWS)
    again = opens(None)
    new = point_id(Row("new", "new", "text"))
    assert again.missing([point_id(ROWS[0]), new, point_id(ROWS[-1])]) == [new]
    assert len(again.search(FIRST_AXIS, Query("x"), 100)) == len(ROWS)
    again.close()
    again.close()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    only=st.builds(
        Filter,
        first_year=st.sampled_from([0, 2001, 2003]),
        last_year=st.sampled_from([0, 2002, 2004]),
        venues=st.frozensets(st.sampled_from(["acl", "ACL", "soil", "études", "of n"]), max_size=2),
        sources=st.frozensets(st.sampled_from(["0.pdf", "1.pdf", "x"]), max_size=2),
    ),
    before=st.sampled_from([None, date(2003, 1, 1)]),
    exclude=st.frozensets(st.sampled_from(["p0", "p3", "p99", "nobody"]), max_size=3),
)
def test_what_comes_back_is_what_the_query_admits(
    index: VectorIndex, only: Filter, before: date | None, exclude: frozenset[str]
) -> None:
    """A paper newer than the user's own, or the user's own, in the list is a wrong citation, wherever the vectors are."""
    allowed = {
        row.id
        for row in ROWS
        if only.admits(year=row.year, venue=row.venue, source=row.source)
        and (before is None or row.day < day_number(before))
        and row.paper not in exclude
    }
    query = Query("x", only=only, before=before, exclude=exclude)
    assert {name for name, _ in index.search(FIRST_AXIS, query, 100)} == allowed


def test_another_embedder_s_vectors_are_a_clear_error(index: VectorIndex) -> None:
    with pytest.raises(EnvironmentFault, match="fill them in again|fill it in again"):
        index.search(np.ones(5, dtype=np.float32), Query("x"), 3)
    with pytest.raises(EnvironmentFault, match="fill them in again|fill it in again"):
        index.upsert(ROWS[:1], directions(1, 5))
    assert len(index) == len(ROWS)


def test_pruning_keeps_what_it_is_told_to_keep(index: VectorIndex) -> None:
    """Last of those that share the index."""
    index.prune({point_id(row) for row in ROWS[:2]})
    assert [name for name, _ in index.search(FIRST_AXIS, Query("x"), 100)] == ["r0", "r1"]
    index.prune([point_id(row) for row in ROWS])
    assert len(index) == 2
    index.prune(())
    assert len(index) == 0


class Refusal(BaseHTTPRequestHandler):
    """Answers every call with the status that its path begins with."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"status": {"error": "so be it"}}')

    def log_message(self, *_: object) -> None:
        """Silent."""


class Obedience(BaseHTTPRequestHandler):
    """Does as if it made and filled a collection. `heard` keeps (method, path, key, body)."""

    heard: list[tuple[str, str, str | None, Any]] = []

    def do_GET(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "null")
        self.heard.append((self.command, self.path, self.headers.get("api-key"), body))
        made = self.command == "PUT" and self.path.count("/") == 2
        done = {"operation_id": 0, "status": "completed"}
        found = {"points": [{"id": 1, "version": 0, "score": 0.5, "payload": {"row": "r0"}}]}
        result = {"exists": False} if self.command == "GET" else True if made else done
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        answer = {"result": found if "query" in self.path else result, "status": "ok", "time": 0.0}
        self.wfile.write(json.dumps(answer).encode())

    do_PUT = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")
def test_what_goes_over_the_wire_has_the_key_and_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upsert that does not wait is lost with the server, and the run that made it would not know."""
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    Obedience.heard.clear()
    with serving(Obedience) as url:
        index = ServerIndex(url, "papers", 4, batch=2)
        index.upsert(ROWS[:3], directions(3))
        assert index.search(FIRST_AXIS, Query("x", before=date(2003, 1, 1)), 7) == [("r0", 0.5)]
        index.close()
    assert {key for _, _, key, _ in Obedience.heard} == {"secret"}
    calls = [(method, path.split("?")[0]) for method, path, _, _ in Obedience.heard]
    assert calls == [
        ("GET", "/collections/papers/exists"),
        ("PUT", "/collections/papers"),
        *[("PUT", "/collections/papers/index")] * 5,
        *[("PUT", "/collections/papers/points")] * 2,
        ("POST", "/collections/papers/points/query"),
    ]
    assert all("wait=true" in path for _, path, _, _ in Obedience.heard if path.partition("?")[0].endswith("points"))
    assert Obedience.heard[1][3]["vectors"] == {"size": 4, "distance": "Dot"}
    indexed = {body["field_name"]: body["field_schema"] for _, path, _, body in Obedience.heard if "/index" in path}
    assert indexed == {"day": "integer", "year": "integer", "venue": "keyword", "source": "keyword", "paper": "keyword"}
    asked = Obedience.heard[-1][3]
    assert (asked["limit"], asked["filter"]["must"]) == (7, [{"key": "day", "range": {"lt": 20030101}}])


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that refuses everything."""
    with serving(Refusal) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "the server refuses the key; set QDRANT_API_KEY"),
        (403, "the server refuses the key; set QDRANT_API_KEY"),
        (404, "correct --qdrant-url"),
        (400, "check --qdrant-url and the server's log"),
        (429, "try again later"),
        (503, "try again later"),
        (200, "check --qdrant-url and the server's log"),
    ],
)
def test_what_a_server_refuses_is_one_line_with_its_address_and_a_remedy(refusing: str, status: int, told: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        ServerIndex(f"{refusing}/{status}", "papers", 4)
    text = str(caught.value)
    assert told in text
    assert refusing in text
    assert "\n" not in text
    assert len(text) < 500


def test_a_server_out_of_reach_and_one_that_never_answers_are_one_line() -> None:
    with pytest.raises(
        EnvironmentFault, match=r"server http://127.0.0.1:9 is out of reach .*; start the server, or corr"
    ):
        ServerIndex("http://127.0.0.1:9", "papers")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(EnvironmentFault, match="did not answer within 1 s"):
            ServerIndex(url, "papers", timeout=1)


def test_a_collection_that_somebody_else_made_is_left_alone() -> None:
    client = QdrantClient(":memory:")
    from qdrant_client import models

    named = {"image": models.VectorParams(size=4, distance=models.Distance.DOT)}
    client.create_collection("papers", vectors_config=named)
    with pytest.raises(EnvironmentFault, match="was not made by litrag"):
        ServerIndex("http://x", "papers", 4, client=client)
    client.close()


@pytest.mark.parametrize("url", ["localhost:6333", "ftp://x", "http://", "http://h:99999", "https://me:secret@h:6333"])
def test_an_address_that_cannot_be_called_or_holds_a_key_is_refused_at_once(url: str) -> None:
    """Settings are written into every run's record: a key in the address would be, too."""
    with pytest.raises(BadInput, match="qdrant_url") as caught:
        load_settings(qdrant_url=url)
    assert "secret" not in str(caught.value)


def embedder() -> GatewayEmbedder:
    return Gateway(Settings(embed_model="scripted/e"), cache=RequestCache(":memory:"), backend=Author()).embedder()


async def test_a_library_s_vectors_live_on_the_server_that_the_setting_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same code fills and searches; what is on the server does not count as being here, and the other way round."""
    server = LastingClient(":memory:")
    keys = []

    def connect(*, url: str, api_key: str | None, **_: object) -> QdrantClient:
        keys.append((url, api_key))
        return server

    monkeypatch.setattr("qdrant_client.QdrantClient", connect)
    monkeypatch.setenv("QDRANT_API_KEY", "k")
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    url = "http://cluster:6333"
    assert await fill_vectors(library, embedder(), url=url, batch=16) == 40
    assert await fill_vectors(library, embedder(), url=url) == 0
    assert (vector_count(library, "scripted/e", url), vector_count(library, "scripted/e")) == (40, 0)
    (collection,) = server.get_collections().collections
    assert collection.name.startswith("litrag-forest-")
    assert collection.name.endswith("-scripted-e")
    source = LibrarySource(library, embedder(), url=url)
    result = await source.search(Query("predict soil moisture", before=date(2005, 1, 1)), 5)
    source.close()
    assert result.warnings == ()
    assert {score.source for score in result.scores[0]} == {"bm25", "dense:scripted-e", "rrf"}
    assert all(paper.year < 2005 for paper in result.papers)
    assert set(keys) == {(url, "k")}
    here = LibrarySource(library, embedder())
    assert "no vectors yet" in (await here.search(Query("soil"), 5)).warnings[0]
    here.close()
    assert "k" not in [path.read_text() for path in library.folder.rglob("collection")]
    assert VectorPlace(library.folder, "scripted/e", url).folder.joinpath("collection").read_text() == collection.name


async def test_a_library_whose_server_is_gone_is_searched_without_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = add_library([write_library(tmp_path / "forest.jsonl")])
    server = LastingClient(":memory:")
    with monkeypatch.context() as patch:
        patch.setattr("qdrant_client.QdrantClient", lambda **_: server)
        await fill_vectors(library, embedder(), url="http://127.0.0.1:9")
    source = LibrarySource(library, embedder(), url="http://127.0.0.1:9")
    result = await source.search(Query("soil moisture"), 5)
    source.close()
    assert "http://127.0.0.1:9 is out of reach" in result.warnings[0]
    assert "searched with BM25 only" in result.warnings[0]
    assert len(result.papers) == 5


def test_a_row_whose_facts_changed_is_another_point() -> None:
    row = Row("a", "a", "text", 20_200_101, 2020, "ACL", "a.bib")
    changed = [
        Row("a", "a", "text", 20_200_101, 2020, "EMNLP", "a.bib"),
        Row("a", "a", "text", 0, 2020, "ACL", "a.bib"),
    ]
    assert len({point_id(r) for r in (row, *changed)}) == 3
    assert point_id(row) == point_id(Row("a", "a", "text", 20_200_101, 2020, "ACL", "a.bib"))
