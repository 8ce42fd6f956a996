"""The review as a LangGraph state machine: rewrite -> search -> merge -> rerank -> select -> choose -> read -> plan -> edit -> write -> verify -> export.

Wiring only: each node is a function of `finding`, `composing`, `pausing` or `full_text`; `choose` and `edit` wait for the user where they were asked to. Checkpoints are SQLite without pickle, written before the
next node starts; LangGraph's own retries and caches are off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from litrag.core.errors import BadInput, Interrupted, LitragError, Waiting
from litrag.core.events import Event, Listener, both, silent
from litrag.core.sentences import splitting
from litrag.core.telemetry import span, workflow
from litrag.models.request import Backend
from litrag.pipelines.composing import composing_nodes
from litrag.pipelines.event_log import event_log
from litrag.pipelines.finding import finding_nodes, with_warnings
from litrag.pipelines.full_text import read
from litrag.pipelines.judging import verifier_of
from litrag.pipelines.output import prepare_folder
from litrag.pipelines.pausing import choose, pause_of, refuse_leftovers, wait_note
from litrag.pipelines.runs import Run, Status
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import Workshop, open_workshop

__all__ = ["NODES", "resume_line", "run_review"]

Node: TypeAlias = Callable[[Workshop, ReviewState], Awaitable[ReviewState]]
NODES: dict[str, Node] = {**finding_nodes, "choose": choose, "read": read, **composing_nodes}


async def run_review(run: Run, *, listen: Listener = silent, backend: Backend | None = None) -> ReviewState:
    """Runs a review to its end, from its last checkpoint where it has one, and from a pause with what its file then holds; returns the final state.

    Raises Waiting where it was asked to pause, LitragError; whatever ends it, the run stays resumable."""
    text = bool(run.request.settings.get("telemetry_text"))
    with run.hold(), event_log(run) as log, workflow("review", run.id, text=text) as whole:
        whole.add_text(input=run.request.text)
        return await _reviewed(run, both(log, listen), backend)


async def _reviewed(run: Run, listen: Listener, backend: Backend | None) -> ReviewState:
    run.mark("running", "start")
    try:
        prepare_folder(run.request)
        if not run.checkpoints.exists():
            refuse_leftovers(run.request)
        shop = await open_workshop(run, listen=listen, backend=backend, lenient=True)
        try:
            verifier_of(shop.gateway, ())  # what cannot verify is found before anything is spent
            with splitting(shop.settings.sentences):
                state = await _walk(shop)
        finally:
            shop.close()
    except asyncio.CancelledError:
        run.mark("interrupted", run.state()[1])
        raise
    except Waiting as pause:
        run.mark("waiting", wait_note(pause.file))
        raise
    except LitragError as error:
        run.mark(_status_after(error, run), str(error))
        raise
    run.mark("done", state.get("stop_reason", "done"))
    return state


def _status_after(error: LitragError, run: Run) -> Status:
    """A run waits on for a file that the user gave it and it could not go on with."""
    if isinstance(error, Interrupted):
        return "interrupted"
    return "waiting" if isinstance(error, BadInput) and pause_of(run, run.state()[1]) else "failed"


def resume_line(run: Run) -> str:
    """The command that goes on with a run."""
    return f"litrag runs resume {run.id}"


async def _walk(shop: Workshop) -> ReviewState:
    import aiosqlite
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(ReviewState)
    names = list(NODES)
    for name in names:
        graph.add_node(name, _node(shop, name))  # type: ignore[call-overload]
    for first, then in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(first, then)
    async with aiosqlite.connect(shop.run.checkpoints) as connection:
        saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(pickle_fallback=False))
        machine = graph.compile(checkpointer=saver)
        config: dict[str, Any] = {"configurable": {"thread_id": shop.run.id}}
        start = await _entry(machine, config)
        final = await machine.ainvoke(start, config, durability="sync")  # type: ignore[call-overload]
    if pauses := final.get("__interrupt__"):
        raise Waiting(shop.run.id, str(pauses[0].value["file"]))
    state: ReviewState = final
    return state


async def _entry(machine: Any, config: dict[str, Any]) -> Any:
    """What the graph is entered with: a first state, the user's word to go on from a pause, or nothing where a checkpoint says it all."""
    from langgraph.types import Command

    known = await machine.aget_state(config)
    if not known.created_at:
        return ReviewState(stage="start")
    return Command(resume=True) if known.interrupts else None


def _node(shop: Workshop, name: str) -> Callable[[ReviewState], Awaitable[ReviewState]]:
    async def node(state: ReviewState) -> ReviewState:
        shop.run.mark("running", name)
        shop.listen(Event(name, kind="start"))
        with span(name, {"litrag.node": name}):
            update = await NODES[name](shop, state)
        if told := shop.gateway.too_long:
            update["warnings"] = with_warnings(shop, {**state, **update}, *told.values())
        shop.listen(Event(name, kind="end"))
        return {**update, "stage": name}

    return node
