"""The web page of `litrag serve`: a face of the command line's runs. Its routes read a form, call what the command line calls, show what came of it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from sse_starlette import EventSourceResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from litrag.core import sync
from litrag.core.amounts import amount
from litrag.core.errors import BadInput, LitragError, UnknownName
from litrag.core.names import ascii_of
from litrag.core.paths import home, made
from litrag.core.settings import ROLES, Settings, load_settings
from litrag.pipelines.estimate import estimate
from litrag.pipelines.exporting import file_of, record_of, written_anew
from litrag.pipelines.marking import mark
from litrag.pipelines.output import write_files
from litrag.pipelines.pausing import boxes, extra_lines, paused_at, wait_note, with_boxes
from litrag.pipelines.runs import Run, find_run, list_runs
from litrag.pipelines.state import PAUSES
from litrag.retrievers.sources import SOURCES
from litrag.retrievers.sources.library import add_library, list_libraries
from litrag.serving.asked import BOUNDS
from litrag.serving.forms import CHOICES, Form, blank, request_of
from litrag.serving.guard import Guard, Rules
from litrag.serving.jobs import Jobs
from litrag.serving.views import FILES, STAGES, review_view, run_row

__all__ = ["Web", "web_app"]

_HERE: Final = Path(__file__).resolve().parent
_SHOWN: Final = 30  # runs in the list
_LONGEST_PLAN: Final = 300_000  # characters
_UPLOADED: Final = frozenset({".bib", ".ris", ".json", ".jsonl", ".csv", ".pdf", ".md", ".txt"})


@dataclass(slots=True)
class Web:
    """What the routes share. `config` and `profile` are the command line's."""

    rules: Rules
    config: Path | None = None
    profile: str | None = None
    jobs: Jobs = field(default_factory=Jobs)

    @property
    def settings(self) -> Settings:
        """Those in force. Raises BadInput."""
        return load_settings(self.config, profile=self.profile)


