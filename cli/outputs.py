"""What `--json` prints: one form a command, from which the published schema (docs/schemas/output.schema.json) and the table of docs/json.md are made
(`python -m litrag.cli.outputs docs`). A test runs every command and holds its object to its form.

A form's version, in `context.FORMS`, goes up when a field goes or changes its meaning; a new field leaves it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict, Field
from pydantic.json_schema import models_json_schema

from litrag.cli.context import FORMS, schema_name
from litrag.evals.results import Results
from litrag.exports.records import Record
from litrag.training.run import Trained

__all__ = ["OUTPUTS", "published", "table", "write"]


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


class Verify(Record):
    """Citations of a text."""

    pairs: list[CheckedPair]
    faults: int = Field(description="Pairs that are unsupported or missing.")
    uncited: list[str]
    warnings: list[str]


class Evaluated(Results):
    """Results of an eval, as in its results.json."""


class TrainedModel(Trained):
    """What a training gave, as in its training.json."""

    folder: str


class LibraryMade(Record):
    """A library that was added or updated."""

    name: str
    papers: int
    passages: int
    vectors: int
    warnings: list[str]


class LibraryRow(Record):
    """A library. `added`: by the user; else a file that was named once."""

    name: str
    papers: int
    vectors: int
    added: bool
    sources: list[str]


class Libraries(Record):
    """All libraries."""

    libraries: list[LibraryRow]


class LibraryFacts(LibraryRow):
    """One library, and what of its files was left out."""

    passages: int
    files: int
    folder: str
    notes: list[str]


class Removed(Record):
    """What was removed."""

    removed: str


class Stopped(Record):
    """A run that was told to stop."""

    stopped: str


class Marked(Record):
    """A citation that its reader marked as wrong, or right again."""

    key: str
    wrong: bool
    sentences: list[int] = Field(description="Numbers of the sentences, from 1.")
    files: list[str]


class RunRow(Record):
    """A run: running, waiting, interrupted, failed or done; `note` is its stage, its error or what it waits for."""

    id: str
    status: str
    note: str
    started: str
    folder: str


class Runs(Record):
    """All runs, newest first."""

    runs: list[RunRow]


class RunFacts(Record):
    """One run. `request` is what it was asked, for people: its form is litrag's own affair."""

    id: str
    status: str
    note: str
    folder: str
    request: dict[str, Any]
    ledger: Sums | None = Field(description="null: it never began.")


class Files(Record):
    """Files that were written."""

    files: list[str]


class Setup(Record):
    """Weights that are now here."""

    models: list[str]
    folder: str
    config: str


class RoleHost(Record):
    """A role's model and where it is; "" for none."""

    model: str
    host: str


class Server(Record):
    """What a model on a server can do: yes, no, or why that is not known."""

    model: str
    host: str
    chat: str
    schema_: str = Field(alias="schema")
    logprobs: str
    embeddings: str
    reranking: str
    context: int


class SourceFacts(Record):
    """A scholarly source, its key and what is sent there."""

    host: str
    key: str
    used: bool
    sent: str


class Doctor(Record):
    """What talks to whom, and what is here. `settings` are those of litrag.toml."""

    profile: str
    roles: dict[str, RoleHost]
    weights: dict[str, bool]
    servers: list[Server]
    sources: dict[str, SourceFacts]
    libraries: dict[str, int] = Field(description="Name -> papers.")
    versions: dict[str, str]
    keys: list[str] = Field(description="Names of variables that hold a key.")
    home: str
    models: str
    data: str
    settings: dict[str, Any]


class ModelRow(Record):
    """Weights that `litrag setup` can fetch."""

    name: str
    ready: bool
    licence: str
    origin: str


class Models(Record):
    """All of them."""

    models: list[ModelRow]


class Roles(Record):
    """The model of every role; null for none."""

    profile: str
    roles: dict[str, str | None]


class CacheFacts(Record):
    """What is cached."""

    file: str
    replies: int
    vectors: int


class Cleared(Record):
    """The cache that was cleared."""

    cleared: str


