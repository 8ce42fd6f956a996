"""What the model behind a model string can do, as far as its kind and LiteLLM's table tell. Nothing is called, no weights are loaded."""

from __future__ import annotations

import functools
from typing import Final

from litrag.core.protocols import ForcedScoring, Generates, NextTokenLogprobs, PairScoring, TokenEmbedder

__all__ = ["POWERS", "powers_of", "who_has"]

POWERS: Final = (Generates, NextTokenLogprobs, ForcedScoring, PairScoring)
_WRITES: Final[frozenset[type]] = frozenset({Generates, NextTokenLogprobs})
_PAIRS: Final[frozenset[type]] = frozenset({PairScoring})
_NO_CHAT: Final = ("infinity", "jina_ai", "voyage")  # through LiteLLM these embed and rerank, nothing else
_RERANK: Final = (  # providers of LiteLLM that have a rerank call
    *("azure_ai", "bedrock", "cohere", "dashscope", "deepinfra", "fireworks_ai", "hosted_vllm", "huggingface"),
    *("litellm_proxy", "nvidia_nim", "scaleway", "together_ai", "vertex_ai", "watsonx"),
    *_NO_CHAT,
)
_HAVE: Final[dict[type, str]] = {
    Generates: "in-process language models (local/...) and API models",
    NextTokenLogprobs: "in-process language models (local/...) and API models",
    ForcedScoring: "in-process language models (local/...)",
    PairScoring: "in-process cross-encoders (local/<folder of a sequence classifier with one label>) and rerank models of APIs and"
    " servers (cohere/rerank-v3.5, voyage/..., infinity/..., hosted_vllm/...)",
    TokenEmbedder: "in-process embedding models (local/all-MiniLM-L6-v2, local/<folder>)",
}


def powers_of(model: str) -> frozenset[type]:
    """What a model can do: of a local one its kind tells. No API scores a given text; PairScoring alone is what LiteLLM's table calls a
    rerank model, and where a provider that has some is asked for a model that the table does not know, the call decides.

    Raises ModelUnavailable for local weights that are not there."""
    if model.startswith("local/"):
        from litrag.models.local import capabilities

        return capabilities(model)
    if model.startswith("scripted/"):
        return frozenset(POWERS)
    if model.startswith("recorded/"):
        return _WRITES
    provider = model.partition("/")[0]
    if provider not in _RERANK:
        return _WRITES
    mode = _mode(model)
    if mode:
        return _PAIRS if mode == "rerank" else _WRITES
    return _PAIRS if provider in _NO_CHAT or "rerank" in model.lower() else _WRITES | _PAIRS


def who_has(power: type) -> str:
    """The kinds of models that have a power, for a message."""
    return _HAVE[power]


@functools.cache
def _mode(model: str) -> str:
    """What LiteLLM's table says a model is for ("chat", "rerank", "embedding", ...); "" where it does not know."""
    if model.startswith("huggingface/"):
        return ""  # LiteLLM calls every model of the hub a chat model, and looks on the hub before it says so
    from litrag.models.litellm_backend import litellm

    try:
        return str(litellm().get_model_info(model).get("mode") or "")
    except Exception:  # LiteLLM raises a bare Exception for a model it does not know
        return ""
