"""Reviews that a server starts: each a process of its own, the command line's `runs resume`, so that a page stays quick, a review outlives the server,
and what was begun here goes on there."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from litrag.core.amounts import amount
from litrag.core.errors import BadInput, EnvironmentFault
from litrag.core.events import Event
from litrag.core.paths import home, made
from litrag.core.settings import Settings, stored_settings
from litrag.pipelines.event_log import EventReader
from litrag.pipelines.runs import Run, Status, new_run
from litrag.pipelines.state import ReviewRequest

__all__ = ["Jobs", "refuse_dearer"]

_LOOK: Final = 0.5  # seconds between two looks at a run's events


@dataclass(slots=True)
class Jobs:
    """Starts and follows reviews. At most `most` of those started here run at once."""

    most: int = 4
    _one: threading.Lock = field(default_factory=threading.Lock)
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, request: ReviewRequest) -> Run:
        """A new run, its files in a folder of its own under litrag's home. Raises BadInput where too many run already, EnvironmentFault."""
        with self._one:
            self._refuse_more()
            run = new_run(request, beside=made(home() / "reviews"))
            self._spawn(run)
        return run

    def go_on(self, run: Run, allowed: Settings) -> None:
        """Resumes a run that waits or was stopped. Raises BadInput where it runs or is done, was begun with more than is `allowed`, or too many
        run; EnvironmentFault."""
        refuse_dearer(run, allowed)
        with self._one:
            status, _ = self.state(run)
            if status in ("running", "done"):
                raise BadInput(f"run {run.id} is {status}; there is nothing to go on with")
            self._refuse_more()
            self._spawn(run)

    def stop(self, run: Run) -> None:
        """Interrupts a run, whoever started it; what it gathered is kept. Raises BadInput where it does not run."""
        child = self._children.get(run.id)
        if child is None or child.poll() is not None:
            run.stop()
        elif run.held:  # by its own handle: what its folder says of the process may still be of the session before
            child.send_signal(signal.SIGINT)
        else:  # it has not begun: there is nothing to keep
            child.terminate()

    def state(self, run: Run) -> tuple[Status, str]:
        """As `Run.state`; a review whose process has not begun yet runs."""
        status, note = run.state()
        child = self._children.get(run.id)
        if child is None:
            return status, note
        if child.poll() is None:
            return ("running", "start") if status != "running" else (status, note)
        if child.returncode and not _began(run, child.pid):
            stopped = child.returncode == -signal.SIGTERM
            return ("interrupted", "stopped before it began") if stopped else ("failed", _last_line(run))
        return status, note

    async def events(self, run: Run, *, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """What a run tells, from the event after `after` on, with ids; ends when the run waits, has failed or is done."""
        reader, quiet = EventReader(run, after=after), False
        while True:
            running = (
                not quiet or self.state(run)[0] == "running"
            )  # asked first: what it tells before its end is not missed
            events = reader.new()
            for found in events:
                yield found
            if not running:
                return
            quiet = not events
            await asyncio.sleep(_LOOK)

    def _refuse_more(self) -> None:
        running = [name for name, child in self._children.items() if child.poll() is None]
        if len(running) >= self.most:
            raise BadInput(f"{len(running)} reviews run already ({', '.join(running)}); wait for one, or stop one")

    def _spawn(self, run: Run) -> None:
        command = [sys.executable, "-m", "litrag.cli", "--quiet", "runs", "resume", run.id]
        try:
            with (run.folder / "output.txt").open("wb") as output:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
        except OSError as error:
            raise EnvironmentFault(
                f"the review cannot be started: {error.strerror}; start it with: litrag runs resume {run.id}"
            ) from error
        self._children[run.id] = child


def refuse_dearer(run: Run, allowed: Settings) -> None:
    """A run keeps the budget that it was begun with. Raises BadInput for one that was allowed more than these settings allow."""
    theirs, ours = stored_settings(run.request.settings).limits(), allowed.limits()
    for name in ("searches", "calls", "tokens", "cost", "seconds"):
        asked, most = getattr(theirs, name), getattr(ours, name)
        if most is not None and (asked is None or asked > most):
            raise BadInput(
                f"run {run.id} was begun with max_{name} {'unbounded' if asked is None else amount(asked)}, more than the {amount(most)} that this"
                f" server allows; go on with it by: litrag runs resume {run.id}"
            )


def _began(run: Run, pid: int) -> bool:
    """Whether the status of a run is of this process."""
    try:
        return bool(json.loads((run.folder / "status.json").read_text(encoding="utf-8"))["pid"] == pid)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _last_line(run: Run) -> str:
    """The last line of what a process said that ended before its review began."""
    try:
        lines = (run.folder / "output.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].removeprefix("litrag: ") if lines else "it ended before it began"