def web_app(web: Web) -> FastAPI:
    """The application. Every page needs what `web.rules` say."""
    app = FastAPI(title="litrag", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    pages = _Pages(web)
    get: dict[str, Callable[..., Any]] = {
        "/": pages.start,
        "/runs/{run_id}": pages.run,
        "/runs/{run_id}/events": pages.events,
        "/runs/{run_id}/files/{name}": pages.file,
    }
    post: dict[str, Callable[..., Any]] = {
        "/": pages.again,
        "/estimate": pages.estimate,
        "/runs": pages.begin,
        "/runs/{run_id}/stop": pages.stop,
        "/runs/{run_id}/resume": pages.resume,
        "/runs/{run_id}/papers": pages.papers,
        "/runs/{run_id}/plan": pages.plan,
        "/runs/{run_id}/marks": pages.marks,
        "/libraries": pages.library,
    }
    for path, page in get.items():
        app.get(path, response_model=None)(page)
    for path, page in post.items():
        app.post(path, response_model=None)(page)
    app.exception_handler(LitragError)(pages.failed)
    app.exception_handler(HTTPException)(pages.refused)
    app.add_middleware(Guard, rules=web.rules, page=pages.refusal)
    return app


async def _sent(request: Request) -> Form:
    """The form of a request; files keep their names in `many`, their contents are read where they are wanted."""
    data = await request.form()
    many: dict[str, list[str]] = {}
    for name, value in data.multi_items():
        if isinstance(value, str):
            many.setdefault(name, []).append(value)
    return Form({name: values[-1] for name, values in many.items()}, {name: tuple(v) for name, v in many.items()})


Sent = Annotated[Form, Depends(_sent)]


class _Pages:
    def __init__(self, web: Web) -> None:
        self.web, self.jobs = web, web.jobs
        self.templates = Jinja2Templates(_HERE / "templates")
        self.templates.env.filters["amount"] = amount

    def start(self, request: Request) -> HTMLResponse:
        """The form, and the runs there are."""
        return self._form(request)

    def again(self, request: Request, form: Sent) -> HTMLResponse:
        """The form as it was filled, to change it after its estimate."""
        self._own(form)
        return self._form(request, form)

    async def estimate(self, request: Request, form: Sent) -> HTMLResponse:
        """What the review would send at the most, and a button that starts it."""
        self._own(form)
        try:
            wanted = request_of(form, self.web.settings)
            planned = await asyncio.to_thread(lambda: sync.run(estimate(wanted)))
        except LitragError as error:
            return await asyncio.to_thread(self._form, request, form, str(error), 400)
        fields = [(name, value) for name, values in form.many.items() if name != "csrf" for value in values]
        known = sum(row.usd or 0.0 for row in planned)
        return self._page(
            request, "estimate.html", planned=planned, known=known, fields=fields, wanted=wanted, bounds=BOUNDS
        )

    def begin(self, request: Request, form: Sent) -> Response:
        """Starts a review."""
        self._own(form)
        try:
            run = self.jobs.start(request_of(form, self.web.settings))
        except LitragError as error:
            return self._form(request, form, str(error), 400)
        return _to(run)

    def run(self, request: Request, run_id: str) -> HTMLResponse:
        """A run as it stands: its progress, the file it waits for, its review, or why it ended."""
        return self._run(request, find_run(run_id))

    async def events(self, request: Request, run_id: str) -> EventSourceResponse:
        """What the run tells, from the event on that the browser has not seen."""
        run = await asyncio.to_thread(find_run, run_id)
        last = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        return EventSourceResponse(self._told(run, int(last) if last.isdecimal() and len(last) < 12 else 0), ping=15)

    def stop(self, form: Sent, run_id: str) -> Response:
        """Interrupts a run."""
        self._own(form)
        run = find_run(run_id)
        self.jobs.stop(run)
        return _to(run)

    def resume(self, form: Sent, run_id: str) -> Response:
        """Goes on with a run."""
        self._own(form)
        run = find_run(run_id)
        self.jobs.go_on(run, self.web.settings)
        return _to(run)

    def papers(self, request: Request, form: Sent, run_id: str) -> Response:
        """Keeps the papers whose boxes are checked, adds those whose DOI or arXiv id is given, goes on."""
        self._own(form)
        run = find_run(run_id)
        added = [line.strip(" -*+") for line in form.value("added")[:_LONGEST_PLAN].splitlines() if line.strip(" -*+")]
        return self._edited(run, "papers", lambda text: with_boxes(text, form.many.get("keep", ()), added))

    def plan(self, request: Request, form: Sent, run_id: str) -> Response:
        """Takes the plan as it was edited, goes on."""
        self._own(form)
        text = form.value("plan").replace("\r\n", "\n")
        if len(text) > _LONGEST_PLAN:
            raise BadInput(f"the plan has {len(text):,} characters; at most {_LONGEST_PLAN:,} are taken")
        return self._edited(find_run(run_id), "plan", lambda _: text)

    def marks(self, form: Sent, run_id: str) -> Response:
        """Marks a citation as wrong, or takes that back."""
        self._own(form)
        run = find_run(run_id)
        sentence, key = form.value("sentence"), form.value("key")[:200]
        number = int(sentence) if sentence.isdecimal() and len(sentence) < 9 else 0
        mark(run, key, sentence=number, wrong=form.value("wrong") == "yes", note=form.value("note").strip())
        try:
            written_anew(run)
        except BadInput as error:  # the mark is kept; downloads show it
            raise BadInput(f"the mark is kept, but the files of the review were not written anew: {error}") from error
        return RedirectResponse(f"/runs/{run.id}#sentence-{number}", 303)

    def file(self, run_id: str, name: str) -> Response:
        """A file of a review as its run stored it, with the marks of its reader; always as a download."""
        run = find_run(run_id)
        if name not in FILES:
            raise UnknownName("file", name[:80], FILES)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(file_of(run, name), media_type="application/octet-stream", headers=headers)

    async def library(self, request: Request) -> Response:
        """Adds a library of the files sent."""
        async with request.form() as data:
            self._own(Form({"csrf": str(data.get("csrf", ""))}, {}))
            name = _library_name(str(data.get("name", "")))
            files = [file for file in data.getlist("files") if isinstance(file, UploadFile) and file.filename]
            if not files:
                raise BadInput("a library needs at least one file")
            contents = [(_file_name(str(file.filename)), await file.read()) for file in files]
        await asyncio.to_thread(_add, name, contents)
        return RedirectResponse("/#libraries", 303)

    def failed(self, request: Request, error: Exception) -> Response:
        """An error of litrag's tree: its one line."""
        status = 404 if isinstance(error, UnknownName) else 400
        return self._page(request, "error.html", status, error=str(error))

    def refused(self, request: Request, error: HTTPException) -> Response:
        """An address that is not there, too much that was sent."""
        return self._page(request, "error.html", error.status_code, error=str(error.detail))

    def refusal(self, line: str) -> str:
        """A page of what the guard refuses, which no request reaches."""
        return self.templates.get_template("error.html").render(error=line)

    def _run(self, request: Request, run: Run) -> HTMLResponse:
        status, note = self.jobs.state(run)
        row = run_row(run, status, note)
        if status == "done":
            files = [name for name in FILES if name != "run.json" or record_of(run)]  # its folder may be gone
            return self._page(request, "review.html", row=row, review=review_view(run), files=files)
        pause = paused_at(run) if status != "running" else ""
        text = _pause_file(run, pause) if pause else ""
        offered = boxes(text) if pause == "papers" else ()
        added = "\n".join(line.lstrip("-*+ ") for line in extra_lines(text)) if pause == "papers" else ""
        asked = wait_note(str(Path(run.request.out) / PAUSES[pause])) if pause else ""
        slip = "" if note == asked else note
        shown: dict[str, Any] = {"pause": pause, "text": text, "offered": offered, "added": added, "slip": slip}
        return self._page(request, "run.html", row=row, stages=STAGES, **shown)

    async def _told(self, run: Run, after: int) -> AsyncIterator[dict[str, str]]:
        async for number, event in self.jobs.events(run, after=after):
            yield {"id": str(number), "event": "step", "data": json.dumps(asdict(event), ensure_ascii=False)}
        yield {"event": "end", "data": self.jobs.state(run)[0]}

    def _edited(self, run: Run, pause: str, change: Callable[[str], str]) -> Response:
        if self.jobs.state(run)[0] == "running" or paused_at(run) != pause:
            raise BadInput(f"run {run.id} does not wait for its {pause}; look at it anew")
        text = change(_pause_file(run, pause))
        write_files(Path(run.request.out), {PAUSES[pause]: text.encode()}, remedy="free space")
        self.jobs.go_on(run, self.web.settings)
        return _to(run)

    def _form(self, request: Request, form: Form | None = None, error: str = "", status: int = 200) -> HTMLResponse:
        rows = [run_row(run, *self.jobs.state(run)) for run in _whole_runs()]
        settings = self.web.settings
        roles = {role: settings.role_model(role) for role in ROLES}
        found = [info for info in list_libraries() if info.added]
        form = form or blank(settings)
        context: dict[str, Any] = {"form": form, "error": error, "rows": rows, "settings": settings, "roles": roles}
        offered: dict[str, Any] = {"libraries": found, "sources": SOURCES, "bounds": BOUNDS, "choices": CHOICES}
        return self._page(request, "start.html", status, **context, **offered)

    def _page(self, request: Request, name: str, status: int = 200, **context: Any) -> HTMLResponse:
        context["csrf"] = self.web.rules.form_token
        return self.templates.TemplateResponse(request, name, context, status_code=status)

    def _own(self, form: Form) -> None:
        if not self.web.rules.is_form_token(form.value("csrf")):
            raise BadInput(
                "this form is not of this page, or from before the server was started anew; load the page again and send it once more"
            )


def _library_name(given: str) -> str:
    """A name as libraries have it: accents off, other signs as hyphens. Raises BadInput."""
    name = ascii_of(given, split=True).replace(" ", "-")[:40]
    if not name:
        raise BadInput(f"library name {given[:40]!r}: take letters from a to z, or digits")
    return name


def _whole_runs() -> list[Run]:
    """The newest runs that can be read."""
    found = []
    for run in list_runs()[:_SHOWN]:
        try:
            run.request  # noqa: B018 - a damaged one raises
        except BadInput:
            continue
        found.append(run)
    return found


def _pause_file(run: Run, pause: str) -> str:
    path = Path(run.request.out) / PAUSES[pause]
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); go on with: litrag runs resume {run.id}") from error


