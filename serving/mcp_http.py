"""The MCP server over HTTP, for clients that start no process: one port, a bearer token, Host and Origin checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp

from litrag.serving.guard import Guard, Rules, rules
from litrag.serving.listening import address, listening
from litrag.serving.mcp_server import server_of
from litrag.serving.mcp_tools import Desk

__all__ = ["PATH", "app_of", "serve_http"]

PATH: Final = "/mcp"
_MOST: Final = 4_000_000  # bytes of a request: a bibliography of a million characters, escaped


def serve_http(
    desk: Desk,
    *,
    host: str,
    port: int,
    token: str,
    names: Sequence[str] = (),
    tell: Callable[[str], None],
) -> None:
    """Serves until it is interrupted; `port` 0 takes a free one, `tell` is told the address, `names` are names that clients call this machine by.

    Raises BadInput (an address that is open to others without a token, a short token), EnvironmentFault where the port cannot be had."""
    allowed = rules(host, token, names)
    socket = listening(host, port)
    tell(f"{address(host, socket, names)}{PATH}{' (with a token)' if token else ''}")
    app = app_of(desk, allowed)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on", ws="none"
    )
    try:
        uvicorn.Server(config).run(sockets=[socket])
    finally:
        desk.reviews.stop_all()


def app_of(desk: Desk, allowed: Rules) -> ASGIApp:
    """The ASGI application behind the guard of the page; the SDK's own checks of Host and Origin would be a second one."""
    checks = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app: Starlette = server_of(desk).streamable_http_app(streamable_http_path=PATH, transport_security=checks)
    return Guard(app, allowed, most=_MOST)
