"""`litrag mcp`."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Annotated

import typer

from litrag.cli.context import settings
from litrag.cli.options import (
    ApiBase,
    EmbedModel,
    MaxCalls,
    MaxCost,
    MaxSearches,
    MaxSeconds,
    MaxTokens,
    Model,
    listed,
)

__all__ = ["register"]

_HTTP = "Over HTTP"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(mcp)


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Listen on a port; else stdio.", rich_help_panel=_HTTP)] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=_HTTP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: a free one.", min=0, max=65535, rich_help_panel=_HTTP)] = 8766,
    token: Annotated[
        str,
        typer.Option(
            help="Bearer token that every request must carry.", envvar="LITRAG_MCP_TOKEN", rich_help_panel=_HTTP
        ),
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name that clients call this machine by; repeatable.", rich_help_panel=_HTTP),
    ] = None,
    model: Model = None,
    api_base: ApiBase = None,
    embed_model: EmbedModel = None,
    max_searches: MaxSearches = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    max_seconds: MaxSeconds = None,
) -> None:
    """Serve an MCP client, over stdio or HTTP. Budget options bound every call of the client."""
    from litrag.core.errors import MissingExtra

    if importlib.util.find_spec("mcp") is None:
        raise MissingExtra("mcp", "mcp")
    values = settings(
        model=model,
        api_base=api_base,
        embed_model=embed_model,
        max_searches=max_searches,
        max_calls=max_calls,
        max_tokens=max_tokens,
        max_cost=max_cost,
        max_seconds=max_seconds,
    )
    if http:
        echo = partial(typer.echo, err=True)  # with -q, too: nobody could find it else
        from litrag.serving.mcp_http import serve_http
        from litrag.serving.mcp_tools import Desk

        serve_http(Desk.of(values), host=host, port=port, token=token, names=listed(allow_host) or (), tell=echo)
    else:
        from litrag.serving.wire import protocol_output

        wire = protocol_output()
        from litrag.serving.mcp_server import serve_stdio
        from litrag.serving.mcp_tools import Desk

        serve_stdio(Desk.of(values), wire)
