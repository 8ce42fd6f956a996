"""Making a library's contents from files: records streamed into a table, BM25 over them, then the manifest that makes them count."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.events import Event, Listener
from litrag.core.paths import made
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.folders import Listing, listed
from litrag.retrievers.sources.full_texts import Record
from litrag.retrievers.sources.library_files import (
    Manifest,
    Source,
    SourceFile,
    cannot_write,
    read_manifest,
    write_json,
)
from litrag.retrievers.sources.library_table import PaperTable
from litrag.retrievers.sources.pdf import PdfReading
from litrag.retrievers.sources.reading import KINDS, read_records

__all__ = ["build", "files_of", "unread"]

_MOST_WARNINGS: Final = 20
_MOST_KEPT: Final = 5  # of a file, in the manifest
_BATCH: Final = 2000
_CHARACTERS: Final = 8_000_000  # of records in memory


class _Warnings:
    """The first warnings and the number of the others: a file of a million broken lines is told about in twenty."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._count = 0

    def __call__(self, text: str) -> None:
        self._count += 1
        if len(self._first) < _MOST_WARNINGS:
            self._first.append(text)

    def join(self, others: _Warnings) -> None:
        """Adds those of another place."""
        for text in others._first:
            self(text)
        self._count += others._count - len(others._first)

    def lines(self, *more: str, most: int = _MOST_WARNINGS) -> tuple[str, ...]:
        """At most so many, the number of the others, and `more` in any case."""
        told = self._first[:most]
        left = self._count - len(told)
        return (*told, *((f"and {left:,} more",) if left else ()), *more)


def build(
    folder: Path, sources: Sequence[Path], *, name: str, added: bool, former: Manifest | None, listen: Listener
) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest of new contents, which now count, and what was wrong with the files. The library must be locked. Files that did not
    change are taken over from the contents of `former`, and from those of a build that was stopped.

    Raises BadInput, CannotWrite; then the former state is as it was."""
    warnings = _Warnings()
    part = folder / f"contents-{secrets.token_hex(4)}"
    failed = True
    try:
        left = sorted(folder.glob("contents-*"))
        _sweep(folder, keep=left)
        made(part)
        table = PaperTable(part)
        try:
            table.attach(_trusted(folder, left, former))
            found = files_of(sources)
            known = {file.path: file for file in former.files} if former else {}
            files = _filled(table, found, known, warnings, listen)
            if not any(file.papers for file in files):
                raise BadInput(_nothing(sources, files))
            doubled = table.settle()
            listen(Event("library", f"{name}: indexing {len(table):,} papers"))
            BM25Index.of_rows(table.rows()).save(part / "bm25")
            manifest = Manifest(
                name=name,
                added=added,
                papers=len(table),
                passages=table.passages,
                fingerprint=table.fingerprint(),
                contents=part.name,
                sources=tuple(Source(path=str(path), folder=path.is_dir()) for path in sources),
                files=files,
                unknown=dict(sorted(found.unknown.items())),
                problems=tuple(found.problems),
            )
        finally:
            table.close()
        write_json(folder / "manifest.json", manifest)
        failed = False
    except OSError as error:
        raise cannot_write(folder, error) from error
    except (KeyboardInterrupt, SystemExit):
        failed = False  # what was read so far is for the next build
        raise
    finally:
        if failed:
            shutil.rmtree(part, ignore_errors=True)
            _sweep(folder, keep=left)
    _sweep(folder)
    return manifest, warnings.lines(*_told(found, doubled))


def _trusted(folder: Path, left: Sequence[Path], former: Manifest | None) -> list[Path]:
    """Contents to take files from: the former ones if they are whole, and those that never came to count."""
    counting = _counting(folder)
    stopped = [path for path in left if path.name != counting]
    return [folder / former.contents, *stopped] if former else stopped


def files_of(sources: Sequence[Path]) -> Listing:
    """All files of the sources, folders looked through; one that two sources name counts once, under its first label."""
    found = Listing()
    for source in sources:
        inside = listed(source) if source.is_dir() else Listing([(source, "")])
        found.files += inside.files
        found.unknown += inside.unknown
        found.problems += inside.problems
    labels: dict[Path, str] = {}
    for path, label in found.files:
        labels.setdefault(path, label)
    found.files = list(labels.items())
    return found


def unread(unknown: Mapping[str, int]) -> str:
    """The line about files of unknown kinds, the most frequent first."""
    counts = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    more = ", ..." if len(counts) > 8 else ""
    return f"left out, being of kinds that litrag does not read: {', '.join(f'{n:,} {kind}' for kind, n in counts[:8])}{more}"


def _told(found: Listing, doubled: int) -> Iterator[str]:
    yield from found.problems[:_MOST_WARNINGS]
    if found.unknown:
        yield unread(found.unknown)
    if doubled:
        yield f"{doubled:,} records share an id with another; the longest of each counts"


def _filled(
    table: PaperTable, found: Listing, known: Mapping[str, SourceFile], warnings: _Warnings, listen: Listener
) -> tuple[SourceFile, ...]:
    """Streams all records into the table, file by file; those of unchanged files are copied. A file that was named by itself must be
    readable, one in a folder need not be."""
    files: list[SourceFile] = []
    with PdfReading() as pdfs:
        for number, (path, label) in enumerate(found.files, start=1):
            try:
                file = SourceFile.of(
                    path, label, known.get(str(path))
                )  # before it is read: a change meanwhile shows at the next opening
            except BadInput as error:
                if not label:
                    raise
                file = SourceFile(path=str(path), label=label, problem=str(error))
                warnings(f"{error} (left out)")
            taken = table.take(file, number)
            if taken is None and not file.problem:
                listen(Event("library", f"{path.name}: reading", done=number - 1, total=len(found.files)))
                taken = _read_into(table, file, number, _Reading(pdfs, warnings, listen, alone=not label))
            files.append(taken or file)
            listen(Event("library", done=number, total=len(found.files)))
            if taken is None:
                table.close_file(file, number)
    return tuple(files)


def _nothing(sources: Sequence[Path], files: Sequence[SourceFile]) -> str:
    """The error of folders that hold no paper."""
    where = ", ".join(map(str, sources))
    if not files:
        return f"{where} holds no file that litrag reads; give one of {', '.join(KINDS)}"
    return f"{where} holds no readable file; the first of {len(files):,}: {files[0].problem}"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What reading one file needs; `alone`: it was named by itself."""

    pdfs: PdfReading
    warnings: _Warnings
    listen: Listener
    alone: bool


