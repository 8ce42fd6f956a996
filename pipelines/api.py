"""litrag from Python: `from litrag import review`; works in a notebook, where the result shows itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from litrag.core import sync
from litrag.core.events import Listener, silent
from litrag.core.settings import Settings, load_settings
from litrag.core.types import Paper, Plan
from litrag.exports.document import Exported
from litrag.exports.evidence import EvidenceFile
from litrag.exports.fragment import review_fragment
from litrag.exports.run_record import LedgerRecord
from litrag.exports.styles import absolute_style
from litrag.models.request import Backend
from litrag.pipelines.exporting import finished, read_record
from litrag.pipelines.plan_file import read_plan
from litrag.pipelines.reading import Abstract, parse_abstract, read_abstract, read_text
from litrag.pipelines.review import run_review
from litrag.pipelines.runs import Run, find_run, new_run
from litrag.pipelines.snowballing import GRAPHS
from litrag.pipelines.state import ReviewRequest
from litrag.retrievers.sources.library import list_libraries

__all__ = ["Review", "absolute", "make_request", "resume", "review", "review_async"]


@dataclass(frozen=True, slots=True)
class Review:
    """A finished review: its files are in `folder`; `text` is review.md; `document` is what all formats are written from; `ledger` holds a row a call. In a
    notebook it shows itself, each citation a click away from the words that it rests on."""

    run_id: str
    folder: Path
    text: str = field(repr=False)
    stop_reason: str
    counters: dict[str, int]
    papers: int
    document: Exported = field(repr=False)
    plan: Plan = field(repr=False)
    ledger: LedgerRecord = field(repr=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Review:
        """The review that a finished run wrote. Raises BadInput where the run is not finished, or its files are gone."""
        folder = Path(run.request.out)
        document, plan = finished(run)
        record = read_record(folder)
        return cls(
            run_id=run.id,
            folder=folder,
            text=read_text(str(folder / "review.md"), "a review"),
            stop_reason=record.stop_reason,
            counters=record.counters,
            papers=len(document.cited),
            document=document,
            plan=plan,
            ledger=record.ledger,
            warnings=record.warnings,
        )

    @property
    def cited(self) -> dict[str, Paper]:
        """The cited works by BibTeX key, in order of first citation."""
        return self.document.cited

    @property
    def evidence(self) -> EvidenceFile:
        """What evidence.json holds: the words behind each citation, and the verdicts."""
        assert self.document.evidence is not None
        return self.document.evidence

    def _repr_html_(self) -> str:
        return review_fragment(self.document)


def review(abstract: str | Path, **options: Any) -> Review:
    """Writes a review; see `review_async`."""
    return sync.run(review_async(abstract, **options))


async def review_async(
    abstract: str | Path,
    *,
    title: str | None = None,
    library: str | Path | Sequence[str | Path] = (),
    before: date | None = None,
    out: str | Path | None = None,
    force: bool = False,
    plan: str | Path | None = None,
    backend: Backend | None = None,
    listen: Listener = silent,
    **settings: Any,
) -> Review:
    """Writes the related-work section of an abstract.

    `abstract` is a path (of type Path, or a string that names a file) or the text itself; `library` names libraries or files of
    papers (all added libraries by default); `before` is exclusive; `out` is the output folder, `./<name>-review` by default; `plan` is a file that plans
    the text, in the form of plan.md; `settings` are those of litrag.toml (`model=`, `papers=`, `max_cost=` ...). Raises LitragError; Waiting where
    `pause=` asks for it: edit its `file`, then call `resume(run_id)`."""
    text = _abstract(abstract, title)
    names = [library] if isinstance(library, str | Path) else list(library)
    request = make_request(
        text,
        load_settings(**settings),
        libraries=[str(name) for name in names],
        before=before,
        out=str(out) if out else None,
        force=force,
        plan=plan,
    )
    run = new_run(request)
    await run_review(run, listen=listen, backend=backend)
    return Review.of(run)


def resume(run_id: str, *, backend: Backend | None = None, listen: Listener = silent) -> Review:
    """Goes on with a review that was stopped or waits. Raises UnknownName, and what `review` raises."""
    run = find_run(run_id)
    sync.run(run_review(run, listen=listen, backend=backend))
    return Review.of(run)


def make_request(
    text: Abstract,
    settings: Settings,
    *,
    libraries: Sequence[str] = (),
    before: date | None = None,
    out: str | None = None,
    force: bool = False,
    strict_dates: bool = False,
    exclude: Sequence[str] = (),
    plan: str | Path | None = None,
) -> ReviewRequest:
    """The request of a review, paths made absolute so that it can be resumed from elsewhere. Raises BadInput for a plan that is none."""
    folder = Path(out) if out else Path(f"{text.name}-review")
    return ReviewRequest(
        name=text.name,
        title=text.title,
        abstract=text.text,
        out=str(folder.absolute()),
        libraries=absolute(libraries),
        before=before,
        strict_dates=strict_dates,
        exclude=tuple(exclude),
        settings={
            **settings.model_dump(mode="json"),
            "snowball_graph": _graph(settings.snowball_graph),
            "style": absolute_style(settings.style),
        },
        force=force,
        plan=_plan(plan),
    )


def absolute(libraries: Sequence[str | Path]) -> tuple[str, ...]:
    """Names of libraries as they are, files and folders by their whole path. What is both is the library."""
    known = {info.name for info in list_libraries() if info.added} if libraries else set()
    return tuple(
        str(Path(name).resolve()) if str(name) not in known and Path(name).exists() else str(name) for name in libraries
    )


def _plan(path: str | Path | None) -> str:
    """The text of a plan file, its form checked before anything is spent."""
    if path is None:
        return ""
    text = read_text(str(path), "a plan")
    read_plan(text, None, name=str(path))
    return text


def _graph(name: str) -> str:
    path = Path(name).expanduser()
    return str(path.resolve()) if name not in GRAPHS and path.exists() else name


def _abstract(source: str | Path, title: str | None) -> Abstract:
    if isinstance(source, Path) or ("\n" not in source and len(source) < 300 and Path(source).is_file()):
        return read_abstract(str(source), title=title)
    return parse_abstract(source, name="abstract", title=title)
