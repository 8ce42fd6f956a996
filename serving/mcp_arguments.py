"""What an MCP client may ask: the arguments of each tool, bounded, with schemas short enough for a small model. No argument is a path or an address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from litrag.core.errors import BadInput
from litrag.core.settings import MOST_SEED, MOST_WORDS
from litrag.retrievers.sources import SOURCES
from litrag.serving.asked import LONGEST, LONGEST_TITLE

__all__ = [
    "Arguments",
    "Asked",
    "Bounds",
    "Continue",
    "Estimate",
    "Evidence",
    "Export",
    "GetRun",
    "Review",
    "Search",
    "Verify",
    "compact",
    "outline",
    "read",
]

_BIBLIOGRAPHY: Final = 1_000_000
# what the error tells where it comes to that, and what is so by itself
_UNSAID: Final = frozenset(
    "title additionalProperties minimum maximum exclusiveMinimum minLength maxLength minItems maxItems".split()
)
_SAID_ANYWAY: Final = (("default", None), ("description", ""))
_T = TypeVar("_T", bound="Arguments")


def _listed(value: object) -> object:
    """Models put a list into a string, or leave the brackets out."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.lstrip().startswith("[") else [value]
    except ValueError:
        return value


Name: TypeAlias = Annotated[str, Field(max_length=200)]
Names: TypeAlias = Annotated[list[Name], Field(max_length=50), BeforeValidator(_listed)]
Sources: TypeAlias = Annotated[
    list[Literal["arxiv", "semantic-scholar", "openalex", "crossref"]],
    Field(max_length=len(SOURCES)),
    BeforeValidator(_listed),
]
Style: TypeAlias = Literal["author-year", "numeric"]
_ADDED: Final = "names; default all"


class Arguments(BaseModel):
    """Arguments of a tool; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Search(Arguments):
    """Of `search`."""

    query: str = Field(min_length=1, max_length=LONGEST)
    k: int = Field(default=10, ge=1, le=50)
    libraries: Names | None = Field(default=None, description=_ADDED)
    sources: Sources | None = Field(default=None, description="online")
    before: date | None = None
    max_searches: int | None = Field(default=None, ge=1)
    max_seconds: float | None = Field(default=None, gt=0)


class Asked(Arguments):
    """What a review is asked."""

    abstract: str = Field(max_length=LONGEST)
    title: str | None = Field(default=None, max_length=LONGEST_TITLE)
    libraries: Names | None = Field(default=None, description=_ADDED)
    sources: Sources | None = Field(default=None, description="online")
    before: date | None = None
    exclude: Names | None = Field(default=None, description="ids or titles")
    papers: int | None = Field(default=None, ge=1, le=500)
    words: int | None = Field(default=None, ge=30, le=MOST_WORDS)
    sections: int | None = Field(default=None, ge=0, le=40)
    style: Style | None = None
    seed: int | None = Field(default=None, ge=0, le=MOST_SEED)


class Bounds(Arguments):
    """The most that a call may spend; below what the server allows, never above."""

    max_searches: int | None = Field(default=None, ge=0)
    max_calls: int | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_cost: float | None = Field(default=None, ge=0, description="dollars")
    max_seconds: float | None = Field(default=None, gt=0)


class Review(Bounds, Asked):
    """Of `review`."""


class Estimate(Arguments):
    """Of `estimate`."""

    abstract: str = Field(max_length=LONGEST)
    libraries: Names | None = Field(default=None, description=_ADDED)
    sources: Sources | None = Field(default=None, description="online")
    papers: int | None = Field(default=None, ge=1, le=500)
    words: int | None = Field(default=None, ge=30, le=MOST_WORDS)
    sections: int | None = Field(default=None, ge=0, le=40)


class Continue(Arguments):
    """Of `continue_review`."""

    run_id: Name


class GetRun(Arguments):
    """Of `get_run`."""

    run_id: Name | None = Field(default=None, description="default: the newest runs")


class Verify(Arguments):
    """Of `verify`."""

    text: str = Field(max_length=LONGEST, description=r"cites as [@key] or \cite{key}")
    bibliography: str = Field(max_length=_BIBLIOGRAPHY, description="BibTeX, RIS, CSL-JSON or JSON Lines")
    libraries: Names | None = Field(default=None, description="for missing abstracts; default all")
    max_calls: int | None = Field(default=None, ge=0)
    max_cost: float | None = Field(default=None, ge=0)


class Evidence(Arguments):
    """Of `get_evidence`."""

    run_id: Name
    key: Name | None = Field(default=None, description="of a cited work")
    sentence: int | None = Field(default=None, ge=1, description="number, from 1")


class Export(Arguments):
    """Of `export`."""

    run_id: Name
    format: Literal["md", "tex", "docx", "html", "bib", "ris", "csl"] = "md"
    style: Style | None = None


def read(kind: type[_T], given: Mapping[str, Any] | None) -> _T:
    """The arguments of a call. Raises BadInput in one line that repeats nothing of a value."""
    try:
        return kind.model_validate({name: value for name, value in (given or {}).items() if value is not None})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part)[:60] for part in problem["loc"])
        there = ", ".join(kind.model_fields)
        raise BadInput(f"argument {place!r}: {problem['msg'].lower()}; the arguments are: {there}") from error


def compact(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of arguments without what says little to a reader: titles, docstrings, bounds, null as an alternative."""
    schema = kind.model_json_schema()
    found: dict[str, Any] = _compact({**schema, "description": ""})
    return found


def outline(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a result: its members and their types, nothing of what is in them."""
    members = kind.model_json_schema()["properties"]
    return {"type": "object", "properties": {name: {"type": part["type"]} for name, part in members.items()}}


def _compact(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    options = part.get("anyOf", [])
    if len(options) == 2 and options[1] == {"type": "null"}:
        return _compact({**options[0], **{name: part[name] for name in part if name != "anyOf"}})
    kept = {name: value for name, value in part.items() if name not in _UNSAID and (name, value) not in _SAID_ANYWAY}
    if "enum" in kept:
        del kept["type"]
    if "properties" in kept:
        return {**kept, "properties": {name: _compact(value) for name, value in kept["properties"].items()}}
    return {name: _compact(value) for name, value in kept.items()}
