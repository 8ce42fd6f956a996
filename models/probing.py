"""What a model server can do: asked with tiny requests, not guessed from its name.

Servers differ in what they take silently: one ignores a JSON schema, one leaves log-probabilities out. So a schema counts only when the reply
obeys it against the prompt, log-probabilities only when they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from litrag.core.errors import LitragError
from litrag.core.protocols import PairScoring
from litrag.core.replies import read_json
from litrag.core.settings import ROLES, Settings
from litrag.core.types import Message
from litrag.models.powers import powers_of
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["Probed", "probe", "servers"]

_SCHEMA: Final = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_RHYME: Final = (Message("user", "Write one line of a poem about the sea. Plain words, no JSON."),)
_HELLO: Final = (Message("user", "Say yes."),)


@dataclass(frozen=True, slots=True)
class Probed:
    """One model on one server. Each power is "yes", "no" or why it is not known; `context` in tokens, 0 where the server does not
    tell."""

    model: str
    host: str
    chat: str
    schema: str
    logprobs: str
    embeddings: str
    reranking: str
    context: int


def servers(settings: Settings, *, apis: bool) -> tuple[tuple[str, str | None], ...]:
    """The distinct (model, base URL) of all roles on servers of one's own; with `apis` also those of providers, who may charge."""
    found: dict[tuple[str, str | None], None] = {}
    for role in ROLES:
        model, base = settings.role_model(role) or "", settings.role_base(role)
        if model and not model.startswith(("local/", "scripted/", "recorded/")) and (base or apis):
            found[model, base] = None
    return tuple(found)


async def probe(
    asked: Sequence[tuple[str, str | None]], *, seconds: float = 10.0, backend: Backend | None = None
) -> tuple[Probed, ...]:
    """Asks all servers at once; never raises for what a server does. Each answer waits `seconds` at the most."""
    if backend is None:
        from litrag.models.litellm_backend import LiteLLMBackend, litellm

        litellm()  # takes seconds to import, which are not the servers'
        backend = LiteLLMBackend()
    return tuple(await asyncio.gather(*(_probed(model, base, seconds, backend) for model, base in asked)))


async def _probed(model: str, base: str | None, seconds: float, backend: Backend) -> Probed:
    def request(operation: Any, **values: Any) -> ModelRequest:
        return ModelRequest(operation, model, "doctor", api_base=base, timeout=seconds, **values)

    async def power(request: ModelRequest, holds: Callable[[ModelReply], bool]) -> str:
        return await _answer(lambda: backend.send(request), holds, seconds)

    async def relevance() -> str:
        if PairScoring not in powers_of(model):
            return "no"
        return await power(
            request("relevance", messages=_HELLO, texts=("a", "b")), lambda reply: len(reply.relevance) == 2
        )

    chat, schema, logprobs, embeddings, reranking, context = await asyncio.gather(
        power(request("generate", messages=_HELLO, max_tokens=4), lambda reply: bool(reply.texts)),
        power(request("generate", messages=_RHYME, max_tokens=24, schema=_SCHEMA), _obeys),
        power(request("next_token_logprobs", messages=_HELLO, tokens=("yes",)), lambda reply: bool(reply.logprobs)),
        power(request("embed", texts=("a", "b")), lambda reply: reply.vectors is not None and len(reply.vectors) == 2),
        relevance(),
        _context(base, seconds),
    )
    host = (urlsplit(base).netloc or base) if base else model.partition("/")[0]
    return Probed(model, host, chat, schema, logprobs, embeddings, reranking, context)


async def _answer(
    call: Callable[[], Awaitable[ModelReply]], holds: Callable[[ModelReply], bool], seconds: float
) -> str:
    try:
        async with asyncio.timeout(seconds):
            return "yes" if holds(await call()) else "no"
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except LitragError as error:
        return f"no: {' '.join(str(error).split())[:160]}"


def _obeys(reply: ModelReply) -> bool:
    data = read_json(reply.texts[0]) if reply.texts else None
    return isinstance(data, dict) and data.get("colour") in ("red", "blue") and len(data) == 1


async def _context(base: str | None, seconds: float) -> int:
    """The context in tokens, as llama.cpp (/props, per slot) or vLLM (/v1/models) tell it; 0 where neither does."""
    if base is None:
        return 0
    import httpx

    root = base.rstrip("/").removesuffix("/v1")
    async with httpx.AsyncClient(timeout=seconds) as client:
        for url in (f"{root}/props", f"{base.rstrip('/')}/models"):
            with suppress(httpx.HTTPError, httpx.InvalidURL, ValueError):
                answer = await client.get(url)
                if answer.status_code == 200 and (found := _size(json.loads(answer.content))):
                    return found
    return 0


def _size(answer: object) -> int:
    """The first positive number under a name that servers use for it."""
    if isinstance(answer, dict):
        for name in ("n_ctx", "max_model_len", "context_length"):
            if isinstance(answer.get(name), int) and answer[name] > 0:
                return int(answer[name])
    inner = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return next((size for part in inner if (size := _size(part))), 0)
