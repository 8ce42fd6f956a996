"""The one way to the scholarly web: paced, retried with jitter and the host's own Retry-After, cached on disk, capped, replayable.

Every answer is kept under its request for `ttl` seconds; with `replay` only kept answers are given, however old, and nothing is sent."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import stamina

from litrag.core.database import Database
from litrag.core.errors import SourceFault, SourceOverloaded, SourceRefused, SourceUnknown
from litrag.core.store import digest
from litrag.retrievers.sources.pacing import Pacing

if TYPE_CHECKING:
    import httpx

__all__ = ["Host", "Judge", "Web", "WebRequest", "retry_after"]

T = TypeVar("T")
_WEEK: Final = 7 * 86400.0
# An answer that is no success -> the fault it means, or None for what its status says. Gets status, headers (lower case), text.
Judge = Callable[[int, Mapping[str, str], str], SourceFault | None]


@dataclass(frozen=True, slots=True)
class Host:
    """How a host wants to be called. `interval`: seconds between requests; `attempts` a request gets; `stall`: seconds without a byte;
    `most_bytes` of one answer; `first_wait` before the second attempt, doubled for each further."""

    name: str
    interval: float
    attempts: int = 4
    stall: float = 20.0
    most_bytes: int = 10_000_000
    first_wait: float = 1.0
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request. `secret_headers` and `secret_params` (keys) are sent, but neither stored nor shown."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    secret_params: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A hash of all that is not secret."""
        return digest([self.url, sorted(self.params.items()), self.body])


class Web:
    """Fetches for any number of event loops and searches at once. `contact` (a mail address) goes into the User-Agent, as the hosts
    ask of polite callers."""

    def __init__(self, path: Path | str, *, contact: str = "", ttl: float = _WEEK, replay: bool = False) -> None:
        self._pacing = Pacing(path)
        self._kept = Database(
            path,
            "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, url TEXT NOT NULL, body BLOB NOT NULL, made REAL NOT NULL)"
            " WITHOUT ROWID;",
        )
        self._ttl, self._replay = ttl, replay
        self._agent = _agent(contact)

    async def fetch(self, request: WebRequest, host: Host, parse: Callable[[bytes], T], *, seconds: float = 60.0) -> T:
        """The parsed answer, from disk where a fresh one is kept. `parse` raises ValueError for an answer that is none. All waiting
        included it takes `seconds` at the most. Raises SourceFault, which names the host; CancelledError passes."""
        kept = await asyncio.to_thread(self._read, request)
        if kept is not None:
            return parse(kept)
        if self._replay:
            raise SourceRefused(f"{host.name}: no recorded answer to this request; run without replay")
        if (rest := await asyncio.to_thread(self._pacing.closed, urlsplit(request.url).netloc)) > 0:
            raise SourceOverloaded(f"{host.name} failed again and again; it is left alone for {rest:.0f} s more")
        place, faults = urlsplit(request.url).netloc, list[Exception]()
        try:
            async with asyncio.timeout(seconds):
                value = await self._tried(request, host, parse, _Time(time.monotonic() + seconds, faults))
        except TimeoutError:
            await asyncio.to_thread(self._pacing.failed, place)
            why = f" ({faults[-1]})" if faults else ""
            raise SourceOverloaded(f"{host.name} gave no answer within {seconds:g} s{why}") from None
        except SourceOverloaded:
            await asyncio.to_thread(self._pacing.failed, place)
            raise
        await asyncio.to_thread(self._pacing.succeeded, place)
        return value

    def close(self) -> None:
        """Closes the file."""
        self._pacing.close()
        self._kept.close()

    async def _tried(self, request: WebRequest, host: Host, parse: Callable[[bytes], T], left: _Time) -> T:
        import httpx

        headers = {"User-Agent": self._agent, "Accept-Encoding": "gzip, deflate", **request.secret_headers}
        trust = await asyncio.to_thread(_trust)
        async with httpx.AsyncClient(timeout=httpx.Timeout(host.stall), verify=trust, headers=headers) as client:
            async for attempt in stamina.retry_context(
                on=left.wish,
                attempts=host.attempts,
                timeout=None,
                wait_initial=host.first_wait,
                wait_max=30.0,
                wait_jitter=host.first_wait,
            ):
                with attempt:
                    await self._turn(request, host, left.seconds)  # last, so that a request leaves when its turn comes
                    body = await _sent(client, request, host, self._pacing)
                    try:
                        value = parse(body)
                    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                        raise SourceOverloaded(
                            f"{host.name} sent an answer that cannot be read ({_short(error)})"
                        ) from error
                    await asyncio.to_thread(self._keep, request, body)
                    return value
        raise AssertionError("stamina leaves its loop by return or by raise")

    async def _turn(self, request: WebRequest, host: Host, left: float) -> None:
        wait = await asyncio.to_thread(self._pacing.turn, urlsplit(request.url).netloc, host.interval, left)
        if wait is None:
            raise SourceRefused(
                f"{host.name}: so many requests wait for their turn that none is left within {left:.0f} s"
            )
        await asyncio.sleep(wait)

    def _read(self, request: WebRequest) -> bytes | None:
        oldest = 0.0 if self._replay else time.time() - self._ttl
        rows = self._kept.rows("SELECT body FROM answers WHERE key = ? AND made >= ?", (request.key, oldest))
        return rows[0][0] if rows else None

    def _keep(self, request: WebRequest, body: bytes) -> None:
        row = (request.key, request.url, body, time.time())
        self._kept.write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)


