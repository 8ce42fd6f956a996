"""What the tools of the MCP server answer: a text of a few hundred tokens for a model, and the same facts as JSON for its client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from litrag.core.ledger import Ledger
from litrag.core.names import spoken
from litrag.exports.evidence import ClaimRecord, EvidenceFile, EvidenceRecord
from litrag.pipelines.checking import Checked
from litrag.pipelines.estimate import Planned, known_usd, total_of
from litrag.pipelines.exporting import document_of, record_of
from litrag.pipelines.runs import Run, Status
from litrag.pipelines.searching import Found

__all__ = [
    "Answer",
    "CheckResult",
    "Cited",
    "CitedWork",
    "EstimateResult",
    "EvidenceResult",
    "ExportResult",
    "Pair",
    "PaperFound",
    "Role",
    "RunResult",
    "RunsResult",
    "SearchResult",
    "Sentence",
    "checked",
    "estimated",
    "evidence",
    "found",
    "one_run",
    "run_answer",
    "runs_answer",
]

_ABSTRACT: Final = 300  # characters shown of an abstract
_BEGINNING: Final = 1200  # characters shown of a review
_PAIRS: Final = 100
_SHOWN: Final = 20
_WAYS: Final = {
    "running": "ask again with get_run",
    "waiting": "a person edits that file, then: continue_review",
    "interrupted": "what was gathered is kept; go on with continue_review",
    "failed": "what was gathered is kept; mend the cause, then: continue_review",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gives. `file` is content that is no text, with its name."""

    text: str
    data: BaseModel
    failed: bool = False
    file: tuple[str, bytes] | None = None


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class PaperFound(_Result):
    """A paper of a search."""

    rank: int
    id: str
    title: str
    authors: str
    year: int | None
    venue: str
    doi: str
    url: str
    abstract: str


class SearchResult(_Result):
    """Of `search`."""

    papers: list[PaperFound]
    stop_reason: str
    warnings: list[str]


class RunResult(_Result):
    """A run. `note` is its stage, its stop reason, what it waits for or why it failed."""

    run_id: str
    status: Status
    note: str
    papers: int = 0
    unsupported: int = 0
    unchecked: int = 0
    model_calls: int = 0
    searches: int = 0
    usd: float = 0.0
    warnings: list[str] = []
    files: list[str] = []


class RunsResult(_Result):
    """Of `get_run`."""

    runs: list[RunResult]


class Pair(_Result):
    """A sentence and a work that it cites."""

    sentence: str
    key: str
    verdict: str
    method: str
    quote: str


class CheckResult(_Result):
    """Of `verify`. `faults` are pairs that are unsupported or missing, and works of `fallen`."""

    pairs: list[Pair]
    faults: int
    fallen: dict[str, str] = {}
    uncited: list[str]
    warnings: list[str]


class Cited(_Result):
    """What a sentence rests on in one work."""

    key: str
    verdict: str
    method: str
    quote: str


class Sentence(_Result):
    """A sentence of a review."""

    number: int
    text: str
    cites: list[Cited]


class CitedWork(_Result):
    """A cited work; `passage` is what was read of it."""

    key: str
    title: str
    year: int
    doi: str
    quote: str
    passage: str


class EvidenceResult(_Result):
    """Of `get_evidence`."""

    sentences: list[Sentence]
    works: list[CitedWork]


class ExportResult(_Result):
    """Of `export`; the content stands beside it."""

    file: str
    bytes: int


class Role(_Result):
    """What one role would send at the most; `usd` is null where the price is unknown."""

    role: str
    model: str
    calls: int
    tokens: int
    usd: float | None


class EstimateResult(_Result):
    """Of `estimate`."""

    roles: list[Role]
    calls: int
    tokens: int
    usd: float


