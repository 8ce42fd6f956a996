"""The tools of the MCP server: what each is called, what it says of itself, and what it does. Nothing here knows the protocol."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from litrag.core.errors import BadInput, UnknownName
from litrag.core.settings import Settings
from litrag.core.types import Paper
from litrag.exports.formats import files_of
from litrag.pipelines.api import make_request
from litrag.pipelines.bibliography import bibliography_of, completed
from litrag.pipelines.checking import check_async
from litrag.pipelines.exporting import document_of, exported
from litrag.pipelines.reading import parse_abstract
from litrag.pipelines.runs import find_run, list_runs
from litrag.pipelines.searching import find_async
from litrag.pipelines.state import ReviewRequest
from litrag.serving import mcp_answers as answers
from litrag.serving import mcp_arguments as arguments
from litrag.serving.asked import added_libraries, lowered
from litrag.serving.mcp_answers import Answer
from litrag.serving.mcp_reviews import Reviews, Tell

__all__ = ["TOOLS", "Desk", "Tool", "called"]

_TEXTS: Final = {"md": "review.md", "tex": "review.tex", "html": "review.html"}  # of the formats with several files


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tools work with: the settings in force, and the reviews that are waited for."""

    settings: Settings
    reviews: Reviews

    @classmethod
    def of(cls, settings: Settings) -> Desk:
        """A desk of one's own."""
        return cls(settings, Reviews(settings))


