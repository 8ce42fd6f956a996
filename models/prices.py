"""What a token and a search cost, from LiteLLM's table. Embedded, scripted and self-served models cost nothing."""

from __future__ import annotations

import functools

__all__ = ["Prices"]

_FREE = ("local/", "scripted/", "recorded/")


class Prices:
    """US dollars by model string; a model the table does not know counts as 0 and is named in `unknown`."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()

    def usd(self, model: str, prompt_tokens: int, completion_tokens: int, *, searches: int = 0) -> float:
        """The price of one call. Some rerank APIs charge by `searches`, a query with up to 100 documents, not by tokens."""
        if model.startswith(_FREE):
            return 0.0
        rates = _rates(model)
        if rates is None:
            self.unknown.add(model)
            return 0.0
        return rates[0] * prompt_tokens + rates[1] * completion_tokens + rates[2] * searches


@functools.cache
def _rates(model: str) -> tuple[float, float, float] | None:
    from litrag.models.litellm_backend import litellm

    try:
        info = litellm().get_model_info(model)
    except Exception:  # LiteLLM raises a bare Exception for a model it does not know
        return None
    return (
        float(info.get("input_cost_per_token") or 0.0),
        float(info.get("output_cost_per_token") or 0.0),
        float(info.get("input_cost_per_query") or 0.0),
    )
