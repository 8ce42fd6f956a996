"""evidence.html: each sentence of the review with its citations; behind each, one click away, the words it rests on
where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from litrag.core.names import spoken
from litrag.core.types import Paper
from litrag.exports.document import Exported
from litrag.exports.evidence import EvidenceRecord, VerdictRecord
from litrag.exports.facts import link
from litrag.exports.judged import JudgedCitation, JudgedSentence, judged
from litrag.exports.page import inline, text, whole_page

__all__ = ["evidence_html", "read_words"]

_AROUND: Final = 3000  # characters of a full text that are shown on either side of a quote


def evidence_html(document: Exported) -> str:
    """The page. Raises BadInput, MissingExtra (the style)."""
    body = [
        f"<h1>{text(document.title)}: evidence</h1>",
        '<p class="quiet">Each sentence with the works it cites. Open a work to see its words, marked where the sentence rests on'
        ' them. <a href="review.html">The review</a></p>',
    ]
    for section in judged(document):
        if section.heading:
            body.append(f"<h2>{text(section.heading)}</h2>")
        for sentence in section.sentences:
            body.extend(_claim(document, sentence))
    return whole_page(f"{document.title}: evidence", "\n".join(body), "en")


def _claim(document: Exported, each: JudgedSentence) -> Iterator[str]:
    yield f'<div class="claim">\n<p>{inline(document.runs(each.sentence), page="review.html")}</p>'
    for key, citation in each.cited.items():
        yield _work(document.look.named(key), citation)
    yield "</div>"


def _work(name: str, citation: JudgedCitation) -> str:
    label, method = text(citation.label), f" ({citation.method})" if citation.method else ""
    retracted = citation.record.paper.retracted
    gone = f' <span class="warn">{text(retracted)}</span>' if retracted else ""
    head = f'{text(name)}: <span class="{label}">{label}</span>{text(method)}{gone}'
    return f"<details>\n<summary>{head}</summary>\n{read_words(citation)}\n</details>"


def read_words(citation: JudgedCitation) -> str:
    """What a sentence rests on: the work's facts, its words with the quote marked, the query that found it."""
    record, verdict = citation.record, citation.verdict
    parts = [
        _facts(record, citation.paper),
        _page(record, verdict),
        f"<blockquote>{_passage(record, verdict)}</blockquote>",
        f'<p class="quiet">Found by the query: {text(record.query)}</p>' if record.query else "",
    ]
    return "\n".join(part for part in parts if part)


def _facts(record: EvidenceRecord, paper: Paper) -> str:
    work = record.paper
    facts = (", ".join(map(spoken, work.authors)), str(work.year or "n.d."), work.venue)
    address = link(paper)
    shown = f' <a href="{text(address)}" rel="noreferrer noopener">{text(address)}</a>' if address else ""
    return f"<p><b>{text(work.title)}</b><br>{text('. '.join(fact for fact in facts if fact))}.{shown}</p>"


def _place(record: EvidenceRecord, verdict: VerdictRecord | None) -> tuple[str, int]:
    """The quote of the verdict, else of the evidence, and where it begins in the passage; -1 where it stands elsewhere."""
    passage, quote = record.passage, (verdict.quote if verdict else "") or record.quote
    places = [(record.start, record.end)]
    if verdict is not None and verdict.start is not None and verdict.end is not None:
        places.insert(0, (verdict.start, verdict.end))
    return quote, next((p[0] for p in places if passage[p[0] : p[1]] == quote), passage.find(quote))


def _page(record: EvidenceRecord, verdict: VerdictRecord | None) -> str:
    """The page that the quote stands on, where pages of a full text were read and it is on one."""
    quote, start = _place(record, verdict)
    page = next((page.page for page in reversed(record.pages) if page.start <= start), 0)
    return f'<p class="quiet">On page {page}:</p>' if quote and page else ""


def _passage(record: EvidenceRecord, verdict: VerdictRecord | None) -> str:
    """The passage with the quote marked; a quote that stands elsewhere comes first."""
    passage = record.passage
    quote, start = _place(record, verdict)
    if not quote:
        return _lines(_after(passage))
    if start < 0:
        return f"<mark>{_lines(quote)}</mark>\n{_lines(_after(passage))}"
    end = start + len(quote)
    before = passage[:start] if start <= _AROUND else f"… {passage[start - _AROUND : start]}"
    return f"{_lines(before)}<mark>{_lines(passage[start:end])}</mark>{_lines(_after(passage[end:]))}"


def _after(passage: str) -> str:
    return passage if len(passage) <= _AROUND else f"{passage[:_AROUND]} …"


def _lines(passage: str) -> str:
    """Its lines stay lines: the first is the work's title."""
    return "\n".join(text(line) for line in passage.split("\n"))
