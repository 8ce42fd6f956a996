"""The review as a LangGraph state machine: rewrite -> search -> merge -> rerank -> select -> plan -> write -> verify -> export.

Wiring only: each node is a function of `finding` or `composing`. Checkpoints are SQLite without pickle, written before the
next node starts; LangGraph's own retries and caches are off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from litrag.core.errors import Interrupted, LitragError
from litrag.core.events import Event, Listener, silent
from litrag.models.request import Backend
from litrag.pipelines.composing import composing_nodes
from litrag.pipelines.finding import finding_nodes
from litrag.pipelines.output import prepare_folder
from litrag.pipelines.runs import Run
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import Workshop, open_workshop

__all__ = ["NODES", "resume_line", "run_review"]

Node: TypeAlias = Callable[[Workshop, ReviewState], Awaitable[ReviewState]]
NODES: dict[str, Node] = {**finding_nodes, **composing_nodes}


async def run_review(run: Run, *, listen: Listener = silent, backend: Backend | None = None) -> ReviewState:
    """Runs a review to its end, from its last checkpoint where it has one; returns the final state.

    Raises LitragError; whatever ends it, the run stays resumable."""
    run.mark("running", "start")
    try:
        prepare_folder(run.request)
        shop = await open_workshop(run, listen=listen, backend=backend)
        try:
            state = await _walk(shop)
        finally:
            shop.close()
    except asyncio.CancelledError:
        run.mark("interrupted", run.state()[1])
        raise
    except LitragError as error:
        run.mark("interrupted" if isinstance(error, Interrupted) else "failed", str(error))
        raise
    run.mark("done", state.get("stop_reason", "done"))
    return state


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
        begun = await saver.aget_tuple(config)  # type: ignore[arg-type]
        start: ReviewState | None = None if begun else {"stage": "start"}
        final = await machine.ainvoke(start, config, durability="sync")  # type: ignore[call-overload]
    state: ReviewState = final
    return state


def _node(shop: Workshop, name: str) -> Callable[[ReviewState], Awaitable[ReviewState]]:
    async def node(state: ReviewState) -> ReviewState:
        shop.run.mark("running", name)
        shop.listen(Event(name, kind="start"))
        update = await NODES[name](shop, state)
        shop.listen(Event(name, kind="end"))
        return {**update, "stage": name}

    return node
