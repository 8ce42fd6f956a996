"""Pages of the site that come out of the code: the command line from typer's own tree, the settings from their model, the API by module.

Figures and tables of every page are rendered from `evals/results` once more, so that a built page shows what is committed there."""

from __future__ import annotations

import inspect
import pkgutil
import re
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from litrag.agents import AGENTS
from litrag.cli.app import app
from litrag.core.settings import Settings
from litrag.evals import EVALS
from litrag.evals.__main__ import ROOT, rendered
from litrag.rerankers import RERANKERS
from litrag.retrievers import RETRIEVERS
from litrag.rewriters import REWRITERS
from litrag.training import RECIPES, SETTINGS, defaults_of

__all__ = [
    "api_pages",
    "command_pages",
    "on_config",
    "on_files",
    "on_page_markdown",
    "on_shutdown",
    "on_startup",
    "own_settings",
    "settings_page",
    "with_recipe_settings",
]

_MARKS: Final = re.compile(r"<!-- (?:results|figure|run|not run|output|file|write)\b.*?-->\n?|<!-- end -->")
_VARIABLE: Final = "LITRAG_"
_ALONE: Final = tempfile.TemporaryDirectory()
_PACKAGE: Final = "The package"
_ROOT: Final = "`from litrag import Review, resume, review, review_async`; nothing heavy is imported before one of them is asked for."


def on_startup(**_: Any) -> None:
    """Links to the package alone. Griffe walks whatever lies under a package's folder, and ours is the repository's root: the
    virtual environment in it took a hundred times as long as the package."""
    package = Path(_ALONE.name, "litrag")
    package.mkdir()
    for source in (ROOT / "__init__.py", *(marker.parent for marker in ROOT.glob("*/__init__.py"))):
        (package / source.name).symlink_to(source)


