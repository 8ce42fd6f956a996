"""`litrag serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from litrag.cli.context import globals_

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; other than loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: any that is free.", min=0, max=65535)] = 8765,
    token: Annotated[
        str, typer.Option(help="What everybody who asks must know, 16 characters or more.", envvar="LITRAG_TOKEN")
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name that browsers call this machine by; repeatable.")
    ] = None,
    most: Annotated[int, typer.Option(help="Reviews that run at once.", min=1)] = 4,
) -> None:
    """Serve a web page that writes, follows and shows reviews; for this machine alone unless there is a token."""
    from litrag.core.errors import MissingExtra
    from litrag.serving.guard import rules

    allowed = rules(host, token, allow_host or ())
    try:
        import uvicorn

        from litrag.serving.jobs import Jobs
        from litrag.serving.web import Web, web_app
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "web") from error
    from litrag.serving.listening import address, listening

    web = Web(allowed, globals_().config, globals_().profile, Jobs(most))
    web.settings  # noqa: B018 - a setting that is wrong is told of now
    socket = listening(host, port)
    where = f"{address(host, socket, allow_host or ())}/{f'?token={token}' if token else ''}"
    typer.echo(f"litrag: {where}  (Ctrl-C ends it; reviews go on)", err=True)  # with -q, too: nobody could find it else
    uvicorn.Server(uvicorn.Config(web_app(web), log_level="warning", access_log=False)).run([socket])