def found(result: Found) -> Answer:
    """Of a search."""
    papers = [
        PaperFound(
            **{name: row[name] for name in ("rank", "id", "title", "year", "venue", "doi", "url")},
            authors=_authors(row["authors"]),
            abstract=_cut(row["abstract"], _ABSTRACT),
        )
        for row in result.rows()
    ]
    lines = [f"{p.rank}. {p.title} ({p.authors}, {p.year or 'n. d.'}) [{p.id}]" for p in papers]
    data = SearchResult(papers=papers, stop_reason=result.stop_reason, warnings=list(result.warnings))
    stopped = [] if result.stop_reason == "done" else [f"stopped early: {result.stop_reason}"]
    return Answer("\n".join([*lines, *stopped, *_warned(data.warnings)]), data)


def run_answer(run: Run, state: tuple[Status, str]) -> Answer:
    """Of a run that was worked on: what it came to, and the beginning of a finished review."""
    data = _run_result(run, state)
    return Answer(_run_text(run, data), data, failed=data.status == "failed")


def one_run(run: Run, state: tuple[Status, str]) -> Answer:
    """Of a run that was asked about."""
    data = _run_result(run, state)
    return Answer(_run_text(run, data), RunsResult(runs=[data]))


def runs_answer(runs: Sequence[tuple[Run, tuple[Status, str]]]) -> Answer:
    """Of several runs: status and note alone."""
    rows = [RunResult(run_id=run.id, status=state[0], note=_cut(state[1], 200)) for run, state in runs[:_SHOWN]]
    lines = [f"{row.run_id} {row.status}: {row.note}" for row in rows]
    return Answer("\n".join(lines) or "no runs yet; start one with review", RunsResult(runs=rows))


def checked(result: Checked) -> Answer:
    """Of a text whose citations were checked; faults first."""
    rows = sorted(result.record()["pairs"], key=lambda pair: pair["label"] not in ("unsupported", "missing"))
    pairs = [
        Pair(sentence=_cut(p["sentence"], 400), key=p["key"], verdict=p["label"], method=p["method"], quote=p["quote"])
        for p in rows[:_PAIRS]
    ]
    labels = [row["label"] for row in rows]
    counted = ", ".join(f"{labels.count(name)} {name}" for name in ("supported", "unchecked", "unsupported", "missing"))
    lines = [f"{len(labels)} citations: {counted} ({result.spent})"]
    lines += [
        f"{pair.verdict} {pair.key}: {_cut(pair.sentence, 200)}"
        for pair in pairs[: min(result.faults - len(result.fallen), _SHOWN)]
    ]
    lines += [f"{what}: {key}" for key, what in list(result.fallen.items())[:_SHOWN]]
    lines += [f"cited nowhere: {', '.join(result.uncited[:_SHOWN])}"] if result.uncited else []
    data = CheckResult(
        pairs=pairs,
        faults=result.faults,
        fallen=dict(result.fallen),
        uncited=list(result.uncited),
        warnings=list(result.warnings),
    )
    return Answer("\n".join([*lines, *_warned(data.warnings)]), data)


def evidence(file: EvidenceFile, *, key: str | None, sentence: int | None) -> Answer:
    """Of one work, of one sentence, or, of neither, of the sentences that something stands against. The caller has seen that they are there."""
    numbered = list(enumerate(file.claims, start=1))
    if sentence is not None:
        chosen = [(n, claim) for n, claim in numbered if n == sentence]
    elif key is not None:
        chosen = [(n, claim) for n, claim in numbered if key in claim.keys]
    else:
        doubtful = ("unsupported", "unchecked")
        chosen = [(n, c) for n, c in numbered if any(v.label in doubtful for v in c.verdicts)][:_SHOWN]
    by_key = {record.key: record for record in file.evidence}
    wanted = [key] if key else list(dict.fromkeys(k for _, claim in chosen for k in claim.keys)) if sentence else []
    works = [_work(by_key[name]) for name in wanted if name in by_key]
    sentences = [_sentence(n, claim, by_key, key) for n, claim in chosen]
    lines = [f"{w.key}: {w.title} ({w.year or 'n. d.'}); quote: “{w.quote}”" for w in works]
    for each in sentences:
        lines.append(f"sentence {each.number}: {each.text}")
        lines += [f"  {c.key} {c.verdict} ({c.method}): “{c.quote}”" for c in each.cites]
    nothing = f"none of the {len(file.claims)} sentences is unsupported or unchecked; name a key or a sentence"
    return Answer("\n".join(lines) or nothing, EvidenceResult(sentences=sentences, works=works))


