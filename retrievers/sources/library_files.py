"""A library on disk.

    <home>/libraries/<name>/manifest.json      sources, counts, and which folder holds the contents
                            contents-<id>/     papers.sqlite (`library_table`) and bm25/; never changed once made
                            vectors/<model>/   Qdrant Edge, optional; its litrag.json says for which contents it is complete

New contents are made beside the old ones; replacing the manifest, one rename, is what makes them count. So a crash, a full disk or
a broken file loses nothing, a reader sees the old state or the new one, and vectors, which are costly, never move. Contents of a process
that was stopped stay until the next one has taken over the files that they hold whole."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from litrag.core.errors import BadInput, CannotWrite, EnvironmentFault
from litrag.core.events import Event, Listener, silent
from litrag.core.paths import made

__all__ = [
    "Manifest",
    "Source",
    "SourceFile",
    "VectorNote",
    "cannot_write",
    "damaged",
    "gone",
    "known_paths",
    "locked",
    "read_manifest",
    "write_json",
]


class Source(BaseModel):
    """What the user named: a file, or a folder with all files in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    folder: bool = False


class SourceFile(BaseModel):
    """A file a library was made from, as it was then. `label` is what filters call it: its name, or its place in the folder that was named.
    `papers` and `passages` count what was read from it, `warnings` are the first about parts of it; `problem` says why nothing was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    label: str
    size: int = 0
    mtime: int = 0
    sha256: str = ""
    papers: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()
    problem: str = ""

    @classmethod
    def of(cls, path: Path, label: str = "", known: SourceFile | None = None) -> SourceFile:
        """The file as it is now; where size and time are as `known`, so are the bytes. Raises BadInput."""
        label = label or path.name
        try:
            stat = path.stat()
            if known and known.sha256 and (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime):
                return cls(path=str(path), label=label, size=known.size, mtime=known.mtime, sha256=known.sha256)
            with path.open("rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise BadInput(f"{path}: no such file; check the path") from error
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
        return cls(path=str(path), label=label, size=stat.st_size, mtime=stat.st_mtime_ns, sha256=sha)

    def unchanged(self) -> bool:
        """Whether the file still holds the same bytes; they are read only where size or time differ. One that could not be read is
        unchanged as long as that is so."""
        path = Path(self.path)
        try:
            return self.of(path, known=self).sha256 == self.sha256
        except BadInput:
            return not self.sha256


class Manifest(BaseModel):
    """What a library is. `fingerprint` is a hash over all papers and passages in order; `contents` the folder that holds them; `unknown`
    counts the files in its folders that are of no kind that litrag reads, by suffix; `problems` says what in them could not be looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[3] = 3
    name: str
    added: bool
    papers: int
    passages: int = 0
    fingerprint: str
    contents: str
    sources: tuple[Source, ...]
    files: tuple[SourceFile, ...]
    unknown: dict[str, int] = {}
    problems: tuple[str, ...] = ()


class VectorNote(BaseModel):
    """How far a model's vectors are: `papers` of the contents of that fingerprint; `complete` when old ones are gone, too."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    model: str
    fingerprint: str
    papers: int
    complete: bool

    @classmethod
    def read(cls, folder: Path) -> VectorNote | None:
        """The note of a folder of vectors; None where there is none that can be read."""
        try:
            return cls.model_validate_json((folder / "litrag.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a library's folder. Raises BadInput, naming the remedy."""
    try:
        return Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        if known_paths(folder):
            raise damaged(folder.name, "it was made by another version") from error
        raise BadInput(
            f"library {folder.name} cannot be opened (its manifest is damaged); add its files again: litrag library add FILE..."
            f" --name {folder.name}"
        ) from error


def known_paths(folder: Path) -> tuple[Path, ...]:
    """The sources that a manifest of whatever version names; none where it cannot be read."""
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return tuple(Path(source["path"]) for source in data["sources"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def write_json(path: Path, value: BaseModel) -> None:
    """Replaces a file in one step, on disk when this returns. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(value.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def gone(path: Path) -> BadInput:
    """The error of a library's source that is no longer there."""
    return BadInput(
        f"{path}: a source of the library is gone; put it back, or remove the library and add what there is"
    )


def damaged(name: str, reason: object) -> BadInput:
    """The error of a library that cannot be opened, which reading its sources again mends."""
    return BadInput(f"library {name} cannot be opened ({reason}); mend it with: litrag library update {name}")


@contextmanager
def locked(folder: Path, *, patience: float = 120.0, listen: Listener = silent) -> Iterator[None]:
    """Holds the right to write a library; it ends with the process. Waits `patience` seconds for another one, then raises
    EnvironmentFault. Raises CannotWrite."""
    place = made(folder.parent / ".locks") / folder.name
    with closing(_lock_file(place)) as lock:
        if not _taken(lock, 0.0):
            listen(Event("library", f"{folder.name}: another process is writing it; waiting for it to end"))
            if not _taken(lock, patience):
                raise EnvironmentFault(
                    f"library {folder.name} is being written by another process; when it has ended: litrag library update {folder.name}"
                )
        yield


def _lock_file(place: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise cannot_write(place, error) from error


def _taken(lock: sqlite3.Connection, patience: float) -> bool:
    """SQLite's lock: of the operating system, so that a killed process lets go of it."""
    try:
        lock.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise cannot_write("the lock of a library", error) from error
    return True


def cannot_write(place: object, error: Exception) -> CannotWrite:
    """The error of a full disk or a folder that cannot be written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return CannotWrite(place, reason, remedy="free space or set LITRAG_HOME to a writable folder")
