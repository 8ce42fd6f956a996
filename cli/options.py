"""Options that several commands share: models by role, and the budget."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import typer

from litrag.cli import choices
from litrag.retrievers.sources import SOURCES

__all__ = [
    "INPUT",
    "AnswerModel",
    "ApiBase",
    "Before",
    "CheckRetractions",
    "EmbedModel",
    "Libraries",
    "MaxCalls",
    "MaxCost",
    "MaxSearches",
    "MaxSeconds",
    "MaxTokens",
    "Model",
    "PlanModel",
    "ReactModel",
    "RerankModel",
    "RewriteModel",
    "Sources",
    "VerifyModel",
    "WriteModel",
    "listed",
]

INPUT: Final = "Input and sources"
_MODELS: Final = "Models"


def _model(role: str, does: str) -> Any:
    name = f"{role}-model" if role else "model"
    variable = f"LITRAG_{name.upper().replace('-', '_')}"
    return typer.Option(
        f"--{name}", help=does, envvar=variable, rich_help_panel=_MODELS, metavar="M", autocompletion=choices.models
    )


def listed(values: list[str] | None) -> tuple[str, ...] | None:
    """An option that is repeatable and takes commas."""
    return tuple(name for value in values for part in value.split(",") if (name := part.strip())) if values else None


def _most(what: str, does: str, default: str = "") -> Any:
    name = f"LITRAG_MAX_{what.upper()}"
    return typer.Option(
        f"--max-{what}", help=does, show_default=default or False, envvar=name, rich_help_panel="Budget"
    )


Libraries = Annotated[
    list[str] | None,
    typer.Option(
        "--library",
        help="Library name, file or folder of papers; repeatable.",
        show_default="all",
        rich_help_panel=INPUT,
        autocompletion=choices.libraries,
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help=f"Scholarly source: {', '.join(SOURCES)}; repeatable.",
        rich_help_panel=INPUT,
        autocompletion=choices.sources,
    ),
]
Before = Annotated[
    datetime | None,
    typer.Option(
        "--before",
        formats=["%Y-%m-%d", "%Y"],
        help="Only papers published before that day, or year.",
        rich_help_panel=INPUT,
    ),
]
Model = Annotated[str | None, _model("", "Model of every role, e.g. openai/gpt-4o-mini.")]
ApiBase = Annotated[
    str | None,
    typer.Option(
        "--api-base", help="URL of an own server.", envvar="LITRAG_API_BASE", rich_help_panel=_MODELS, metavar="URL"
    ),
]
RewriteModel = Annotated[str | None, _model("rewrite", "Model that writes search queries.")]
RerankModel = Annotated[str | None, _model("rerank", "Model that reranks papers.")]
PlanModel = Annotated[str | None, _model("plan", "Model that plans the review.")]
WriteModel = Annotated[str | None, _model("write", "Model that writes the review.")]
AnswerModel = Annotated[str | None, _model("answer", "Model that answers questions.")]
ReactModel = Annotated[str | None, _model("react", "Model that thinks, searches and finishes.")]
VerifyModel = Annotated[str | None, _model("verify", "Model that checks citations.")]
EmbedModel = Annotated[str | None, _model("embed", "Embedding model.")]

CheckRetractions = Annotated[
    bool | None,
    typer.Option("--check-retractions", help="Ask Crossref about cited DOIs.", rich_help_panel="Method"),
]

MaxSearches = Annotated[int | None, _most("searches", "Most searches.", "24")]
MaxCalls = Annotated[int | None, _most("calls", "Most model calls.", "400")]
MaxTokens = Annotated[int | None, _most("tokens", "Most tokens, in and out.", "2000000")]
MaxCost = Annotated[float | None, _most("cost", "Most US dollars.", "1.0")]
MaxSeconds = Annotated[float | None, _most("seconds", "Most wall-clock seconds.")]
