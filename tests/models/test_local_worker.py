"""The worker batches what waits, keeps to the limits, and lets one bad request harm no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from litrag.core.errors import BadInput, ModelUnavailable
from litrag.core.protocols import Usage
from litrag.models.local_worker import BatchLimits, Row, Worker
from litrag.models.request import ModelReply, ModelRequest


@dataclass(slots=True)
class TextRow(Row):
    text: str = ""


@dataclass
class UpperCase:
    """A runner whose model is `str.upper`: a row a text, the text's length is its length; "boom" breaks a batch."""

    limits: BatchLimits = field(default_factory=BatchLimits)
    vocabulary: int = 10
    batches: list[list[str]] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def load(self) -> UpperCase:
        """Itself, once the gate is open."""
        self.gate.wait(60)
        return self

    def rows(self, request: ModelRequest) -> Sequence[TextRow]:
        if "bad" in request.texts:
            raise BadInput("bad text")
        return [TextRow(request.kind, len(text), kept=1, text=text) for text in request.texts]

    def run(self, rows: Sequence[TextRow], finished: Callable[[TextRow], None]) -> None:
        self.entered.set()
        self.gate.wait(60)
        self.batches.append([row.text for row in rows])
        if any(row.text == "boom" for row in rows):
            raise RuntimeError("boom")
        for row in rows:
            row.text = row.text.upper()
            finished(row)

    def reply(self, request: ModelRequest, rows: Sequence[TextRow]) -> ModelReply:
        return ModelReply(Usage(len(rows)), texts=tuple(row.text for row in rows))


def request(*texts: str, kind: str = "document") -> ModelRequest:
    return ModelRequest("embed", "local/upper", "embed", texts=texts, kind="query" if kind == "query" else "document")


async def sent(worker: Worker, runner: UpperCase, *requests: ModelRequest) -> list[ModelReply | BaseException]:
    """Sends all while the model is being loaded, so that they wait together."""
    tasks = [asyncio.ensure_future(worker.send(r)) for r in requests]
    await asyncio.sleep(0)
    runner.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_requests_sent_together_share_a_batch_and_keep_their_order() -> None:
    runner = UpperCase()
    replies = await sent(Worker("test", runner.load), runner, request("a", "b"), request("c"))
    assert [reply.texts for reply in replies if isinstance(reply, ModelReply)] == [("A", "B"), ("C",)]
    assert runner.batches == [["a", "b", "c"]]


async def test_a_batch_holds_rows_of_one_key_nearest_in_length_to_the_oldest() -> None:
    runner = UpperCase(BatchLimits(rows=2))
    texts = request("aaa", "a" * 9, "bb", "b" * 8)
    await sent(Worker("test", runner.load), runner, texts, request("ccc", kind="query"))
    assert runner.batches == [["aaa", "bb"], ["a" * 9, "b" * 8], ["ccc"]]


@pytest.mark.parametrize("limits", [BatchLimits(tokens=10), BatchLimits(logits=20), BatchLimits(rows=2)])
async def test_a_batch_keeps_to_its_limits(limits: BatchLimits) -> None:
    runner = UpperCase(limits)
    await sent(Worker("test", runner.load), runner, request("aaaaa", "bbbbb", "ccccc"))
    assert runner.batches == [["aaaaa", "bbbbb"], ["ccccc"]]


async def test_a_single_row_over_the_limit_runs_alone() -> None:
    runner = UpperCase(BatchLimits(tokens=3))
    await sent(Worker("test", runner.load), runner, request("aaaaa", "b"))
    assert runner.batches == [["aaaaa"], ["b"]]


async def test_a_bad_request_fails_alone() -> None:
    runner = UpperCase()
    bad, good = await sent(Worker("test", runner.load), runner, request("bad"), request("good"))
    assert isinstance(bad, BadInput)
    assert isinstance(good, ModelReply)
    assert good.texts == ("GOOD",)


async def test_a_batch_that_breaks_fails_its_own_requests_and_the_worker_lives() -> None:
    runner = UpperCase(BatchLimits(rows=1))
    worker = Worker("test", runner.load)
    broken, good = await sent(worker, runner, request("x", "boom", "y"), request("good"))
    assert isinstance(broken, RuntimeError)
    assert isinstance(good, ModelReply)
    assert (await worker.send(request("later"))).texts == ("LATER",)
    assert ["y"] not in runner.batches


async def test_a_cancelled_request_is_not_computed() -> None:
    runner = UpperCase(BatchLimits(rows=1))
    worker = Worker("test", lambda: runner)
    first, second = (asyncio.ensure_future(worker.send(request(text))) for text in ("first", "second"))
    assert await asyncio.to_thread(runner.entered.wait, 60)
    second.cancel()
    await asyncio.wait([second])  # the loop has to come to it before the worker goes on
    runner.gate.set()
    assert (await first).texts == ("FIRST",)
    assert (await worker.send(request("third"))).texts == ("THIRD",)
    assert runner.batches == [["first"], ["third"]]


async def test_a_request_cancelled_while_it_runs_leaves_the_worker_unharmed() -> None:
    runner = UpperCase()
    worker = Worker("test", lambda: runner)
    task = asyncio.ensure_future(worker.send(request("gone")))
    assert await asyncio.to_thread(runner.entered.wait, 60)
    task.cancel()
    runner.gate.set()
    assert (await worker.send(request("here"))).texts == ("HERE",)


async def test_a_request_without_rows_is_answered() -> None:
    runner = UpperCase()
    assert (await Worker("test", lambda: runner).send(request())).texts == ()


async def test_a_model_that_cannot_be_loaded_is_tried_again_by_the_next_request() -> None:
    """The user who runs `litrag setup` meanwhile need not restart."""
    runner, attempts = UpperCase(), []
    runner.gate.set()

    def load() -> UpperCase:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelUnavailable("no weights")
        return runner

    worker = Worker("test", load)
    with pytest.raises(ModelUnavailable):
        await worker.send(request("a"))
    assert (await worker.send(request("a"))).texts == ("A",)


async def test_a_stopped_worker_refuses_what_waits() -> None:
    runner = UpperCase(BatchLimits(rows=1))
    worker = Worker("test", lambda: runner)
    running = asyncio.ensure_future(worker.send(request("running")))
    assert await asyncio.to_thread(runner.entered.wait, 60)
    waiting = asyncio.ensure_future(worker.send(request("waiting")))
    await asyncio.sleep(0)
    worker.stop()
    late = asyncio.ensure_future(worker.send(request("late")))
    await asyncio.sleep(0)
    runner.gate.set()
    assert (await running).texts == ("RUNNING",)
    worker.join(60)
    for task in (late, waiting, asyncio.ensure_future(worker.send(request("after")))):
        with pytest.raises(ModelUnavailable, match="closed"):
            await asyncio.wait_for(task, 60)


def test_one_worker_serves_several_event_loops_at_once() -> None:
    runner = UpperCase()
    runner.gate.set()
    worker = Worker("test", lambda: runner)
    found: dict[int, tuple[str, ...]] = {}

    def ask(i: int) -> None:
        found[i] = asyncio.run(worker.send(request(f"text {i}"))).texts

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {i: (f"TEXT {i}",) for i in range(8)}
