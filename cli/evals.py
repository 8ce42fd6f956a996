"""`litrag eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import progress, settings, show, tell

__all__ = ["register"]

_WHAT, _HOW, _OUT = "What", "How", "Output"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval")(evaluate)


def evaluate(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="What to measure: retrieval, rerank, rewrite, ambiguity, hotpotqa, musique, 2wiki, review, verify, coherence.",
            autocompletion=choices.evals,
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            help="NAME[:SPLIT], FOLDER[:SPLIT] (BEIR's layout or a named set's) or hf:OWNER/NAME.",
            autocompletion=choices.datasets,
            rich_help_panel=_WHAT,
        ),
    ] = "",
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Method to measure; repeatable.",
            show_default="the task's own choice",
            rich_help_panel=_WHAT,
            autocompletion=choices.eval_methods,
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            help="TREC run to put into the table of retrieval, called by its tag, or NAME=FILE; repeatable.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("-n", min=1, help="Topics to take, by a seeded hash.", show_default="all", rich_help_panel=_WHAT),
    ] = None,
    library: Annotated[
        str,
        typer.Option(
            help="Library to search in the place of the data set's own paragraphs (hotpotqa, 2wiki).",
            show_default="none",
            rich_help_panel=_WHAT,
            autocompletion=choices.libraries,
        ),
    ] = "",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure by its name in ir-measures; repeatable.",
            rich_help_panel=_HOW,
            autocompletion=choices.closed("measure"),
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Depth of the rankings.", rich_help_panel=_HOW)] = 1000,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of sample, bootstrap and permutations.", rich_help_panel=_HOW)
    ] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Topics at a time.", rich_help_panel=_HOW)] = 4,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Output folder.", show_default="./eval-<task>-<dataset>", rich_help_panel=_OUT
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a killed eval.", rich_help_panel=_OUT)] = False,
) -> None:
    """Measure methods on a data set."""
    from litrag.core import registry
    from litrag.core.errors import BadInput, Interrupted, LitragError, MissingExtra
    from litrag.core.sync import run as run_sync
    from litrag.evals import EVALS
    from litrag.evals.plots import draw
    from litrag.evals.runner import COMPARISONS, RESULTS, evaluate
    from litrag.evals.tables import terminal_table
    from litrag.evals.tasks import EvalOptions, EvalTask

    chosen: EvalTask = registry.find("eval", EVALS, task)
    if run and not getattr(chosen, "takes_runs", False):
        raise BadInput(
            f"{task} takes no --run: `litrag rerank FILE` reranks one, `litrag eval retrieval --run FILE` measures what comes of it"
        )
    if library and not getattr(chosen, "over_libraries", False):
        raise BadInput(f"{task} searches its data set's own documents: leave out --library")
    options = EvalOptions(
        dataset, tuple(method or ()), n, seed, k, tuple(measure or ()), tuple(run or ()), settings(), library
    )
    evaluation = chosen.evaluation(options)
    folder = out or Path(f"eval-{task}-{evaluation.dataset.name.replace('/', '-')}")
    try:
        with progress() as listen:
            results = run_sync(evaluate(evaluation, folder, resume=resume, concurrency=concurrency, listen=listen))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; what was measured is in {folder}; go on with the same command and --resume"
        ) from None
    files: list[Path] = []
    try:
        files = [
            folder / RESULTS,
            folder / COMPARISONS,
            *chosen.finish(evaluation, folder),
            *draw(results, folder).files,
        ]
    except MissingExtra as error:
        tell(f"no plot: {error}")
    except LitragError as error:
        tell(f"warning: {error}")
    show(results.model_dump(mode="json"), terminal_table(results) + f"\n{folder / RESULTS}", "eval")
    tell("also: " + ", ".join(path.name for path in files[1:]))
