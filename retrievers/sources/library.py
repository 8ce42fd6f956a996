"""Local libraries: papers of one's own, searchable by BM25 as soon as they were added, and by vectors once those are filled in
(`library_search`). What they are on disk: `library_files`."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from litrag.core.errors import BadInput, UnknownName
from litrag.core.events import Listener, silent
from litrag.core.paths import libraries_folder
from litrag.core.types import Document, Paper
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.library_building import build
from litrag.retrievers.sources.library_files import (
    Manifest,
    PaperTable,
    VectorNote,
    damaged,
    gone,
    known_paths,
    locked,
    read_manifest,
)
from litrag.retrievers.sources.readers import KINDS

__all__ = [
    "Library",
    "LibraryInfo",
    "add_library",
    "list_libraries",
    "open_library",
    "remove_library",
    "update_library",
]


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """Facts about a library. `added`: the user added it; else a file was named once with --library. `vectors` counts the papers that
    have one of the furthest model; `problem` says why the library cannot be opened, with the remedy."""

    name: str
    folder: Path
    papers: int
    vectors: int
    added: bool
    sources: tuple[str, ...]
    problem: str = ""


@dataclass(slots=True)
class Library:
    """An open library. Close it when done."""

    folder: Path
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    _table: PaperTable | None = field(default=None, repr=False)
    _index: BM25Index | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name it is called by: an added library's folder, an unnamed one's file."""
        return self.manifest.name

    @property
    def contents(self) -> Path:
        """The folder of papers and BM25 index."""
        return self.folder / self.manifest.contents

    @property
    def index(self) -> BM25Index:
        """The BM25 index. Raises BadInput where it is damaged."""
        if self._index is None:
            try:
                self._index = BM25Index.load(self.contents / "bm25")
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                raise damaged(self.called, error) from error
            if len(self._index) != len(self):
                raise damaged(self.called, "index and papers do not belong together")
        return self._index

    @property
    def called(self) -> str:
        """What a command may call it: its name, or the file of a library that was never added."""
        return self.name if self.manifest.added else self.manifest.sources[0].path

    def papers(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of ids, in their order. Raises KeyError, BadInput where the library is damaged."""
        return self.table.papers(ids)

    def documents(self, ids: Sequence[str]) -> tuple[Document, ...]:
        """The papers of ids as documents."""
        return tuple(paper.to_document() for paper in self.papers(ids))

    def __len__(self) -> int:
        return self.manifest.papers

    def info(self) -> LibraryInfo:
        """Facts, vectors of the furthest model included."""
        notes = [VectorNote.read(folder) for folder in sorted(self.folder.glob("vectors/*"))]
        counts = [note.papers for note in notes if note and note.fingerprint == self.manifest.fingerprint]
        sources = tuple(source.path for source in self.manifest.sources)
        return LibraryInfo(self.name, self.folder, len(self), max(counts, default=0), self.manifest.added, sources)

    def close(self) -> None:
        """Closes the files; what is used again is opened again."""
        if self._table is not None:
            self._table.close()
            self._table = None

    @property
    def table(self) -> PaperTable:
        """The papers. Raises BadInput where they are damaged, or gone since another process wrote the library."""
        if self._table is None:
            if not (self.contents / "papers.sqlite").is_file():
                raise damaged(self.called, "its papers are gone, or were replaced since it was opened")
            try:
                table = PaperTable(self.contents)
                count = len(table)
            except BadInput as error:
                raise damaged(self.called, error.__cause__) from error
            if count != len(self):
                table.close()
                raise damaged(self.called, f"{count:,} of {len(self):,} papers are there")
            self._table = table
        return self._table


def add_library(paths: Sequence[Path], *, name: str | None = None, listen: Listener = silent) -> Library:
    """Indexes files of papers under a name; a library of that name keeps its files and gets these, too. Nothing is read again where
    nothing changed. Papers of one id count once.

    Raises BadInput (files, name), CannotWrite; then the former state is as it was. Raises EnvironmentFault while another process
    writes the library."""
    if not paths:
        raise BadInput(f"no file given; name files of papers ({', '.join(KINDS)})")
    name = name if name is not None else _stem(paths[0])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise BadInput(f"library name {name!r}: use letters, digits, '.', '_' and '-'")
    wanted = [path.expanduser().resolve() for path in paths]
    return _made(libraries_folder() / name, wanted, name=name, added=True, listen=listen)


def open_library(name_or_path: str, *, listen: Listener = silent) -> Library:
    """The library of a name, or of a file, which is indexed when it is first named and again when it changed.

    Raises UnknownName, BadInput (a damaged library, an unreadable file)."""
    folder = _folder(name_or_path)
    path = _file(name_or_path)
    if path is None:
        return Library(folder, _complete(folder))
    return _made(folder, [path.resolve()], name=_stem(path), added=False, listen=listen)


def list_libraries() -> tuple[LibraryInfo, ...]:
    """All libraries by name; damaged ones with their problem."""
    parent = libraries_folder()
    found = []
    for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
        if folder.name.startswith(".") or not (folder / "manifest.json").is_file():
            continue
        try:
            found.append(Library(folder, _complete(folder)).info())
        except BadInput as error:
            sources = tuple(map(str, known_paths(folder)))
            added = "@" not in folder.name
            found.append(LibraryInfo(folder.name.partition("@")[0], folder, 0, 0, added, sources, str(error)))
    return tuple(found)


def update_library(name: str, *, listen: Listener = silent) -> Library:
    """Reads the source files again if one changed or the library is damaged. Vectors of papers that did not change are kept."""
    folder = _folder(name)
    path = _file(name)
    if path is not None:
        return _made(folder, [path.resolve()], name=_stem(path), added=False, listen=listen)
    if not known_paths(folder):
        read_manifest(folder)
    return _made(folder, [], name=folder.name, added=True, listen=listen)


def remove_library(name: str) -> None:
    """Deletes a library, damaged or not; its source files stay."""
    folder = _folder(name)
    if not (folder / "manifest.json").is_file():
        raise UnknownName("library", name, (info.name for info in list_libraries() if info.added))
    with locked(folder):
        (folder / "manifest.json").unlink(missing_ok=True)  # from here on it is gone, whatever becomes of the rest
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path, paths: Sequence[Path], *, name: str, added: bool, listen: Listener) -> Library:
    """The library over its own files and `paths`: as it is where it is whole and nothing changed, else built."""
    if (library := _current(folder, paths, added=added)) is not None:
        return library
    with locked(folder, listen=listen):
        if (library := _current(folder, paths, added=added)) is not None:
            return library  # another process has just made it
        own = known_paths(folder) if added else ()
        for path in own:
            if not path.is_file():
                raise gone(path)
        every = list(dict.fromkeys((*own, *paths)))
        manifest, warnings = build(folder, every, name=name, added=added, listen=listen)
    if own and paths and len(every) > len(own):
        held = ", ".join(path.name for path in own)
        warnings = (*warnings, f"library {name} keeps what it held ({held}); `litrag library remove {name}` empties it")
    return Library(folder, manifest, warnings)


def _current(folder: Path, paths: Sequence[Path], *, added: bool) -> Library | None:
    """The library if it is whole and holds just what these files hold now."""
    if not (folder / "manifest.json").is_file():
        return None
    try:
        library = Library(folder, _complete(folder))
    except BadInput:
        return None
    known = {source.path for source in library.manifest.sources}
    if not {str(path) for path in paths} <= known or library.manifest.added != added:
        return None
    if not all(source.unchanged() for source in library.manifest.sources):
        return None
    try:
        _ = library.index, library.table
    except BadInput:
        return None
    finally:
        library.close()
    return library


def _complete(folder: Path) -> Manifest:
    """The manifest, its contents being there. Raises BadInput."""
    manifest = read_manifest(folder)
    if not (folder / manifest.contents / "bm25").is_dir():
        raise damaged(manifest.name if manifest.added else manifest.sources[0].path, "it is incomplete")
    return manifest


def _folder(name_or_path: str) -> Path:
    """The folder of a named library, or of a file's. Raises UnknownName."""
    path = _file(name_or_path)
    if path is not None:
        return _folder_of_file(path)
    folder = libraries_folder() / name_or_path
    if _is_name(name_or_path) and (folder / "manifest.json").is_file():
        return folder
    names = (info.name for info in list_libraries() if info.added)
    raise UnknownName("library", name_or_path, names, remedy="or name a file of papers")


def _file(name_or_path: str) -> Path | None:
    """The file that is meant; None for the name of a library."""
    if _is_name(name_or_path) and (libraries_folder() / name_or_path / "manifest.json").is_file():
        return None
    path = Path(name_or_path).expanduser()
    is_file = path.exists() or "/" in name_or_path or name_or_path.lower().endswith(KINDS)
    return path if name_or_path and is_file else None


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None


def _folder_of_file(path: Path) -> Path:
    key = hashlib.sha256(str(path.expanduser().resolve()).encode()).hexdigest()[:8]
    return libraries_folder() / f"{_stem(path)}@{key}"


def _stem(path: Path) -> str:
    plain = re.sub(r"(\.(jsonl|ndjson|json|bib|gz))+$", "", path.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "library"
