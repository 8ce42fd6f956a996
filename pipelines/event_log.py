"""What a run tells while it works, kept in its folder, so that any process can follow it: a page, a tool, another terminal.

One JSON object a line in events.jsonl; the number of its line, from 1 on, is an event's id. Only who holds the run writes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from litrag.core.errors import CannotWrite
from litrag.core.events import Event, Listener
from litrag.pipelines.runs import Run

__all__ = ["EventReader", "event_log", "open_stage"]

_GAP: Final = 0.25  # seconds between two lines of mere progress


@contextmanager
def event_log(run: Run) -> Iterator[Listener]:
    """A listener that keeps events; progress that follows too fast upon progress is left out, but for the last of its units. Raises CannotWrite."""
    try:
        file = _file(run).open("a", encoding="utf-8", newline="\n")
        if file.tell() and not _file(run).read_bytes().endswith(b"\n"):
            file.write("\n")  # a killed process left half a line
    except OSError as error:
        raise CannotWrite(_file(run), error.strerror or str(error), remedy="free space or set LITRAG_HOME") from error
    last = 0.0

    def listen(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        if event.kind == "progress" and now - last < _GAP and not (event.total and event.done == event.total):
            return
        last = now
        file.write(json.dumps({"at": round(time.time(), 3), **asdict(event)}) + "\n")
        file.flush()

    with file:
        yield listen


class EventReader:
    """Reads a run's events as they come. `after` is the id of the last one that is known already."""

    def __init__(self, run: Run, *, after: int = 0) -> None:
        self._file, self._after, self._read, self._place = _file(run), after, 0, 0

    def new(self) -> tuple[tuple[int, Event], ...]:
        """The events since the last call, with their ids. A line that is still being written is left for the next call."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._place)
                lines = file.read().split(b"\n")[:-1]
        except OSError:
            return ()
        self._place += sum(len(line) + 1 for line in lines)
        found = []
        for line in lines:
            self._read += 1
            if self._read > self._after and (event := _event(line)) is not None:
                found.append((self._read, event))
        return tuple(found)


def open_stage(run: Run) -> str:
    """The stage that began and did not end, "" where there is none."""
    stage = ""
    for _, event in EventReader(run).new():
        if event.kind == "start":
            stage = event.stage
        elif event.kind == "end" and event.stage == stage:
            stage = ""
    return stage


def _file(run: Run) -> Path:
    return run.folder / "events.jsonl"


def _event(line: bytes) -> Event | None:
    """None for a line that a killed process left half."""
    try:
        data = json.loads(line)
        return Event(data["stage"], data["message"], data["kind"], data["done"], data["total"])
    except (ValueError, KeyError, TypeError):
        return None