@dataclass(frozen=True, slots=True)
class _Time:
    """Until when a search may take, and what has gone wrong so far."""

    deadline: float
    faults: list[Exception]

    @property
    def seconds(self) -> float:
        return self.deadline - time.monotonic()

    def wish(self, error: Exception) -> bool | float:
        """Whether to try again, or after how many seconds the host wants it; a wish beyond the time left is as good as a refusal."""
        self.faults.append(error)
        if not isinstance(error, SourceOverloaded):
            return False
        wait = error.retry_after or 0.0
        return (wait or True) if wait < self.seconds else False


async def _sent(client: httpx.AsyncClient, request: WebRequest, host: Host, pacing: Pacing) -> bytes:
    """One request over the wire. Raises SourceOverloaded, SourceRefused."""
    import httpx

    method = "GET" if request.body is None else "POST"
    params = {**request.params, **request.secret_params} or None  # {} would strip the URL of its own
    try:
        async with client.stream(method, request.url, params=params, json=request.body) as answer:
            body = await _capped(answer, host)
    except httpx.TimeoutException as error:
        raise SourceOverloaded(f"{host.name} sent nothing for {host.stall:g} s") from error
    except httpx.InvalidURL as error:
        raise SourceRefused(f"{host.name}: {request.url} is no address ({error}); check source_urls") from error
    except httpx.HTTPError as error:
        raise SourceOverloaded(f"{host.name} cannot be reached ({_short(error)})") from error
    if answer.status_code == 200:
        return body
    fault = _fault(host, answer, body.decode("utf-8", "replace"))
    if isinstance(fault, SourceOverloaded) and fault.retry_after:
        await asyncio.to_thread(pacing.postpone, urlsplit(request.url).netloc, fault.retry_after)
    raise fault


async def _capped(answer: httpx.Response, host: Host) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > host.most_bytes:
            raise SourceRefused(f"{host.name} sent more than {host.most_bytes // 1_000_000} MB; ask for fewer papers")
        parts.append(part)
    return b"".join(parts)


def _fault(host: Host, answer: httpx.Response, text: str) -> SourceFault:
    status = answer.status_code
    if host.judge is not None and (judged := host.judge(status, answer.headers, text)) is not None:
        return judged
    said = f"{host.name} answered {status}"
    if status == 429 or status == 408 or status >= 500:
        wait = retry_after(answer.headers.get("retry-after", ""))
        asked = f" and asks to wait {wait:.0f} s" if wait else ""
        return SourceOverloaded(f"{said}{asked}", retry_after=wait)
    if status in (401, 403):
        return SourceRefused(f"{said}: the key is wrong or missing, or this machine is barred")
    return (SourceUnknown if status == 404 else SourceRefused)(f"{said}: {_one_line(text)}")


def retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date (RFC 9110, 10.2.3); None for neither."""
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, moment.timestamp() - time.time())


@functools.cache
def _trust() -> ssl.SSLContext:
    """Reading the certificates takes longer than a request; once is enough."""
    return ssl.create_default_context()


def _agent(contact: str) -> str:
    from importlib.metadata import version

    return f"litrag/{version('litrag')}" + (f" (mailto:{contact})" if contact else "")


def _short(error: Exception) -> str:
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())[:120]
