"""API models and OpenAI-compatible servers through LiteLLM. LiteLLM's own retries, caches, callbacks and telemetry are off."""

from __future__ import annotations

import functools
import logging
import math
import os
import re
import socket
from types import ModuleType
from typing import Any, Final

from litrag.core.errors import (
    CapabilityMissing,
    LitragError,
    ModelAway,
    ModelFault,
    ModelOverloaded,
    ModelUnavailable,
    PromptTooLong,
)
from litrag.core.protocols import Usage
from litrag.core.secrets import without_secrets
from litrag.models.prices import Prices
from litrag.models.request import ModelReply, ModelRequest

__all__ = ["LiteLLMBackend", "litellm", "translated"]

_NO_FORCED_SCORING = "in-process models (local/...)"
_TOKEN_VECTORS = "in-process embedding models (local/all-MiniLM-L6-v2, local/<folder>)"
_TOP_LOGPROBS = 20  # the most that OpenAI-compatible APIs give
_REFUSED: Final = re.compile(  # by LiteLLM, before anything is sent; it calls that a failed connection
    r"api key is required|api[ _]base(=none| must be| is required)|unsupported provider", re.IGNORECASE
)
_PREFIX: Final = re.compile(
    r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)\s*(?::|-)\s*)+"
)  # names of classes before what is said