Work: TypeAlias = Callable[[Desk, Any, Tell], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `changes`: it starts work that is kept; `outside`: it may ask models and sources elsewhere."""

    does: str
    takes: type[arguments.Arguments]
    gives: type[BaseModel]
    work: Work
    changes: bool = False
    outside: bool = True


async def called(desk: Desk, name: str, given: Mapping[str, Any] | None, tell: Tell) -> Answer:
    """The answer of a tool. Raises KeyError for an unknown one, LitragError."""
    tool = TOOLS[name]
    return await tool.work(desk, arguments.read(tool.takes, given), tell)


async def _search(desk: Desk, asked: arguments.Search, tell: Tell) -> Answer:
    chosen = {"sources": asked.sources, "max_searches": asked.max_searches, "max_seconds": asked.max_seconds}
    settings = lowered(desk.settings, {**chosen, "rewriter": "none", "reranker": "none"})
    result = await find_async(
        asked.query,
        k=asked.k,
        library=added_libraries(asked.libraries),
        before=asked.before,
        **settings.model_dump(mode="json"),
    )
    return answers.found(result)


async def _review(desk: Desk, asked: arguments.Review, tell: Tell) -> Answer:
    request = _request(desk, asked, title=asked.title, before=asked.before, exclude=asked.exclude or ())
    return answers.run_answer(*await desk.reviews.write(request, tell))


async def _continue(desk: Desk, asked: arguments.Continue, tell: Tell) -> Answer:
    return answers.run_answer(*await desk.reviews.go_on(find_run(asked.run_id), tell))


async def _get_run(desk: Desk, asked: arguments.GetRun, tell: Tell) -> Answer:
    state = desk.reviews.jobs.state
    if asked.run_id is None:
        return answers.runs_answer([(run, state(run)) for run in list_runs()])
    run = find_run(asked.run_id)
    return answers.one_run(run, state(run))


async def _verify(desk: Desk, asked: arguments.Verify, tell: Tell) -> Answer:
    limits = {"max_calls": asked.max_calls, "max_cost": asked.max_cost}
    settings = lowered(desk.settings, limits).model_copy(update={"sources": ()})  # those of reviews
    papers = await asyncio.to_thread(_read_bibliography, asked.bibliography)
    papers = await completed(papers, added_libraries(asked.libraries) or None)
    return answers.checked(await check_async(asked.text, papers, settings))


async def _get_evidence(desk: Desk, asked: arguments.Evidence, tell: Tell) -> Answer:
    document = document_of(find_run(asked.run_id))
    if document.evidence is None:
        raise BadInput(f"run {asked.run_id} was written before evidence was kept; write it again")
    if asked.key is not None and asked.key not in document.cited:
        raise UnknownName("cited work", asked.key, document.cited)
    there = len(document.evidence.claims)
    if asked.sentence is not None and asked.sentence > there:
        raise BadInput(f"the review has {there} sentences; sentence {asked.sentence} is not among them")
    return answers.evidence(document.evidence, key=asked.key, sentence=asked.sentence)


async def _export(desk: Desk, asked: arguments.Export, tell: Tell) -> Answer:
    return await asyncio.to_thread(_exported, asked)


def _exported(asked: arguments.Export) -> Answer:
    content = exported(find_run(asked.run_id), asked.format, style=asked.style)
    name = _TEXTS.get(asked.format) or files_of([asked.format])[0]
    data = answers.ExportResult(file=name, bytes=len(content[name]))
    if asked.format == "docx":
        return Answer(f"{name}, {data.bytes:,} bytes", data, file=(name, content[name]))
    return Answer(content[name].decode(), data)


async def _estimate(desk: Desk, asked: arguments.Estimate, tell: Tell) -> Answer:
    from litrag.pipelines.estimate import estimate

    return answers.estimated(await estimate(_request(desk, asked)))


def _request(desk: Desk, asked: arguments.Review | arguments.Estimate, **others: Any) -> ReviewRequest:
    """The request of a review, the same that the command line makes of the same settings. Raises BadInput."""
    said = asked.model_dump(mode="json", exclude_none=True)
    chosen = {name: value for name, value in said.items() if name in Settings.model_fields}
    text = parse_abstract(asked.abstract, name="abstract", title=others.pop("title", None))
    return make_request(
        text,
        lowered(desk.settings, chosen),
        libraries=added_libraries(asked.libraries),
        **others,
    )


def _read_bibliography(text: str) -> dict[str, Paper]:
    """Key -> paper. The readers read files: the text becomes one, for as long as it is read. Raises BadInput."""
    start = text.lstrip("\ufeff \t\r\n")
    kind = next(
        (kind for sign, kind in (("{", "jsonl"), ("[", "json"), ("TY  -", "ris")) if start.startswith(sign)), "bib"
    )
    with tempfile.TemporaryDirectory(prefix="litrag-mcp-") as folder:
        file = Path(folder) / f"bibliography.{kind}"
        file.write_text(text, encoding="utf-8", errors="replace")
        try:
            return bibliography_of(file, ())
        except BadInput as error:
            raise BadInput(str(error).replace(str(file), "the bibliography")) from error


TOOLS: Final[Mapping[str, Tool]] = {
    "search": Tool(
        "Find papers for a question or an abstract, best first.", arguments.Search, answers.SearchResult, _search
    ),
    "review": Tool(
        "Write the related-work section of an abstract; takes minutes, goes on if cancelled by continue_review. max_* only lower the"
        " server's budget.",
        arguments.Review,
        answers.RunResult,
        _review,
        changes=True,
    ),
    "continue_review": Tool(
        "Go on with a review that was stopped or waits.", arguments.Continue, answers.RunResult, _continue, changes=True
    ),
    "get_run": Tool(
        "State, cost and warnings of a review.", arguments.GetRun, answers.RunsResult, _get_run, outside=False
    ),
    "get_evidence": Tool(
        "What a finished review rests on: quotes and verdicts of one cited work or one sentence; of neither: the doubtful sentences.",
        arguments.Evidence,
        answers.EvidenceResult,
        _get_evidence,
        outside=False,
    ),
    "export": Tool(
        "The text of a finished review in a format.", arguments.Export, answers.ExportResult, _export, outside=False
    ),
    "verify": Tool(
        "Check whether the works that a text cites are in its bibliography and support it.",
        arguments.Verify,
        answers.CheckResult,
        _verify,
    ),
    "estimate": Tool(
        "What a review would send at the most: calls, tokens, dollars. Sends nothing.",
        arguments.Estimate,
        answers.EstimateResult,
        _estimate,
        outside=False,
    ),
}
