"""The one way to the scholarly web, against a server on the loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from fakes.scholarly import Scholarly, scholarly
from fakes.texts import papers

from litrag.core.errors import SourceOverloaded, SourceRefused
from litrag.retrievers.sources.pacing import Pacing
from litrag.retrievers.sources.semantic_scholar import SEMANTIC_SCHOLAR
from litrag.retrievers.sources.web import Host, Web, WebRequest, retry_after

HOST = Host("Toy", interval=0.0, attempts=3, stall=10.0, first_wait=0.01)


@pytest.fixture
def server() -> Iterator[Scholarly]:
    with scholarly(papers()) as state:
        yield state


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path / "web.sqlite", contact="me@example.org")
    yield made
    made.close()


def request(server: Scholarly, words: str = "dogs") -> WebRequest:
    url = f"{server.urls()['semantic-scholar']}/graph/v1/paper/search"
    return WebRequest(url, {"query": words, "limit": "3"}, secret_headers={"x-api-key": "s3cret"})


async def test_an_answer_is_kept_and_the_key_is_not(web: Web, server: Scholarly, tmp_path: Path) -> None:
    first = await web.fetch(request(server), HOST, json.loads)
    assert await web.fetch(request(server), HOST, json.loads) == first
    assert server.count("semantic-scholar") == 1
    assert server.asked[0].headers["x-api-key"] == "s3cret"
    assert server.asked[0].headers["user-agent"].startswith("litrag/0.")
    assert "mailto:me@example.org" in server.asked[0].headers["user-agent"]
    assert b"s3cret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


async def test_an_old_answer_is_asked_again_and_replayed_without_asking(server: Scholarly, tmp_path: Path) -> None:
    web = Web(tmp_path / "w.sqlite", ttl=0.0)
    first = await web.fetch(request(server), HOST, json.loads)
    assert await web.fetch(request(server), HOST, json.loads) == first
    assert server.count("semantic-scholar") == 2
    web.close()
    replay = Web(tmp_path / "w.sqlite", ttl=0.0, replay=True)
    assert await replay.fetch(request(server), HOST, json.loads) == first
    with pytest.raises(SourceRefused, match="Toy: no recorded answer"):
        await replay.fetch(request(server, "drones"), HOST, json.loads)
    assert server.count("semantic-scholar") == 2
    replay.close()


@pytest.mark.parametrize("fault", ["429", "500", "gone", "truncated", "html", "stall"])
async def test_what_passes_is_tried_again(web: Web, server: Scholarly, fault: str) -> None:
    server.faults, server.times = {"semantic-scholar": fault}, 2
    host = replace(HOST, stall=1.0) if fault == "stall" else HOST
    answer = await web.fetch(request(server), host, json.loads)
    assert len(answer["data"]) == 3
    assert server.count("semantic-scholar") == 3


@pytest.mark.parametrize(
    ("fault", "asked", "message"),
    [
        ("429", 3, "Toy answered 429"),
        ("429 for an hour", 1, "asks to wait 3600 s"),
        ("500", 3, "Toy answered 500"),
        ("gone", 3, "Toy cannot be reached"),
        ("truncated", 3, "cannot be read"),
        ("html", 3, "cannot be read"),
        ("stall", 3, "Toy sent nothing for 0.4 s"),
        ("huge", 1, "sent more than 10 MB"),
    ],
)
async def test_what_does_not_pass_is_named(web: Web, server: Scholarly, fault: str, asked: int, message: str) -> None:
    server.faults = {"semantic-scholar": fault}
    host = replace(HOST, stall=0.4) if fault == "stall" else HOST
    start = time.monotonic()
    with pytest.raises((SourceOverloaded, SourceRefused), match=message) as caught:
        await web.fetch(request(server), host, json.loads, seconds=60)
    assert server.count("semantic-scholar") == asked
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert time.monotonic() - start < 50, "before all the time allowed is up"


async def test_all_waiting_ends_when_the_time_is_up_and_says_what_went_wrong(web: Web, server: Scholarly) -> None:
    server.faults = {"semantic-scholar": "500"}
    start = time.monotonic()
    with pytest.raises(SourceOverloaded, match=r"no answer within 3 s .Toy answered 500"):
        await web.fetch(request(server), replace(HOST, attempts=50, first_wait=0.2), json.loads, seconds=3)
    assert time.monotonic() - start < 30, "fifty attempts would take minutes"


async def test_nobody_is_asked_in_an_hour_of_rest(web: Web, server: Scholarly) -> None:
    """A Retry-After holds for every caller, not for the request that met it."""
    server.faults, server.times = {"semantic-scholar": "429 for an hour"}, 1
    with pytest.raises(SourceOverloaded):
        await web.fetch(request(server), HOST, json.loads, seconds=60)
    with pytest.raises(SourceRefused, match=r"none is left within (5\d|60) s"):
        await web.fetch(request(server, "drones"), HOST, json.loads, seconds=60)
    assert server.count("semantic-scholar") == 1


async def test_after_five_failures_a_host_is_left_alone_and_a_success_opens_it(
    server: Scholarly, tmp_path: Path
) -> None:
    web = Web(tmp_path / "w.sqlite")
    server.faults = {"semantic-scholar": "500"}
    once = replace(HOST, attempts=1)
    for i in range(5):
        with pytest.raises(SourceOverloaded, match="answered 500"):
            await web.fetch(request(server, f"dogs {i}"), once, json.loads)
    with pytest.raises(SourceOverloaded, match=r"failed again and again; it is left alone for \d+ s more"):
        await web.fetch(request(server, "dogs 6"), once, json.loads)
    assert server.count("semantic-scholar") == 5
    web.close()


def test_a_closed_host_opens_with_time_and_closes_at_the_next_failure() -> None:
    now = [1000.0]
    pacing = Pacing(":memory:", clock=lambda: now[0])
    pacing.turn("h", 1.0, 10.0)
    for _ in range(5):
        pacing.failed("h")
    assert pacing.closed("h") == 60.0
    now[0] += 61
    assert pacing.closed("h") == 0.0
    pacing.failed("h")
    assert pacing.closed("h") == 60.0
    pacing.succeeded("h")
    assert pacing.closed("h") == 0.0
    pacing.close()


def test_turns_are_an_interval_apart_and_none_is_taken_beyond_the_time() -> None:
    now = [1000.0]
    pacing = Pacing(":memory:", clock=lambda: now[0])
    assert [pacing.turn("h", 3.0, 10.0) for _ in range(5)] == [0.0, 3.0, 6.0, 9.0, None]
    assert pacing.turn("h", 3.0, 12.0) == 12.0, "the refused one took no turn"
    assert pacing.turn("other", 3.0, 0.0) == 0.0
    now[0] += 100
    assert pacing.turn("h", 3.0, 10.0) == 0.0
    pacing.postpone("h", 50)
    assert pacing.turn("h", 3.0, 10.0) is None
    now[0] -= 100_000
    assert pacing.turn("h", 3.0, 10.0) == 0.0, "a clock that was set back does not lock a host"
    pacing.close()


async def test_fifty_callers_at_once_keep_the_rate(web: Web, server: Scholarly) -> None:
    """Measured at the server; a busy machine holds requests up, and lets none come before its turn."""
    host = replace(HOST, interval=0.04, stall=20.0)
    start = time.monotonic()
    await asyncio.gather(*(web.fetch(request(server, f"dogs {i}"), host, json.loads) for i in range(50)))
    times = sorted(asked.at for asked in server.asked)
    assert len(times) == 50
    assert all(at - start >= turn * 0.04 * 0.97 for turn, at in enumerate(times))


def test_two_processes_share_one_rate(server: Scholarly, tmp_path: Path) -> None:
    script = f"""
