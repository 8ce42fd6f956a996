"""A review as a notebook shows it: each citation opens, where it stands, to the words that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from litrag.core.display import Html, fold, fragment, line
from litrag.exports.document import Exported, Sentence
from litrag.exports.evidence import ClaimRecord, EvidenceRecord, evidence_file
from litrag.exports.evidence_page import read_words
from litrag.exports.page import inline, text

__all__ = ["review_fragment"]


def review_fragment(document: Exported) -> str:
    """The review as a piece of HTML without id, script or anything from elsewhere: two of them can stand in one page. Raises BadInput, MissingExtra (the
    style)."""
    file = document.evidence or evidence_file(document.draft, document.papers, ())
    records = {record.key: record for record in file.evidence}
    claims = iter(file.claims)
    parts = [line(note, kind="quiet") for note in document.notes]
    for section in document.sections:
        parts += [Html(f'<div class="p"><b dir="auto">{text(section.heading)}</b></div>')] if section.heading else []
        for paragraph in section.paragraphs:
            told = " ".join("".join(_sentence(document, each, next(claims), records)) for each in paragraph)
            parts.append(Html(f'<div class="p" dir="auto">{told}</div>'))
    references = document.look.references
    listed = (f'<li dir="auto">{inline(replace(run, key="") for run in entry.runs)}</li>' for entry in references)
    parts.append(fold(f"{len(references)} references", f"<ul>{''.join(listed)}</ul>"))
    return fragment(*parts)


def _sentence(
    document: Exported, sentence: Sentence, claim: ClaimRecord, records: Mapping[str, EvidenceRecord]
) -> Iterator[str]:
    verdicts = {verdict.key: verdict for verdict in claim.verdicts}
    for run in document.runs(sentence):
        shown = inline([replace(run, key="")])
        if run.key not in records:
            yield shown
            continue
        record, verdict = records[run.key], verdicts.get(run.key)
        judged = f"{verdict.label} ({verdict.method})" if verdict else "unchecked"
        told = line(judged, kind="warn" if judged.startswith("unsupported") else "quiet")
        told = Html(told + line(record.paper.retracted, kind="warn")) if record.paper.retracted else told
        words = read_words(record, verdict, document.papers[run.key])
        yield f'<details class="c"><summary>{shown}</summary><div>{told}{words}</div></details>'
