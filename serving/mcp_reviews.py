"""Reviews that an MCP client waits for: its progress is told, and nobody's review goes on. Whoever stops waiting (a cancelled call, a client that leaves, a
server that ends) stops the review, and it stays resumable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.settings import Settings
from litrag.pipelines.event_log import EventReader
from litrag.pipelines.review import NODES
from litrag.pipelines.runs import Run, Status
from litrag.pipelines.state import ReviewRequest
from litrag.serving.jobs import Jobs

__all__ = ["Reviews", "Tell"]

# how far it is, of how much, and what is done now
Tell: TypeAlias = Callable[[float, float, str], Awaitable[None]]
_STAGES: Final = {name: place for place, name in enumerate(NODES)}
_STEP: Final = 0.001  # of what is left: progress has to grow with each notification, and never beyond the whole


@dataclass(slots=True)
class Reviews:
    """Starts, follows and stops reviews, within the budget of `settings`."""

    settings: Settings
    jobs: Jobs = field(default_factory=Jobs)
    _waited_for: list[Run] = field(default_factory=list)

    async def write(self, request: ReviewRequest, tell: Tell) -> tuple[Run, tuple[Status, str]]:
        """A new review, from its beginning to its end or its next pause. Raises BadInput where too many run, EnvironmentFault."""
        run = self.jobs.start(request)
        return run, await self._followed(run, tell, after=0)

    async def go_on(self, run: Run, tell: Tell) -> tuple[Run, tuple[Status, str]]:
        """The same for a run that waits or was stopped. Raises BadInput where it runs, is done, or was allowed more than this server allows."""
        told = EventReader(run).new()
        self.jobs.go_on(run, self.settings)
        return run, await self._followed(run, tell, after=told[-1][0] if told else 0)

    def stop_all(self) -> None:
        """Stops what is waited for."""
        for run in self._waited_for:
            self._stop(run)

    async def _followed(self, run: Run, tell: Tell, *, after: int) -> tuple[Status, str]:
        self._waited_for.append(run)
        try:
            done, whole = 0.0, len(_STAGES)
            await tell(done, whole, f"run {run.id} started; if you cancel, continue_review goes on with it")
            async for _, event in self.jobs.events(run, after=after):
                done = max(done + (whole - done) * _STEP, _place(event))
                await tell(done, whole, _message(event))
        finally:
            self._stop(run)
            self._waited_for.remove(run)
        return self.jobs.state(run)

    def _stop(self, run: Run) -> None:
        if self.jobs.state(run)[0] == "running":
            with suppress(BadInput):  # it has just ended by itself
                self.jobs.stop(run)


def _place(event: Event) -> float:
    """Stages that are done, and the share of the one that is not; 0 for what is no stage."""
    stage = _STAGES.get(event.stage)
    if stage is None:
        return 0.0
    if event.kind == "end":
        return stage + 1.0
    return stage + (event.done / event.total if 0 < event.done < event.total else 0.0)


def _message(event: Event) -> str:
    if event.kind == "end":
        return f"{event.stage} done"
    count = f" {event.done}/{event.total}" if event.total else ""
    return f"{event.stage}{count} {event.message}".rstrip()
