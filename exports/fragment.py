"""A review as a notebook shows it: each citation opens, where it stands, to the words that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from litrag.core.display import Html, fold, fragment, line
from litrag.exports.document import Exported
from litrag.exports.evidence_page import read_words
from litrag.exports.judged import JudgedSentence, judged
from litrag.exports.page import inline, text

__all__ = ["review_fragment"]


def review_fragment(document: Exported) -> str:
    """The review as a piece of HTML without id, script or anything from elsewhere: two of them can stand in one page. Raises BadInput, MissingExtra (the
    style)."""
    parts = [line(note, kind="quiet") for note in document.notes]
    for section in judged(document):
        parts += [Html(f'<div class="p"><b dir="auto">{text(section.heading)}</b></div>')] if section.heading else []
        for paragraph in section.paragraphs:
            told = " ".join("".join(_sentence(document, each)) for each in paragraph)
            parts.append(Html(f'<div class="p" dir="auto">{told}</div>'))
    references = document.look.references
    listed = (f'<li dir="auto">{inline(replace(run, key="") for run in entry.runs)}</li>' for entry in references)
    parts.append(fold(f"{len(references)} references", f"<ul>{''.join(listed)}</ul>"))
    return fragment(*parts)


def _sentence(document: Exported, each: JudgedSentence) -> Iterator[str]:
    for run in document.runs(each.sentence):
        shown = inline([replace(run, key="")])
        if run.key not in each.cited:
            yield shown
            continue
        citation = each.cited[run.key]
        verdict = f"{citation.label} ({citation.method})" if citation.method else citation.label
        told = line(verdict, kind="warn" if citation.label == "unsupported" else "quiet")
        retracted = citation.record.paper.retracted
        told = Html(told + line(retracted, kind="warn")) if retracted else told
        yield f'<details class="c"><summary>{shown}</summary><div>{told}{read_words(citation)}</div></details>'
