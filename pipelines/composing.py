"""The second half of a review: plan, write, verify, export. Each function is one node of the graph."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from litrag.agents.entities import WordWeights
from litrag.core.errors import BudgetSpent
from litrag.core.quotes import find_quote
from litrag.core.settings import Settings
from litrag.core.sync import all_or_first_error
from litrag.core.types import Draft, Evidence, Paper, Plan, Span
from litrag.pipelines.drafting import best_draft
from litrag.pipelines.extractive import ExtractivePlanner, ExtractiveWriter, fitted
from litrag.pipelines.finding import Selected, cited, readable, with_warnings
from litrag.pipelines.judging import verifier_of
from litrag.pipelines.named import with_named
from litrag.pipelines.output import write_outputs
from litrag.pipelines.pausing import edit, offer_plan
from litrag.pipelines.plan_file import assigned, read_plan, sized
from litrag.pipelines.planning import GeneratingPlanner, PlanReading, Size
from litrag.pipelines.retractions import check_existence
from litrag.pipelines.revising import Reviser, doubtful, without
from litrag.pipelines.state import ReviewState
from litrag.pipelines.statements import by_cosine, by_words
from litrag.pipelines.support import Both, Coverage, Support
from litrag.pipelines.workshop import Workshop
from litrag.pipelines.writing import GeneratingWriter, WritingReport

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = [
    "composing_nodes",
    "drafts_of",
    "evidence_table",
    "export",
    "generates",
    "plan",
    "plans_by_model",
    "verify",
    "write",
]


_SIZES: Final = (5, 4, 7, 3, 9)  # papers a paragraph, of one draft after the other
_BUDGET: Final = "budget: "  # how `BudgetSpent` begins, also within the warning of a check that it cut short
_READ: Final = {False: 250, True: 900}  # words of a paper that the writer is shown, of abstracts and of full texts
_SHORT: Final = 0.7  # of the words asked for, below which a review says why it has no more
_A_PAPER: Final = {True: 15, False: 26}  # words that a paper takes, where a model writes and where none does


def generates(shop: Workshop) -> bool:
    """Whether a model writes this review."""
    return shop.settings.writer == "generate" or (shop.settings.writer == "auto" and shop.gateway.has("write"))


def plans_by_model(shop: Workshop) -> bool:
    """Whether a model is asked for the plan: where one writes, or one was named for it."""
    return shop.gateway.has("plan") and (generates(shop) or bool(shop.settings.plan_model))


def drafts_of(shop: Workshop) -> int:
    """How many plans are made and written: one that is given, or can be edited, is alone."""
    return 1 if shop.request.plan or "plan" in shop.settings.pause else shop.settings.drafts


async def plan(shop: Workshop, state: ReviewState) -> ReviewState:
    """Groups and sentences: the user's plan, or as many as drafts are wanted, by the plan model where one writes or was named, else (and where its reply holds no plan)
    by clustering. Words asked for bound the papers, but for those that the user chose."""
    selected = shop.store.get(state["selected"], tuple[Selected, ...])
    given, about = shop.request.plan, shop.request.about
    if given:
        selected = with_named(shop, state, given, selected)
    papers = cited(selected)
    update: ReviewState = {}
    counters = dict(state.get("counters", {}))
    room = len(papers) if "papers" in shop.settings.pause else _room(shop, len(papers))
    fit = dict(itertools.islice(papers.items(), room))
    if given:
        read = read_plan(
            given, papers, name="the plan given (a mended one needs a new run, in which no call is paid twice)"
        )
        planned = assigned(read, papers if read.keys else fit)
        plans = [planned if sized(given) else Size(shop.settings.words).sized(planned)]
        lost = [
            paragraph.topic
            for paragraph in read.paragraphs
            if paragraph.topic not in {p.topic for p in planned.paragraphs}
        ]
        if lost:
            update["warnings"] = with_warnings(
                shop, state, f"no paper stands in these paragraphs of the plan, they are left out: {'; '.join(lost)}"
            )
    else:
        plans, stopped = await _planned(shop, fit, about, counters)
        if stopped:
            update["stop_reason"] = state.get("stop_reason") or stopped
        if len(fit) < len(papers):
            little = (
                f"{len(fit)} of {len(papers)} papers: {shop.settings.words} words leave no room for more; raise --words"
            )
            update["warnings"] = with_warnings(shop, state, little)
    if len(plans) < shop.settings.drafts:
        why = (
            "the plan is given"
            if given
            else "one plan can be edited"
            if "plan" in shop.settings.pause
            else "no more plans were made"
        )
        short = f"{len(plans)} of {shop.settings.drafts} drafts are written: {why}"
        update["warnings"] = with_warnings(shop, {**state, **update}, short)
    if left := len(papers) - len(plans[0].keys):
        counters["not_planned"] = left
    shown = plans[0]
    shop.say("plan", f"{len(shown.paragraphs)} paragraphs: " + "; ".join(p.topic for p in shown.paragraphs if p.topic))
    if "plan" in shop.settings.pause:
        offer_plan(shop, shown, papers)
    return {
        **update,
        "selected": shop.store.put(selected, tuple[Selected, ...]),
        "plans": shop.store.put(tuple(plans), tuple[Plan, ...]),
        "counters": counters,
    }


async def write(shop: Workshop, state: ReviewState) -> ReviewState:
    """The drafts of the plans, and of them the best."""
    papers = readable(shop.store.get(state["selected"], tuple[Selected, ...]))
    plans = shop.store.get(state["plans"], tuple[Plan, ...])
    counters = dict(state.get("counters", {}))
    update: ReviewState = {}
    drafts, reports = [], []
    named = [set(planned.keys) for planned in plans]
    extractive = ExtractiveWriter(await _told(shop, {key: papers[key] for key in papers if key in set().union(*named)}))
    for place, (planned, keys) in enumerate(zip(plans, named, strict=True), start=1):
        own = {key: papers[key] for key in papers if key in keys}
        which = f"of draft {place}" if len(plans) > 1 else ""
        draft, report = await _written(shop, planned, own, extractive, which)
        drafts.append(draft)
        reports.append(report)
    best = 0
    if len(drafts) > 1:
        try:
            best = await best_draft(drafts, papers, _support(shop, papers))
        except BudgetSpent as error:
            update["stop_reason"] = state.get("stop_reason") or str(error)
        counters |= {"drafts": len(drafts), "draft_kept": best + 1}
    counters |= reports[best].counters if generates(shop) else {}
    if not generates(shop) and shop.settings.language != Settings.model_fields["language"].default:
        update["warnings"] = with_warnings(
            shop, state, f"--language {shop.settings.language} needs a model that writes (--model); the text is English"
        )
    stopped = next((report.stopped for report in reports if report.stopped), "")
    if stopped:
        update["stop_reason"] = state.get("stop_reason") or stopped
    count = sum(len(claim.sentence.split()) for claim in drafts[best].claims)
    if not stopped and count < _SHORT * (shop.settings.words or 0) and _room(shop, len(papers)) == len(papers):
        ways = ["raise --papers"] * (len(papers) >= shop.settings.papers)
        ways += ["give a model that writes (--model)"] * (not generates(shop))
        short = f"{count} of about {shop.settings.words} words: {len(drafts[best].keys)} papers gave no more"
        told = "; ".join(filter(None, [short, ", or ".join(ways)]))
        update["warnings"] = with_warnings(shop, {**state, **update}, told)
    return {
        **update,
        "plan": shop.store.put(plans[best], Plan),
        "draft": shop.store.put(drafts[best], Draft),
        "counters": counters,
    }


async def verify(shop: Workshop, state: ReviewState) -> ReviewState:
    """A verdict for every sentence-citation pair; unsupported sentences of a model are written once more, and what stays so is marked, dropped or kept."""
    papers = readable(shop.store.get(state["selected"], tuple[Selected, ...]))
    draft = shop.store.get(state["draft"], Draft)
    texts = [paper.text for paper in papers.values()]
    verifier = verifier_of(shop.gateway, texts, ask=generates(shop), own=shop.request.text)
    checked, warnings = await verifier.verify(draft.claims, papers)
    counters = dict(state.get("counters", {}))
    if generates(shop) and any(map(doubtful, checked)):
        reviser = Reviser(shop.gateway.model("write"), shop.settings.language, _READ[shop.settings.full_text])
        revised, more = await reviser.revise(checked, papers)
        new = [place for place, claim in enumerate(revised) if claim is not checked[place]]
        again, later = await verifier.verify(tuple(revised[place] for place in new), papers)
        replaced = dict(zip(new, again, strict=True))
        checked = tuple(replaced.get(place, claim) for place, claim in enumerate(checked))
        counters["revised"] = len(new)
        warnings = (*warnings, *more, *later)
    draft = draft.with_claims(checked)
    if shop.settings.unsupported == "drop" and any(map(doubtful, checked)):
        gone = [claim for claim in checked if doubtful(claim)]
        kept = without(draft, gone)
        if kept.keys:
            draft, counters["dropped"] = kept, len(gone)
        else:
            warnings = (*warnings, "every sentence is unsupported: marked, none was dropped")
    spent = next((warning for warning in warnings if _BUDGET in warning), "")
    reason = state.get("stop_reason") or spent[spent.find(_BUDGET) :]
    labels = [verdict.label for claim in draft.claims for verdict in claim.verdicts]
    counters |= {label: labels.count(label) for label in ("supported", "unsupported", "unchecked")}
    return {
        **({"stop_reason": reason} if spent else {}),
        "draft": shop.store.put(draft, Draft),
        "counters": counters,
        "warnings": with_warnings(shop, state, *warnings),
    }


async def export(shop: Workshop, state: ReviewState) -> ReviewState:
    """The files, after a last look at what became of the cited papers."""
    selected = shop.store.get(state["selected"], tuple[Selected, ...])
    draft = shop.store.get(state["draft"], Draft)
    table = evidence_table(draft, {item.key: item for item in selected})
    reason = state.get("stop_reason") or "done"
    papers = cited(selected)
    retracted = await check_existence(shop, {key: papers[key] for key in draft.keys})
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


composing_nodes: Final = {"plan": plan, "edit": edit, "write": write, "verify": verify, "export": export}


def evidence_table(draft: Draft, selected: Mapping[str, Selected]) -> tuple[Evidence, ...]:
    """One evidence for each cited key: the passage, the first quote that a sentence rests on, and how the paper was found."""
    table: list[Evidence] = []
    for key in draft.keys:
        paper, hit = selected[key].read, selected[key].hit
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
        query = best.query if best else ""
        table.append(Evidence(key, paper.passage(), span, query, hit.scores, hit.reasons, selected[key].pages))
    return tuple(table)


def _room(shop: Workshop, papers: int) -> int:
    """How many papers the words asked for leave room for."""
    words = shop.settings.words
    return papers if words is None else max(1, min(papers, words // _A_PAPER[generates(shop)]))


async def _planned(
    shop: Workshop, papers: Mapping[str, Paper], about: Paper, counters: dict[str, int]
) -> tuple[list[Plan], str]:
    """As many plans as drafts are wanted, and what stopped them. Counts what was mended."""
    size = Size(shop.settings.words, shop.settings.sections)
    wanted = drafts_of(shop)
    plans: list[Plan] = []
    stopped = ""
    if plans_by_model(shop) and (model := shop.writes("plan")) is not None:
        asked = [_asked(GeneratingPlanner(model), papers, about, size, variant) for variant in range(wanted)]
        readings = await all_or_first_error(asked)
        stopped = next((reading for reading in readings if isinstance(reading, str)), "")
        read = [reading for reading in readings if isinstance(reading, PlanReading)]
        plans = [reading.plan for reading in read]
        counters["plans_by_model"] = len(plans)
        counters["plan_unreadable"] = sum(reading is None for reading in readings)
        counters["plan_unknown"] = sum(reading.unknown for reading in read)
        counters["plan_added"] = sum(len(reading.added) for reading in read)
    if not plans:
        vectors, spent = await _vectors(shop, papers)
        stopped = stopped or spent
        headed = size.headed(len(papers))
        for each in _SIZES[:wanted]:
            planner_ = ExtractivePlanner(size=each, sections=headed)
            plans.append(size.sized(await asyncio.to_thread(planner_.plan, papers, about, vectors)))
    return plans, stopped


async def _asked(
    planner: GeneratingPlanner, papers: Mapping[str, Paper], about: Paper, size: Size, variant: int
) -> PlanReading | str | None:
    """A plan, None where the reply holds none, or which budget was spent."""
    try:
        return await planner.plan(papers, about, size, variant=variant)
    except BudgetSpent as error:
        return str(error)


async def _written(
    shop: Workshop, planned: Plan, papers: Mapping[str, Paper], extractive: ExtractiveWriter, which: str
) -> tuple[Draft, WritingReport]:
    """The draft of a plan."""
    if not generates(shop):
        draft = await asyncio.to_thread(extractive.write, planned, papers, shop.request.about)
        return fitted(draft, papers, shop.settings.words), WritingReport()
    done = iter(range(1, len(planned.paragraphs) + 1))
    tick = lambda: shop.say("write", which, done=next(done), total=len(planned.paragraphs))  # noqa: E731
    writer = GeneratingWriter(
        shop.gateway.model("write"),
        extractive,
        words=_READ[shop.settings.full_text],
        language=shop.settings.language,
        tick=tick,
    )
    return await writer.write(planned, papers, shop.request.about)


async def _told(shop: Workshop, papers: Mapping[str, Paper]) -> Mapping[str, Sequence[str]]:
    """What the works say, nearest to the user's text first."""
    if shop.embedder is not None:
        try:
            return await by_cosine(papers, shop.request.about, shop.embedder)
        except BudgetSpent:  # words do, too
            pass
    return by_words(papers, shop.request.about)


def _support(shop: Workshop, papers: Mapping[str, Paper]) -> Support:
    texts = [paper.text for paper in papers.values()]
    return Coverage(WordWeights.of(texts)) if shop.embedder is None else Both.over(texts, shop.embedder)


async def _vectors(shop: Workshop, papers: Mapping[str, Paper]) -> tuple[Vectors | None, str]:
    if shop.embedder is None:
        return None, ""
    try:
        return await shop.embedder.embed([paper.text for paper in papers.values()], kind="document"), ""
    except BudgetSpent as error:
        return None, str(error)
