"""`litrag library`: the papers of one's own that every search looks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from litrag.cli.context import progress, settings, show, tell

if TYPE_CHECKING:
    from litrag.core.events import Listener
    from litrag.core.settings import Settings
    from litrag.retrievers.sources.library import Library

__all__ = ["app"]

app = typer.Typer(help="Add, list, update, remove libraries of papers.", no_args_is_help=True)
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
        list[str], typer.Argument(metavar="PATH...", help="JSON Lines (.jsonl, .jsonl.gz), BibTeX, CSL-JSON.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the library [the first file's].")] = None,
    vectors: Vectors = None,
    qdrant_url: QdrantUrl = None,
) -> None:
    """Index files of papers: BM25 at once, vectors where asked or cheap."""
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
    show({"libraries": rows}, "\n".join(lines) or "no libraries yet; add one with: litrag library add papers.bib")


@app.command()
def info(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """One library: sources, papers, vectors, size."""
    from litrag.retrievers.sources.library import open_library

    library = open_library(name)
    try:
        i = library.info()
    finally:
        library.close()
    data = {
        "name": i.name,
        "papers": i.papers,
        "vectors": i.vectors,
        "added": i.added,
        "sources": list(i.sources),
        "folder": str(i.folder),
    }
    show(
        data,
        f"{i.name}: {i.papers:,} papers, {i.vectors:,} with vectors\nsources: {', '.join(i.sources)}\nfolder: {i.folder}",
    )


@app.command()
def update(
    name: Annotated[str, typer.Argument(metavar="NAME")], vectors: Vectors = None, qdrant_url: QdrantUrl = None
) -> None:
    """Read the source files again; what did not change is kept."""
    from litrag.retrievers.sources.library import update_library

    values = settings(qdrant_url=qdrant_url)
    with progress() as listen:
        _shown(update_library(name, listen=listen), vectors, values, listen)


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Forget a library; its source files stay."""
    from litrag.retrievers.sources.library import remove_library

    remove_library(name)
    show({"removed": name}, f"removed {name}")


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
        i = library.info()
    finally:
        library.close()
    for warning in library.warnings:
        tell(f"warning: {warning}")
    lines = f"{i.name}: {i.papers:,} papers ready for BM25, {i.vectors:,} with vectors"
    if i.vectors < i.papers:
        lines += f"\nvectors are optional; fill them in (resumable) with: litrag library update {i.name} --vectors"
    show({"name": i.name, "papers": i.papers, "vectors": i.vectors, "warnings": list(library.warnings)}, lines)
