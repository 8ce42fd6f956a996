"""What the templates show: runs, stages, a review whose citations open on their quotes. Strings of HTML come from `exports.page`, which escapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from markupsafe import Markup

from litrag.exports.document import Exported
from litrag.exports.evidence_page import read_words
from litrag.exports.formats import FORMATS, files_of
from litrag.exports.judged import JudgedSentence, judged
from litrag.exports.page import inline, text
from litrag.exports.run_record import RunFile
from litrag.pipelines.exporting import document_of, record_of
from litrag.pipelines.marking import Mark, read_marks
from litrag.pipelines.review import NODES
from litrag.pipelines.runs import Run

__all__ = ["FILES", "STAGES", "Citation", "Paragraph", "ReviewView", "RunRow", "review_view", "run_row"]

STAGES: Final[Mapping[str, str]] = {
    "rewrite": "Queries are made from the abstract",
    "search": "Libraries and sources are searched",
    "merge": "What was found is merged",
    "rerank": "Papers are put in order",
    "select": "Papers are chosen",
    "choose": "You choose the papers",
    "read": "Full texts are read",
    "plan": "The text is planned",
    "edit": "You edit the plan",
    "write": "The text is written",
    "verify": "Each citation is checked",
    "export": "Files are written",
}
FILES: Final = (*files_of(FORMATS), "evidence.json", "run.json")  # what can be downloaded, by name
assert set(STAGES) == set(NODES)
_CITED: Final = re.compile(r'[(\[]?<button type="button" class="cite".*?</button>[)\],;.]*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list."""

    id: str
    title: str
    status: str
    note: str
    started: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A work that a sentence cites, and what it rests on. `anchor` is the id of its panel."""

    anchor: str
    key: str
    sentence: int
    name: str
    label: str
    method: str
    body: Markup
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Its text, whose citations are buttons that open the panels, and the panels."""

    html: Markup
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review. `sections` are headings, which may be empty, with paragraphs; `references` keys with entries."""

    title: str
    notes: tuple[str, ...]
    sections: tuple[tuple[str, tuple[Paragraph, ...]], ...]
    references: tuple[tuple[str, Markup], ...]
    record: RunFile | None

    @property
    def checks(self) -> tuple[int, int, int]:
        """Citations that are supported, unsupported, unchecked."""
        labels = [c.label for _, paragraphs in self.sections for p in paragraphs for c in p.citations]
        return labels.count("supported"), labels.count("unsupported"), labels.count("unchecked")


def run_row(run: Run, status: str, note: str) -> RunRow:
    """A run as the list shows it. Raises BadInput for a damaged one."""
    request = run.request
    title = request.title or " ".join(request.abstract.split()[:12]) + " …"
    return RunRow(run.id, title, status, note, f"{run.started:%Y-%m-%d %H:%M} UTC")


def review_view(run: Run) -> ReviewView:
    """The review of a finished run. Raises BadInput, MissingExtra (its style)."""
    document = document_of(run)
    marks = {(mark.sentence, mark.key): mark for mark in read_marks(run)}
    return ReviewView(
        title=run.request.title or "Related work",
        notes=document.notes,
        sections=tuple(
            (section.heading, tuple(_paragraph(document, paragraph, marks) for paragraph in section.paragraphs))
            for section in judged(document)
        ),
        references=tuple((entry.key, _safe(inline(entry.runs))) for entry in document.look.references),
        record=record_of(run),
    )


def _paragraph(
    document: Exported, sentences: Sequence[JudgedSentence], marks: Mapping[tuple[int, str], Mark]
) -> Paragraph:
    shown, citations = [], []
    for each in sentences:
        html = inline(document.runs(each.sentence), cited=partial(_button, each.number))
        html = _CITED.sub(r'<span class="kept">\g<0></span>', html)  # no line ends between it and its bracket
        shown.append(f'<span id="sentence-{each.number}">{html}</span>')
        citations += [
            Citation(
                anchor=_anchor(each.number, key),
                key=key,
                sentence=each.number,
                name=document.look.named(key),
                label=found.label,
                method=found.method,
                body=_safe(read_words(found)),
                mark=marks.get((each.number, key)),
            )
            for key, found in each.cited.items()
        ]
    return Paragraph(_safe(" ".join(shown)), tuple(citations))


def _button(number: int, key: str, label: str) -> str:
    return f'<button type="button" class="cite" popovertarget="{text(_anchor(number, key))}">{label}</button>'


def _anchor(number: int, key: str) -> str:
    return f"quote-{number}-{key}"


def _safe(html: str) -> Markup:
    """HTML of `exports.page`, which escaped all that is not its own."""
    return Markup(html)  # noqa: S704
