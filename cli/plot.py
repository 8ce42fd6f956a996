"""`litrag plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litrag.cli.context import show

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(plot)


def plot(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RESULTS|RUN", help="results.json or its folder; or a run's id or the folder of its review."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for PNG, SVG and CSV.", metavar="DIR")] = Path(),
    system: Annotated[
        list[str] | None,
        typer.Option(help="System to tell apart where there are more than seven; repeatable.", metavar="NAME"),
    ] = None,
) -> None:
    """Draw results of an eval (intervals, cost, frugality, stages) or the papers of a review."""
    from litrag.evals.drawing import plot as drawn

    pictures = drawn(source, out, named=system or ())
    files = {name: [str(path) for path in picture.files] for name, picture in pictures.items()}
    show(files, "\n".join(path for paths in files.values() for path in paths), "plot")
