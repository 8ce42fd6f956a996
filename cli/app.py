"""The typer app and its one error handler: a LitragError is one line on stderr and its exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from litrag.cli import ask, evals, library, mcp, rerank, review, rewrite, runs, search, system, train, verify
from litrag.cli.context import Globals, fail, set_globals

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
    profile: Annotated[str | None, typer.Option(help="local, api or server.", envvar="LITRAG_PROFILE")] = None,
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
app.add_typer(library.app, name="library")
app.add_typer(runs.app, name="runs")


def main() -> NoReturn:
    """The entry point: runs a command, turns an error of litrag's tree into one line and its exit code."""
    from litrag.core.errors import LitragError

    try:
        code = app(standalone_mode=False)
    except LitragError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("litrag: interrupted", err=True)
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        fail(error)
    sys.exit(code if isinstance(code, int) else 0)
