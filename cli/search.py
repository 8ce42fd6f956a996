"""`litrag search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import globals_, progress, settings, show, tell
from litrag.cli.options import INPUT, Before, Libraries, Sources

if TYPE_CHECKING:
    from litrag.core.types import Filter

__all__ = ["register"]

_HOW = "Method"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(search)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, a question, or a whole abstract.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Papers to show.")] = 20,
    form: Annotated[
        str,
        typer.Option(
            "-f", "--format", help="table, jsonl, trec or bib.", autocompletion=choices.closed("search format")
        ),
    ] = "table",
    topic: Annotated[
        str, typer.Option(help="What a TREC run calls the query: lines of several searches make one run.")
    ] = "q1",
    library: Libraries = None,
    sources: Sources = None,
    before: Before = None,
    year: Annotated[str | None, typer.Option(help="2019, 2015-2019, 2015- or -2019.", rich_help_panel=INPUT)] = None,
    venue: Annotated[
        list[str] | None, typer.Option(help="Words of the venue's name; repeatable.", rich_help_panel=INPUT)
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="File of a library, or source, it must come from; repeatable.",
            rich_help_panel=INPUT,
            autocompletion=choices.sources,
        ),
    ] = None,
    retriever: Annotated[
        str | None,
        typer.Option(
            help="auto or bm25.", show_default="auto", rich_help_panel=_HOW, autocompletion=choices.closed("retriever")
        ),
    ] = None,
    rewriter: Annotated[
        str, typer.Option(help="Rewriter id.", rich_help_panel=_HOW, autocompletion=choices.rewriters)
    ] = "none",
    rerank: Annotated[
        str, typer.Option(help="Reranker id.", rich_help_panel=_HOW, autocompletion=choices.rerankers)
    ] = "none",
    embed_model: Annotated[
        str | None,
        typer.Option(help="Embedding model.", rich_help_panel=_HOW, metavar="M", autocompletion=choices.models),
    ] = None,
    snowball: Annotated[
        int | None, typer.Option(min=0, max=2, help="Hops along citations.", rich_help_panel=_HOW)
    ] = None,
    snowball_graph: Annotated[
        str | None,
        typer.Option(
            help="Whose citations.",
            show_default="semantic-scholar",
            rich_help_panel=_HOW,
            autocompletion=choices.graphs,
        ),
    ] = None,
    qdrant_url: Annotated[
        str | None, typer.Option(help="Qdrant server that holds the vectors.", rich_help_panel=_HOW)
    ] = None,
) -> None:
    """Search libraries and scholarly sources; nothing is written."""
    given = {
        "retriever": retriever,
        "embed_model": embed_model,
        "snowball": snowball,
        "snowball_graph": snowball_graph,
        "qdrant_url": qdrant_url,
    }
    from dataclasses import replace

    from litrag.core.errors import UnknownName
    from litrag.pipelines.searching import FORMATS, find, shown

    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    values = settings(rewriter=rewriter, reranker=rerank, sources=tuple(sources) if sources else None, **given)
    with progress() as listen:
        found = find(
            query,
            k=k,
            library=library or (),
            before=before.date() if before else None,
            only=_filter(year, venue or (), from_ or ()),
            listen=listen,
            **values.model_dump(mode="json"),
        )
    for warning in found.warnings:
        tell(f"warning: {warning}")
    if globals_().json:
        show({"query": found.query, "stop_reason": found.stop_reason, "papers": found.rows()}, "", "search")
    else:
        typer.echo(shown(replace(found, topic=topic), form))


def _filter(year: str | None, venues: list[str] | tuple[str, ...], sources: list[str] | tuple[str, ...]) -> Filter:
    import re

    from litrag.core.errors import BadInput
    from litrag.core.types import Filter

    match = re.fullmatch(r"(\d{4})?(-)?(\d{4})?", year or "")
    if year and (match is None or not (match[1] or match[3])):
        raise BadInput(f"--year {year!r}: write 2019, 2015-2019, 2015- or -2019")
    first, dash, last = match.groups() if year and match else (None, None, None)
    return Filter(
        first_year=int(first or 0),
        last_year=int(last or (0 if dash else first or 0)),
        venues=frozenset(venues),
        sources=frozenset(sources),
    )
