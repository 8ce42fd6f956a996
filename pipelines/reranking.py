"""A first stage's results in a new order: any reranker over any candidates, within a budget. `litrag rerank` is this."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from litrag.core import sync
from litrag.core.budget import Budget
from litrag.core.errors import BadInput, BudgetSpent, LitragError, UnknownName
from litrag.core.events import Event, Listener, silent
from litrag.core.ledger import Ledger
from litrag.core.options import Option
from litrag.core.paths import cache_file
from litrag.core.protocols import Reranker
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.telemetry import span
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.pipelines.first_stage import Candidates, FirstStage
from litrag.pipelines.methods import built_reranker, reranker_id, reranker_settings, token_store
from litrag.pipelines.reranked import Outcome, Reranked, doubts
from litrag.rerankers import RERANKERS

if TYPE_CHECKING:
    from litrag.retrievers.tokens import TokenStore

__all__ = ["Method", "rerank", "rerank_async"]

# what --scores and --order say, as settings of a reranker
_SCORES: Final[Mapping[str, Mapping[str, Option]]] = {
    **{scale: {"scores": "own", "scale": scale} for scale in ("raw", "minmax", "z", "rank")},
    "none": {"scores": "none"},
}
_ORDERS: Final[Mapping[str, Mapping[str, Option]]] = {"keep": {"order": "given"}, "shuffled": {"order": "shuffled"}}
_GO_ON: Final = "give the same command again: what was answered comes from the cache"
_NO_MODEL: Final = (
    "the order is the first stage's: no model was named (--rerank-model M), and the embedding model is not here"
    " (`litrag setup` fetches it)"
)


@dataclass(frozen=True, slots=True)
class Method:
    """What reranks: a reranker's id or "auto"; how many documents (None: its own default); the first stage's score beside each document
    (raw, minmax, z, rank, none) and the order in which a model sees them (keep, shuffled; None: its own defaults); other settings of its
    own."""

    name: str = "auto"
    depth: int | None = None
    scores: str | None = None
    order: str | None = None
    own: Mapping[str, Option] = field(default_factory=dict)


def rerank(
    first: FirstStage, method: Method, settings: Settings, *, listen: Listener = silent, backend: Backend | None = None
) -> Outcome:
    """Reranks; see `rerank_async`."""
    return sync.run(rerank_async(first, method, settings, listen=listen, backend=backend))


async def rerank_async(
    first: FirstStage, method: Method, settings: Settings, *, listen: Listener = silent, backend: Backend | None = None
) -> Outcome:
    """Every query's candidates in the method's order, as far as the budget goes; models are those of the settings.

    Raises BadInput, ModelFault before the first call. What a call raises is the outcome's `error`, beside the queries that are done."""
    ledger = Ledger()
    cache = RequestCache(cache_file())
    gateway = Gateway(settings, cache=cache, ledger=ledger, budget=Budget(settings.limits()), backend=backend)
    stores: list[TokenStore] = []

    def tokens(embedder: GatewayEmbedder) -> TokenStore:
        stores.append(token_store(embedder))
        return stores[-1]

    try:
        name = reranker_id(method.name, gateway)
        reranker = built_reranker(name, gateway, _options(name, method, first), tokens=tokens)
        work = _Work(name, first.queries, reranker, method.depth, listen)
        await work.go_on(settings.concurrency)
        if isinstance(work.error, BudgetSpent):  # reserved for calls in flight, perhaps, which took less
            await work.go_on(1)
        warnings = [*first.warnings, *([_NO_MODEL] if name == "none" != method.name else []), *work.warnings()]
        warnings += [*gateway.price_warnings(), *(warning for store in stores for warning in store.warnings)]
        return Outcome(name, work.queries(), ledger.totals(), tuple(warnings), work.left, work.told())
    finally:
        cache.close()
        ledger.close()
        for store in stores:
            store.close()


class _Work:
    """The queries of one call: those that are done, the first error."""

    def __init__(
        self, name: str, asked: Sequence[Candidates], reranker: Reranker, depth: int | None, listen: Listener
    ) -> None:
        self._name = name
        self._asked, self._reranker, self._depth, self._listen = asked, reranker, depth, listen
        self._done: dict[str, Reranked] = {}
        self.error: LitragError | None = None

    @property
    def left(self) -> int:
        """How many are not done."""
        return len(self._asked) - len(self._done)

    def queries(self) -> tuple[Reranked, ...]:
        """Those that are done, in the order of the input."""
        return tuple(self._done[each.id] for each in self._asked if each.id in self._done)

    async def go_on(self, at_once: int) -> None:
        """Reranks those that are left, so many at a time, until the first error; what is under way then comes to its end."""
        self.error = None
        slots = asyncio.Semaphore(at_once)

        async def one(each: Candidates) -> None:
            async with slots:
                if self.error is None:
                    await self._one(each)

        await asyncio.gather(*(one(each) for each in self._asked if each.id not in self._done))

    async def _one(self, each: Candidates) -> None:
        try:
            with span("rerank", {"litrag.method": self._name, "litrag.documents": len(each.ranking.hits)}):
                ranking = await self._reranker.rerank(each.ranking, depth=self._depth)
        except LitragError as error:
            self.error = self.error or error
            return
        self._done[each.id] = Reranked(each.id, each.ranking, ranking)
        self._listen(Event("rerank", each.id, done=len(self._done), total=len(self._asked)))

    def told(self) -> LitragError | None:
        """The error; of a spent budget it says what is left and how to go on."""
        if not isinstance(self.error, BudgetSpent):
            return self.error
        e = self.error
        remedy = f"{self.left} of {len(self._asked)} queries are left; raise --max-{e.what} and {_GO_ON}"
        return BudgetSpent(e.what, e.used, e.limit, held=e.held, asked=e.asked, remedy=remedy)

    def warnings(self) -> list[str]:
        """What to know of the rankings, and how to go on after a fault."""
        found = list(filter(None, [doubts({each.id: each.ranking for each in self.queries()})]))
        if self.error is not None and not isinstance(self.error, BudgetSpent):
            found.append(f"{self.left} of {len(self._asked)} queries are left; {_GO_ON}")
        return found


def _options(name: str, method: Method, first: FirstStage) -> dict[str, Option]:
    """The method's choices as settings of a reranker. Raises BadInput for those that it cannot take."""
    if method.scores not in (None, "none") and not first.scored:
        raise BadInput(f"--scores {method.scores}: the documents have no score; give them one, or --scores none")
    chosen = _chosen(name, "--scores", method.scores, _SCORES) | _chosen(name, "--order", method.order, _ORDERS)
    if twice := sorted(chosen.keys() & method.own.keys()):
        raise BadInput(f"--set {twice[0]}: --scores or --order says it already; leave one of them out")
    return {**chosen, **method.own}


def _chosen(name: str, option: str, value: str | None, table: Mapping[str, Mapping[str, Option]]) -> dict[str, Option]:
    if value is None:
        return {}
    if value not in table:
        raise UnknownName(option, value, table)
    able = [each for each in RERANKERS if table[value].keys() <= reranker_settings(each).keys()]
    if not table[value].keys() <= reranker_settings(name).keys():
        raise BadInput(f"{option} is nothing to the reranker {name}; those that take it: {', '.join(able)}")
    return dict(table[value])
