"""`litrag ask`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import progress, settings, show, tell
from litrag.cli.options import INPUT, AnswerModel, ApiBase, Libraries, MaxCost, Model, ReactModel, RewriteModel, Sources

__all__ = ["register"]

_HOW = "Method"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(ask)


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question that documents can answer.")],
    library: Libraries = None,
    sources: Sources = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="File of the turns before: question, answer, question, ..., a line each.", rich_help_panel=INPUT
        ),
    ] = None,
    agent: Annotated[
        str,
        typer.Option(
            help="entity, frugal, react, self-ask, ircot or none.",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("ask agent"),
        ),
    ] = "entity",
    controller: Annotated[
        Path | None, typer.Option(help="Stop classifier of agent frugal [litrag's own].", rich_help_panel=_HOW)
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            help="End early: score-drop, nothing-new, covered or agreement (of answers); repeatable.",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("stop"),
        ),
    ] = None,
    max_searches: Annotated[int, typer.Option(min=1, help="Most searches.", rich_help_panel=_HOW)] = 4,
    k: Annotated[
        int, typer.Option("-k", min=1, help="Documents to read of the first search.", rich_help_panel=_HOW)
    ] = 6,
    further: Annotated[int, typer.Option(min=1, help="Documents to read of each later one.", rich_help_panel=_HOW)] = 1,
    model: Model = None,
    rewrite_model: RewriteModel = None,
    react_model: ReactModel = None,
    answer_model: AnswerModel = None,
    api_base: ApiBase = None,
    max_cost: MaxCost = None,
) -> None:
    """Answer a question in several searches, with the sentences that the answer rests on."""
    from litrag.core.errors import BadInput
    from litrag.pipelines.answer import AskOptions
    from litrag.pipelines.answer import ask as answered
    from litrag.pipelines.rewriting import read_history

    if controller is not None and not controller.expanduser().is_file():
        raise BadInput(f"{controller}: no such file; `litrag train frugal` writes one")
    turns = read_history(history) if history else ()
    options = AskOptions(agent, max_searches, k, further, str(controller or ""), tuple(stop or ()), turns)
    values = settings(
        model=model,
        rewrite_model=rewrite_model,
        react_model=react_model,
        answer_model=answer_model,
        api_base=api_base,
        max_cost=max_cost,
        sources=tuple(sources) if sources else None,
    )
    with progress() as listen:
        found = answered(
            question, options=options, library=library or (), listen=listen, **values.model_dump(mode="json")
        )
    for warning in found.warnings:
        tell(f"warning: {warning}")
    lines = [found.answer.text or "not found in what was read", ""]
    if found.answer.text and not found.answer.supports:
        lines[1:1] = ["  (no quote of what was read supports this answer: check it)"]
    lines += [f'  "{support.quote}" ({support.title} [{support.id}])' for support in found.answer.supports]
    lines += ["", f"{found.trajectory.stop_reason}; {found.documents} documents read"]
    lines += [f"  {number}. {hop.query}" for number, hop in enumerate(found.trajectory.hops, start=1)]
    tell(found.spent)
    show(found.record(), "\n".join(lines), "ask")
