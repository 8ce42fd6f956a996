"""The forms of what `--json` prints of what is kept and installed: libraries, runs, weights, settings, the cache."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from litrag.cli.forms import Sums
from litrag.exports.records import Record

__all__ = [
    "CacheFacts",
    "Cleared",
    "Doctor",
    "Files",
    "Libraries",
    "LibraryFacts",
    "LibraryMade",
    "Marked",
    "Models",
    "Removed",
    "Roles",
    "RunFacts",
    "Runs",
    "Setup",
    "Stopped",
]


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
