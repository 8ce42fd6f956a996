"""`litrag rerank`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from litrag.cli.context import globals_, progress, settings, show, tell

__all__ = ["register"]

_WHAT, _HOW, _LIMITS = "What", "Method", "Limits"
_SURE = 0.9  # below it a ranking is mostly its input


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(rerank)


def rerank(
    run: Annotated[
        str, typer.Argument(metavar="RUN|-", help="JSON Lines of queries with documents, or a TREC run; - reads stdin.")
    ],
    method: Annotated[str, typer.Option(help="Reranker id [by the model].", rich_help_panel=_HOW)] = "auto",
    depth: Annotated[
        int | None, typer.Option(min=1, help="Candidates to rerank [the method's].", rich_help_panel=_HOW)
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(help="Whose topics and texts a TREC run ranks: NAME[:SPLIT] or a folder.", rich_help_panel=_WHAT),
    ] = "",
    scores: Annotated[
        str | None, typer.Option(help="Scores shown to the model: raw, minmax, z, rank or none.", rich_help_panel=_HOW)
    ] = None,
    order: Annotated[str | None, typer.Option(help="Order shown: keep or shuffled.", rich_help_panel=_HOW)] = None,
    own: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="NAME=VALUE", help="The method's own setting.", rich_help_panel=_HOW),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--rerank-model", "--model", help="Model.", rich_help_panel=_HOW, metavar="M")
    ] = None,
    embed_model: Annotated[str | None, typer.Option(help="Embedding model.", rich_help_panel=_HOW, metavar="M")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Documents to show.", rich_help_panel=_WHAT)] = 1000,
    form: Annotated[str, typer.Option("-f", "--format", help="table, jsonl or trec.", rich_help_panel=_WHAT)] = "table",
    max_calls: Annotated[int | None, typer.Option(min=0, help="Model calls.", rich_help_panel=_LIMITS)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens.", rich_help_panel=_LIMITS)] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars.", rich_help_panel=_LIMITS)] = None,
) -> None:
    """Put a first stage's results into a better order."""
    from litrag.core.errors import BadInput, UnknownName
    from litrag.core.options import named_values
    from litrag.core.sync import run as run_sync
    from litrag.pipelines.reranking import FORMATS, Reranked, read_given, rerank_all
    from litrag.pipelines.reranking_session import RerankingSession, injected

    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    try:
        text = sys.stdin.read() if run == "-" else Path(run).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{run} cannot be read ({getattr(error, 'strerror', None) or 'no UTF-8'}); name a file, or -"
        ) from error
    given = read_given(text, "stdin" if run == "-" else run, dataset)
    chosen = settings(reranker=method, rerank_model=model, embed_model=embed_model, max_cost=max_cost)
    chosen = chosen.model_copy(update={"max_calls": max_calls, "max_tokens": max_tokens})
    found: list[Reranked] = []
    with RerankingSession(chosen) as session, progress() as listen:
        reranker = session.build({**named_values(own or ()), **injected(scores, order)})
        spent = run_sync(rerank_all(given, reranker, found.append, depth=depth, listen=listen))
        tell(session.cost())
        for warning in session.warnings():
            tell(f"warning: {warning}")
    if globals_().json:
        import json

        show({"queries": [json.loads(FORMATS["jsonl"](item, k)) for item in found]}, "")
    else:
        for item in found:
            typer.echo(FORMATS[form](item, k))
    placed = sum(item.ranking.placed for item in found) / max(1, len(found))
    if placed < _SURE:
        tell(
            f"warning: the model decided only {placed:.0%} of the order, the rest is the input's; "
            "a model that cannot rank looks like its input: try another model or method"
        )
    if spent is not None:
        tell(f"{len(found)} of {len(given)} queries are reranked and shown")
        raise spent
