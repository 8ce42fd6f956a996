"""`litrag verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from litrag.cli import choices
from litrag.cli.context import progress, settings, show, tell
from litrag.cli.options import ApiBase, CheckRetractions, EmbedModel, MaxCost, Model, Sources, VerifyModel

__all__ = ["register"]

_WHAT = "Input"
_SHOWN: Final = 10  # works that nothing cites


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(verify)


def _online(sources: Sequence[str]) -> tuple[str, ...]:
    """The sources of the command alone: nobody is asked because reviews ask. Raises BadInput for one that looks no works up."""
    from litrag.core.errors import BadInput

    if others := [name for name in sources if name not in ("arxiv", "crossref")]:
        raise BadInput(f"--source {others[0]}: it looks no works up; name arxiv or crossref")
    return tuple(sources)


def verify(
    source: Annotated[str, typer.Argument(metavar="TEXT", help="Markdown or LaTeX that cites, - for standard input.")],
    bib: Annotated[Path, typer.Option(help="Bibliography whose keys it cites.", metavar="FILE", rich_help_panel=_WHAT)],
    library: Annotated[
        list[str] | None,
        typer.Option(
            help="Library name, file or folder with the abstracts that the bibliography lacks; repeatable.",
            show_default="all",
            rich_help_panel=_WHAT,
            autocompletion=choices.libraries,
        ),
    ] = None,
    model: Model = None,
    verify_model: VerifyModel = None,
    embed_model: EmbedModel = None,
    api_base: ApiBase = None,
    max_cost: MaxCost = None,
    sources: Sources = None,
    check_retractions: CheckRetractions = None,
) -> None:
    """Check whether the works that a text cites are in its bibliography and support it. Exits 1 where one is not, or does not; with --check-retractions
    or a source crossref or arxiv also where one was retracted or is registered nowhere."""
    from litrag.pipelines.bibliography import bibliography_of
    from litrag.pipelines.checking import check
    from litrag.pipelines.reading import read_text

    text = read_text(source, "the text", stdin=sys.stdin.buffer.read() if source == "-" else None)
    values = settings(
        model=model,
        verify_model=verify_model,
        embed_model=embed_model,
        api_base=api_base,
        max_cost=max_cost,
        sources=_online(sources or ()),
        check_retractions=check_retractions,
    )
    with progress() as listen:
        found = check(text, bibliography_of(bib, library or None, listen), values)
    for warning in found.warnings:
        tell(f"warning: {warning}")
    lines = []
    for sentence, verdict, label in found.rows:
        lines.append(f"{label:<12} {verdict.key:<24} {sentence}")
        lines += [f"{'':<12} ({verdict.note})"] if verdict.note else []
    labels = [label for _, _, label in found.rows]
    counted = ", ".join(f"{labels.count(name)} {name}" for name in ("supported", "unchecked", "unsupported", "missing"))
    lines += ["", f"{len(labels)} citation{'s' * (len(labels) != 1)}: {counted}"]
    lines += [f"{what}: {key}" for key, what in found.fallen.items()]
    if "unchecked" in labels:
        lines.append("unchecked: neither shown nor contradicted by what is known of the work; read these yourself")
    if found.uncited:
        more = f" and {len(found.uncited) - _SHOWN} more" if len(found.uncited) > _SHOWN else ""
        lines.append(f"cited nowhere: {', '.join(found.uncited[:_SHOWN])}{more}")
    tell(found.spent)
    show(found.record(), "\n".join(lines), "verify")
    if found.faults:
        raise typer.Exit(1)
