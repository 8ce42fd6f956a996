"""`litrag library`: the papers of one's own that every search looks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from litrag.cli import choices
from litrag.cli.context import progress, settings, show, tell

if TYPE_CHECKING:
    from litrag.core.events import Listener
    from litrag.core.settings import Settings
    from litrag.retrievers.sources.library import Library

__all__ = ["app"]

app = typer.Typer(help="Add, list, update, remove libraries of papers.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=choices.library_names)]
Vectors = Annotated[
    bool | None, typer.Option("--vectors/--no-vectors", help="Fill in vectors now; by default for small libraries.")
]
QdrantUrl = Annotated[
    str | None,
    typer.Option("--qdrant-url", help="Qdrant server for the vectors.", envvar="LITRAG_QDRANT_URL", metavar="URL"),
]


@app.command()
def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Folders, or files: references (BibTeX, RIS, CSL-JSON, JSON Lines, Zotero's CSV), texts (PDF, Markdown, plain text).",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the library.", show_default="the first file's or folder's")
    ] = None,
    vectors: Vectors = None,
    qdrant_url: QdrantUrl = None,
) -> None:
    """Index papers, those of folders with all that is in them: BM25 at once, vectors where asked or cheap."""
    from pathlib import Path

    from litrag.retrievers.sources.library import add_library

    values = settings(qdrant_url=qdrant_url)
    with progress() as listen:
        library = add_library([Path(path) for path in paths], name=name, listen=listen)
        _shown(library, vectors, values, listen)


@app.command("list")
def list_() -> None:
    """All libraries."""
    from litrag.retrievers.sources.library import list_libraries

    found = list_libraries()
    rows = [
        {"name": i.name, "papers": i.papers, "vectors": i.vectors, "added": i.added, "sources": list(i.sources)}
        for i in found
    ]
    lines = [
        f"{i.name:<24} {i.papers:>8,} papers {i.vectors:>8,} vectors  {', '.join(i.sources)}{'' if i.added else '  (used once)'}"
        for i in found
    ]
    show(
        {"libraries": rows},
        "\n".join(lines) or "no libraries yet; add one with: litrag library add papers.bib",
        "library-list",
    )


@app.command()
def info(name: Name) -> None:
    """One library: sources, papers, passages, vectors, and what was left out."""
    from litrag.retrievers.sources.library import open_library

    library = open_library(name)
    try:
        i = library.info()
    finally:
        library.close()
    data = {
        "name": i.name,
        "papers": i.papers,
        "passages": i.passages,
        "files": i.files,
        "vectors": i.vectors,
        "added": i.added,
        "sources": list(i.sources),
        "folder": str(i.folder),
        "notes": list(i.notes),
    }
    passages = f" and {i.passages:,} passages" if i.passages else ""
    lines = [
        f"{i.name}: {i.papers:,} papers{passages} of {i.files:,} files, {i.vectors:,} with vectors",
        f"sources: {', '.join(i.sources)}",
        f"folder: {i.folder}",
        *(f"note: {note}" for note in i.notes),
    ]
    show(data, "\n".join(lines), "library-info")


@app.command()
def update(name: Name, vectors: Vectors = None, qdrant_url: QdrantUrl = None) -> None:
    """Read what is new or changed in its files and folders, and let go of what is gone."""
    from litrag.retrievers.sources.library import update_library

    values = settings(qdrant_url=qdrant_url)
    with progress() as listen:
        _shown(update_library(name, listen=listen), vectors, values, listen)


@app.command()
def remove(name: Name) -> None:
    """Forget a library; its source files stay."""
    from litrag.retrievers.sources.library import remove_library

    remove_library(name)
    show({"removed": name}, f"removed {name}", "removed")


def _shown(library: Library, vectors: bool | None, values: Settings, listen: Listener) -> None:
    from litrag.core.sync import run
    from litrag.pipelines.workshop import fill_library, lacks_vectors

    try:
        wanted = vectors
        if wanted is None:
            wanted = library.info().rows <= values.embed_at_once and lacks_vectors(library, values)
        if wanted:
            note: Any = run(fill_library(library, values, listen))
            if note:
                tell(f"warning: {note}")
        i, bare = library.info(), library.table.bare
    finally:
        library.close()
    for warning in library.warnings:
        tell(f"warning: {warning}")
    if bare:
        tell(f"note: {bare:,} of {i.papers:,} papers have no abstract: they are found and cited by their titles alone")
    passages = f" and {i.passages:,} passages" if i.passages else ""
    lines = f"{i.name}: {i.papers:,} papers{passages} ready for BM25, {i.vectors:,} with vectors"
    if i.vectors < i.rows:
        lines += f"\nvectors are optional; fill them in (resumable) with: litrag library update {i.name} --vectors"
    counts = {"papers": i.papers, "passages": i.passages, "vectors": i.vectors}
    show({"name": i.name, **counts, "warnings": list(library.warnings)}, lines, "library")
