"""`local/...` as a provider of LiteLLM, for code that speaks LiteLLM: `await litellm.acompletion(model="local/...",
messages=[...])`.

A shim over the gateway: one call is one request through cache, budget and ledger. The gateway itself sends `local/...`
straight to the in-process backend, never through here, so nothing is entered twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from litrag.core.errors import BadInput, BudgetSpent, CapabilityMissing, LitragError, PromptTooLong
from litrag.core.types import Message
from litrag.models.doors import SendsRequests, blank_request, send_blocking
from litrag.models.litellm_backend import litellm
from litrag.models.request import ModelReply, ModelRequest

if TYPE_CHECKING:
    from litellm import CustomLLM, ModelResponse

__all__ = ["register"]

_PROVIDER = "local"
_NO_STREAM = "local models answer whole, not in a stream; call without stream=True"
_NO_EMBEDDING = "local embedding models are reached by Gateway.embedder(), which caches text by text"


def register(gateway: SendsRequests, *, role: str = "answer", max_tokens: int = 1024) -> None:
    """Makes LiteLLM send `local/...` to this gateway; a later registration replaces an earlier one.

    `role` names the calls in the ledger; `max_tokens` is for calls that set none. Errors of litrag's tree arrive as
    LiteLLM's own, with the cause attached. Streaming and embeddings are refused."""
    library: Any = litellm()
    others = [entry for entry in library.custom_provider_map if entry["provider"] != _PROVIDER]
    library.custom_provider_map = [
        *others,
        {"provider": _PROVIDER, "custom_handler": _handler(gateway, role, max_tokens)},
    ]
    from litellm.utils import custom_llm_setup

    custom_llm_setup()


def _handler(gateway: SendsRequests, role: str, max_tokens: int) -> CustomLLM:
    from litellm import CustomLLM

    class LocalProvider(CustomLLM):  # type: ignore[misc]  # litellm is untyped here
        """LiteLLM's interface over the gateway."""

        def completion(self, *args: Any, **kwargs: Any) -> ModelResponse:
            request = _asked(gateway, role, max_tokens, kwargs)
            try:
                return _answered(request, send_blocking(gateway, request))
            except LitragError as error:
                raise _translated(error, request.model) from error

        async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:
            request = _asked(gateway, role, max_tokens, kwargs)
            try:
                return _answered(request, await gateway.send(request))
            except LitragError as error:
                raise _translated(error, request.model) from error

        def streaming(self, *args: Any, **kwargs: Any) -> Any:
            raise _refused(_NO_STREAM, kwargs)

        def astreaming(self, *args: Any, **kwargs: Any) -> Any:
            raise _refused(_NO_STREAM, kwargs)

        def embedding(self, *args: Any, **kwargs: Any) -> Any:
            raise _refused(_NO_EMBEDDING, kwargs)

        async def aembedding(self, *args: Any, **kwargs: Any) -> Any:
            raise _refused(_NO_EMBEDDING, kwargs)

    return LocalProvider()


def _asked(gateway: SendsRequests, role: str, max_tokens: int, call: Mapping[str, Any]) -> ModelRequest:
    model = f"{_PROVIDER}/{call['model']}"
    options: Mapping[str, Any] = call.get("optional_params") or {}
    stop = options.get("stop") or ()
    try:
        blank = blank_request(gateway, model, role)
        return replace(
            blank,
            messages=_messages(call["messages"]),
            n=int(options.get("n") or 1),
            temperature=float(options.get("temperature") or 0.0),
            max_tokens=int(options.get("max_tokens") or options.get("max_completion_tokens") or max_tokens),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=int(options.get("seed", blank.seed)),
        )
    except LitragError as error:
        raise _translated(error, model) from error


def _messages(given: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    messages = []
    for message in given:
        content = message.get("content")
        if isinstance(content, list) and all(part.get("type") == "text" for part in content):
            content = "".join(part["text"] for part in content)
        if message["role"] not in ("system", "user", "assistant") or not isinstance(content, str):
            raise BadInput(
                f"local models take text of system, user and assistant, not {message['role']!r} with"
                f" {type(content).__name__}"
            )
        messages.append(Message(message["role"], content))
    return tuple(messages)


def _answered(request: ModelRequest, reply: ModelReply) -> ModelResponse:
    from litellm import Choices, ModelResponse, Usage
    from litellm import Message as Answer

    choices = [
        Choices(index=i, finish_reason=finish, message=Answer(role="assistant", content=text))
        for i, (text, finish) in enumerate(zip(reply.texts, reply.finish, strict=True))
    ]
    spent = reply.usage
    usage = Usage(
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        total_tokens=spent.prompt_tokens + spent.completion_tokens,
    )
    return ModelResponse(model=request.model, choices=choices, usage=usage)


def _translated(error: LitragError, model: str) -> Exception:
    kinds = litellm().exceptions
    known: Exception
    if isinstance(error, PromptTooLong):
        known = kinds.ContextWindowExceededError(message=str(error), model=model, llm_provider=_PROVIDER)
    elif isinstance(error, BadInput | BudgetSpent | CapabilityMissing):
        known = kinds.BadRequestError(message=str(error), model=model, llm_provider=_PROVIDER)
    else:
        known = kinds.NotFoundError(message=str(error), model=model, llm_provider=_PROVIDER)
    return known


def _refused(reason: str, call: Mapping[str, Any]) -> Exception:
    refused: Exception = litellm().exceptions.BadRequestError(
        message=reason, model=str(call.get("model")), llm_provider=_PROVIDER
    )
    return refused
