"""Making a library's contents from files: papers streamed into a table, BM25 over them, then the manifest that makes them count."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.events import Event, Listener
from litrag.core.paths import made
from litrag.core.types import Paper
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.library_files import (
    Manifest,
    PaperTable,
    SourceFile,
    cannot_write,
    read_manifest,
    write_json,
)
from litrag.retrievers.sources.readers import read_papers

__all__ = ["build"]

_MOST_WARNINGS: Final = 20
_BATCH: Final = 2000


class _Warnings:
    """The first warnings and the number of the others: a file of a million broken lines is told about in twenty."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._count = 0

    def __call__(self, text: str) -> None:
        self._count += 1
        if len(self._first) < _MOST_WARNINGS:
            self._first.append(text)

    def lines(self, *more: str) -> tuple[str, ...]:
        """All that is told, `more` in any case."""
        left = self._count - len(self._first)
        return (*self._first, *((f"and {left:,} more",) if left else ()), *more)


def build(
    folder: Path, paths: Sequence[Path], *, name: str, added: bool, listen: Listener
) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest of new contents, which now count, and what was wrong with the files. The library must be locked.

    Raises BadInput, CannotWrite; then the former state is as it was."""
    warnings = _Warnings()
    _sweep(folder)
    part = folder / f"contents-{secrets.token_hex(4)}"
    try:
        made(part)
        table = PaperTable(part)
        try:
            sources, doubled = _fill(table, paths, warnings, listen)
            count, fingerprint = len(table), table.fingerprint()
            listen(Event("library", f"{name}: indexing {count:,} papers"))
            BM25Index.build((paper.id, paper.latest_date, paper.text) for paper in table.stream()).save(part / "bm25")
        finally:
            table.close()
        manifest = Manifest(
            name=name, added=added, papers=count, fingerprint=fingerprint, contents=part.name, sources=sources
        )
        write_json(folder / "manifest.json", manifest)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        if _counting(folder) != part.name:
            shutil.rmtree(part, ignore_errors=True)
        _sweep(folder)
    more = f"{doubled:,} records share an id with another; the longest of each counts"
    return manifest, warnings.lines(*((more,) if doubled else ()))


def _fill(
    table: PaperTable, paths: Sequence[Path], warnings: _Warnings, listen: Listener
) -> tuple[tuple[SourceFile, ...], int]:
    """Streams all papers into the table; of records with one id the richest stays. Returns the files and how many records fell."""
    lengths: dict[str, int] = {}
    sources: list[SourceFile] = []
    doubled = 0
    for path in paths:
        source = SourceFile.of(path)  # before it is read: a change meanwhile shows at the next opening
        read = 0
        batch: dict[str, Paper] = {}
        for paper in read_papers(path, warnings):
            read += 1
            known = lengths.get(paper.id)
            doubled += known is not None
            if known is None or len(paper.text) > known:
                lengths[paper.id] = len(paper.text)
                batch[paper.id] = paper
            if len(batch) == _BATCH:
                table.insert(batch.values())
                batch = {}
            if read % 10_000 == 0:
                listen(Event("library", f"{path.name}: {read:,} papers read"))
        table.insert(batch.values())
        sources.append(source.model_copy(update={"papers": read}))
    return tuple(sources), doubled


def _sweep(folder: Path) -> None:
    """Deletes contents that do not count: former ones, and those of a process that was killed. Where the manifest cannot be read it
    is not known what counts, and all stays; a folder in which nothing is left goes."""
    counts = _counting(folder)
    if counts == "" or not folder.is_dir():
        return
    for path in (*folder.glob("contents-*"), folder / "bm25"):
        if path.name != counts:
            shutil.rmtree(path, ignore_errors=True)
    for path in (*folder.glob("papers.sqlite*"), folder / ".manifest.json.part"):
        with suppress(OSError):
            path.unlink()
    if counts is None:
        with suppress(OSError):
            folder.rmdir()


def _counting(folder: Path) -> str | None:
    """The folder of contents that count; None without a manifest, "" where it cannot be read."""
    if not (folder / "manifest.json").is_file():
        return None
    try:
        return read_manifest(folder).contents
    except BadInput:
        return ""
