"""`litrag rerank`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import fail, globals_, progress, settings, show, tell
from litrag.cli.options import ApiBase, EmbedModel, MaxCalls, MaxCost, MaxSeconds, MaxTokens, Model, RerankModel
from litrag.rerankers import RERANKERS

__all__ = ["register"]

_WHAT, _HOW, _OUT = "Input", "Method", "Output"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(rerank)


def rerank(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help='JSON Lines, {"query", "documents": [{"id", "text"}]} best first, or a TREC run; - for standard input.',
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Of a TREC run: NAME[:SPLIT] or FOLDER with its topics and texts.",
            rich_help_panel=_WHAT,
            autocompletion=choices.datasets,
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(('auto', *RERANKERS))}.",
            rich_help_panel=_HOW,
            metavar="ID",
            autocompletion=choices.rerankers,
        ),
    ] = "auto",
    depth: Annotated[
        int | None,
        typer.Option(
            min=1, help="Documents to rerank of each query, else the method's own number.", rich_help_panel=_HOW
        ),
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="First-stage score beside each document: raw, minmax, z, rank, none; else the method's own way.",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("scores"),
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            help="Order that the model sees: keep, shuffled.",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("order"),
        ),
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(
            "-s", "--set", metavar="NAME=VALUE", help="The method's own setting; repeatable.", rich_help_panel=_HOW
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.", rich_help_panel=_HOW)] = None,
    model: Model = None,
    api_base: ApiBase = None,
    rerank_model: RerankModel = None,
    embed_model: EmbedModel = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    max_seconds: MaxSeconds = None,
    form: Annotated[
        str,
        typer.Option(
            "-f",
            "--format",
            help="table, jsonl or trec.",
            rich_help_panel=_OUT,
            autocompletion=choices.closed("rerank format"),
        ),
    ] = "table",
    k: Annotated[
        int | None,
        typer.Option(
            "-k", min=1, help="Documents to show of each query; else all, 10 in a table.", rich_help_panel=_OUT
        ),
    ] = None,
) -> None:
    """Put a first stage's results into a new order."""
    values = {name: value for name, value in locals().items() if name in _SETTINGS}
    from litrag.core.errors import Interrupted
    from litrag.core.options import own_settings
    from litrag.pipelines.first_stage import read_first_stage
    from litrag.pipelines.reranked import writer
    from litrag.pipelines.reranking import Method
    from litrag.pipelines.reranking import rerank as reranked

    chosen, in_force = Method(method, depth, scores, order, own_settings(own or ())), settings(**values)
    first = read_first_stage(source, dataset=dataset, stdin=sys.stdin.buffer.read() if source == "-" else None)
    write = writer(form, first)
    try:
        with progress() as listen:
            outcome = reranked(first, chosen, in_force, listen=listen)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what was answered is kept: the same command goes on where it stopped") from None
    for warning in outcome.warnings:
        tell(f"warning: {warning}")
    show(outcome.data(k) if globals_().json else {}, write(outcome, k), "rerank")
    tell(outcome.spent)
    if outcome.error is not None:
        fail(outcome.error, told=True)


_SETTINGS = frozenset("seed model api_base rerank_model embed_model max_calls max_tokens max_cost max_seconds".split())