def _read_into(table: PaperTable, file: SourceFile, number: int, reading: _Reading) -> SourceFile:
    """The file as it was read."""
    own = _Warnings()
    path = Path(file.path)
    papers = passages = characters = 0
    batch: list[Record] = []
    problem = ""
    try:
        for record in read_records(path, own, reading.pdfs):
            papers += 1
            passages += len(record.passages)
            characters += len(record.paper.text) + len(record.text)
            batch.append(record)
            if len(batch) == _BATCH or characters > _CHARACTERS:
                table.add(batch, number)
                batch, characters = [], 0
            if papers % 10_000 == 0:
                reading.listen(Event("library", f"{path.name}: {papers:,} papers read"))
        table.add(batch, number)
    except BadInput as error:
        if reading.alone:
            raise
        table.drop(number)
        papers = passages = 0
        problem, own = str(error), _Warnings()
        reading.warnings(f"{problem} (left out)")
    reading.warnings.join(own)
    facts = {"papers": papers, "passages": passages, "problem": problem, "warnings": own.lines(most=_MOST_KEPT)}
    read = file.model_copy(update=facts)
    table.close_file(read, number)
    return read


def _sweep(folder: Path, keep: Sequence[Path] = ()) -> None:
    """Deletes contents that do not count, but `keep`: former ones, and those of a process that was stopped. Where the manifest cannot be
    read it is not known what counts, and all stays; a folder in which nothing is left goes."""
    counts = _counting(folder)
    if counts == "" or not folder.is_dir():
        return
    for path in (*folder.glob("contents-*"), folder / "bm25"):
        if path.name != counts and path not in keep:
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
