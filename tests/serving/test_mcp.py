"""The MCP server as its clients have it: in this process, as a child over stdio, over HTTP. The model is a loopback server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fakes.author import Author, reply_to
from fakes.chat import Chat, chat_server
from fakes.mcp_clients import Bare, Progress, http_client, over_stdio, said
from fakes.texts import ABSTRACT, TITLE, papers, write_library
from mcp import Client, MCPError
from starlette.testclient import TestClient

from litrag import Review, review
from litrag.core.errors import BadInput, MissingExtra
from litrag.core.settings import load_settings
from litrag.pipelines.runs import find_run
from litrag.retrievers.sources import SOURCES
from litrag.retrievers.sources.library import add_library
from litrag.serving.asked import lowered
from litrag.serving.guard import rules
from litrag.serving.mcp_arguments import Search
from litrag.serving.mcp_http import serve_http
from litrag.serving.mcp_server import server_of
from litrag.serving.mcp_tools import TOOLS, Desk
from litrag.serving.web import Web, web_app

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-thirty-two-characters"


@pytest.fixture
def library(tmp_path: Path, home: Path) -> str:
    add_library([write_library(tmp_path / "forest.jsonl", papers()[:20])], name="forest")
    return "forest"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """A model that every child of the test may ask; `LITRAG_*` tells them how."""
    with chat_server(lambda prompt: time.sleep(0.02) or reply_to(prompt)) as server:
        for name, value in {
            "OPENAI_API_KEY": "none",
            "LITRAG_MODEL": "openai/m",
            "LITRAG_API_BASE": server.url,
            "LITRAG_EMBED_MODEL": "none",
            "LITRAG_PAPERS": "8",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def finished(library: str, tmp_path: Path) -> Review:
    return review(
        ABSTRACT,
        title=TITLE,
        library=library,
        out=tmp_path / "out",
        backend=Author(),
        model="openai/m",
        embed_model="none",
        papers=8,
    )


def here(**settings: Any) -> Client:
    """The official client of a server in this process."""
    return Client(server_of(Desk.of(load_settings(embed_model="none", **settings))))


# What it says of itself


async def test_the_list_of_tools_is_short_enough_for_a_small_model() -> None:
    """A token of a small model is about 3.5 of these characters: 300 tokens for the longest tool, 1,500 for all with what they give."""
    async with here() as client:
        tools = (await client.list_tools()).tools
    shown = [len(json.dumps([t.name, t.description, t.input_schema])) for t in tools]
    assert max(shown) <= 1050
    assert sum(shown) <= 4500
    whole = sum(len(t.model_dump_json(by_alias=True, exclude_none=True)) for t in tools)
    assert whole <= 5600


async def test_the_documentation_lists_the_tools_as_they_are() -> None:
    text = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    said_there = {name: (set(re.findall(r"`(\w+)`", arguments)), does) for name, does, arguments in rows}
    assert said_there == {name: (set(tool.takes.model_fields), tool.does) for name, tool in TOOLS.items()}


async def test_the_schema_names_the_sources_that_there_are() -> None:
    async with here() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    properties = tools["review"].input_schema["properties"]
    assert properties["sources"]["items"]["enum"] == list(SOURCES)
    assert tools["review"].input_schema["required"] == ["abstract"]
    assert tools["review"].annotations is not None
    assert not tools["review"].annotations.read_only_hint


# What it refuses


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("search", {"query": ["a", "b"]}, "argument 'query': input should be a valid string"),
        ("search", {}, "argument 'query': field required"),
        ("search", {"query": "dogs", "k": 0}, "argument 'k': input should be greater than or equal to 1"),
        ("search", {"query": "dogs", "limit": 3}, "the arguments are: query, k, libraries"),
        ("search", {"query": "dogs", "before": "soon"}, "argument 'before'"),
        ("search", {"query": "dogs", "libraries": ["../../etc/passwd"]}, "no library named '../../etc/passwd'"),
        ("search", {"query": "dogs", "libraries": "forest.jsonl"}, "there is: forest"),
        ("search", {"query": "dogs", "sources": ["http://127.0.0.1/"]}, "argument 'sources.0'"),
        ("review", {"abstract": "x" * 5_000_000}, "at most 100000 characters"),
        ("review", {"abstract": "Too short."}, "fewer than 5 words"),
        ("review", {"abstract": ABSTRACT, "style": "/etc/passwd"}, "argument 'style'"),
        ("review", {"abstract": ABSTRACT, "max_cost": -1}, "argument 'max_cost'"),
        ("review", {"abstract": ABSTRACT, "model": "openai/gpt-4o"}, "argument 'model': extra inputs"),
        ("estimate", {"abstract": ABSTRACT, "libraries": ["/etc"]}, "no library named '/etc'"),
        ("continue_review", {"run_id": "nosuch"}, "no run named 'nosuch'"),
        ("get_run", {"run_id": "../../etc"}, "no run named '../../etc'"),
        ("get_evidence", {"run_id": "nosuch"}, "no run named"),
        ("export", {"run_id": "nosuch", "format": "exe"}, "argument 'format'"),
        (
            "verify",
            {"text": "So it is [@a].", "bibliography": "/etc/passwd"},
            "the bibliography holds no readable paper",
        ),
        ("verify", {"text": "Nothing.", "bibliography": "@article{a, title={T}}"}, "cites nothing that is known"),
    ],
)
async def test_a_malformed_call_is_one_line_that_says_what_to_do(
    library: str, tool: str, arguments: dict[str, Any], line: str
) -> None:
    async with here() as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert line in said(result)
    assert "\n" not in said(result)
    assert "Traceback" not in said(result)
    assert len(said(result)) < 400


async def test_an_unknown_tool_and_an_unknown_resource_are_errors_of_the_protocol(library: str) -> None:
    async with here() as client:
        with pytest.raises(MCPError, match=r"no tool named 'rm'; there is: search, review"):
            await client.call_tool("rm", {"path": "/"})
        for address in ("litrag://runs/../../etc/passwd", "litrag://runs/x/request.json", "file:///etc/passwd"):
            with pytest.raises(MCPError, match="no resource named"):
                await client.read_resource(address)
        with pytest.raises(MCPError, match="no run named 'nosuch'"):
            await client.read_resource("litrag://runs/nosuch/review.md")


async def test_a_bug_is_told_without_its_traceback(
    library: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The bug here is another package's; the client's other calls go on."""
    import bm25s

    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("a secret of the machine")

    async with here() as client:
        with monkeypatch.context() as patch:
            patch.setattr(bm25s.BM25, "get_scores", broken)
            result = await client.call_tool("search", {"query": "mushrooms and dogs"})
        again = await client.call_tool("search", {"query": "mushrooms and dogs"})
    assert result.is_error
    assert said(result) == "bug in litrag: ZeroDivisionError; the server's standard error has the rest"
    assert "a secret of the machine" in capfd.readouterr().err
    assert not again.is_error


