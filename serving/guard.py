"""What stands before every page: who may ask (Host, Origin, token), how much they may send, what a browser may load."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from litrag.core.errors import BadInput

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["EVERYWHERE", "LOOPBACK", "Guard", "Rules", "rules"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - refused without a token and a name
_COOKIE: Final = "litrag_token"
_MOST: Final = 1_000_000  # bytes of a form
_MOST_UPLOADED: Final = 25_000_000  # bytes of a form with files
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may ask. `hosts` are the names that a request may call the server by; without a `token` everybody on this machine may."""

    hosts: frozenset[str]
    token: str = ""
    secret: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def form_token(self) -> str:
        """What a form of this server carries, so that no other page can send it in its reader's name. Another one after a restart."""
        return hmac.new(self.secret.encode(), b"form", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Compared in constant time."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_form_token(self, given: str) -> bool:
        """Compared in constant time."""
        return hmac.compare_digest(given.encode(), self.form_token.encode())


def rules(host: str, token: str = "", names: Collection[str] = ()) -> Rules:
    """The rules of a server that listens on `host` and may be called by `names`, too.

    Raises BadInput where others than this machine could ask and nothing stops them: a host other than loopback, and a name, which a proxy here may
    bring others by, need a token, an address that stands for all needs a name."""
    if host not in LOOPBACK and not token:
        raise BadInput(f"--host {host} lets other machines ask; give a --token, which they must know")
    if (other := next((name for name in names if name.strip("[]") not in LOOPBACK), "")) and not token:
        raise BadInput(f"--allow-host {other} lets other machines ask; give a --token, which they must know")
    if token and len(token) < 16:
        raise BadInput(f"a token of {len(token)} characters can be guessed; take at least 16 of them")
    if not re.fullmatch(r"[A-Za-z0-9._~-]*", token):
        raise BadInput("the token stands in an address: take letters, digits and . _ ~ - alone")
    if host in EVERYWHERE and not names:
        raise BadInput(
            f"--host {host or '*'} stands for every address; say by --allow-host what this server is called by"
        )
    if odd := next((name for name in names if not re.fullmatch(r"[\w.-]+|\[?[0-9a-fA-F:]+\]?", name)), ""):
        raise BadInput(f"--allow-host {odd!r} is no name of a machine; give it without http:// and without a port")
    known = {*LOOPBACK, *(() if host in EVERYWHERE else (host,)), *names}
    return Rules(frozenset(name.casefold().strip("[]") for name in known), token)


class Guard:
    """Refuses what the rules do not allow before the application sees it, and adds the headers that keep a page to itself. A browser is told of a
    refusal by `page`, where that is given."""

    def __init__(self, app: ASGIApp, rules: Rules, most: int = _MOST, page: Callable[[str], str] | None = None) -> None:
        self.app, self.rules, self.most, self.page = app, rules, most, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, line = refusal
            page = self.page if "text/html" in headers.get("accept", "") else None
            await _answer(_kept(send), status, line if page is None else page(line), html=page is not None)
            return
        asked = _query(scope).get("token", "")
        if self.rules.token and scope["method"] == "GET" and asked and self.rules.is_token(asked):
            await _answer(_kept(send), 303, "come in", *self._welcome(scope))
            return
        await self.app(scope, _measured(receive, self._most(headers)), _kept(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if _name_of(f"//{headers.get('host', '')}") not in self.rules.hosts:
            return (
                421,
                "this server is not called so; open it by the address that was printed, or name it by --allow-host",
            )
        if scope["method"] not in ("GET", "HEAD") and not self._same_origin(headers):
            return 403, "another page sent this; only litrag's own may"
        if self.rules.token and not self._knows_token(scope, headers) and not scope["path"].startswith("/static/"):
            return (
                401,
                "the token is missing or wrong; open the address with ?token=… that was printed, or send it as Authorization: Bearer",
            )
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and (len(declared) > 15 or int(declared) > self._most(headers)):
            return 413, _too_large(self._most(headers))
        return None

    def _most(self, headers: dict[str, str]) -> int:
        files = headers.get("content-type", "").startswith("multipart/form-data")
        return max(self.most, _MOST_UPLOADED) if files else self.most

    def _welcome(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        """Who came with the token in the address gets it as a cookie, and an address without it."""
        cookie = f"{_cookie(scope)}={self.rules.token}; HttpOnly; SameSite=Strict; Path=/"
        here = "/" + quote(scope["path"].lstrip("/\\"))  # never another site, never a line break
        return (b"location", here.encode()), (b"set-cookie", cookie.encode())

    def _same_origin(self, headers: dict[str, str]) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin", "")
        return not origin or origin.partition("://")[2] == headers.get("host", "")

    def _knows_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        kept = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]  # others may be odd
        asked = _query(scope).get("token", "")
        given = (
            bearer if scheme.casefold() == "bearer" else "",
            *(value for name, _, value in kept if name == _cookie(scope)),
            asked,
        )
        return any(self.rules.is_token(each) for each in given if each)


def _too_large(most: int) -> str:
    return f"too much was sent: at most {most / 1e6:g} MB are taken; an abstract has a few thousand characters"


def _cookie(scope: Scope) -> str:
    """Its name: servers of one machine share their cookies, whatever their ports."""
    return f"{_COOKIE}_{(scope.get('server') or ('', 0))[1]}"


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


def _name_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").casefold()
    except ValueError:
        return ""


def _measured(receive: Receive, most: int) -> Receive:
    """The same messages, until they are more than was allowed."""
    from starlette.exceptions import HTTPException

    seen = 0

    async def measured() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _too_large(most))
        return message

    return measured


def _kept(send: Send) -> Send:
    async def kept(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return kept


async def _answer(send: Send, status: int, text: str, *more: tuple[bytes, bytes], html: bool = False) -> None:
    body = text.encode() if html else f"litrag: {text}\n".encode()
    kind = b"text/html; charset=utf-8" if html else b"text/plain; charset=utf-8"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
