"""The one gateway to every model: leniency -> cache -> budget -> concurrency -> ledger -> retries -> backend, in this order.

A cached answer costs nothing; a request is booked when it leaves, not while it waits; all attempts of a request are one row.
`local/...` goes straight to the in-process backend, `scripted/...` to the script, `recorded/...` to a file, all else to LiteLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal
from weakref import WeakKeyDictionary

from litrag.core.budget import Budget
from litrag.core.errors import BadInput, CapabilityMissing
from litrag.core.ledger import Ledger
from litrag.core.protocols import Embedder, TokenEmbedder
from litrag.core.settings import Role, Settings
from litrag.core.store import RequestCache
from litrag.models.budgeting import Budgeted
from litrag.models.caching import Cached
from litrag.models.chat import ChatModel
from litrag.models.embedding import GatewayEmbedder
from litrag.models.leniency import Lenient
from litrag.models.limiting import Limited
from litrag.models.powers import POWERS, powers_of, who_has
from litrag.models.prices import Prices
from litrag.models.recorded import PREFIX, RecordedReplies, file_print
from litrag.models.recording import Recorded
from litrag.models.request import Backend, ModelReply, ModelRequest
from litrag.models.retrying import Retrying

__all__ = ["Gateway", "RoutedBackend"]

_LOCAL_CONCURRENCY = 64  # the in-process worker batches what waits; it must see it


class RoutedBackend:
    """Sends a request to the backend of its model's prefix. Backends are built on first use; `extra` adds prefixes."""

    def __init__(self, extra: Mapping[str, Backend] | None = None) -> None:
        self._extra = dict(extra or {})
        self._built: dict[str, Backend] = {}

    async def send(self, request: ModelRequest) -> ModelReply:
        """Routes by the part of the model string before the first slash."""
        prefix = request.model.partition("/")[0]
        return await (self._extra.get(prefix) or self._default(prefix)).send(request)

    def _default(self, prefix: str) -> Backend:
        kind = prefix if prefix in ("local", PREFIX) else "api"
        if kind not in self._built:
            if kind == "local":
                from litrag.models.local import process_backend

                self._built[kind] = process_backend()
            elif kind == PREFIX:
                self._built[kind] = RecordedReplies()
            else:
                from litrag.models.litellm_backend import LiteLLMBackend

                self._built[kind] = LiteLLMBackend()
        return self._built[kind]


class Gateway:
    """Models by role. Built for one run; `cache`, `ledger` and `budget` are the run's. Where it is `lenient`, a prompt for text that is longer than the
    model's context is answered by nothing, and `too_long` says so, a line a role. What waits and what is in flight belongs to
    one event loop, so each loop has its own wrappers."""

    def __init__(
        self,
        settings: Settings,
        *,
        cache: RequestCache,
        ledger: Ledger | None = None,
        budget: Budget | None = None,
        backend: Backend | None = None,
        lenient: bool = False,
    ) -> None:
        self.settings, self.cache = settings, cache
        self.ledger = ledger or Ledger()
        self.budget = budget or Budget()
        self.prices = Prices()
        self.too_long: dict[str, str] = {}
        self._lenient = lenient
        self._inner = backend or RoutedBackend()
        self._stacks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, Backend]] = WeakKeyDictionary()

    async def send(self, request: ModelRequest) -> ModelReply:
        """One request through all wrappers. Raises ModelFault, BudgetSpent."""
        return await self._stack(local=request.model.startswith("local/")).send(request)

    def has(self, role: Role) -> bool:
        """Whether a model is configured for the role."""
        return self.settings.role_model(role) is not None

    def check(self, role: Role) -> None:
        """Raises BadInput or ModelUnavailable where the role's model cannot be had, as far as that shows without calling it."""
        _fingerprint(self._name(role))

    def model(self, role: Role) -> ChatModel:
        """The model of a role. Raises BadInput where none is configured."""
        name = self._name(role)
        return ChatModel(lambda: self._blank(role, name), self)

    def resolve(self, role: Role, *, needs: type) -> ChatModel:
        """The model of a role for a component that needs a power. Raises CapabilityMissing, naming models that have it."""
        model = self.model(role)
        if needs not in POWERS:
            raise BadInput(f"no power named {needs!r}; there is {', '.join(power.__name__ for power in POWERS)}")
        if needs not in powers_of(model.model):
            raise CapabilityMissing(model.model, needs.__name__, who_has(needs))
        return model

    def powers(self, role: Role) -> frozenset[type]:
        """What the model of a role can do, as far as that shows without calling it. Raises BadInput, ModelUnavailable."""
        return powers_of(self._name(role))

    def embedder(self, *, needs: type = Embedder) -> GatewayEmbedder:
        """The embedder of the role `embed`. Raises CapabilityMissing where it lacks the power TokenEmbedder that a component needs."""
        name = self._name("embed")
        if needs is TokenEmbedder and not name.startswith("scripted/") and needs not in powers_of(name):
            raise CapabilityMissing(name, needs.__name__, who_has(needs))

        def blank(kind: Literal["query", "document"]) -> ModelRequest:
            from litrag.models.weights import documents_model

            return self._blank("embed", name if kind == "query" else documents_model(name))

        return GatewayEmbedder(blank, self, self.cache, self.ledger)

    def price_warnings(self) -> list[str]:
        """A line for each of others' models that was used and whose price nobody told; a server of one's own has none."""
        unknown = sorted(self.prices.unknown) if self.settings.api_base is None else []
        return [f"the price of {name} is unknown: it counts as $0, --max-cost does not bound it" for name in unknown]

    def _name(self, role: Role) -> str:
        name = self.settings.role_model(role)
        if name is None:
            raise BadInput(
                f"no model for the role {role}; set --model or {'support_model' if role == 'support' else f'--{role}-model'}"
                " (a LiteLLM string, or local/<id or folder>)"
            )
        if "/" not in name:
            raise BadInput(
                f"model {name!r} has no provider; write it as provider/name, for example openai/{name} or local/{name}"
            )
        return name

    def _blank(self, role: Role, name: str) -> ModelRequest:
        return ModelRequest(
            operation="embed" if role == "embed" else "generate",
            model=name,
            role=role,
            seed=self.settings.seed,
            api_base=self.settings.role_base(role),
            fingerprint=_fingerprint(name),
            timeout=self.settings.timeout,
        )

    def _stack(self, *, local: bool) -> Backend:
        stacks = self._stacks.setdefault(asyncio.get_running_loop(), {})
        if local not in stacks:
            retried: Backend = self._inner if local else Retrying(self._inner, attempts=self.settings.retries)
            recorded = Recorded(retried, self.ledger, self.prices)
            limited = Limited(recorded, _LOCAL_CONCURRENCY if local else self.settings.concurrency)
            cached = Cached(Budgeted(limited, self.budget, self.prices), self.cache, self.ledger)
            stacks[local] = Lenient(cached, self.too_long) if self._lenient else cached
        return stacks[local]


def _fingerprint(name: str) -> str:
    if name.startswith(f"{PREFIX}/"):
        return file_print(name)
    if not name.startswith("local/"):
        return ""
    from litrag.models.weights import resolve_local

    return resolve_local(name).fingerprint