def _file_name(name: str) -> str:
    """The last part of a name, of letters, digits and dots. Raises BadInput for a kind of file that libraries do not read."""
    last = re.sub(r"[^\w.-]+", "-", re.split(r"[/\\]", name)[-1])[-80:].lstrip(".-")
    if Path(last).suffix.casefold() not in _UPLOADED:
        raise BadInput(f"{name[-80:]!r} is not of a kind that libraries read: {', '.join(sorted(_UPLOADED))}")
    return last


def _add(name: str, files: list[tuple[str, bytes]]) -> None:
    if name in {info.name for info in list_libraries()}:
        raise BadInput(f"there is a library {name} already; take another name")
    if len({each for each, _ in files}) < len(files):
        raise BadInput("two of the files have one name; give them different ones")
    folder = made(home() / "uploads") / name
    if any(folder in Path(source).parents for info in list_libraries() for source in info.sources):
        raise BadInput(f"files for a library {name} belong to another library; take another name")
    shutil.rmtree(folder, ignore_errors=True)  # of a library that was removed
    folder.mkdir()
    try:
        write_files(folder, dict(files), remedy="free space or set LITRAG_HOME")
        add_library([folder / each for each, _ in files], name=name).close()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _to(run: Run) -> RedirectResponse:
    return RedirectResponse(f"/runs/{run.id}", 303)
