"""A question answered from libraries and sources: rewrite with the turns before it, search in hops under a bound, answer with quotes. A LangGraph
of three nodes over plain parts (`agents`); `litrag ask` is this."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypedDict

from litrag.agents.answerer import Answer, Answerer, ExtractiveAnswerer, ModelAnswerer
from litrag.agents.entities import WordWeights
from litrag.agents.hops import EntityHops
from litrag.agents.loop import Hops, Next, Notes, SearchAgent, Searched, Step, Stops
from litrag.agents.prompted import Agreement, Interleaved, SelfAsk
from litrag.agents.stops import RULES, SHIPPED, Controller
from litrag.core import sync
from litrag.core.display import Html, fold, fragment, items, line, text
from litrag.core.errors import BadInput, BudgetSpent, PromptTooLong, UnknownName
from litrag.core.events import Event, Listener, silent
from litrag.core.ledger import Totals
from litrag.core.lengths import measure_of
from litrag.core.protocols import Generates
from litrag.core.sentences import splitting
from litrag.core.settings import load_settings
from litrag.core.shown import trajectory_table
from litrag.core.telemetry import span, workflow
from litrag.core.types import Query, Ranking, Trajectory
from litrag.models.request import Backend
from litrag.pipelines.api import absolute
from litrag.pipelines.finding import FirstSearch
from litrag.pipelines.runs import new_run
from litrag.pipelines.state import ReviewRequest
from litrag.pipelines.workshop import Workshop, open_workshop
from litrag.rewriters.conversational import SelfContained

__all__ = ["AGENTS", "STOPS", "Answered", "AskOptions", "ask", "ask_async"]

AGENTS: Final = ("entity", "frugal", "react", "self-ask", "ircot", "none")
STOPS: Final = (*RULES, "agreement")
_POOL: Final = 100  # documents of the first search that words are weighted by where no library is all that is searched


@dataclass(frozen=True, slots=True)
class AskOptions:
    """`agent`: entity follows names, frugal does so until a classifier ends it (in the file `controller`, or litrag's own); react, self-ask and ircot let the react model
    decide; none searches once. `stops` are rules of STOPS that end it earlier; agreement needs an answer model. The first search reads `k` documents,
    each later one `further`; at most `max_searches` searches are made. `history` holds the turns before: question, answer, ..."""

    agent: str = "entity"
    max_searches: int = 4
    k: int = 6
    further: int = 1
    controller: str = ""
    stops: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise UnknownName("agent", self.agent, AGENTS)
        for name in self.stops:
            if name not in STOPS:
                raise UnknownName("stop rule", name, STOPS)
        if self.controller and self.agent != "frugal":
            raise BadInput(
                f"agent {self.agent} takes no stop classifier; leave --controller out, or give --agent frugal"
            )
        if self.max_searches < 1 or self.k < 1 or self.further < 1:
            raise BadInput(f"max_searches {self.max_searches}, k {self.k}, further {self.further}: each at least 1")


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer with what it rests on, how it was searched for, and what that took (`totals`). `asked` is the question that was searched with."""

    question: str
    asked: str
    answer: Answer
    trajectory: Trajectory
    documents: int
    totals: Totals
    warnings: tuple[str, ...] = ()

    @property
    def spent(self) -> str:
        """The totals in one line."""
        took, searches = self.totals, len(self.trajectory.hops)
        tokens = took.prompt_tokens + took.completion_tokens
        return f"{searches} searches, {took.calls} model calls, {tokens:,} tokens, ${took.usd:.4f}"

    def record(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "question": self.question,
            "asked": self.asked,
            "answer": self.answer.text,
            "supports": [{"id": s.id, "title": s.title, "quote": s.quote} for s in self.answer.supports],
            "wrong_quotes": self.answer.wrong_quotes,
            "stop_reason": self.trajectory.stop_reason,
            "searches": [
                {"query": hop.query, "thought": hop.thought, "new": list(hop.new_ids)} for hop in self.trajectory.hops
            ],
            "documents": self.documents,
            "ledger": asdict(self.totals),
        }

    def _repr_html_(self) -> str:
        answer = line(Html(f"<b>{text(self.answer.text or 'not found in what was read')}</b>"))
        rests = items(f"“{s.quote}” ({s.title} [{s.id}])" for s in self.answer.supports)
        hops = fold(f"{self.documents} documents read", trajectory_table(self.trajectory))
        return fragment(line(self.question), answer, rests, hops, line(self.spent, kind="quiet"))


def ask(question: str, **options: Any) -> Answered:
    """Answers; see `ask_async`."""
    return sync.run(ask_async(question, **options))


async def ask_async(
    question: str,
    *,
    options: AskOptions | None = None,
    library: str | Path | Sequence[str | Path] = (),
    backend: Backend | None = None,
    listen: Listener = silent,
    **settings: Any,
) -> Answered:
    """Answers a question over libraries (all added ones by default) and the sources in the settings; with an answer model by that, else by the sentences
    that say most of it. Raises LitragError, NothingToSearch among it."""
    if not question.strip():
        raise BadInput("nothing to answer: give a question")
    chosen = options or AskOptions()
    request = ReviewRequest(
        name="ask",
        title="",
        abstract=question,
        out="",
        libraries=absolute([library] if isinstance(library, str | Path) else library),
        before=None,
        settings=load_settings(**{**_usual(chosen), **settings}).model_dump(mode="json"),
        own=False,
    )
    with tempfile.TemporaryDirectory(prefix="litrag-ask-") as folder:
        run = new_run(request, parent=Path(folder))
        shop = await open_workshop(run, listen=listen, backend=backend)
        try:
            own = shop.settings
            with workflow("ask", run.id, text=own.telemetry_text) as whole, splitting(own.sentences):
                whole.add_text(input=question)
                return await _answered(shop, question, chosen)
        finally:
            shop.close()


def _usual(chosen: AskOptions) -> dict[str, str]:
    """No rewriter, no reranker; with a stop classifier BM25 alone, whose scores it was fitted to."""
    return {"rewriter": "none", "reranker": "none", **({"retriever": "bm25"} if chosen.agent == "frugal" else {})}


class _State(TypedDict, total=False):
    query: Query
    searched: Searched
    answer: Answer
    warnings: list[str]


async def _answered(shop: Workshop, question: str, chosen: AskOptions) -> Answered:
    state: _State = await _graph(shop, chosen).ainvoke(
        {"query": Query(question, history=chosen.history), "warnings": []}
    )
    searched = state["searched"]
    return Answered(
        question=question,
        asked=searched.notes.question.text,
        answer=state["answer"],
        trajectory=searched.trajectory,
        documents=len(searched.notes.documents),
        totals=shop.gateway.ledger.totals(),
        warnings=(*shop.start_warnings, *state["warnings"]),
    )


def _graph(shop: Workshop, chosen: AskOptions) -> Any:
    from langgraph.graph import END, START, StateGraph

    async def rewrite(state: _State) -> _State:
        query, warnings = state["query"], state["warnings"]
        if not query.history:
            return {}
        if not shop.gateway.has("rewrite"):
            return {"warnings": [*warnings, "no model to rewrite the question with its history: searched as it is"]}
        try:
            found = await SelfContained(shop.gateway.resolve("rewrite", needs=Generates)).rewrite(query)
        except BudgetSpent as error:
            return {"warnings": [*warnings, f"{error}: the question was searched as it is"]}
        return {"query": replace(query, text=found[-1].text)}

    async def search(state: _State) -> _State:
        query = replace(state["query"], history=())
        first = FirstSearch(shop)
        try:
            (pool,) = await first.retrieve(
                [query], _POOL
            )  # the agent's own first search is this one: it is not made twice
        except BudgetSpent as error:
            return {"searched": Searched(Notes(query), str(error))}
        hops, stops = _decides(shop, chosen, _weights(shop, pool))
        agent = SearchAgent(
            first,
            hops,
            stops,
            chosen.max_searches,
            chosen.k,
            chosen.further,
            tell=lambda step: shop.listen(_told(step)),
        )
        searched = await agent.run(query)
        return {"searched": searched, "warnings": [*state["warnings"], *dict.fromkeys(first.warnings)]}

    async def answer(state: _State) -> _State:
        searched = state["searched"]
        documents = searched.notes.documents
        weights = WordWeights.of(document.text for document in documents)
        extractive = ExtractiveAnswerer(weights)
        writer: Answerer = extractive
        if shop.gateway.has("answer"):
            writer = ModelAnswerer(shop.gateway.resolve("answer", needs=Generates))
        try:
            return {"answer": await writer.answer(searched.notes.question, documents)}
        except (BudgetSpent, PromptTooLong) as error:
            found = await extractive.answer(searched.notes.question, documents)
            return {"answer": found, "warnings": [*state["warnings"], f"{error}: answered by a sentence"]}

    graph = StateGraph(_State)
    names: tuple[tuple[str, Callable[..., Any]], ...] = (("rewrite", rewrite), ("search", search), ("answer", answer))
    before: str = START
    for name, node in names:
        graph.add_node(name, _traced(name, node))
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph.compile()


def _traced(name: str, node: Callable[..., Any]) -> Callable[..., Any]:
    async def traced(state: _State) -> _State:
        with span(name, {"litrag.node": name}):
            update: _State = await node(state)
            return update

    return traced


def _weights(shop: Workshop, pool: Ranking) -> WordWeights:
    """What words are worth in what is searched: in the libraries, or where a source is elsewhere, in what the first search found."""
    libraries = shop.libraries
    if len(libraries) == len(shop.sources):
        return WordWeights.over([library.index for library in libraries])
    return WordWeights.of(hit.document.text for hit in pool.hits)


class _Once:
    async def next(self, notes: Notes) -> Next:
        return Next(reason="one search")


def _decides(shop: Workshop, chosen: AskOptions, weights: WordWeights) -> tuple[Hops, tuple[Stops, ...]]:
    hops = _hops(shop, chosen.agent, weights)
    if "agreement" in chosen.stops:
        hops = Agreement(hops, ModelAnswerer(shop.gateway.resolve("answer", needs=Generates)))
    stops = [RULES[name] for name in chosen.stops if name in RULES]
    if chosen.agent == "frugal":
        stops.append(Controller.load(Path(chosen.controller) if chosen.controller else SHIPPED, weights))
    return hops, tuple(stops)


def _hops(shop: Workshop, agent: str, weights: WordWeights) -> Hops:
    if agent == "none":
        return _Once()
    if agent in ("entity", "frugal"):
        return EntityHops(weights)
    model = shop.gateway.resolve("react", needs=Generates)
    if agent == "react":
        from litrag.agents.react import ReAct
        from litrag.models.dspy_lm import GatewayLM

        return ReAct(GatewayLM(shop.gateway, "react", max_tokens=200), measure_of(model))
    return SelfAsk(model) if agent == "self-ask" else Interleaved(model)


def _told(step: Step) -> Event:
    titles = "; ".join(hit.document.title for hit in step.read)
    return Event("search", f"{step.query.text} -> {titles or 'nothing new'}")
