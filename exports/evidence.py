"""evidence.json: every citation of the review with paper, passage, quote, the query that found it, scores and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from litrag.core.names import labels
from litrag.core.types import Claim, Draft, Evidence, Paper, Verdict
from litrag.exports.records import Record
from litrag.exports.styles import plain_sentence

__all__ = [
    "SCHEMA_VERSION",
    "ClaimRecord",
    "EvidenceFile",
    "EvidenceRecord",
    "PageRecord",
    "PaperRecord",
    "ReasonRecord",
    "ScoreRecord",
    "VerdictRecord",
    "evidence_file",
    "with_verdicts",
]

SCHEMA_VERSION = 4


class PaperRecord(Record):
    """The cited work."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    doi: str
    arxiv_id: str
    url: str
    imprint: dict[str, str] = Field(
        default_factory=dict, description="Volume, issue, page and the like, by their names in CSL."
    )
    provenance: dict[str, str] = Field(default_factory=dict, description="Field -> the source that gave it.")
    retracted: str = Field(
        default="", description="Its retraction, or doubts of its publisher; empty where none is known."
    )


class ScoreRecord(Record):
    """One score the work got on its way into the review."""

    source: str
    value: float
    rank: int
    query: str


class ReasonRecord(Record):
    """An argument of a reranker for or against the work, with the words of the work (document) or of the abstract (query) it rests on."""

    source: str
    stance: str
    text: str
    quote: str
    of: str


class PageRecord(Record):
    """A page of the full text, and where in the passage it begins."""

    page: int
    start: int


class EvidenceRecord(Record):
    """One evidence key. `passage` is the text that was read; `quote` stands in it at [start, end), empty where no sentence
    names the words it rests on. `pages` where more than the abstract was read."""

    key: str
    paper: PaperRecord
    passage: str
    start: int
    end: int
    quote: str
    query: str
    scores: tuple[ScoreRecord, ...]
    reasons: tuple[ReasonRecord, ...] = ()
    pages: tuple[PageRecord, ...] = ()


class VerdictRecord(Record):
    """The verdict on one sentence-citation pair."""

    key: str
    label: str
    method: str
    score: float | None
    quote: str = ""
    start: int | None = None
    end: int | None = None


class ClaimRecord(Record):
    """One sentence of the review, citations as labels."""

    sentence: str
    keys: tuple[str, ...]
    writer: str
    verdicts: tuple[VerdictRecord, ...]


class EvidenceFile(Record):
    """The whole file."""

    version: int = Field(default=SCHEMA_VERSION, description="Version of this schema.")
    evidence: tuple[EvidenceRecord, ...]
    claims: tuple[ClaimRecord, ...]


def evidence_file(
    draft: Draft, papers: Mapping[str, Paper], table: Sequence[Evidence], retracted: Mapping[str, str] | None = None
) -> EvidenceFile:
    """The file of a draft; `table` holds one evidence for each cited key, `retracted` what became of papers, by key."""
    gone = retracted or {}
    named = labels({key: papers[key] for key in draft.keys})
    claims = tuple(
        ClaimRecord(
            sentence=plain_sentence(claim, papers, named),
            keys=claim.keys,
            writer=claim.writer,
            verdicts=_verdicts(claim),
        )
        for claim in draft.claims
    )
    return EvidenceFile(
        evidence=tuple(_evidence(item, papers[item.key], gone.get(item.key, "")) for item in table), claims=claims
    )


def _evidence(item: Evidence, paper: Paper, retracted: str) -> EvidenceRecord:
    facts = {name: getattr(paper, name) for name in PaperRecord.model_fields if name != "retracted"}
    facts |= {"imprint": dict(paper.imprint), "provenance": dict(paper.provenance), "retracted": retracted}
    scores = (ScoreRecord(source=s.source, value=s.value, rank=s.rank, query=s.query) for s in item.scores)
    return EvidenceRecord(
        key=item.key,
        paper=PaperRecord(**facts),
        passage=item.passage.text,
        start=item.quote.start,
        end=item.quote.end,
        quote=item.quote.text,
        query=item.query,
        scores=tuple(scores),
        reasons=tuple(
            ReasonRecord(source=r.source, stance=r.stance, text=r.text, quote=r.quote.text, of=r.of)
            for r in item.reasons
        ),
        pages=tuple(PageRecord(page=page, start=start) for start, page in item.pages),
    )


def with_verdicts(file: EvidenceFile, draft: Draft) -> EvidenceFile:
    """The same file with the verdicts of a draft whose sentences are the same."""
    claims = (
        record.model_copy(update={"verdicts": _verdicts(claim)})
        for record, claim in zip(file.claims, draft.claims, strict=True)
    )
    return file.model_copy(update={"claims": tuple(claims)})


def _verdicts(claim: Claim) -> tuple[VerdictRecord, ...]:
    return tuple(_verdict(verdict) for verdict in claim.verdicts)


def _verdict(verdict: Verdict) -> VerdictRecord:
    span = verdict.quote
    return VerdictRecord(
        key=verdict.key,
        label=verdict.label,
        method=verdict.method,
        score=verdict.score,
        quote=span.text if span else "",
        start=span.start if span else None,
        end=span.end if span else None,
    )
