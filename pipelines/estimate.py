"""What a review would send, before it is sent: calls, tokens and money by role, as upper bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from litrag.core.settings import Role
from litrag.models.prices import Prices
from litrag.pipelines.composing import drafts_of, generates, plans_by_model
from litrag.pipelines.judging import judges
from litrag.pipelines.planning import Size
from litrag.pipelines.runs import new_run
from litrag.pipelines.state import ReviewRequest
from litrag.pipelines.workshop import Workshop, open_workshop

__all__ = ["RERANKS", "Planned", "Way", "estimate", "known_usd", "planned_calls", "total_of"]

_TOKENS_A_PAPER = (
    350  # title and abstract, as prompts show them; words bounds of planning, writing and reranking stay below it
)
_PAPERS_A_PARAGRAPH = 5
_CLAIMS_A_PAPER = 1.3
_TOKENS_OF_TEXT = 1000  # of the passages of a full text
_PASSAGES = 60  # of a full text, embedded to find the nearest
_BEFORE = 300  # tokens of the paragraph before
_WINDOWS_A_PAPER = 25
_SAMPLES = 3  # of best-of, and papers that pseudo-relevant rewrites with


@dataclass(frozen=True, slots=True)
class Planned:
    """Upper bounds for one role. `usd` is None where the price of the model is unknown."""

    role: str
    model: str
    calls: int
    tokens: int
    usd: float | None


def known_usd(planned: Sequence[Planned]) -> float:
    """What the roles of known price cost at the most, in US dollars."""
    return sum(row.usd or 0.0 for row in planned)


def total_of(planned: Sequence[Planned]) -> str:
    """The line under the roles: calls, tokens and, as far as prices are known, dollars."""
    calls, tokens = sum(row.calls for row in planned), sum(row.tokens for row in planned)
    unknown = sum(row.usd is None for row in planned)
    if unknown == len(planned) > 0:
        price = "price unknown"
    else:
        price = f"${known_usd(planned):.4f}" + (f" and {unknown} roles of unknown price" if unknown else "")
    return f"at the most: {calls} calls, {tokens:,} tokens, {price}; nothing was sent"


@dataclass(frozen=True, slots=True)
class Way:
    """How a reranker or a rewriter asks, by its defaults: its depth, calls for n candidates, papers a call shows, tokens of a reply and for each of
    them (of a rewriter: for each sample)."""

    depth: int
    calls: Callable[[int], int]
    shown: int = 1
    reply: int = 1
    reply_a_paper: int = 0


RERANKS: Final = {
    "insertrank": Way(60, lambda n: 1, 60, 600, 8),
    "groupwise": Way(100, lambda n: -(-n // 20), 20, 600, 10),
    "setwise": Way(20, lambda n: min(n, 10), 20, 20),
    "pairwise": Way(20, lambda n: n * (n - 1), 2, 8),
    "first": Way(100, lambda n: max(1, -(-(n - 10) // 10)), 20),
    "yes-no": Way(100, lambda n: n),
    "graded": Way(100, lambda n: n),
    "query-likelihood": Way(100, lambda n: n),
    "rubric": Way(100, lambda n: n, 1, 300),
    "debate": Way(40, lambda n: -(-n // 10), 10, 200, 250),
}
REWRITES: Final = {
    "keywords": Way(1, lambda n: 1, 0, 600),
    "hyde": Way(1, lambda n: 1, 0, 260),
    "step-back": Way(1, lambda n: 1, 0, 100),
    "decompose": Way(1, lambda n: 1, 0, 320),
    "conversational": Way(1, lambda n: 1, 0, 200),
    "best-of": Way(1, lambda n: 1, 0, 0, 100),
    "pseudo-relevant": Way(1, lambda n: n, 1, 100),
}


async def estimate(request: ReviewRequest) -> tuple[Planned, ...]:
    """What a review would send at the most; nothing is sent, no run is kept. Raises what starting it would raise."""
    with TemporaryDirectory() as folder:  # nobody is to see a run that is none
        shop = await open_workshop(new_run(request, parent=Path(folder)), fill=False)
        try:
            return planned_calls(shop)
        finally:
            shop.close()


def planned_calls(shop: Workshop, pool: int = 100) -> tuple[Planned, ...]:
    """The calls of the review in order; `pool` is the number of candidates expected after the search."""
    papers = shop.settings.papers
    about = len(shop.request.text) // 3
    headed = Size(shop.settings.words, shop.settings.sections).headed(papers)
    paragraphs = max(1, headed, round(papers / _PAPERS_A_PARAGRAPH))
    a_paper = _TOKENS_A_PAPER + _TOKENS_OF_TEXT * shop.settings.full_text
    calls: list[tuple[Role, int, int, int]] = []
    has = shop.gateway.has
    if has("rewrite") and (way := REWRITES.get(shop.rewriter_id)):
        k = int(shop.settings.rewriter_options.get("k", _SAMPLES))
        shown = about + 300 + way.shown * _TOKENS_A_PAPER
        calls.append(("rewrite", way.calls(k), shown, way.reply + way.reply_a_paper * k))
    if shop.settings.agent == "react":  # each search may be asked for three times
        calls.append(("react", 3 * shop.settings.agent_searches, about + 3000, 300))
    searches: dict[str, int] = {}  # of those who are paid by the search: a hundred texts of five hundred tokens
    if has("rerank") and shop.reranker_id == "cross-encoder":
        calls.append(("rerank", 1, min(pool, 100) * (about + _TOKENS_A_PAPER), 0))
        searches["rerank"] = -(-min(pool, 100) * -(-(about + _TOKENS_A_PAPER) // 500) // 100)
    if has("rerank") and (asks := RERANKS.get(shop.reranker_id)) is not None:
        n = min(pool, asks.depth)
        asked, shown = asks.calls(n), min(n, asks.shown)
        calls.append(("rerank", asked, about + 300 + shown * _TOKENS_A_PAPER, asks.reply + asks.reply_a_paper * shown))
    drafts = drafts_of(shop)
    if plans_by_model(shop) and not shop.request.plan:
        calls.append(("plan", drafts, about + papers * _TOKENS_A_PAPER // 2, 300 + 60 * papers))
    claims = round(papers * _CLAIMS_A_PAPER) * (2 if generates(shop) else 1)  # what is written anew is checked anew
    if has("support"):
        of_each = 2 if shop.settings.support == "likelihood" else 1
        calls.append(("support", of_each * claims, 2 * _TOKENS_A_PAPER, 0))
        searches["support"] = claims if shop.settings.support == "cross-encoder" else 0
    if generates(shop):
        shown = about + -(-papers * a_paper // paragraphs) + _BEFORE + 600
        calls.append(("write", drafts * paragraphs, shown, 300 + 120 * _PAPERS_A_PARAGRAPH))
        calls.append(("write", claims // 2, a_paper + 300, 400))  # every sentence once more, if none is supported
        if judges(shop.gateway):
            calls.append(("verify", claims, a_paper + 400, 300))
    prices = Prices()
    found = _by_role([_planned(shop, prices, call, searches.get(call[0], 0)) for call in calls])
    if shop.embedder is not None:
        model = shop.embedder.model
        texts, n = pool + 1, 1 + -(-pool // 64)
        # sentences of sources, alone and by twos, are compared with the text and with what was written: thrice the texts
        texts, n = texts + 3 * papers, n + -(-papers * _WINDOWS_A_PAPER // 64)
        if shop.settings.full_text:
            texts, n = texts + _PASSAGES * papers, n + papers
        if shop.settings.reranker == "maxsim":
            texts, n = 2 * texts, n + 1 + -(-pool // 16)
        usd = prices.usd(model, texts * _TOKENS_A_PAPER, 0)
        found.append(Planned("embed", model, n, texts * _TOKENS_A_PAPER, None if model in prices.unknown else usd))
    return tuple(found)


def _by_role(planned: list[Planned]) -> list[Planned]:
    """One row a role, in order."""
    found: dict[str, Planned] = {}
    for each in planned:
        if (other := found.get(each.role)) is None:
            found[each.role] = each
        else:
            usd = None if each.usd is None or other.usd is None else each.usd + other.usd
            found[each.role] = Planned(each.role, each.model, other.calls + each.calls, other.tokens + each.tokens, usd)
    return list(found.values())


def _planned(shop: Workshop, prices: Prices, call: tuple[Role, int, int, int], searches: int) -> Planned:
    role, calls, prompt, reply = call
    model = shop.gateway.model(role).model
    usd = prices.usd(model, calls * prompt, calls * reply, searches=searches)
    return Planned(role, model, calls, calls * (prompt + reply), None if model in prices.unknown else usd)
