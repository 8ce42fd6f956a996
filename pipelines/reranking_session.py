"""The models, the budget and the counts of one `litrag rerank`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from litrag.core.budget import Budget
from litrag.core.errors import BadInput
from litrag.core.ledger import Ledger
from litrag.core.paths import cache_file
from litrag.core.protocols import Reranker
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.pipelines.methods import Rerankers
from litrag.pipelines.workshop import why_no_embedder

__all__ = ["RerankingSession", "injected"]


class RerankingSession:
    """A context manager; closing keeps what the cache got."""

    def __init__(self, settings: Settings, *, backend: Backend | None = None) -> None:
        self.settings, self.ledger = settings, Ledger()
        self._gateway = Gateway(
            settings,
            cache=RequestCache(cache_file()),
            ledger=self.ledger,
            budget=Budget(settings.limits()),
            backend=backend,
        )
        embedder = None if why_no_embedder(settings) else self._gateway.embedder()
        self._rerankers = Rerankers(self._gateway, embedder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self._gateway.cache.close()
        if self._rerankers.tokens is not None:
            self._rerankers.tokens.close()

    def build(self, options: Mapping[str, Any]) -> Reranker:
        """The reranker in force with settings of its own. Raises UnknownName, BadInput, CapabilityMissing."""
        return self._rerankers.build(self.settings.reranker, options)

    def warnings(self) -> list[str]:
        """What the user should know of what it cost and of what could not be kept."""
        kept = list(self._rerankers.tokens.warnings) if self._rerankers.tokens is not None else []
        return [*self._gateway.price_warnings(), *kept]

    def cost(self) -> str:
        """What was spent, in a line."""
        spend = self.ledger.spend()
        return f"{spend.calls} calls, {spend.tokens:,} tokens, ${spend.cost:.4f}"


def injected(scores: str | None, order: str | None) -> dict[str, str]:
    """The settings of a method that stand for --scores and --order. Raises BadInput."""
    found: dict[str, str] = {}
    if scores is not None:
        found |= {"scores": "none"} if scores == "none" else {"scores": "own", "scale": scores}
    if order not in (None, "keep", "shuffled"):
        raise BadInput(f"--order {order!r}: write keep or shuffled")
    if order is not None:
        found["order"] = "given" if order == "keep" else "shuffled"
    return found
