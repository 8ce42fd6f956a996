"""What every command shares: the global options, progress on a terminal or in lines, results for people or as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from litrag.core.events import Event, Listener
    from litrag.core.settings import Settings

__all__ = ["FORMS", "Globals", "fail", "globals_", "progress", "schema_name", "set_globals", "settings", "show", "tell"]

# what --json prints: form -> its version; `cli.outputs` has their fields
FORMS: Final[Mapping[str, int]] = dict.fromkeys(
    (
        *(
            "review",
            "review-waiting",
            "review-planned",
            "search",
            "ask",
            "rerank",
            "rewrite",
            "verify",
            "eval",
            "train",
            "plot",
        ),
        *(
            "library",
            "library-list",
            "library-info",
            "runs-list",
            "runs-show",
            "runs-stop",
            "runs-mark",
            "runs-export",
            "removed",
        ),
        *("setup", "doctor", "models-list", "models-show", "cache-info", "cache-clear", "error"),
    ),
    1,
)


@dataclass(frozen=True, slots=True)
class Globals:
    """Options that stand before the command."""

    config: Path | None = None
    profile: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False


_NONE = Globals()
_GLOBALS: ContextVar[Globals] = ContextVar("litrag_globals", default=_NONE)


def set_globals(values: Globals) -> None:
    """Keeps the global options for the command that follows."""
    _GLOBALS.set(values)
    import stamina.instrumentation

    stamina.instrumentation.set_on_retry_hooks(
        []
    )  # retries are in the ledger's seconds; a line a retry drowns the progress


def globals_() -> Globals:
    """The global options."""
    return _GLOBALS.get()


def settings(**options: Any) -> Settings:
    """The settings in force with the options of a command. Raises BadInput."""
    from litrag.core.settings import load_settings

    return load_settings(globals_().config, profile=globals_().profile, **options)


def schema_name(form: str) -> str:
    """What the field `schema` of a form says. Raises KeyError."""
    return f"litrag/{form}/{FORMS[form]}"


def show(data: Mapping[str, Any], lines: str, form: str) -> None:
    """The result: with --json `data` as one JSON object of a form of FORMS, which `cli.outputs` describes, else `lines`."""
    if globals_().json:
        typer.echo(json.dumps({"schema": schema_name(form), **data}, ensure_ascii=False, default=str))
    elif lines:
        typer.echo(lines)


def tell(line: str) -> None:
    """A line beside the result: on stderr, with -q only what is wrong."""
    if not globals_().quiet or line.startswith("warning"):
        typer.echo(line, err=True)


def fail(error: BaseException, *, told: bool = False) -> NoReturn:
    """One line on stderr and the error's exit code; 1 for a bug, with its traceback under -v. `told`: the object of --json is out."""
    from litrag.core.errors import LitragError

    known = isinstance(error, LitragError)
    if globals_().verbose or not known:
        traceback.print_exception(error)
    line = (
        " ".join(str(error).split())
        if known
        else f"bug: {type(error).__name__}: {error}; please report it with the lines above"
    )
    typer.echo(f"litrag: {line}", err=True)
    if globals_().json and not told:
        run = getattr(error, "run_id", "")
        show({"error": type(error).__name__, "message": line, **({"run_id": run} if run else {})}, "", "error")
    sys.exit(getattr(error, "exit_code", 1) if known else 1)


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that draws on a terminal and prints lines elsewhere; warnings are always lines."""
    if globals_().quiet:
        yield _warned
    elif globals_().json or not sys.stderr.isatty():
        yield _line
    else:
        with _drawn() as listen:
            yield listen


def _warned(event: Event) -> None:
    """What is wrong is told with -q, too."""
    if event.kind == "warning":
        typer.echo(f"[{event.stage}] {event.message}", err=True)


def _line(event: Event) -> None:
    if (
        event.kind == "progress"
        and event.total
        and event.done not in (event.total,)
        and event.done % max(1, event.total // 10)
    ):
        return
    count = f" {event.done}/{event.total}" if event.total else ""
    if event.kind != "end" and (event.message or count or event.kind == "start"):
        typer.echo(f"[{event.stage}]{count} {event.message}".rstrip(), err=True)


@contextmanager
def _drawn() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.fields[stage]}", table_column=Column(min_width=8, no_wrap=True)),
        TextColumn("{task.fields[count]}", table_column=Column(min_width=9, no_wrap=True, justify="right")),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=Console(stderr=True), expand=True) as bars:
        tasks: dict[str, TaskID] = {}

        def listen(event: Event) -> None:
            if event.kind == "warning":
                bars.console.print(f"[{event.stage}] {event.message}", markup=False, highlight=False)
                return
            if event.stage not in tasks:
                tasks[event.stage] = bars.add_task("", total=None, stage=event.stage, count="")
            task = tasks[event.stage]
            if event.message:
                bars.update(task, description=event.message)
            if event.total:
                bars.update(task, completed=event.done, total=event.total, count=f"{event.done:,}/{event.total:,}")
            if event.kind == "end":
                bars.update(task, completed=1, total=1)

        yield listen
