"""A library on disk.

    <home>/libraries/<name>/manifest.json      sources, counts, and which folder holds the contents
                            contents-<id>/     papers.sqlite (one row a paper, in index order) and bm25/; never changed once made
                            vectors/<model>/   Qdrant Edge, optional; its litrag.json says for which contents it is complete

New contents are made beside the old ones; replacing the manifest, one rename, is what makes them count. So a crash, a full disk or
a broken file loses nothing, a reader sees the old state or the new one, and vectors, which are costly, never move."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from litrag.core.database import Database
from litrag.core.errors import BadInput, CannotWrite, EnvironmentFault
from litrag.core.events import Event, Listener, silent
from litrag.core.paths import made
from litrag.core.types import Paper

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "Manifest",
    "PaperTable",
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

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS papers (position INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL)"
)


class SourceFile(BaseModel):
    """A file a library was made from, as it was then; `papers` counts its readable records."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    size: int
    mtime: int
    sha256: str
    papers: int = 0

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        """The file as it is now. Raises BadInput."""
        try:
            stat = path.stat()
            with path.open("rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise BadInput(f"{path}: no such file; check the path") from error
        except IsADirectoryError as error:
            raise BadInput(f"{path} is a folder; name the files in it") from error
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
        return cls(path=str(path), size=stat.st_size, mtime=stat.st_mtime_ns, sha256=sha)

    def unchanged(self) -> bool:
        """Whether the file still holds the same bytes; they are read only where size or time differ. Raises BadInput if it is gone."""
        path = Path(self.path)
        if not path.is_file():
            raise gone(path)
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime) or self.of(path).sha256 == self.sha256


class Manifest(BaseModel):
    """What a library is. `fingerprint` is a hash over all papers in order; `contents` the folder that holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[2] = 2
    name: str
    added: bool
    papers: int
    fingerprint: str
    contents: str
    sources: tuple[SourceFile, ...]


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


class PaperTable:
    """The papers of one state of a library. Raises CannotWrite, BadInput as `Database` does."""

    def __init__(self, folder: Path) -> None:
        self._db = Database(folder / "papers.sqlite", _TABLE)

    def insert(self, papers: Iterable[Paper]) -> None:
        """Stores papers; one of a known id takes that one's place."""
        self._db.write_many(
            "INSERT INTO papers (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            ((paper.id, _adapter().dump_json(paper).decode()) for paper in papers),
        )

    def papers(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of ids, in their order. Raises KeyError."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            marks = ",".join("?" * len(part))
            found |= dict(self._db.rows(f"SELECT id, body FROM papers WHERE id IN ({marks})", part))
        return tuple(_adapter().validate_json(found[name]) for name in ids)

    def stream(self) -> Iterator[Paper]:
        """All papers in order, a few thousand in memory at a time."""
        return map(_adapter().validate_json, self._bodies())

    def fingerprint(self) -> str:
        """SHA-256 over all papers in order."""
        found = hashlib.sha256()
        for body in self._bodies():
            found.update(f"{body}\n".encode())
        return found.hexdigest()

    def _bodies(self) -> Iterator[str]:
        last = 0
        sql = "SELECT position, body FROM papers WHERE position > ? ORDER BY position LIMIT 5000"
        while rows := self._db.rows(sql, (last,)):
            yield from (body for _, body in rows)
            last = rows[-1][0]

    def __len__(self) -> int:
        return int(self._db.rows("SELECT count(*) FROM papers")[0][0])

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


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
    """The source files that a manifest of whatever version names; none where it cannot be read."""
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
    return BadInput(f"{path}: a file of the library is gone; put it back, or remove the library and add what there is")


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


@functools.cache
def _adapter() -> TypeAdapter[Paper]:
    from pydantic import TypeAdapter

    return TypeAdapter(Paper)
