"""One daemon thread a loaded model: requests wait in a queue, are cut into rows, and rows of like length run as one
batch.

The event loop never computes; a worker serves any number of loops. A request that is cancelled drops out before its
next step."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from litrag.core.errors import ModelUnavailable
from litrag.models.request import ModelReply, ModelRequest

__all__ = ["BatchLimits", "Row", "Runner", "Worker"]

R = TypeVar("R", bound="Row")
_CLOSED: Final = "the local backend was closed while a request waited"
_PATIENCE: Final = 10.0  # seconds that the interpreter's end waits for a batch


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one batch may hold: `rows`; `tokens` computed at once, padding included; `cache` tokens kept for decoding;
    `logits` values (positions x vocabulary). A single row may pass them."""

    rows: int = 32
    tokens: int = 2048
    cache: int = 16_384
    logits: int = 2**27


@dataclass(slots=True)
class _Job:
    request: ModelRequest
    future: Future[ModelReply] = field(default_factory=Future)
    rows: Sequence[Row] = ()
    open: int = 0


@dataclass(slots=True)
class Row:
    """One sequence of a request. Rows of one `key` can share a batch. `length` counts the tokens to compute, `room`
    those to keep, `kept` the positions whose logits are needed."""

    key: str
    length: int
    room: int = field(default=0, kw_only=True)
    kept: int = field(default=0, kw_only=True)
    done: bool = field(default=False, kw_only=True)
    job: _Job | None = field(default=None, kw_only=True, repr=False)

    @property
    def dropped(self) -> bool:
        """Whether nobody waits for it any more: its request was cancelled or has failed."""
        return self.job is not None and self.job.future.done()


class Runner(Protocol[R]):
    """A loaded model: cuts requests into rows, runs rows of one key, puts replies together. Used by one thread."""

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""

    @property
    def vocabulary(self) -> int:
        """Values a kept position."""

    def rows(self, request: ModelRequest) -> Sequence[R]:
        """The rows of a request, in an order that `reply` understands. Raises BadInput."""

    def run(self, rows: Sequence[R], finished: Callable[[R], None]) -> None:
        """Computes rows of one key and says of each when it is finished; a dropped row may be left unfinished."""

    def reply(self, request: ModelRequest, rows: Sequence[R]) -> ModelReply:
        """The reply to a request whose rows are all finished."""


_AnyRunner: TypeAlias = Runner[Any]
_Queue: TypeAlias = "queue.SimpleQueue[_Job | None]"


class Worker:
    """Owns one model, loaded by `load` when the first request comes. `linger` seconds pass before the first batch of an
    idle worker, in which requests sent together arrive together.

    The thread ends before the interpreter does: one that still ran then would bring the process down with it."""

    def __init__(self, name: str, load: Callable[[], _AnyRunner], *, linger: float = 0.002) -> None:
        self._queue: _Queue = queue.SimpleQueue()
        self._open: set[Future[ModelReply]] = set()
        self._thread = threading.Thread(target=_Loop(self._queue, load, linger).run, name=f"litrag-{name}", daemon=True)
        self._thread.start()
        atexit.register(_end, weakref.ref(self))

    async def send(self, request: ModelRequest) -> ModelReply:
        """Waits for the reply without blocking the event loop. Raises what the runner raised for this request."""
        job = _Job(request)
        self._open.add(job.future)
        job.future.add_done_callback(self._open.discard)
        self._queue.put(job)
        if not self._thread.is_alive():
            _fail(job.future, ModelUnavailable(_CLOSED))
        return await asyncio.wrap_future(job.future)

    def stop(self, *, now: bool = False) -> None:
        """Lets the thread end after its current batch, or, with `now`, after its current step; requests that wait are
        refused."""
        self._queue.put(None)
        if now:
            for future in list(self._open):
                _fail(future, ModelUnavailable(_CLOSED))

    def join(self, timeout: float | None = None) -> None:
        """Waits for the thread's end after `stop`; seconds."""
        self._thread.join(timeout)


def _end(reference: weakref.ref[Worker]) -> None:
    if (worker := reference()) is not None:
        worker.stop(now=True)
        worker.join(_PATIENCE)


class _Loop:
    def __init__(self, jobs: _Queue, load: Callable[[], _AnyRunner], linger: float) -> None:
        self._queue, self._load, self._linger = jobs, load, linger
        self._runner: _AnyRunner | None = None
        self._waiting: list[Row] = []

    def run(self) -> None:
        while self._take():
            self._waiting = [row for row in self._waiting if not row.dropped]
            if self._runner is not None and self._waiting:
                rows = _batch(self._waiting, self._runner.limits, self._runner.vocabulary)
                chosen = {id(row) for row in rows}
                self._waiting = [row for row in self._waiting if id(row) not in chosen]
                self._compute(self._runner, rows)
        left = [row.job for row in self._waiting]
        while not self._queue.empty():
            left.append(self._queue.get())
        for job in left:
            if job is not None:
                _fail(job.future, ModelUnavailable(_CLOSED))

    def _take(self) -> bool:
        """Takes in what was sent; blocks where there is nothing else to do. False: stop."""
        until = 0.0
        while True:
            try:
                if self._waiting:
                    job = self._queue.get(timeout=max(0.0, until - time.monotonic()))
                else:
                    job = self._queue.get()
                    until = time.monotonic() + self._linger
            except queue.Empty:
                return True
            if job is None:
                return False
            self._accept(job)

    def _accept(self, job: _Job) -> None:
        if job.future.done():
            return
        try:
            self._runner = self._runner or self._load()
            job.rows = self._runner.rows(job.request)
        except Exception as error:
            _fail(job.future, error)
            return
        job.open = len(job.rows)
        for row in job.rows:
            row.job = job
        self._waiting.extend(row for row in job.rows if not row.done)
        for row in job.rows:
            if row.done:
                self._finished(row)
        if not job.rows:
            self._answer(job)

    def _compute(self, runner: _AnyRunner, rows: Sequence[Row]) -> None:
        try:
            runner.run(rows, self._finished)
        except Exception as error:
            for row in rows:
                if not row.done and row.job is not None:
                    _fail(row.job.future, error)

    def _finished(self, row: Row) -> None:
        row.done = True
        if row.job is not None:
            row.job.open -= 1
            if row.job.open == 0:
                self._answer(row.job)

    def _answer(self, job: _Job) -> None:
        if self._runner is None:
            return
        try:
            reply = self._runner.reply(job.request, job.rows)
        except Exception as error:
            _fail(job.future, error)
            return
        with contextlib.suppress(InvalidStateError):
            job.future.set_result(reply)


def _fail(future: Future[ModelReply], error: Exception) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def _batch(waiting: Sequence[Row], limits: BatchLimits, vocabulary: int) -> list[Row]:
    """The row that waits longest and those of its key that are nearest to it in length, as many as the limits allow."""
    first = waiting[0]
    alike = sorted((row for row in waiting[1:] if row.key == first.key), key=lambda row: abs(row.length - first.length))
    chosen, length, room, kept = [first], first.length, first.room, first.kept
    for row in alike:
        n = len(chosen) + 1
        length, room, kept = max(length, row.length), max(room, row.room), max(kept, row.kept)
        if (
            n > limits.rows
            or n * length > limits.tokens
            or n * room > limits.cache
            or n * kept * vocabulary > limits.logits
        ):
            break
        chosen.append(row)
    return chosen