def test_a_client_can_lower_the_budget_and_never_raise_it() -> None:
    allowed = load_settings(max_calls=10, max_cost=0.5, max_searches=4)
    asked = lowered(allowed, {"max_calls": 1000, "max_cost": 0.1, "max_searches": 0, "max_seconds": 5.0})
    assert (asked.max_calls, asked.max_cost, asked.max_searches, asked.max_seconds) == (10, 0.1, 0, 5.0)
    assert lowered(allowed, {"max_calls": None}).max_calls == 10


def test_models_write_lists_as_texts() -> None:
    assert Search.model_validate({"query": "q", "libraries": '["a", "b"]'}).libraries == ["a", "b"]
    assert Search.model_validate({"query": "q", "libraries": "a"}).libraries == ["a"]


def test_without_the_sdk_the_command_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from litrag.cli.mcp import mcp

    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(MissingExtra, match=r"pip install 'litrag\[mcp\]'"):
        mcp()


# What the tools give


async def test_search_gives_papers_best_first_and_says_where_its_budget_ended(library: str, tmp_path: Path) -> None:
    add_library([write_library(tmp_path / "more.jsonl", papers()[20:])], name="more")
    async with here() as client:
        result = await client.call_tool("search", {"query": "dogs trained by smell", "k": 3, "before": "2005-01-01"})
        stopped = await client.call_tool("search", {"query": "dogs", "max_searches": 1})
    assert not result.is_error
    found = result.structured_content["papers"]
    assert [paper["rank"] for paper in found] == [1, 2, 3]
    assert all(paper["title"].startswith("Dog Training") and paper["year"] < 2005 for paper in found)
    assert said(result).splitlines()[0].startswith("1. Dog Training in Practice, Part")
    assert stopped.structured_content["papers"]
    assert "stopped early: budget: searches" in said(stopped)


