"""One text rewritten by any rewriter. `litrag rewrite` is this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litrag.core import sync
from litrag.core.budget import Budget
from litrag.core.display import fragment, line, table
from litrag.core.errors import BadInput
from litrag.core.ledger import Ledger
from litrag.core.options import Option
from litrag.core.paths import cache_file
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Query
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.pipelines.methods import built_rewriter, rewriter_id
from litrag.pipelines.reading import read_text

__all__ = ["Rewritten", "read_history", "rewritten"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The queries, the original first, by which method, and what that took as a line."""

    method: str
    queries: tuple[Query, ...]
    spent: str

    def _repr_html_(self) -> str:
        rows = ((query.kind, query.text, query.reason) for query in self.queries)
        return fragment(table(["kind", "query", "reason"], rows), line(self.spent, kind="quiet"))


def rewritten(
    text: str,
    settings: Settings,
    options: Mapping[str, Option],
    *,
    history: Sequence[str] = (),
    backend: Backend | None = None,
) -> Rewritten:
    """Rewrites a text by the rewriter in the settings. Raises BadInput (an empty text, a setting), UnknownName, ModelFault, BudgetSpent."""
    if not text.strip():
        raise BadInput(
            "nothing to rewrite: give a query, a question or an abstract, or - and the text on standard input"
        )
    ledger, cache = Ledger(), RequestCache(cache_file())
    gateway = Gateway(settings, cache=cache, ledger=ledger, budget=Budget(settings.limits()), backend=backend)
    try:
        name = rewriter_id(settings.rewriter, gateway)
        rewriter = built_rewriter(name, gateway, options)
        queries = sync.run(rewriter.rewrite(Query(text, history=tuple(history))))
        totals = ledger.totals()
        tokens = totals.prompt_tokens + totals.completion_tokens
        return Rewritten(name, queries, f"{name}: {totals.calls} model calls, {tokens:,} tokens, ${totals.usd:.4f}")
    finally:
        cache.close()
        ledger.close()


def read_history(path: Path) -> tuple[str, ...]:
    """The turns in a file, one a line: question, answer, question, answer. Raises BadInput."""
    lines = read_text(str(path.expanduser()), "the turns").splitlines()
    turns = tuple(line.strip() for line in lines if line.strip())
    if len(turns) % 2:
        raise BadInput(f"{path} holds {len(turns)} lines; each question needs its answer in the line after it")
    return turns
