"""The MCP server over HTTP, for clients that start no process: one port, a bearer token, Host and Origin checked."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from litrag.core.errors import BadInput, EnvironmentFault
from litrag.serving.mcp_server import server_of
from litrag.serving.mcp_tools import Desk

__all__ = ["PATH", "app_of", "serve_http"]

PATH: Final = "/mcp"
_SHORTEST: Final = 16  # characters of a token
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


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
    if not token and not _is_loopback(host):
        raise BadInput(f"{host} can be reached from elsewhere; set a token (LITRAG_MCP_TOKEN), or listen on 127.0.0.1")
    if token and len(token) < _SHORTEST:
        raise BadInput(f"the token has {len(token)} characters; {_SHORTEST} are the least: openssl rand -hex 16")
    listening = _bound(host, port)
    port = listening.getsockname()[1]
    address = f"[{host}]" if ":" in host else host
    tell(f"http://{address}:{port}{PATH}{' (with a token)' if token else ''}")
    app = app_of(desk, hosts=(*_LOOPBACK, address, *names), port=port, token=token)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on", ws="none"
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        desk.reviews.stop_all()


def app_of(desk: Desk, *, hosts: Sequence[str], port: int, token: str) -> ASGIApp:
    """The ASGI application: what has no token is refused first, then what names another host or comes from another page."""
    there = [form for host in hosts for form in (host, f"{host}:{port}")]
    checks = TransportSecuritySettings(
        allowed_hosts=there, allowed_origins=[f"{scheme}://{form}" for scheme in ("http", "https") for form in there]
    )
    app: Starlette = server_of(desk).streamable_http_app(streamable_http_path=PATH, transport_security=checks)
    return _Guarded(app, token) if token else app


class _Guarded:
    """Lets through what carries the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._allowed(scope)):
            await self._app(scope, receive, send)
            return
        refused = PlainTextResponse("a bearer token is needed", 401, {"WWW-Authenticate": "Bearer"})
        await refused(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        given = Headers(scope=scope).get("authorization", "")
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._expected)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises EnvironmentFault."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise EnvironmentFault(f"{host}:{port} cannot be had ({error.strerror}); choose another --port") from error
