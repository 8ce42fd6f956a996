"""Reading beyond abstracts: PDFs of arXiv and of libraries, with the page that a quote stands on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.pdf import Page, column, paragraphs, pdf
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.types import Paper
from litrag.pipelines.api import Review

TEXT = f"{TITLE}\n\n{ABSTRACT}"
DEEP = "Trained dogs find forty percent more mushrooms by smell in dense forest than drones with cameras do."


def works() -> list[Paper]:
    """Four papers, the first of which arXiv has."""
    first, *rest = papers()[:4]
    return [replace(first, arxiv_id="2001.00001"), replace(rest[0], arxiv_id="2001.00002"), *rest[1:]]


class Server:
    """arXiv's PDFs: one that is whole; others by their paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        body = f"{DEEP}\n" + "\n".join(
            f"On day {n} the dogs walked through the forest and smelled at leaves." for n in range(8)
        )
        whole = pdf(
            [
                Page(column(paragraphs(1, word="weather"))),
                Page(column(paragraphs(2, word="stones"))),
                Page(column(body)),
            ]
        )
        self.files = {"/2001.00001": whole}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                """Silent."""

            def do_GET(self) -> None:
                server.asked.append(self.path)
                body = server.files.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def made(server: Server, folder: Path, **options: Any) -> Review:
    library = write_library(folder / "forest.jsonl", works())
    how = {"source_urls": {"arxiv-pdf": server.url}, "source_intervals": {"arxiv-pdf": 0.0}, "source_seconds": 20.0}
    return review(TEXT, library=library, out=folder / "out", **{**how, **options})


def evidence(result: Review) -> dict[str, dict[str, Any]]:
    rows = json.loads((result.folder / "evidence.json").read_text())["evidence"]
    return {row["paper"]["id"]: row for row in rows}


def test_the_passage_nearest_to_the_text_is_read_with_its_page(server: Server, tmp_path: Path) -> None:
    """A claim of a paper's fourth page is no claim of its abstract, and nobody finds it without the page."""
    result = made(server, tmp_path, full_text=True, backend=Author(), model="scripted/m", embed_model="scripted/e")
    row = evidence(result)["0-0"]
    assert DEEP in row["passage"]
    starts = {page["page"]: page["start"] for page in row["pages"]}
    assert row["passage"][starts[3] :].startswith(DEEP)
    assert row["passage"].startswith("Dog Training in Practice, Part 0\nThe question of dog training is old.")
    assert row["passage"][row["start"] : row["end"]] == row["quote"]
    assert evidence(result)["0-2"]["pages"] == []
    assert result.counters["full_texts"] == 1


def test_what_is_no_pdf_is_a_warning(server: Server, tmp_path: Path, no_weights: None) -> None:
    server.files["/2001.00002"] = b"<html>not found</html>"
    result = made(server, tmp_path, full_text=True, source_seconds=3.0)
    record = json.loads((result.folder / "run.json").read_text())
    (warning,) = [text for text in record["warnings"] if "full text" in text]
    assert "its full text was not read: arXiv's PDFs" in warning
    assert result.papers == 4


@pytest.mark.parametrize(
    "known",
    [{"url": "https://aclanthology.org/P19-1001/"}, {"doi": "10.18653/v1/p19-1001"}],
)
def test_the_acl_anthology_is_open(server: Server, tmp_path: Path, known: dict[str, str], no_weights: None) -> None:
    server.files["/P19-1001.pdf"] = server.files["/2001.00001"]
    first, *rest = papers()[:3]
    library = write_library(tmp_path / "forest.jsonl", [replace(first, **known), *rest])  # type: ignore[arg-type]
    how = {"source_urls": {"acl-pdf": server.url}, "source_intervals": {"acl-pdf": 0.0}}
    result = review(TEXT, library=library, out=tmp_path / "out", full_text=True, **how)
    assert server.asked == ["/P19-1001.pdf"]
    assert DEEP in evidence(result)["0-0"]["passage"]
    assert result.counters["full_texts"] == 1


def test_nothing_is_fetched_unless_it_was_asked_for(server: Server, tmp_path: Path, no_weights: None) -> None:
    made(server, tmp_path)
    assert server.asked == []


def test_a_librarys_own_pdf_is_read_and_nobody_is_asked(server: Server, tmp_path: Path, no_weights: None) -> None:
    folder = tmp_path / "pdfs"
    folder.mkdir()
    first = "Dogs and Mushrooms in Forests\n" + paragraphs(1, word="dogs and mushrooms")
    (folder / "dogs.pdf").write_bytes(pdf([Page(column(first)), Page(column(f"{DEEP}\n{paragraphs(2, word='dogs')}"))]))
    result = review(TEXT, library=folder, out=tmp_path / "out", full_text=True)
    (row,) = evidence(result).values()
    assert DEEP in row["passage"]
    assert {page["page"] for page in row["pages"]} == {1, 2}
    assert server.asked == []
