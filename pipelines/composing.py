"""The second half of a review: plan, write, verify, export. Each function is one node of the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from litrag.core.errors import BudgetSpent
from litrag.core.quotes import find_quote
from litrag.core.types import Draft, Evidence, Hit, Paper, Plan, Span
from litrag.pipelines.extractive import ExtractivePlanner, ExtractiveWriter
from litrag.pipelines.finding import Selected, cited, with_warnings
from litrag.pipelines.output import write_outputs
from litrag.pipelines.planning import GeneratingPlanner
from litrag.pipelines.retractions import check_retractions
from litrag.pipelines.state import ReviewState
from litrag.pipelines.support import Both
from litrag.pipelines.verifying import Verifier
from litrag.pipelines.workshop import Workshop
from litrag.pipelines.writing import GeneratingWriter

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["composing_nodes", "evidence_table", "export", "generates", "plan", "verify", "write"]


def generates(shop: Workshop) -> bool:
    """Whether a model writes this review."""
    return shop.settings.writer == "generate" or (shop.settings.writer == "auto" and shop.gateway.has("write"))


async def plan(shop: Workshop, state: ReviewState) -> ReviewState:
    """Groups and sentences: by the plan model where one writes, else (and where its reply holds no plan) by clustering."""
    papers = cited(shop.store.get(state["selected"], tuple[Selected, ...]))
    about = shop.request.about
    update: ReviewState = {}
    counters = dict(state.get("counters", {}))
    planned: Plan | None = None
    if generates(shop) and (model := shop.writes("plan")) is not None:
        try:
            reading = await GeneratingPlanner(model).plan(papers, about)
        except BudgetSpent as error:
            update["stop_reason"] = state.get("stop_reason") or str(error)
        else:
            planned = reading.plan if reading else None
            counters |= (
                {"plan_unknown": reading.unknown, "plan_added": len(reading.added)}
                if reading
                else {"plan_unreadable": 1}
            )
    if planned is None:
        vectors, stopped = await _vectors(shop, papers)
        if stopped:
            update["stop_reason"] = state.get("stop_reason") or stopped
        planned = await asyncio.to_thread(ExtractivePlanner().plan, papers, about, vectors)
    shop.say("plan", f"{len(planned.paragraphs)} paragraphs: " + "; ".join(p.topic for p in planned.paragraphs))
    return {**update, "plan": shop.store.put(planned, Plan), "counters": counters}


async def write(shop: Workshop, state: ReviewState) -> ReviewState:
    """The draft of the plan."""
    papers = cited(shop.store.get(state["selected"], tuple[Selected, ...]))
    planned = shop.store.get(state["plan"], Plan)
    extractive = ExtractiveWriter()
    counters = dict(state.get("counters", {}))
    update: ReviewState = {}
    if generates(shop):
        done = iter(range(1, len(planned.paragraphs) + 1))
        tick = lambda: shop.say("write", done=next(done), total=len(planned.paragraphs))  # noqa: E731
        writer = GeneratingWriter(shop.gateway.model("write"), extractive, tick=tick)
        draft, report = await writer.write(planned, papers, shop.request.about)
        counters |= {
            "unknown_citations": report.unknown,
            "extractive_sentences": len(report.fallbacks),
            "unreadable": report.unreadable,
        }
        if report.stopped:
            update["stop_reason"] = state.get("stop_reason") or report.stopped
    else:
        draft = await asyncio.to_thread(extractive.write, planned, papers, shop.request.about)
    return {**update, "draft": shop.store.put(draft, Draft), "counters": counters}


async def verify(shop: Workshop, state: ReviewState) -> ReviewState:
    """A verdict for every sentence-citation pair."""
    papers = cited(shop.store.get(state["selected"], tuple[Selected, ...]))
    draft = shop.store.get(state["draft"], Draft)
    model = shop.writes("verify") if generates(shop) else None
    texts = (paper.text for paper in papers.values())
    support = None if shop.embedder is None else Both.over(texts, shop.embedder)
    checked, warnings = await Verifier(model, support).verify(draft.claims, papers)
    labels = [verdict.label for claim in checked for verdict in claim.verdicts]
    counters = {
        **state.get("counters", {}),
        **{label: labels.count(label) for label in ("supported", "unsupported", "unchecked")},
    }
    return {
        "draft": shop.store.put(draft.with_claims(checked), Draft),
        "counters": counters,
        "warnings": with_warnings(shop, state, *warnings),
    }


async def export(shop: Workshop, state: ReviewState) -> ReviewState:
    """The files, after a last look at what became of the cited papers."""
    selected = shop.store.get(state["selected"], tuple[Selected, ...])
    draft = shop.store.get(state["draft"], Draft)
    table = evidence_table(draft, {item.key: (item.paper, item.hit) for item in selected})
    reason = state.get("stop_reason") or "done"
    papers = cited(selected)
    retracted = await check_retractions(shop, {key: papers[key] for key in draft.keys})
    done: ReviewState = {
        **state,
        "stop_reason": reason,
        "warnings": with_warnings(shop, state, *shop.gateway.price_warnings(), *retracted.warnings),
        "counters": {**state.get("counters", {}), **retracted.counters},
    }
    await asyncio.to_thread(
        write_outputs, shop, done, draft, papers, table, generated=generates(shop), retracted=retracted.papers
    )
    return {"stop_reason": reason, "warnings": done["warnings"], "counters": done["counters"]}


composing_nodes: Final = {"plan": plan, "write": write, "verify": verify, "export": export}


def evidence_table(draft: Draft, selected: Mapping[str, tuple[Paper, Hit]]) -> tuple[Evidence, ...]:
    """One evidence for each cited key: the passage, the first quote that a sentence rests on, and how the paper was found."""
    table: list[Evidence] = []
    for key in draft.keys:
        paper, hit = selected[key]
        quotes = (
            quote
            for claim in draft.claims
            for name, quote in zip(claim.keys, claim.quotes, strict=False)
            if name == key and quote
        )
        matches = (find_quote(quote, paper.text) for quote in quotes)
        match = next((match for match in matches if match is not None), None)
        verdict_spans = (
            v.quote for claim in draft.claims for v in claim.verdicts if v.key == key and v.quote is not None
        )
        span = match.span if match else next(verdict_spans, Span(0, 0, ""))
        best = min(hit.scores, key=lambda score: score.rank, default=None)
        table.append(Evidence(key, paper.passage(), span, best.query if best else "", hit.scores, hit.reasons))
    return tuple(table)


async def _vectors(shop: Workshop, papers: Mapping[str, Paper]) -> tuple[Vectors | None, str]:
    if shop.embedder is None:
        return None, ""
    try:
        return await shop.embedder.embed([paper.text for paper in papers.values()], kind="document"), ""
    except BudgetSpent as error:
        return None, str(error)
