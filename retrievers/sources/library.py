"""Local libraries: one folder each with the papers (SQLite), a BM25 index that is ready at once, and vectors filled in later.

    <home>/libraries/<name>/manifest.json   sources, counts, schema version
                            papers.sqlite   one row a paper, in index order
                            bm25/           the BM25 index
                            vectors/<model>/ Qdrant Edge, optional

A library is built beside its old state and swapped in, so a crash, a full disk or a broken file loses nothing."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.database import Database
from litrag.core.errors import BadInput, CannotWrite, UnknownName
from litrag.core.events import Event, Listener, silent
from litrag.core.paths import libraries_folder, made
from litrag.core.types import Document, Paper
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.readers import KINDS, read_papers

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "Library",
    "LibraryInfo",
    "add_library",
    "list_libraries",
    "open_library",
    "remove_library",
    "update_library",
]

_SCHEMA: Final = 1
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS papers (position INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL)"
)
_MOST_WARNINGS: Final = 20


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """Facts about a library. `added`: the user added it; else it was named once with --library."""

    name: str
    folder: Path
    papers: int
    vectors: int
    added: bool
    sources: tuple[str, ...]


@dataclass(slots=True)
class Library:
    """An open library. Close it when done."""

    folder: Path
    manifest: dict[str, Any]
    warnings: tuple[str, ...] = ()
    _db: Database | None = None
    _index: BM25Index | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name it is called by: an added library's folder, an unnamed one's file."""
        return str(self.manifest["name"])

    @property
    def index(self) -> BM25Index:
        """The BM25 index. Raises BadInput where it is damaged."""
        if self._index is None:
            try:
                self._index = BM25Index.load(self.folder / "bm25")
            except (OSError, ValueError, KeyError) as error:
                raise _damaged(self.name, error) from error
        return self._index

    def papers(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of ids, in their order. Raises KeyError."""
        found: dict[str, Paper] = {}
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            marks = ",".join("?" * len(part))
            found |= {
                i: _paper(body)
                for i, body in self._database.rows(f"SELECT id, body FROM papers WHERE id IN ({marks})", part)
            }
        return tuple(found[i] for i in ids)

    def documents(self, ids: Sequence[str]) -> tuple[Document, ...]:
        """The papers of ids as documents."""
        return tuple(paper.to_document() for paper in self.papers(ids))

    def __len__(self) -> int:
        return int(self.manifest["papers"])

    def info(self) -> LibraryInfo:
        """Facts, vectors of the best filled model included."""
        counts = [_read_json(file).get("points", 0) for file in self.folder.glob("vectors/*/litrag.json")]
        sources = tuple(source["path"] for source in self.manifest["sources"])
        vectors = min(max(counts, default=0), len(self))
        return LibraryInfo(self.name, self.folder, len(self), vectors, bool(self.manifest["added"]), sources)

    def close(self) -> None:
        """Closes the database."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @property
    def _database(self) -> Database:
        if self._db is None:
            self._db = Database(self.folder / "papers.sqlite", _TABLE)
        return self._db


def add_library(
    paths: Sequence[Path], *, name: str | None = None, added: bool = True, listen: Listener = silent
) -> Library:
    """Indexes files of papers under a name, in place of a library of that name. A paper that stands in several files counts once.

    Raises BadInput (files, name), CannotWrite; then the former state is as it was."""
    if not paths:
        raise BadInput(f"no file given; name files of papers ({', '.join(KINDS)})")
    name = name if name is not None else re.sub(r"[^a-z0-9]+", "-", _stem(paths[0])).strip("-") or "library"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise BadInput(f"library name {name!r}: use letters, digits, '.', '_' and '-'")
    folder = libraries_folder() / (name if added else f"{name}@{_path_key(paths[0])}")
    return _build(folder, [path.resolve() for path in paths], name=name, added=added, listen=listen)


def open_library(name_or_path: str, *, listen: Listener = silent) -> Library:
    """The library of a name, or of a file, which is indexed when it is first named and again when it changed.

    Raises UnknownName, BadInput (a damaged library, an unreadable file)."""
    folder = libraries_folder() / name_or_path
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name_or_path) and (folder / "manifest.json").is_file():
        return _open(folder)
    path = Path(name_or_path)
    if path.exists() or "/" in name_or_path or name_or_path.lower().endswith(KINDS):
        return _of_file(path, listen)
    raise UnknownName(
        "library", name_or_path, (i.name for i in list_libraries() if i.added), remedy="or name a file of papers"
    )


def list_libraries() -> tuple[LibraryInfo, ...]:
    """All libraries by name; damaged ones are left out."""
    folder = libraries_folder()
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.name.startswith(".") and (path / "manifest.json").is_file():
            try:
                found.append(_open(path).info())
            except BadInput:
                continue
    return tuple(found)


