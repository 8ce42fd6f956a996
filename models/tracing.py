"""A span a model call, in the attributes of OpenTelemetry's GenAI conventions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from litrag.core.protocols import Usage
from litrag.core.telemetry import Span, Value, span
from litrag.models.request import ModelRequest

__all__ = ["model_call", "tell_usage"]

_OPERATIONS: Final = {"generate": "chat", "embed": "embeddings", "embed_tokens": "embeddings"}
_PROVIDERS: Final = {
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
}


@contextmanager
def model_call(request: ModelRequest, *, cached: bool = False) -> Iterator[Span]:
    """The span of a request: one however many attempts it takes; `cached`: it was answered from the cache, and left no machine."""
    provider, _, name = request.model.partition("/")
    operation = _OPERATIONS.get(request.operation, request.operation)
    server = urlsplit(request.api_base or "")
    facts: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": name,
        "gen_ai.request.seed": request.seed,
        "litrag.role": request.role,
        "litrag.cached": cached,
        "server.address": server.hostname or "",
    }
    if request.operation == "generate":
        facts |= {"gen_ai.request.max_tokens": request.max_tokens, "gen_ai.request.temperature": request.temperature}
        facts |= {"gen_ai.request.choice.count": request.n} if request.n > 1 else {}
    else:
        facts |= {"litrag.texts": len(request.texts or request.continuations or request.tokens)}
    with span(f"{operation} {name}", facts, client=provider not in ("local", "scripted", "recorded")) as one:
        one.add_text(prompt="\n\n".join(message.content for message in request.messages))
        yield one


def tell_usage(one: Span, usage: Usage) -> None:
    """What the call took."""
    one.add(
        {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "litrag.usd": usage.usd,
        }
    )