async def test_a_finished_review_is_read_marked_quoted_and_exported(finished: Review) -> None:
    run_id = finished.run_id
    async with here() as client:
        listed = await client.call_tool("get_run")
        state = await client.call_tool("get_run", {"run_id": run_id})
        first = await client.call_tool("get_evidence", {"run_id": run_id, "sentence": 1})
        key = first.structured_content["sentences"][0]["cites"][0]["key"]
        work = await client.call_tool("get_evidence", {"run_id": run_id, "key": key})
        doubtful = await client.call_tool("get_evidence", {"run_id": run_id})
        wrong = await client.call_tool("get_evidence", {"run_id": run_id, "key": "nobody1900"})
        late = await client.call_tool("get_evidence", {"run_id": run_id, "sentence": 999})
        done = await client.call_tool("continue_review", {"run_id": run_id})
        text = await client.call_tool("export", {"run_id": run_id})
        numeric = await client.call_tool("export", {"run_id": run_id, "style": "numeric"})
        word = await client.call_tool("export", {"run_id": run_id, "format": "docx"})
        others = {
            f: await client.call_tool("export", {"run_id": run_id, "format": f})
            for f in ("tex", "html", "bib", "ris", "csl")
        }
    assert listed.structured_content["runs"] == [{"run_id": run_id, "status": "done", "note": "done"}]
    (facts,) = state.structured_content["runs"]
    assert (facts["status"], facts["papers"], facts["unsupported"]) == ("done", 8, 0)
    assert said(state).startswith(f"run {run_id} is done: 8 papers cited, 0 citations unsupported")
    assert len(said(state)) < 2000
    (sentence,) = first.structured_content["sentences"]
    assert sentence["cites"][0]["verdict"] == "supported"
    (cited,) = work.structured_content["works"]
    assert cited["key"] == key
    assert cited["quote"]
    assert cited["quote"] in cited["passage"]
    assert f"“{cited['quote']}”" in said(work)
    assert said(doubtful).startswith("none of the ")
    assert (wrong.is_error, late.is_error, done.is_error) == (True, True, True)
    assert f"run {run_id} is done; there is nothing to go on with" in said(done)
    assert said(text) == finished.text
    assert "[1]" in said(numeric)
    assert word.structured_content["file"] == "review.docx"
    blob = next(block for block in word.content if block.type == "resource").resource
    assert base64.b64decode(blob.blob)[:2] == b"PK"
    assert said(others["tex"]).startswith("\\documentclass") or "\\documentclass" in said(others["tex"])
    assert f"{{{key}," in said(others["bib"])
    assert all(not result.is_error and result.structured_content["bytes"] > 100 for result in others.values())


async def test_runs_and_libraries_are_resources(finished: Review) -> None:
    async with here() as client:
        listed = [str(resource.uri) for resource in (await client.list_resources()).resources]
        templates = [t.uri_template for t in (await client.list_resource_templates()).resource_templates]
        read = {
            address: (await client.read_resource(address)).contents[0].text
            for address in (*listed, *(t.replace("{run_id}", finished.run_id) for t in templates))
        }
    base = f"litrag://runs/{finished.run_id}"
    assert listed == ["litrag://runs", "litrag://libraries", f"{base}/review.md"]
    assert json.loads(read["litrag://runs"])[0]["run_id"] == finished.run_id
    assert json.loads(read["litrag://libraries"]) == [{"name": "forest", "papers": 20}]
    for name in ("review.md", "evidence.json", "run.json"):
        assert read[f"{base}/{name}"] == (finished.folder / name).read_text(encoding="utf-8")


async def test_verify_takes_texts_and_finds_missing_abstracts_in_a_library(library: str) -> None:
    known = papers()[0]
    text = (
        f"“{' '.join(known.abstract.split()[:8])}” is said [@one]. Others say so, too [@two]. It is 77 times so [@one]."
    )
    bibliography = f"@article{{one, title={{{known.title}}}, year=2001}}\n@article{{three, title={{Unread}}}}"
    async with here() as client:
        result = await client.call_tool("verify", {"text": text, "bibliography": bibliography})
    rows = [(pair["key"], pair["verdict"]) for pair in result.structured_content["pairs"]]
    assert rows == [("two", "missing"), ("one", "unsupported"), ("one", "supported")]
    assert result.structured_content["faults"] == 2
    assert result.structured_content["uncited"] == ["three"]
    assert said(result).startswith("3 citations: 1 supported, 0 unchecked, 1 unsupported, 1 missing")


async def test_an_estimate_sends_nothing_and_leaves_no_run(library: str, model: Chat) -> None:
    async with here() as client:
        result = await client.call_tool("estimate", {"abstract": ABSTRACT, "papers": 10})
        runs = await client.call_tool("get_run")
    assert result.structured_content["calls"] > 5
    assert {row["role"] for row in result.structured_content["roles"]} >= {"rewrite", "plan", "write"}
    assert model.prompts == []
    assert said(runs) == "no runs yet; start one with review"


