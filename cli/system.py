"""`litrag setup`, `doctor`, `models`, `cache`: what is installed, what talks to whom."""

from __future__ import annotations

from typing import Annotated

import typer

from litrag.cli import choices
from litrag.cli.context import globals_, progress, settings, show
from litrag.cli.options import ApiBase, Model

__all__ = ["register"]

_models = typer.Typer(help="Models: those in force, those that can be fetched.", no_args_is_help=True)
_cache = typer.Typer(help="The request cache.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(setup)
    app.command()(doctor)
    app.add_typer(_models, name="models")
    app.add_typer(_cache, name="cache")


def setup(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Weights to fetch.",
            show_default="those of the local profile",
            autocompletion=choices.weights,
        ),
    ] = None,
) -> None:
    """Fetch and verify the local weights, and write litrag.toml where there is none."""
    from litrag.core.paths import home, made, models_folder
    from litrag.models.known_weights import DEFAULT_WEIGHTS, KNOWN_WEIGHTS
    from litrag.models.weights import fetch

    with progress() as listen:
        fetch(tuple(names or DEFAULT_WEIGHTS), listen=listen)
    config = made(home()) / "litrag.toml"
    if not config.exists():
        config.write_text(
            '# litrag settings; every key is listed by `litrag doctor`\nprofile = "local"\n', encoding="utf-8"
        )
    chosen = names or list(DEFAULT_WEIGHTS)
    lines = [f"{name}: {KNOWN_WEIGHTS[name].licence}; {KNOWN_WEIGHTS[name].origin}" for name in chosen]
    show(
        {"models": chosen, "folder": str(models_folder()), "config": str(config)},
        "\n".join([*lines, f"weights: {models_folder()}", f"settings: {config}"]),
        "setup",
    )


def doctor(
    apis: Annotated[
        bool, typer.Option("--apis", help="Ask API providers, too, what their models can do; they may charge for it.")
    ] = False,
    model: Model = None,
    api_base: ApiBase = None,
) -> None:
    """Roles and their models and hosts, what servers can do (asked), libraries, weights, keys, versions; what text goes where."""
    from litrag.pipelines.diagnosis import diagnose

    report = diagnose(settings(model=model, api_base=api_base), apis=apis)
    show(report.data, "\n".join(report.lines), "doctor")


@_models.command("list")
def models_list() -> None:
    """Weights that `litrag setup` can fetch, and which are here."""
    from litrag.models.known_weights import KNOWN_WEIGHTS
    from litrag.models.weights import ready

    rows = [
        {"name": name, "ready": ready(name), "licence": w.licence, "origin": w.origin}
        for name, w in KNOWN_WEIGHTS.items()
    ]
    lines = [
        f"local/{row['name']:<28} {'here' if row['ready'] else 'not fetched':<12} {row['licence']}" for row in rows
    ]
    show({"models": rows}, "\n".join(lines), "models-list")


@_models.command("show")
def models_show() -> None:
    """The model of every role in force."""
    from litrag.core.settings import ROLES

    values = settings()
    roles = {role: values.role_model(role) for role in ROLES}
    show(
        {"profile": values.profile, "roles": roles},
        "\n".join(f"{role:<8} {model or '-'}" for role, model in roles.items()),
        "models-show",
    )


@_cache.command("info")
def cache_info() -> None:
    """How much is cached, and where."""
    from litrag.core.paths import cache_file
    from litrag.core.store import RequestCache

    cache = RequestCache(cache_file())
    counts = cache.counts()
    cache.close()
    show(
        {"file": str(cache_file()), **counts},
        f"{cache_file()}: {counts['replies']:,} replies, {counts['vectors']:,} vectors",
        "cache-info",
    )


@_cache.command("clear")
def cache_clear(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Forget all cached replies and vectors."""
    from litrag.core.paths import cache_file
    from litrag.core.store import RequestCache

    if not yes and not globals_().json:
        typer.confirm("Forget all cached replies and vectors?", abort=True)
    cache = RequestCache(cache_file())
    cache.clear()
    cache.close()
    show({"cleared": str(cache_file())}, f"cleared {cache_file()}", "cache-clear")