@functools.cache
def litellm() -> ModuleType:
    """The litellm module, configured once: no network for its price table, no telemetry, no retry, no cache, no log."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # development mode would read .env by itself
    import litellm as module

    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)  # what it would log as an error is raised, too
    module.telemetry = False
    module.num_retries = 0
    module.cache = None
    module.suppress_debug_info = True
    module.drop_params = True
    found: ModuleType = module
    return found


class LiteLLMBackend:
    """Answers `generate`, `next_token_logprobs` (within the API's top 20), `embed` and, by rerank models, `relevance`; APIs cannot force
    a continuation, nor do they give vectors of tokens."""

    async def send(self, request: ModelRequest) -> ModelReply:
        """One HTTP request. Raises ModelOverloaded, ModelUnavailable, CapabilityMissing; never anything of LiteLLM's."""
        if request.operation == "score":
            raise CapabilityMissing(
                request.model, "log-probabilities of a given text (ForcedScoring)", _NO_FORCED_SCORING
            )
        if request.operation == "embed_tokens":
            raise CapabilityMissing(request.model, "vectors of tokens (TokenEmbedder)", _TOKEN_VECTORS)
        try:
            if request.operation == "embed":
                return _embedded(await litellm().aembedding(input=list(request.texts), **_common(request)))
            if request.operation == "relevance":
                asked = {"query": request.messages[0].content, "documents": list(request.texts)}
                return _judged(request, await litellm().arerank(**asked, **_common(request)))
            return _answered(request, await litellm().acompletion(**_chat(request), **_common(request)))
        except ModelFault:
            raise
        except Exception as error:
            told = translated(error, request.model, request.api_base)
            if request.operation != "generate" and isinstance(told, PromptTooLong):  # a text, and no prompt
                told = ModelUnavailable(str(told))
            raise told from error


def translated(error: Exception, model: str, api_base: str | None) -> LitragError:
    """The error of litrag's tree for whatever LiteLLM raised."""
    where = f"{model} at {api_base}" if api_base else model
    line = without_secrets(" ".join(str(error).partition("Traceback (most recent call last)")[0].split()))
    line = _PREFIX.sub("", line)[:300]
    kinds = litellm().exceptions
    if _nothing_answers(error):
        remedy = "start it, or check --api-base" if api_base else "check the network, or start its server"
        return ModelAway(f"{where}: nothing answers there; {remedy}")
    if api_base is None and (lacking := _lacking_keys(model)):
        return ModelUnavailable(f"{where}: no key; set {' or '.join(lacking)}, or pass another model")
    if isinstance(error, kinds.AuthenticationError):
        return ModelUnavailable(f"{where}: the key is not accepted; check the provider's key variable: {line}")
    if "LLM Provider NOT provided" in line:
        return ModelUnavailable(f"{where}: no such provider; name a model as provider/name, such as openai/gpt-4o-mini")
    if _REFUSED.search(line):
        return ModelUnavailable(f"{where}: no key, no --api-base, or a provider without such models: {line}")
    overloaded = (
        kinds.RateLimitError,
        kinds.ServiceUnavailableError,
        kinds.InternalServerError,
        kinds.BadGatewayError,
        kinds.Timeout,
        kinds.APIConnectionError,
    )
    if isinstance(error, overloaded) or getattr(error, "status_code", 0) in (408, 409, 425, 429, 500, 502, 503, 504):
        return ModelOverloaded(
            f"{where}: {line}; the provider is overloaded or has a fault, try again later",
            retry_after=_retry_after(error),
        )
    if isinstance(error, kinds.ContextWindowExceededError):
        return PromptTooLong(
            f"{where}: the request is longer than the model's context; use fewer papers (--papers) or another model: {line}"
        )
    if isinstance(error, kinds.NotFoundError | kinds.BadRequestError):
        return ModelUnavailable(f"{where}: unknown model or refused request; check --model (provider/name): {line}")
    return ModelUnavailable(f"{where}: {type(error).__name__}: {line}")


def _nothing_answers(error: BaseException) -> bool:
    """Whether no connection could be made, which stands below what LiteLLM makes of it."""
    import httpx

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.ConnectError | ConnectionRefusedError | socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _lacking_keys(model: str) -> list[str]:
    """The provider's key variables, where none is set: some clients report that as a failure of the server. [] where a provider takes
    other proofs than a key, or none."""
    checked = litellm().validate_environment(model=model)
    missing = [] if checked.get("keys_in_environment") else checked.get("missing_keys") or ()
    keys = sorted(name for name in missing if name.endswith("_API_KEY"))
    return keys if keys and len(keys) == len(missing) and not any(map(os.environ.get, keys)) else []


def _common(request: ModelRequest) -> dict[str, Any]:
    common: dict[str, Any] = {
        "model": request.model,
        "timeout": request.timeout,
        "max_retries": 0,
        "num_retries": 0,
        "caching": False,
    }
    if request.api_base:
        common["api_base"] = request.api_base
        if request.model.startswith("openai/") and not os.environ.get("OPENAI_API_KEY"):
            common["api_key"] = "none"  # a server of one's own asks for no key, its client insists on one
    return common


def _chat(request: ModelRequest) -> dict[str, Any]:
    chat: dict[str, Any] = {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "n": request.n,
        "seed": request.seed,
    }
    if request.stop:
        chat["stop"] = list(request.stop)
    if request.schema is not None:
        chat["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": dict(request.schema), "strict": True},
        }
    if request.operation == "next_token_logprobs":
        chat |= {"max_tokens": 1, "logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return chat


def _answered(request: ModelRequest, response: Any) -> ModelReply:
    usage = _usage(response)
    choices = response.choices
    if request.operation == "next_token_logprobs":
        return ModelReply(usage, logprobs=_logprobs(request, choices[0]))
    texts = tuple(choice.message.content or "" for choice in choices)
    if len(texts) < request.n:
        raise ModelUnavailable(
            f"{request.model} gave {len(texts)} replies where {request.n} were asked; it cannot sample several at once"
        )
    return ModelReply(usage, texts=texts, finish=tuple(str(choice.finish_reason or "stop") for choice in choices))


def _logprobs(request: ModelRequest, choice: Any) -> dict[str, float]:
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    if not content:
        raise CapabilityMissing(
            request.model,
            "log-probabilities of the next token (NextTokenLogprobs)",
            "local/... and APIs with top_logprobs",
        )
    found: dict[str, float] = {}
    for top in content[0].top_logprobs:
        found.setdefault(top.token, float(top.logprob))
    return {token: found.get(token, -math.inf) for token in request.tokens}


def _embedded(response: Any) -> ModelReply:
    import numpy as np

    rows = sorted(response.data, key=lambda row: row["index"])
    return ModelReply(_usage(response), vectors=np.asarray([row["embedding"] for row in rows], dtype=np.float32))


def _judged(request: ModelRequest, response: Any) -> ModelReply:
    """What a rerank API found, which comes best first, in the order of the texts; its price by tokens or by searches, as it bills."""
    found = {int(row["index"]): float(row["relevance_score"]) for row in response.results or ()}
    n = len(request.texts)
    if found.keys() != set(range(n)):
        raise ModelUnavailable(f"{request.model} gave no score for some of {n} texts; is it a rerank model?")
    meta = response.meta or {}
    billed = meta.get("billed_units") or {}
    tokens = int((meta.get("tokens") or {}).get("input_tokens") or billed.get("total_tokens") or 0)
    usd = Prices().usd(request.model, tokens, 0, searches=int(billed.get("search_units") or 0))
    return ModelReply(Usage(tokens, usd=usd), relevance=tuple(found[place] for place in range(n)))


def _usage(response: Any) -> Usage:
    usage = getattr(response, "usage", None)
    return Usage(int(getattr(usage, "prompt_tokens", 0) or 0), int(getattr(usage, "completion_tokens", 0) or 0))


def _retry_after(error: Exception) -> float | None:
    headers = (
        getattr(getattr(error, "response", None), "headers", None)
        or getattr(error, "litellm_response_headers", None)
        or {}
    )
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, TypeError, ValueError):
        return None