async def test_a_budget_stop_leaves_a_whole_review_and_says_so(library: str, model: Chat) -> None:
    """The client asks for more than the server allows."""
    async with here(max_calls=4) as client:
        result = await client.call_tool("review", {"abstract": ABSTRACT, "title": TITLE, "max_calls": 1000})
    facts = result.structured_content
    assert not result.is_error
    assert (facts["status"], facts["model_calls"]) == ("done", 4)
    assert facts["note"].startswith("budget: calls: 4 of 4 spent")
    assert "It was stopped early (budget: calls" in said(result)
    assert facts["papers"] == 8
    assert find_run(facts["run_id"]).request.settings["max_calls"] == 4


async def test_a_run_that_was_allowed_more_is_not_continued_here(finished: Review) -> None:
    async with here(max_cost=0.01) as client:
        result = await client.call_tool("continue_review", {"run_id": finished.run_id})
    assert result.is_error
    assert "max_cost 1, more than the 0.01 that this server allows" in said(result)


# Over stdio


def through_the_page(**fields: str) -> bytes:
    """The review.md of a form that was sent to `litrag serve`."""
    page = TestClient(web_app(Web(rules("127.0.0.1"))), base_url="http://127.0.0.1:8765", follow_redirects=False)
    token = re.search(r'name="csrf" value="(\w+)"', page.get("/").text)
    assert token
    sent = page.post("/runs", data={"csrf": token[1], **fields})
    run = sent.headers["location"]
    with page.stream("GET", f"{run}/events") as events:
        assert "event: end" in list(events.iter_lines())
    return page.get(f"{run}/files/review.md").content


async def test_two_reviews_at_once_over_stdio_equal_those_of_command_line_python_and_the_page(
    library: str, model: Chat, tmp_path: Path
) -> None:
    """The same settings and seed give the same bytes through every door."""
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n", encoding="utf-8")
    asked = {"abstract": ABSTRACT, "title": TITLE, "libraries": [library], "papers": 7, "seed": 3}
    progress = Progress()
    async with over_stdio(tmp_path) as client:
        ours, other = await asyncio.gather(
            client.call_tool("review", asked, progress_callback=progress),
            client.call_tool("review", {**asked, "style": "numeric"}),
        )
        address = f"litrag://runs/{ours.structured_content['run_id']}/review.md"
        through_mcp = (await client.read_resource(address)).contents[0].text
    out = tmp_path / "out"
    command = [sys.executable, "-m", "litrag.cli", "-q", "review", str(tmp_path / "abstract.txt")]
    options = ["--library", library, "--papers", "7", "--seed", "3", "-o", str(out)]
    await asyncio.to_thread(subprocess.run, [*command, *options], check=True, capture_output=True)
    here_too = await asyncio.to_thread(
        review, ABSTRACT, title=TITLE, library=library, papers=7, seed=3, out=tmp_path / "python"
    )
    assert through_mcp.encode() == (out / "review.md").read_bytes()
    assert through_mcp == here_too.text
    fields = {"abstract": ABSTRACT, "title": TITLE, "library": library, "papers": "7", "seed": "3"}
    assert through_mcp.encode() == await asyncio.to_thread(through_the_page, **fields)
    assert ours.structured_content["papers"] == 7
    assert (other.structured_content["status"], other.structured_content["papers"]) == ("done", 7)
    steps = [step for step, _, _ in progress.told]
    assert steps == sorted(set(steps))
    assert progress.told[0][2].startswith(f"run {ours.structured_content['run_id']} started")
    assert progress.told[-1][:2] == (12.0, 12.0)
    assert {message.split()[0] for _, _, message in progress.told} >= {"search", "write", "verify", "export"}


async def test_a_cancelled_review_and_one_whose_client_leaves_are_stopped_and_go_on(
    library: str, model: Chat, tmp_path: Path
) -> None:
    """Whoever stops waiting pays for nothing more; what was gathered is kept, and any server goes on with it."""
    asked = {"abstract": ABSTRACT, "title": TITLE}
    slow = {"pace": 0.5}
    model.answer = lambda prompt: time.sleep(slow["pace"]) or reply_to(prompt)
    first, second = Progress(), Progress()
    async with over_stdio(tmp_path) as client:
        call = asyncio.create_task(client.call_tool("review", asked, progress_callback=first))
        run_id = await first.run_id()
        await first.reaches("search")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        state = await _rest(client, run_id)
        assert state["status"] == "interrupted"
        left = asyncio.create_task(client.call_tool("continue_review", {"run_id": run_id}, progress_callback=second))
        await second.reaches("write")
    with pytest.raises((asyncio.CancelledError, MCPError)):
        await left
    slow["pace"] = 0.0
    async with here() as client:
        state = await _rest(client, run_id)
        assert state["status"] == "interrupted"
        result = await client.call_tool("continue_review", {"run_id": run_id})
    assert (result.structured_content["status"], result.structured_content["note"]) == ("done", "done")


