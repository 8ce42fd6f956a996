"""The sentences of a review with what was judged of their citations, taken together once for every page that shows both."""

from __future__ import annotations

from dataclasses import dataclass

from litrag.core.types import Paper
from litrag.exports.document import Exported, Sentence
from litrag.exports.evidence import EvidenceRecord, VerdictRecord, evidence_file

__all__ = ["JudgedCitation", "JudgedSection", "JudgedSentence", "judged"]


@dataclass(frozen=True, slots=True)
class JudgedCitation:
    """A work in a sentence that cites it. `verdict` is None where nobody judged it."""

    record: EvidenceRecord
    verdict: VerdictRecord | None
    paper: Paper

    @property
    def label(self) -> str:
        """ "supported", "unsupported" or "unchecked"."""
        return self.verdict.label if self.verdict else "unchecked"

    @property
    def method(self) -> str:
        """How it was judged, "" where it was not."""
        return self.verdict.method if self.verdict else ""


@dataclass(frozen=True, slots=True)
class JudgedSentence:
    """A sentence, its number in the whole review, from 1, and its citations by key, in its own order."""

    number: int
    sentence: Sentence
    cited: dict[str, JudgedCitation]


@dataclass(frozen=True, slots=True)
class JudgedSection:
    """A section's heading, "" for none, and its paragraphs."""

    heading: str
    paragraphs: tuple[tuple[JudgedSentence, ...], ...]

    @property
    def sentences(self) -> tuple[JudgedSentence, ...]:
        """Of all paragraphs."""
        return tuple(sentence for paragraph in self.paragraphs for sentence in paragraph)


def judged(document: Exported) -> tuple[JudgedSection, ...]:
    """The sections in reading order."""
    file = document.evidence or evidence_file(document.draft, document.papers, ())
    records = {record.key: record for record in file.evidence}
    claims = iter(enumerate(file.claims, start=1))

    def taken(sentence: Sentence) -> JudgedSentence:
        number, claim = next(claims)
        verdicts = {verdict.key: verdict for verdict in claim.verdicts}
        cited = {
            key: JudgedCitation(records[key], verdicts.get(key), document.papers[key])
            for key in claim.keys
            if key in records
        }
        return JudgedSentence(number, sentence, cited)

    return tuple(
        JudgedSection(section.heading, tuple(tuple(map(taken, paragraph)) for paragraph in section.paragraphs))
        for section in document.sections
    )
