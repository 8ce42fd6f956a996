"""The typer app and its one error handler: a LitragError is one line on stderr and its exit code."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from litrag.cli import (
    ask,
    choices,
    evals,
    library,
    mcp,
    plot,
    rerank,
    review,
    rewrite,
    runs,
    search,
    serve,
    system,
    train,
    verify,
)
from litrag.cli.context import Globals, fail, globals_, set_globals, show

__all__ = ["app", "main"]

app = typer.Typer(
    name="litrag",
    help="From an abstract to a related-work section whose every citation is real and supported.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        from litrag import __version__

        typer.echo(f"litrag {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", metavar="FILE")] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="local, api or server.", envvar="LITRAG_PROFILE", autocompletion=choices.closed("profile")),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, all else on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks and details.")] = False,
) -> None:
    """Options of every command."""
    set_globals(Globals(config, profile, json_output, quiet, verbose))


review.register(app)
search.register(app)
ask.register(app)
rerank.register(app)
rewrite.register(app)
verify.register(app)
mcp.register(app)
system.register(app)
evals.register(app)
train.register(app)
serve.register(app)
plot.register(app)
app.add_typer(library.app, name="library")
app.add_typer(runs.app, name="runs")

_FLAGS: Final = ("--json", "-q", "--quiet", "-v", "--verbose")
_CLUSTER: Final = re.compile(r"-[qv]{2,}$")


def _complete() -> None:
    """Answers the shell and leaves, where it is a shell that asks what may stand at its cursor."""
    asked, _, shell = os.environ.get("_LITRAG_COMPLETE", "").partition("_")
    if asked == "complete" and shell in ("bash", "zsh", "fish"):
        from litrag.cli.completing import answer

        typer.echo(answer(shell, os.environ, typer.main.get_command(app)))
        sys.exit(0)


def _misused(error: Any) -> NoReturn:
    """A command line that typer cannot read; "" is its message where it has shown a help instead."""
    if "--json" in sys.argv and not globals_().json:  # it stands in the line that could not be read
        set_globals(Globals(json=True))
    error.show()
    if message := " ".join(error.format_message().split()):
        show({"error": "UsageError", "message": message}, "", "error")
    sys.exit(2)


def _called() -> Any:
    """Runs the command line; a flag of every command may stand behind the command, too."""
    arguments = sys.argv[1:]
    while True:
        try:
            return app(arguments, prog_name="litrag", standalone_mode=False)
        except Exception as error:
            flag = getattr(error, "option_name", None)  # click's, before anything has run
            end = arguments.index("--") if "--" in arguments else len(arguments)
            behind = [
                n
                for n in range(1, end)
                if arguments[n] == flag or (_CLUSTER.match(arguments[n]) and flag in ("-q", "-v"))
            ]
            if flag not in _FLAGS or not behind:
                raise
            arguments.insert(0, arguments.pop(behind[-1]))


def main() -> NoReturn:
    """The entry point: runs a command, turns an error of litrag's tree into one line and its exit code."""
    _complete()
    from litrag.core.errors import Interrupted, LitragError

    try:
        code = _called()
    except LitragError as error:
        fail(error)
    except KeyboardInterrupt:
        fail(Interrupted("interrupted"))
    except typer.Abort:
        fail(Interrupted("not confirmed; nothing was done"))
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
            _misused(error)
        fail(error)
    sys.exit(code if isinstance(code, int) else 0)