import asyncio, json
import anyio._backends._asyncio, httpx  # what else the first request would wait for
from pathlib import Path
from litrag.retrievers.sources.web import Host, Web, WebRequest
async def main():
    web = Web(Path({str(tmp_path / "shared.sqlite")!r}))
    host = Host("Toy", interval=0.2)
    print("ready", flush=True); input()
    url = {server.urls()["semantic-scholar"]!r} + "/graph/v1/paper/search"
    name = __import__("os").getpid()
    await asyncio.gather(*(web.fetch(WebRequest(url, {{"query": f"dogs {{name}} {{i}}", "limit": "1"}}), host, json.loads) for i in range(8)))
asyncio.run(main())
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
    start = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    times = sorted(asked.at for asked in server.asked)
    assert len(times) == 16
    assert all(at - start >= turn * 0.2 * 0.97 for turn, at in enumerate(times)), (
        "two rates of their own would be done in half the time"
    )


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("12") == 12.0
    moment = datetime.now(UTC) + timedelta(hours=1)
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(3600, abs=60)
    assert retry_after(format_datetime(moment - timedelta(days=1), usegmt=True)) == 0.0
    assert retry_after("soon") is None
    assert retry_after("") is None


def test_the_hosts_own_limits_are_theirs() -> None:
    from litrag.retrievers.sources.arxiv import ARXIV

    assert ARXIV.interval >= 3.0
    assert SEMANTIC_SCHOLAR.interval >= 1.0
