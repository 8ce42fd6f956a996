"""`litrag rewrite`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import progress, settings, show, tell
from litrag.cli.options import ApiBase, MaxCost, Model
from litrag.rewriters import REWRITERS

__all__ = ["register"]

_HOW, _WHAT = "Method", "What"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(rewrite)


def rewrite(
    text: Annotated[str, typer.Argument(metavar="TEXT|-", help="A query, a question or an abstract; - reads stdin.")],
    method: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(('auto', *REWRITERS))}.",
            rich_help_panel=_HOW,
            metavar="ID",
            autocompletion=choices.rewriters,
        ),
    ] = "auto",
    history: Annotated[
        Path | None,
        typer.Option(
            help="File of the turns before: question, answer, question, ..., a line each.", rich_help_panel=_WHAT
        ),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Queries, where the method takes a number.", rich_help_panel=_HOW)
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="NAME=VALUE", help="The method's own setting.", rich_help_panel=_HOW),
    ] = None,
    model: Model = None,
    rewrite_model: Annotated[
        str | None, typer.Option(help="Model.", rich_help_panel=_HOW, metavar="M", autocompletion=choices.models)
    ] = None,
    api_base: ApiBase = None,
    max_cost: MaxCost = None,
) -> None:
    """Make queries of a text: keywords, a self-contained question, an expansion; the original first."""
    from litrag.core.options import own_settings
    from litrag.pipelines.rewriting import read_history, rewritten

    query = (sys.stdin.read() if text == "-" else text).strip()
    chosen = settings(rewriter=method, model=model, rewrite_model=rewrite_model, api_base=api_base, max_cost=max_cost)
    options = {**own_settings(own or ()), **({"n": n} if n is not None else {})}
    with progress():
        found = rewritten(query, chosen, options, history=read_history(history) if history else ())
    tell(found.spent)
    rows = [{"kind": query.kind, "text": query.text, "reason": query.reason} for query in found.queries]
    show(
        {"method": found.method, "queries": rows},
        "\n".join(" ".join(query.text.split()) for query in found.queries),
        "rewrite",
    )