@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The generated pages join the navigation, behind those that are written; docstrings are read behind the links."""
    places = {next(iter(entry)): entry for entry in config.nav or () if isinstance(entry, dict)}
    places["Reference"]["Reference"] += [
        {"Command line": list(command_pages())},
        {"Settings": "reference/settings.md"},
        {"API": list(api_pages())},
    ]
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [_ALONE.name]
    return config


def on_shutdown(**_: Any) -> None:
    """The links go."""
    _ALONE.cleanup()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The generated pages."""
    pages = {**command_pages(), **api_pages(), "reference/settings.md": settings_page()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Figures and tables anew, and the settings of a method's own under its page; what marks figures and blocks is not for readers."""
    markdown += own_settings(page.file.src_uri)
    if page.file.src_uri == "methods/recipes.md":
        markdown = with_recipe_settings(markdown)
    return _MARKS.sub("", rendered(markdown, ROOT / "evals" / "results")).replace("\n* differs", "\n\\* differs")


def command_pages() -> dict[str, str]:
    """Path of a page -> Markdown: the options of every command, then a page a command with its subcommands."""
    root: Any = typer.main.get_command(app)
    commands = dict(sorted(root.commands.items()))
    lines = [f"| [`litrag {name}`]({name}.md) | {_first(command)} |" for name, command in commands.items()]
    head = ["# Command line", "", "```text", "litrag [OPTIONS] COMMAND [ARGS]...", "```", "", *_options(root)]
    pages = {"reference/cli/index.md": "\n".join([*head, "| command | what |", "|---|---|", *lines, ""])}
    for name, command in commands.items():
        pages[f"reference/cli/{name}.md"] = "\n".join(_command(f"litrag {name}", command, level=1))
    return pages


def own_settings(page: str) -> str:
    """Under the page of a reranker or rewriter: what `--set` takes, with the defaults of its signature."""
    found = re.fullmatch(r"methods/(rerankers|rewriters)/([\w-]+)\.md", page)
    table = {"rerankers": RERANKERS, "rewriters": REWRITERS}[found[1]] if found else {}
    if found is None or found[2] not in table:
        return ""
    parameters = inspect.signature(pkgutil.resolve_name(table[found[2]])).parameters.values()
    plain = [each for each in parameters if isinstance(each.default, int | float | str)]
    rows = [
        f"| `{each.name}` | {_shown(textwrap.shorten(str(each.default), 80, placeholder=' ...'))} |" for each in plain
    ]
    head = ["", "Settings of its own (`--set NAME=VALUE`):", "", "| setting | default |", "|---|---|"]
    return "\n".join([*head, *rows, ""]) if rows else ""


def with_recipe_settings(markdown: str) -> str:
    """The page of recipes, under each what `--set` takes, and the options whose default is the recipe's own."""
    head, *sections = re.split(r"^(?=## )", markdown, flags=re.MULTILINE)
    found = [head]
    for section in sections:
        name = section.partition("\n")[0].removeprefix("## ").strip()
        fields = pkgutil.resolve_name(SETTINGS[name]).model_fields
        rows = [
            f"| `{key}` | {_shown(str(field.default))} | {_cell(field.description or '')} |"
            for key, field in fields.items()
        ]
        usual = ", ".join(f"`--{key.replace('_', '-')} {_flat(value)}`" for key, value in defaults_of(name).items())
        table = ["", "| `--set` | default | what |", "|---|---|---|", *rows, ""]
        found.append("\n".join([section.rstrip("\n"), *table, f"Where nothing is said: {usual}.", "", ""]))
    return "".join(found)


def _flat(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _command(name: str, command: Any, *, level: int) -> Iterator[str]:
    arguments = [_metavar(each) for each in command.params if each.param_type_name == "argument"]
    subcommands: dict[str, Any] = getattr(command, "commands", {})
    usage = " ".join([name, "[OPTIONS]", *(["COMMAND"] if subcommands else arguments)])
    yield from (f"{'#' * level} `{name}`", "", command.help or "", "", "```text", usage, "```", "")
    yield from _options(command)
    for sub, inner in sorted(subcommands.items()):
        yield from _command(f"{name} {sub}", inner, level=level + 1)


def _options(command: Any) -> Iterator[str]:
    """A table a panel of the help, in its order; arguments first."""
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        panel = "Arguments" if argument else (getattr(parameter, "rich_help_panel", None) or "Options")
        panels.setdefault(panel, []).append(parameter)
    for panel, parameters in panels.items():
        yield from (f"**{panel}**", "", "| | default | variable | what |", "|---|---|---|---|")
        for each in parameters:
            cells = (_spelled(each), _default(each), _variables(each), _cell(getattr(each, "help", "") or ""))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_cell(_metavar(parameter))}`"
    names = [*parameter.opts, *parameter.secondary_opts]
    value = "" if parameter.is_flag else f" {_cell(_metavar(parameter))}"
    return ", ".join(f"`{name}{value}`" for name in names)


def _metavar(parameter: Any) -> str:
    """What stands for the value: the command's own word, else the last word of the option's name."""
    return str(parameter.metavar or max(parameter.opts, key=len).rpartition("-")[2].upper())


def _default(parameter: Any) -> str:
    value = parameter.default
    if isinstance(parameter.show_default, str):
        return f"`{_cell(parameter.show_default)}`"
    if parameter.param_type_name == "argument" or parameter.required:
        return "needed" if parameter.required else ""
    if value is None or value == "" or value == () or value is False or callable(value):
        return ""
    return f"`{_cell(str(value))}`"


def _variables(parameter: Any) -> str:
    given = getattr(parameter, "envvar", None)
    names = [given] if isinstance(given, str) else list(given or ())
    if not names and parameter.param_type_name == "option" and parameter.name in Settings.model_fields:
        names = [f"{_VARIABLE}{parameter.name.upper()}"]
    return ", ".join(f"`{name}`" for name in names)


def settings_page() -> str:
    """Every setting with its default and variable."""
    rows = [
        f"| `{name}` | {_shown(field.get_default(call_default_factory=True))} | `{_VARIABLE}{name.upper()}` | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    said = (
        "One flat name each, the same in `litrag.toml`, as `LITRAG_*` and, where a command has it, as option. Later ones win: `litrag.toml` in litrag's"
        " own folder, `./litrag.toml`, `--config FILE`, `.env`, `LITRAG_*`, options. A variable that holds a list or a mapping is written in JSON."
    )
    return "\n".join(
        ["# Settings", "", said, "", "| setting | default | variable | what |", "|---|---|---|---|", *rows, ""]
    )


def _shown(value: object) -> str:
    return "" if value in (None, "", (), {}) else f"`{_cell(str(value))}`"


def api_pages() -> dict[str, str]:
    """Path of a page -> Markdown that asks for the docstrings of its modules."""
    areas = {
        "litrag": (_PACKAGE, ["litrag.pipelines.api"]),
        "core": (
            "Types, protocols, errors",
            [f"litrag.core.{name}" for name in ("types", "protocols", "errors", "budget", "sync")],
        ),
        "pipelines": (
            "Pipelines",
            [
                f"litrag.pipelines.{name}"
                for name in ("answer", "searching", "checking", "reranking", "rewriting", "exporting")
            ],
        ),
        "rewriters": ("Rewriters", _modules(REWRITERS.values())),
        "retrievers": (
            "Retrievers",
            [*_modules(RETRIEVERS.values()), "litrag.retrievers.snowball", "litrag.retrievers.sources.library"],
        ),
        "rerankers": ("Rerankers", [*_modules(RERANKERS.values()), "litrag.rerankers.combined"]),
        "agents": (
            "Agents",
            [
                *_modules(AGENTS.values()),
                *(f"litrag.agents.{name}" for name in ("loop", "hops", "stops", "react", "prompted", "answerer")),
            ],
        ),
        "exports": ("Exports", ["litrag.exports.formats", "litrag.exports.document"]),
        "models": ("Models", [f"litrag.models.{name}" for name in ("gateway", "scripted", "recorded", "doors")]),
        "evals": (
            "Evals",
            ["litrag.evals.tasks", "litrag.evals.results", "litrag.evals.runner", *_modules(EVALS.values())],
        ),
        "training": ("Training", ["litrag.training.config", "litrag.training.kit", *_modules(RECIPES.values())]),
    }
    pages = {f"reference/api/{area}.md": _api(title, modules) for area, (title, modules) in areas.items()}
    links = [f"* [{title}]({area}.md)" for area, (title, _) in areas.items()]
    head = "Names that a module lists in `__all__`, with their docstrings. `litrag.review` and what else the package itself gives is under [The package](litrag.md)."
    return {"reference/api/index.md": "\n".join(["# API", "", head, "", *links, ""]), **pages}


def _api(title: str, modules: Iterable[str]) -> str:
    return (
        "\n\n".join([f"# {title}", *([_ROOT] if title == _PACKAGE else []), *(f"::: {module}" for module in modules)])
        + "\n"
    )


def _modules(targets: Iterable[str]) -> list[str]:
    return sorted({target.partition(":")[0] for target in targets})


def _first(command: Any) -> str:
    return _cell((command.help or "").strip().splitlines()[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
