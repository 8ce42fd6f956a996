"""The measure of texts of a model string: a local model's own tokenizer, a rule for all others with the context that LiteLLM's table tells."""

from __future__ import annotations

import functools
from typing import Any

from litrag.core.lengths import ROUGH, RoughMeasure, TextMeasure

__all__ = ["TokenizerMeasure", "measure_for"]


def measure_for(model: str) -> TextMeasure:
    """The measure of a model. Raises ModelUnavailable, MissingExtra."""
    if model.startswith("local/"):
        from litrag.models.weights import resolve_local

        return _of_tokenizer(model, resolve_local(model).fingerprint)
    return ROUGH if model.startswith(("scripted/", "recorded/")) else _of_table(model)


@functools.cache
def _of_table(model: str) -> TextMeasure:
    from litrag.models.litellm_backend import litellm

    try:
        context = litellm().get_model_info(model).get("max_input_tokens")
    except Exception:  # LiteLLM raises a bare Exception for a model it does not know
        context = None
    return RoughMeasure(int(context)) if context else ROUGH


@functools.cache
def _of_tokenizer(model: str, fingerprint: str) -> TextMeasure:
    from litrag.models.local_loading import load_tokenizer
    from litrag.models.weights import resolve_local

    tokenizer, context = load_tokenizer(model, resolve_local(model))
    return TokenizerMeasure(tokenizer, context)


class TokenizerMeasure:
    """Counts and cuts by a tokenizer, for a model of `context` tokens (None: nobody knows)."""

    def __init__(self, tokenizer: Any, context: int | None) -> None:
        self._tokenizer, self.context = tokenizer, context

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._ids(text)["input_ids"])

    def cut(self, text: str, tokens: int) -> str:
        """The beginning of a text that is `tokens` tokens long at the most."""
        spans = self._ids(text, return_offsets_mapping=True)["offset_mapping"]
        return text if len(spans) <= tokens else text[: spans[tokens - 1][1]] if tokens > 0 else ""

    def _ids(self, text: str, **more: Any) -> Any:
        return self._tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False, **more)