def estimated(planned: Sequence[Planned]) -> Answer:
    """Of what a review would send."""
    roles = [Role(role=p.role, model=p.model, calls=p.calls, tokens=p.tokens, usd=p.usd) for p in planned]
    data = EstimateResult(
        roles=roles,
        calls=sum(row.calls for row in roles),
        tokens=sum(row.tokens for row in roles),
        usd=known_usd(planned),
    )
    priced = [f"{r.role}: {r.model}, {r.calls} calls, {r.tokens:,} tokens" + _price(r.usd) for r in roles]
    return Answer("\n".join([*priced, total_of(planned)]), data)


def _run_text(run: Run, data: RunResult) -> str:
    if data.status != "done":
        return f"run {run.id} {data.status}: {' '.join(data.note.split())}; {_WAYS[data.status]}"
    early = "" if data.note == "done" else f" It was stopped early ({data.note}); what there is is whole."
    lines = [
        f"run {run.id} is done: {data.papers} papers cited, {data.unsupported} citations unsupported, {data.unchecked} unchecked;"
        f" {data.model_calls} model calls, {data.searches} searches, ${data.usd:.4f}.{early}",
        *_warned(data.warnings),
        f"All of it: export, or litrag://runs/{run.id}/review.md; what a sentence rests on: get_evidence. It begins:",
        "",
        _cut(_text(run), _BEGINNING),
    ]
    return "\n".join(lines)


def _run_result(run: Run, state: tuple[Status, str]) -> RunResult:
    """Everything but warnings and names of files is read from the run itself: its review's folder is the user's."""
    status, note = state
    spent = Ledger.read(run.database) if run.checkpoints.is_file() else None  # then it has begun
    document, record = (document_of(run), record_of(run)) if status == "done" else (None, None)
    labels = [v.label for claim in document.draft.claims for v in claim.verdicts] if document else []
    return RunResult(
        run_id=run.id,
        status=status,
        note=note,
        papers=len(document.cited) if document else 0,
        unsupported=labels.count("unsupported"),
        unchecked=labels.count("unchecked"),
        model_calls=spent.calls if spent else 0,
        searches=spent.searches if spent else 0,
        usd=spent.usd if spent else 0.0,
        warnings=list(record.warnings) if record else [],
        files=[*record.files, "run.json"] if record else [],
    )


def _text(run: Run) -> str:
    """The sentences of a review, citations by author and year."""
    file = document_of(run).evidence
    return " ".join(claim.sentence for claim in file.claims) if file else ""


def _sentence(number: int, claim: ClaimRecord, works: dict[str, EvidenceRecord], only: str | None) -> Sentence:
    cites = [
        Cited(
            key=v.key, verdict=v.label, method=v.method, quote=v.quote or (works[v.key].quote if v.key in works else "")
        )
        for v in claim.verdicts
        if only in (None, v.key)
    ]
    return Sentence(number=number, text=claim.sentence, cites=cites)


def _work(record: EvidenceRecord) -> CitedWork:
    paper = record.paper
    return CitedWork(
        key=record.key,
        title=paper.title,
        year=paper.year,
        doi=paper.doi,
        quote=record.quote,
        passage=_cut(record.passage, 2000),
    )


def _authors(names: Sequence[str]) -> str:
    return f"{spoken(names[0])}{' et al.' * (len(names) > 1)}" if names else "?"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


def _warned(warnings: Sequence[str]) -> list[str]:
    return [f"warning: {_cut(text, 300)}" for text in warnings[:5]]


def _price(usd: float | None) -> str:
    return ", price unknown" if usd is None else f", ${usd:.4f}"