LOUD = """
import os, sys, bm25s
scores = bm25s.BM25.get_scores
def loud(*arguments, **options):
    print("noise of a library")
    os.write(1, b"more noise\\n")
    os.system("echo noise of a child")
    return scores(*arguments, **options)
bm25s.BM25.get_scores = loud
sys.argv = ["litrag", "mcp"]
from litrag.cli.app import main
main()
"""


def test_standard_output_carries_the_protocol_only(library: str, model: Chat) -> None:
    """Libraries print, and one printed line ends a session. The older protocol, by hand; a client that asks for no progress is told none."""
    server = Bare([sys.executable, "-c", LOUD])
    client = {"name": "bare", "version": "1"}
    began = server.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
    assert began["result"]["serverInfo"]["name"] == "litrag"
    server.tell("notifications/initialized")
    found = server.ask("tools/call", name="search", arguments={"query": "dogs that smell mushrooms"})
    assert len(found["result"]["structuredContent"]["papers"]) == 10
    written = server.ask("tools/call", name="review", arguments={"abstract": ABSTRACT})
    assert written["result"]["structuredContent"]["status"] == "done"
    bad = server.ask("tools/call", name="search", arguments="none")
    assert bad["error"]["code"] == -32602
    errors, code = server.end()
    assert code == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)
    assert not [line for line in server.lines if "notifications/" in line]
    assert errors.count("noise of a library") == errors.count("more noise") == errors.count("noise of a child") > 0


# Over HTTP


async def test_http_takes_the_token_and_this_host_alone(library: str, model: Chat, tmp_path: Path) -> None:
    server, url = _listening(tmp_path)
    try:
        with httpx2.Client(timeout=120) as web:
            ours = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            statuses = [
                web.post(url, headers=headers, content=content).status_code
                for headers, content in (
                    ({}, "{}"),
                    ({"Authorization": "Bearer wrong"}, "{}"),
                    ({"Authorization": TOKEN}, "{}"),
                    ({**ours, "Host": "evil.example"}, "{}"),
                    ({**ours, "Origin": "http://evil.example"}, "{}"),
                    (ours, " " * 5_000_000),
                )
            ]
        assert statuses == [401, 401, 401, 421, 403, 413]
        async with http_client(url, TOKEN, mode="legacy") as client:  # the protocol before 2026
            assert len((await client.list_tools()).tools) == len(TOOLS)
            found = await client.call_tool("search", {"query": "dogs", "k": 2})
        progress = Progress()
        async with http_client(url, TOKEN) as client:
            written = await client.call_tool("review", {"abstract": ABSTRACT}, progress_callback=progress)
        assert len(found.structured_content["papers"]) == 2
        assert written.structured_content["status"] == "done"
        assert progress.told[0][2].startswith(f"run {written.structured_content['run_id']} ")
    finally:
        server.terminate()
        assert server.wait(timeout=120) is not None


def test_an_address_that_is_open_to_others_needs_a_token() -> None:
    desk = Desk.of(load_settings())
    with pytest.raises(BadInput, match=r"--host 0\.0\.0\.0 lets other machines ask; give a --token"):
        serve_http(desk, host="0.0.0.0", port=0, token="", tell=print)
    with pytest.raises(BadInput, match="a token of 5 characters can be guessed"):
        serve_http(desk, host="127.0.0.1", port=0, token="short", tell=print)


async def _rest(client: Client, run_id: str) -> dict[str, Any]:
    """The run, once nobody works on it any more."""
    for _ in range(3000):
        (run,) = (await client.call_tool("get_run", {"run_id": run_id})).structured_content["runs"]
        if run["status"] != "running":
            return dict(run)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{run_id} runs on")


def _listening(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A `litrag mcp --http` of its own, and its address."""
    log = folder / "http.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "litrag.cli", "-q", "mcp", "--http", "--port", "0"],
            env={**os.environ, "LITRAG_MCP_TOKEN": TOKEN},
            stdout=output,
            stderr=output,
        )
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if found := re.search(r"http://127\.0\.0\.1:\d+/mcp", log.read_text(encoding="utf-8")):
            return server, found[0]
        time.sleep(0.05)
    server.kill()
    raise AssertionError(log.read_text(encoding="utf-8"))
