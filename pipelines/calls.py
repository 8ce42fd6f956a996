"""litrag from Python beside a review: one function a command, with the settings of litrag.toml as keywords (`model=`, `max_cost=` ...). All work in a script
and in a notebook, and what they return shows itself there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from litrag.core import sync
from litrag.core.errors import BadInput
from litrag.core.events import silent
from litrag.core.options import Option
from litrag.core.settings import load_settings
from litrag.core.types import Ranking
from litrag.models.request import Backend
from litrag.pipelines import answer, reranking, rewriting
from litrag.pipelines.answer import Answered, AskOptions
from litrag.pipelines.first_stage import Candidates, FirstStage
from litrag.pipelines.reranked import Outcome
from litrag.pipelines.reranking import Method
from litrag.pipelines.rewriting import Rewritten
from litrag.pipelines.searching import Found, find
from litrag.pipelines.workshop import fill_library
from litrag.retrievers.sources.library import LibraryInfo
from litrag.retrievers.sources.library import add_library as added

__all__ = ["add_library", "ask", "rerank", "rewrite", "search"]


def search(query: str, **options: Any) -> Found:
    """The best papers for a query: `k=20`, `library=`, `before=`, `only=` (a Filter) and settings. Raises LitragError, NoEvidence among it."""
    return find(query, **options)


def ask(question: str, **options: Any) -> Answered:
    """An answer found in several searches: `library=`, the fields of AskOptions (`max_searches=4`, `agent=` ...) and settings. Raises LitragError."""
    own = {field.name for field in fields(AskOptions)} & options.keys()
    chosen = AskOptions(**{name: options.pop(name) for name in own})
    return answer.ask(question, options=chosen, **options)


def rewrite(
    text: str,
    method: str = "auto",
    *,
    history: Sequence[str] = (),
    own: Mapping[str, Option] | None = None,
    backend: Backend | None = None,
    **settings: Any,
) -> Rewritten:
    """Queries of a text, the text itself first. `history` holds the turns before (question, answer, ...), `own` the method's own settings. Raises LitragError."""
    chosen = load_settings(**{**settings, "rewriter": method})
    return rewriting.rewritten(text, chosen, own or {}, history=history, backend=backend)


def rerank(
    found: Found | Ranking,
    method: str = "auto",
    *,
    depth: int | None = None,
    own: Mapping[str, Option] | None = None,
    backend: Backend | None = None,
    **settings: Any,
) -> Outcome:
    """What a search found, or any ranking, in the order of a method; `depth` documents of it (None: the method's own number). What stopped it is the outcome's
    `error`. Raises LitragError for what cannot begin."""
    ranking = found.ranking if isinstance(found, Found) else found
    if not ranking.hits:
        raise BadInput(f"nothing to rerank: no document stands in the ranking of {ranking.query.text[:60]!r}")
    first = FirstStage((Candidates("q1", ranking),))
    chosen = Method(method, depth, own=own or {})
    return reranking.rerank(first, chosen, load_settings(**settings), backend=backend)


def add_library(*paths: str | Path, name: str | None = None, vectors: bool = True, **settings: Any) -> LibraryInfo:
    """Adds references and full texts (files or folders) to the libraries that every search looks through; `vectors` are filled in now where the embedding model is
    here. Its `notes` say what of the files was left out. Raises BadInput, CannotWrite."""
    library = added([Path(path) for path in paths], name=name)
    try:
        lack = sync.run(fill_library(library, load_settings(**settings), silent)) if vectors else ""
        info = library.info()
        return replace(info, notes=(*info.notes, lack)) if lack else info
    finally:
        library.close()
