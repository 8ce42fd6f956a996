"""The site: built strictly, without a broken link or anchor, and without a thing that is fetched from elsewhere."""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit

import pytest
from fakes.desk import ROOT
from fakes.fences import blocks

from litrag.core.settings import Settings
from litrag.evals import EVALS
from litrag.evals.__main__ import TABLES
from litrag.pipelines.answer import AGENTS, STOPS
from litrag.rerankers import RERANKERS
from litrag.retrievers import RETRIEVERS
from litrag.rewriters import REWRITERS
from litrag.training import RECIPES, SETTINGS

METHODS = ROOT / "docs" / "methods"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_FIGURE = re.compile(r"<!-- (?:figure|difference): ([\w-]+) ")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning fails the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / ".types")}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr  # --quiet would hide them, and strictness with them
    return folder


def test_every_recipe_shows_its_settings(site: Path) -> None:
    page = (site / "methods" / "recipes.html").read_text(encoding="utf-8")
    parts = dict(re.findall(r'<h2 id="([\w-]+)">(.*?)(?=<h2 id=|\Z)', page, re.DOTALL))
    assert SETTINGS.keys() == RECIPES.keys() == parts.keys() & RECIPES.keys()
    for recipe, place in SETTINGS.items():
        module, _, record = place.partition(":")
        assert f".of({record})" in inspect.getsource(pkgutil.resolve_name(module)), "the recipe reads these"
        for name in pkgutil.resolve_name(place).model_fields:
            assert f"<code>{name}</code>" in parts[recipe]


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "iframe", "link", "source") and given.get("rel") not in (
            "canonical",
            "prev",
            "next",
        ):
            self.loads += [given[name] for name in ("src", "href") if name in given]


@cache
def read(path: Path) -> Page:
    """Each page once."""
    return Page(path)


def test_every_link_and_anchor_of_the_site_is_there(site: Path) -> None:
    broken = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # its links start at the root of a server
            continue
        for link in (*read(path).links, *read(path).loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith(("data:", "javascript:")):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            held = target.is_file() and (
                not parts.fragment
                or target.suffix != ".html"
                or unquote(parts.fragment) in {*read(target).anchors, "__skip"}
            )
            if not held:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_a_page_asks_no_other_host_for_anything(site: Path) -> None:
    """Who reads the docs tells nobody."""
    for path in site.rglob("*.html"):
        assert [load for load in read(path).loads if urlsplit(load).netloc] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_no_link_leads_out_of_the_docs_but_to_the_web(site: Path) -> None:
    """Addresses of other schemes, or of this machine, are slips."""
    for path in site.rglob("*.html"):
        schemes = {urlsplit(link).scheme for link in read(path).links}
        assert schemes <= {"", "https", "http"}, path
        assert not [link for link in read(path).links if urlsplit(link).hostname in ("localhost", "127.0.0.1")]


@pytest.mark.parametrize(
    "page",
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md", "examples/recorded/README.md")],
    ids=lambda p: p.name,
)
def test_the_links_of_pages_outside_the_site_are_files(page: Path) -> None:
    text = re.sub(
        r"`[^`]*`", "", re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    )
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert urlsplit(link).scheme or (page.parent / link).exists(), link


def test_the_command_line_is_told_as_it_is(site: Path) -> None:
    """Options, defaults of the settings behind them, variables, panels."""
    review = (site / "reference" / "cli" / "review.html").read_text(encoding="utf-8")
    for told in (
        "--max-cost COST",
        "LITRAG_MAX_COST",
        "<code>1.0</code>",
        "Budget",
        "<code>INPUT</code>",
        "-f FORMAT",
        "LITRAG_UNSUPPORTED",
    ):
        assert told in review, told
    import typer

    from litrag.cli.app import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {path.stem for path in (site / "reference" / "cli").glob("*.html")} == {*commands, "index"}
    library = (site / "reference" / "cli" / "library.html").read_text(encoding="utf-8")
    assert all(f"litrag library {name}" in library for name in commands["library"].commands)
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(f"<code>LITRAG_{name.upper()}</code>" in settings for name in Settings.model_fields)


def test_the_api_is_told_from_docstrings(site: Path) -> None:
    page = read(site / "reference" / "api" / "litrag.html")
    assert {"litrag.pipelines.api.review", "litrag.pipelines.api.resume"} <= page.anchors
    core = read(site / "reference" / "api" / "core.html").anchors
    assert {"litrag.core.types.Paper", "litrag.core.protocols.Reranker", "litrag.core.errors.BudgetSpent"} <= core
    rerankers = read(site / "reference" / "api" / "rerankers.html").anchors
    assert {target.replace(":", ".") for target in RERANKERS.values()} <= rerankers


IDS = {
    "rewriters": [*REWRITERS],
    "retrievers": [*RETRIEVERS, "snowball"],
    "rerankers": [*RERANKERS],
    "agents": [*AGENTS, *get_args(Settings.model_fields["agent"].annotation)],
    "agents/stop-rules": [*STOPS],
    "writers": [name for name in get_args(Settings.model_fields["writer"].annotation) if name != "auto"],
    "support": [*get_args(Settings.model_fields["support"].annotation)],
    "recipes": [*RECIPES],
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in IDS.items() for name in dict.fromkeys(names)]
)
def test_every_method_has_its_page_or_its_part_of_one(kind: str, name: str) -> None:
    """A method that joins a registry without a page fails here."""
    own = METHODS / kind / f"{name}.md"
    shared = METHODS / f"{kind}.md" if (METHODS / f"{kind}.md").is_file() else METHODS / kind / "index.md"
    text = own.read_text(encoding="utf-8") if own.is_file() else shared.read_text(encoding="utf-8")
    assert re.search(rf"^#+ {re.escape(name)}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "page", [p for p in METHODS.glob("*/*.md") if p.stem not in ("index", "stop-rules")], ids=lambda p: p.stem
)
def test_a_methods_page_says_what_when_what_it_costs_and_what_was_measured(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^\*\*(\w+)\.\*\* ", text, re.MULTILINE) == ["What", "When", "Cost", "Measured"]
    assert 10 <= len(text.splitlines()) <= 60
    measured = text.split("**Measured.**")[1]
    assert _FIGURE.search(measured) or "ot measured here" in measured
    assert any(block.language == "sh" for block in blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_beside_every_figure_stands_the_command_that_makes_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {name for command in re.findall(r"python -m litrag\.evals ([\w -]+)", text) for name in command.split()}
    assert set(_FIGURE.findall(text)) <= named
    assert named <= {*TABLES, "NAME"}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.stem not in ("evals", "training") and page.parent.name != "decisions"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_no_measure_is_typed(page: Path) -> None:
    """A value with three decimals that no result stands behind would go on saying what was true once. (Evals tells of differences, too, which
    stand in the files of its tables, Training of settings, decisions of what was known then.)"""
    text = re.sub(
        r"<!-- (figure|difference|results): .*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert re.findall(r"(?<![\w.])0?\.\d{3}\b", text) == []


def test_every_eval_task_is_told_of() -> None:
    text = (ROOT / "docs" / "evals.md").read_text(encoding="utf-8")
    told = {name for names in re.findall(r"litrag eval ([\w|-]+)", text) for name in names.split("|")}
    assert {*EVALS} <= told, {*EVALS} - told


def test_the_citation_file_names_this_version_and_no_invented_person() -> None:
    from litrag import __version__

    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {__version__}\n" in text
    assert re.findall(r"name: (.*)", text) == ['"The litrag authors"']
    assert f"version = {{{__version__}}}" in (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")
