"""The forms of what `--json` prints of work that was done, field by field; `cli.outputs` says which command prints which."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from litrag.evals.results import Results
from litrag.exports.records import Record
from litrag.training.run import Trained

__all__ = [
    "Ask",
    "Evaluated",
    "Failed",
    "Pictures",
    "Rerank",
    "ReviewDone",
    "ReviewPlanned",
    "ReviewWaiting",
    "Rewrite",
    "Search",
    "Sums",
    "TrainedModel",
    "Verify",
]


class Sums(Record):
    """Sums over the calls of a run."""

    calls: int = Field(description="Requests sent to models.")
    cached: int = Field(description="Answers from the cache.")
    repeated: int = Field(description="Requests sent again after a kill.")
    searches: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float = Field(description="Wall clock of all sessions.")


class Score(Record):
    """One score, by the method that gave it."""

    source: str
    value: float
    rank: int


class QueryScore(Score):
    """A score, and the query it was given for."""

    query: str


class ReviewDone(Record):
    """A review that was written, whole or, with a stop_reason other than done (exit code 4), as far as its budget went."""

    run_id: str
    stop_reason: str
    folder: str = Field(description="Where its files are.")
    papers: int = Field(description="Papers cited.")
    counters: dict[str, int]
    ledger: Sums
    warnings: list[str] = Field(description="What its reader has to know.")


class ReviewWaiting(Record):
    """A review that waits at a file for its user."""

    run_id: str
    waiting_for: str = Field(description="The file to edit.")


class PlannedCalls(Record):
    """Calls of one role, at the most."""

    role: str
    model: str
    calls: int
    tokens: int
    usd: float | None = Field(description="null: nobody told the price.")


class ReviewPlanned(Record):
    """What a dry run found: nothing was sent."""

    planned: list[PlannedCalls]
    usd: float = Field(description="Sum of the prices that are known.")


class FoundPaper(Record):
    """A paper that was found, and where a full text was, the passage."""

    rank: int
    id: str
    title: str
    authors: list[str]
    year: int | None
    venue: str
    doi: str
    arxiv_id: str
    url: str
    abstract: str
    page: int | None
    passage: str
    scores: list[QueryScore]


class Search(Record):
    """Papers, best first."""

    query: str
    stop_reason: str
    papers: list[FoundPaper]


class Support(Record):
    """Words of a document that the answer rests on."""

    id: str
    title: str
    quote: str


class Hop(Record):
    """One search, why it was made, and which documents it brought that were not read before."""

    query: str
    thought: str
    new: list[str]


class Ask(Record):
    """An answer, what it rests on and how it was searched for."""

    question: str
    asked: str = Field(description="The question as it was searched with.")
    answer: str
    supports: list[Support]
    wrong_quotes: int = Field(description="Quotes of the model that stand nowhere.")
    stop_reason: str
    searches: list[Hop]
    documents: int = Field(description="Documents that were read.")
    ledger: Sums


class Reason(Record):
    """An argument for or against a document, and the words it rests on."""

    stance: str
    text: str
    quote: str
    of: str


class RerankedDocument(Record):
    """A document with its rank, its rank before, and the first stage's score where it had one."""

    rank: int
    was: int
    id: str
    title: str
    text: str
    score: float | None = None
    scores: list[Score]
    reasons: tuple[Reason, ...] = ()


class RerankedQuery(Record):
    """One query's documents, best first. `placed` is the share of the order that the method decided."""

    id: str
    query: str
    method: str
    placed: float
    documents: list[RerankedDocument]


class Rerank(Record):
    """A first stage in a new order; where the budget ended it, the queries that are done."""

    method: str
    stop_reason: str
    queries: list[RerankedQuery]
    ledger: Sums


class RewrittenQuery(Record):
    """A query, and how it came about."""

    kind: str
    text: str
    reason: str = ""


class Rewrite(Record):
    """Queries, the original first."""

    method: str
    queries: list[RewrittenQuery]


class CheckedPair(Record):
    """A sentence and one work that it cites: supported, unchecked, unsupported, or missing from the bibliography."""

    sentence: str
    key: str
    label: str
    method: str
    quote: str
    note: str = Field(default="", description="What was found wrong.")


class Verify(Record):
    """Citations of a text."""

    pairs: list[CheckedPair]
    faults: int = Field(description="Pairs that are unsupported or missing, and works of `fallen`.")
    fallen: dict[str, str] = Field(
        default_factory=dict,
        description="Keys of cited works that are registered nowhere, or retracted or doubted by their publisher.",
    )
    uncited: list[str]
    warnings: list[str]


class Evaluated(Results):
    """Results of an eval, as in its results.json."""


class TrainedModel(Trained):
    """What a training gave, as in its training.json."""

    folder: str


class Pictures(Record):
    """Picture -> its files."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, list[str]] = Field(init=False)


class Failed(Record):
    """Why a command failed; the exit code says what kind of failure it is."""

    error: str = Field(description="Name of the error's class.")
    message: str = Field(description="What is wrong and what to do, in one line.")
    run_id: str | None = Field(default=None, description="The review that goes on with `litrag runs resume`.")