class Pictures(Record):
    """Picture -> its files."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, list[str]] = Field(init=False)


class Failed(Record):
    """Why a command failed; the exit code says what kind of failure it is."""

    error: str = Field(description="Name of the error's class.")
    message: str = Field(description="What is wrong and what to do, in one line.")


# form -> what it holds, and the commands that print it
OUTPUTS: Final[Mapping[str, tuple[type[Record], str]]] = {
    "review": (ReviewDone, "review, runs resume"),
    "review-waiting": (ReviewWaiting, "review --plan-only, --interactive; runs resume"),
    "review-planned": (ReviewPlanned, "review --dry-run"),
    "search": (Search, "search"),
    "ask": (Ask, "ask"),
    "rerank": (Rerank, "rerank"),
    "rewrite": (Rewrite, "rewrite"),
    "verify": (Verify, "verify"),
    "eval": (Evaluated, "eval"),
    "train": (TrainedModel, "train"),
    "plot": (Pictures, "plot"),
    "library": (LibraryMade, "library add, library update"),
    "library-list": (Libraries, "library list"),
    "library-info": (LibraryFacts, "library info"),
    "runs-list": (Runs, "runs list"),
    "runs-show": (RunFacts, "runs show"),
    "runs-stop": (Stopped, "runs stop"),
    "runs-mark": (Marked, "runs mark"),
    "runs-export": (Files, "runs export"),
    "removed": (Removed, "library remove, runs remove"),
    "setup": (Setup, "setup"),
    "doctor": (Doctor, "doctor"),
    "models-list": (Models, "models list"),
    "models-show": (Roles, "models show"),
    "cache-info": (CacheFacts, "cache info"),
    "cache-clear": (Cleared, "cache clear"),
    "error": (Failed, "every command that fails"),
}


def published() -> dict[str, Any]:
    """One JSON Schema of all forms, told apart by their field `schema`."""
    kinds = [(kind, "serialization") for kind in dict.fromkeys(kind for kind, _ in OUTPUTS.values())]
    _, schema = models_json_schema(kinds, title="What litrag --json prints")  # type: ignore[arg-type]
    shapes = {
        name: {key: value for key, value in shape.items() if value is not False}
        for name, shape in schema["$defs"].items()
    }  # a reader passes over fields that are newer than its copy
    forms = {}
    for form, (kind, _) in OUTPUTS.items():
        shape = shapes[kind.__name__]
        names = {"schema": {"const": schema_name(form)}, **shape.get("properties", {})}
        forms[form] = {**shape, "properties": names, "required": ["schema", *shape.get("required", ())]}
    printed = {kind.__name__ for kind, _ in OUTPUTS.values()}
    parts = {name: shape for name, shape in shapes.items() if name not in printed}
    draft = "https://json-schema.org/draft/2020-12/schema"
    head = {"$schema": draft, "title": schema["title"], "oneOf": [{"$ref": f"#/$defs/{form}"} for form in forms]}
    return {**head, "$defs": {**forms, **parts}}


def table() -> str:
    """The forms as a Markdown table: what prints each, its `schema`, its fields."""
    rows = ["| command | `schema` | fields |", "|---|---|---|"]
    for form, (kind, commands) in OUTPUTS.items():
        fields = ", ".join(f"`{field.alias or name}`" for name, field in kind.model_fields.items()) or "one a picture"
        rows.append(f"| {commands} | `{schema_name(form)}` | {fields} |")
    return "\n".join(rows)


def write(docs: Path) -> None:
    """Writes the schema, and the table into json.md between its marks."""
    text = json.dumps(published(), indent=1, ensure_ascii=False) + "\n"
    (docs / "schemas" / "output.schema.json").write_text(text, encoding="utf-8")
    page = docs / "json.md"
    marks = r"(?<=<!-- outputs -->\n).*?(?=<!-- end -->)"
    page.write_text(re.sub(marks, lambda _: table() + "\n", page.read_text(encoding="utf-8"), flags=re.DOTALL))


assert OUTPUTS.keys() == FORMS.keys()
if __name__ == "__main__":
    write(Path(sys.argv[1]))
