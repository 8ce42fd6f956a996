"""Runs on disk: one folder a run with its request, store, ledger and checkpoints; what a resume needs and nothing else."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

from litrag.core.errors import BadInput, CannotWrite, EnvironmentFault, UnknownName
from litrag.core.paths import made, runs_folder
from litrag.pipelines.state import PAUSES, ReviewRequest

__all__ = ["Run", "Status", "find_run", "list_runs", "new_run"]

_LONGEST_ID: Final = 80
_PATIENCE: Final = 2.0  # seconds; who only asks whether a run is held lets go at once
Status: TypeAlias = Literal["running", "waiting", "interrupted", "failed", "done"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder. Everything about it is read from there, so any process sees the same."""

    folder: Path

    @property
    def id(self) -> str:
        """The name it is resumed by."""
        return self.folder.name

    @property
    def database(self) -> Path:
        """Store and ledger."""
        return self.folder / "run.sqlite"

    @property
    def checkpoints(self) -> Path:
        """LangGraph's checkpoints."""
        return self.folder / "checkpoints.sqlite"

    @property
    def request(self) -> ReviewRequest:
        """What was asked. Raises BadInput for a damaged folder."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(ReviewRequest).validate_json((self.folder / "request.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise BadInput(
                f"run {self.id} is damaged ({error}); remove it with: litrag runs remove {self.id}"
            ) from error

    @property
    def started(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp((self.folder / "request.json").stat().st_mtime, tz=UTC)

    def state(self) -> tuple[Status, str]:
        """Its status and its stage or stop reason. A run whose process died is interrupted."""
        try:
            data = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
            status, note = data["status"], data["note"]
        except (OSError, ValueError, KeyError, TypeError):
            return "interrupted", "not started"
        if status == "running" and not self.held:
            return "interrupted", note
        return status, note

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The run is this caller's alone until it leaves. Raises BadInput where another process, or another task of this one, works on it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "lock", thread_local=False)
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            raise BadInput(
                f"run {self.id} is being worked on elsewhere; wait for it, or stop it with: litrag runs stop {self.id}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def held(self) -> bool:
        """Whether somebody works on it now."""
        from filelock import FileLock, Timeout

        if not self.folder.is_dir():
            return False
        try:
            with FileLock(self.folder / "lock", timeout=0, thread_local=False):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written: nobody works there
            return False

    def stop(self) -> None:
        """Interrupts the process that works on it, as Ctrl-C does; it keeps what was gathered. Raises BadInput where nobody does."""
        try:
            pid = int(json.loads((self.folder / "status.json").read_text(encoding="utf-8"))["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            pid = 0
        try:
            if pid and self.held:
                os.kill(pid, signal.SIGINT)
                return
        except ProcessLookupError:  # it has just ended
            pass
        except PermissionError as error:
            raise EnvironmentFault(f"run {self.id} belongs to another user, who alone can stop it") from error
        raise BadInput(f"run {self.id} is not running; go on with it by: litrag runs resume {self.id}")

    def mark(self, status: Status, note: str) -> None:
        """Sets the status, atomically."""
        target = self.folder / "status.json"
        part = target.with_suffix(".part")
        try:
            part.write_text(json.dumps({"status": status, "note": note, "pid": os.getpid()}), encoding="utf-8")
            part.replace(target)
        except OSError as error:
            raise CannotWrite(target, error.strerror or str(error)) from error

    def redirect(self, out: str | None, *, force: bool) -> None:
        """Sends the files of a resumed run to another folder, or lets it overwrite. Raises BadInput where somebody works on it."""
        with self.hold():
            request = self.request
            target = str(Path(out).absolute()) if out else request.out
            for name in PAUSES.values():  # what the user edited goes with the run
                edited = Path(request.out) / name
                if edited.is_file() and self.state()[0] != "done" and not (Path(target) / name).exists():
                    made(Path(target))
                    shutil.copy2(edited, Path(target) / name)
            _keep_request(self.folder, replace(request, out=target, force=force or request.force))

    def remove(self) -> None:
        """Deletes the folder. Raises BadInput where somebody works on it, CannotWrite."""
        try:
            with self.hold():
                shutil.rmtree(self.folder)
        except OSError as error:
            raise CannotWrite(self.folder, error.strerror or str(error)) from error


def new_run(request: ReviewRequest, *, parent: Path | None = None, beside: Path | None = None) -> Run:
    """A folder for a new run, named after the input, among the user's runs or in `parent`; its review goes to `request.out`, or to a folder of the
    run's own name in `beside`."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.name.casefold()).strip("-")[:40] or "review"
    run = Run(made((parent or runs_folder()) / f"{slug}-{secrets.token_hex(3)}"))
    _keep_request(run.folder, replace(request, out=str(beside / run.id)) if beside else request)
    return run


def list_runs() -> tuple[Run, ...]:
    """All runs, newest first."""
    folder = runs_folder()
    found: list[tuple[datetime, Run]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # another process removes it
            found.append((Run(path).started, Run(path)))
    return tuple(run for _, run in sorted(found, key=lambda each: each[0], reverse=True))


def find_run(run_id: str) -> Run:
    """The run of an id. Raises UnknownName."""
    run = Run(runs_folder() / run_id)
    if Path(run_id).name != run_id or len(run_id) > _LONGEST_ID or not (run.folder / "request.json").is_file():
        raise UnknownName(
            "run", run_id[:_LONGEST_ID], (run.id for run in list_runs()), remedy="`litrag runs list` shows them"
        )
    return run


def _keep_request(folder: Path, request: ReviewRequest) -> None:
    from pydantic import TypeAdapter

    try:
        part = folder / "request.json.part"
        part.write_bytes(TypeAdapter(ReviewRequest).dump_json(request))
        part.replace(folder / "request.json")
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error), remedy="free space or set LITRAG_HOME") from error