def update_library(name: str, *, listen: Listener = silent) -> Library:
    """Reads the source files again. Vectors of papers that did not change are kept."""
    library = open_library(name)
    paths = [Path(source["path"]) for source in library.manifest["sources"]]
    if all(_unchanged(source) for source in library.manifest["sources"]) and (library.folder / "bm25").is_dir():
        return library
    library.close()
    return _build(library.folder, paths, name=library.name, added=bool(library.manifest["added"]), listen=listen)


def remove_library(name: str) -> None:
    """Deletes a library; its source files stay."""
    library = open_library(name)
    library.close()
    shutil.rmtree(library.folder)


def _build(folder: Path, paths: Sequence[Path], *, name: str, added: bool, listen: Listener) -> Library:
    made(libraries_folder())
    part = libraries_folder() / f".{folder.name}.{os.getpid()}"
    warnings: list[str] = []
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        database = Database(part / "papers.sqlite", _TABLE)
        try:
            count = _fill(database, paths, warnings, listen)
            listen(Event("library", f"{name}: indexing {count:,} papers"))
            index = BM25Index.build(
                (p.id, p.latest_date.isoformat() if p.latest_date else "", p.text) for p in _all(database)
            )
            index.save(part / "bm25")
        finally:
            database.close()
        sources = [
            {"path": str(path), "size": path.stat().st_size, "mtime": path.stat().st_mtime_ns, "sha256": _sha(path)}
            for path in paths
        ]
        manifest = {"schema": _SCHEMA, "name": name, "added": added, "papers": count, "sources": sources}
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _swap(part, folder)
    except OSError as error:
        raise CannotWrite(
            part, error.strerror or str(error), remedy="free space or set LITRAG_HOME to a writable folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if len(warnings) > _MOST_WARNINGS:
        warnings = [*warnings[:_MOST_WARNINGS], f"and {len(warnings) - _MOST_WARNINGS} more"]
    return Library(folder, manifest, tuple(warnings))


def _fill(database: Database, paths: Sequence[Path], warnings: list[str], listen: Listener) -> int:
    """Streams all papers into the table; of records with one id the richest stays."""
    lengths: dict[str, int] = {}
    doubled = 0
    for path in paths:
        batch: dict[str, Paper] = {}
        for paper in read_papers(path, warnings.append):
            if paper.id in lengths:
                doubled += 1
                if len(paper.text) <= lengths[paper.id]:
                    continue
            lengths[paper.id] = len(paper.text)
            batch[paper.id] = paper
            if len(batch) == 2000:
                _insert(database, batch)
                if len(lengths) % 10_000 < 2000:
                    listen(Event("library", f"read {len(lengths):,} papers"))
                batch = {}
        _insert(database, batch)
    if doubled:
        warnings.append(f"{doubled} records share an id with another; the longest of each counts")
    return len(lengths)


def _insert(database: Database, batch: dict[str, Paper]) -> None:
    rows = ((paper.id, _body(paper)) for paper in batch.values())
    database.write_many(
        "INSERT INTO papers (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", rows
    )


def _all(database: Database) -> Iterator[Paper]:
    last = 0
    while rows := database.rows(
        "SELECT position, body FROM papers WHERE position > ? ORDER BY position LIMIT 5000", (last,)
    ):
        for _, body in rows:
            yield _paper(body)
        last = rows[-1][0]


def _swap(part: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if (folder / "vectors").is_dir():
        for note in folder.glob("vectors/*/litrag.json"):
            note.unlink()
        (folder / "vectors").rename(part / "vectors")
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _of_file(path: Path, listen: Listener) -> Library:
    name = re.sub(r"[^a-z0-9]+", "-", _stem(path)).strip("-") or "library"
    folder = libraries_folder() / f"{name}@{_path_key(path)}"
    if (folder / "manifest.json").is_file() and path.is_file():
        library = _open(folder)
        if _unchanged(library.manifest["sources"][0]):
            return library
        library.close()
    return add_library([path], name=name, added=False, listen=listen)


def _open(folder: Path) -> Library:
    manifest = _read_json(folder / "manifest.json")
    if manifest.get("schema") != _SCHEMA or not (folder / "bm25").is_dir():
        raise _damaged(folder.name, "it is of another version or incomplete")
    return Library(folder, manifest)


def _unchanged(source: dict[str, Any]) -> bool:
    path = Path(source["path"])
    if not path.is_file():
        raise BadInput(f"{path}: a source file of the library is gone; put it back, or add the library anew")
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (source["size"], source["mtime"]) or _sha(path) == source["sha256"]


def _damaged(name: str, reason: object) -> BadInput:
    return BadInput(
        f"library {name} cannot be opened ({reason}); mend it with: litrag library update {name}, or add it anew"
    )


def _stem(path: Path) -> str:
    return re.sub(r"(\.(jsonl|ndjson|json|bib|gz))+$", "", path.name.lower())


def _path_key(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


@functools.cache
def _adapter() -> TypeAdapter[Paper]:
    from pydantic import TypeAdapter

    return TypeAdapter(Paper)


def _body(paper: Paper) -> str:
    return _adapter().dump_json(paper).decode()


def _paper(body: str) -> Paper:
    return _adapter().validate_json(body)
